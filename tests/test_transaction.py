"""The unit of work, and recorded undo."""

import contextvars
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backo import transaction
from backo.connectors.base import DBConnector, Document
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.recorded import restored
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.store import Store
from backo.connectors.transactions import Turn
from backo.connectors.yml import DBYmlConnector
from backo.errors import BackoError, ConflictError, DBError, NotFoundError
from backo.transaction import current_unit, unit_of_work
from tests.conformance.conftest import SixMethods


class Failure(Exception):
    pass


@pytest.fixture
def books() -> DBMemoryConnector:
    connector = DBMemoryConnector()
    connector.create({"_id": "a", "n": 1})
    return connector


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[DBSqliteConnector]:
    connector = DBSqliteConnector(path=tmp_path / "shelf.db", synchronous="OFF")
    connector.create({"_id": "a", "n": 1})
    yield connector
    connector.close()


# -- which unit --------------------------------------------------------------------


def test_units_have_ids_of_their_own() -> None:
    assert current_unit() is None
    with unit_of_work() as one:
        with unit_of_work() as same, unit_of_work(one.id) as named:
            assert one is same is named is current_unit()
    with unit_of_work() as other:
        assert other.id > one.id
    assert current_unit() is None


def test_a_unit_in_progress_can_be_named_from_elsewhere(
    books: DBMemoryConnector,
) -> None:
    def write(number: int) -> None:
        with unit_of_work(number):
            Store(books).create({"_id": "b"})

    with pytest.raises(Failure), unit_of_work() as unit:
        thread = threading.Thread(target=write, args=(unit.id,))
        thread.start()
        thread.join()
        assert books.count() == 2
        raise Failure
    assert books.count() == 1


def test_an_explicit_transaction_is_not_that_of_other_writes(
    shelf: DBSqliteConnector, books: DBMemoryConnector
) -> None:
    number = transaction.start()
    with unit_of_work() as unit:
        assert unit.id != number
        Store(shelf).create({"_id": "b"})
        with unit_of_work(number) as named:
            assert current_unit() is named is not unit
            Store(books).create({"_id": "b"})
        assert current_unit() is unit
    transaction.rollback(number)
    assert (shelf.count(), books.count()) == (2, 1)


def test_a_context_that_outlives_its_unit_is_in_none(books: DBMemoryConnector) -> None:
    with unit_of_work():
        Store(books).create({"_id": "b"})
        later = contextvars.copy_context()
        assert later.run(current_unit) is current_unit() is not None
    assert later.run(current_unit) is None
    later.run(Store(books).create, {"_id": "c"})
    assert books.count() == 3


@pytest.mark.parametrize("number", [-1, 0, 10**9])
def test_a_transaction_that_never_was(number: int) -> None:
    for act in (transaction.stop, transaction.rollback):
        with pytest.raises(BackoError, match="there is no transaction"):
            act(number)
    with pytest.raises(BackoError, match="no transaction"), unit_of_work(number):
        pass


def test_only_explicit_transactions_are_stopped() -> None:
    with unit_of_work() as unit:
        with pytest.raises(BackoError, match="ends by itself"):
            transaction.stop(unit.id)
    number = transaction.start()
    with unit_of_work(number):
        with pytest.raises(BackoError, match="being used here"):
            transaction.rollback(number)
    transaction.stop(number)


