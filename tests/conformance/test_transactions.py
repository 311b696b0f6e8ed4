"""Units of work over every store, and over pairs of them."""

import functools
import itertools
import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from backo import transaction
from backo.connectors import transactions
from backo.connectors.base import DBConnector
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.mongo import DBMongoConnector
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.store import Store
from backo.connectors.transactions import DurableTransaction
from backo.connectors.yml import DBYmlConnector
from backo.errors import BackoError, ConflictError, DBError, NotFoundError
from backo.transaction import Unit, tried_again, unit_of_work
from tests.conformance.conftest import SixMethods

COMMENT = b"# written by hand\n_id: a\nn: 1   # one\n"


def yml(name: str) -> Callable[[Path], DBConnector]:
    return lambda folder: DBYmlConnector(path=folder / name)


def sqlite(name: str, table: str = "items") -> Callable[[Path], DBConnector]:
    return lambda folder: DBSqliteConnector(
        path=folder / f"{name}.db", table=table, synchronous="OFF"
    )


def mongo(name: str, **options: Any) -> Callable[[Path], DBConnector]:
    def make(folder: Path) -> DBConnector:
        uri = (folder / MONGO).read_text("utf-8")
        return DBMongoConnector(connection_string=uri, collection=name, **options)

    return make


MONGO = "mongo.uri"
"""The file that says where MongoDB is."""

MAKERS: dict[str, tuple[Callable[[Path], DBConnector], ...]] = {
    "memory": (lambda folder: DBMemoryConnector(),),
    "six methods": (lambda folder: SixMethods(),),
    "yml": (yml("one"),),
    "sqlite": (sqlite("one"),),
    "sqlite tables": (sqlite("one"), sqlite("one", "others")),
    "yml + sqlite": (yml("one"), sqlite("one")),
    "sqlite + sqlite": (sqlite("one"), sqlite("two")),
    "yml + yml": (yml("one"), yml("two")),
    "mongo": (mongo("one"),),
    "mongo collections": (mongo("one"), mongo("two")),
    "mongo + sqlite": (mongo("one"), sqlite("one")),
    "mongo + yml": (mongo("one"), yml("one")),
    "mongo + mongo": (mongo("one"), mongo("two", appname="another")),
    "all": (
        yml("one"),
        mongo("one"),
        sqlite("one"),
        lambda folder: SixMethods(),
        sqlite("two"),
        lambda folder: DBMemoryConnector(),
        yml("two"),
    ),
}

SINGLE = ["yml", "sqlite", "sqlite tables", "mongo", "mongo collections"]
SEVERAL = ["yml + sqlite", "sqlite + sqlite", "yml + yml"]
SEVERAL += ["mongo + sqlite", "mongo + yml", "mongo + mongo", "all"]
WAITING = ["yml + sqlite", "sqlite + sqlite", "yml + yml"]
"""All whose units wait for each other: those of MongoDB do not."""

type Connectors = list[DBConnector]


