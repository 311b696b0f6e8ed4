"""The schema of a JSON Patch for one kind of item: which operation may do what where."""

import re
from collections.abc import Iterator
from typing import Any

from backo.schema.jsonschema import Use, field_schema, field_schema_of_element
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = ["patch_schema"]

type Schema = dict[str, Any]

_INDEX = "(?:0|[1-9][0-9]{0,4})"


def patch_schema(plan: ItemPlan, most: int) -> Schema:
    """One operation, or a list of at most ``most``. Paths are JSON Pointers here;
    selectors (``$.title``) are taken too."""
    operation = {"anyOf": list(_operations(plan))}
    several = {"type": "array", "items": operation, "maxItems": most}
    return {
        "description": "A JSON Patch (RFC 6902): operations, or just one",
        "anyOf": [several, operation],
    }


def _operations(plan: ItemPlan) -> Iterator[Schema]:
    removable: list[str] = []
    for pointer, field in _writable(plan.root, ""):
        value = field_schema(field, Use.UPDATE)
        yield _with_value(["add", "replace"], _path([pointer]), value)
        if field.nullable:
            removable.append(pointer)
        if field.element is not None:
            element = field_schema_of_element(field, Use.UPDATE)
            yield _with_value(["add"], _path_below(pointer, f"(?:{_INDEX}|-)"), element)
            yield _with_value(["replace"], _path_below(pointer, _INDEX), element)
            yield _operation(["remove"], _path_below(pointer, _INDEX))
    if removable:
        yield _operation(["remove"], _path(removable))
    readable = _path([pointer for pointer, _ in _readable(plan.root, "")])
    yield _with_value(["test"], readable, {})
    writable = _path([pointer for pointer, _ in _writable(plan.root, "")])
    yield _operation(["move", "copy"], writable, source=writable)


def _writable(field: FieldPlan, above: str) -> Iterator[tuple[str, FieldPlan]]:
    """Every field that can be written, below Dicts at any depth, by its JSON Pointer."""
    for child in field.fields:
        if child.read_only:
            continue
        pointer = f"{above}/{_escaped(child.name)}"
        yield pointer, child
        if child.kind is Kind.DICT:
            yield from _writable(child, pointer)


def _readable(field: FieldPlan, above: str) -> Iterator[tuple[str, FieldPlan]]:
    for child in field.fields:
        if not child.unreadable:
            pointer = f"{above}/{_escaped(child.name)}"
            yield pointer, child
            yield from _readable(child, pointer)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _path(pointers: list[str]) -> Schema:
    return {"type": "string", "enum": pointers}


def _path_below(pointer: str, step: str) -> Schema:
    return {"type": "string", "pattern": f"^{re.escape(pointer)}/{step}$"}


def _with_value(ops: list[str], path: Schema, value: Schema) -> Schema:
    operation = _operation(ops, path)
    operation["properties"]["value"] = value
    operation["required"].append("value")
    return operation


def _operation(ops: list[str], path: Schema, source: Schema | None = None) -> Schema:
    properties: Schema = {"op": {"type": "string", "enum": ops}, "path": path}
    if source is not None:
        properties["from"] = source
    return {"type": "object", "properties": properties, "required": list(properties)}
