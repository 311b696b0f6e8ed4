"""The store of JSON documents in SQLite."""

import multiprocessing
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backo.connectors.base import DBConnector, Query
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.testing import PLAN
from backo.errors import DBError, DuplicateIdError, PathNotFoundError
from backo.query.filter import (
    ALWAYS,
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
    matches,
)
from backo.query.parse import parse_python, parse_sort
from backo.schema.plan import ItemPlan, Kind
from tests.conformance.conftest import INDEXES

type Make = Callable[..., DBSqliteConnector]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[DBSqliteConnector] = []

    def build(plan: ItemPlan | None = PLAN, **kwargs: Any) -> DBSqliteConnector:
        options = {"path": tmp_path / "below" / "shelf.db", "synchronous": "OFF"}
        connector = DBSqliteConnector(**{**options, **kwargs})
        made.append(connector)
        if plan is not None:
            connector.bind(plan)
        return connector

    yield build
    for connector in made:
        connector.close()


@pytest.fixture
def books(make: Make) -> DBSqliteConnector:
    connector = make(indexes=INDEXES)
    for n in range(300):
        connector.create(
            {
                "_id": f"{n:03}",
                "title": f"t{n % 50}",
                "pages": n % 20,
                "price": n * 1.1,
                "ok": n % 2 == 0,
                "when": f"2020-01-{n % 28 + 1:02}T00:00:00+02:00",
                "ip": f"10.0.0.{n % 250}",
                "address": {"zip": str(n % 30)},
                "it's odd": "x",
            }
        )
    return connector


def explained(connector: DBSqliteConnector, tree: Filter, sort: str = "") -> str:
    """SQLite's plan of a query."""
    statements: list[str] = []
    connection = connector._connection()
    connection.set_trace_callback(statements.append)
    connector.find(Query(tree, parse_sort(sort, PLAN), limit=10))
    connection.set_trace_callback(None)
    (select,) = [one for one in statements if one.startswith("SELECT document")]
    rows = connection.execute(f"EXPLAIN QUERY PLAN {select}").fetchall()  # noqa: S608
    return "\n".join(row[3] for row in rows)


# -- what SQLite does itself -------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"title": "t7"},
        {"title": ("$gt", "t48")},
        {"title": ("$lte", "t1")},
        {"title": ("$in", ["t1", "t2"])},
        {"pages": 7},
        {"pages": ("$gte", 19)},
        {"pages": ("$in", list(range(19, 500)))},
        {"price": 11.0},
        {"price": ("$lt", 5)},
        {"price": ("$gt", 325.5)},
        {"ok": True},
        {"when": ("$lt", "2020-01-01T12:00:00")},
        {"ip": "10.0.0.7"},
        {"ip": ("$gt", "10.0.0.240")},
        {"address.zip": "7"},
        {"it's odd": "y"},
        {"_id": "007"},
        {"_id": ("$gt", "290")},
        {"pages": 7, "title": ("$reg", "t")},
    ],
    ids=str,
)
def test_an_index_is_used(books: DBSqliteConnector, given: Any) -> None:
    plan = explained(books, parse_python(given, PLAN))
    assert plan.startswith("SEARCH items USING INDEX"), plan


@pytest.mark.parametrize("sort", ["title", "-title", "price", "-when", "ok", "-ip"])
def test_an_index_sorts(books: DBSqliteConnector, sort: str) -> None:
    plan = explained(books, ALWAYS, sort)
    assert plan.startswith("SCAN items USING INDEX backo_items__"), plan
    assert "FOR ORDER BY" not in plan
    if not sort.startswith("-"):
        assert "TEMP B-TREE" not in plan


def test_a_range_and_its_sort_take_one_index(books: DBSqliteConnector) -> None:
    plan = explained(books, parse_python({"pages": ("$gt", 3)}, PLAN), "pages")
    assert plan.startswith("SEARCH items USING INDEX")
    assert "TEMP B-TREE" not in plan


