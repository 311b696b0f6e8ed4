"""Books, authors and countries that point to each other in every way."""

from collections.abc import Callable
from typing import Any

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    Dict,
    FillStrategy,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    String,
)
from backo.connectors.memory import DBMemoryConnector

__all__ = ["fill", "library"]

type Document = dict[str, Any]
type Make = Callable[[str], DBConnector]


def _book() -> dict[str, Any]:
    return {
        "title": String(),
        "pages": Int(),
        "author": Ref(coll="authors", field="$.books"),
        "editor": Ref(coll="authors", field="$.more.edited"),
        "loans": List(Dict({"by": Ref(coll="authors"), "days": Int()})),
        "seen": List(Ref(coll="authors")),
        "secret": Ref(coll="authors", can_read=False),
    }


def _author() -> dict[str, Any]:
    return {
        "name": String(),
        "born": Int(),
        "hidden": String(can_read=False),
        "nationality": Ref(coll="nationalities"),
        "books": RefsList(coll="books", field="$.author"),
        "more": Dict(
            {
                "edited": RefsList(
                    coll="books", field="$.editor", ofs=FillStrategy.NOT_FILL
                ),
                "friend": Ref(coll="authors"),
            }
        ),
    }


def library(
    make: Make = lambda _name: DBMemoryConnector(),
    rights: dict[str, dict[str, Any]] | None = None,
    **added: dict[str, Any],
) -> Backoffice:
    """The office ``library``. ``rights`` are options of its collections, ``added``
    fields of their items, by the name of the collection."""
    office = Backoffice("library", page_size=5, max_page_size=100)
    schemas = {
        "books": _book(),
        "authors": _author(),
        "nationalities": {"a2": String(), "people": Int()},
        "secrets": {"text": String()},
    }
    options = {"secrets": {"can_read": False}, **(rights or {})}
    for name, schema in schemas.items():
        item = Item(schema | added.get(name, {}), meta_data_handler=None)
        office.register_collection(
            Collection(name, item, make(name), **options.get(name, {}))
        )
    return office


FRANCE = {"_id": "fr", "a2": "FR", "people": 68}
ITALY = {"_id": "it", "a2": "IT", "people": 59}
ZOLA = {"_id": "zola", "name": "Zola", "born": 1840, "nationality": "fr"}
VERNE = {"_id": "verne", "name": "Verne", "born": 1828, "nationality": "fr"}
DANTE = {"_id": "dante", "name": "Dante", "born": 1265, "nationality": "it"}
NOBODY: Document = {"_id": "nobody"}
NANA = {"_id": "nana", "title": "Nana", "pages": 500, "author": "zola"}
GERMINAL = {"_id": "germinal", "title": "Germinal", "pages": 590, "author": "zola"}
AROUND = {"_id": "around", "title": "Around the World", "author": "verne"}
COMEDY = {"_id": "comedy", "title": "Comedy", "pages": 700, "author": "dante"}
ORPHAN = {"_id": "orphan", "title": "Orphan"}


def fill(office: Backoffice) -> Backoffice:
    """Both halves of each link, written past everything that keeps them."""
    held: dict[str, list[Document]] = {
        "nationalities": [FRANCE, ITALY],
        "authors": [
            {**ZOLA, "books": ["nana", "germinal"], "hidden": "x"},
            {**VERNE, "books": ["around"], "more": {"friend": "zola"}},
            {**DANTE, "books": ["comedy"], "more": {"friend": "verne"}},
            NOBODY,
        ],
        "books": [
            {**NANA, "editor": "verne", "seen": ["zola", "dante"]},
            {**GERMINAL, "loans": [{"by": "dante", "days": 3}]},
            {**AROUND, "editor": "verne", "loans": [{"by": "zola"}, {"days": 9}]},
            {**COMEDY, "editor": "zola", "secret": "zola"},
            {**ORPHAN, "author": None, "editor": "gone", "seen": ["gone"]},
        ],
    }
    for name, documents in held.items():
        for one in documents:
            office.collection(name).db_handler.create(one)
    return office
