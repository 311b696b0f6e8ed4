"""The component schemas of an OpenAPI document, by name."""

from typing import Any

from backo.collection import Collection
from backo.http.handlers import MAX_OPERATIONS
from backo.http.parameters import filter_schema
from backo.openapi.patches import patch_schema
from backo.schema.models import component_name, view_suffix

__all__ = ["collection_schemas", "common_schemas", "reference"]

type Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}


def reference(name: str) -> Schema:
    """A reference to the component schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def collection_schemas(collection: Collection) -> dict[str, Schema]:
    """The schemas of one collection: reading (one for each view), creating, updating,
    patching, a page, a filter, a question about a value."""
    name = component_name(collection.name)
    plan, models = collection.plan, collection.models
    schemas = {
        name + view_suffix(view): model.model_json_schema()
        for view, model in models.views.items()
    }
    shown = one_of(tuple(schemas))
    schemas |= {
        f"{name}Create": models.create.model_json_schema(),
        f"{name}Update": models.update.model_json_schema(),
        f"{name}Patch": patch_schema(plan, MAX_OPERATIONS),
        f"{name}Page": _page(shown),
        f"{name}Filter": filter_schema(plan, f"{name}Filter"),
        f"{name}Question": _question(
            [f"$.{f.dotted}" for f in plan.every_field if _askable(f)]
        ),
    }
    return {key: {"title": key, **schema} for key, schema in schemas.items()}


def _askable(field: Any) -> bool:
    return not field.unreadable and "[" not in field.path


def one_of(components: tuple[str, ...]) -> Schema:
    """A reference to the one component, or a choice among several."""
    if len(components) == 1:
        return reference(components[0])
    return {"anyOf": [reference(name) for name in components]}


def _page(shown: Schema) -> Schema:
    count: Schema = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "description": "A page of items",
        "properties": {
            "result": {"type": "array", "items": shown, "description": "The rows"},
            "total": {
                **count,
                "description": "How many items match; not with _total=0",
            },
            "_skip": {**count, "description": "How many rows were left out first"},
            "_page": {**count, "description": "How many rows were asked for"},
        },
        "required": ["result", "_skip", "_page"],
        "additionalProperties": False,
    }


def _question(paths: list[str]) -> Schema:
    return {
        "type": "object",
        "description": "Which value of which item is to be checked",
        "properties": {
            "item": {
                "type": "object",
                "description": "The item, as far as it has been written",
                "additionalProperties": True,
            },
            "path": {
                "type": "string",
                "enum": paths,
                "description": "Where the value is",
            },
        },
        "required": ["item", "path"],
        "additionalProperties": False,
    }


def common_schemas() -> dict[str, Schema]:
    """The schemas that every backoffice has."""
    schemas = {
        "Problem": _problem(),
        "Fault": _fault(),
        "Verdict": _verdict(),
        "Partial": _partial(),
        "Meta": _meta(),
        "CollectionMeta": _collection_meta(),
        "FieldMeta": _field_meta(),
        "OpenAPI": _openapi(),
    }
    return {key: {"title": key, **schema} for key, schema in schemas.items()}


def _problem() -> Schema:
    return {
        "type": "object",
        "description": "What went wrong (RFC 9457)",
        "properties": {
            "type": {"type": "string", "description": "The kind of problem, as a URI"},
            "title": {"type": "string", "description": "The kind of problem, in words"},
            "status": {"type": "integer", "description": "The HTTP status"},
            "detail": {"type": "string", "description": "What went wrong this time"},
            "instance": {"type": "string", "description": "The path of the request"},
            "code": {"type": "string", "description": "The kind of problem, stable"},
            "errors": {
                "type": "array",
                "items": reference("Fault"),
                "description": "Everything that is wrong with the request",
            },
        },
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "additionalProperties": False,
    }


def _fault() -> Schema:
    return {
        "type": "object",
        "description": "One thing that is wrong",
        "properties": {
            "path": {"type": "string", "description": "Where: $.address.zip"},
            "message": {"type": "string", "description": "What is wrong there"},
            "code": {"type": "string", "description": "What is wrong, stable"},
        },
        "required": ["path", "message", "code"],
        "additionalProperties": False,
    }


def _verdict() -> Schema:
    return {
        "type": "object",
        "description": "What is wrong with a value, or null",
        "properties": {"error": _TEXT_OR_NULL},
        "required": ["error"],
        "additionalProperties": False,
    }


def _partial() -> Schema:
    return {
        "type": "object",
        "description": "An item, as far as it has been written",
        "additionalProperties": True,
    }


def _meta() -> Schema:
    return {
        "type": "object",
        "description": "What a backoffice is",
        "properties": {
            "name": _TEXT,
            "version": _TEXT,
            "collections": {"type": "array", "items": reference("CollectionMeta")},
        },
        "required": ["name", "version", "collections"],
        "additionalProperties": False,
    }


def _collection_meta() -> Schema:
    rights = {right: _FLAG for right in ("read", "create", "modify", "delete")}
    return {
        "type": "object",
        "description": "What a collection is, for the caller",
        "properties": {
            "name": _TEXT,
            "description": _TEXT_OR_NULL,
            "rights": _flags(rights),
            "item": reference("FieldMeta"),
            "actions": {"type": "object", "additionalProperties": True},
            "selections": {"type": "object", "additionalProperties": True},
        },
        "required": ["name", "description", "rights", "item", "actions", "selections"],
        "additionalProperties": False,
    }


def _flags(flags: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": flags,
        "required": list(flags),
        "additionalProperties": False,
    }


def _field_meta() -> Schema:
    below = reference("FieldMeta")
    return {
        "type": "object",
        "description": "What a field is, for the caller",
        "properties": {
            "path": {"type": "string", "description": "Where it is: $.address.zip"},
            "kind": {"type": "string", "description": "What sort of value it holds"},
            "types": {"type": "array", "items": _TEXT, "description": "Its classes"},
            "description": _TEXT_OR_NULL,
            "required": _FLAG,
            "default": {"description": "What it is when not given"},
            "union": {"description": "The values it may have"},
            "constraints": {"type": "array", "items": _TEXT},
            "transform": _TEXT_OR_NULL,
            "auto_set": _TEXT_OR_NULL,
            "read_only": _FLAG,
            "exists": {"type": "boolean", "description": "Whether this item has it"},
            "rights": _flags({"read": _FLAG, "modify": _FLAG}),
            "min": {"description": "The least it may be"},
            "max": {"description": "The most it may be"},
            "uniq": _FLAG,
            "regexp": {"type": "array", "items": _TEXT},
            "sub_scheme": {"type": "object", "additionalProperties": below},
            "sub_type": below,
            "sub_types": {"type": "array", "items": below},
        },
        "required": ["path", "kind", "types", "required", "exists", "rights"],
        "additionalProperties": False,
    }


def _openapi() -> Schema:
    return {
        "type": "object",
        "description": "An OpenAPI document",
        "properties": {"openapi": _TEXT},
        "required": ["openapi"],
        "additionalProperties": True,
    }
