"""The embedded store for real work: JSON documents in a table of an SQLite file."""

# ruff: noqa: S608
# Table names are validated, expressions come from the modules beside, values are bound.

import hashlib
import json
import os
import re
import sqlite3
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from backo.connectors.base import Capabilities, Query
from backo.connectors.embedded import EmbeddedConnector
from backo.connectors.sqlite_columns import (
    index_expression,
    json_path,
    nameable,
    odd_expression,
)
from backo.connectors.sqlite_file import (
    LEVELS,
    Holder,
    SqliteFile,
    shared,
    translated,
)
from backo.connectors.sqlite_pushing import is_small, pushable, sortable
from backo.connectors.sqlite_query import Translator
from backo.connectors.sqlite_transactions import (
    SqliteTransaction,
    mend,
    mend_first,
    open_transaction,
)
from backo.connectors.texts import (
    Document,
    decode_document,
    encode_document,
    encode_replacement,
    not_found,
    same_document,
)
from backo.errors import DBError, DuplicateIdError, PathNotFoundError
from backo.query.filter import Always, Condition, Element, Filter, SortKey, texts_at
from backo.schema.plan import ItemPlan

__all__ = ["DBSqliteConnector"]

_TABLE_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")
_TAKEN = ("sqlite_", "backo_units_")


_bound: weakref.WeakSet["DBSqliteConnector"] = weakref.WeakSet()
"""The connectors of this process whose indexes are to stay."""