@pytest.fixture(params=MAKERS)
def connectors(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connectors]:
    """Each with the items a and b; in YAML, a has a comment."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if "mongo" in request.param or request.param == "all":
        uri = request.getfixturevalue("mongo_database")
        (tmp_path / MONGO).write_text(uri, "utf-8")
    made = [make(tmp_path) for make in MAKERS[request.param]]
    for connector in made:
        connector.create({"_id": "a", "n": 1})
        connector.create({"_id": "b", "n": 1, "tags": ["x", "y"]})
        if isinstance(connector, DBYmlConnector):
            (connector.path / "a.yml").write_bytes(COMMENT)
            (connector.path / "a.yml").chmod(0o640)
    yield made
    for connector in made:
        connector.close()


def contents(connectors: Connectors) -> list[Any]:
    """Everything that is stored, byte for byte."""
    return [content(connector) for connector in connectors]


def content(connector: DBConnector) -> Any:
    if isinstance(connector, DBYmlConnector):
        return {
            path.name: (path.read_bytes(), path.stat().st_mode)
            for path in connector.path.iterdir()
        }
    if isinstance(connector, DBSqliteConnector):
        with closing(sqlite3.connect(connector.path)) as connection:
            sql = f"SELECT * FROM {connector.table} ORDER BY id"  # noqa: S608
            return connection.execute(sql).fetchall()
    return connector.select({}, {}, 0, 0, {"_id": 1})


def change(connector: DBConnector) -> None:
    """Every sort of write."""
    store = Store(connector)
    store.save("a", {"_id": "a", "n": 2})
    store.create({"_id": "c", "n": 3})
    assert store.compare_and_set("a", {"_id": "a", "n": 2}, {"_id": "a", "n": 4})
    assert not store.compare_and_set("a", {"_id": "a", "n": 2}, {"_id": "a", "n": 5})
    store.delete_by_id("b")
    store.create({"_id": "b", "n": 6})
    assert not store.compare_and_delete("c", {"_id": "c", "n": 4})
    assert store.compare_and_delete("c", {"_id": "c", "n": 3})
    store.create({"n": 7})


def changed(connector: DBConnector) -> dict[str, int]:
    found = connector.select({}, {}, 0, 0, {"_id": 1})
    return {one["_id"] if len(one["_id"]) == 1 else "": one["n"] for one in found}


CHANGED = {"a": 4, "b": 6, "": 7}


class Failure(Exception):
    pass


# -- all or nothing ----------------------------------------------------------------


def test_a_unit_is_kept(connectors: Connectors) -> None:
    with unit_of_work() as unit:
        assert transaction.current_unit() is unit
        for connector in connectors:
            change(connector)
            assert changed(connector) == CHANGED
    assert transaction.current_unit() is None
    for connector in connectors:
        assert changed(connector) == CHANGED


def test_nothing_is_left_beside_the_documents(connectors: Connectors) -> None:
    with unit_of_work():
        for connector in connectors:
            change(connector)
    assert leftovers(connectors) == []


def leftovers(connectors: Connectors) -> list[Any]:
    """What stores hold of units that are no longer in progress."""
    found: list[Any] = []
    for connector in connectors:
        if isinstance(connector, DBYmlConnector):
            names = {path.name for path in connector.path.glob(".*")}
            found += names - {".lock"}
        if isinstance(connector, DBSqliteConnector):
            for name in ("decided", "prepared"):
                with suppress(DBError):
                    found += connector._run(f"SELECT * FROM backo_units_{name}")  # noqa: S608
    return found


@pytest.mark.parametrize("error", [Failure, KeyboardInterrupt])
def test_what_raises_leaves_no_trace(
    connectors: Connectors, error: type[BaseException]
) -> None:
    before = contents(connectors)
    with pytest.raises(error), unit_of_work():
        for connector in connectors:
            change(connector)
        raise error
    assert contents(connectors) == before
    with unit_of_work():
        for connector in connectors:
            change(connector)
            assert changed(connector) == CHANGED


def test_a_drop_is_undone(connectors: Connectors) -> None:
    own = [one for one in connectors if not isinstance(one, SixMethods)]
    before = contents(own)
    with pytest.raises(Failure), unit_of_work():
        for connector in own:
            connector.drop()
            assert connector.count() == 0
        raise Failure
    assert contents(own) == before


def test_a_connector_joins_by_itself(connectors: Connectors) -> None:
    own = [one for one in connectors if not isinstance(one, SixMethods)]
    before = contents(own)
    with pytest.raises(Failure), unit_of_work():
        for connector in own:
            connector.save("a", {"n": 2})
        raise Failure
    assert contents(own) == before


def test_a_part_that_raises_is_undone_alone(connectors: Connectors) -> None:
    with unit_of_work():
        for connector in connectors[:1]:
            Store(connector).save("a", {"_id": "a", "n": 2})
        with pytest.raises(Failure), unit_of_work():
            with unit_of_work():
                for connector in connectors:
                    Store(connector).save("a", {"_id": "a", "n": 9})
            for connector in connectors:
                change_b = Store(connector)
                change_b.save("b", {"_id": "b", "n": 9})
            raise Failure
        assert [one.get_by_id("a")["n"] for one in connectors[:1]] == [2]
        assert [one.get_by_id("a")["n"] for one in connectors[1:]] == [1] * (
            len(connectors) - 1
        )
        with unit_of_work():
            for connector in connectors:
                Store(connector).create({"_id": "c", "n": 3})
    for n, connector in enumerate(connectors):
        found = {one["_id"]: one["n"] for one in connector.select({})}
        assert found == {"a": 1 if n else 2, "b": 1, "c": 3}


def test_a_refusal_inside_a_unit_can_be_caught(connectors: Connectors) -> None:
    with unit_of_work():
        for connector in connectors:
            store = Store(connector)
            with pytest.raises(DBError):
                store.create({"_id": "a"})
            with pytest.raises(NotFoundError):
                store.save("z", {})
            with pytest.raises(NotFoundError):
                store.delete_by_id("z")
            with pytest.raises(NotFoundError):
                store.compare_and_set("z", {}, {})
            store.create({"_id": "c", "n": 3})
    for connector in connectors:
        assert {one["_id"] for one in connector.select({})} == {"a", "b", "c"}


# -- explicit transactions ---------------------------------------------------------


def test_an_explicit_transaction_is_kept(connectors: Connectors) -> None:
    number = transaction.start()
    for connector in connectors:
        with unit_of_work(number) as unit:
            assert unit.id == number
            change(connector)
    assert transaction.current_unit() is None
    # From other threads as well.
    thread = threading.Thread(target=transaction.stop, args=(number,))
    thread.start()
    thread.join()
    for connector in connectors:
        assert changed(connector) == CHANGED


def test_an_explicit_transaction_is_undone(connectors: Connectors) -> None:
    before = contents(connectors)
    number = transaction.start()

    def work(connector: DBConnector) -> None:
        with unit_of_work(number):
            change(connector)

    for connector in connectors:
        thread = threading.Thread(target=work, args=(connector,))
        thread.start()
        thread.join()
    transaction.rollback(number)
    assert contents(connectors) == before


# -- others ------------------------------------------------------------------------


def test_single_writers_wait_for_the_unit(connectors: Connectors) -> None:
    ended: list[str] = []

    def write(connector: DBConnector) -> None:
        Store(connector).save("a", {"_id": "a", "n": 9})
        ended.append("writer")

    threads = [threading.Thread(target=write, args=(one,)) for one in connectors]
    with unit_of_work():
        for connector in connectors:
            Store(connector).save("a", {"_id": "a", "n": 2})
        for thread in threads:
            thread.start()
        threads[0].join(0.1)
        assert [one.get_by_id("a")["n"] for one in connectors] == [2] * len(connectors)
        ended.append("unit")
    for thread in threads:
        thread.join()
    assert ended[0] == "unit"
    assert [one.get_by_id("a")["n"] for one in connectors] == [9] * len(connectors)


def test_units_of_threads_lose_nothing(connectors: Connectors) -> None:
    def add(n: int) -> None:
        order = connectors if n % 2 else connectors[::-1]
        for _ in range(5):
            tried_again(lambda: count_on(order))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.get_by_id("a")["n"] for one in connectors] == [21] * len(connectors)


def count_on(connectors: Connectors) -> None:
    with unit_of_work(stores=connectors):
        for connector in connectors:
            read = connector.get_by_id("a")
            Store(connector).save("a", {**read, "n": read["n"] + 1})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
@pytest.mark.parametrize("connectors", [*SINGLE, *SEVERAL[:-1]], indirect=True)
def test_units_of_processes_lose_nothing(connectors: Connectors) -> None:
    def add() -> None:
        for _ in range(10):
            tried_again(lambda: count_on(connectors))

    began = time.monotonic()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert [one.get_by_id("a")["n"] for one in connectors] == [31] * len(connectors)
    assert leftovers(connectors) == []
    # None waited for another until one gave up.
    assert time.monotonic() - began < transactions.PATIENCE


@pytest.mark.parametrize("connectors", WAITING, indirect=True)
def test_out_of_order_a_unit_waits_only_briefly(
    connectors: Connectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "OUT_OF_ORDER", 0.05)
    first, *_, last = sorted(connectors, key=lambda one: one.transaction_place())
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with unit_of_work(stores=[first]):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with pytest.raises(ConflictError), unit_of_work(stores=[last]):
        Store(first).save("a", {"_id": "a", "n": 2})
    leave.set()
    thread.join()


# -- failures ----------------------------------------------------------------------

METHODS = ("create", "save", "delete_by_id", "get_by_id", "compare_and_set")


def fail_at(connectors: Connectors, k: int, *, after: bool) -> list[str]:
    """Make the k-th call of all connectors fail, before or after it took effect; gives
    the list of calls."""
    calls: list[str] = []

    def call(method: Any, name: str, *args: Any) -> Any:
        calls.append(name)
        # A connector may call itself.
        number = len(calls)
        if number == k and not after:
            raise DBError("injected")
        try:
            return method(*args)
        finally:
            if number == k and after:
                raise DBError("injected")

    for connector in connectors:
        for name in METHODS:
            method = getattr(connector, name)
            wrapped = functools.partial(call, method, name)
            setattr(connector, name, wrapped)
    return calls


@pytest.mark.parametrize("after", [False, True])
def test_a_failure_at_any_call_leaves_no_trace(
    connectors: Connectors, after: bool
) -> None:
    before, k = contents(connectors), 0
    while True:
        k += 1
        calls = fail_at(connectors, k, after=after)
        try:
            with unit_of_work(stores=connectors):
                for connector in connectors:
                    change(connector)
        except DBError as error:
            assert str(error) == "injected"  # noqa: PT017
        else:
            break
        finally:
            for connector in connectors:
                for name in METHODS:
                    delattr(connector, name)
        assert contents(connectors) == before, (k, calls)
    assert k > 5 * len(connectors)
    for connector in connectors:
        assert changed(connector) == CHANGED


def durable(unit: Unit) -> list[DurableTransaction]:
    return [one for one in unit._joined.values() if isinstance(one, DurableTransaction)]


@pytest.mark.parametrize(
    ("connectors", "step"),
    [
        *itertools.product(SINGLE, ["commit"]),
        *itertools.product(SEVERAL, ["prepare", "prepare after", "decide"]),
    ],
    indirect=["connectors"],
)
def test_a_failure_while_committing_leaves_no_trace(
    connectors: Connectors, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = contents(connectors)
    name, _, after = step.partition(" ")
    with pytest.raises(DBError, match="injected"), unit_of_work() as unit:
        for connector in connectors:
            change(connector)
        for one in durable(unit):
            broken = functools.partial(fail, getattr(one, name), bool(after))
            monkeypatch.setattr(one, name, broken)
    assert contents(connectors) == before
    with unit_of_work():
        for connector in connectors:
            change(connector)
            assert changed(connector) == CHANGED


def fail(method: Any, after: bool, *args: Any) -> None:
    if after:
        method(*args)
    raise DBError("injected")


@pytest.mark.parametrize("connectors", SEVERAL, indirect=True)
def test_a_failure_to_finish_is_mended_by_the_next(
    connectors: Connectors,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with unit_of_work() as unit:
        for connector in connectors:
            change(connector)
        for one in durable(unit):
            broken = functools.partial(fail, one.commit, False)
            monkeypatch.setattr(one, "commit", broken)
    assert "could not be tidied up" in caplog.text
    for connector in connectors:
        Store(connector).save("a", {"_id": "a", "n": 4})
        assert changed(connector) == CHANGED
    assert leftovers(connectors) == []


@pytest.mark.parametrize("connectors", SEVERAL, indirect=True)
def test_an_interrupt_after_the_decision_keeps_the_unit(
    connectors: Connectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(method: Any, *args: Any) -> None:
        method(*args)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), unit_of_work() as unit:
        for connector in connectors:
            change(connector)
        for one in durable(unit):
            monkeypatch.setattr(
                one, "decide", functools.partial(interrupted, one.decide)
            )
    for connector in connectors:
        Store(connector).save("a", {"_id": "a", "n": 4})
        assert changed(connector) == CHANGED


@pytest.mark.parametrize("connectors", SINGLE, indirect=True)
def test_a_part_that_cannot_be_undone_spoils_the_unit(
    connectors: Connectors,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = contents(connectors)
    with pytest.raises(DBError, match="could not be undone"), unit_of_work() as unit:
        for connector in connectors:
            change(connector)
        with pytest.raises(Failure) as caught, unit_of_work():
            for one in unit._joined.values():
                monkeypatch.setattr(
                    one, "go_back", functools.partial(fail, None, False)
                )
            raise Failure
        assert "injected" in str(caught.value.__notes__)
    assert "not undone: injected" in caplog.text
    assert contents(connectors) == before


# -- use ---------------------------------------------------------------------------


def test_a_transaction_that_has_ended(connectors: Connectors) -> None:
    number = transaction.start()
    transaction.stop(number)
    for act in (transaction.stop, transaction.rollback):
        with pytest.raises(BackoError, match=f"no transaction {number}"):
            act(number)
    with pytest.raises(BackoError, match="has ended"), unit_of_work(number):
        pass
