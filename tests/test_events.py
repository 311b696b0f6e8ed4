"""Events through the whole life of an item, from Python and from requests."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    BackoError,
    Backoffice,
    Collection,
    DBConnector,
    Dict,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    SConstraintError,
    SRightError,
    String,
    transaction,
)
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from tests.inprocess import ADAPTERS, Ask, asking
from tests.references.stores import STORES, Make

type Document = dict[str, Any]
type Handler = Callable[..., None]

EVENTS = ["loaded", "created", "before_save", "saved", "before_delete"]
PLACES = ["$", "$.shelf", "$.shelf.row", "$.rows", "$.rows[0]", "$.rows[0].n"]
BODY = {"title": "Emma", "shelf": {"row": 1}, "rows": [{"n": 1}]}


@dataclasses.dataclass
class Failed(Exception):  # noqa: N818
    """The answer was a problem."""

    status: int


class InPython:
    """Does it with Items, each change in one transaction."""

    def __init__(self, office: Backoffice) -> None:
        self.books = office.collection("books")

    def create(self, body: Document) -> str:
        _id: str = self.books.create(body)._id.get_value()
        return _id

    def change(self, _id: str, body: Document) -> None:
        with transaction.unit_of_work():
            item = self.books.get_by_id(_id)
            item.set(body)
            item.save()

    def delete(self, _id: str) -> None:
        with transaction.unit_of_work():
            self.books.get_by_id(_id).delete()


class ByRequests:
    """Does it with requests."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def create(self, body: Document) -> str:
        _id: str = json.loads(self._done("POST", "", body))["_id"]
        return _id

    def change(self, _id: str, body: Document) -> None:
        self._done("PUT", f"/{_id}", body)

    def delete(self, _id: str) -> None:
        self._done("DELETE", f"/{_id}")

    def _done(self, method: str, path: str, body: Any = None) -> bytes:
        answer = self.ask(method, f"/office/books{path}", body)
        if answer.status >= 400:
            raise Failed(answer.status)
        return answer.body


type Way = InPython | ByRequests


@pytest.fixture(params=STORES)
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """The stores of one sort; ``mixed``: each collection in another."""
    # The tests cut no power, and waiting for the disk is most of their time.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    made: dict[str, DBConnector] = {}
    maker = STORES[request.param](tmp_path)

    def keep(name: str) -> DBConnector:
        return made.setdefault(name, maker(name))

    yield keep
    for connector in made.values():
        connector.close()


def memory(_name: str) -> DBConnector:
    return DBMemoryConnector()


@pytest.fixture(params=["python", *ADAPTERS])
def way(request: pytest.FixtureRequest) -> Iterator[Callable[[Backoffice], Way]]:
    """A way to do things to the books of an office."""
    with contextlib.ExitStack() as opened:

        def of(office: Backoffice) -> Way:
            if request.param == "python":
                return InPython(office)
            return ByRequests(opened.enter_context(asking(request.param, office)))

        yield of


def shop(make: Make, on: Callable[[str], list[tuple[str, Handler]]]) -> Backoffice:
    """Books, of which each node has the handlers ``on(its place)``, and a log."""
    rows = List(
        Dict({"n": Int(on=on("$.rows[0].n"))}, on=on("$.rows[0]")), on=on("$.rows")
    )
    shelf = Dict({"row": Int(on=on("$.shelf.row"))}, on=on("$.shelf"))
    book = Item({"title": String(), "shelf": shelf, "rows": rows}, on=on("$"))
    office = Backoffice("office")
    office.register_collection(Collection("books", book, make("books")))
    log = Item({"text": String(), "book": String()})
    office.register_collection(Collection("log", log, make("log")))
    return office


def stored(office: Backoffice) -> dict[str, list[Document]]:
    return {
        name: sorted(one.db_handler.find(Query()), key=lambda each: str(each["_id"]))
        for name, one in office.collections.items()
    }


# -- who is told, and of what ------------------------------------------------------


