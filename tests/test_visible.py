"""What a developer's filter hides is hidden, whatever the caller may read."""

from typing import Any

import pytest

from backo import FreeDict, Int, NotFoundError, String
from backo.connectors.base import Query
from tests.offices import one


def nobody(_right: str, _item: Any) -> bool:
    return False


def doubled(root: Any) -> int:
    return int(root.n.get_value()) * 2


def test_refusing_by_a_field_that_the_caller_may_not_read_refuses() -> None:
    made = one(
        {"n": Int(), "secret": String(can_read=nobody)},
        refuse_filter=lambda: {"secret": "yes"},
    )
    for _id, secret in (("a", "yes"), ("b", "no")):
        made.db_handler.create({"_id": _id, "n": 1, "secret": secret})
    found = made.access.listing(Query(), "client", total=True)
    assert ([row["_id"] for row in found.rows], found.total) == (["b"], 1)
    with pytest.raises(NotFoundError):
        made.access.read("a", "client")


def test_refusing_by_a_computed_field_that_is_not_stored_refuses() -> None:
    made = one(
        {"n": Int(), "twice": Int(set=doubled)},
        refuse_filter=lambda: {"twice": ("$gt", 3)},
    )
    for n in (1, 2):
        made.db_handler.create({"_id": str(n), "n": n})
    found = made.access.listing(Query(), "client", total=True)
    assert ([row["_id"] for row in found.rows], found.total) == (["1"], 1)
    with pytest.raises(NotFoundError):
        made.get_by_id("2")


def test_refusing_by_a_part_of_a_free_dict_that_is_not_stored_refuses() -> None:
    def free(root: Any) -> dict[str, Any]:
        return {"n": root.n.get_value()}

    made = one(
        {"n": Int(), "any": FreeDict(set=free)}, refuse_filter=lambda: {"any.n": 2}
    )
    for n in (1, 2):
        made.db_handler.create({"_id": str(n), "n": n})
    assert [item["_id"].get_value() for item in made.select({})] == ["1"]
