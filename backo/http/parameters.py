"""The query parameters of lists: every filter of every field, and the page."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from backo.query.filter import UNSORTABLE, Op, operators_for
from backo.schema.jsonschema import Use, value_schema
from backo.schema.patterns import MAX_PATTERN
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "Parameter",
    "filter_parameters",
    "filter_schema",
    "page_parameters",
    "view_parameter",
]

type Schema = dict[str, Any]

_MEANING = {
    Op.EQ: "is this value",
    Op.NE: "is not this value",
    Op.LT: "is less than this",
    Op.LTE: "is this or less",
    Op.GT: "is more than this",
    Op.GTE: "is this or more",
    Op.IN: "is one of these",
    Op.NIN: "is none of these",
    Op.REG: "matches this regular expression, from its start",
    Op.EXISTS: "is set (true) or unset (false)",
    Op.SIZE: "has this many elements",
    Op.CONTAINS: "has an element that is this",
    Op.ALL: "has all of these",
}
_LISTS = frozenset({Op.IN, Op.NIN, Op.ALL})


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation. ``content``: its value is JSON text."""

    name: str
    location: str
    schema: Schema
    description: str
    required: bool = False
    content: str | None = None


def filter_parameters(plan: ItemPlan) -> tuple[Parameter, ...]:
    """One parameter for each field and operator that a filter may use."""
    return tuple(
        Parameter(_key(dotted, op), "query", schema, f"{dotted} {_MEANING[op]}")
        for dotted, field in _filterable(plan.root)
        for op in Op
        if op in operators_for(field)
        for schema in [_text_schema(field, op)]
        if schema is not None
    )


def _key(dotted: str, op: Op) -> str:
    return dotted if op is Op.EQ else f"{dotted}.{op.value}"


def _filterable(field: FieldPlan) -> Iterator[tuple[str, FieldPlan]]:
    """Every field a filter may name, with its dotted path."""
    for child in field.fields:
        if child.unreadable:
            continue
        if child.kind is Kind.DICT:
            yield from _filterable(child)
        else:
            yield child.dotted, child
            if child.element is not None and child.element.kind is Kind.DICT:
                yield from _filterable(child.element)


def _operand(field: FieldPlan) -> FieldPlan:
    """What one operand is compared with: a List's elements."""
    while field.element is not None:
        field = field.element
    return field


def _text_schema(field: FieldPlan, op: Op) -> Schema | None:
    """The schema of a query parameter; None for what only the JSON filter can say."""
    if op is Op.EXISTS:
        return {"type": "boolean"}
    if op is Op.SIZE:
        return {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    if op is Op.REG:
        return {"type": "string", "format": "regex", "maxLength": MAX_PATTERN}
    operand = _operand(field)
    if operand.kind in _ONLY_JSON:
        return None
    value = filter_value(operand)
    if op in _LISTS or (op in (Op.EQ, Op.NE) and field.element is not None):
        return {"type": "array", "items": value, "minItems": 1}
    return value


_ONLY_JSON = frozenset({Kind.DICT, Kind.FREEDICT, Kind.TUPLE, Kind.IN, Kind.EXTEND})


def filter_value(field: FieldPlan) -> Schema:
    """The schema of a value compared with the field: its type, whatever its bounds."""
    plain = dataclasses.replace(
        field, minimum=None, maximum=None, patterns=(), enum=None, description=None
    )
    return value_schema(plain, Use.READ)


def filter_schema(plan: ItemPlan, name: str) -> Schema:
    """The schema of a filter in JSON, which refers to itself by ``name``."""
    itself = {"$ref": f"#/components/schemas/{name}"}
    several = {"type": "array", "items": itself, "minItems": 1, "maxItems": 20}
    conditions = {
        dotted: _condition_schema(field) for dotted, field in _filterable(plan.root)
    }
    combined = {"$and": several, "$or": several, "$not": itself}
    return {
        "type": "object",
        "description": "Conditions on fields, all of which must hold",
        "properties": conditions | combined,
        "additionalProperties": False,
    }


def _condition_schema(field: FieldPlan) -> Schema:
    """A field's condition: a value it must be, or operators with their operands."""
    operators = {
        op.value: _json_schema(field, op) for op in Op if op in operators_for(field)
    }
    value = operators[Op.EQ.value]
    return {
        "anyOf": [
            value,
            {
                "type": "object",
                "properties": operators,
                "minProperties": 1,
                "additionalProperties": False,
            },
        ]
    }


def _json_schema(field: FieldPlan, op: Op) -> Schema:
    if op in (Op.EXISTS, Op.SIZE, Op.REG):
        schema = _text_schema(field, op)
        assert schema is not None
        return schema
    value = filter_value(_operand(field))
    if op in _LISTS:
        return {"type": "array", "items": value, "minItems": 1}
    return value


def page_parameters(
    plan: ItemPlan, page_size: int, max_page_size: int
) -> tuple[Parameter, ...]:
    """The parameters that choose and order the rows of a page."""
    size = {"type": "integer", "minimum": 1, "maximum": max_page_size}
    skip = {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63, "default": 0}
    total: Schema = {"type": "integer", "enum": [0, 1], "default": 1}
    return (
        Parameter(
            "_page", "query", {**size, "default": page_size}, "Rows to answer with"
        ),
        Parameter("_skip", "query", skip, "Rows to leave out first"),
        Parameter(
            "_sort", "query", _sort_schema(plan), "Fields to sort by, - for last first"
        ),
        Parameter("_total", "query", total, "0: do not count all the rows that match"),
        view_parameter(plan),
    )


def _sort_schema(plan: ItemPlan) -> Schema:
    names = [
        name
        for name, field in _filterable(plan.root)
        if field.kind not in UNSORTABLE and "[" not in field.path
    ]
    keys = "|".join(_escaped(name) for name in names)
    key = rf"-?(?:\$\.)?(?:{keys})"
    return {
        "type": "string",
        "pattern": f"^{key}(?:,{key})*$",
        "examples": [f"-{names[0]}"],
    }


def _escaped(name: str) -> str:
    """``name`` as ECMA-262 matches it literally."""
    return "".join(f"\\{one}" if one in r"\^$.*+?()[]{}|/-" else one for one in name)


def view_parameter(plan: ItemPlan) -> Parameter:
    """The parameter that chooses the view."""
    schema: Schema = {
        "type": "string",
        "enum": list(plan.view_names),
        "default": "client",
    }
    return Parameter("_view", "query", schema, "The view to answer with")
