"""What a field that holds a file says, as data."""

import dataclasses
from collections.abc import Callable
from typing import Any

__all__ = ["FILE_FIELDS", "FilePlan", "allows"]

FILE_FIELDS = ("filename", "file_id", "content_type", "size", "modified")
"""What is told of a file: the name it was given, the id of its content, the media type
that the content looks like, its bytes, and when it was set."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """Where the contents of a field are kept, and which it takes."""

    work: Any = None
    """The FileConnector where contents live; None: in the document itself."""
    storage: Any = None
    """The FileConnector that has a copy of what was saved; None: none."""
    mime_types: tuple[str, ...] = ()
    """Media types, or ranges of them (``image/*``); none: all."""
    max_size: int | None = None
    """Bytes a content may have; None: as many as the backoffice takes."""
    buffer_size: int | None = None
    """Bytes of a piece; None: as many as the connector says."""

    new_id: Callable[[], str] | None = None
    """Makes the ids of contents; None: the connector does."""

    @property
    def inline(self) -> bool:
        """Whether contents are kept in the document itself."""
        return self.work is None

    @property
    def place(self) -> str:
        """Where contents live, as connectors name it; empty: in the document itself."""
        return "" if self.work is None else str(self.work.place)

    @property
    def stores(self) -> list[Any]:
        """The FileConnectors that have contents of it."""
        return [one for one in (self.work, self.storage) if one is not None]

    def key(self, file_id: str) -> tuple[str, str]:
        """What two files have in common that have one content."""
        return self.place, file_id

    @property
    def places(self) -> tuple[str, ...]:
        """Where contents are, as connectors name it."""
        return tuple(str(one.place) for one in self.stores)


def allows(mime_types: tuple[str, ...], content_type: str) -> bool:
    """Whether a media type is one of ``mime_types``, or in a range of them."""
    kind = content_type.partition("/")[0]
    wanted = (content_type, f"{kind}/*", "*/*")
    return not mime_types or any(one in wanted for one in mime_types)
