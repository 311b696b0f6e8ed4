"""The query parameters of lists: every filter of every field, and the page."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backo.query.builder import MAX_SIZE
from backo.query.filter import UNSORTABLE, Op, operators_for
from backo.query.parse import MAX_SORT_KEYS, PAGE_PARAMETERS, Neighbours
from backo.references.expanding import MAX_PATHS, PlanOf, expandable_paths
from backo.schema.jsonschema import MOMENT, Use, literal, nullable, value_schema
from backo.schema.models import component_name
from backo.schema.patterns import MAX_PATTERN
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.schema.reference import Reference

__all__ = [
    "FILTER",
    "Parameter",
    "expand_parameter",
    "filter_parameter",
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
    Op.REG: "matches this regular expression (without look-around), from its start",
    Op.EXISTS: "is set (true) or unset (false)",
    Op.SIZE: "has this many elements",
    Op.CONTAINS: "has an element that is this",
    Op.ALL: "has all of these",
}
_LISTS = frozenset({Op.IN, Op.NIN, Op.ALL})

FILTER = "filter"
"""The parameter that holds a filter in JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    location: str
    schema: Schema
    description: str
    required: bool = False
    comma_separated: bool = False
    """Whether the elements of a list stand in one text (``style: form``)."""


def filter_parameters(
    plan: ItemPlan, look: Neighbours | None = None
) -> tuple[Parameter, ...]:
    """One parameter for each field and operator that a filter may use; of the fields of
    items that references point to one each, or there would be too many."""
    return tuple(
        Parameter(_key(dotted, op), "query", schema, f"{dotted} {_MEANING[op]}")
        for dotted, field, hops in _filterable(plan.shown_root, look, 1)
        for op in ([Op.EQ] if hops else Op)
        if op in operators_for(field) and _keeps_ids(field)
        for schema in [_text_schema(field, op)]
        if schema is not None
    )


def _keeps_ids(field: FieldPlan) -> bool:
    """Whether conditions on the field itself are possible."""
    return field.reference is None or field.reference.filled


def _key(dotted: str, op: Op) -> str:
    """A field that is called like another parameter is named by its selector."""
    if op is not Op.EQ:
        return f"{dotted}.{op.value}"
    return f"$.{dotted}" if dotted in _TAKEN else dotted


_TAKEN = PAGE_PARAMETERS | {FILTER}


type _Filterable = tuple[str, FieldPlan, int]
"""A field, its dotted path, and how many references that steps through."""


def _filterable(
    root: FieldPlan, look: Neighbours | None = None, depth: int = 0
) -> Iterator[_Filterable]:
    """Every field a filter may name, each once, the nearer ones first: through one
    reference, and from where that leads to one item only on to ``depth`` of them."""
    level: list[tuple[str, FieldPlan]] = [("", root)]
    seen: set[str] = set()
    single: set[str] = set()
    for hops in range(depth + 1):
        beyond = []
        for prefix, one in level:
            for plain, field in _named(one):
                dotted = prefix + plain
                if dotted not in seen:
                    seen.add(dotted)
                    yield dotted, field, hops
                there = _there(field, look)
                if there is not None and (hops == 0 or prefix in single):
                    beyond.append((f"{dotted}.", there))
                    if _is_single(field):
                        single.add(f"{dotted}.")
        level = beyond


def _named(field: FieldPlan) -> Iterator[tuple[str, FieldPlan]]:
    for child in field.fields:
        if child.kind is Kind.DICT:
            yield from _named(child)
        else:
            yield child.dotted, child
            if child.element is not None and child.element.kind is Kind.DICT:
                yield from _named(child.element)


def _reference(field: FieldPlan) -> Reference | None:
    """The reference that a field is, or each of its elements."""
    if field.reference is None and field.element is not None:
        return field.element.reference
    return field.reference


def _is_single(field: FieldPlan) -> bool:
    return field.kind is not Kind.LIST and "[" not in field.path


def _there(field: FieldPlan, look: Neighbours | None) -> FieldPlan | None:
    """The root of the items that a reference points to, as answers show them."""
    reference = _reference(field)
    found = None if reference is None or look is None else look(reference.collection)
    return None if found is None else found.plan.shown_root


# -- texts -------------------------------------------------------------------------

_FIXED: Mapping[Op, Schema] = {
    Op.EXISTS: {"type": "boolean"},
    Op.SIZE: {"type": "integer", "minimum": 0, "exclusiveMaximum": MAX_SIZE},
    Op.REG: {"type": "string", "format": "regex", "maxLength": MAX_PATTERN},
}


def _text_schema(field: FieldPlan, op: Op) -> Schema | None:
    """The schema of a query parameter; None for what only the JSON filter can say."""
    if op in _FIXED:
        return dict(_FIXED[op])
    if op in (Op.CONTAINS, Op.ALL):
        one = _element_text(field)
    elif field.kind in (Kind.LIST, Kind.TUPLE) and op in (Op.EQ, Op.NE):
        return _whole_text(field)
    else:
        one = _text_of(_deepest(field))
    return _several(one) if one is not None and op in _LISTS else one


