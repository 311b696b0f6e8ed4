"""Where the contents of files are kept: what backo asks of it.

A store of a user's own has the six abstract methods; with the others it does better.
Contents have ids of their own and are never changed in place: a new content has a new
id, so that nobody ever sees half of one.
"""

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from backo.connectors.ids import new_id
from backo.errors import FileError

__all__ = ["BUFFER_SIZE", "FileConnector", "StoredFile", "text_of"]

BUFFER_SIZE = 65_536
"""Bytes read or written at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredFile:
    """A content that is there: its id, when it was written (in UTC), and its size in
    bytes."""

    file_id: str
    modified: datetime
    size: int


class FileConnector(ABC):
    """Keeps contents, each under its id.

    Methods of one connector are called from several threads at once, on different ids.
    Where no content has the id, reading is a :class:`FileError`, and deleting does
    nothing. A store that cannot be reached is a :class:`DBError`.

    :param buffer_size: bytes read or written at once.
    """

    def __init__(self, *, buffer_size: int = BUFFER_SIZE) -> None:
        if buffer_size < 1:
            raise ValueError("buffer_size must be at least 1")
        self.buffer_size = buffer_size

    @property
    def place(self) -> str:
        """Names the store: two connectors with one place keep the same contents."""
        return f"{type(self).__name__}:{id(self)}"

    def generate_id(self) -> str:
        """A new id: text that nobody can guess."""
        return new_id()

    @abstractmethod
    def clear(self, file_id: str) -> None:
        """Have an empty content under this id, whatever was there."""

    @abstractmethod
    def delete(self, filename: str) -> None:
        """Have no content under this id."""

    @abstractmethod
    def get(
        self, file_id: str, mode: str = "rb", encoding: str | None = None
    ) -> bytes | str:
        """The whole content: bytes, or with the mode ``r`` text, read as ``encoding``
        (UTF-8 by default).

        :raises FileError: there is none, or it is no text in that encoding.
        """

    @abstractmethod
    def has_file(self, file_id: str) -> bool:
        """Whether there is a content under this id."""

    @abstractmethod
    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        """The content, piece by piece.

        :raises FileError: there is none.
        """

    @abstractmethod
    def write_chunk(self, filename: str, chunk: bytes) -> None:
        """Append to the content under this id, which need not be there yet."""

    # --- What a connector may do better -------------------------------------------

    def write(self, file_id: str, chunks: Iterable[bytes]) -> None:
        """Have what ``chunks`` give as the content under a new id: all of it, or
        nothing when ``chunks`` raise."""
        source = iter(chunks)
        # Where it cannot even be begun, what is there stays.
        first = next(source, b"")
        try:
            self.clear(file_id)
            for chunk in itertools.chain([first], source):
                self.write_chunk(file_id, chunk)
        except BaseException:
            with suppress(Exception):
                self.delete(file_id)
            raise

    def read_range(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, which is not one of them, piece by
        piece.

        :raises FileError: there is no content with this id.
        """
        return _between(self.read_chunk(file_id), start, stop)

    def size(self, file_id: str) -> int:
        """The content's size in bytes.

        :raises FileError: there is none.
        """
        return sum(map(len, self.read_chunk(file_id)))

    def stored(self) -> Iterator[StoredFile]:
        """Every content that is there, in no order.

        :raises FileError: this connector cannot tell.
        """
        raise FileError(f"{type(self).__name__} cannot tell which files it keeps")

    def discard_parts(self, before: datetime) -> int:
        """Remove what uploads have left that were begun before then and cut short (by
        the end of a process); tells how many."""
        return 0


def _between(chunks: Iterable[bytes], start: int, stop: int) -> Iterator[bytes]:
    at = 0
    for chunk in chunks:
        part = chunk[max(start - at, 0) : max(stop - at, 0)]
        if part:
            yield part
        at += len(chunk)
        if at >= stop:
            return


def text_of(content: bytes, mode: str, encoding: str | None) -> bytes | str:
    """``content`` as the mode ``rb`` or ``r`` of :meth:`FileConnector.get` gives it.

    :raises FileError: it is no text in that encoding.
    """
    if "b" in mode:
        return content
    try:
        return content.decode(encoding or "utf-8")
    except (UnicodeDecodeError, LookupError) as error:
        raise FileError(f"the content is no text: {error}") from error
