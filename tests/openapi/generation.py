"""What schemathesis is told to know about our documents: SCHEMATHESIS_HOOKS names this
module. No check is changed here, only what is generated."""

import ipaddress
from typing import Any

import schemathesis
from hypothesis import strategies as st

__all__ = ["before_load_schema"]

type Schema = dict[str, Any]


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


schemathesis.openapi.format("regex", _patterns())
schemathesis.openapi.format("cidr", _networks())


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: Schema) -> None:
    """Write ``contentSchema``, which schemathesis does not follow in what it generates,
    as ``content``, which it does and which says the same of a parameter."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if "contentSchema" in schema:
                    media = schema["contentMediaType"]
                    parameter["content"] = {media: {"schema": schema["contentSchema"]}}
                    del parameter["schema"]


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Write whole numbers as such where 64 bits hold them: to JSON Schema 1.0 is an
    integer and any number may have any size, to us 1.0 is only a Float, and no schema
    can tell what numbers a FreeDict holds exactly."""
    if isinstance(body, dict):
        return {key: map_body(context, one) for key, one in body.items()}
    if isinstance(body, list):
        return [map_body(context, one) for one in body]
    if isinstance(body, float) and body.is_integer() and abs(body) < 2**63:
        return int(body)
    if isinstance(body, int) and not isinstance(body, bool) and abs(body) >= 2**63:
        return float(body)
    return body