def _several(one: Schema) -> Schema:
    return {"type": "array", "items": one, "minItems": 1}


def _deepest(field: FieldPlan) -> FieldPlan:
    """What one operand is compared with: a List's elements."""
    return field.held if field.kind is Kind.LIST else field


def _element_text(field: FieldPlan) -> Schema | None:
    return _union([_text_of(_deepest(one)) for one in _held(field)])


def _held(field: FieldPlan) -> list[FieldPlan]:
    """What the elements of a List or a Tuple are, or of what an In may be."""
    match field.kind:
        case Kind.LIST:
            return [field.held]
        case Kind.TUPLE:
            return list(field.elements)
        case Kind.IN:
            return [one for each in field.elements for one in _held(each)]
        case _:
            return []


def _whole_text(field: FieldPlan) -> Schema | None:
    """A List, or just one of its elements; a Tuple, element by element."""
    elements = [_text_of(one) for one in field.elements or (field.held,)]
    if None in elements:
        return None
    if field.kind is Kind.LIST:
        return _several(_union(elements) or {})
    size = {"minItems": len(elements), "maxItems": len(elements)}
    items = _union(elements)
    return {"type": "array", "prefixItems": elements, "items": items, **size}


def _text_of(field: FieldPlan) -> Schema | None:
    """The schema of a value of the field, where it can be written as one text."""
    if field.kind is Kind.IN:
        return _union([_text_of(one) for one in field.elements])
    if field.kind is Kind.EXTEND:
        return {"type": "string"}
    return None if field.kind in _ONLY_JSON else filter_value(field)


_ONLY_JSON = frozenset({Kind.DICT, Kind.FREEDICT, Kind.TUPLE, Kind.LIST})


