"""Contents in memory."""

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from backo.files.connector import BUFFER_SIZE, FileConnector, StoredFile, text_of
from backo.files.naming import checked_id, missing

__all__ = ["FileBlobConnector"]

type _Content = tuple[datetime, tuple[bytes, ...]]
"""When it was written, and its bytes in pieces. It is replaced, never changed."""


class FileBlobConnector(FileConnector):
    """Keeps contents in the memory of this process, as long as the connector lives: for
    tests, and for little that may be lost."""

    def __init__(self, *, buffer_size: int = BUFFER_SIZE) -> None:
        super().__init__(buffer_size=buffer_size)
        self._contents: dict[str, _Content] = {}
        self._appending = threading.Lock()

    def write(self, file_id: str, chunks: Iterable[bytes]) -> None:
        checked_id(file_id)
        pieces = tuple(map(bytes, chunks))
        with self._appending:
            self._contents[file_id] = (datetime.now(UTC), pieces)

    def write_chunk(self, file_id: str, chunk: bytes) -> None:
        checked_id(file_id)
        with self._appending:
            _, pieces = self._contents.get(file_id, (None, ()))
            last = pieces[-1] if pieces else b""
            if len(last) + len(chunk) <= self.buffer_size:
                pieces, chunk = pieces[:-1], last + chunk
            self._contents[file_id] = (datetime.now(UTC), (*pieces, bytes(chunk)))

    def clear(self, file_id: str) -> None:
        self.write(file_id, ())

    def delete(self, file_id: str) -> None:
        with self._appending:
            self._contents.pop(checked_id(file_id), None)

    def get(
        self, file_id: str, mode: str = "rb", encoding: str | None = None
    ) -> bytes | str:
        return text_of(b"".join(self._found(file_id)), mode, encoding)

    def has_file(self, file_id: str) -> bool:
        return checked_id(file_id) in self._contents

    def size(self, file_id: str) -> int:
        return sum(map(len, self._found(file_id)))

    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        """The content, piece by piece, to its end even if it is deleted meanwhile."""
        return (
            piece[at : at + self.buffer_size]
            for piece in self._found(file_id)
            for at in range(0, len(piece), self.buffer_size)
        )

    def _found(self, file_id: str) -> tuple[bytes, ...]:
        try:
            return self._contents[checked_id(file_id)][1]
        except KeyError:
            raise missing(file_id) from None

    def stored(self) -> Iterator[StoredFile]:
        for file_id, (modified, pieces) in self._contents.copy().items():
            yield StoredFile(file_id, modified, sum(map(len, pieces)))
