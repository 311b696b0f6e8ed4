"""Patches move and copy no value that the caller may not read."""

import json
from typing import Any

import pytest

from backo import Dict, Int, List, String
from backo.http.handlers import JSON_PATCH
from backo.http.messages import Response
from tests.http.asking import asking
from tests.offices import one


def nobody(_right: str, item: Any) -> bool:
    return item is None


def patched(right: Any, rows: list[Any], operations: list[Any]) -> Response:
    row = Dict({"p": String(), "s": String(can_read=right)})
    schema = {"x": Int(), "rows": List(row), "others": List(row)}
    things = one(schema, item={"meta_data_handler": None})
    things.db_handler.create({"_id": "1", "rows": rows, "others": []})
    ask = asking(things.backoffice)  # type: ignore[arg-type]
    return ask("things_patch", operations, media=JSON_PATCH)


@pytest.mark.parametrize("right", [False, nobody], ids=["static", "function"])
@pytest.mark.parametrize("op", ["copy", "move"])
def test_what_is_hidden_in_an_element_stays_hidden(op: str, right: Any) -> None:
    rows = [{"p": "a", "s": "secret"}, {"p": "b", "s": "secret"}]
    for path in ("/rows/0/p", "/rows/1/p"):
        brought = {"op": op, "from": "/rows/0/s", "path": path}
        answer = patched(right, rows, [brought])
        assert b"secret" not in answer.body


@pytest.mark.parametrize("right", [False, nobody], ids=["static", "function"])
def test_an_element_that_is_moved_keeps_what_is_hidden_in_it(right: Any) -> None:
    rows = [{"p": "a", "s": "first"}, {"p": "b", "s": "second"}]
    answer = patched(
        right, rows, [{"op": "move", "from": "/rows/0", "path": "/rows/1"}]
    )
    assert [one["p"] for one in json.loads(answer.body)["rows"]] == ["b", "a"]


@pytest.mark.parametrize("right", [False, nobody], ids=["static", "function"])
def test_how_long_a_hidden_value_is_cannot_be_told_by_copying(right: Any) -> None:
    copied = [{"op": "copy", "from": "/rows/0", "path": "/others/-"}] * 2
    short, long = (
        patched(right, [{"p": "a", "s": "x" * length}], copied)
        for length in (1, 600_000)
    )
    assert short == long


def of_user(_right: str, _item: Any) -> bool:
    return False


READ = {"nobody's": False, "of the user": of_user, "of the item": nobody}
MODIFY: dict[str, dict[str, Any]] = {
    "open": {},
    "closed": {"can_modify": False},
    "closed to the user": {"can_modify": of_user},
    "closed in the item": {"can_modify": nobody},
}
RIGHTS: dict[str, dict[str, Any]] = {
    f"{read}, {modify}": {"can_read": READ[read], **MODIFY[modify]}
    for read in READ
    for modify in MODIFY
}
"""The rights of a field that the caller may not read."""
PATCHES: dict[str, list[dict[str, Any]]] = {
    "replace": [{"op": "replace", "path": "/rows/0/s", "value": "new"}],
    "add": [{"op": "add", "path": "/rows/0/s", "value": "new"}],
    "remove": [{"op": "remove", "path": "/rows/0/s"}],
    "replace deep": [{"op": "replace", "path": "/rows/0/d/s", "value": "new"}],
    "copy": [{"op": "copy", "from": "/rows/0/s", "path": "/rows/1/p"}],
    "copy to its like": [{"op": "copy", "from": "/rows/0/s", "path": "/rows/1/s"}],
    "copy from the deep": [{"op": "copy", "from": "/rows/0/d/s", "path": "/rows/0/s"}],
    "move": [{"op": "move", "from": "/rows/0/s", "path": "/rows/1/p"}],
    "copy what is beside it": [
        {"op": "copy", "from": "/rows/0/p", "path": "/rows/1/p"}
    ],
    "change what is beside it": [{"op": "replace", "path": "/rows/0/p", "value": "n"}],
    "append": [{"op": "add", "path": "/rows/-", "value": {"p": "n"}}],
    "copy its element": [{"op": "copy", "from": "/rows/0", "path": "/rows/-"}],
    "move its element": [{"op": "move", "from": "/rows/0", "path": "/rows/1"}],
    "remove its element": [{"op": "remove", "path": "/rows/0"}],
}
STORED: list[list[dict[str, Any]]] = [
    [{"p": "a", "s": "x", "d": {"o": "o", "s": "y"}}, {"p": "b", "d": {"o": "o"}}],
    [{"p": "a", "d": {"o": "o"}}, {"p": "b", "s": "x", "d": {"o": "o", "s": "n"}}],
    [{"p": "a", "s": "new", "d": {"o": "o", "s": "new"}}, {"p": "b", "d": {"o": "o"}}],
]
"""The same to whom s is hidden."""


