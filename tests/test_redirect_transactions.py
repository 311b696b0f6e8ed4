"""Units of work of which another backo server keeps a part."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backo import (
    BackoError,
    Backoffice,
    Collection,
    ConflictError,
    DBError,
    DBSqliteConnector,
    DeleteStrategy,
    Int,
    Item,
    NotFoundError,
    Ref,
    ReferencedError,
    RefsList,
    String,
)
from backo.connectors.base import Query
from backo.connectors.store import Store
from backo.query.filter import ALWAYS, Condition, Op
from backo.schema.plan import Kind
from backo.transaction import unit_of_work
from tests.raw_http import Asked, answer
from tests.redirecting import Document, World, make_back, redirect_world


class Failure(Exception):
    pass


def plain() -> Item:
    return Item({"title": String(), "pages": Int()}, meta_data_handler=None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from redirect_world(tmp_path, make_back(tmp_path, plain()))


def there(world: World) -> dict[str, Any]:
    """What the other server has, whatever anybody sees of it."""
    with closing(sqlite3.connect(world.folder / "back.db")) as connection:
        return dict(connection.execute("SELECT id, document FROM b"))


def elsewhere[T](act: Callable[[], T]) -> T:
    """What somebody gets who is not in the unit."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def local(folder: Path) -> DBSqliteConnector:
    return DBSqliteConnector(path=folder / "local.db", synchronous="OFF")


# --- Deletions wait ---------------------------------------------------------------


def test_a_unit_is_kept(world: World) -> None:
    a, b = world.seed({"title": "a"}, {"title": "b", "pages": 1})
    connector = world.redirect()
    store = Store(connector)
    with unit_of_work():
        c = store.create({"title": "c"})
        store.save(a, {"title": "A"})
        before = connector.get_by_id(b)
        assert store.compare_and_set(b, before, {**before, "pages": 2})
        assert not store.compare_and_delete(b, before)
        assert store.compare_and_delete(b, connector.get_by_id(b))
    found = {one["_id"]: one["title"] for one in connector.find(Query())}
    assert found == {a: "A", c: "c"}


def test_what_a_unit_deleted_is_gone_for_it_alone(world: World) -> None:
    a, b, c = world.seed({"title": "a"}, {"title": "b"}, {"title": "c"})
    ours, others = world.redirect(), world.redirect(prefix="/back/")
    by_id = Condition(("_id",), Op.EQ, a, Kind.STRING)
    with unit_of_work():
        Store(ours).delete_by_id(a)
        Store(ours).compare_and_delete(b, ours.get_by_id(b))
        assert [one["_id"] for one in ours.find(Query())] == [c]
        assert [one["_id"] for one in ours.find(Query(limit=1))] == [c]
        assert list(ours.scan()) == ours.get_many([a, b, c]) == ours.find(Query())
        assert ours.count() == 1
        assert ours.count(by_id) == 0
        acts: list[Callable[[], Any]] = [
            lambda: ours.get_by_id(a),
            lambda: ours.get_json(a),
            lambda: Store(ours).save(a, {"title": "x"}),
            lambda: Store(ours).delete_by_id(b),
            lambda: Store(ours).compare_and_set(a, {"_id": a, "title": "a"}, {}),
            lambda: Store(ours).compare_and_delete(b, {"_id": b, "title": "b"}),
        ]
        for act in acts:
            with pytest.raises(NotFoundError):
                act()
        assert len(there(world)) == elsewhere(others.count) == 3
        assert not [one for one in world.lines if one.startswith("DELETE")]
    assert set(there(world)) == {c}
    assert others.count() == 1


def test_a_unit_that_fails_leaves_everything(world: World) -> None:
    a, b = world.seed({"title": "a", "pages": 1}, {"title": "b"})
    before = there(world)
    store = Store(world.redirect())
    with pytest.raises(Failure), unit_of_work():
        store.save(a, {"title": "A"})
        store.delete_by_id(a)
        made = store.create({"title": "c"})
        store.save(made, {"title": "C"})
        store.delete_by_id(made)
        store.create({"title": "d"})
        store.delete_by_id(b)
        raise Failure
    assert there(world) == before


