"""What the developer's functions compute does not depend on who asks."""

import json
from typing import Any

import pytest

from backo import Int, String
from tests.http.asking import asking
from tests.offices import one


def of_user(_right: str, _item: Any) -> bool:
    return False


def of_item(_right: str, item: Any) -> bool:
    return item is None


def twice(root: Any) -> int:
    return 2 * int(root.hidden.get_value())


@pytest.mark.parametrize("right", [False, of_user, of_item])
def test_they_see_what_the_caller_does_not(right: Any) -> None:
    schema = {
        "title": String(),
        "hidden": Int(can_read=right, default=3),
        "twice": Int(set=twice, views=["save"]),
    }
    things = one(schema, item={"meta_data_handler": None})
    things.db_handler.create({"_id": "1", "title": "a", "hidden": 4, "twice": 8})
    ask = asking(things.backoffice)  # type: ignore[arg-type]
    changed = ask("things_update", {"title": "b"})
    assert (changed.status, json.loads(changed.body)["twice"]) == (200, 8)
    made = ask("things_create", {"title": "c"})
    assert (made.status, json.loads(made.body)["twice"]) == (201, 6)