def _union(schemas: Sequence[Schema | None]) -> Schema | None:
    """Any of the schemas that are there; None when none is. Any text is a string."""
    there = [one for one in schemas if one is not None]
    if not there or {"type": "string"} in there:
        return there and {"type": "string"} or None
    distinct = [one for at, one in enumerate(there) if one not in there[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


# -- JSON --------------------------------------------------------------------------


def filter_value(field: FieldPlan) -> Schema:
    """The schema of a value compared with the field: its type, whatever its bounds."""
    if field.kind in _PLAIN:
        return dict(_PLAIN[field.kind])
    if field.kind is Kind.DICT:
        members = [child for child in field.fields if not child.unreadable]
        properties = {child.name: _member(child) for child in members}
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
    if field.kind is Kind.LIST:
        return {"type": "array", "items": _member(field.held)}
    if field.kind is Kind.TUPLE:
        elements = [_member(one) for one in field.elements]
        size = {"minItems": len(elements), "maxItems": len(elements)}
        items = _union_json(elements)
        return {"type": "array", "prefixItems": elements, "items": items, **size}
    if field.kind is Kind.IN:
        return _union_json([filter_value(one) for one in field.elements])
    return value_schema(dataclasses.replace(field, patterns=(), enum=None), Use.READ)


_PLAIN: Mapping[Kind, Schema] = {
    Kind.STRING: {"type": "string"},
    Kind.URL: {"type": "string"},
    Kind.INT: {"type": "integer"},
    Kind.FLOAT: {"type": "number"},
    Kind.DATETIME: MOMENT,
    Kind.EXTEND: {"description": "Any JSON value"},
}


def _member(field: FieldPlan) -> Schema:
    return nullable(filter_value(field))


def _union_json(schemas: list[Schema]) -> Schema:
    distinct = [one for at, one in enumerate(schemas) if one not in schemas[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def filter_schema(plan: ItemPlan, name: str, look: Neighbours | None = None) -> Schema:
    """The schema of a filter in JSON, which refers to itself by ``name``. It names the
    fields of other items through two references at most, and lets an object stand
    beside any reference."""
    itself = {"$ref": f"#/components/schemas/{name}"}
    several = {"type": "array", "items": itself}
    conditions = {
        dotted: schema
        for dotted, field, _ in _filterable(plan.shown_root, look, 2)
        for schema in [_condition_schema(field, _below(field, look))]
        if schema is not None
    }
    combined = {"$and": several, "$or": several, "$not": itself}
    return {
        "type": "object",
        "description": "Conditions on fields, all of which must hold. Beside a field "
        "stands the value it must have, or operators with their operands.",
        "properties": conditions | combined,
        "additionalProperties": False,
    }


def filter_parameter(component: str) -> Parameter:
    """The parameter that holds a filter in JSON. As ``content`` some programs that make
    clients would leave it out without a word."""
    schema: Schema = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/components/schemas/{component}"},
    }
    about = "A filter in JSON, joined to the other conditions"
    return Parameter(FILTER, "query", schema, about)


def _below(field: FieldPlan, look: Neighbours | None) -> Schema | None:
    """The schema of a filter of the items that a reference points to."""
    reference, there = _reference(field), _there(field, look)
    if reference is None or there is None or not there.fields:
        return None
    name = component_name(reference.collection)
    return {"$ref": f"#/components/schemas/{name}Filter"}


def _condition_schema(field: FieldPlan, below: Schema | None) -> Schema | None:
    """A field's condition: a value it must be, or operators with their operands; of a
    reference also ``below``, conditions on the item. None: there is no condition."""
    if not _keeps_ids(field):
        return below
    operators = {
        op.value: _json_schema(field, op) for op in Op if op in operators_for(field)
    }
    value = operators[Op.EQ.value]
    alternatives = value.get("anyOf", [value]) if set(value) == {"anyOf"} else [value]
    conditions: Schema = {
        "type": "object",
        "properties": operators,
        "minProperties": 1,
        "additionalProperties": False,
    }
    if below is None:
        return {"anyOf": [*alternatives, conditions]}
    for op in (Op.CONTAINS, Op.ALL):
        if op.value in operators:
            operators[op.value] = {"anyOf": [operators[op.value], below]}
    return {"anyOf": [*alternatives, conditions, below]}


def _json_schema(field: FieldPlan, op: Op) -> Schema:
    """The schema of an operand; null stands for unset where there is no order."""
    if op in _FIXED:
        return dict(_FIXED[op])
    if op in (Op.EQ, Op.NE):
        return nullable(_equal_value(field))
    if op in (Op.IN, Op.NIN):
        return {"type": "array", "items": nullable(_equal_value(field))}
    if op in (Op.CONTAINS, Op.ALL):
        elements = [filter_value(one) for one in _held(field)]
        element = nullable(_union_json(elements))
        return element if op is Op.CONTAINS else {"type": "array", "items": element}
    return filter_value(_deepest(field))


def _equal_value(field: FieldPlan) -> Schema:
    """A List is compared with a list, or each of its elements with a value; what is a
    list itself is taken for the whole one."""
    if field.kind is not Kind.LIST or field.held.kind in (Kind.LIST, Kind.TUPLE):
        return filter_value(field)
    return _union_json([filter_value(field.held), filter_value(field)])


def page_parameters(
    plan: ItemPlan,
    page_size: int,
    max_page_size: int,
    look: Neighbours | None = None,
) -> tuple[Parameter, ...]:
    """The parameters that choose and order the rows of a page."""
    size = {"type": "integer", "minimum": 1, "maximum": max_page_size}
    skip = {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63, "default": 0}
    total: Schema = {"type": "integer", "enum": [0, 1], "default": 1}
    about = "Fields to sort by, - for last first"
    names = _sortable(plan, look)
    sort = (Parameter("_sort", "query", _sort_schema(names), about),) if names else ()
    return (
        Parameter(
            "_page", "query", {**size, "default": page_size}, "Rows to answer with"
        ),
        Parameter("_skip", "query", skip, "Rows to leave out first"),
        *sort,
        Parameter("_total", "query", total, "0: do not count all the rows that match"),
        view_parameter(plan),
    )


def _sortable(plan: ItemPlan, look: Neighbours | None) -> list[str]:
    # A sort cannot tell "-a" and "a,b" from a direction and from a list of names.
    return [
        name
        for name in _in_order(plan.shown_root, look, 1)
        if name[0] != "-" and "," not in name
    ]


def _in_order(root: FieldPlan, look: Neighbours | None, depth: int) -> Iterator[str]:
    """Every field with one value, through ``depth`` single references at most."""
    for dotted, field in _named(root):
        if field.kind in UNSORTABLE or "[" in field.path:
            continue
        yield dotted
        there = _there(field, look) if depth else None
        if there is not None:
            for below in _in_order(there, look, depth - 1):
                yield f"{dotted}.{below}"


def _sort_schema(names: list[str]) -> Schema:
    keys = "|".join(map(literal, names))
    key = rf"-?(?:\$\.)?(?:{keys})"
    more = f"(?:,{key}){{0,{MAX_SORT_KEYS - 1}}}"
    return {
        "type": "string",
        "pattern": f"^(?:{key}{more})?$",
        "examples": [f"-{names[0]}"],
    }


def view_parameter(plan: ItemPlan) -> Parameter:
    """The parameter that chooses the view."""
    schema: Schema = {
        "type": "string",
        "enum": list(plan.view_names),
        "default": "client",
    }
    return Parameter("_view", "query", schema, "The view to answer with")


_MOST_NAMED = 200
"""Paths of expansions that are named one by one: of more, the schema would be longer
than the rest of the document."""


def expand_parameter(plan: ItemPlan, plan_of: PlanOf) -> tuple[Parameter, ...]:
    """The parameter that puts items into the answer where references point to them, for
    items that have references."""
    paths = dict.fromkeys(
        path
        for view in plan.view_names
        for path in expandable_paths(plan.view(view), plan_of)
    )
    if not paths:
        return ()
    one: Schema = {"type": "string"}
    if len(paths) <= _MOST_NAMED:
        one["enum"] = list(paths)
    about = (
        "References to put the items in the place of that they point to, as the view "
        "client shows them; ids of items that are not there for the caller stay. Lists "
        "that keep no ids get the items found, as many as a page may have. The answer "
        "has no ETag then: what it shows is more than the item"
    )
    schema = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_PATHS}
    parameter = Parameter("_expand", "query", schema, about, comma_separated=True)
    return (parameter,)
