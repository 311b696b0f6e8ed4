"""A small backoffice for tests of one thing at a time."""

from typing import Any

from backo import Backoffice, Collection, Item, String
from backo.connectors.memory import DBMemoryConnector

__all__ = ["office", "one"]


def one(
    schema: dict[str, Any], *, item: dict[str, Any] | None = None, **options: Any
) -> Collection:
    """The collection ``things`` of the office ``office``, kept in memory."""
    office = Backoffice("office")
    model = Item(schema, **(item or {}))
    office.register_collection(
        Collection("things", model, DBMemoryConnector(), **options)
    )
    return office.collection("things")


def office() -> Backoffice:
    """The office of a collection ``things`` whose items have a text ``x``."""
    found = one({"x": String()}).backoffice
    assert isinstance(found, Backoffice)
    return found
