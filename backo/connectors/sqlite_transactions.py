"""Transactions of an SQLite file, and what one that was killed has left there."""

# ruff: noqa: S608
# Table names are validated or our own, values are bound.

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from backo.connectors.decisions import (
    DECIDED,
    PREPARED,
    Address,
    acknowledge,
    is_decided,
    is_prepared,
)
from backo.connectors.recorded import restored
from backo.connectors.sqlite_file import (
    Holder,
    SqliteFile,
    begin,
    create_table,
    translated,
)
from backo.connectors.texts import decode_document, encode_document
from backo.connectors.transactions import OUT_OF_ORDER, DurableTransaction
from backo.errors import ConflictError, DBError
from backo.log import log_system

__all__ = ["SqliteTransaction", "mend", "mend_first", "open_transaction"]

_log = log_system.get_or_create_logger("transaction")

type _Act = Callable[[sqlite3.Connection, str], None]

_BRIEF = 0.5
"""Seconds to wait with other locks held, where only single writes can be in the way,
and for what can also be done later."""

_MAKE_DECIDED = (
    f"CREATE TABLE IF NOT EXISTS {DECIDED}"
    " (unit TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (unit, other))"
)
_MAKE_PREPARED = (
    f"CREATE TABLE IF NOT EXISTS {PREPARED} (unit TEXT NOT NULL, decider TEXT NOT NULL,"
    " name TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT)"
)


def open_transaction(file: SqliteFile, timeout: float) -> "SqliteTransaction":
    """Begin to write, when what killed processes left there is mended.

    :raises ConflictError: others were writing for ``timeout`` seconds.
    """
    while True:
        transaction = SqliteTransaction(file, timeout)
        try:
            with translated():
                connection = transaction.holder.connection
                begin(connection, timeout)
                if not _pending(connection):
                    return transaction
                connection.execute("ROLLBACK")
        except BaseException:
            transaction.release()
            raise
        # Without any lock: the process that left it may be waiting for this one.
        transaction.release()
        with translated():
            mend(file, file.holder(), timeout)


class SqliteTransaction(DurableTransaction):
    """A real one, shared by all tables of the file and usable from any thread.

    As the second of a unit over several stores it is committed before the unit is
    decided. Then what undoes it stands in a table of its own.
    """

    def __init__(self, file: SqliteFile, timeout: float) -> None:
        super().__init__(file.place)
        self._file = file
        if not file.turn.acquire(self, timeout):
            raise ConflictError(f"{file.path}: another transaction is writing there")
        try:
            with translated():
                self.holder = file.writer()
        except BaseException:
            file.turn.release()
            raise
        self._marks = 0
        self._committed = False
        self._unit: str | None = None
        self._touched: dict[tuple[str, str | None], None] = {}

    def open_holder(self) -> Holder:
        """The connection, while the transaction is open.

        :raises DBError: SQLite has ended it (the disk was full, for example).
        """
        if not self.holder.connection.in_transaction:
            raise DBError("SQLite has undone the transaction")
        return self.holder

    @property
    def connection(self) -> sqlite3.Connection:
        """That of ``open_holder``."""
        return self.open_holder().connection

    def touch(self, table: str, _id: str | None) -> None:
        """Note that the document is being written, or with None all of the table."""
        self._touched[table, _id] = None

    @property
    def wrote(self) -> bool:
        return bool(self._touched)

    # parts

    def mark(self) -> str:
        self._marks += 1
        name = f"backo_{self._marks}"
        self._run(f"SAVEPOINT {name}")
        return name

    def go_back(self, mark: str) -> None:
        self._run(f"ROLLBACK TO {mark}")
        self.holder.doubt()

    def keep(self, mark: str) -> None:
        self._run(f"RELEASE {mark}")

    # the end

    def commit(self) -> None:
        if self._unit is not None:
            self._settle(_finish)
        else:
            self._commit()

    def rollback(self) -> None:
        self.holder.doubt()
        if self.holder.connection.in_transaction:
            with translated():
                self.holder.connection.execute("ROLLBACK")
        else:
            self._settle(_undo)

    def release(self) -> None:
        # Whatever has gone wrong, the connection is not left in a transaction.
        try:
            if self.holder.connection.in_transaction:
                self.rollback()
        finally:
            self._file.close_unused()
            self._file.turn.release()

    @property
    def committed(self) -> bool:
        return self._committed

    def _commit(self) -> None:
        try:
            self._run("COMMIT")
        finally:
            # An interrupt may come after it.
            self._committed = not self.holder.connection.in_transaction

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with translated():
            return self.connection.execute(sql, values).fetchall()

    # several stores

    def address(self) -> Address:
        return Address("sqlite", self._file.path)

    def prepare(self, unit: str, decider: Address) -> None:
        seen = json.dumps(decider.seen_from(self._file.path.parent))
        before, after = self._texts(self._file.holder()), self._texts(self.holder)
        rows = [
            (unit, seen, *key, before.get(key), after.get(key))
            for key in before | after
            if before.get(key) != after.get(key)
        ]
        self._run(_MAKE_PREPARED)
        with translated():
            insert = f"INSERT INTO {PREPARED} VALUES (?, ?, ?, ?, ?, ?)"
            self.connection.executemany(insert, rows)
        self._unit = unit
        self._commit()

    def decide(self, unit: str, others: Sequence[Address]) -> None:
        self._run(_MAKE_DECIDED)
        for other in others:
            seen = json.dumps(other.seen_from(self._file.path.parent))
            self._run(f"INSERT INTO {DECIDED} VALUES (?, ?)", (unit, seen))
        with translated():
            _forget(self._file, self.connection)
        self._commit()

    def forget(self, unit: str) -> None:
        # Others may have begun here. What is left is forgotten with the next unit.
        self._file.to_forget.append(unit)
        with translated(), suppress(ConflictError):
            begin(self.holder.connection, _BRIEF)
            _forget(self._file, self.holder.connection)
            self.holder.connection.execute("COMMIT")

    def _texts(self, holder: Holder) -> dict[tuple[str, str], str]:
        """The touched documents, as this connection sees them."""
        found = {}
        with translated():
            for table, _id in self._touched:
                if not _exists(holder.connection, table):
                    continue
                sql = f'SELECT id, document FROM "{table}"'
                where, values = ("", ()) if _id is None else (" WHERE id = ?", (_id,))
                for one, text in holder.connection.execute(sql + where, values):
                    found[table, one] = text
        return found

    def _settle(self, act: _Act) -> None:
        unit, self._unit = self._unit, None
        if unit is None:
            return
        self.holder.doubt()
        with translated():
            try:
                _settle(self.holder.connection, unit, act, _BRIEF)
            except ConflictError:
                # A unit that could begin here in between has done it first.
                if unit in dict(_pending(self.holder.connection)):
                    raise


