"""The fields of the items that connectors are checked with."""

from typing import Any

from backo.schema.compiler import compile_item
from backo.schema.plan import ItemPlan
from backo.schema.types import (
    Bool,
    Bytes,
    Datetime,
    Dict,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    List,
    String,
    Tuple,
    Url,
)

__all__ = ["PLAN", "fields"]


def _whole(root: Any, value: Any, old: Any) -> Any:
    """What is given: without a transform, a Datetime drops its microseconds."""
    return value


def fields() -> dict[str, Any]:
    """The schema, with fields of every kind: ``Item(fields(), meta_data_handler=None)``
    declares it to a server that a connector needs."""
    author = Dict({"name": String(), "age": Int(), "langs": List(String())})
    return {
        "title": String(),
        "pages": Int(),
        "price": Float(),
        "ok": Bool(),
        "when": Datetime(transform=_whole),
        "ip": Ipaddress(),
        "net": Ipnetwork(),
        "link": Url(),
        "data": Bytes(),
        "tags": List(String()),
        "numbers": List(Int()),
        "authors": List(author),
        "address": Dict({"zip": String(), "city": String(), "row": Int()}),
        "pair": Tuple((String(), Int())),
        "either": In([Int(), String()]),
        "extra": FreeDict(),
        "it's odd": String(),
        'quo"te': String(),
    }


PLAN: ItemPlan = compile_item("books", Dict({"_id": String(), **fields()}))
"""The plan that every connector of a check is bound to."""
