"""The component schemas of an OpenAPI document, by name."""

from typing import Any

from backo.action import Registered
from backo.http.across import expanded_component
from backo.http.described import Described
from backo.http.forms import given_files
from backo.http.parameters import expand_parameter, filter_schema
from backo.http.patch import MAX_OPERATIONS
from backo.openapi.expanded import expanded_schema
from backo.openapi.forms import form_schema, new_form_schema
from backo.openapi.patches import patch_schemas
from backo.schema.jsonschema import any_of
from backo.schema.models import component_name, shown_component, view_suffix
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.selection import Selection

__all__ = ["collection_schemas", "common_schemas", "one_of", "reference"]

type Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}


def reference(name: str) -> Schema:
    """A reference to the component schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def collection_schemas(collection: Described) -> dict[str, Schema]:
    """The schemas of one collection: reading (one for each view), creating, updating,
    patching, a page, a filter, a question about a value. Those of what is refused are
    not there."""
    name = component_name(collection.name)
    schemas = {f"{name}Question": _question(collection.plan)}
    if not collection.forbids("read"):
        expanded = _expanded_schemas(collection)
        if not expanded or not _is_constant(collection):
            schemas |= _view_schemas(collection, name)
        schemas |= expanded
        shown = reference(expanded_component(collection))
        schemas[f"{name}Page"] = _page(shown, collection.collection.max_page_size)
        schemas |= _selection_schemas(collection, name)
        if collection.plan.shown_root.fields:
            look = collection.neighbours
            conditions = filter_schema(collection.plan, f"{name}Filter", look)
            schemas[f"{name}Filter"] = conditions
    root = collection.plan.root
    forms = bool(given_files(root))
    if not collection.forbids("create"):
        schemas[f"{name}Create"] = collection.models.create.model_json_schema()
        if forms:
            whole = collection.models.create.model_json_schema()
            schemas[f"{name}CreateForm"] = new_form_schema(root, whole)
    if not collection.forbids("modify"):
        schemas[f"{name}Update"] = collection.models.update.model_json_schema()
        schemas |= patch_schemas(name, collection.plan, MAX_OPERATIONS)
        if forms:
            changes = reference(f"{name}Update")
            schemas[f"{name}UpdateForm"] = form_schema(root, changes)
            either = {"anyOf": [reference(f"{name}Patch"), changes]}
            schemas[f"{name}PatchForm"] = form_schema(root, either)
    for action in collection.actions:
        schemas |= _action_schemas(action)
    return {key: {"title": key, **schema} for key, schema in schemas.items()}


def _selection_schemas(collection: Described, name: str) -> dict[str, Schema]:
    """Those of rows that are no whole items."""
    schemas = {}
    most = collection.collection.max_page_size
    for selection in collection.selections:
        if selection.row_is_item:
            continue
        own = name + component_name(selection.name or "")
        schemas[f"{own}Row"] = _row(selection, collection)
        schemas[f"{own}Page"] = _page(reference(f"{own}Row"), most)
    return schemas


def _row(selection: Selection, collection: Described) -> Schema:
    """The schema of a row, in which null stands for what may not be read."""
    row = selection.row.model_json_schema()
    hidden = selection.hidden(collection.plan, collection.neighbours)
    if not hidden:
        return row
    columns = [
        {"type": "null", "title": one["title"]} if at in hidden else one
        for at, one in enumerate(row["prefixItems"])
    ]
    untitled = [{k: v for k, v in one.items() if k != "title"} for one in columns]
    return {**row, "prefixItems": columns, "items": any_of(untitled)}


def _action_schemas(action: Registered) -> dict[str, Schema]:
    name = action.component
    schemas = {f"{name}Input": action.model.model_json_schema()}
    if given_files(action.plan.root):
        whole = action.model.model_json_schema()
        schemas[f"{name}InputForm"] = new_form_schema(action.plan.root, whole)
    if action.result is not None:
        schemas[f"{name}Result"] = action.result.model_json_schema()
    return schemas


def _view_schemas(collection: Described, name: str) -> dict[str, Schema]:
    views = collection.models.views
    schemas = {
        name + view_suffix(view): model.model_json_schema()
        for view, model in views.items()
    }
    if len(views) > 1:
        schemas[shown_component(name, tuple(views))] = {
            "description": "An item in any of its views",
            "anyOf": [reference(one) for one in schemas],
        }
    return schemas


def _is_constant(collection: Described) -> bool:
    """Whether no answer shows an item but those that may have been expanded."""
    return collection.forbids("create") and collection.forbids("modify")


def _expanded_schemas(collection: Described) -> dict[str, Schema]:
    """Items as ``_expand`` shows them; none where it changes nothing."""
    views, find = collection.models.views, collection.plan_of
    names = {view: expanded_component(collection, view) for view in views}
    if not expand_parameter(collection.plan, find):
        return {}
    schemas = {
        names[view]: expanded_schema(
            model.model_json_schema(), collection.plan.view(view), find
        )
        for view, model in views.items()
    }
    if len(views) > 1:
        schemas[expanded_component(collection)] = {
            "description": "An item in any of its views; where it points to others may "
            "be these",
            "anyOf": [reference(names[view]) for view in views],
        }
    return schemas


def one_of(components: tuple[str, ...]) -> Schema:
    """A reference to the one component, or a choice among several."""
    if len(components) == 1:
        return reference(components[0])
    return {"anyOf": [reference(name) for name in components]}


def _page(shown: Schema, most: int) -> Schema:
    count: Schema = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "description": "A page of items",
        "properties": {
            "result": {
                "type": "array",
                "items": shown,
                "maxItems": most,
                "description": "The rows",
            },
            "total": {
                **count,
                "description": "How many items match; not with _total=0",
            },
            "_skip": {**count, "description": "How many rows were left out first"},
            "_page": {
                "type": "integer",
                "minimum": 1,
                "maximum": most,
                "description": "How many rows were asked for",
            },
        },
        "required": ["result", "_skip", "_page"],
        "additionalProperties": False,
    }


def _question(plan: ItemPlan) -> Schema:
    paths = [f"$.{one.dotted}" for one in plan.every_field if _askable(one)]
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


def _askable(field: FieldPlan) -> bool:
    """Whether it has a path of its own: elements and alternatives have none."""
    return not field.unreadable and "[" not in field.path + field.name


def common_schemas(*, empty: bool = False, results: bool = False) -> dict[str, Schema]:
    """The schemas that every backoffice has; ``empty``: it has no collection;
    ``results``: it has actions that may give anything."""
    schemas = {
        "Problem": _problem(),
        "Fault": _fault(),
        "Meta": _meta(),
        "CollectionMeta": _collection_meta(),
        "ActionMeta": _action_meta(),
        "SelectionMeta": _selection_meta(),
        "FieldMeta": _field_meta(),
        "OpenAPI": _openapi(),
    }
    if not empty:
        schemas |= {"Verdict": _verdict(), "Partial": _partial()}
    if results:
        schemas["Result"] = {"description": "What an action gives: any JSON value"}
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
            "actions": _named("ActionMeta"),
            "selections": _named("SelectionMeta"),
        },
        "required": ["name", "description", "rights", "item", "actions", "selections"],
        "additionalProperties": False,
    }


def _named(name: str) -> Schema:
    return {"type": "object", "additionalProperties": reference(name)}


def _action_meta() -> Schema:
    return {
        "type": "object",
        "description": "What an action is, for the caller and an item",
        "properties": {
            "name": _TEXT,
            "description": _TEXT_OR_NULL,
            "rights": _flags({"see": _FLAG, "execute": _FLAG}),
            "item": reference("FieldMeta"),
        },
        "required": ["name", "description", "rights", "item"],
        "additionalProperties": False,
    }


def _selection_meta() -> Schema:
    return {
        "type": "object",
        "description": "What a selection is",
        "properties": {
            "name": _TEXT,
            "description": _TEXT_OR_NULL,
            "selectors": {
                "type": ["array", "null"],
                "items": _TEXT,
                "description": "What its rows hold; null: whole items",
            },
            "row": {
                "type": ["object", "null"],
                "additionalProperties": True,
                "description": "The JSON Schema of a row; null: whole items",
            },
        },
        "required": ["name", "description", "selectors", "row"],
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
            "kind": {
                "type": "string",
                "enum": [kind.value for kind in Kind],
                "description": "What sort of value it holds",
            },
            "types": {"type": "array", "items": _TEXT, "description": "Its classes"},
            "description": _TEXT_OR_NULL,
            "required": _FLAG,
            "default": {"description": "What it is when not given: any JSON value"},
            "union": {
                "type": ["array", "string", "null"],
                "items": {"description": "One of them: any JSON value"},
                "description": "The values it may have, or that a function tells",
            },
            "constraints": {"type": "array", "items": _TEXT},
            "transform": _TEXT_OR_NULL,
            "auto_set": _TEXT_OR_NULL,
            "read_only": _FLAG,
            "exists": {"type": "boolean", "description": "Whether this item has it"},
            "rights": _flags({"read": _FLAG, "modify": _FLAG}),
            "min": _bound("The least it may be"),
            "max": _bound("The most it may be"),
            "uniq": _FLAG,
            "regexp": {"type": "array", "items": _TEXT},
            "collection": {
                "type": "string",
                "description": "The collection of the items that it points to",
            },
            "reverse": {
                "type": ["string", "null"],
                "description": "Where these point back, if they do",
            },
            "mime_types": {
                "type": "array",
                "items": _TEXT,
                "description": "What a file may be: media types or ranges of them",
            },
            "max_size": {
                "type": ["integer", "null"],
                "description": "Bytes that a file may have",
            },
            "sub_scheme": {"type": "object", "additionalProperties": below},
            "sub_type": below,
            "sub_types": {"type": "array", "items": below},
        },
        "required": ["path", "kind", "types", "required", "exists", "rights"],
        "additionalProperties": False,
    }


def _bound(description: str) -> Schema:
    return {"type": ["number", "string", "null"], "description": description}


def _openapi() -> Schema:
    return {
        "type": "object",
        "description": "An OpenAPI document",
        "properties": {"openapi": _TEXT},
        "required": ["openapi"],
        "additionalProperties": True,
    }
