"""Items that nobody gets: ``refuse_filter=`` of a collection and ``restriction=`` of a
connector, over every store, in every use case."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Action,
    Backoffice,
    Collection,
    DBConnector,
    DBMongoConnector,
    DBSqliteConnector,
    DBYmlConnector,
    DeleteStrategy,
    Int,
    Item,
    List,
    NotFoundError,
    Ref,
    RefsList,
    Selection,
    String,
)
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.http.handlers import JSON_PATCH
from tests.conformance.conftest import SixMethods
from tests.conformance.far import far, redirecting
from tests.http.asking import Asking, asking
from tests.mongo import Mongo, database_of

type Document = dict[str, Any]

GONE = {"state": "gone"}
THERE = {"state": ("$ne", "gone")}

type Make = Callable[..., DBConnector]
"""From a collection's name and options to its connector."""

STORES: dict[str, Callable[[Path], Make]] = {
    "memory": lambda folder: lambda name, **options: DBMemoryConnector(**options),
    "six methods": lambda folder: lambda name, **options: SixMethods(**options),
    "yml": lambda folder: (
        lambda name, **options: DBYmlConnector(path=folder / name, **options)
    ),
    "sqlite": lambda folder: (
        lambda name, **options: DBSqliteConnector(
            path=folder / "all.db", table=name, synchronous="OFF", **options
        )
    ),
}
SERVED = ("mongo", "redirect")
HOW = ("refuse_filter", "restriction")
EVENTS: dict[str, Any] = {"documents": (), "items": ("loaded", "before_save")}
WORLDS = [
    *itertools.product(STORES, HOW, EVENTS),
    # What Items do besides is the same over every store, and these take long.
    *itertools.product(SERVED, HOW, ["documents"]),
]


def nothing(*_args: Any, **_kwargs: Any) -> None:
    """A handler that makes everything go through Items."""


class Library:
    """Authors and their books. Of the authors, hugo is gone; of the books, drowned."""

    def __init__(
        self, make: Make, how: str, events: Any, keeper: Backoffice | None
    ) -> None:
        self.on = False
        self.make, self.how, self.keeper = make, how, keeper
        self.events = [(event, nothing) for event in events]
        self.office = Backoffice("office")
        books = RefsList(
            coll="books", field="$.author", ods=DeleteStrategy.UNLINK_REFERENCED_ITEMS
        )
        self._add("authors", {"name": String(), "books": books})
        self._add(
            "books",
            {
                "title": String(),
                "author": Ref(coll="authors", field="$.books"),
                "loans": Int(default=0),
            },
        )
        # Computed, so that it goes through Items, yet no unit of work is needed.
        seen = {"seen": Int(set=lambda root: 1)} if events else {}
        self._add("notes", {"title": String(), **seen}, on=[])
        self.books.register_action("lend", Action({}, lend))
        self.books.register_selection("titles", Selection(["$.title"]))
        self.books.register_selection(
            "authors", Selection(["$.title", "$.author.name"])
        )
        self.fill()
        self.on = True
        self.ask: Asking = asking(self.office)

    def _add(self, name: str, schema: Document, on: Any = None) -> None:
        restricted = {"restriction": lambda: THERE if self.on else None}
        refused: Any = {"refuse_filter": lambda: GONE if self.on else {"_id": "none"}}
        options = restricted if self.how == "restriction" else {}
        connector = self.make(name, **options)
        events = self.events if on is None else on
        item = Item({**schema, "state": String()}, on=events)
        rights = refused if self.how == "refuse_filter" else {}
        self.office.register_collection(Collection(name, item, connector, **rights))

    def fill(self) -> None:
        for collection in (self.keeper or self.office).collections.values():
            collection.db_handler.drop()
            collection.db_handler.generate_id = _named  # type: ignore[assignment, method-assign]
        for name, state in (("Zola", None), ("Hugo", "gone"), ("Sand", "old")):
            self.authors.create({"name": name, "state": state})
        for title, author, state in (
            ("Nana", "zola", None),
            ("Drowned", "zola", "gone"),
            ("Notre-Dame", "hugo", None),
            ("Consuelo", "sand", "old"),
        ):
            self.books.create({"title": title, "author": author, "state": state})
        self.office.collection("notes").create({"title": "Note"})

    @property
    def books(self) -> Collection:
        return self.office.collection("books")

    @property
    def authors(self) -> Collection:
        return self.office.collection("authors")

    def get(self, operation: str, query: str = "", **options: Any) -> Any:
        answer = self.ask(operation, query=query, **options)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def all_stored(self) -> dict[str, list[Document]]:
        """Whatever may be seen."""
        self.on, before = False, self.on
        try:
            return {
                name: sorted(one.db_handler.find(Query()), key=lambda two: two["_id"])
                for name, one in self.office.collections.items()
            }
        finally:
            self.on = before


def _named(document: Document) -> str:
    return str(document.get("name") or document["title"]).lower()


def lend(_action: Any, item: Any) -> None:
    item.loans += 1