class DBSqliteConnector(EmbeddedConnector):
    """Items as JSON documents in one table; filters, sorts and pages run as SQL.

    ``path`` is the file (made with its folder on demand), ``table`` the table, so that
    several collections may share one file. ``indexes=["$.title"]`` names the fields to
    index; the indexes are made when the collection is registered, and those go which no
    connector of this process names. Without ``indexes`` none goes. Those of datetimes
    and IP addresses use functions of backo, so that other programs can read the table
    but not write to it. ``synchronous`` is SQLite's pragma: with ``FULL`` what was
    saved survives a power cut. ``timeout`` is how many seconds to wait for a lock.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        filters=True,
        sort=True,
        page=True,
        count=True,
        compare_and_set=True,
        json=True,
    )

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        table: str = "items",
        indexes: Iterable[str] | None = None,
        synchronous: str = "FULL",
        timeout: float = 10.0,
        **kwargs: Any,
    ) -> None:
        if str(path) in ("", ":memory:"):
            raise DBError("path must name a file; in memory use DBMemoryConnector")
        if not _TABLE_NAME.fullmatch(table) or table.lower().startswith(_TAKEN):
            raise DBError(f"{table!r} is no table name: letters, digits and _ only")
        if synchronous.upper() not in LEVELS:
            raise DBError(f"synchronous is one of {', '.join(LEVELS)}")
        self.path = Path(path)
        self.table = table
        self._name = f'"{table}"'
        self.indexes = None if indexes is None else tuple(indexes)
        self._synchronous = synchronous.upper()
        self._timeout = timeout
        self._file: SqliteFile | None = None
        self._indexed: frozenset[tuple[str, ...]] = frozenset()
        self._names: frozenset[str] = frozenset()
        self._odd = odd_expression(())
        self._translator = Translator()
        self._careful = Translator(careful=True)
        super().__init__(**kwargs)

    def place(self) -> object:
        # SQLite takes names for the same whatever their case.
        return self.path.resolve(), self.table.lower()

    # one document

    def create(self, o: Document) -> str:
        _id = self.id_for(o)
        text = encode_document(_id, o)
        try:
            self._write(_id, f"INSERT INTO {self._name} VALUES (?, ?)", _id, text)
        except DBError as error:
            if _is_duplicate(error.__cause__):
                raise DuplicateIdError(f"_id {_id!r:.100} is already there") from error
            raise
        return _id

    def get_json(self, _id: str) -> str:
        sql = f"SELECT document FROM {self._name} WHERE id = ?"
        rows = self._run(sql, (_id,)) if _is_text(_id) else []
        if not rows:
            raise not_found(_id)
        text: str = rows[0][0]
        return text

    def get_by_id(self, _id: str) -> Document:
        return decode_document(DBSqliteConnector.get_json(self, _id))

    def save(self, _id: str, o: Document) -> None:
        text = encode_replacement(_id, o)
        self._change(f"UPDATE {self._name} SET document = ? WHERE id = ?", text, _id)

    def delete_by_id(self, _id: str) -> bool:
        self._change(f"DELETE FROM {self._name} WHERE id = ?", _id)
        return True

    def _change(self, sql: str, *values: str) -> None:
        _id = values[-1]
        if not _is_text(_id) or not self._write(_id, f"{sql} RETURNING 1", *values):
            raise not_found(_id)

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        sql = f"UPDATE {self._name} SET document = ? WHERE id = ? AND document = ?"
        return self._if_same(sql, (encode_replacement(_id, new),), _id, expected)

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        sql = f"DELETE FROM {self._name} WHERE id = ? AND document = ?"
        return self._if_same(sql, (), _id, expected)

    def _if_same(
        self, sql: str, values: tuple[str, ...], _id: str, expected: Document
    ) -> bool:
        """Run ``sql`` if the document still is ``expected``, in whatever spelling."""
        text = encode_replacement(_id, expected)
        while not self._write(_id, f"{sql} RETURNING 1", *values, _id, text):
            current = DBSqliteConnector.get_json(self, _id)
            if not same_document(decode_document(current), decode_document(text)):
                return False
            text = current
        return True

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        wanted = [_id for _id in dict.fromkeys(ids) if _is_text(_id)]
        # json_each would cut an id at its U+0000.
        if any("\0" in _id for _id in wanted):
            return super().get_many(wanted)
        sql = (
            f"SELECT document FROM {self._name}"
            " WHERE id IN (SELECT value FROM json_each(?))"
        )
        rows = self._run(sql, (json.dumps(wanted),))
        found = {one["_id"]: one for one in map(decode_document, _firsts(rows))}
        return [found[_id] for _id in wanted if _id in found]

    def drop(self) -> None:
        self._write(None, f"DELETE FROM {self._name}")

    # many documents

    def can_push(self, leaf: Condition | Element) -> bool:
        return pushable(leaf)

    def can_sort(self, key: SortKey) -> bool:
        return sortable(key)

    def accepts(self, tree: Filter) -> bool:
        return is_small(tree)

    def find_pushed(self, query: Query) -> list[Document]:
        return [decode_document(text) for text in self._texts(query)]

    def find_json(self, query: Query) -> list[str]:
        """The JSON texts of a query's documents, as they are stored where possible."""
        pushed, residual = self.split(query.filter)
        if not self.answers(query, residual):
            return super().find_json(query)
        return self._texts(Query(pushed, query.sort, query.skip, query.limit))

    def find_values(self, tree: Filter, path: tuple[str, ...]) -> list[str]:
        pushed, residual = self.split(tree)
        if not isinstance(residual, Always) or not nameable(path[:1]):
            return super().find_values(tree, path)
        where, values = self._where(self._translation(Query(pushed)), pushed)
        if path == ("_id",):
            return _firsts(self._run(f"SELECT id FROM {self._name}{where}", values))
        part = f"document -> {json_path(path[:1])}"
        rows = self._run(f"SELECT {part} FROM {self._name}{where}", values)
        found = [{path[0]: json.loads(text)} for text in _firsts(rows) if text]
        return list(
            dict.fromkeys(one for each in found for one in texts_at(each, path))
        )

    def _texts(self, query: Query) -> list[str]:
        translator = self._translation(query)
        where, values = self._where(translator, query.filter)
        sql = (
            f"SELECT document FROM {self._name}{where}"
            f" ORDER BY {translator.order_by(query.sort)} LIMIT ? OFFSET ?"
        )
        return _firsts(self._run(sql, (*values, query.limit or -1, query.skip)))

    def count_pushed(self, tree: Filter) -> int:
        where, values = self._where(self._translation(Query(tree)), tree)
        sql = f"SELECT count(*) FROM {self._name}{where}"
        return int(self._run(sql, values)[0][0])

    def _where(
        self, translator: Translator, tree: Filter
    ) -> tuple[str, tuple[Any, ...]]:
        if isinstance(tree, Always):
            return "", ()
        condition = translator.where(tree)
        return f" WHERE {condition.text}", condition.values

    def _translation(self, query: Query) -> Translator:
        if isinstance(query.filter, Always) and not query.sort:
            return self._translator
        return self._careful if self._has_odd() else self._translator

    def _has_odd(self) -> bool:
        """Whether some document needs the careful way; asked again when the file has
        changed."""
        with translated():
            holder = self._holder()
            connection = holder.connection
            # Other connections' changes, then this one's.
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            state = (version, connection.total_changes)
            then, odd = holder.odd.get((self._name, self._odd), (None, False))
            if then != state:
                sql = f"SELECT 1 FROM {self._name} WHERE {self._odd} LIMIT 1"
                odd = connection.execute(sql).fetchone() is not None
                holder.odd[self._name, self._odd] = (state, odd)
            return odd

    # indexes

    def bind(self, plan: ItemPlan) -> None:
        """Take the plan and make the indexes.

        :raises PathNotFoundError: an index names no field that can be indexed.
        """
        super().bind(plan)
        wanted = [self._index(plan, dotted) for dotted in self.indexes or ()]
        self._indexed = frozenset(path for path, _ in wanted)
        self._odd = odd_expression(sorted(self._indexed))
        self._translator = Translator(self._indexed)
        self._make_indexes(
            [
                *(f"({expression}, id)" for _, expression in wanted),
                f"(id) WHERE {self._odd}",
            ]
        )

    def _index(self, plan: ItemPlan, dotted: str) -> tuple[tuple[str, ...], str]:
        found = plan.locate(dotted)
        if found is None:
            raise PathNotFoundError(f"no field {dotted} to index in {plan.name}")
        path = tuple(step.name for step in found.trail)
        expression = None
        if not found.many:
            expression = index_expression(path, found.field.kind)
        if expression is None:
            raise PathNotFoundError(f"{dotted} of {plan.name} cannot be indexed")
        return path, expression

    def _make_indexes(self, definitions: list[str]) -> None:
        """Each index is named after its definition, so none is made twice."""
        prefix = f"backo_{self.table.lower()}__"
        wanted = {prefix + _digest(text): text for text in definitions}
        self._names = frozenset(wanted)
        _bound.add(self)
        sql = "SELECT name FROM sqlite_master WHERE type = 'index'"
        there = {name for name in _firsts(self._run(sql)) if name.startswith(prefix)}
        if self.indexes is not None:
            for name in sorted(there - self._names_to_keep()):
                self._run(f"DROP INDEX IF EXISTS {name}")
        for name in sorted(wanted.keys() - there):
            sql = f"CREATE INDEX IF NOT EXISTS {name} ON {self._name} {wanted[name]}"
            self._run(sql)

    def _names_to_keep(self) -> frozenset[str]:
        """The indexes that some connector of this process made on this table."""
        here = self.place()
        return frozenset().union(
            *(one._names for one in list(_bound) if one.place() == here)
        )

    # transactions

    def transaction_place(self) -> str:
        return self._shared().place

    def begin(self, timeout: float) -> SqliteTransaction:
        """A real transaction of the file, for all its tables."""
        return open_transaction(self._shared(), timeout)

    # connections

    def close(self) -> None:
        """Close the connections of all threads, unless other connectors use the file;
        the next use opens new ones. The indexes stay until another connector to the
        table is given ``indexes``."""
        _bound.discard(self)
        if self._file is not None:
            self._file.leave(self)
            self._file = None

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated():
            return self._connection().execute(sql, values).fetchall()

    def _write(self, _id: str | None, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Run a statement that writes the document with this id, or any."""
        transaction = self.join()
        if isinstance(transaction, SqliteTransaction):
            transaction.touch(self.table, _id)
            return self._run(sql, values)
        file = self._shared()
        with translated():
            mend(file, file.holder(), self._timeout)
        # SQLite would let it wait until no unit of this process comes in between.
        with file.turn.taken(self._timeout):
            return self._run(sql, values)

    def _connection(self) -> sqlite3.Connection:
        return self._holder().connection

    def _holder(self) -> Holder:
        """The connection of the unit in progress, or that of this thread."""
        transaction = self.joined()
        if isinstance(transaction, SqliteTransaction):
            holder = transaction.open_holder()
        else:
            holder = self._shared().holder()
            if not holder.mended:
                mend_first(self._shared(), holder)
        holder.ensure(self.table)
        return holder

    def _shared(self) -> SqliteFile:
        file = self._file
        if file is None:
            file = shared(self.path)
            file.use(self, self._synchronous, self._timeout)
            self._file = file
        return file


def _is_duplicate(error: BaseException | None) -> bool:
    return (
        isinstance(error, sqlite3.IntegrityError)
        and error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
    )


def _is_text(_id: object) -> bool:
    """Whether SQLite can hold the id: a string without lone surrogates."""
    try:
        return isinstance(_id, str) and bool(_id.encode())
    except UnicodeEncodeError:
        return False


def _firsts(rows: list[tuple[Any, ...]]) -> list[str]:
    return [row[0] for row in rows]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
