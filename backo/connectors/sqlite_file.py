"""The connections to an SQLite file, shared by the connectors of its tables."""

# ruff: noqa: S608
# Table names are validated or our own, values are bound.

import os
import random
import sqlite3
import threading
import time
import weakref
from pathlib import Path

from backo.connectors.sqlite_functions import FUNCTIONS
from backo.connectors.transactions import Turn
from backo.errors import ConflictError, DBError

__all__ = [
    "LEVELS",
    "Holder",
    "SqliteFile",
    "begin",
    "create_table",
    "shared",
    "translated",
]

LEVELS = ("OFF", "NORMAL", "FULL", "EXTRA")
"""SQLite's ``synchronous``, weakest first."""

_POLL = 0.002
"""Seconds between two tries for a lock that another process holds, on average."""


class Holder:
    """A connection, closed with the thread or file it belongs to."""

    # Kept here because modules are gone when the interpreter ends.
    getpid = staticmethod(os.getpid)

    def __init__(self, connection: sqlite3.Connection, *, patient: bool) -> None:
        self.connection = connection
        self.patient = patient
        """Whether SQLite waits for locks."""
        self.pid = self.getpid()
        self.settings: tuple[int, float] | None = None
        self.mended = False
        """Whether it was looked for what killed processes have left in the file."""
        self.tables: set[str] = set()
        """Those known to be there."""
        self.odd: dict[tuple[str, str], tuple[tuple[int, int], bool]] = {}
        """By table and expression: the state of the file, and whether it then held an
        odd document."""

    def close(self) -> None:
        # A connection made before a fork belongs to the parent.
        if self.pid == self.getpid():
            self.connection.close()

    def __del__(self) -> None:
        self.close()

    def ensure(self, table: str) -> None:
        """Make the table unless it is there."""
        if table not in self.tables:
            self.connection.execute(create_table(table))
            self.tables.add(table)

    def doubt(self) -> None:
        """Forget what was learnt about the file: it may have been undone."""
        self.tables.clear()
        self.odd.clear()


_inherited: list[Holder] = []
"""Connections of the parent process: kept, because closing them would harm it."""


class SqliteFile:
    """A file: a connection per thread, and one more for the unit that writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = f"sqlite:{path}"
        self.turn = Turn()
        """Whose unit it is to write, in this process."""
        self.to_forget: list[str] = []
        """Units decided here after which nobody will ask; for who has the turn."""
        self._users: weakref.WeakKeyDictionary[object, tuple[int, float]]
        self._users = weakref.WeakKeyDictionary()
        self._settings = (0, 0.0)
        self._local = threading.local()
        self._open: weakref.WeakSet[Holder] = weakref.WeakSet()
        self._writer: Holder | None = None

    # users

    def use(self, user: object, level: str, timeout: float) -> None:
        """``user`` is a connector to the file: the strongest level and the longest
        timeout of all are used."""
        self._users[user] = (LEVELS.index(level), timeout)
        self._choose()

    def leave(self, user: object) -> None:
        """``user`` is none any more; after the last one all connections are closed."""
        self._users.pop(user, None)
        self._choose()
        if self._users:
            return
        for holder in list(self._open):
            holder.close()
        self._open = weakref.WeakSet()
        self._local = threading.local()
        if self.turn.acquire(self, 0):
            self.close_unused()
            self.turn.release()

    def close_unused(self) -> None:
        """Close the units' connection if there are no users; for who has the turn."""
        if not self._users and self._writer is not None:
            self._writer.close()
            self._writer = None

    def _choose(self) -> None:
        # A new tuple each time: connections see by its identity that it changed.
        wanted = list(self._users.values()) or [(0, 0.0)]
        self._settings = (max(one for one, _ in wanted), max(one for _, one in wanted))

    # connections

    def holder(self) -> Holder:
        """The connection of this thread."""
        holder: Holder | None = getattr(self._local, "holder", None)
        if holder is None or holder.pid != os.getpid():
            if holder is not None:
                _inherited.append(holder)
            holder = self._opened(patient=True)
            self._local.holder = holder
            self._open.add(holder)
        self._adjust(holder)
        return holder

    def writer(self) -> Holder:
        """The connection of units, for the one whose turn it is."""
        holder = self._writer
        if holder is None or holder.pid != os.getpid():
            if holder is not None:
                _inherited.append(holder)
            holder = self._writer = self._opened(patient=False)
        self._adjust(holder)
        return holder

    def _adjust(self, holder: Holder) -> None:
        if holder.settings is self._settings:
            return
        settings = self._settings
        level, timeout = settings
        wait = int(timeout * 1000) if holder.patient else 0
        holder.connection.execute(f"PRAGMA synchronous = {LEVELS[level]}")
        holder.connection.execute(f"PRAGMA busy_timeout = {wait}")
        holder.settings = settings

    def _opened(self, *, patient: bool) -> Holder:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=self._settings[1],
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            for name, (arity, function) in FUNCTIONS.items():
                connection.create_function(name, arity, function, deterministic=True)
            connection.execute("PRAGMA trusted_schema = ON")
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
        return Holder(connection, patient=patient)


# -- the lock of all processes -----------------------------------------------------


def begin(connection: sqlite3.Connection, timeout: float) -> None:
    """Begin a transaction that may write.

    :raises ConflictError: others were writing for ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not _begun(connection):
        # SQLite itself would wait for up to 0.1 s between two tries, and so come too
        # late again and again where many are writing.
        if time.monotonic() >= deadline:
            raise ConflictError("others are writing to the SQLite file")
        time.sleep(random.uniform(0, 2 * _POLL))  # noqa: S311


def _begun(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def create_table(name: str) -> str:
    """The statement that makes the table of a collection, if it is not there."""
    return (
        f'CREATE TABLE IF NOT EXISTS "{name}" (id TEXT PRIMARY KEY NOT NULL,'
        " document TEXT NOT NULL CHECK (json_valid(document)))"
    )


class _Translation:
    """Has no state, so that one serves all; a generator would take longer than many a
    statement."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, _TRANSLATED):
            raise DBError(f"SQLite: {error}") from error


_TRANSLATED = (sqlite3.Error, OSError, OverflowError, UnicodeError)
_TRANSLATION = _Translation()


def translated() -> _Translation:
    """SQLite's errors, and those of its folder, as :class:`DBError`."""
    return _TRANSLATION


# -- the files in use --------------------------------------------------------------

_files: weakref.WeakValueDictionary[Path, SqliteFile] = weakref.WeakValueDictionary()
_finding = threading.Lock()


def _new_lock() -> None:
    global _finding
    _finding = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def shared(path: Path) -> SqliteFile:
    """The one object for the file of this path, however it is written."""
    resolved = path.resolve()
    with _finding:
        found = _files.get(resolved)
        if found is None:
            found = _files[resolved] = SqliteFile(resolved)
        return found
