"""Plain documents: what is done with them that needs no Item."""

from typing import Any

from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "carry_unknown",
    "encode",
    "known_values",
    "merge_changes",
    "overlay",
]

type Document = dict[str, Any]


def encode(node: Any, field: FieldPlan) -> Any:
    """The document form of a stricto node, with just what ``field`` (a view) holds and
    what exists and may be read at this moment."""
    if field.kind is Kind.DICT:
        children = ((child, node.__dict__[child.name]) for child in field.fields)
        return {
            child.name: encode(below, child)
            for child, below in children
            if below.exists_or_can_read()
        }
    if field.element is not None and field.element.children:
        held = node.__dict__["_value"]
        return None if held is None else [encode(one, field.element) for one in held]
    encoded = node.get_encoded()
    return list(encoded) if isinstance(encoded, tuple) else encoded


def known_values(document: Any, field: FieldPlan) -> Any:
    """What of a stored document the schema still knows, fit to be set on an Item.

    Computed values are left out (they are computed again), and so is null where a
    Dict stands.
    """
    if not isinstance(document, dict):
        # An item that is still being written may hold anything.
        return document
    known: Document = {}
    for child in field.fields:
        if child.name not in document or (child.computed and not child.stored):
            continue
        value = document[child.name]
        if child.kind is not Kind.DICT:
            known[child.name] = _known_elements(value, child)
        elif value is not None:
            known[child.name] = known_values(value, child)
    return known


def _known_elements(value: Any, field: FieldPlan) -> Any:
    element = field.element
    if element is None or element.kind is not Kind.DICT or not isinstance(value, list):
        return value
    return [known_values(one, element) for one in value]


def carry_unknown(before: Document, after: Document, field: FieldPlan) -> Document:
    """``after`` with the keys of ``before`` that the schema does not know: a store may
    hold more than this program reads, and a save must not lose it."""
    known = {child.name: child for child in field.fields}
    carried = dict(after)
    for key, value in before.items():
        if key not in known:
            carried[key] = value
        elif known[key].kind is Kind.DICT and isinstance(value, dict) and key in after:
            carried[key] = carry_unknown(value, after[key], known[key])
    return carried


def overlay(before: Document, changes: Document, field: FieldPlan) -> Document:
    """``before`` with ``changes`` on top: Dicts key by key, all else as a whole."""
    after = dict(before)
    for key, value in changes.items():
        child = field.field(key)
        below = before.get(key)
        if child is not None and child.kind is Kind.DICT and isinstance(value, dict):
            held = below if isinstance(below, dict) else {}
            after[key] = overlay(held, value, child)
        else:
            after[key] = value
    return after


def merge_changes(before: Document, mine: Document, theirs: Document) -> Document:
    """``theirs`` with what changed from ``before`` to ``mine``, key by key; where both
    changed the same value, mine stays."""
    merged: Document = {}
    versions: list[Any]
    for key in (*theirs, *(key for key in mine if key not in theirs)):
        versions = [side.get(key) for side in (before, mine, theirs)]
        if all(isinstance(version, dict) for version in versions):
            merged[key] = merge_changes(*versions)
        elif versions[1] == versions[0]:
            if key in theirs:
                merged[key] = versions[2]
        elif key in mine:
            merged[key] = versions[1]
    return merged
