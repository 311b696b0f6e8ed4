"""Folders that are held open, so that no link leads from them to other places."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["Folder", "folder_below"]

_HELD = os.open in os.supports_dir_fd
"""Whether the system works below a folder that is open, as Windows does not."""
_FOLDER = getattr(os, "O_DIRECTORY", 0)
# A FIFO in the place of a file would be waited for.
_FILE = os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else 0
_FILE |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Folder:
    """A folder, until it is closed. Whatever is a link in it is neither read nor
    written to. Errors are the system's."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def opened(cls, path: Path) -> "Folder":
        """The folder at ``path``, which may be a link."""
        return cls(path, os.open(path, os.O_RDONLY | _FOLDER) if _HELD else None)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    # folders in it

    def below(self, name: str) -> "Folder":
        """The folder ``name`` in it."""
        path = self.path / name
        if self._descriptor is not None:
            flags = os.O_RDONLY | _FOLDER | os.O_NOFOLLOW
            return Folder(path, os.open(name, flags, dir_fd=self._descriptor))
        if path.is_symlink() or path.is_junction():
            raise NotADirectoryError(errno.ENOTDIR, "a link, not a folder", str(path))
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "no folder", str(path))
        return Folder(path, None)

    def made(self, name: str) -> "Folder":
        """The folder ``name`` in it, which lasts, and need not be there yet."""
        try:
            found = self.below(name)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(self._at(name), dir_fd=self._descriptor)
            found = self.below(name)
        # Others may have made it, and not yet so that it lasts.
        self.sync()
        return found

    # files in it

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else str(self.path / name)

    def stat(self, name: str) -> os.stat_result:
        """What the system knows of the file.

        :raises FileNotFoundError: there is none; a link is no file.
        """
        found = os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, "no file", str(self.path / name))
        return found

    def open(self, name: str, flags: int) -> int:
        """A descriptor of the file, opened with the system's ``flags``.

        :raises FileNotFoundError: there is none, and it is not to be made.
        """
        if not flags & os.O_CREAT:
            self.stat(name)
        return os.open(self._at(name), flags | _FILE, 0o666, dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Delete the file."""
        os.unlink(self._at(name), dir_fd=self._descriptor)

    def move(self, name: str, other: "Folder", new: str) -> None:
        """Have the file in ``other`` as ``new``, in the place of what was there."""
        os.replace(
            self._at(name),
            other._at(new),
            src_dir_fd=self._descriptor,
            dst_dir_fd=other._descriptor,
        )

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """What is in it, in no order."""
        at = self.path if self._descriptor is None else self._descriptor
        with os.scandir(at) as found:
            yield from found

    def sync(self) -> None:
        """Make what was made, moved and removed in it last through a power cut."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)


@contextmanager
def folder_below(path: Path, *names: str, make: bool = False) -> Iterator[Folder]:
    """The folder at ``path``, or one below it, to be made on demand."""
    if make:
        path.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        folder = opened.enter_context(Folder.opened(path))
        for name in names:
            inner = folder.made(name) if make else folder.below(name)
            folder = opened.enter_context(inner)
        yield folder