def test_a_part_that_fails_leaves_the_rest(world: World) -> None:
    a, b = world.seed({"title": "a"}, {"title": "b"})
    store = Store(world.redirect())
    with unit_of_work():
        store.delete_by_id(a)
        with pytest.raises(Failure), unit_of_work():
            store.save(b, {"title": "B"})
            store.delete_by_id(b)
            made = store.create({"title": "c"})
            raise Failure
        assert store.connector.get_by_id(b)["title"] == "b"
        with pytest.raises(NotFoundError):
            store.connector.get_by_id(made)
        with pytest.raises(NotFoundError):
            store.connector.get_by_id(a)
    assert set(there(world)) == {b}


def test_what_is_made_and_deleted_in_a_unit(world: World) -> None:
    store = Store(world.redirect())
    with unit_of_work():
        store.delete_by_id(store.create({"title": "a"}))
    assert there(world) == {}


def test_others_may_change_what_a_unit_changed(world: World) -> None:
    (a,) = world.seed({"title": "a"})
    store, others = Store(world.redirect()), world.redirect()
    with pytest.raises(Failure), unit_of_work():
        store.save(a, {"title": "A", "pages": None})
        elsewhere(lambda: others.save(a, {"title": "A", "pages": 7}))
        raise Failure
    assert others.get_by_id(a) == {"_id": a, "title": "a", "pages": 7}


# --- Refused at the end -----------------------------------------------------------


def test_a_deletion_that_comes_too_late_undoes_all(
    world: World, tmp_path: Path
) -> None:
    a, b = world.seed({"title": "a"}, {"title": "b"})
    connector, others, kept = world.redirect(), world.redirect(), local(tmp_path)
    store = Store(connector)
    with pytest.raises(ConflictError), unit_of_work():
        Store(kept).create({"_id": "x"})
        store.save(b, {"title": "B"})
        store.compare_and_delete(a, connector.get_by_id(a))
        elsewhere(lambda: others.save(a, {"title": "theirs"}))
    assert kept.count() == 0
    titles = {one["title"] for one in others.find(Query())}
    assert titles == {"theirs", "b"}
    kept.close()


def test_all_are_looked_at_before_the_first_is_deleted(world: World) -> None:
    a, b = world.seed({"title": "a"}, {"title": "b"})
    connector, others = world.redirect(), world.redirect()
    with pytest.raises(ConflictError), unit_of_work():
        for one in (a, b):
            Store(connector).compare_and_delete(one, connector.get_by_id(one))
        elsewhere(lambda: others.save(b, {"title": "theirs"}))
    assert set(there(world)) == {a, b}


def test_what_others_have_deleted_is_deleted(world: World) -> None:
    a, b = world.seed({"title": "a"}, {"title": "b"})
    others = world.redirect()
    with unit_of_work():
        for one in (a, b):
            Store(world.redirect()).delete_by_id(one)
        elsewhere(lambda: others.delete_by_id(a))
    assert there(world) == {}