@pytest.fixture(scope="module")
def mongo(mongo_server: Mongo) -> Iterator[Make]:
    with database_of(mongo_server) as uri:
        yield lambda name, **options: DBMongoConnector(connection_string=uri, **options)


def kept() -> dict[str, Item]:
    """What another server needs to know of the collections."""
    return {
        "authors": Item({"name": String(), "books": List(String()), "state": String()}),
        "books": Item(
            {"title": String(), "author": String(), "loans": Int(), "state": String()}
        ),
        "notes": Item({"title": String(), "state": String()}),
    }


@pytest.fixture(scope="module")
def elsewhere(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Make, Backoffice]]:
    """Stores that lead to another server, and what it serves."""
    office = far(tmp_path_factory.mktemp("far"), kept())
    with redirecting(office) as (make,):
        yield make, office
    for collection in office.collections.values():
        collection.db_handler.close()


@pytest.fixture(params=WORLDS, ids="-".join)
def library(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Library]:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    store, how, events = request.param
    keeper = None
    if store == "redirect":
        make, keeper = request.getfixturevalue("elsewhere")
    elif store == "mongo":
        make = request.getfixturevalue("mongo")
    else:
        make = STORES[store](tmp_path)
    made = Library(make, how, EVENTS[events], keeper)
    yield made
    for collection in made.office.collections.values():
        collection.db_handler.close()


def ids(answer: Any) -> list[str]:
    return [one["_id"] for one in answer["result"]]


SEEN = ["consuelo", "nana", "notre-dame"]


def test_lists_and_totals_are_without_them(library: Library) -> None:
    whole = library.get("books_list")
    assert (ids(whole), whole["total"]) == (SEEN, 3)
    page = library.get("books_list", "_page=2&_skip=1&_sort=-$.title")
    assert (ids(page), page["total"]) == (["nana", "consuelo"], 3)
    assert ids(library.get("books_list", "_total=0")) == SEEN
    for query in ("state=gone", "title=Drowned", "_id=drowned", "_id.$in=drowned"):
        found = library.get("books_list", query)
        assert (found["result"], found["total"]) == ([], 0)
    for query in ("state.$ne=old", "loans.$gte=0&state.$exists=false"):
        assert ids(library.get("books_list", query)) == ["nana", "notre-dame"]


def test_selections_are_without_them(library: Library) -> None:
    found = library.get("books_select_titles")
    assert [row[0] for row in found["result"]] == SEEN
    assert found["total"] == 3
    assert ids(library.get("books_select__all")) == SEEN
    body = {"$or": [{"title": "Drowned"}, {"title": "Nana"}]}
    found = library.get("books_search_titles", body=body)
    assert found["result"] == [["nana", "Nana"]]
    rows = library.get("books_select_authors", "_sort=$.title")["result"]
    assert rows == [
        ["consuelo", "Consuelo", "Sand"],
        ["nana", "Nana", "Zola"],
        ["notre-dame", "Notre-Dame", None],
    ]


REQUESTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "books_get": (None, {}),
    "books_update": ({"title": "x"}, {}),
    "books_patch": (
        {"op": "replace", "path": "/title", "value": "x"},
        {"media": JSON_PATCH},
    ),
    "books_delete": (None, {}),
    "books_do_lend": ({}, {}),
}


@pytest.mark.parametrize("guarded", [False, True], ids=["", "If-Match"])
@pytest.mark.parametrize("operation", REQUESTS)
def test_they_are_not_found_and_not_changed(
    library: Library, operation: str, guarded: bool
) -> None:
    body, options = REQUESTS[operation]
    headers = {"if-match": "*"} if guarded else {}
    before = library.all_stored()
    answers = [
        library.ask(operation, body, _id=_id, headers=headers, **options)
        for _id in ("drowned", "unknown")
    ]
    assert [one.status for one in answers] == [404, 404]
    hidden, unknown = (one.body.decode() for one in answers)
    assert hidden.replace("drowned", "unknown") == unknown
    assert library.all_stored() == before
    seen = library.ask(operation, body, _id="nana", headers=headers, **options)
    assert seen.status in (200, 204)


def test_items_in_python_are_not_found(library: Library) -> None:
    for _id in ("drowned", "unknown"):
        with pytest.raises(NotFoundError):
            library.books.get_by_id(_id)
        with pytest.raises(NotFoundError):
            library.books.select_one({"_id": _id})
    assert library.books.select({"state": "gone"}) == []
    assert library.books.get_many(["drowned"]) == []
    assert library.authors.get_by_id("zola").select("$.books.title") == ["Nana"]
    assert library.books.get_by_id("notre-dame").select("$.author.name") is None


