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
