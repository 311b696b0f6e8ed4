"""The journal of a migration: what is to be changed, and what of it has been.

It is an SQLite file. One that is to outlast its process is a part of each unit of work
that migrates documents, so that a document is migrated if and only if the journal says
so. It never decides for the other stores, so that they do not need it afterwards.
"""

import dataclasses
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from backo.connectors.file_lock import opened, try_lock, unlock
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.sqlite_file import create_table, translated
from backo.connectors.sqlite_transactions import SqliteTransaction
from backo.connectors.store import Store
from backo.errors import ConflictError, DBError
from backo.transaction import unit_of_work

__all__ = ["Journal", "Outcome", "Planned", "Rewritten", "opened_journal"]

_PAGE = 200
_COMMITTED = 1000
"""Documents after which what was planned so far is written to the file."""
_LAST = 1000
"""The rank of a store that never decides."""

_TABLES = (
    "CREATE TABLE backo_migration (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE planned (number INTEGER PRIMARY KEY, id TEXT NOT NULL,"
    " before TEXT, after TEXT)",
    "CREATE INDEX planned_ids ON planned (id)",
    create_table("done"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A document as it is and as it is to be, as JSON texts."""

    number: int
    _id: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a document that was no longer as planned: it was ``before`` and is
    ``after``; it stayed as it was (no ``after``); it is gone (neither)."""

    number: int
    before: str | None
    after: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a document is changed."""

    number: int
    _id: str
    changed: bool


class Journal:
    """What one migration changes."""

    def __init__(self, path: Path, *, lasting: bool) -> None:
        self.path = path
        self.lasting = lasting
        """Whether it outlasts the process."""
        self.resumed = False
        """Whether another process has planned it."""
        self._marks = _Marks(path=path, table="done")
        self._connection = _connected(path)
        if not lasting:
            self._run("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Give back the connections to the file."""
        self._marks.close()
        self._connection.close()

    def remove(self) -> None:
        """Delete the file: all is done, or nothing."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated():
            return self._connection.execute(sql, values).fetchall()

    # planning

    def resume(self, what: Mapping[str, str]) -> bool:
        """Whether the migration of ``what`` has been planned here, and is to be
        finished.

        :raises ConflictError: the journal is of another one.
        """
        known = _told(self._connection)
        other = {key: known.get(key) for key in what if known.get(key) != what[key]}
        if known and other:
            told = ", ".join(f"{key} {value}" for key, value in other.items())
            raise ConflictError(f"{self.path}: is of another migration: {told}")
        self.resumed = "planned" in known
        if self.resumed:
            # What a killed process has left there is settled before it is read.
            with unit_of_work(stores=[self._marks]):
                pass
        return self.resumed

    def begin(self, what: Mapping[str, str]) -> None:
        """Begin anew to plan the migration of ``what``."""
        self._run("BEGIN IMMEDIATE")
        for (name,) in self._run("SELECT name FROM sqlite_master WHERE type = 'table'"):
            self._run(f'DROP TABLE "{name}"')
        for sql in _TABLES:
            self._run(sql)
        self._tell(what)
        self._run("COMMIT")
        self._run("BEGIN IMMEDIATE")

    def add(
        self, _id: str, before: str | None = None, after: str | None = None
    ) -> None:
        """Plan one document more; without texts it stays as it is."""
        sql = (
            "INSERT INTO planned (id, before, after) VALUES (?, ?, ?) RETURNING number"
        )
        [(number,)] = self._run(sql, (_id, before, after))
        if number % _COMMITTED == 0:
            self._run("COMMIT")
            self._run("BEGIN IMMEDIATE")

    def becoming(self, _id: str) -> str | None:
        """What was planned for that document; None: it stays as it is."""
        rows = self._run("SELECT after FROM planned WHERE id = ?", (_id,))
        return rows[0][0] if rows else None

    def planned(self) -> None:
        """Everything is planned: from now on it is to be carried out."""
        self._tell({"planned": "yes"})
        self._run("COMMIT")

    def _tell(self, values: Mapping[str, str]) -> None:
        for pair in values.items():
            self._run("INSERT INTO backo_migration VALUES (?, ?)", pair)

    # carrying out

    @property
    def stores(self) -> list[DBSqliteConnector]:
        """What is a part of each unit of work that migrates."""
        return [self._marks] if self.lasting else []

    def waiting(self) -> Iterator[Planned]:
        """What is still to be changed, in the order it was planned."""
        done, last = self._done(), 0
        sql = (
            "SELECT number, id, before, after FROM planned"
            " WHERE number > ? AND after IS NOT NULL ORDER BY number LIMIT ?"
        )
        while rows := self._run(sql, (last, _PAGE)):
            yield from (Planned(*row) for row in rows if row[0] not in done)
            last = rows[-1][0]

    def left(self) -> int:
        """How many :meth:`waiting` gives."""
        sql = "SELECT count(*) FROM planned WHERE after IS NOT NULL"
        return int(self._run(sql)[0][0]) - len(self._done())

    def note(self, done: Iterable[int], rewritten: Iterable[Rewritten]) -> None:
        """These documents are done; some of them otherwise than planned."""
        others = [(one.number, one.before, one.after) for one in rewritten]
        entry = {"done": list(done), "rewritten": others}
        if self.lasting:
            Store(self._marks).create(entry)
        else:
            sql = "INSERT INTO done SELECT count(*), ? FROM done"
            self._run(sql, (json.dumps(entry),))

    def _noted(self, key: str) -> Iterator[Any]:
        for (text,) in self._run("SELECT document FROM done"):
            yield from json.loads(text)[key]

    def _done(self) -> set[int]:
        return set(self._noted("done"))

    # telling

    def outcomes(self, *, carried_out: bool) -> Iterator[Outcome]:
        """What was planned, in this order; with ``carried_out`` what became of it, as
        far as it is done."""
        done, others = self._done(), self._rewritten()
        sql = "SELECT number, id, after IS NOT NULL FROM planned ORDER BY number"
        for number, _id, changed in self._connection.execute(sql):
            one = others.get(number)
            if one is not None and one.after is None:
                if one.before is not None:
                    yield Outcome(number, _id, changed=False)
            elif not changed or number in done or not carried_out:
                yield Outcome(number, _id, changed=bool(changed))

    def texts(self, numbers: Iterable[int]) -> Iterator[tuple[str, str]]:
        """What each of these changed documents was, and what it became."""
        others = self._rewritten()
        sql = "SELECT before, after FROM planned WHERE number = ?"
        for number in numbers:
            one = others.get(number)
            if one is not None and one.before is not None and one.after is not None:
                yield one.before, one.after
            else:
                [(before, after)] = self._run(sql, (number,))
                yield before, after

    def _rewritten(self) -> dict[int, Rewritten]:
        return {one[0]: Rewritten(*one) for one in self._noted("rewritten")}


class _Marks(DBSqliteConnector):
    """What is done. It must not decide for the stores of the documents: its file is
    removed in the end."""

    def begin(self, timeout: float) -> SqliteTransaction:
        transaction = super().begin(timeout)
        transaction.rank = _LAST
        return transaction


# -- the file ----------------------------------------------------------------------


@contextmanager
def opened_journal(path: str | os.PathLike[str] | None) -> Iterator[Journal]:
    """The journal in that file, for this process alone; None: in one that is removed
    afterwards.

    :raises ConflictError: another process uses it, or it is no journal.
    :raises DBError: there can be no such file.
    """
    if path is None:
        with tempfile.TemporaryDirectory(prefix="backo-") as folder:
            file = Path(folder, "journal")
            with closing(Journal(file, lasting=False)) as journal:
                yield journal
        return
    file = Path(path).absolute()
    with _alone(file):
        _check(file)
        if not file.exists():
            with translated():
                # It will hold what other people may not read.
                os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(Journal(file, lasting=True)) as journal:
            yield journal


def _connected(path: Path) -> sqlite3.Connection:
    with translated():
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        return connection


def _told(connection: sqlite3.Connection) -> dict[str, str]:
    """What the journal says about itself; nothing when it is new."""
    with translated():
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        if not tables:
            return {}
        return dict(connection.execute("SELECT key, value FROM backo_migration"))


def _check(path: Path) -> None:
    """Pass if a journal can be, or is, in that file, which is left as it is.

    :raises ConflictError: it is something else.
    """
    if not path.exists():
        return
    uri = f"{path.as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            _told(connection)
    except (sqlite3.Error, DBError) as error:
        raise ConflictError(f"{path}: is no journal of a migration") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process, or thread, has the journal.

    :raises ConflictError: one has it.
    """
    lock = path.with_name(f"{path.name}.lock")
    with translated():
        descriptor = _locked(lock)
    try:
        yield
    finally:
        # Before it is given back: who has opened it by then sees that it is gone.
        with suppress(OSError):
            lock.unlink()
        with suppress(OSError):
            unlock(descriptor)
        os.close(descriptor)


def _locked(lock: Path) -> int:
    while True:
        descriptor = opened(lock)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise ConflictError(f"{lock}: the journal is in use by another migration")
        if _is_at(descriptor, lock):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
