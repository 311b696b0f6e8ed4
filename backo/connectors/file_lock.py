"""Locks of whole files, which end with the process that has them."""

import errno
import os
import sys
import time
from pathlib import Path

__all__ = ["opened", "try_lock", "unlock", "wait_lock"]

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Whether the lock could be had at once."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
            return False
        return True

    def wait_lock(descriptor: int) -> None:
        """Have the lock, however long that takes."""
        while not try_lock(descriptor):
            time.sleep(0.005)

    def unlock(descriptor: int) -> None:
        """Give the lock back."""
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Whether the lock could be had at once."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait_lock(descriptor: int) -> None:
        """Have the lock, however long that takes."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def unlock(descriptor: int) -> None:
        """Give the lock back."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def opened(path: Path) -> int:
    """A descriptor of the file, which is made if it is not there."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        # Who may only read can still see whether somebody has the lock.
        return os.open(path, os.O_RDONLY)