# -- what was left behind ----------------------------------------------------------


def mend(file: SqliteFile, holder: Holder, timeout: float) -> None:
    """Finish or undo what units have prepared here and did not end.

    :raises ConflictError: the process of one of them is still about to.
    """
    # The caller may hold what the decider's next owner waits for.
    timeout = min(timeout, OUT_OF_ORDER)
    base = file.path.parent
    for unit, seen in _pending(holder.connection):
        decider = Address.read(json.loads(seen), base)
        decided = is_decided(decider, unit, gone=False, timeout=timeout)
        act = _finish if decided else _undo
        _settle(holder.connection, unit, act, timeout)
        holder.doubt()
        end = "finished" if decided else "undone"
        _log.warning("%s: a transaction that was cut short was %s", file.place, end)
        if decided:
            acknowledge(decider, unit, Address("sqlite", file.path))


def mend_first(file: SqliteFile, holder: Holder) -> None:
    """What is to be done with a new connection; never waits for other processes."""
    holder.mended = True
    with suppress(ConflictError):
        mend(file, holder, 0.0)
        _tidy(file, holder)


def _tidy(file: SqliteFile, holder: Holder) -> None:
    """Forget the decided units whose other parts were finished by others."""
    if not _exists(holder.connection, DECIDED):
        return
    for unit, seen in holder.connection.execute(f"SELECT * FROM {DECIDED}").fetchall():
        other = Address.read(json.loads(seen), file.path.parent)
        if other.path.exists() and not is_prepared(other, unit):
            sql = f"DELETE FROM {DECIDED} WHERE unit = ? AND other = ?"
            holder.connection.execute(sql, (unit, seen))


def _forget(file: SqliteFile, connection: sqlite3.Connection) -> None:
    while file.to_forget:
        sql = f"DELETE FROM {DECIDED} WHERE unit = ?"
        connection.execute(sql, (file.to_forget[0],))
        del file.to_forget[0]


def _pending(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    if not _exists(connection, PREPARED):
        return []
    sql = f"SELECT DISTINCT unit, decider FROM {PREPARED}"
    return connection.execute(sql).fetchall()


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
    return connection.execute(sql, (table,)).fetchone() is not None


def _settle(
    connection: sqlite3.Connection,
    unit: str,
    act: _Act,
    timeout: float,
) -> None:
    """Do it once, whoever else is trying to."""
    begin(connection, timeout)
    try:
        connection.execute(_MAKE_PREPARED)
        act(connection, unit)
        connection.execute(f"DELETE FROM {PREPARED} WHERE unit = ?", (unit,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _finish(connection: sqlite3.Connection, unit: str) -> None:
    """What undoes it is all there is to remove."""


def _undo(connection: sqlite3.Connection, unit: str) -> None:
    sql = f"SELECT name, id, before, after FROM {PREPARED} WHERE unit = ?"
    for name, _id, before, after in connection.execute(sql, (unit,)).fetchall():
        connection.execute(create_table(name))
        sql = f'SELECT document FROM "{name}" WHERE id = ?'
        row = connection.execute(sql, (_id,)).fetchone()
        text = _without(_id, before, after, row[0] if row else None)
        connection.execute(f'DELETE FROM "{name}" WHERE id = ?', (_id,))
        if text is not None:
            connection.execute(f'INSERT INTO "{name}" VALUES (?, ?)', (_id, text))


def _without(
    _id: str, before: str | None, after: str | None, current: str | None
) -> str | None:
    """The document as it is without the change; others may have changed it since."""
    if current == after or before is None:
        return before
    if after is None or current is None:
        return current
    texts = (before, after, current)
    return encode_document(_id, restored(*map(decode_document, texts)))