def test_what_is_deleted_all_the_same_is_named(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = world.seed({"title": "a"}, {"title": "b"}, {"title": "c"})
    kept = local(tmp_path)
    store = Store(world.redirect())
    refusal = answer(409, {"code": "referenced", "detail": "it is needed"})

    def fate(number: int, asked: Asked) -> Any:
        return (
            refusal if (asked.method, b in asked.path) == ("DELETE", True) else "pass"
        )

    world.fate = fate
    with pytest.raises(ReferencedError, match="needed") as caught, unit_of_work():
        Store(kept).create({"_id": "x"})
        store.save(c, {"title": "C"})
        store.delete_by_id(a)
        store.delete_by_id(b)
    assert kept.count() == 0
    assert set(there(world)) == {b, c}
    assert '"C"' not in there(world)[c]
    (note,) = caught.value.__notes__
    assert a in note
    assert b not in note
    assert a in caplog.text
    kept.close()


# --- Failure at every call --------------------------------------------------------


def office_of(world: World, folder: Path, retries: int) -> Backoffice:
    """Authors here, and their books there."""
    office = Backoffice("front")
    authors = Item(
        {
            "name": String(required=True),
            "books": RefsList(
                coll="books",
                field="$.author",
                ods=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            ),
        },
        meta_data_handler=None,
    )
    books = Item(
        {
            "title": String(required=True),
            "pages": Int(),
            "author": Ref(coll="authors", field="$.books"),
        },
        meta_data_handler=None,
    )
    office.register_collection(Collection("authors", authors, local(folder)))
    office.register_collection(
        Collection("books", books, world.redirect(retries=retries))
    )
    return office


def linked_world(folder: Path) -> Iterator[World]:
    item = Item(
        {"title": String(), "pages": Int(), "author": String()}, meta_data_handler=None
    )
    yield from redirect_world(folder, make_back(folder, item))


def contents(world: World, office: Backoffice) -> tuple[Any, list[Document]]:
    return there(world), office.authors.db_handler.find(Query())


@pytest.fixture(params=[0])
def linked(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[World, Backoffice]]:
    for world in linked_world(tmp_path):
        office = office_of(world, tmp_path, request.param)
        office.books.db_handler.count()
        yield world, office
        office.authors.db_handler.close()


def work(office: Backoffice, names: dict[str, str]) -> None:
    """A unit of every sort of write on both sides; one item is deleted there."""
    with unit_of_work():
        bob = office.authors.create({"name": "Bob"})
        office.books.create({"title": "new", "author": bob._id.get_value()})
        emma = office.books.get_by_id(names["emma"])
        emma.pages = 2
        emma.author = bob._id.get_value()
        emma.save()
        office.books.get_by_id(names["old"]).delete()


def test_all_or_nothing_whatever_call_fails(linked: tuple[World, Backoffice]) -> None:
    world, office = linked
    ann = str(office.authors.create({"name": "Ann"})._id.get_value())
    names = {
        title: str(office.books.create({"title": title, "author": ann})._id.get_value())
        for title in ("emma", "old")
    }
    assert office.check_references() == []
    before = contents(world, office)
    failed = 0
    for number in range(1, 200):
        start = len(world.relay.asked)

        def fate(at: int, asked: Asked, wrong: int = start + number) -> str:
            return "drop" if at == wrong else "pass"

        world.fate = fate
        try:
            work(office, names)
        except DBError:
            failed += 1
            world.fate = lambda at, asked: "pass"
            assert contents(world, office) == before, number
        else:
            break
    world.fate = lambda at, asked: "pass"
    assert failed >= 5
    books, authors = contents(world, office)
    assert len(books) == 2
    assert {one["name"]: len(one["books"]) for one in authors} == {"Ann": 0, "Bob": 2}
    assert office.check_references() == []


@pytest.mark.parametrize("linked", [2], indirect=True)
def test_one_lost_answer_is_made_good(linked: tuple[World, Backoffice]) -> None:
    """But for that to a creation, of which nobody can tell."""
    world, office = linked
    for number in range(1, 40):
        ann = str(office.authors.create({"name": f"Ann {number}"})._id.get_value())
        names = {
            title: str(
                office.books.create({"title": title, "author": ann})._id.get_value()
            )
            for title in ("emma", "old")
        }
        start = len(world.relay.asked)

        def fate(at: int, asked: Asked, wrong: int = start + number) -> str:
            return "lose" if at == wrong and asked.method != "POST" else "pass"

        world.fate = fate
        work(office, names)
        assert office.check_references() == []
        if len(world.relay.asked) < start + number:
            break
    else:
        raise AssertionError("it takes more calls than that")


def test_deleting_with_what_refers_to_it(linked: tuple[World, Backoffice]) -> None:
    world, office = linked
    ann = office.authors.create({"name": "Ann"})
    for title in ("a", "b"):
        office.books.create({"title": title, "author": ann._id.get_value()})
    before = contents(world, office)
    world.fate = lambda at, asked: "drop" if asked.method == "DELETE" else "pass"
    with pytest.raises(DBError):
        office.authors.get_by_id(ann._id).delete()
    assert contents(world, office) == before
    world.fate = lambda at, asked: "pass"
    office.authors.get_by_id(ann._id).delete()
    assert contents(world, office) == ({}, [])


def test_a_local_store_that_cannot_commit_undoes_what_can_be(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (a,) = world.seed({"title": "a"})
    kept = local(tmp_path)
    store = Store(world.redirect())
    with pytest.raises(BackoError), unit_of_work() as unit:
        Store(kept).create({"_id": "x"})
        store.save(a, {"title": "A"})
        store.create({"title": "b"})
        begun: Any = unit.at(kept.transaction_place())

        def fails() -> None:
            raise DBError("the disk is full")

        monkeypatch.setattr(begun, "commit", fails)
    assert [one["title"] for one in store.connector.find(Query(ALWAYS))] == ["a"]
    assert kept.count() == 0
    kept.close()