def test_one_context_at_a_time_uses_a_named_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transaction, "PATIENCE", 0.01)
    number = transaction.start()
    problems: list[Exception] = []

    def enter() -> None:
        try:
            with unit_of_work(number):
                pass
        except ConflictError as error:
            problems.append(error)

    with unit_of_work(number):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert "used elsewhere" in str(problems[0])
    transaction.rollback(number)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_a_forked_child_is_not_in_its_parents_unit(tmp_path: Path) -> None:
    books = DBYmlConnector(path=tmp_path / "books")
    books.create({"_id": "a", "n": 1})
    try:
        with unit_of_work():
            Store(books).save("a", {"_id": "a", "n": 2})
            child = os.fork()
            if not child:
                assert current_unit() is None
                raise Failure
    except Failure:
        # The child has left the unit, and undone nothing.
        os._exit(0 if books.get_by_id("a")["n"] == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert books.get_by_id("a")["n"] == 2
    books.save("a", {"_id": "a", "n": 3})


# -- stores ------------------------------------------------------------------------


def test_stores_are_begun_in_one_order(tmp_path: Path) -> None:
    yml = DBYmlConnector(path=tmp_path / "a")
    sqlite = DBSqliteConnector(path=tmp_path / "b.db")
    memory = DBMemoryConnector()
    with unit_of_work(stores=[yml, memory, sqlite]) as unit:
        assert list(unit._joined) == [
            memory.transaction_place(),
            f"sqlite:{tmp_path / 'b.db'}",
            f"yml:{tmp_path / 'a'}",
        ]
    sqlite.close()


def test_tables_of_a_file_share_a_transaction(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    one = DBSqliteConnector(path=tmp_path / "x.db", table="one")
    other = DBSqliteConnector(path=tmp_path / "link" / "x.db", table="other")
    assert one.transaction_place() == other.transaction_place()
    with unit_of_work() as unit:
        assert unit.join(one) is unit.join(other)
        # Made in the transaction, with the first write or read.
        Store(one).create({"_id": "a"})
        assert other.count() == 0
    with pytest.raises(Failure), unit_of_work():
        third = DBSqliteConnector(path=tmp_path / "x.db", table="third")
        Store(third).create({"_id": "a"})
        raise Failure
    assert third.count() == 0
    for connector in (one, other, third):
        connector.close()


def test_the_strictest_connector_to_a_file_decides(tmp_path: Path) -> None:
    lax = DBSqliteConnector(path=tmp_path / "x.db", synchronous="OFF", timeout=1)
    assert lax._run("PRAGMA synchronous") == [(0,)]
    strict = DBSqliteConnector(path=tmp_path / "x.db", table="b", timeout=3)
    assert strict._run("PRAGMA synchronous") == [(2,)]
    assert lax._run("PRAGMA synchronous") == [(2,)]
    assert lax._run("PRAGMA busy_timeout") == [(3000,)]
    strict.close()
    assert lax._run("PRAGMA synchronous") == [(0,)]
    lax.close()


def test_other_threads_see_what_is_committed(shelf: DBSqliteConnector) -> None:
    seen: list[Document] = []

    def look() -> None:
        seen.append(shelf.get_by_id("a"))

    with unit_of_work():
        Store(shelf).save("a", {"_id": "a", "n": 2})
        for _ in range(2):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
    look()
    assert [one["n"] for one in seen] == [1, 1, 2]


def test_what_an_undone_part_taught_of_odd_documents_is_forgotten(
    tmp_path: Path,
) -> None:
    shelf = DBSqliteConnector(path=tmp_path / "x.db", indexes=[])
    shelf.bind(shelf.plan)
    shelf.create({"_id": "a", "title": "x\0y"})
    with unit_of_work():
        with pytest.raises(Failure), unit_of_work():
            Store(shelf).delete_by_id("a")
            assert not shelf._has_odd()
            raise Failure
        assert shelf._has_odd()
    shelf.close()


def test_writing_after_sqlite_gave_up_the_transaction(shelf: DBSqliteConnector) -> None:
    with pytest.raises(DBError, match="undone the transaction"), unit_of_work():
        Store(shelf).save("a", {"_id": "a", "n": 2})
        # As a full disk would.
        shelf._connection().execute("ROLLBACK")
        with pytest.raises(DBError, match="undone the transaction"):
            Store(shelf).create({"_id": "b"})
    assert [one["n"] for one in shelf.select({})] == [1]


def test_a_closed_connector_leaves_the_file_to_others(tmp_path: Path) -> None:
    one = DBSqliteConnector(path=tmp_path / "x.db", table="one")
    other = DBSqliteConnector(path=tmp_path / "x.db", table="other")
    one.create({"_id": "a"})
    connection = other._connection()
    with unit_of_work():
        Store(one).create({"_id": "b"})
        one.close()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert one.count() == 2
    one.close()
    other.close()


def test_tables_of_backo_are_no_collections(tmp_path: Path) -> None:
    with pytest.raises(DBError, match="table name"):
        DBSqliteConnector(path=tmp_path / "x.db", table="backo_units_prepared")


@pytest.mark.skipif(os.name == "nt", reason="has no flock")
def test_who_waits_too_long_gets_a_conflict(
    shelf: DBSqliteConnector, tmp_path: Path
) -> None:
    # As another process: it does not go by the turns of this one.
    folder = tmp_path / "books"
    books, shelves = DBYmlConnector(path=folder), shelf
    books.create({"_id": "a"})
    other = sqlite3.connect(shelf.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(ConflictError):
        shelves.begin(0.05)
    other.execute("ROLLBACK")
    other.close()
    with (folder / ".lock").open("rb") as lock:
        fcntl = pytest.importorskip("fcntl")
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConflictError):
            books.begin(0.05)
    assert 0.1 <= time.monotonic() - began < 5
    for connector in (shelves, books):
        begun: Any = connector.begin(5)
        begun.rollback()
        begun.release()


def test_a_turn_is_owned_by_a_thread_or_a_unit() -> None:
    turn, unit = Turn(), object()
    with turn, turn:
        assert not turn.acquire(unit, 0)
    assert turn.acquire(unit, 0)
    with pytest.raises(ConflictError), turn.taken(0):
        pass
    threading.Thread(target=turn.release).start()
    with turn:
        pass


# -- recorded undo -----------------------------------------------------------------


class Careless(SixMethods):
    """Makes ids of its own."""

    makes_ids = True

    made = 0

    def create(self, o: Document) -> str:
        self.made += 1
        return super().create({**o, "_id": f"made-{self.made}"})


def test_a_store_that_makes_the_ids() -> None:
    store = Careless()
    with pytest.raises(Failure), unit_of_work():
        assert Store(store).create({"n": 1}) == "made-1"
        raise Failure
    assert store.items == {}


def test_a_store_that_cannot_make_it_again(caplog: pytest.LogCaptureFixture) -> None:
    store = Careless()
    store.create({"n": 1})
    with pytest.raises(Failure) as caught, unit_of_work():
        Store(store).delete_by_id("made-1")
        raise Failure
    assert "made-1" in str(caught.value.__notes__)
    assert "another _id" in caplog.text
    assert store.items == {}


def others_change(document: Document | None) -> DBConnector:
    """A store of which a unit changed a, and others too before it was undone."""
    store = SixMethods()
    store.create({"_id": "a", "n": 1, "ids": ["x", "y"], "own": {"k": 1}})
    with pytest.raises(Failure), unit_of_work():
        Store(store).save("a", {"_id": "a", "n": 2, "ids": ["y", "z"], "own": {"k": 2}})
        del store.items["a"]
        if document is not None:
            store.create(document)
        raise Failure
    return store


def test_what_others_changed_meanwhile_stays() -> None:
    theirs = {"n": 2, "ids": ["w", "y", "z"], "own": {"k": 2, "m": 3}, "new": 1}
    store = others_change({"_id": "a", **theirs})
    assert store.get_by_id("a") == {
        "_id": "a",
        "n": 1,
        "ids": ["w", "y", "x"],
        "own": {"k": 1, "m": 3},
        "new": 1,
    }


class Shared(SixMethods):
    """A store that another process writes to just before each write of this one."""

    def __init__(self, others: Document | None) -> None:
        super().__init__()
        self.items["a"] = {"_id": "a", "n": 1}
        self.others = others

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        self._meanwhile()
        return super().compare_and_set(_id, expected, new)

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        self._meanwhile()
        return super().compare_and_delete(_id, expected)

    def _meanwhile(self) -> None:
        if self.others is None:
            self.items.clear()
        else:
            self.items["a"] = self.others


@pytest.mark.parametrize("others", [{"_id": "a", "n": 7}, None], ids=["set", "gone"])
@pytest.mark.parametrize("new", [{"_id": "a", "n": 2}, None], ids=["set", "delete"])
def test_a_write_that_somebody_else_was_faster_than_is_not_undone(
    others: Document | None, new: Document | None
) -> None:
    shared, before = Shared(others), {"_id": "a", "n": 1}
    with suppress(Failure, NotFoundError), unit_of_work(stores=[shared]):
        if new is None:
            assert not Store(shared).compare_and_delete("a", before)
        else:
            assert not Store(shared).compare_and_set("a", before, new)
        raise Failure
    assert shared.items == ({} if others is None else {"a": others})


def test_what_others_deleted_stays_deleted() -> None:
    assert others_change(None).count() == 0


@pytest.mark.parametrize(
    ("before", "after", "current", "wanted"),
    [
        (1, 2, 2, 1),
        (1, 1, 3, 3),
        (1, 2, 3, 1),
        (1, True, True, 1),
        ([], ["a"], ["a"], []),
        (["a"], [], ["b"], ["b", "a"]),
        (["a", "b"], ["b", "a"], ["b", "a", "c"], ["b", "a", "c"]),
        (["a", "a"], ["a"], ["b"], ["a", "a"]),
        ({"k": 1}, {}, {"m": 1}, {"m": 1, "k": 1}),
        ({}, {"k": 1}, {"k": 1, "m": 1}, {"m": 1}),
        ({"k": {"l": 1}}, {"k": {"l": 2}}, {"k": {"l": 2, "m": 3}}, None),
    ],
)
def test_undoing_a_change(before: Any, after: Any, current: Any, wanted: Any) -> None:
    wanted = {"k": {"l": 1, "m": 3}} if wanted is None else wanted
    assert repr(restored(before, after, current)) == repr(wanted)


def test_a_restriction_does_not_stop_the_undoing() -> None:
    shut = [False]
    store = SixMethods(restriction=lambda: {"n": 1} if shut[0] else None)
    store.create({"_id": "a", "n": 1})
    shut[0] = True
    with pytest.raises(Failure), unit_of_work():
        Store(store).create({"_id": "b", "n": 2})
        Store(store).save("a", {"_id": "a", "n": 2})
        raise Failure
    assert store.items == {"a": {"_id": "a", "n": 1}}
