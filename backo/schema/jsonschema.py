"""FieldPlan → JSON Schema 2020-12, as OpenAPI 3.1 uses it."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from backo.schema import wire
from backo.schema.defaults import shown_default
from backo.schema.file import FILE_FIELDS
from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "MOMENT",
    "Use",
    "any_of",
    "element_schema",
    "field_schema",
    "literal",
    "notes_of",
    "nullable",
    "object_schema",
    "value_schema",
]

type Schema = dict[str, Any]


class Use(Enum):
    """What a schema is for: the same field differs in each."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    """A JSON Patch puts this in the place of what is there: nothing of it is kept."""
    READ = "read"
    STORE = "store"
    """Whatever a store keeps, and nobody may see, too."""

    @property
    def of_elements(self) -> "Use":
        """What it is for a List's elements: they are always given as a whole."""
        return self if self in (Use.READ, Use.STORE) else Use.CREATE

    @property
    def given(self) -> bool:
        """Whether it is something that a caller gives."""
        return self not in (Use.READ, Use.STORE)

    def takes(self, field: FieldPlan) -> bool:
        """Whether ``field`` stands in a document of this use."""
        if self is Use.STORE:
            return field.stored
        return not (field.unreadable if self is Use.READ else field.read_only)


def object_schema(field: FieldPlan, use: Use) -> Schema:
    """The schema of a Dict: every key typed, no other allowed.

    An answer has all its keys; only those that some items or callers do not see may
    be absent.
    """
    taken = [child for child in field.fields if use.takes(child)]
    schema: Schema = {"type": "object"}
    if field.description:
        schema["description"] = field.description
    schema["properties"] = {child.name: field_schema(child, use) for child in taken}
    required = [child.name for child in taken if _always_there(child, use)]
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def _always_there(field: FieldPlan, use: Use) -> bool:
    if use is Use.UPDATE or field.conditional:
        return False
    if use is Use.READ:
        return True
    if field.grouping:
        return any(
            _always_there(child, use) for child in field.fields if use.takes(child)
        )
    return field.required and field.default is None


def field_schema(field: FieldPlan, use: Use) -> Schema:
    """The schema of one key: its value's, null where it may be, and its notes."""
    schema = value_schema(field, use)
    if field.nullable:
        schema = nullable(schema)
    schema |= notes_of(field)
    if use is Use.READ and field.read_only:
        schema["readOnly"] = True
    if use is not Use.READ and field.unreadable:
        schema["writeOnly"] = True
    default = shown_default(field, lambda one: one.unreadable or one.guarded)
    if use is Use.CREATE and default is not None and not callable(default):
        schema["default"] = default
    return schema


def notes_of(field: FieldPlan) -> Schema:
    """What does not restrict a value."""
    notes: Schema = {}
    if field.description:
        notes["description"] = field.description
    if field.examples:
        notes["examples"] = list(field.examples)
    return notes | _pointing(field)


def _pointing(field: FieldPlan) -> Schema:
    """Whose ids a field holds."""
    reference = field.reference
    if reference is None:
        return {}
    back = {} if reference.reverse is None else {"x-ref-reverse": reference.reverse}
    return {"x-ref-collection": reference.collection, **back}


