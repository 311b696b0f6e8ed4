"""Plain documents: what is done with them that needs no Item."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from backo.errors import Fault, ValidationError
from backo.schema._whole import Kept
from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "Change",
    "carry_hidden",
    "carry_unknown",
    "completed",
    "differences",
    "encode",
    "known_values",
    "merge_changes",
    "overlay",
    "pruned",
    "released",
    "unfilled",
    "with_dicts",
]

type Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What stood at ``path`` (``$.address.zip``), and what stands there now; None is
    null or absent."""

    path: str
    before: Any
    after: Any


def encode(node: Any, field: FieldPlan) -> Any:
    """The document form of a stricto node, with just what ``field`` (a view) holds and
    what exists and may be read at this moment."""
    if field.file is not None and node.is_none():
        return None
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


def with_dicts(value: Any, field: FieldPlan) -> Any:
    """``value`` with an empty object in the place of null where a Dict stands: to a
    store both are a Dict of which nothing is set."""
    if field.kind is Kind.DICT and isinstance(value, dict):
        return {**value, **dict(_with_dicts(value, field))}
    if field.element is not None and isinstance(value, list):
        return [with_dicts(one, field.element) for one in value]
    return value


def _with_dicts(value: Document, field: FieldPlan) -> Iterator[tuple[str, Any]]:
    for child in field.fields:
        if child.name in value:
            held = value[child.name]
            empty = held is None and child.grouping
            yield child.name, with_dicts({} if empty else held, child)


def pruned(document: Any, field: FieldPlan) -> Any:
    """``document`` without what ``field`` says is not to be read."""
    if isinstance(document, list):
        element = field.element
        return (
            document if element is None else [pruned(one, element) for one in document]
        )
    if not isinstance(document, dict):
        return document
    known = {child.name: child for child in field.fields}
    return {
        key: pruned(value, known[key]) if key in known else value
        for key, value in document.items()
        if key not in known or not known[key].unreadable
    }


def _known_elements(value: Any, field: FieldPlan) -> Any:
    element = field.element
    if element is None or element.kind is not Kind.DICT or not isinstance(value, list):
        return value
    return [known_values(one, element) for one in value]


def carry_unknown(before: Document, after: Document, field: FieldPlan) -> Document:
    """``after`` with the keys of ``before`` that the schema does not know: a store may
    hold more than this program reads, and a save must not lose it. Elements of a List
    that is as long as before keep theirs."""
    known = {child.name: child for child in field.fields}
    carried = dict(after)
    for key, value in before.items():
        if key not in known:
            carried[key] = value
        elif key in after:
            carried[key] = _with_unknown(value, after[key], known[key])
    return carried


def _with_unknown(before: Any, after: Any, field: FieldPlan) -> Any:
    element = field.element
    if field.kind is Kind.DICT and isinstance(before, dict):
        # A file may be gone.
        return after if after is None else carry_unknown(before, after, field)
    if element is None or element.kind is not Kind.DICT:
        return after
    if not _same_length(before, after):
        return after
    pairs = zip(before, after, strict=True)
    return [_with_unknown(old, new, element) for old, new in pairs]


def _same_length(one: Any, other: Any) -> bool:
    both = isinstance(one, list) and isinstance(other, list)
    return both and len(one) == len(other)


_ELEMENT = "\0"
"""The key, in an element of a List, of the stored element that it is."""


class _Element:
    """A stored element of a List, wherever it is moved or copied to, and the paths in
    it that are marked."""

    def __init__(self, stored: Document) -> None:
        self.stored = stored
        self.marked: set[str] = set()

    def __deepcopy__(self, _memo: Any) -> "_Element":
        return self


class _Mark:
    """Stands for what a caller does not see, or may not change: wherever it is moved or
    copied to, it is nothing there."""

    def __deepcopy__(self, _memo: Any) -> "_Mark":
        return self


_MARK = _Mark()


def completed(
    shown: Any,
    stored: Any,
    field: FieldPlan,
    path: str = "$",
    element: _Element | None = None,
) -> Any:
    """``shown``, which is all that one caller sees of ``stored``, with marks in the
    place of what the caller does not see, be there anything or not; for
    :func:`carry_hidden`."""
    if isinstance(shown, dict) and isinstance(stored, dict):
        complete: Document = {} if element is None else {_ELEMENT: element}
        for child in field.fields:
            below = f"{path}.{child.name}"
            if child.name not in shown or (element and child.read_only):
                complete[child.name] = _MARK
                if element is not None:
                    element.marked.add(below)
            else:
                value, there = shown[child.name], stored.get(child.name)
                complete[child.name] = completed(value, there, child, below, element)
        return complete
    if field.element is not None and _same_length(shown, stored):
        held, below = field.element, f"{path}[*]"
        return [
            completed(one, other, held, below, _Element(other))
            for one, other in zip(shown, stored, strict=True)
        ]
    return shown


def carry_hidden(
    changes: Document, replayed: Document, field: FieldPlan, path: str = "$"
) -> Document:
    """``changes`` with what the caller does not see, or may not change, of the elements
    of changed Lists: ``replayed`` is the completed document after the same changes.

    :raises ValidationError: they change what is read-only.
    """
    carried = dict(changes)
    for child in field.fields:
        value, other = changes.get(child.name), replayed.get(child.name)
        below = f"{path}.{child.name}"
        if child.kind is Kind.DICT and isinstance(value, dict):
            if isinstance(other, dict):
                carried[child.name] = carry_hidden(value, other, child, below)
        elif _are_elements(value, other, child):
            carried[child.name] = _whole_elements(value, other, child, below)
    return carried


