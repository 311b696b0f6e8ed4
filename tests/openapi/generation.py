"""What schemathesis is told to know about our documents: SCHEMATHESIS_HOOKS names this
module. No check is changed here, only what is generated, and where it is sent: to the
server that OTHER_SERVER names, too."""

import ipaddress
import os
from collections.abc import Iterable
from typing import Any

import schemathesis
from hypothesis import strategies as st

__all__ = ["before_load_schema", "the_other_server"]

type Schema = dict[str, Any]

OTHER_SERVER = os.environ["OTHER_SERVER"]
"""The URL of the same backoffice behind the other framework."""


def _patterns() -> st.SearchStrategy[str]:
    """Regular expressions of the linear-time engine: a part of those of ECMA-262."""
    atoms = st.sampled_from(
        ["a", "Z", "0", ".", r"\d", r"\w", "[a-z]", "[^0-9]", "é", " "]
    )
    repeated = st.tuples(atoms, st.sampled_from(["", "*", "+", "?", "{1,3}"]))
    pieces = repeated.map("".join)
    groups = st.lists(pieces, max_size=3).map("".join).map("(?:{})".format)
    return st.lists(pieces | groups, max_size=4).map("".join)


def _networks() -> st.SearchStrategy[str]:
    """Networks in CIDR notation without host bits."""
    addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)
    return st.tuples(addresses, st.integers(0, 32)).map(
        lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False))
    )


@schemathesis.check
def the_other_server(context: Any, response: Any, case: Any) -> None:
    """It is asked the same, and all checks hold for its answer too."""
    again = case.derive(keep_auth=True)
    again.call_and_validate(base_url=OTHER_SERVER, excluded_checks=[the_other_server])


schemathesis.openapi.format("regex", _patterns())
schemathesis.openapi.format("cidr", _networks())


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: Schema) -> None:
    """Write ``contentSchema``, which schemathesis does not follow in what it generates,
    as ``content``, which it does and which says the same of a parameter; and see that
    references point to items that are there, and filters to themselves only."""
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.endswith("Filter"):
            _keep_to_itself(schema)
        elif "Patch" in name or name.endswith(("Create", "Update")):
            _point_somewhere(schema)
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            given = operation.get("parameters", ())
            operation["parameters"] = [one for one in given if _near(one["name"])]
            for parameter in operation["parameters"]:
                schema = parameter["schema"]
                if "contentSchema" in schema:
                    media = schema["contentMediaType"]
                    parameter["content"] = {media: {"schema": schema["contentSchema"]}}
                    del parameter["schema"]


def _near(name: str) -> bool:
    """Whether a parameter is no condition on what is far away: the hundred others of
    a list are like the ones that are nearer, and making examples of them takes long."""
    return name.count(".") < 2


def _keep_to_itself(schema: Schema) -> None:
    """Take away conditions on other items, of which there would be no end: parameters
    with dots in their names try these."""
    conditions = schema["properties"]
    for one in conditions.values():
        _without_patterns(one)
    through = [
        name
        for name, one in conditions.items()
        if name[0] != "$" and ("$ref" in one or _leads(one.get("anyOf", ())))
    ]
    schema["properties"] = {
        name: _on_values(one) if name in through else one
        for name, one in conditions.items()
        if "$ref" not in one or name[0] == "$"
        if not any(name.startswith(f"{one}.") for one in through)
    }


def _without_patterns(condition: Schema) -> None:
    """A filter may have so many patterns and no more; parameters try them."""
    for one in condition.get("anyOf", ()):
        one.get("properties", {}).pop("$reg", None)


def _leads(alternatives: Iterable[Schema]) -> bool:
    return any("$ref" in one for one in alternatives)


def _on_values(condition: Any) -> Any:
    """A reference's condition without those on the items it points to, but for the one
    that there is an item."""
    if isinstance(condition, list):
        return [_on_values(one) for one in condition]
    if isinstance(condition, dict) and "$ref" in condition:
        return {"type": "object", "maxProperties": 0}
    if isinstance(condition, dict):
        return {key: _on_values(one) for key, one in condition.items()}
    return condition


THERE = {"authors": ["emile-zola"], "nationalities": ["FR"], "books": ["germinal"]}
"""Ids of items that nothing deletes as long as others point to them."""


def _point_somewhere(schema: Any) -> None:
    """Let references hold only ids that are there: any other is refused with reason,
    but no schema can tell which these are."""
    if isinstance(schema, list):
        for one in schema:
            _point_somewhere(one)
    if not isinstance(schema, dict):
        return
    for one in schema.values():
        _point_somewhere(one)
    if "x-ref-collection" in schema and "readOnly" not in schema:
        if "items" in schema:
            schema["maxItems"] = 0
        elif "null" in schema.get("type", ()):
            schema["type"] = "null"
        else:
            schema["enum"] = THERE.get(schema["x-ref-collection"], [])


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """Expand items in the view that shows all their references, and few of them: no
    schema can tell which paths each of the others has, nor how many items they are."""
    if isinstance(query, dict) and "_expand" in query:
        query = dict(query)
        if query.get("_view") in ("short", "+short"):
            del query["_view"]
        page = query.get("_page")
        if type(page) is int and 1 <= page <= 1000:
            query["_page"] = 2
    return query


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Write numbers as their schema cannot say."""
    filtering = "_selections" in context.operation.path
    return _with_whole_numbers(body) if filtering else _with_exact_numbers(body)


def _with_whole_numbers(body: Any) -> Any:
    """Write whole numbers as such: to JSON Schema 1.0 is an integer, to us only a
    Float."""
    if isinstance(body, dict):
        return {key: _with_whole_numbers(one) for key, one in body.items()}
    if isinstance(body, list):
        return [_with_whole_numbers(one) for one in body]
    whole = isinstance(body, float) and body.is_integer()
    return int(body) if whole else body


def _with_exact_numbers(body: Any) -> Any:
    """Write whole numbers as such where 64 bits hold them, and others not: to JSON
    Schema any number may have any size, and no schema can tell what numbers a FreeDict
    holds exactly."""
    if isinstance(body, dict):
        mapped = {key: _with_exact_numbers(one) for key, one in body.items()}
        return _with_even_numbers(mapped)
    if isinstance(body, list):
        return [_with_exact_numbers(one) for one in body]
    if isinstance(body, float) and body.is_integer() and abs(body) < 2**63:
        return int(body)
    if isinstance(body, int) and not isinstance(body, bool) and abs(body) >= 2**63:
        return float(body)
    return body


def _with_even_numbers(body: Schema) -> Schema:
    """No schema can tell of the constraint of the field ``even``."""
    named = {"even"} if "even" in body else set()
    if body.get("path") in ("/even", "$.even"):
        named = {"value"}
    halves = {key: body[key] for key in named if type(body.get(key)) is int}
    return body | {key: value - value % 2 for key, value in halves.items()}