def test_links_cannot_be_made_to_them(library: Library) -> None:
    def told(**asked: Any) -> list[Any]:
        answers = [
            library.ask(body=body, **asked)
            for body in ({"author": _id} for _id in ("hugo", "unknown"))
        ]
        return [(one.status, one.body.replace(b"hugo", b"unknown")) for one in answers]

    before = library.all_stored()
    for asked in (
        {"operation_id": "books_create"},
        {"operation_id": "books_update", "_id": "nana"},
    ):
        hidden, unknown = told(**asked)
        assert hidden[0] == 422
        assert hidden == unknown
    assert library.all_stored() == before
    questions = [
        library.get("books_check", body={"item": {"author": _id}, "path": "$.author"})
        for _id in ("hugo", "unknown", "sand")
    ]
    errors = [one["error"] for one in questions]
    assert errors[2] is None and errors[0] is not None
    assert errors[0].replace("hugo", "unknown") == errors[1]


def test_filters_do_not_look_into_them(library: Library) -> None:
    for query, found in (
        ("author.name=Hugo", []),
        ("author.name=Zola", ["nana"]),
        ("author.state=gone", []),
        ("author.name.$in=Hugo&author.name.$in=Sand", ["consuelo"]),
    ):
        assert ids(library.get("books_list", query)) == found
    assert ids(library.get("authors_list", "books.title=Drowned")) == []
    assert ids(library.get("authors_list", "books.title=Nana")) == ["zola"]


def test_they_are_not_put_into_others(library: Library) -> None:
    (book,) = library.get("books_list", "_id=notre-dame&_expand=author")["result"]
    assert not isinstance(book["author"], dict)
    author = library.get("authors_get", "_expand=books", _id="zola")
    assert [one["_id"] for one in author["books"] if isinstance(one, dict)] == ["nana"]
    assert "Drowned" not in json.dumps(author)


def test_what_leads_to_them_can_be_changed(library: Library) -> None:
    answer = library.ask("books_update", {"title": "Quasimodo"}, _id="notre-dame")
    assert answer.status == 200
    book = next(
        one for one in library.all_stored()["books"] if one["_id"] == "notre-dame"
    )
    assert (book["title"], book["author"]) == ("Quasimodo", "hugo")
    assert library.ask("authors_update", {"name": "Z"}, _id="zola").status == 200
    author = library.all_stored()["authors"][-1]
    assert (author["name"], sorted(author["books"])) == ("Z", ["drowned", "nana"])


@pytest.mark.parametrize("operation", ["books_update", "books_patch"])
def test_a_change_can_move_an_item_out_of_sight(
    library: Library, operation: str
) -> None:
    body: Any = {"state": "gone"}
    options: dict[str, Any] = {}
    if operation == "books_patch":
        body = {"op": "add", "path": "/state", "value": "gone"}
        options = {"media": JSON_PATCH}
    answer = library.ask(operation, body, _id="nana", **options)
    assert answer.status in (200, 204)
    assert library.ask("books_get", _id="nana").status == 404
    assert ids(library.get("books_list")) == ["consuelo", "notre-dame"]
    assert library.ask(operation, body, _id="nana", **options).status == 404


def out_of_sight(library: Library) -> None:
    """As another process does it, between reading and writing."""
    store = library.office.collection("notes").db_handler
    library.on = False
    store.save("note", {**store.get_by_id("note"), "state": "gone", "title": "theirs"})
    library.on = True


def once(library: Library, given: Any) -> Callable[[Document], Any]:
    """A function of the document that has been read; at first it goes out of sight."""
    calls: list[int] = []

    def asked(_document: Document) -> Any:
        if not calls:
            out_of_sight(library)
        calls.append(1)
        return given

    return asked


def test_what_goes_out_of_sight_meanwhile_is_not_found(library: Library) -> None:
    access = library.office.collection("notes").access
    change = Changes(once(library, {"title": "mine"}))
    acts: list[Callable[[], Any]] = [
        lambda: access.modify("note", change, "client", None),
        lambda: access.remove("note", "client", once(library, None)),
    ]
    for act in acts:
        with pytest.raises(NotFoundError):
            act()
        (note,) = library.all_stored()["notes"]
        assert (note["title"], note["state"]) == ("theirs", "gone")
        library.on = False
        access.owner.db_handler.save("note", {**note, "state": None})
        library.on = True


def test_an_item_that_was_loaded_before_is_not_saved(library: Library) -> None:
    item = library.office.collection("notes").get_by_id("note")
    out_of_sight(library)
    item.title = "mine"
    with pytest.raises(NotFoundError):
        item.save()
    with pytest.raises(NotFoundError):
        item.delete()
    (note,) = library.all_stored()["notes"]
    assert (note["title"], note["state"]) == ("theirs", "gone")


def test_other_halves_of_links_are_kept_out_of_sight(library: Library) -> None:
    """Who deletes an author leaves no book with a link that leads nowhere, where the
    collection hides it; what a store does not give out is not touched."""
    assert library.ask("authors_delete", _id="zola").status == 204
    books = {one["_id"]: one for one in library.all_stored()["books"]}
    assert books["nana"].get("author") is None
    if library.how == "refuse_filter":
        assert books["drowned"].get("author") is None
    else:
        assert books["drowned"]["author"] == "zola"
