"""A folder of files: whose turn it is to write there, and writes that are atomic."""

import os
import stat
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backo.connectors.file_lock import opened, try_lock, unlock, wait_lock
from backo.connectors.transactions import Turn
from backo.errors import ConflictError, DBError

__all__ = ["Folder", "shared", "translated"]

type _Old = tuple[bytes, int] | None


class Folder:
    """A folder that all connectors and units of this process share.

    Writers of all processes take turns by a lock on ``.lock`` in it and write to
    ``.new`` there, which then takes the place of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = f"yml:{path}"
        self.turn = Turn()
        self._descriptor: int | None = None

    # the turn

    def take(self, owner: object, timeout: float) -> None:
        """Be the only writer of all threads and processes.

        :raises ConflictError: others were writing for ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        if not self.turn.acquire(owner, timeout):
            raise ConflictError(f"{self.path}: others are writing there")
        try:
            with translated(self.path):
                self._lock(deadline)
                with suppress(FileNotFoundError):
                    (self.path / ".new").unlink()
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Let others write."""
        descriptor, self._descriptor = self._descriptor, None
        try:
            if descriptor is not None:
                # A forked child may have the file open too: closing would not do.
                with suppress(OSError):
                    unlock(descriptor)
                os.close(descriptor)
        finally:
            self.turn.release()

    def _lock(self, deadline: float) -> None:
        descriptor = self._descriptor = opened(self.path / ".lock")
        if try_lock(descriptor):
            return
        waiting = deadline - time.monotonic()
        locked = _Waiter(self.path / ".lock").wait(waiting) if waiting > 0 else None
        if locked is None:
            raise ConflictError(f"{self.path}: others are writing there")
        self._descriptor = locked
        os.close(descriptor)

    def disown(self) -> None:
        """In a forked child: the lock is the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    # files

    def read(self, name: str) -> _Old:
        """A file's bytes and mode; None when there is none."""
        with translated(self.path / name):
            try:
                with (self.path / name).open("rb") as file:
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    return file.read(), mode
            except FileNotFoundError:
                return None

    def replace(self, name: str, content: bytes, mode: int | None) -> None:
        """Write the file: a reader or a crash sees the old one or the new one."""
        path, new = self.path / name, self.path / ".new"
        with translated(path):
            new.unlink(missing_ok=True)
            with new.open("xb") as file:
                if mode is not None:
                    # Before there is anything to be read.
                    new.chmod(mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                new.replace(path)
            except OSError:
                new.unlink(missing_ok=True)
                raise
        self.sync()

    def remove(self, name: str) -> None:
        """Delete the file, if it is there."""
        with translated(self.path / name):
            (self.path / name).unlink(missing_ok=True)
        self.sync()

    def put_back(self, name: str, old: _Old) -> None:
        """Make the file what ``read`` gave."""
        if old is None:
            self.remove(name)
        elif self.read(name) != old:
            self.replace(name, *old)

    def sync(self) -> None:
        """Make a rename or removal last through a power cut, where folders can."""
        if sys.platform == "win32":
            return
        with translated(self.path):
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """The system's errors as :class:`DBError`."""
    try:
        yield
    except OSError as error:
        raise DBError(f"{path}: {error.strerror or error}") from error


# -- waiting for a lock -------------------------------------------------------------


class _Waiter:
    """Waits in the system's queue, which asking again and again would not: where many
    write, a lock is never free for long. No system can wait for a time only, so that
    a thread does it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = opened(path)
        self._deciding = threading.Lock()
        self._done = threading.Event()
        self._given_up = False

    def wait(self, timeout: float) -> int | None:
        """The descriptor that has the lock; None when it was not to be had."""
        threading.Thread(target=self._run, daemon=True).start()
        self._done.wait(timeout)
        with self._deciding:
            self._given_up = not self._done.is_set()
            return None if self._given_up else self._descriptor

    def _run(self) -> None:
        try:
            wait_lock(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            return
        with self._deciding:
            if self._given_up:
                os.close(self._descriptor)
            else:
                self._done.set()


# -- the folders in use ------------------------------------------------------------

_folders: weakref.WeakValueDictionary[Path, Folder] = weakref.WeakValueDictionary()
_finding = threading.Lock()


def _after_fork() -> None:
    global _finding
    _finding = threading.Lock()
    for folder in list(_folders.values()):
        folder.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def shared(path: Path) -> Folder:
    """The one object for the folder of this path, however it is written."""
    resolved = path.resolve()
    with _finding:
        found = _folders.get(resolved)
        if found is None:
            found = _folders[resolved] = Folder(resolved)
        return found