@dataclasses.dataclass
class Notes:
    """What handlers were told."""

    told: list[tuple[str, str, Any]] = dataclasses.field(default_factory=list)

    def on(self, *names: str) -> list[tuple[str, Handler]]:
        return [(name, self.note) for name in names]

    def note(self, event: str, root: Any, me: Any, **kwargs: Any) -> None:
        assert root is me.get_root() and isinstance(root, Item)
        self.told.append((event, me.path_name(), kwargs.get("transaction_id")))

    def taken(self) -> list[tuple[str, str, Any]]:
        told, self.told = self.told, []
        return told


def in_order(*events: str) -> list[tuple[str, str]]:
    return [(event, place) for event in events for place in PLACES]


def test_all_nodes_are_told_parents_first(
    make: Make, way: Callable[[Backoffice], Way]
) -> None:
    notes = Notes()
    office = shop(make, lambda _place: notes.on(*EVENTS))
    does = way(office)
    _id = does.create(BODY)
    created = notes.taken()
    assert [one[:2] for one in created] == in_order("before_save", "saved", "created")
    does.change(_id, {"title": "Persuasion"})
    changed = notes.taken()
    assert [one[:2] for one in changed] == in_order("loaded", "before_save", "saved")
    does.delete(_id)
    deleted = notes.taken()
    assert [one[:2] for one in deleted] == in_order("loaded", "before_delete")
    units = [{unit for _, _, unit in told} for told in (created, changed, deleted)]
    assert all(len(one) == 1 and None not in one for one in units)
    assert len(set.union(*units)) == 3


def test_every_answer_tells_of_loaded(way: Callable[[Backoffice], Way]) -> None:
    notes = Notes()
    office = shop(memory, lambda place: notes.on("loaded") if place == "$" else [])
    does = way(office)
    _id = does.create(BODY)
    if isinstance(does, ByRequests):
        for path in (f"/{_id}", "", "?title=Emma"):
            assert does.ask("GET", f"/office/books{path}").status == 200
    else:
        does.books.get_by_id(_id)
        does.books.select()
        does.books.select_one({"title": "Emma"})
    assert [one[:2] for one in notes.taken()] == [("loaded", "$")] * 3


def test_what_the_caller_may_not_read_is_told_all_the_same(
    way: Callable[[Backoffice], Way],
) -> None:
    def hide(_event: str, _root: Any, me: Any, **_: Any) -> None:
        me.set("*" * len(me.get_value()))

    hidden: dict[str, Any] = {"can_read": lambda _right, _item: False}
    told: dict[str, Any] = {"on": [("before_save", hide)]}
    below = Dict({"secret": String(**hidden, **told)}, **hidden)
    listed = List(String(**told), **hidden)
    secret = String(**hidden, **told)
    item = Item({"secret": secret, "below": below, "list": listed})
    office = Backoffice("office")
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    body = {"secret": "abc", "below": {"secret": "de"}, "list": ["f"]}
    way(office).create(body)
    (document,) = stored(office)["books"]
    assert document["secret"] == "***"
    assert document["below"] == {"secret": "**"}
    assert document["list"] == ["*"]


def test_what_does_not_exist_is_not_told(way: Callable[[Backoffice], Way]) -> None:
    notes = Notes()
    wings = Int(
        exists=lambda _value, root: root.kind == "bird", on=notes.on("before_save")
    )
    office = Backoffice("office")
    item = Item({"kind": String(), "wings": wings})
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    does = way(office)
    does.create({"kind": "fish"})
    assert notes.taken() == []
    does.create({"kind": "bird", "wings": 2})
    assert [place for _, place, _ in notes.taken()] == ["$.wings"]


def test_check_syntax_is_told_to_every_declared_node() -> None:
    notes = Notes()

    def note(event: str, _root: Any, me: Any, **_: Any) -> None:
        notes.told.append((event, me.path_name(), None))

    office = shop(memory, lambda _place: [("check_syntax", note)])
    assert office.check_syntax() == []
    assert [place for _, place, _ in notes.taken()] == PLACES[:4]


