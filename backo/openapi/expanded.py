"""The schemas of items into which ``_expand`` has put others."""

from typing import Any

from backo.http.across import expanded_name
from backo.references.expanding import PlanOf, expandable
from backo.schema.plan import FieldPlan

__all__ = ["expanded_schema"]

type Schema = dict[str, Any]


def expanded_schema(schema: Schema, shown: FieldPlan, plan_of: PlanOf) -> Schema:
    """``schema``, that of the view ``shown``, with the item in the place of each id
    besides the id itself."""
    for one in expandable(shown, plan_of).values():
        plan = plan_of(one.reference.collection)
        if plan is not None:
            name = expanded_name(plan, "client", plan_of)
            _widen(schema, one.path, {"$ref": f"#/components/schemas/{name}"})
    return schema


def _widen(schema: Schema, path: tuple[str, ...], item: Schema) -> None:
    """Let ``item`` stand at ``path`` too, in the List that may be there."""
    if "items" in schema:
        if path:
            _widen(schema["items"], path, item)
        else:
            schema["items"] = _or(schema["items"], item)
        return
    below = schema["properties"][path[0]]
    if len(path) > 1 or "items" in below:
        _widen(below, path[1:], item)
    else:
        schema["properties"][path[0]] = _or(below, item)


def _or(schema: Schema, item: Schema) -> Schema:
    """A choice of both; what only describes the value stands beside it."""
    notes = ("description", "readOnly", "examples", "x-ref-collection", "x-ref-reverse")
    about = {key: schema[key] for key in notes if key in schema}
    value = {key: one for key, one in schema.items() if key not in notes}
    return {**about, "anyOf": [value, item]}