def test_the_whole_query_is_pushed(
    books: DBSqliteConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        DBConnector, "_residual", lambda *args: pytest.fail("done in Python")
    )
    tree = parse_python(
        {
            "$or": [{"pages": ("$gt", 3)}, {"$not": {"title": ("$reg", "t4")}}],
            "tags": ("$not", ("$contains", "x")),
            "authors": ("$not", ("$contains", {"name": "x", "age": ("$lt", 3)})),
            "extra.any thing.b": ("$ne", 5),
        },
        PLAN,
    )
    assert len(books.find(Query(tree, parse_sort("-price", PLAN), 5, 10))) == 10
    assert books.count(tree) == sum(matches(tree, one) for one in books.find(Query()))


def test_the_sql_of_a_shape_is_the_same(books: DBSqliteConnector) -> None:
    def text(given: Any) -> str:
        return books._where(books._translator, parse_python(given, PLAN))[0]

    one = text({"title": ("$gt", "a"), "tags": "x", "pages": ("$in", [1, 2])})
    other = text({"title": ("$gt", "'"), "tags": "?", "pages": ("$in", [3, 4])})
    assert one == other


def test_the_largest_filters_that_are_pushed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make()
    store.create({"_id": "0", "a": [{"b": {"c": 2.5}}]})
    store.create({"_id": "1", "a": {"b": [{"c": 9.9}]}})
    store.create({"_id": "2"})
    values = tuple(n * 0.5 for n in range(100))
    long = Condition(("a", "b", "c"), Op.IN, values, Kind.FLOAT)
    deep: Filter = Condition(("a", "b", "c"), Op.EQ, 1.5, Kind.FLOAT)
    for _ in range(5):
        deep = Not(And((deep, ALWAYS)))
    nested: Filter = Condition(("c",), Op.EQ, 1.5, Kind.FLOAT)
    nested = Element(("a",), Element(("b",), nested, every=True))
    many = Or(tuple([Condition(("a", "b", "c"), Op.LT, 2.5, Kind.FLOAT)] * 100))
    wide = Or(tuple([Condition(("a",), Op.IN, values, Kind.FLOAT)] * 30))
    too_wide = Or((long,) * 100)
    for tree in (long, nested, many, wide, too_wide, Or((long, many)), deep):
        assert store.count(tree) == sum(
            matches(tree, one) for one in store.find(Query())
        )
    monkeypatch.setattr(
        DBConnector, "_residual", lambda *args: pytest.fail("done in Python")
    )
    for tree in (long, many, wide):
        assert store.count(tree) == (tree is long)


# -- odd documents -----------------------------------------------------------------


def test_an_odd_document_is_found_beside_indexes(books: DBSqliteConnector) -> None:
    books.create({"_id": "nul", "title": "t7\0x"})
    books.create({"_id": "list", "title": ["t7", 5]})
    seventh = Condition(("title",), Op.EQ, "t7", Kind.STRING)
    found = [one["_id"] for one in books.find(Query(seventh))]
    assert found == ["007", "057", "107", "157", "207", "257", "list"]
    last = Condition(("title",), Op.GT, "t7", Kind.STRING)
    assert "nul" in [one["_id"] for one in books.find(Query(last))]
    books.delete_by_id("nul")
    books.delete_by_id("list")
    assert "USING INDEX backo_items__" in explained(books, seventh)


@pytest.mark.parametrize("writer", ["same", "connector", "thread"])
def test_an_odd_document_is_found_as_soon_as_it_is_there(
    make: Make, writer: str
) -> None:
    store = make(indexes=INDEXES)
    wanted = Condition(("title",), Op.EQ, "t", Kind.STRING)
    assert store.count(wanted) == 0
    odd = {"_id": "list", "title": ["t", 5]}
    if writer == "same":
        store.create(odd)
    elif writer == "connector":
        make(indexes=INDEXES).create(odd)
    else:
        thread = threading.Thread(target=store.create, args=(odd,))
        thread.start()
        thread.join()
    assert store.count(wanted) == 1