def guarded(rights: dict[str, Any]) -> dict[str, Any]:
    held = {"o": String(), "s": String(**rights)}
    return {"rows": List(Dict({"p": String(), "s": held["s"], "d": Dict(held)}))}


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("rights", RIGHTS)
def test_what_is_hidden_does_not_decide_what_can_be_patched(
    rights: str, patch: str
) -> None:
    answers = []
    for rows in STORED:
        things = one(guarded(RIGHTS[rights]), item={"meta_data_handler": None})
        things.db_handler.create({"_id": "1", "rows": rows})
        ask = asking(things.backoffice)  # type: ignore[arg-type]
        answers.append(ask("things_patch", PATCHES[patch], media=JSON_PATCH))
    assert len(set(answers)) == 1


@pytest.mark.parametrize("read", [True, False, of_user, nobody])
@pytest.mark.parametrize("modify", [False, of_user, nobody])
def test_what_may_not_be_changed_in_an_element_stays(read: Any, modify: Any) -> None:
    things = one(guarded({"can_read": read, "can_modify": modify}))
    things.db_handler.create({"_id": "1", "rows": STORED[0]})
    ask = asking(things.backoffice)  # type: ignore[arg-type]
    change = [{"op": "replace", "path": "/rows/0/p", "value": "new"}]
    assert ask("things_patch", change, media=JSON_PATCH).status == 200
    kept = things.db_handler.get_by_id("1")["rows"][0]
    assert (kept["p"], kept["s"], kept["d"]["s"]) == ("new", "x", "y")


CLOSED: dict[str, dict[str, Any]] = {
    "readable": {"can_modify": False},
    "readable, closed to the user": {"can_modify": of_user},
    "readable, closed in the item": {"can_modify": nobody},
    "hidden": {"can_read": False, "can_modify": False},
    "hidden to the user": {"can_read": of_user, "can_modify": of_user},
    "hidden in the item": {"can_read": nobody, "can_modify": nobody},
}
CHANGE = {"op": "replace", "path": "/rows/0/p", "value": "new"}
TAKEN: dict[str, list[dict[str, Any]]] = {
    "repeated": [{"op": "replace", "path": "/rows/0/s", "value": "second"}, CHANGE],
    "copied": [{"op": "copy", "from": "/rows/1/s", "path": "/rows/0/s"}, CHANGE],
    "moved": [{"op": "move", "from": "/rows/1/s", "path": "/rows/0/s"}, CHANGE],
}


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("rights", CLOSED)
def test_what_may_not_be_changed_is_not_taken_from_another_element(
    rights: str, taken: str
) -> None:
    things = one(guarded(CLOSED[rights]), item={"meta_data_handler": None})
    rows = [{"p": "a", "s": "first", "d": {}}, {"p": "b", "s": "second", "d": {}}]
    things.db_handler.create({"_id": "1", "rows": rows})
    ask = asking(things.backoffice)  # type: ignore[arg-type]
    ask("things_patch", TAKEN[taken], media=JSON_PATCH)
    stored = things.db_handler.get_by_id("1")["rows"]
    assert [one["s"] for one in stored] == ["first", "second"]
