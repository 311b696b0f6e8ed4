"""The schemas of a JSON Patch for one kind of item: what may be done where."""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from backo.schema.jsonschema import (
    Use,
    element_schema,
    field_schema,
    literal,
    value_schema,
)
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = ["patch_schemas"]

type Schema = dict[str, Any]

_INDEX = "(?:0|[1-9][0-9]{0,4})"
_END = f"(?:{_INDEX}|-)"


def patch_schemas(name: str, plan: ItemPlan, most: int) -> dict[str, Schema]:
    """The components of ``name``, by their names: a patch is one operation or a list of
    at most ``most``; an operation says what may be put where, or taken from there; the
    objects it may hold are components, too."""
    found: dict[str, Schema] = {}
    operations = [
        _with_named_objects(one, f"{name}Patched", found) for one in _operations(plan)
    ]
    operation = {"$ref": f"#/components/schemas/{name}PatchOperation"}
    several = {"type": "array", "items": operation, "maxItems": most}
    schemas: dict[str, Schema] = {
        f"{name}Patch": {
            "description": "A JSON Patch (RFC 6902): operations, or just one",
            "anyOf": [several, operation],
        },
        f"{name}PatchOperation": {
            "description": "An operation of a JSON Patch. A path is a JSON Pointer or "
            "a selector ($.title); adding to a List's selector appends to it",
            "anyOf": _distinct(operations),
        },
    }
    return schemas | found


def _distinct(schemas: list[Schema]) -> list[Schema]:
    return [one for at, one in enumerate(schemas) if one not in schemas[:at]]


def _with_named_objects(
    operation: Schema, name: str, found: dict[str, Schema]
) -> Schema:
    """The operation with the objects in its value as references: programs that make
    clients stumble over nameless ones in a choice."""
    properties = operation["properties"]
    if "value" not in properties:
        return operation
    value = _named(properties["value"], name + _words(properties["path"]), found)
    return {**operation, "properties": {**properties, "value": value}}


def _words(path: Schema) -> str:
    """The names on a path, fit for the name of a component: ``/shelf/row`` is
    ``ShelfRow``."""
    if "enum" in path:
        return _camel(path["enum"][0])
    pattern: str = path["pattern"].removeprefix("^").removeprefix("(?:")
    plain = pattern.replace(_END, "").replace(_INDEX, "")
    return _camel(plain.partition("|")[0])


def _camel(text: str) -> str:
    words = re.findall("[A-Za-z0-9]+", text)
    return "".join(word[0].upper() + word[1:] for word in words)