def test_the_look_for_odd_documents_reads_an_index(books: DBSqliteConnector) -> None:
    sql = f"EXPLAIN QUERY PLAN SELECT 1 FROM items WHERE {books._odd} LIMIT 1"  # noqa: S608
    assert "USING INDEX backo_items__" in books._run(sql)[0][3] or (
        "USING COVERING INDEX backo_items__" in books._run(sql)[0][3]
    )


def test_integers_of_any_length_are_sorted(make: Make) -> None:
    for indexes in ((), ("pages",)):
        store = make(indexes=indexes)
        store.drop()
        numbers = [2**63, 2**63 + 1, -(10**40), 10**40 + 1, 10**40, 5, -(2**63) - 1]
        for n, pages in enumerate(numbers):
            store.create({"_id": str(n), "pages": pages})
        key = SortKey(("pages",), True, Kind.INT)
        found = [one["pages"] for one in store.find(Query(sort=(key,)))]
        assert found == sorted(numbers, reverse=True)


# -- set-up ------------------------------------------------------------------------


def names_of_indexes(connector: DBSqliteConnector) -> set[str]:
    sql = "SELECT name FROM sqlite_master WHERE name LIKE 'backo_items__%'"
    return {row[0] for row in connector._run(sql)}


def test_indexes_of_an_earlier_set_up_go(make: Make) -> None:
    earlier = make(indexes=["title", "pages"])
    two = names_of_indexes(earlier)
    assert len(two) == 3
    earlier.close()
    again = make(indexes=["title", "pages"])
    assert names_of_indexes(again) == two
    again.close()
    one = names_of_indexes(make(indexes=["title"]))
    assert len(one) == 2
    assert len(one & two) == 1


@pytest.mark.parametrize("options", [{}, {"indexes": ["pages"]}, {"indexes": []}])
def test_indexes_of_another_connector_to_the_table_stay(
    make: Make, tmp_path: Path, options: dict[str, Any]
) -> None:
    first = make(indexes=["title"])
    before = names_of_indexes(first)
    (tmp_path / "link").symlink_to(tmp_path / "below")
    again = tmp_path / "link" / "shelf.db"
    make(path=again, restriction=lambda: {"pages": ("$lt", 300)}, **options)
    assert names_of_indexes(first) >= before


def test_without_indexes_those_of_other_processes_stay(make: Make) -> None:
    first = make(indexes=["title"])
    before = names_of_indexes(first)
    first.close()
    assert names_of_indexes(make()) >= before
    make(indexes=[])
    assert len(names_of_indexes(first)) == 1


@pytest.mark.parametrize(
    "dotted", ["nope", "tags", "authors.name", "address", "extra", "extra.x"]
)
def test_what_cannot_be_indexed(make: Make, dotted: str) -> None:
    with pytest.raises(PathNotFoundError, match=dotted):
        make(indexes=[dotted])


@pytest.mark.parametrize(
    "table", ["", "1a", "a b", 'a"; DROP TABLE items; --', "é", "sqlite_x", "a" * 65]
)
def test_names_of_tables_are_checked(tmp_path: Path, table: str) -> None:
    with pytest.raises(DBError, match="table name"):
        DBSqliteConnector(path=tmp_path / "x.db", table=table)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DBError, match="DBMemoryConnector"):
        DBSqliteConnector(path=":memory:")
    with pytest.raises(DBError, match="synchronous"):
        DBSqliteConnector(path=tmp_path / "x.db", synchronous="x; DROP")
    with pytest.raises(TypeError, match="colour"):
        DBSqliteConnector(path=tmp_path / "x.db", colour="red")