def nullable(schema: Schema) -> Schema:
    """``schema`` with null besides; a schema of anything has null already."""
    if "anyOf" in schema and "type" not in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]} if schema else schema
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "null" in types:
        return schema
    with_null = {**schema, "type": [*types, "null"]}
    if "enum" in schema:
        with_null["enum"] = [*schema["enum"], None]
    if "anyOf" in schema:
        with_null["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return with_null


def value_schema(field: FieldPlan, use: Use) -> Schema:
    """The schema of a value that is there, without its description."""
    if field.transformed and use is not Use.READ:
        field = field.unbounded
    if field.file is not None and use.given:
        return _given_file()
    schema = _BUILDERS[field.kind](field, use)
    own: Schema | None = getattr(type(field.node), "json_schema", None)
    if own is not None:
        return dict(own)
    if field.custom and field.kind not in (Kind.DICT, Kind.LIST, Kind.TUPLE):
        schema = {key: schema[key] for key in ("type",) if key in schema}
    if field.enum is not None and not callable(field.enum):
        schema["enum"] = list(field.enum)
    return schema


def _given_file() -> Schema:
    """What a file is set to: a content, or what is told of a file of the item."""
    told: Schema = {
        "type": "object",
        "description": "A file of the item, as it was answered: it stays, under the "
        "filename that is given. Without file_id, the one that is there.",
        "properties": {
            name: {"type": ["integer" if name == "size" else "string", "null"]}
            for name in FILE_FIELDS
        },
        "additionalProperties": False,
    }
    text = "The content: text, or base64: and then its base64"
    return {"anyOf": [{"type": "string", "description": text}, told]}


def _string(field: FieldPlan, _use: Use) -> Schema:
    schema: Schema = {"type": "string"}
    patterns = [_ecma(one) for one in field.patterns if isinstance(one, str)]
    if len(patterns) == 1:
        schema["pattern"] = patterns[0]
    elif patterns:
        schema["allOf"] = [{"pattern": pattern} for pattern in patterns]
    return schema


def _ecma(pattern: str) -> str:
    """A pattern that matches from the start, in the dialect of ECMA-262."""
    for python, ecma in (("(?P<", "(?<"), (r"\A", "^"), (r"\Z", "$"), (r"\z", "$")):
        pattern = pattern.replace(python, ecma)
    if pattern.startswith("^") and "|" not in pattern:
        return pattern
    return f"^(?:{pattern})"


def _int(field: FieldPlan, _use: Use) -> Schema:
    # 2**63 can be written as a float, which FastAPI's model of OpenAPI makes of it;
    # 2**63 - 1 cannot.
    schema: Schema = {"type": "integer", "format": "int64"}
    if field.minimum is None or field.minimum < wire.INT_MIN:
        schema["exclusiveMinimum"] = wire.INT_MIN - 1
    else:
        schema["minimum"] = field.minimum
    if field.maximum is None or field.maximum > wire.INT_MAX:
        schema["exclusiveMaximum"] = wire.INT_MAX + 1
    else:
        schema["maximum"] = field.maximum
    return schema


def _float(field: FieldPlan, _use: Use) -> Schema:
    schema: Schema = {"type": "number", "format": "double"}
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.maximum is not None:
        schema["maximum"] = field.maximum
    return schema


def _typed(**schema: Any) -> Callable[[FieldPlan, Use], Schema]:
    return lambda _field, _use: dict(schema)


def _list(field: FieldPlan, use: Use) -> Schema:
    schema: Schema = {"type": "array", "items": element_schema(field, use)}
    for key, bound in (("minItems", field.minimum), ("maxItems", field.maximum)):
        if bound is not None:
            schema[key] = bound
    if field.uniq:
        schema["uniqueItems"] = True
    return schema


def element_schema(field: FieldPlan, use: Use) -> Schema:
    """The schema of one element of a List: never null."""
    notes = notes_of(field.held) | _pointing(field)
    return value_schema(field.held, use.of_elements) | notes


def _tuple(field: FieldPlan, use: Use) -> Schema:
    """``maxItems`` leaves nothing to ``items``: it is there for programs that know no
    ``prefixItems``."""
    elements = [value_schema(one, use.of_elements) for one in field.elements]
    return {
        "type": "array",
        "prefixItems": elements,
        "items": any_of(elements),
        "minItems": len(elements),
        "maxItems": len(elements),
    }


def _in(field: FieldPlan, use: Use) -> Schema:
    return any_of([value_schema(one, use.of_elements) for one in field.elements])


def any_of(schemas: list[Schema]) -> Schema:
    """The schema of values that are of one of ``schemas``."""
    distinct = [one for at, one in enumerate(schemas) if one not in schemas[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def literal(text: str) -> str:
    """The pattern of ECMA-262 that matches just ``text``."""
    return "".join(f"\\{one}" if one in r"\^$.*+?()[]{}|/" else one for one in text)


_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

# What RFC 3339 has and Python has not: year 0, leap seconds, small letters.
_LEAP = (
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26]|0[48])00)"
)
_DATE = (
    "(?:(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-"
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP}-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]+)?"
_OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"

MOMENT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": f"^{_DATE}T{_TIME}{_OFFSET}$",
}
"""A moment with its offset to UTC."""

_LOCAL_MOMENT: Schema = {
    "type": "string",
    "pattern": f"^{_DATE}T{_TIME}$",
    "description": "Without an offset: UTC",
}

_NETWORK = "^[0-9A-Fa-f.:]+(?:/[0-9.]+)?$"

_BUILDERS: Mapping[Kind, Callable[[FieldPlan, Use], Schema]] = {
    Kind.STRING: _string,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.BOOL: _typed(type="boolean"),
    Kind.DATETIME: _typed(anyOf=[MOMENT, _LOCAL_MOMENT]),
    Kind.BYTES: _typed(type="string", contentEncoding="base64", pattern=_BASE64),
    Kind.IPADDRESS: _typed(
        type="string", anyOf=[{"format": "ipv4"}, {"format": "ipv6"}]
    ),
    Kind.IPNETWORK: _typed(type="string", format="cidr", pattern=_NETWORK),
    Kind.URL: _typed(
        type="string", format="uri", pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]+"
    ),
    Kind.FREEDICT: _typed(type="object", additionalProperties=True),
    Kind.EXTEND: _typed(),
    Kind.DICT: object_schema,
    Kind.LIST: _list,
    Kind.TUPLE: _tuple,
    Kind.IN: _in,
}
