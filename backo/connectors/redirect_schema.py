"""What another backo server says of a collection: which filters it answers as they are
meant here, and which values may be sent to it."""

import json
from collections.abc import Mapping
from typing import Any

from backo.connectors.texts import Document, same_document
from backo.errors import DBError, FilterError
from backo.query.filter import (
    Always,
    And,
    Condition,
    Element,
    Filter,
    Never,
    Not,
    Op,
    Or,
    SortKey,
    all_of,
    any_of,
    negate,
)
from backo.query.paging import parse_sort
from backo.query.parse import loads, parse_json
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.schema.reference import Reference

__all__ = ["MAX_FILTER", "RemoteSchema", "filter_json", "plan_of_meta"]

MAX_FILTER = 512 * 1024
"""Bytes of a filter: a server takes no body of any size."""

_NEVER_SENT = frozenset({"_id", "_meta"})
"""What every backo server writes itself."""
_WHOLE = frozenset({Kind.DICT, Kind.FREEDICT, Kind.TUPLE, Kind.BYTES})
"""What may not be shown the way it is kept: filters on the whole of it are ours."""


# -- the schema --------------------------------------------------------------------


def plan_of_meta(meta: Any, name: str) -> ItemPlan:
    """The plan of a collection's ``_meta``, as far as filters and writes need it.

    :raises DBError: it is none.
    """
    try:
        return ItemPlan(name=name, root=_field(meta["item"], "", "$"))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DBError("the other server's _meta cannot be understood") from error


def _field(meta: Mapping[str, Any], name: str, path: str) -> FieldPlan:
    element = meta.get("sub_type")
    below = meta.get("sub_scheme", {})
    return FieldPlan(
        name=name,
        path=path,
        kind=Kind(meta["kind"]),
        node=None,
        read_only=meta["read_only"] is True,
        reference=_reference(meta),
        fields=tuple(_field(one, key, f"{path}.{key}") for key, one in below.items()),
        element=None if element is None else _field(element, "[*]", f"{path}[*]"),
        elements=tuple(
            _field(one, str(at), f"{path}[{at}]")
            for at, one in enumerate(meta.get("sub_types", ()))
        ),
    )


def _reference(meta: Mapping[str, Any]) -> Reference | None:
    if "collection" not in meta:
        return None
    return Reference(collection=str(meta["collection"]), many=meta["kind"] == "list")


# -- filters -----------------------------------------------------------------------


def filter_json(tree: Filter) -> dict[str, Any]:
    """The filter in the notation of JSON."""
    match tree:
        case Always():
            return {}
        case Never():
            return {"$or": []}
        case And(children):
            return {"$and": [filter_json(one) for one in children]}
        case Or(children):
            return {"$or": [filter_json(one) for one in children]}
        case Not(child):
            return {"$not": filter_json(child)}
        case Element(path, condition, every):
            name = "$all" if every else "$contains"
            return _at(path, {name: filter_json(condition)})
        case Condition(path, operator, value, _):
            plain = list(value) if isinstance(value, tuple) else value
            return _at(path, {str(operator): plain})
        case _:
            raise TypeError(f"no filter for another server: {tree!r}")


def _at(path: tuple[str, ...], said: dict[str, Any]) -> dict[str, Any]:
    return {f"$.{'.'.join(path)}": said} if path else said


def _normal(tree: Filter) -> Filter:
    """The filter as a parser builds it."""
    match tree:
        case And(children):
            return all_of(map(_normal, children))
        case Or(children):
            return any_of(map(_normal, children))
        case Not(child):
            return negate(_normal(child))
        case Element(path, condition, every):
            return Element(path, _normal(condition), every)
        case _:
            return tree


