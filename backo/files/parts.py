"""Files that are there as a whole or not at all: each is a part until it is kept."""

import os
import sys
from contextlib import suppress
from io import BufferedWriter

from backo.connectors.file_lock import try_lock
from backo.connectors.ids import new_id
from backo.files.folders import Folder

__all__ = ["Part", "discarded"]

if sys.platform == "win32":

    def _claimed(descriptor: int) -> bool:
        # What is open there cannot be removed.
        return True

    def discarded(folder: Folder, name: str) -> bool:
        """Whether nobody was writing the part, so that it is removed."""
        try:
            folder.remove(name)
        except PermissionError:
            return False
        return True

else:

    def _claimed(descriptor: int) -> bool:
        # Who discards parts may have come before the lock.
        return try_lock(descriptor) and os.fstat(descriptor).st_nlink > 0

    def discarded(folder: Folder, name: str) -> bool:
        """Whether nobody was writing the part, so that it is removed."""
        descriptor = folder.open(name, os.O_WRONLY)
        try:
            # It is locked as long as the process lives that writes it.
            unlocked = try_lock(descriptor)
            if unlocked:
                folder.remove(name)
            return unlocked
        finally:
            os.close(descriptor)


class Part:
    """A new file in a folder of parts, which is not discarded while it is open. Errors
    are the system's."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._name = new_id()
        while (file := _begun(folder, self._name)) is None:
            self._name = new_id()
        self._file = file

    def write(self, chunk: bytes) -> None:
        """Append to it."""
        self._file.write(chunk)

    def keep(self, folder: Folder, name: str) -> None:
        """Have it in ``folder`` as ``name``, so that it lasts through a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if sys.platform == "win32":
            # What is open there cannot be moved.
            self._file.close()
        self._folder.move(self._name, folder, name)
        self._name = ""
        folder.sync()

    def close(self) -> None:
        """Leave nothing of it, if it was not kept."""
        if self._name and sys.platform != "win32":
            # While it is locked, and nobody else removes it.
            self._remove()
        with suppress(OSError):
            # What is not written yet, on a full disk.
            self._file.close()
        if self._name:
            self._remove()

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            self._folder.remove(self._name)
        self._name = ""


def _begun(folder: Folder, name: str) -> BufferedWriter | None:
    """A new file; None when it was taken for what somebody had left."""
    descriptor = folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    file = os.fdopen(descriptor, "wb")
    try:
        if _claimed(descriptor):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None