# -- all or nothing ----------------------------------------------------------------


def writing(office: Callable[[], Backoffice], text: str) -> Handler:
    """A handler that writes to the log."""

    def write(event: str, root: Any, _me: Any, **_: Any) -> None:
        title = root.title.get_value()
        office().collection("log").create({"text": f"{event} {text}", "book": title})

    return write


WRITES: dict[str, Callable[[Way, str], Any]] = {
    "create": lambda does, _id: does.create({**BODY, "title": "new"}),
    "change": lambda does, _id: does.change(_id, {"title": "new"}),
    "delete": lambda does, _id: does.delete(_id),
}
HEARD = {
    "create": ["before_save", "saved", "created"],
    "change": ["loaded", "before_save", "saved"],
    "delete": ["loaded", "before_delete"],
}


@pytest.mark.parametrize("write", WRITES)
def test_a_handler_that_raises_undoes_what_all_handlers_wrote(
    make: Make, way: Callable[[Backoffice], Way], write: str
) -> None:
    """It is the last of each event to be told, and raises in turn for each."""
    failing: list[tuple[str, type[Exception]]] = []

    def fail(event: str, _root: Any, me: Any, **_: Any) -> None:
        for name, error in failing:
            if name == event:
                raise error(f"{me.path_name()} says no")

    def on(place: str) -> list[tuple[str, Handler]]:
        if place == "$.rows[0].n":
            return [(event, fail) for event in EVENTS]
        note = writing(lambda: office, place)
        return [(event, note) for event in EVENTS] if place in PLACES[:2] else []

    office = shop(make, on)
    does = way(office)
    _id = does.create(BODY)
    for event in HEARD[write]:
        for error, status in ((ValueError, 500), (SConstraintError, 422)):
            before = stored(office)
            failing[:] = [(event, error)]
            with pytest.raises((error, Failed)) as caught:
                WRITES[write](does, _id)
            failing.clear()
            assert stored(office) == before
            if isinstance(caught.value, Failed):
                assert caught.value.status == status
    count = len(stored(office)["log"])
    WRITES[write](does, _id)
    assert len(stored(office)["log"]) == count + 2 * len(HEARD[write])


def test_what_a_handler_wrote_goes_with_a_write_that_fails_after_it(
    make: Make,
) -> None:
    office = shop(
        make,
        lambda place: (
            [("before_save", writing(lambda: office, place))] if place == "$" else []
        ),
    )
    books = office.collection("books")
    books.create({"_id": "emma", **BODY})
    before = stored(office)
    with pytest.raises(BackoError):
        books.create({"_id": "emma", **BODY})
    assert stored(office) == before


@pytest.mark.parametrize("joins", ["by itself", "by id", "as a part"])
def test_a_handler_joins_the_transaction(
    make: Make, way: Callable[[Backoffice], Way], joins: str
) -> None:
    """In one way or another; then another handler raises, or does not."""
    failing = False
    seen: list[int] = []

    def write(_event: str, root: Any, _me: Any, **kwargs: Any) -> None:
        log, number = office.collection("log"), kwargs["transaction_id"]
        seen.append(number)
        document = {"book": root.title.get_value()}
        if joins == "by itself":
            log.create(document)
        elif joins == "by id":
            log.create(document, transaction_id=number)
        else:
            with transaction.unit_of_work(number):
                log.create(document)

    def fail(*_: Any, **__: Any) -> None:
        if failing:
            raise ValueError

    def on(place: str) -> list[tuple[str, Handler]]:
        return {"$": [("saved", write)], "$.shelf": [("saved", fail)]}.get(place, [])

    office = shop(make, on)
    does = way(office)
    does.create(BODY)
    before = stored(office)
    assert len(before["log"]) == 1
    failing = True
    with pytest.raises((ValueError, Failed)):
        does.create(BODY)
    assert stored(office) == before
    assert len(set(seen)) == 2


