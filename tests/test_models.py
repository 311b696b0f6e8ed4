"""The Pydantic models made from a plan, and their JSON Schema."""

import json
from typing import Any

import pydantic
import pytest
from jsonschema import Draft202012Validator

from backo import (
    Bool,
    Bytes,
    Collection,
    Datetime,
    Dict,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    List,
    String,
    Tuple,
    Url,
)
from backo.schema.faults import faults_of
from backo.schema.models import component_name
from tests.offices import one


def faults(collection: Collection, body: Any, model: str = "create") -> dict[str, str]:
    """What is wrong with a body: path to code."""
    try:
        getattr(collection.models, model).document_json(json.dumps(body))
    except pydantic.ValidationError as error:
        return {f.path: f.code for f in faults_of(error, collection.plan).faults}
    return {}


@pytest.mark.parametrize(
    ("declared", "value", "code"),
    [
        (String(), 1, "type"),
        (String(required=True), None, "type"),
        (String(pattern="^a"), "b", "pattern"),
        (String(pattern="^a"), "ab", None),
        (String(enum=["a"]), "b", "enum"),
        (Int(), "12", "type"),
        (Int(), True, "type"),
        (Int(), 1.5, "type"),
        (Int(), 2**63, "max"),
        (Int(min=3), 2, "min"),
        (Int(max=3), 4, "max"),
        (Int(enum=[1]), True, "type"),
        (Float(), 1, None),
        (Float(), "1.0", "type"),
        (Float(min=0), -0.1, "min"),
        (Bool(), 1, "type"),
        (Bool(), "true", "type"),
        (Datetime(), "2024-01-02T03:04:05Z", None),
        (Datetime(), "yesterday", "format"),
        (Datetime(), 1704164645, "type"),
        (Bytes(), "YWJj", None),
        (Bytes(), "%", "format"),
        (Ipaddress(), "::1", None),
        (Ipaddress(), "1.2.3", "format"),
        (Url(), "https://x.org/", None),
        (Url(), "x.org", "format"),
        (FreeDict(), {"a": [1, {"b": None}]}, None),
        (FreeDict(), {"a": 2**70}, "format"),
        (FreeDict(), [], "type"),
        (List(Int()), [1, 2], None),
        (List(Int()), [1, "2"], ("$.f[1]", "type")),
        (List(Int(), max=1), [1, 2], "max_items"),
        (List(Int(), min=1), [], "min_items"),
        (List(Int(), uniq=True), [1, 1], "uniq"),
        (List(Dict({"x": Int()})), [{"x": "1"}], ("$.f[0].x", "type")),
        (Dict({"x": Int(required=True)}), {}, ("$.f.x", "required")),
        (Dict({"x": Int()}), None, "type"),
        (Dict({"x": Int()}), {"y": 1}, ("$.f.y", "unknown_field")),
        (Tuple((Int(), String())), [1, "a"], None),
        (Tuple((Int(), String())), [1], ("$.f[1]", "required")),
        (In([Int(min=5), String()]), 7, None),
        (In([Int(min=5), String()]), 1, "type"),
        (In([Int(min=5), String()]), True, "type"),
        (String(can_modify=False), "a", "read_only"),
        (String(set=lambda _root: "a"), "a", "read_only"),
    ],
)
def test_a_value_is_judged_by_its_field(declared: Any, value: Any, code: Any) -> None:
    path, expected = code if isinstance(code, tuple) else ("$.f", code)
    found = faults(one({"f": declared}), {"f": value})
    assert found == ({} if expected is None else {path: expected})


def test_all_faults_of_a_body_are_told() -> None:
    made = one({"a": Int(), "b": String(required=True), "c": Dict({"d": Bool()})})
    assert faults(made, {"a": "1", "c": {"d": 1}, "x": 1, "_id": "1", "_meta": {}}) == {
        "$.a": "type",
        "$.b": "required",
        "$.c.d": "type",
        "$.x": "unknown_field",
        "$._id": "read_only",
        "$._meta": "read_only",
    }


def test_what_is_left_out_gets_its_default_when_created_and_nothing_when_updated() -> (
    None
):
    made = one(
        {"a": Int(default=1), "b": Dict({"c": List(Int(), default=[1])}), "d": Int()}
    )
    assert made.models.create.document({}) == {"a": 1, "b": {"c": [1]}, "d": None}
    assert made.models.update.document({}) == {}
    assert made.models.update.document({"b": {}}) == {"b": {}}


