"""What a schema is, for programs that draw forms: types, bounds, and for one item and
user what exists and what may be read or modified."""

from typing import Any

from backo.schema._mending import class_names, copied
from backo.schema.defaults import shown_default
from backo.schema.plan import FieldPlan, Kind

__all__ = ["item_meta"]

type Meta = dict[str, Any]


def item_meta(field: FieldPlan, node: Any) -> Meta:
    """The meta structure of ``field``, with ``exists`` and ``rights`` as they are now
    for ``node``, the field in an item.

    What may not be read is left out by what holds it, and from defaults.
    """
    return _meta(field, node, set())


def _meta(field: FieldPlan, node: Any, hidden: set[int]) -> Meta:
    """``hidden`` gets the ids of the plans below that may not be read."""
    below = _below(field, node, hidden)
    default = shown_default(field, lambda one: id(one) in hidden)
    meta: Meta = {
        "path": field.path,
        "kind": field.kind.value,
        "types": class_names(type(field.node)),
        "description": field.description,
        "required": field.required,
        "default": _plain(default),
        "union": _plain(field.enum),
        "constraints": ["Callable"] * len(field.constraints),
        "transform": _plain(field.transform),
        "auto_set": "Callable" if field.computed else None,
        "read_only": field.read_only,
        "exists": bool(node.exists(None)),
        "rights": {
            right: bool(node.is_allowed_to(right)) for right in ("read", "modify")
        },
    }
    return meta | _bounds(field) | _reference(field) | _file(field) | below


def _reference(field: FieldPlan) -> Meta:
    reference = field.reference
    if reference is None:
        return {}
    return {"collection": reference.collection, "reverse": reference.reverse}


def _file(field: FieldPlan) -> Meta:
    file = field.file
    if file is None:
        return {}
    return {"mime_types": list(file.mime_types), "max_size": file.max_size}


def _bounds(field: FieldPlan) -> Meta:
    meta: Meta = {}
    if field.kind in (Kind.INT, Kind.FLOAT, Kind.DATETIME, Kind.LIST):
        meta = {"min": _plain(field.minimum), "max": _plain(field.maximum)}
    if field.kind is Kind.LIST:
        meta["uniq"] = field.uniq
    if field.kind is Kind.STRING:
        meta["regexp"] = [_plain(pattern) for pattern in field.patterns]
    return meta


def _below(field: FieldPlan, node: Any, hidden: set[int]) -> Meta:
    if field.kind is Kind.DICT:
        nodes = [(child, node.__dict__[child.name]) for child in field.fields]
        shown = _readable(nodes, hidden)
        return {"sub_scheme": {child.name: meta for child, meta in shown}}
    nodes = [(one, _held(one, node)) for one in field.children]
    metas = [meta for _, meta in _readable(nodes, hidden)]
    if field.element is not None:
        return {"sub_type": metas[0]} if metas else {}
    return {"sub_types": metas} if field.elements else {}


def _held(element: FieldPlan, node: Any) -> Any:
    """One of the values that ``node`` might hold, with the rights it would have."""
    held = copied(element.node)
    held.__dict__["_parent"] = node
    if node._permissions.get_permissions_status():
        held.enable_permissions()
    return held


def _readable(
    nodes: list[tuple[FieldPlan, Any]], hidden: set[int]
) -> list[tuple[FieldPlan, Meta]]:
    shown = []
    for field, node in nodes:
        if field.unreadable or not node.is_allowed_to("read"):
            hidden.update(id(one) for one in field.walk())
        else:
            shown.append((field, _meta(field, node, hidden)))
    return shown


def _plain(value: Any) -> Any:
    """A declared option as JSON: functions are only said to be there."""
    if callable(value):
        return "Callable"
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
