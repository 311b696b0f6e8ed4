"""Transactions of a folder of files: a journal in it says how to undo them.

Before a file is changed for the first time, its old content goes to ``.journal``.
Changes are made at once; removing the journal commits them all. Whoever takes the
folder's lock and finds a journal there knows that its process is gone.
"""

import base64
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from backo.connectors.decisions import (
    JOURNAL,
    Address,
    acknowledge,
    drop_record,
    is_decided,
    journal_line,
    read_journal,
    record_of,
)
from backo.connectors.transactions import (
    PATIENCE,
    DurableTransaction,
    UndoLog,
)
from backo.connectors.yml_folder import Folder, translated
from backo.errors import ConflictError, DBError
from backo.log import log_system

__all__ = ["YmlTransaction", "locked", "mend_now", "tidy"]

_log = log_system.get_or_create_logger("transaction")

type _Old = tuple[bytes, int] | None
type Stamp = tuple[int, int, int]
"""A file's time, size and inode."""


class YmlTransaction(DurableTransaction):
    """Holds the folder's lock for the whole unit."""

    rank = 1

    def __init__(self, folder: Folder, timeout: float) -> None:
        super().__init__(folder.place)
        self._folder = folder
        self._journal = folder.path / JOURNAL
        self._log: UndoLog[tuple[str, _Old]] = UndoLog(
            lambda one: folder.put_back(*one)
        )
        self._originals: dict[str, _Old] = {}
        self.texts: dict[str, tuple[Stamp, str]] = {}
        """What files held when they were read in the unit, as JSON: while it has the
        lock, no other process changes them in one tick of the clock."""
        self._descriptor: int | None = None
        with translated(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        _take(folder, self, timeout)

    def note(self, name: str) -> None:
        """Note a file's content before it is changed. The journal has it on disk."""
        old = self._folder.read(name)
        self.texts.pop(name, None)
        if name not in self._originals:
            self._append({"file": name, **_written(old)})
            self._originals[name] = old
        self._log.note((name, old))

    @property
    def wrote(self) -> bool:
        return bool(self._originals)

    # parts

    def mark(self) -> int:
        return len(self._log)

    def go_back(self, mark: int) -> None:
        self.texts.clear()
        self._log.go_back(mark)

    # the end

    def commit(self) -> None:
        if self.wrote:
            self._end_journal(self._journal.unlink)

    def rollback(self) -> None:
        if not self.wrote:
            return
        problems = []
        for name, old in self._originals.items():
            try:
                self._folder.put_back(name, old)
            except DBError as error:
                problems.append(error)
        if problems:
            raise DBError("; ".join(map(str, problems))) from problems[0]
        self._close()
        self._folder.remove(JOURNAL)

    def release(self) -> None:
        self._close()
        self._folder.give_back()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def committed(self) -> bool:
        return self.wrote and not os.path.lexists(self._journal)

    # several stores

    def address(self) -> Address:
        return Address("yml", self._folder.path)

    def prepare(self, unit: str, decider: Address) -> None:
        seen = decider.seen_from(self._folder.path)
        self._append({"prepared": unit, "decider": seen})

    def decide(self, unit: str, others: Sequence[Address]) -> None:
        seen = [other.seen_from(self._folder.path) for other in others]
        self._append({"decides": unit, "others": seen})
        record = record_of(self._folder.path, unit)
        self._end_journal(lambda: self._journal.rename(record))

    def forget(self, unit: str) -> None:
        self._folder.remove(record_of(self._folder.path, unit).name)

    # the journal

    def _append(self, entry: dict[str, Any]) -> None:
        with translated(self._journal):
            first = self._descriptor is None
            if self._descriptor is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                self._descriptor = os.open(self._journal, flags, 0o600)
            end = os.lseek(self._descriptor, 0, os.SEEK_END)
            try:
                _write(self._descriptor, journal_line(entry))
                os.fsync(self._descriptor)
            except BaseException:
                # What follows half a line would not be read.
                os.ftruncate(self._descriptor, end)
                raise
        if first:
            self._folder.sync()

    def _end_journal(self, end: Callable[[], object]) -> None:
        # Windows removes and renames no file that is open.
        self._close()
        with translated(self._journal):
            end()
        try:
            self._folder.sync()
        except DBError:
            # It is committed; only a power cut could still undo it.
            _log.exception("%s: committed, but perhaps not for good", self.place)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _written(old: _Old) -> dict[str, Any]:
    if old is None:
        return {"old": None}
    return {"old": base64.b64encode(old[0]).decode("ascii"), "mode": old[1]}


def _read(entry: dict[str, Any]) -> _Old:
    if entry["old"] is None:
        return None
    return base64.b64decode(entry["old"]), entry["mode"]


# -- what was left behind ----------------------------------------------------------


@contextmanager
def locked(folder: Folder, timeout: float = PATIENCE) -> Iterator[None]:
    """The turn to write one file, when what killed processes left is mended.

    :raises ConflictError: others were writing for ``timeout`` seconds.
    """
    _take(folder, threading.get_ident(), timeout)
    try:
        yield
    finally:
        folder.give_back()


def _take(folder: Folder, owner: object, timeout: float) -> None:
    folder.take(owner, timeout)
    try:
        _mend(folder)
    except BaseException:
        folder.give_back()
        raise


def mend_now(folder: Folder) -> None:
    """Undo or finish what a killed process left; nothing if a living one is writing."""
    with suppress(ConflictError), locked(folder, 0.0):
        pass


def tidy(folder: Folder) -> None:
    """Remove the file that a killed process was writing, and forget the decided units
    whose other parts were finished by others."""
    if os.path.lexists(folder.path / ".new"):
        # Who may only read there leaves it.
        with suppress(DBError):
            mend_now(folder)
    for record in folder.path.glob(".decided-*"):
        drop_record(record)


def _mend(folder: Folder) -> None:
    """Undo or finish what a process that is gone has left; for who has the lock."""
    if not os.path.lexists(folder.path / JOURNAL):
        return
    entries = read_journal(folder.path / JOURNAL)
    prepared = next((one for one in entries if "prepared" in one), None)
    decider = decided = None
    if prepared is not None:
        decider = Address.read(prepared["decider"], folder.path)
        decided = is_decided(decider, prepared["prepared"], gone=True)
    if not decided:
        for entry in entries:
            if "file" in entry:
                folder.put_back(os.path.basename(entry["file"]), _read(entry))  # noqa: PTH119
    folder.remove(JOURNAL)
    end = "finished" if decided else "undone"
    _log.warning("%s: a transaction that was cut short was %s", folder.place, end)
    if prepared is not None and decider is not None and decided:
        acknowledge(decider, prepared["prepared"], Address("yml", folder.path))