def _named(schema: Any, name: str, found: dict[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [_named(one, name, found) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" not in schema:
        return {key: _named(one, name, found) for key, one in schema.items()}
    members = schema["properties"].items()
    typed = {key: _named(one, name + _camel(key), found) for key, one in members}
    below = {**schema, "properties": typed}
    unique = name
    while found.get(unique, below) != below:
        unique += "_"
    found[unique] = below
    return {"$ref": f"#/components/schemas/{unique}"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is, in both notations: patterns, once a List lies on the way."""

    pointer: str = ""
    selector: str = "$"
    many: bool = False

    def key(self, name: str) -> "_Place":
        escaped = name.replace("~", "~0").replace("/", "~1")
        if self.many:
            name, escaped = literal(name), literal(escaped)
            return _Place(
                f"{self.pointer}/{escaped}", rf"{self.selector}\.{name}", True
            )
        return _Place(f"{self.pointer}/{escaped}", f"{self.selector}.{name}")

    def element(self, index: str) -> "_Place":
        pointer, selector = self.pointer, self.selector
        if not self.many:
            pointer, selector = literal(pointer), literal(selector)
        return _Place(f"{pointer}/{index}", rf"{selector}\[{index}\]", True)


def _operations(plan: ItemPlan) -> Iterator[Schema]:
    fields = list(_written(plan.root, _Place(), Use.REPLACE))
    for place, field, use in fields:
        if field.kind is Kind.LIST:
            yield from _on_list(place, field, use)
        else:
            yield _with_value(
                ["add", "replace"], _path([place]), field_schema(field, use)
            )
    yield from _removals(fields)
    readable = [place for place, _ in _shown(plan.shown_root, _Place())]
    if readable:
        anything: Schema = {"description": "What must be there; 409 when it is not"}
        yield _with_value(["test"], _path(readable), anything)
    yield from _transfers(plan, fields)


def _on_list(place: _Place, field: FieldPlan, use: Use) -> Iterator[Schema]:
    whole, element = field_schema(field, use), element_schema(field, use)
    at, end = place.element(_INDEX), place.element(_END)
    yield _with_value(["replace"], _path([place]), whole)
    yield _with_value(["add"], _pointer(place), whole)
    yield _with_value(["add"], _selector(place), element)
    yield _with_value(["add"], _path([end]), element)
    yield _with_value(["replace"], _path([at]), element)
    yield _operation(["remove"], _path([at]))


type _Written = tuple[_Place, FieldPlan, Use]


def _written(field: FieldPlan, above: _Place, use: Use) -> Iterator[_Written]:
    """Every field that can be written, at any depth, and as what its value is read."""
    for child in field.fields:
        if child.read_only:
            continue
        place = above.key(child.name)
        yield place, child, use
        below, below_use = child, use
        while below.element is not None:
            place, below, below_use = place.element(_INDEX), below.held, Use.CREATE
            if below.kind is Kind.LIST:
                # An element is never null.
                yield place, dataclasses.replace(below, required=True), below_use
        if below.file is not None:
            yield from _written(_renamed(below), place, below_use)
        elif below.kind is Kind.DICT:
            yield from _written(below, place, below_use)


def _renamed(field: FieldPlan) -> FieldPlan:
    """What of what is told of a file can be written by itself."""
    kept = tuple(child for child in field.fields if child.name == "filename")
    return dataclasses.replace(field, fields=kept)


def _shown(field: FieldPlan, above: _Place) -> Iterator[tuple[_Place, FieldPlan]]:
    """Every field of what is shown, below Dicts at any depth."""
    for child in field.fields:
        place = above.key(child.name)
        yield place, child
        yield from _shown(child, place)


def _removals(fields: Iterable[_Written]) -> Iterator[Schema]:
    removable = [place for place, field, _ in fields if field.nullable]
    named = [place for place in removable if not place.many]
    if named:
        yield _operation(["remove"], _path(named))
    for place in removable:
        if place.many:
            yield _operation(["remove"], _path([place]))


def _transfers(plan: ItemPlan, fields: Iterable[_Written]) -> Iterator[Schema]:
    """``copy`` and ``move`` among fields that take the same values."""
    alike: dict[str, tuple[list[_Place], list[_Place], bool]] = {}
    for place, field, _ in fields:
        if not place.many:
            group = alike.setdefault(_taken(field), ([], [], field.nullable))
            group[1].append(place)
    for place, field in _shown(plan.shown_root, _Place()):
        if _taken(field) in alike:
            alike[_taken(field)][0].append(place)
    for sources, targets, nullable in alike.values():
        if sources:
            yield _operation(["copy"], _path(targets), source=_path(sources))
        movable = [place for place in targets if place in sources]
        if nullable and movable:
            yield _operation(["move"], _path(targets), source=_path(movable))


def _taken(field: FieldPlan) -> str:
    """What values a field takes, null included, as a text to compare."""
    points = field.reference and field.reference.collection
    value = value_schema(field, Use.REPLACE)
    own = [value, field.nullable, field.kind.value, points]
    return json.dumps(own, sort_keys=True, default=str)


def _path(places: list[_Place]) -> Schema:
    if any(place.many for place in places):
        patterns = [one for place in places for one in (place.pointer, place.selector)]
        return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}
    texts = [one for place in places for one in (place.pointer, place.selector)]
    return {"type": "string", "enum": texts}


def _pointer(place: _Place) -> Schema:
    return _text(place.pointer, place.many)


def _selector(place: _Place) -> Schema:
    return _text(place.selector, place.many)


def _text(text: str, many: bool) -> Schema:
    if many:
        return {"type": "string", "pattern": f"^{text}$"}
    return {"type": "string", "enum": [text]}


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