def test_defaults_are_not_shared() -> None:
    made = one({"a": List(Int(), default=[1])})
    made.models.create.document({})["a"].append(2)
    assert made.models.create.document({}) == {"a": [1]}


def test_what_is_required_may_be_left_out_of_an_update_but_not_be_null() -> None:
    made = one({"a": String(required=True)})
    assert faults(made, {}, "update") == {}
    assert faults(made, {"a": None}, "update") == {"$.a": "type"}


@pytest.mark.parametrize(
    "name",
    [
        "copy",
        "json",
        "schema",
        "model_config",
        "model_fields",
        "dict",
        "a b",
        "é",
        "class",
    ],
)
def test_a_field_may_have_any_name(name: str) -> None:
    made = one({name: Int()})
    assert made.models.create.document({name: 1})[name] == 1
    assert name in made.models.create.model_json_schema()["properties"]


EVERYTHING = {
    "text": String(required=True, pattern="^[A-Z]", description="A text"),
    "choice": String(enum=["a", "b"], default="a"),
    "number": Int(min=1, max=9),
    "ratio": Float(min=0, max=1),
    "flag": Bool(),
    "moment": Datetime(),
    "data": Bytes(),
    "address": Ipaddress(),
    "link": Url(),
    "free": FreeDict(),
    "many": List(Int(min=0), max=3, uniq=True),
    "both": Tuple((Int(), String())),
    "either": In([Int(), String()]),
    "below": Dict({"x": Int(required=True), "y": String()}),
    "secret": String(can_read=False),
    "fixed": Int(can_modify=False),
    "some": Int(exists=lambda _value, _root: True),
}


def test_the_schemas_are_valid_and_say_what_the_models_do() -> None:
    models = one(EVERYTHING).models
    create, update = (
        models.create.model_json_schema(),
        models.update.model_json_schema(),
    )
    read = models.views["client"].model_json_schema()
    for schema in (create, update, read):
        Draft202012Validator.check_schema(schema)
    assert create["additionalProperties"] is False
    assert create["required"] == ["text", "below"]
    assert "required" not in update
    assert "secret" not in read["properties"]
    assert create["properties"]["secret"]["writeOnly"] is True
    assert "fixed" not in create["properties"]
    assert read["properties"]["fixed"]["readOnly"] is True
    assert "some" not in read["required"]
    assert set(read["required"]) == set(read["properties"]) - {"some"}
    assert read["properties"]["_id"]["type"] == "string"
    assert read["properties"]["number"]["type"] == ["integer", "null"]
    assert create["properties"]["text"] == {
        "type": "string",
        "pattern": "^[A-Z]",
        "description": "A text",
    }
    assert create["properties"]["choice"]["default"] == "a"


def test_what_is_shown_is_valid_by_the_reading_schema() -> None:
    made = one(EVERYTHING)
    full = {
        "text": "A",
        "number": 3,
        "ratio": 1,
        "flag": True,
        "moment": "2024-01-02T03:04:05Z",
        "data": "YWJj",
        "address": "::1",
        "link": "https://x.org/",
        "free": {"a": 1},
        "many": [1, 2],
        "both": [1, "a"],
        "either": "x",
        "below": {"x": 1},
        "secret": "s",
    }
    validator = Draft202012Validator(made.models.views["client"].model_json_schema())
    for given in (full, {"text": "A", "below": {"x": 1}}):
        _, shown = made.access.insert(made.models.create.document(given), "client")
        validator.validate(shown)


def test_models_have_stable_names() -> None:
    made = one({"a": Int(views=["short"]), "b": Int()})
    models = made.models
    assert models.create.__name__ == "ThingsCreate"
    assert models.update.__name__ == "ThingsUpdate"
    assert [view.__name__ for view in models.views.values()] == [
        "Things",
        "ThingsViewShort",
        "ThingsOnlyShort",
    ]
    assert component_name("book_cases-old") == "BookCasesOld"


def test_a_user_may_take_a_model_for_routes_of_their_own() -> None:
    model = one({"a": Int()}).models.create
    assert issubclass(model, pydantic.BaseModel)
    assert model.model_validate({"a": 1}).root == {"a": 1}
