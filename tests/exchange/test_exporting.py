"""The documents of a collection, written to a file."""

import json
from typing import Any

import pytest

from backo import Backoffice, Dict, Int, List, String
from backo.connectors.memory import DBMemoryConnector
from backo.errors import BackoError, FilterError
from backo.exchange.exporting import Export
from tests.exchange.exchanging import exported
from tests.exchange.shop import shop
from tests.offices import one


@pytest.fixture
def office() -> Backoffice:
    office = shop(
        lambda _name: DBMemoryConnector(),
        notes=String(views=["!client"]),
        secret=String(can_read=False),
        guarded=String(can_read=lambda _right, _item: False),
        double=Int(set=lambda root: root.pages * 2),
    )
    office.authors.create({"_id": "a", "name": "A"})
    office.authors.create({"_id": "b", "name": "B"})
    for _id, pages, author in (("x", 1, "a"), ("y", 2, "b"), ("z", 3, "a")):
        office.books.create(
            {"_id": _id, "title": _id.upper(), "pages": pages, "author": author}
        )
    return office


def ids(text: str) -> list[str]:
    return [json.loads(line)["_id"] for line in text.splitlines()]


def test_json_lines_hold_whole_documents_with_keys_in_the_schemas_order() -> None:
    things = one(
        {"b": Int(), "a": List(Dict({"y": Int(), "x": Int()}))},
        item={"meta_data_handler": None},
    )
    document = {"more": {"q": 1, "p": 2}, "a": [{"x": 1, "new": 0, "y": 2}], "b": 3}
    things.db_handler.create({"_id": "é", **document})
    assert exported(things) == (
        '{"_id":"é","b":3,"a":[{"y":2,"x":1,"new":0}],"more":{"q":1,"p":2}}\n'
    )
    assert exported(things, "csv") == (
        '_id,b,a\r\né,3,"[{""y"":2,""x"":1,""new"":0}]"\r\n'
    )


def test_an_empty_collection_gives_an_empty_file_or_a_header() -> None:
    things = one({"a": Int()}, item={"meta_data_handler": None})
    assert exported(things) == ""
    assert exported(things, "csv") == "_id,a\r\n"


def test_everything_stored_is_exported_whoever_may_read_it(office: Backoffice) -> None:
    office.books.create(
        {"_id": "w", "title": "W", "pages": 1, "secret": "s", "notes": "n"}
    )
    first = json.loads(exported(office.books).splitlines()[0])
    assert (first["secret"], first["notes"]) == ("s", "n")
    assert "double" not in first
    assert "_meta" in first


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"pages": ["$gt", 1]}, ["y", "z"]),
        ({"author.name": "A"}, ["x", "z"]),
        ({"$or": [{"title": "X"}, {"author": "b"}], "pages": 2}, ["y"]),
        ({}, ["x", "y", "z"]),
    ],
)
def test_a_filter_says_which(office: Backoffice, filter: Any, found: list[str]) -> None:
    assert ids(exported(office.books, filter=filter)) == found


def test_filters_look_where_nobody_may(office: Backoffice) -> None:
    office.books.create({"_id": "w", "title": "W", "pages": 1, "secret": "s"})
    assert ids(exported(office.books, filter={"secret": "s"})) == ["w"]
    closed = shop(lambda _name: DBMemoryConnector(), {"can_read": False})
    closed.authors.db_handler.create({"_id": "a", "name": "A"})
    closed.books.db_handler.create({"_id": "x", "title": "X", "author": "a"})
    assert ids(exported(closed.books, filter={"author.name": "A"})) == ["x"]


@pytest.mark.parametrize(
    "options",
    [
        {"filter": {"nope": 1}},
        {"filter": {"double": 2}},
        {"filter": {"author.nope": 1}},
        {"filter": [1]},
        {"view": "nope"},
        {"view": "save"},
    ],
)
def test_what_there_is_not_is_refused(
    office: Backoffice, options: dict[str, Any]
) -> None:
    with pytest.raises(FilterError):
        Export(office.books, **options)


def test_a_view_shows_what_it_would_but_asks_no_user(office: Backoffice) -> None:
    first = json.loads(exported(office.books, view="client").splitlines()[0])
    assert first["double"] == 2
    assert "guarded" in first
    assert not {"secret", "notes"} & set(first)
    header = exported(office.books, "csv", view="client").splitlines()[0].split(",")
    assert "double" in header
    assert "shelf.room" in header
    assert "secret" not in header


def test_a_view_of_documents_that_need_no_item() -> None:
    things = one({"a": Int(default=3), "b": Int(views=["!client"])})
    things.db_handler.create({"_id": "x", "b": 1})
    shown = json.loads(exported(things, view="client"))
    assert shown == {"_id": "x", "a": 3, "_meta": shown["_meta"]}


@pytest.mark.parametrize("value", [{"t": 5}, {"n": "x"}, {"n": True}, {"b": 1}])
def test_a_value_that_csv_could_not_bring_back_ends_the_export(
    value: dict[str, Any],
) -> None:
    from backo import Bool

    things = one({"t": String(), "n": Int(), "b": Bool()})
    things.db_handler.create({"_id": "x", **value})
    with pytest.raises(BackoError, match=r"x: \$\.[tnb]: is n.* JSON lines hold any"):
        exported(things, "csv")
    assert json.loads(exported(things)) == {"_id": "x", **value}


def test_documents_are_read_as_they_are_written() -> None:
    """A few at a time: nothing waits for the last document."""

    class Endless(DBMemoryConnector):
        def scan(self) -> Any:
            at = 0
            while True:
                at += 1
                yield {"_id": f"{at}"}

    office = shop(lambda _name: Endless())
    documents = Export(office.books).documents()
    assert [next(documents)["_id"] for _ in range(3)] == ["1", "2", "3"]
