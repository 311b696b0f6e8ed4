"""Rights of what Lists, Tuples and Ins hold."""

from typing import Any

import pytest

from backo import Dict, Int, List, SSyntaxError, String, Tuple
from backo.schema.types import In
from tests.http.asking import Asking, asking
from tests.offices import one

SECRET: dict[str, Any] = {
    "list": (lambda right: List(String(can_read=right)), ["secret"]),
    "lists": (lambda right: List(List(String(can_read=right))), [["secret"]]),
    "rows": (
        lambda right: List(Dict({"q": String()}, can_read=right)),
        [{"q": "secret"}],
    ),
    "open_rows": (
        lambda right: List(Dict({"q": String(can_read=True)}, can_read=right)),
        [{"q": "secret"}],
    ),
    "tuple": (lambda right: Tuple((Int(), String(can_read=right))), [1, "secret"]),
    "in": (lambda right: In([Int(), String(can_read=right)]), "secret"),
}


def of_user(_right: str, _item: Any) -> bool:
    return False


def of_item(_right: str, item: Any) -> bool:
    return item is None


RIGHTS = [False, of_user, of_item]


def holding(shape: str, right: Any) -> Asking | None:
    """A way to ask for an item that holds what may not be read; None: no schema may say
    such a thing."""
    declared, stored = SECRET[shape]
    try:
        things = one({"x": Int(), "held": declared(right)})
    except SSyntaxError:
        return None
    things.db_handler.create({"_id": "1", "x": 1, "held": stored})
    return asking(things.backoffice)  # type: ignore[arg-type]


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("shape", SECRET)
def test_what_is_held_is_not_shown(shape: str, right: Any) -> None:
    ask = holding(shape, right)
    if ask is not None:
        assert b"secret" not in ask("things_list").body
        assert b"secret" not in ask("things_get").body


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("shape", SECRET)
def test_what_is_held_is_not_found(shape: str, right: Any) -> None:
    ask = holding(shape, right)
    if ask is not None:
        for query in ("held=secret", "held.$contains=secret", "held.q=secret"):
            assert b'"_id":"1"' not in ask("things_list", query=query).body


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_of_the_whole_item_is_that_of_its_fields(right: Any) -> None:
    try:
        things = one({"x": String()}, item={"can_read": right})
    except SSyntaxError:
        return
    things.db_handler.create({"_id": "1", "x": "secret"})
    answer = asking(things.backoffice)("things_get")  # type: ignore[arg-type]
    assert answer.status == 200
    assert b"secret" not in answer.body
