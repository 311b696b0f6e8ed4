"""Books and authors for files to be imported into."""

from typing import Any

from backo import (
    Backoffice,
    Bool,
    Collection,
    Dict,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    String,
)
from tests.references.stores import Make

__all__ = ["shop"]


def shop(make: Make, rights: dict[str, Any] | None = None, **added: Any) -> Backoffice:
    """An office of books and authors; ``added`` are more fields of books."""
    book = {
        "title": String(required=True),
        "pages": Int(min=1),
        "lent": Bool(default=False),
        "tags": List(String()),
        "shelf": Dict({"room": String(default="hall"), "row": Int(max=9)}),
        "author": Ref(coll="authors", field="$.books"),
        "sequel": Ref(coll="books"),
    }
    author = {
        "name": String(required=True),
        "books": RefsList(coll="books", field="$.author"),
    }
    office = Backoffice("shop")
    for name, schema in (("authors", author), ("books", book | added)):
        options = rights or {}
        model = Item(schema)
        office.register_collection(Collection(name, model, make(name), **options))
    return office