class RemoteSchema:
    """A collection of another backo server, by its plan."""

    def __init__(self, plan: ItemPlan) -> None:
        self.plan = plan

    def answers(self, leaf: Filter) -> bool:
        """Whether the other server reads the leaf, written in JSON, as just this
        leaf."""
        wanted = _normal(leaf)
        return _plain(leaf) and self._read(filter_json(leaf)) == wanted

    def accepts(self, tree: Filter) -> bool:
        """Whether it takes a filter of this size."""
        text = filter_json(tree)
        return self._read(text) is not None and len(json.dumps(text)) <= MAX_FILTER

    def sorts(self, key: SortKey) -> bool:
        """Whether it sorts by this key as it is meant here."""
        direction = -1 if key.descending else 1
        try:
            found = parse_sort({".".join(key.path): direction}, self.plan)
        except FilterError:
            return False
        return found == (key,)

    def _read(self, said: dict[str, Any]) -> Filter | None:
        """What the other server makes of it; None: an error."""
        try:
            parsed = loads(json.dumps(said, allow_nan=False))
            return parse_json(parsed, self.plan, neighbours=_unknown)
        except (FilterError, ValueError):
            return None

    # documents

    def bare(self, document: Document) -> Document:
        """What the other server shows, without null for what is unset."""
        return _bare(document, self.plan.root)

    def sendable(self, document: Document) -> Document:
        """A new document, without what the other server writes itself."""
        given = {k: v for k, v in document.items() if k not in _NEVER_SENT}
        return _sendable(given, self.plan.root)

    def changes(self, before: Document, after: Document) -> Document:
        """What to send to make ``after`` of ``before``: what differs, null for what is
        gone."""
        said = _changes(before, after, self.plan.root)
        return {k: v for k, v in said.items() if k not in _NEVER_SENT}


def _unknown(name: str) -> None:
    """Neighbours of which nothing is known: filters that look into them are ours."""


def _plain(leaf: Filter) -> bool:
    """Whether all it looks at is shown just as it is kept."""
    match leaf:
        case Condition(_, operator, value, kind):
            whole = kind in _WHOLE or (
                kind is Kind.LIST and operator not in (Op.EXISTS, Op.SIZE)
            )
            return not whole and _is_unicode(value)
        case Element(_, condition, _):
            return _plain(condition)
        case And(children) | Or(children):
            return all(map(_plain, children))
        case Not(child):
            return _plain(child)
        case _:
            return True


def _is_unicode(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_unicode, value))
    try:
        return value.encode() is not None if isinstance(value, str) else True
    except UnicodeEncodeError:
        return False


# -- documents ---------------------------------------------------------------------


def _bare(document: Document, field: FieldPlan) -> Document:
    values = ((k, _bare_value(v, field.field(k))) for k, v in document.items())
    return {name: value for name, value in values if value is not None}


def _bare_value(value: Any, field: FieldPlan | None) -> Any:
    if field is None:
        return value
    if field.kind is Kind.DICT and isinstance(value, dict):
        # A Dict of which nothing is set is shown as one of nulls.
        return _bare(value, field) or None
    element = field.element
    if element is not None and element.kind is Kind.DICT and isinstance(value, list):
        return [_bare(one, element) if isinstance(one, dict) else one for one in value]
    return value


def _sendable(document: Document, field: FieldPlan) -> Document:
    said = {}
    for name, value in document.items():
        child = field.field(name)
        if not _is_read_only(child):
            sent = _sendable_value(value, child)
            unset = sent is None or (sent == {} and _is_dict(child))
            if not unset:
                said[name] = sent
    return said


def _is_dict(field: FieldPlan | None) -> bool:
    return field is None or field.kind is Kind.DICT


def _sendable_value(value: Any, field: FieldPlan | None) -> Any:
    if field is None:
        return value
    if field.kind is Kind.DICT and isinstance(value, dict):
        return _sendable(value, field)
    element = field.element
    if element is not None and isinstance(value, list):
        return [_sendable_value(one, element) for one in value]
    return value


def _changes(before: Document, after: Document, field: FieldPlan) -> Document:
    said = {}
    for name in dict.fromkeys((*before, *after)):
        child = field.field(name)
        old, new = before.get(name), after.get(name)
        if _is_read_only(child):
            continue
        if child is not None and child.kind is Kind.DICT:
            if below := _changes(_members(old), _members(new), child):
                said[name] = below
        elif not same_document({"": old}, {"": new}):
            said[name] = _sendable_value(new, child)
    return said


def _members(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _is_read_only(field: FieldPlan | None) -> bool:
    return field is not None and field.read_only
