"""A reference that the caller may not read is not to be had from its other half."""

import json
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    FillStrategy,
    Item,
    Ref,
    RefsList,
    Selection,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from tests.http.asking import Asking, asking


def of_user(_right: str, _item: Any) -> bool:
    return False


def of_item(_right: str, item: Any) -> bool:
    return item is None


def library(right: Any, author: str) -> Asking:
    """A book whose author is hidden; authors that keep no ids."""
    schemas = {
        "books": {
            "title": String(),
            "author": Ref(coll="authors", field="$.books", can_read=right),
        },
        "authors": {
            "name": String(),
            "books": RefsList(
                coll="books", field="$.author", ofs=FillStrategy.NOT_FILL
            ),
        },
    }
    office = Backoffice("office")
    for name, schema in schemas.items():
        item = Item(schema, meta_data_handler=None)
        office.register_collection(Collection(name, item, DBMemoryConnector()))
    titles = Selection(["$.name", "$.books.title"])
    office.collection("authors").register_selection("titles", titles)
    for _id in ("a1", "a2"):
        office.collection("authors").db_handler.create({"_id": _id, "name": _id})
    book = {"_id": "b1", "title": "Emma", "author": author}
    office.collection("books").db_handler.create(book)
    return asking(office)


WAYS = {
    "expand": ("authors_list", "_expand=books"),
    "expand_one": ("authors_get", "_expand=books"),
    "filter": ("authors_list", "books.title=Emma"),
    "not": ("authors_list", f"filter={json.dumps({'$not': {'books.title': 'Emma'}})}"),
    "exists": ("authors_list", "books.title.$exists=true"),
    "selector": ("authors_select_titles", ""),
}


@pytest.mark.parametrize("right", [False, of_user, of_item])
@pytest.mark.parametrize("way", WAYS)
def test_a_list_without_ids_tells_nothing_of_it(way: str, right: Any) -> None:
    operation, query = WAYS[way]
    answers = [
        library(right, author)(operation, _id="a1", query=query)
        for author in ("a1", "a2")
    ]
    assert answers[0] == answers[1]
    assert answers[0].status < 500
