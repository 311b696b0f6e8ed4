"""What rights do to answers, to the document and to what can be asked."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from backo import Bool, Dict, FrozenError, Int, List, String, current_user
from backo.collection import Collection
from backo.http.handlers import JSON_PATCH
from backo.http.messages import Response
from tests.http.asking import Asking, asking, errors
from tests.offices import one


def ask_about(collection: Collection) -> Asking:
    numbers = iter(range(1, 100))
    store = collection.db_handler
    store.generate_id = lambda o: str(next(numbers))  # type: ignore[method-assign]
    return asking(collection.backoffice)  # type: ignore[arg-type]


def told(answer: Response) -> Any:
    return json.loads(answer.body)


OPERATIONS = {
    "read": {"list", "get", "select__all", "search__all"},
    "create": {"create"},
    "modify": {"update", "patch"},
    "delete": {"delete"},
}
EVERYTHING = {"check", "meta", *(set().union(*OPERATIONS.values()))}


@pytest.mark.parametrize("right", OPERATIONS)
def test_what_nobody_may_do_is_no_operation(right: str) -> None:
    ask = ask_about(one({"x": Int()}, **{f"can_{right}": False}))  # type: ignore[arg-type]
    ids = {row.operation_id for row in ask.dispatcher.rows if row.tag == "things"}
    left = EVERYTHING - OPERATIONS[right]
    assert ids == {f"things_{verb}" for verb in left}
    document = told(ask("office_get_openapi"))
    described = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if operation["tags"] == ["things"]
    }
    assert described == ids


def test_a_collection_nobody_may_use_is_not_there() -> None:
    collection = one({"x": Int()}, **{f"can_{right}": False for right in OPERATIONS})  # type: ignore[arg-type]
    ask = ask_about(collection)
    assert not any(row.tag == "things" for row in ask.dispatcher.rows)
    assert not any(
        "things" in path for path in told(ask("office_get_openapi"))["paths"]
    )
    assert b"things" not in ask("office_get_meta").body


def only(role: str) -> Callable[[str, Any], bool]:
    return lambda _right, _item: bool(current_user.has_role(role))


def test_rights_of_the_caller() -> None:
    rights = {f"can_{right}": only(right) for right in ("create", "modify", "delete")}
    ask = ask_about(one({"x": Int()}, **rights))  # type: ignore[arg-type]
    requests: dict[str, tuple[str, Any]] = {
        "create": ("things_create", {"x": 1}),
        "modify": ("things_update", {"x": 2}),
        "delete": ("things_delete", None),
    }
    for right, (operation, body) in requests.items():
        current_user.logout()
        refused = ask(operation, body)
        assert (refused.status, told(refused)["code"]) == (403, "forbidden")
        current_user.set({"_id": "1", "login": "ada", "roles": [right]})
        assert ask(operation, body).status < 300
    current_user.logout()
    assert told(ask("things_list"))["total"] == 0


def test_a_patch_needs_the_right_too() -> None:
    ask = ask_about(one({"x": Int()}, can_modify=only("A")))
    ask("things_create", {"x": 1})
    operation = {"op": "replace", "path": "/x", "value": 2}
    assert ask("things_patch", operation, media=JSON_PATCH).status == 403
    assert told(ask("things_get"))["x"] == 1


def _public(_right: str, item: Any) -> bool:
    return item.public.get_value() is True


def test_an_item_that_may_not_be_read_is_nowhere() -> None:
    ask = ask_about(one({"x": Int(), "public": Bool(default=True)}, can_read=_public))
    for number in range(1, 7):
        ask("things_create", {"x": number, "public": number % 2 == 0})
    for query, xs, total in (
        ("", [2, 4, 6], 3),
        ("x.$gt=2", [4, 6], 2),
        ("_page=1&_skip=1", [4], 3),
        ("_sort=-x&_page=2", [6, 4], 3),
        ("public=false", [], 0),
        ("filter=%7B%22x%22%3A3%7D", [], 0),
    ):
        found = told(ask("things_list", query=query))
        assert ([one["x"] for one in found["result"]], found["total"]) == (xs, total)
    absent = ask("things_get", _id="99").body.replace(b"99", b"3")
    for operation, body in (
        ("things_get", None),
        ("things_update", {"x": 0}),
        ("things_patch", []),
        ("things_delete", None),
    ):
        answer = ask(operation, body, _id="3")
        assert (answer.status, answer.body) == (404, absent)
    assert ask.office.things.db_handler.get_by_id("3")["x"] == 3


def test_a_field_nobody_may_read_is_nowhere() -> None:
    hidden = {"key": String(can_read=False), "in": Dict({"pin": Int(can_read=False)})}
    ask = ask_about(
        one({"x": Int(), **hidden, "all": List(Dict({"pin": Int(can_read=False)}))})
    )
    made = ask("things_create", {"x": 1, "key": "s3cret", "in": {"pin": 1234}})
    store = ask.office.things.db_handler
    for answer in (
        made,
        ask("things_get"),
        ask("things_list"),
        ask("things_update", {"x": 2}),
    ):
        assert answer.status in (200, 201)
        assert b"key" not in answer.body and b"pin" not in answer.body
    assert b'"pin"' not in ask("office_get_meta").body
    assert store.get_by_id("1")["x"] == 2
    for secret, unknown in (
        ("key=s", "kex=s"),
        ("in.pin=1", "in.pix=1"),
        ("key.$exists=true", "kex.$exists=true"),
        ("_sort=key", "_sort=kex"),
        ("all.pin=1", "all.pix=1"),
    ):
        refused = ask("things_list", query=secret)
        assert refused.status == 400
        as_unknown = ask("things_list", query=unknown)
        same = refused.body.replace(b"key", b"kex").replace(b"pin", b"pix")
        assert same == as_unknown.body


def test_a_field_the_caller_may_not_read_is_absent() -> None:
    ask = ask_about(one({"x": Int(), "key": String(can_read=only("A"))}))
    current_user.set({"_id": "1", "login": "ada", "roles": ["A"]})
    assert told(ask("things_create", {"x": 1, "key": "s3cret"}))["key"] == "s3cret"
    current_user.logout()
    for answer in (ask("things_get"), ask("things_list")):
        assert b"s3cret" not in answer.body
    assert ask("things_list", query="key=s3cret").status == 400
    copying = {"op": "test", "path": "/key", "value": "s3cret"}
    assert ask("things_patch", copying).status == 409


def test_a_field_nobody_may_modify_is_read_only() -> None:
    ask = ask_about(one({"x": Int(), "fixed": Int(can_modify=False)}))
    for operation in ("things_create", "things_update"):
        answer = ask(operation, {"x": 1, "fixed": 2})
        assert (answer.status, errors(answer)) == (422, {"$.fixed": "read_only"})


def test_a_field_the_caller_may_not_modify_is_named() -> None:
    guarded = Dict({"pin": Int(can_modify=only("A"))})
    ask = ask_about(one({"x": Int(), "in": guarded}))
    ask("things_create", {"x": 1})
    body = {"x": 2, "in": {"pin": 1}}
    refused = ask("things_update", body)
    assert (refused.status, errors(refused)) == (403, {"$.in.pin": "forbidden"})
    assert told(ask("things_get"))["x"] == 1
    current_user.set({"_id": "1", "login": "ada", "roles": ["A"]})
    assert told(ask("things_update", body))["in"] == {"pin": 1}


def test_after_the_routes_are_built_nothing_can_be_registered_or_changed() -> None:
    collection = one({"x": Int()})
    office: Any = collection.backoffice
    office.router()
    late = Collection("late", collection.model, collection.db_handler)
    with pytest.raises(FrozenError, match="late"):
        office.register_collection(late)
    with pytest.raises(FrozenError, match="things"):
        collection.define_view("short", ["$.x"])
    with pytest.raises(FrozenError, match="things"):
        collection.model.add_to_model("y", Int())
    with pytest.raises(FrozenError, match="things"):
        collection.model.remove_model("x")
