"""The backoffice of the conformance suite, and what another keeps for it."""

from collections.abc import Callable
from typing import Any

from backo import (
    Backoffice,
    Bool,
    Collection,
    Datetime,
    Dict,
    Float,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    StandardMetaDataHandler,
    String,
    Url,
    current_user,
)
from backo.connectors.base import DBConnector, Document

__all__ = ["FixedClock", "Make", "MAX_BODY", "declared", "kept"]

type Make = Callable[[str], DBConnector]
"""From a collection's name to its connector."""

MAX_BODY = 20_000


class FixedClock(StandardMetaDataHandler):
    """Writes the same time on every item."""

    def stamp(self, document: Document, *, created: bool) -> None:
        super().stamp(document, created=created)
        document["_meta"] |= dict.fromkeys(
            ("ctime", "mtime"), "2024-02-29T12:00:00+00:00"
        )


def book() -> Item:
    """An Item that goes from document to document."""
    return Item(
        {
            "title": String(required=True, description="The title"),
            "isbn": String(pattern="^[0-9]{13}$"),
            "pages": Int(min=1, max=10_000),
            "score": Float(min=0.0, max=10.0),
            "genre": String(enum=["novel", "poetry"]),
            "tags": List(String(), uniq=True, max=5),
            "lent": Bool(default=False),
            "link": Url(),
            "published": Datetime(),
            "shelf": Dict({"room": String(default="hall"), "row": Int(min=1)}),
            "authors": List(Dict({"name": String(required=True), "born": Int()})),
            "secret": String(can_read=False),
            "stamp": String(can_modify=False, default="backo"),
        },
        meta_data_handler=FixedClock(),
    )


def note() -> Item:
    """An Item whose callables must see it."""
    return Item(
        {
            "text": String(required=True, constraint=_fragile),
            "size": Int(set=lambda root: len(root.text.get_value())),
            "owner": String(
                can_modify=lambda _right, _item: current_user.has_role("A")
            ),
            "hidden": Bool(default=False),
        },
        meta_data_handler=None,
    )


def _fragile(_root: Any, value: Any, _old: Any) -> Any:
    if value == "boom":
        raise RuntimeError("the constraint itself is broken")
    return value != "rude"


def not_hidden(_right: str, item: Any) -> bool:
    return not item.hidden.get_value()


def unlocked(_right: str, item: Any) -> bool:
    return bool(item.text.get_value() != "locked")


def linked() -> dict[str, dict[str, Any]]:
    """Novels and their writers, plays and their themes."""
    return {
        "novels": {
            "name": String(required=True),
            "writer": Ref(coll="writers", field="$.works"),
            "readers": RefsList(coll="writers"),
        },
        "writers": {
            "name": String(required=True),
            "hidden": Bool(default=False),
            "works": RefsList(coll="novels", field="$.writer"),
        },
        "plays": {
            "name": String(required=True),
            "theme": Ref(coll="themes", field="$.plays", required=True),
        },
        "themes": {
            "name": String(required=True),
            "plays": RefsList(coll="plays", field="$.theme"),
        },
    }


def declared(name: str, make: Make) -> Backoffice:
    """The backoffice of that name."""
    office = Backoffice(name, max_body_size=MAX_BODY)
    office.register_collection(Collection("books", book(), make("books")))
    rights: dict[str, Any] = {"can_read": not_hidden, "can_create": unlocked}
    rights |= {"can_modify": unlocked, "can_delete": unlocked}
    notes = Collection("notes", note(), make("notes"), **rights)
    office.register_collection(notes)
    frozen = Collection(
        "constants",
        Item({"value": Int()}, meta_data_handler=None),
        make("constants"),
        can_create=False,
        can_modify=False,
        can_delete=False,
    )
    office.register_collection(frozen)
    for name, fields in linked().items():
        item = Item(fields, meta_data_handler=FixedClock())
        can_read = not_hidden if name == "writers" else None
        office.register_collection(
            Collection(name, item, make(name), can_read=can_read)
        )
    return office


def kept() -> dict[str, Item]:
    """The same fields by collection, for another server to keep: with no rights, no
    constraints and no references, so that it decides nothing."""
    unstamped = ("notes", "constants")
    return {
        name: Item(
            fields, meta_data_handler=None if name in unstamped else FixedClock()
        )
        for name, fields in _kept().items()
    }


def _kept() -> dict[str, dict[str, Any]]:
    return {
        "books": {
            **{name: String() for name in ("title", "isbn", "genre", "secret")},
            "stamp": String(),
            "pages": Int(),
            "score": Float(),
            "tags": List(String()),
            "lent": Bool(),
            "link": Url(),
            "published": Datetime(),
            "shelf": Dict({"room": String(), "row": Int()}),
            "authors": List(Dict({"name": String(), "born": Int()})),
        },
        "notes": {"text": String(), "owner": String(), "hidden": Bool()},
        "constants": {"value": Int()},
        "novels": {
            "name": String(),
            "writer": String(),
            "readers": List(String()),
        },
        "writers": {"name": String(), "hidden": Bool(), "works": List(String())},
        "plays": {"name": String(), "theme": String()},
        "themes": {"name": String(), "plays": List(String())},
    }
