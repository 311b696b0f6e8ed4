"""A publisher's countries, authors, books and tags, and whether their links agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backo import (
    Backoffice,
    Collection,
    DeleteStrategy,
    Int,
    Item,
    Ref,
    RefsList,
    String,
)
from tests.references.stores import Make

__all__ = ["LINKS", "agree", "contents", "opened", "press"]

type Document = dict[str, Any]
type Contents = dict[str, dict[str, Document]]

LINKS = (
    ("authors", "country", "countries", "authors"),
    ("books", "author", "authors", "books"),
    ("books", "tags", "tags", "books"),
)
"""Both ends of each link."""

_TOO = DeleteStrategy.DELETE_REFERENCED_ITEMS
_UNLINK = DeleteStrategy.UNLINK_REFERENCED_ITEMS


def press(make: Make, numbers: int = 0) -> Backoffice:
    """A country goes with its authors, an author with the books. Notes point to
    nothing. Authors and notes have so many ``numbers`` besides: ``n0``, ``n1``, …"""
    counters = {f"n{n}": Int() for n in range(numbers)}
    schemas: dict[str, dict[str, Any]] = {
        "countries": {"authors": RefsList(coll="authors", field="$.country", ods=_TOO)},
        "authors": {
            **counters,
            "country": Ref(coll="countries", field="$.authors"),
            "books": RefsList(coll="books", field="$.author", ods=_TOO),
        },
        "books": {
            "author": Ref(coll="authors", field="$.books"),
            "tags": RefsList(coll="tags", field="$.books", ods=_UNLINK),
        },
        "tags": {"books": RefsList(coll="books", field="$.tags", ods=_UNLINK)},
        "notes": counters,
    }
    office = Backoffice("press", page_size=1000)
    for name, schema in schemas.items():
        item = Item({"name": String(), **schema})
        office.register_collection(Collection(name, item, make(name)))
    assert office.check_syntax() == []
    return office


@contextmanager
def opened(make: Make, numbers: int = 0) -> Iterator[Backoffice]:
    """The backoffice, until its stores are closed."""
    office = press(make, numbers)
    try:
        yield office
    finally:
        for collection in office.collections.values():
            collection.db_handler.close()


def contents(office: Backoffice) -> Contents:
    """Every document, by collection and id."""
    return {
        name: {one["_id"]: one for one in collection.db_handler.select({})}
        for name, collection in office.collections.items()
    }


def agree(held: Contents) -> bool:
    """Whether both halves of each link are there, and each once."""
    return all(
        sorted(_pairs(held[here], field)) == sorted(_turned(held[there], back))
        for here, field, there, back in LINKS
    )


def _pairs(documents: dict[str, Document], field: str) -> Iterator[tuple[str, str]]:
    for _id, document in documents.items():
        value = document.get(field) or []
        for other in [value] if isinstance(value, str) else value:
            yield _id, other


def _turned(documents: dict[str, Document], field: str) -> Iterator[tuple[str, str]]:
    return ((other, _id) for _id, other in _pairs(documents, field))
