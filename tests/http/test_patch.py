"""JSON Patch and JSON Merge Patch on plain documents, and behind PATCH."""

import copy
import json
from typing import Any

import pytest

from backo import Dict, FreeDict, Int, List, String
from backo.errors import ConflictError, ValidationError
from backo.http.handlers import JSON_PATCH, MERGE_PATCH
from backo.http.patch import changed_fields, json_patch, merge_patch
from tests.http.asking import Asking, asking, errors
from tests.offices import one

SCHEMA: dict[str, Any] = {
    "title": String(),
    "tags": List(String()),
    "shelf": Dict({"room": String(), "row": Int()}),
    "authors": List(Dict({"name": String(), "age": Int(can_modify=False)})),
    "free": FreeDict(),
}
ROOT = one(SCHEMA).plan.root


def patched(document: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return json_patch(document, list(operations), ROOT)


def op(op: str, path: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"op": op, "path": path, "value": value, **more}


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        # RFC 6902, appendix A.
        ({"foo": "bar"}, op("add", "/baz", "qux"), {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "b"]}, op("add", "/foo/1", "x"), {"foo": ["a", "x", "b"]}),
        ({"foo": ["a"]}, op("add", "/foo/-", ["b"]), {"foo": ["a", ["b"]]}),
        ({"baz": 1, "foo": 2}, op("remove", "/baz"), {"foo": 2}),
        ({"foo": ["a", "b"]}, op("remove", "/foo/1"), {"foo": ["a"]}),
        ({"baz": 1}, op("replace", "/baz", 2), {"baz": 2}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            op("move", "/qux/thud", **{"from": "/foo/waldo"}),
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": [1, 2, 3]},
            op("move", "/foo/2", **{"from": "/foo/0"}),
            {"foo": [2, 3, 1]},
        ),
        ({"a": 1}, op("copy", "/b", **{"from": "/a"}), {"a": 1, "b": 1}),
        ({"/": 9, "~1": 10}, op("test", "/~01", 10), {"/": 9, "~1": 10}),
        ({"a/b": 1}, op("replace", "/a~1b", 2), {"a/b": 2}),
        ({"": 1}, op("replace", "/", 2), {"": 2}),
        ({"a": 1}, op("replace", "", {"b": 2}), {"b": 2}),
        ({"a": 1.0}, op("test", "/a", 1), {"a": 1.0}),
        # Selectors; adding to a List appends, as stricto does.
        ({"tags": ["a"]}, op("add", "$.tags", "b"), {"tags": ["a", "b"]}),
        ({"tags": None}, op("add", "$.tags", "b"), {"tags": ["b"]}),
        ({"tags": ["a"]}, op("add", "$.tags[0]", "b"), {"tags": ["b", "a"]}),
        ({"tags": ["a"]}, op("replace", "$.tags", ["c"]), {"tags": ["c"]}),
        ({"shelf": {"row": 1}}, op("replace", "$.shelf.row", 2), {"shelf": {"row": 2}}),
    ],
)
def test_one_operation(
    document: dict[str, Any], operation: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = copy.deepcopy(document)
    assert patched(document, operation) == expected
    assert document == before


@pytest.mark.parametrize(
    "operation",
    [
        op("add", "/baz/bat", 1),
        op("add", "/foo/3", 1),
        op("add", "/foo/01", 1),
        op("add", "/foo/-1", 1),
        op("add", "/foo/x", 1),
        op("add", f"/foo/{'9' * 5000}", 1),
        op("remove", "/baz"),
        op("remove", "/foo/-"),
        op("replace", "/baz", 1),
        op("replace", "/foo/2", 1),
        op("test", "/foo", ["b", "a"]),
        op("test", "/one", True),
        op("copy", "/x", **{"from": "/baz"}),
        op("move", "/x", **{"from": "/baz"}),
    ],
)
def test_what_cannot_be_applied_is_a_conflict(operation: dict[str, Any]) -> None:
    with pytest.raises(ConflictError):
        patched({"foo": ["a", "b"], "one": 1}, operation)


@pytest.mark.parametrize(
    "operation",
    [
        op("add", "foo", 1),
        op("add", "/foo~2", 1),
        op("add", "$foo", 1),
        op("add", "$.foo[x]", 1),
        op("move", "/foo/bar", **{"from": "/foo"}),
    ],
)
def test_what_is_no_path_is_invalid(operation: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        patched({"foo": {"bar": 1}}, operation)


def test_copies_cannot_grow_without_bound() -> None:
    doubling = op("copy", "/free/-", **{"from": "/free"})
    with pytest.raises(ValidationError, match="copies too much"):
        patched({"free": ["x" * 100] * 100}, *[doubling] * 100)


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        # RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(document: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert merge_patch(document, patch) == expected
    assert document == before


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"title": "a"}, {"title": "a"}, {}),
        ({"title": "a"}, {}, {"title": None}),
        (
            {"shelf": {"room": "a", "row": 1}},
            {"shelf": {"row": 1}},
            {"shelf": {"room": None}},
        ),
        ({"shelf": {"room": "a"}}, {}, {"shelf": {"room": None}}),
        ({"free": {"a": 1}}, {"free": {"b": 1}}, {"free": {"b": 1}}),
        ({"free": 1}, {"free": True}, {"free": True}),
        (
            {"authors": [{"name": "a", "age": 1}, {"name": "b", "age": 2}]},
            {"authors": [{"name": "c", "age": 2}]},
            {"authors": [{"name": "c"}]},
        ),
        (
            {"authors": [{"name": "a", "age": 1}]},
            {"authors": [{"name": "a", "age": 9}]},
            {"authors": [{"name": "a", "age": 9}]},
        ),
    ],
)
def test_changed_fields(before: Any, after: Any, changes: Any) -> None:
    assert changed_fields(before, after, ROOT) == changes


