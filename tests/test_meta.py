"""What ``_meta`` and the OpenAPI document tell of what may not be read."""

import json
from typing import Any

from backo import Backoffice, Collection, Dict, In, Int, Item, List, String, Tuple
from backo.connectors.memory import DBMemoryConnector
from tests.offices import one


def no(_right: str, _item: Any) -> bool:
    return False


SECRETS = {
    "rows": List(
        Dict(
            {
                "n": String(default="shown"),
                "guarded": String(can_read=no, default="SECRET"),
                "hidden": String(can_read=False, default="SECRET"),
            }
        ),
        default=[{"n": "1", "guarded": "SECRET", "hidden": "SECRET"}],
    ),
    "texts": List(String(), default=["SECRET"], can_read=no),
    "pair": Tuple((Int(), Dict({"a": String(can_read=no)}))),
    "either": In([Dict({"a": String(can_read=no)}), Int()], default={"a": "SECRET"}),
    "plain": In([String(), Int()], default="SECRET", can_read=no),
    "below": Dict({"x": Dict({"y": String(default="SECRET")})}, can_read=no),
    "own": String(can_read=no, default="SECRET"),
    "hidden": String(can_read=False, default="SECRET"),
    "open": List(Dict({"n": Int()}), default=[{"n": 1}]),
}


def test_meta_does_not_tell_what_may_not_be_read_in_elements() -> None:
    meta = one(SECRETS).get_meta()["item"]["sub_scheme"]
    assert "SECRET" not in json.dumps(meta)
    assert set(meta) == {"_id", "rows", "pair", "either", "open", "_meta"}
    assert set(meta["rows"]["sub_type"]["sub_scheme"]) == {"n"}
    assert meta["rows"]["default"] == [{"n": "1"}]
    assert meta["open"]["default"] == [{"n": 1}]
    assert meta["rows"]["sub_type"]["sub_scheme"]["n"]["default"] == "shown"
    assert meta["pair"]["sub_types"][1]["sub_scheme"] == {}
    assert meta["either"]["sub_types"][0]["sub_scheme"] == {}


def test_meta_asks_for_the_rights_of_elements_with_the_item() -> None:
    def mine(_right: str, item: Any) -> bool:
        return bool(item.owner == "me")

    rows = List(Dict({"n": Int(can_modify=mine), "s": Int(can_read=mine)}))
    things = one({"owner": String(), "rows": rows})
    for owner, names, modify in (("me", {"n", "s"}, True), ("you", {"n"}, False)):
        meta = things.get_meta({"owner": owner})["item"]["sub_scheme"]
        fields = meta["rows"]["sub_type"]["sub_scheme"]
        assert set(fields) == names
        assert fields["n"]["rights"] == {"read": True, "modify": modify}


def test_the_openapi_document_has_no_defaults_of_what_may_not_be_read() -> None:
    office = Backoffice("office")
    office.register_collection(Collection("things", Item(SECRETS), DBMemoryConnector()))
    document = office.get_openapi()
    assert "SECRET" not in json.dumps(document)
    fields = document["components"]["schemas"]["ThingsCreate"]["properties"]
    assert fields["rows"]["default"] == [{"n": "1"}]
