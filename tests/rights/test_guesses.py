"""Writing what one guesses tells nothing of what is there."""

from typing import Any

import pytest

from backo import Int, String, current_user
from backo.http.handlers import JSON_PATCH, MERGE_PATCH
from tests.http.asking import asking
from tests.offices import one


def staff(_right: str, _item: Any) -> bool:
    return current_user.has_role("staff")


def opened(_right: str, item: Any) -> bool:
    return bool(item.x.get_value() == 0)


GUESSES: dict[str, tuple[str, Any, str]] = {
    "put": ("things_update", {"key": "guess"}, "application/json"),
    "merge": ("things_patch", {"key": "guess"}, MERGE_PATCH),
    "patch": (
        "things_patch",
        [{"op": "replace", "path": "/key", "value": "guess"}],
        JSON_PATCH,
    ),
}


@pytest.mark.parametrize("right", [staff, opened])
@pytest.mark.parametrize("way", GUESSES)
def test_a_right_guess_is_answered_as_a_wrong_one(way: str, right: Any) -> None:
    operation, body, media = GUESSES[way]
    answers = []
    for held in ("guess", "other"):
        key = String(can_read=right, can_modify=right)
        things = one({"x": Int(), "key": key}, item={"meta_data_handler": None})
        things.db_handler.create({"_id": "1", "x": 1, "key": held})
        ask = asking(things.backoffice)  # type: ignore[arg-type]
        answers.append(ask(operation, body, media=media))
    assert answers[0] == answers[1]
