"""The ids that a plain document holds at one end of a link."""

from collections.abc import Iterator
from typing import Any

from backo.references.graph import EACH, End, Step

__all__ = ["ids_at", "with_id", "without_id"]

type Document = dict[str, Any]


def ids_at(document: Document | None, end: End) -> tuple[str, ...]:
    """The ids there, each once, in their order."""
    return tuple(dict.fromkeys(_ids(document, end.steps)))


def _ids(value: Any, steps: tuple[Step, ...]) -> Iterator[str]:
    if not steps:
        held = value if isinstance(value, list) else [value]
        yield from (one for one in held if isinstance(one, str))
    elif steps[0] is EACH:
        for one in value if isinstance(value, list) else ():
            yield from _ids(one, steps[1:])
    elif isinstance(value, dict):
        yield from _ids(value.get(steps[0]), steps[1:])


def with_id(document: Document, end: End, _id: str) -> Document:
    """The document with that id there: set, or put at the end of a list. In a List of
    Dicts, a new element holds it."""
    if _id in ids_at(document, end):
        return document
    changed: Document = _added(document, end.steps, _id, many=end.reference.many)
    return changed


def _added(value: Any, steps: tuple[Step, ...], _id: str, *, many: bool) -> Any:
    if not steps:
        return [*(value or []), _id] if many else _id
    step, rest = steps[0], steps[1:]
    if step is EACH:
        return [*(value or []), _added(None, rest, _id, many=many)]
    held = value if isinstance(value, dict) else {}
    return {**held, step: _added(held.get(step), rest, _id, many=many)}


def without_id(document: Document, end: End, _id: str) -> Document:
    """The document with that id nowhere there: null, or taken out of a list."""
    changed: Document = _removed(document, end.steps, _id)
    return changed


def _removed(value: Any, steps: tuple[Step, ...], _id: str) -> Any:
    if not steps:
        if isinstance(value, list):
            return [one for one in value if one != _id]
        return None if value == _id else value
    step, rest = steps[0], steps[1:]
    if step is EACH:
        if not isinstance(value, list):
            return value
        kept = [_removed(one, rest, _id) for one in value]
        # A List of Refs loses the element.
        return kept if rest else [one for one in kept if one is not None]
    if not isinstance(value, dict) or step not in value:
        return value
    return {**value, step: _removed(value[step], rest, _id)}
