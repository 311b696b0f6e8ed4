"""Edits of lists as updates of MongoDB."""

from collections.abc import Sequence
from typing import Any

from backo.connectors.edits import ListEdit
from backo.connectors.mongo_documents import EXACT

__all__ = ["update_of"]

type Raw = dict[str, Any]


def update_of(edits: Sequence[ListEdit], values: Raw) -> Raw:
    """The update that does the edits and sets the members."""
    exact = values.pop(EXACT, {})
    change: Raw = {}
    for edit in edits:
        name = ".".join(edit.path)
        if edit.add:
            change.setdefault("$addToSet", {})[name] = {"$each": [*edit.add]}
        if edit.remove:
            change.setdefault("$pull", {})[name] = {"$in": [*edit.remove]}
    for name, value in values.items():
        if name != "_id":
            change.setdefault("$set", {})[name] = value
            exactly = f"{EXACT}.{name}"
            if name in exact:
                change["$set"][exactly] = exact[name]
            else:
                change.setdefault("$unset", {})[exactly] = ""
    return change