def _are_elements(value: Any, other: Any, field: FieldPlan) -> bool:
    """Whether ``value`` and ``other`` are the same elements of a List of Dicts."""
    element = field.element
    of_dicts = element is not None and element.kind is Kind.DICT
    return of_dicts and _same_length(value, other)


def _whole_elements(value: Any, other: Any, field: FieldPlan, path: str) -> list[Any]:
    below = f"{path}[*]"
    return [
        _whole(one, two, field.held, below, two.get(_ELEMENT))
        if isinstance(two, dict)
        else one
        for one, two in zip(value, other, strict=True)
    ]


def _whole(
    one: Document, other: Document, field: FieldPlan, path: str, element: Any
) -> Document:
    """``one``, (a part of) an element as a caller may write it, with what of ``other``,
    the same completed, is hidden or read-only."""
    kept = dict(one)
    for child in field.fields:
        name, below = child.name, f"{path}.{child.name}"
        value, there, own = one.get(name), other.get(name), _at(element, below)
        marked = element is not None and below in element.marked
        if child.read_only and there not in (None, _MARK, own):
            raise ValidationError([Fault(below, "is read-only", "read_only")])
        if (child.read_only and marked) or (there is _MARK and value is None):
            # What stands there is a default, or was null for the patch alone.
            kept.pop(name, None)
            if marked and own is not None:
                kept[name] = Kept(own)
        elif marked and value is None and child.kind is not Kind.DICT:
            # It was taken away.
            kept[name] = None
        elif child.kind is Kind.DICT and isinstance(value, dict):
            if isinstance(there, dict):
                kept[name] = _whole(value, there, child, below, element)
        elif _are_elements(value, there, child):
            kept[name] = _whole_elements(value, there, child, below)
    return kept


def _at(element: _Element | None, path: str) -> Any:
    """What the stored element holds at ``path``, which names the fields of Dicts."""
    here: Any = None if element is None else element.stored
    for name in path.rpartition("[*].")[2].split("."):
        here = here.get(name) if isinstance(here, dict) else None
    return here


def unfilled(values: Any, field: FieldPlan) -> Any:
    """``values``, valid input, without the defaults of what nobody gives: an Item has
    them of its own."""
    if field.element is not None and isinstance(values, list):
        return [unfilled(one, field.element) for one in values]
    if field.kind is not Kind.DICT or not isinstance(values, dict):
        return values
    own = {child.name for child in field.fields if child.read_only}
    return {
        key: unfilled(value, known)
        for key, value in values.items()
        if (known := field.field(key)) is not None
        if key not in own or isinstance(value, Kept)
    }


def released(value: Any) -> Any:
    """``value`` with what is :class:`Kept` in it as it is."""
    if isinstance(value, Kept):
        return value.value
    if isinstance(value, dict):
        return {key: released(one) for key, one in value.items()}
    if isinstance(value, list):
        return [released(one) for one in value]
    return value


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


def merge_changes(
    before: Document, mine: Document, theirs: Document, field: FieldPlan | None = None
) -> Document:
    """``theirs`` with what changed from ``before`` to ``mine``, key by key; where both
    changed the same value, mine stays. In a list of ids, which ``field`` knows, what
    either put in or took out is."""
    merged: Document = {}
    versions: list[Any]
    for key in (*theirs, *(key for key in mine if key not in theirs)):
        versions = [side.get(key) for side in (before, mine, theirs)]
        child = None if field is None else field.field(key)
        whole = child is not None and child.file is not None
        if not whole and all(isinstance(version, dict) for version in versions):
            merged[key] = merge_changes(versions[0], versions[1], versions[2], child)
        elif versions[1] == versions[0]:
            if key in theirs:
                merged[key] = versions[2]
        elif _is_ids(child):
            merged[key] = _merge_ids(*(version or [] for version in versions))
        elif key in mine:
            merged[key] = versions[1]
    return merged


def _is_ids(field: FieldPlan | None) -> bool:
    return field is not None and field.reference is not None and field.reference.many


def _merge_ids(before: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    gone = frozenset(before) - frozenset(mine)
    kept = [_id for _id in theirs if _id not in gone]
    return list(dict.fromkeys((*kept, *(_id for _id in mine if _id not in before))))


def differences(
    before: Any, after: Any, field: FieldPlan | None, path: str = "$"
) -> Iterator[Change]:
    """What of ``after``, which ``field`` knows, is not as it was ``before``. Null, what
    is absent, and a Dict of nothing else are the same; 1 and 1.0 are not."""
    if field is not None and field.kind is Kind.DICT:
        before, after = ({} if one is None else one for one in (before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            child = None if field is None else field.field(key)
            below = path + _step(key)
            yield from differences(before.get(key), after.get(key), child, below)
    elif _same_length(before, after):
        element = None if field is None else field.element
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, element, f"{path}[{at}]")
    elif type(before) is not type(after) or before != after:
        yield Change(path, before, after)


def _step(key: str) -> str:
    """A member's step of a path; of an odd name in brackets."""
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key)}]"
