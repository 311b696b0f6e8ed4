"""What a caller gives as the content of a file, before anything is done with it."""

import base64
from typing import Any, BinaryIO, Self

__all__ = ["Content", "Incoming", "bytes_of"]

_PREFIX = "base64:"


class Content:
    """Something that a file field can be given."""

    def __deepcopy__(self, _memo: Any) -> Self:
        return self


class Incoming(Content):
    """A content: its bytes, or the binary file they are to be read from, once."""

    def __init__(
        self,
        data: bytes | None,
        *,
        file: BinaryIO | None = None,
        filename: str | None = None,
    ) -> None:
        self.data = data
        self.file = file
        self.filename = filename
        self.staged: dict[Any, Any] = {}
        """What has been staged of it, by the FilePlan it was staged for."""


def bytes_of(text: str) -> bytes:
    """The content that ``text`` stands for: itself in UTF-8, or after ``base64:`` what
    that says.

    :raises ValueError: it is no base64.
    """
    if text.startswith(_PREFIX):
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    return text.encode()