def test_collections_share_a_file(make: Make) -> None:
    one, other = make(table="order"), make(table="Select_2", indexes=["title"])
    one.create({"_id": "a", "title": "one"})
    other.create({"_id": "a", "title": "other"})
    assert one.get_by_id("a")["title"] == "one"
    one.drop()
    assert other.count() == 1


def test_the_pragmas(make: Make) -> None:
    run = make(synchronous="FULL")._run
    assert run("PRAGMA journal_mode") == [("wal",)]
    assert run("PRAGMA synchronous") == [(2,)]


def test_a_file_that_is_no_database(make: Make, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all, but some text" * 100)
    store = make(None, path=tmp_path / "x.db")
    with pytest.raises(DBError) as caught:
        store.get_by_id("a")
    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_a_folder_that_cannot_be_made(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = make(None, path=tmp_path / "file" / "x.db")
    with pytest.raises(DBError):
        store.count()


def test_a_document_that_is_no_json(make: Make) -> None:
    store = make()
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    for value in (float("inf"), object(), "\ud800", deep):
        with pytest.raises(DBError) as caught:
            store.create({"_id": "a", "x": value})
        assert not isinstance(caught.value, DuplicateIdError)
    assert store.count(Condition(("x",), Op.EXISTS, True, Kind.INT)) == 0


def test_it_can_be_used_without_a_plan(make: Make) -> None:
    store = make(None, indexes=["title"])
    store.create({"_id": "a", "title": "x", "n": 5})
    assert store.select({"title": "x", "n": ("$gt", 4)})[0]["_id"] == "a"
    assert store.select({}, {}, 0, 0, {"n": -1})[0]["_id"] == "a"


def test_other_programs_can_read_it(make: Make, tmp_path: Path) -> None:
    make(indexes=["title"]).create({"_id": "a", "title": "é"})
    with closing(sqlite3.connect(tmp_path / "below" / "shelf.db")) as connection:
        rows = connection.execute("SELECT id, document FROM items").fetchall()
        assert rows == [("a", '{"_id":"a","title":"é"}')]
        connection.execute("""UPDATE items SET document = '{"_id":"a","title":"y"}'""")
        connection.commit()
    changed = make(indexes=["title"])
    assert changed.count(Condition(("title",), Op.EQ, "y", Kind.STRING)) == 1
    assert changed.compare_and_set("a", {"_id": "a", "title": "y"}, {"title": "z"})


# -- threads and processes ---------------------------------------------------------


def test_each_thread_has_its_connection(make: Make) -> None:
    store = make()
    seen = [store._connection()]

    def use() -> None:
        seen.append(store._connection())
        store.create({})

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen[0] is not seen[1]
    assert store.count() == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        seen[1].execute("SELECT 1")


def test_close_closes_those_of_all_threads(make: Make) -> None:
    store = make()
    ready, done = threading.Event(), threading.Event()
    seen = []

    def use() -> None:
        seen.append(store._connection())
        ready.set()
        done.wait(10)

    thread = threading.Thread(target=use)
    thread.start()
    ready.wait(10)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        seen[0].execute("SELECT 1")
    done.set()
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_a_forked_child_opens_its_own(make: Make) -> None:
    store = make()
    store.create({"_id": "a", "n": 0})

    def add_five() -> None:
        for _ in range(5):
            while True:
                read = store.get_by_id("a")
                if store.compare_and_set("a", read, {"n": read["n"] + 1}):
                    break

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=add_five) for _ in range(3)]
    for child in children:
        child.start()
    add_five()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert store.get_by_id("a")["n"] == 20


def open_and_create(path: Path, n: int) -> int:
    store = DBSqliteConnector(path=path, synchronous="OFF", indexes=["title"])
    store.bind(PLAN)
    for m in range(20):
        store.create({"_id": f"{n}-{m}"})
    store.close()
    return n


def test_processes_that_open_a_new_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    path = tmp_path / "new.db"
    with context.Pool(4) as pool:
        pool.starmap(open_and_create, [(path, n) for n in range(4)])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (80,)