def test_a_handler_that_mends_its_own_failure_loses_only_that(make: Make) -> None:
    def write(_event: str, root: Any, _me: Any, **_: Any) -> None:
        log = office.collection("log")
        log.create({"_id": "kept"})
        with contextlib.suppress(ValueError), transaction.unit_of_work():
            log.create({"_id": "lost"})
            raise ValueError
        root.title = "mended"

    office = shop(make, lambda place: [("before_save", write)] if place == "$" else [])
    office.collection("books").create(BODY)
    found = stored(office)
    assert [one["_id"] for one in found["log"]] == ["kept"]
    assert [one["title"] for one in found["books"]] == ["mended"]


def test_a_handler_may_write_to_its_own_collection(
    make: Make, way: Callable[[Backoffice], Way]
) -> None:
    def copy(_event: str, root: Any, _me: Any, **_: Any) -> None:
        if root.title != "copy":
            office.collection("books").create({"title": "copy"})

    office = shop(make, lambda place: [("created", copy)] if place == "$" else [])
    way(office).create(BODY)
    found = stored(office)["books"]
    assert sorted(one["title"] for one in found) == ["Emma", "copy"]


def test_what_a_change_sets_off_is_part_of_the_write(
    make: Make, way: Callable[[Backoffice], Way]
) -> None:
    """``on_change=`` is a handler too. The right is asked again when it has written."""

    def wrote(*_: Any) -> None:
        office.collection("log").create({"text": "changed"})

    def is_open(_right: str, item: Any) -> bool:
        return bool(item.title != "closed")

    office = Backoffice("office")
    item = Item({"title": String()}, on_change=wrote)
    books = Collection("books", item, make("books"), can_modify=is_open)
    office.register_collection(books)
    log = Item({"text": String()})
    office.register_collection(Collection("log", log, make("log")))
    does = way(office)
    _id = does.create({"title": "a"})
    does.change(_id, {"title": "b"})
    before = stored(office)
    with pytest.raises((SRightError, Failed)):
        does.change(_id, {"title": "closed"})
    assert stored(office) == before


def test_what_is_written_on_loading_for_a_write_is_undone_with_it(make: Make) -> None:
    note = writing(lambda: office, "$")
    office = shop(make, lambda place: [("loaded", note)] if place == "$" else [])
    books = office.collection("books")
    _id = books.create(BODY)._id.get_value()
    before = stored(office)

    def change(_document: Document) -> Document:
        raise ValueError

    with pytest.raises(ValueError):
        books.access.modify(_id, Changes(change), "client", None)
    assert stored(office) == before
    books.access.remove(_id, "client", None)
    assert len(stored(office)["log"]) == 1


def test_the_other_half_of_a_link_has_handlers_of_the_same_write(
    make: Make, way: Callable[[Backoffice], Way]
) -> None:
    notes = Notes()
    failing = False

    def fail(*_: Any, **__: Any) -> None:
        if failing:
            raise ValueError

    office = Backoffice("office")
    author = Item(
        {"books": RefsList(coll="books", field="$.author")},
        on=[*notes.on("loaded", "before_save", "saved"), ("saved", fail)],
    )
    book = Item(
        {"title": String(), "author": Ref(coll="authors", field="$.books")},
        on=notes.on("before_save", "saved"),
    )
    office.register_collection(Collection("books", book, make("books")))
    office.register_collection(Collection("authors", author, make("authors")))
    office.collection("authors").create({"_id": "austen"})
    notes.taken()
    does = way(office)
    does.create({"title": "Emma", "author": "austen"})
    told = notes.taken()
    assert [event for event, _, _ in told] == [
        *("before_save", "loaded", "before_save", "saved", "saved"),
    ]
    assert len({unit for _, _, unit in told}) == 1
    before, failing = stored(office), True
    with pytest.raises((ValueError, Failed)):
        does.create({"title": "Persuasion", "author": "austen"})
    assert stored(office) == before
