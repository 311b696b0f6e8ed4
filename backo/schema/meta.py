"""What a schema is, for programs that draw forms: types, bounds, and for one item and
user what exists and what may be read or modified."""

from typing import Any

from backo.schema._mending import class_names
from backo.schema.plan import FieldPlan, Kind

__all__ = ["item_meta"]

type Meta = dict[str, Any]


def item_meta(field: FieldPlan, node: Any) -> Meta:
    """The meta structure of ``field``, with ``exists`` and ``rights`` as they are now
    for ``node``: the field in an item, or the declared one below a List.

    A field that may not be read is left out by its parent.
    """
    meta: Meta = {
        "path": field.path,
        "kind": field.kind.value,
        "types": class_names(type(field.node)),
        "description": field.description,
        "required": field.required,
        "default": _plain(field.default),
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
    return meta | _bounds(field) | _below(field, node)


def _bounds(field: FieldPlan) -> Meta:
    meta: Meta = {}
    if field.kind in (Kind.INT, Kind.FLOAT, Kind.DATETIME, Kind.LIST):
        meta = {"min": _plain(field.minimum), "max": _plain(field.maximum)}
    if field.kind is Kind.LIST:
        meta["uniq"] = field.uniq
    if field.kind is Kind.STRING:
        meta["regexp"] = [_plain(pattern) for pattern in field.patterns]
    return meta


def _below(field: FieldPlan, node: Any) -> Meta:
    if field.kind is Kind.DICT:
        shown = {
            child.name: item_meta(child, node.__dict__[child.name])
            for child in field.fields
            if not child.unreadable and node.__dict__[child.name].is_allowed_to("read")
        }
        return {"sub_scheme": shown}
    if field.element is not None:
        return {"sub_type": item_meta(field.element, field.element.node)}
    if field.elements:
        return {"sub_types": [item_meta(one, one.node) for one in field.elements]}
    return {}


def _plain(value: Any) -> Any:
    """A declared option as JSON: functions are only said to be there."""
    if callable(value):
        return "Callable"
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
