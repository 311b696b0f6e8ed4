"""Contents as files in a folder."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    suppress,
)
from datetime import UTC, datetime
from pathlib import Path

from backo.connectors.yml_folder import translated
from backo.files.connector import BUFFER_SIZE, FileConnector, StoredFile, text_of
from backo.files.folders import Folder, folder_below
from backo.files.naming import file_name, folders_of, id_of, missing
from backo.files.parts import Part, discarded

__all__ = ["FileSystemConnector"]

_PARTS = ".parts"


class FileSystemConnector(FileConnector):
    """Keeps each content in a file of its own below the folder ``path``, made on
    demand, in folders two levels deep.

    ``path`` may be a link. Links below it are not followed: no id leads out of it. What
    is written is there as a whole or not at all, also after a power cut.
    """

    def __init__(
        self, *, path: str | os.PathLike[str], buffer_size: int = BUFFER_SIZE
    ) -> None:
        super().__init__(buffer_size=buffer_size)
        self.path = Path(path)
        # The working directory may change later.
        self._base = self.path.resolve()

    @property
    def place(self) -> str:
        return f"files:{self._base}"

    # writing

    def write(self, file_id: str, chunks: Iterable[bytes]) -> None:
        name = file_name(file_id)
        with self._part() as part:
            for chunk in chunks:
                with translated(self._base):
                    part.write(chunk)
            with translated(self._base), self._folder_of(name, make=True) as folder:
                part.keep(folder, name)

    @contextmanager
    def _part(self) -> Iterator[Part]:
        # What the block raises are errors of those who give the chunks.
        with ExitStack() as opened:
            with translated(self._base):
                parts = folder_below(self._base, _PARTS, make=True)
                part = Part(opened.enter_context(parts))
            yield opened.enter_context(closing(part))

    def write_chunk(self, file_id: str, chunk: bytes) -> None:
        """Append to the content under this id, which need not be there yet. A power
        cut may take back what was appended."""
        name = file_name(file_id)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with translated(self._base), self._folder_of(name, make=True) as folder:
            with os.fdopen(folder.open(name, flags), "ab") as file:
                file.write(chunk)

    def clear(self, file_id: str) -> None:
        self.write(file_id, ())

    def delete(self, file_id: str) -> None:
        name = file_name(file_id)
        with translated(self._base), suppress(FileNotFoundError):
            with self._folder_of(name) as folder:
                folder.remove(name)
                folder.sync()

    # reading

    def get(
        self, file_id: str, mode: str = "rb", encoding: str | None = None
    ) -> bytes | str:
        return text_of(b"".join(self.read_chunk(file_id)), mode, encoding)

    def has_file(self, file_id: str) -> bool:
        return self._stat(file_id) is not None

    def size(self, file_id: str) -> int:
        found = self._stat(file_id)
        if found is None:
            raise missing(file_id)
        return found.st_size

    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        """The content, piece by piece, to its end even if it is deleted meanwhile."""
        return self._pieces(self._opened(file_id), 0, sys.maxsize)

    def read_range(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        """As in the base, to the end even if the content is deleted meanwhile."""
        return self._pieces(self._opened(file_id), max(start, 0), stop)

    def _stat(self, file_id: str) -> os.stat_result | None:
        name = file_name(file_id)
        with translated(self._base), suppress(FileNotFoundError):
            with self._folder_of(name) as folder:
                return folder.stat(name)
        return None

    def _opened(self, file_id: str) -> int:
        name = file_name(file_id)
        with translated(self._base), suppress(FileNotFoundError):
            with self._folder_of(name) as folder:
                return folder.open(name, os.O_RDONLY)
        raise missing(file_id)

    def _pieces(self, descriptor: int, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of the file, which is closed at the end, or when nobody wants any
        more of them."""
        pieces = self._read(descriptor, start, stop)
        # Only a generator that has begun does its `finally` when it is not used.
        next(pieces)
        return pieces

    def _read(self, descriptor: int, start: int, stop: int) -> Iterator[bytes]:
        try:
            yield b""
            with translated(self._base):
                stop = min(stop, os.fstat(descriptor).st_size)
                if start < stop:
                    os.lseek(descriptor, start, os.SEEK_SET)
                while start < stop:
                    piece = os.read(descriptor, min(stop - start, self.buffer_size))
                    if not piece:
                        return
                    start += len(piece)
                    yield piece
        finally:
            os.close(descriptor)

    def _folder_of(
        self, name: str, *, make: bool = False
    ) -> AbstractContextManager[Folder]:
        return folder_below(self._base, *folders_of(name), make=make)

    # all of them

    def stored(self) -> Iterator[StoredFile]:
        with translated(self._base), suppress(FileNotFoundError):
            with folder_below(self._base) as base:
                for outer in _folders(base):
                    for inner in _folders(outer):
                        yield from _contents(inner)

    def discard_parts(self, before: datetime) -> int:
        done = 0
        with translated(self._base), suppress(FileNotFoundError):
            with folder_below(self._base, _PARTS) as parts:
                for entry in parts.entries():
                    with suppress(FileNotFoundError):
                        old = parts.stat(entry.name).st_mtime < before.timestamp()
                        done += old and discarded(parts, entry.name)
        return done


def _folders(parent: Folder) -> Iterator[Folder]:
    """Those of ours in ``parent``, each open as long as it is looked at."""
    for entry in parent.entries():
        if re.fullmatch("[0-9a-f]{2}", entry.name) and entry.is_dir(
            follow_symlinks=False
        ):
            with parent.below(entry.name) as folder:
                yield folder


def _contents(folder: Folder) -> Iterator[StoredFile]:
    place = (folder.path.parent.name, folder.path.name)
    for entry in folder.entries():
        file_id = id_of(entry.name)
        if file_id is None or folders_of(entry.name) != place:
            continue
        with suppress(FileNotFoundError):
            found = folder.stat(entry.name)
            modified = datetime.fromtimestamp(found.st_mtime, UTC)
            yield StoredFile(file_id, modified, found.st_size)