def _asking(schema: dict[str, Any]) -> Asking:
    office = one(schema, item={"meta_data_handler": None}).backoffice
    ask = asking(office)  # type: ignore[arg-type]
    ask.office.things.db_handler.generate_id = lambda o: "1"  # type: ignore[method-assign]
    return ask


def test_an_element_is_patched_beside_what_is_read_only() -> None:
    computed = Int(set=lambda root: 7, views=["save"])
    ask = _asking({"authors": List(Dict({"name": String(), "rank": computed}))})
    ask("things_create", {"authors": [{"name": "a"}, {"name": "b"}]})
    change = op("replace", "/authors/1/name", "c")
    done = ask("things_patch", change, media=JSON_PATCH)
    assert done.status == 200, done.body
    assert [one["name"] for one in json.loads(done.body)["authors"]] == ["a", "c"]


def test_a_patch_reads_nothing_that_nobody_may_read() -> None:
    hidden = String(can_read=False)
    ask = _asking({"shown": String(), "in": Dict({"hidden": hidden, "open": String()})})
    ask("things_create", {"in": {"open": "x"}})
    store = ask.office.things.db_handler
    store.save("1", {"_id": "1", "in": {"hidden": "s3cret", "open": "x"}})
    for operation in (
        op("copy", "/shown", **{"from": "/in/hidden"}),
        op("test", "/in/hidden", "s3cret"),
        op("copy", "/shown", **{"from": "/in"}),
    ):
        answer = ask("things_patch", [operation], media=JSON_PATCH)
        assert b"s3cret" not in answer.body
        assert operation["op"] != "test" or answer.status == 409
    done = ask("things_patch", {"in": {"open": "y"}}, media=MERGE_PATCH)
    assert done.status == 200
    assert store.get_by_id("1")["in"] == {"hidden": "s3cret", "open": "y"}


def test_what_is_unset_can_be_replaced_at_any_depth() -> None:
    ask = _asking({"a": Int(), "in": Dict({"b": Int()})})
    ask("things_create", {})
    operations = [op("replace", "/a", 1), op("replace", "/in/b", 2)]
    done = ask("things_patch", operations, media=JSON_PATCH)
    assert json.loads(done.body) == {"_id": "1", "a": 1, "in": {"b": 2}}


def test_a_patch_cannot_nest_without_bound() -> None:
    ask = _asking({"free": FreeDict()})
    ask("things_create", {"free": {}})
    for levels, status in ((900, 422), (199, 422), (198, 200)):
        paths = [f"/free{'/a' * depth}" for depth in range(1, levels + 1)]
        operations = [op("add", path, {}) for path in paths]
        assert ask("things_patch", operations, media=JSON_PATCH).status == status
    free = json.loads(ask("things_get").body)["free"]
    assert ask("things_update", {"free": free}).status == 200


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([{"op": "add", "path": "/a"}], {"$[0].value"}),
        ([{"op": "add", "path": 1, "value": 1}], {"$[0].path"}),
        ([{"op": "remove", "path": "/a"}, {"op": "fly", "path": "/a"}], {"$[1]"}),
        ({"op": "copy", "path": "/a"}, {"$.from"}),
        ([7, {}], {"$[0]", "$[1]"}),
        ("add", {"$"}),
    ],
)
def test_what_is_no_patch(body: Any, faults: set[str]) -> None:
    ask = _asking({"a": Int()})
    ask("things_create", {})
    answer = ask("things_patch", body, media=JSON_PATCH)
    assert answer.status == 422
    assert set(errors(answer)) == faults


def test_a_patch_has_a_thousand_operations_at_most() -> None:
    ask = _asking({"a": Int()})
    ask("things_create", {})
    for number, status in ((1000, 200), (1001, 422)):
        operations = [op("add", "/a", 1)] * number
        assert ask("things_patch", operations, media=JSON_PATCH).status == status
