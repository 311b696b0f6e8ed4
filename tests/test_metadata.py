"""What is written down about every item."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backo import (
    GenericMetaDataHandler,
    Int,
    SRightError,
    StandardMetaDataHandler,
    String,
    current_user,
)
from backo.access import Changes
from backo.metadata import __name__ as module
from backo.schema.types import GenericType
from tests.offices import one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time it is; put another one in."""
    now = [datetime(2024, 1, 1, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now[0].astimezone(tz)

    monkeypatch.setattr(f"{module}.datetime", Clock)
    return now


def test_who_and_when_are_kept_apart_for_creation_and_change(
    clock: list[datetime],
) -> None:
    things = one({"n": Int()})
    current_user.set({"_id": "1", "login": "ann"})
    thing = things.create({"_id": "x", "n": 1})
    clock[0] = datetime(2024, 2, 2, tzinfo=UTC)
    current_user.set({"_id": "2", "login": "bob"})
    thing.n = 2
    thing.save()
    expected = {
        "ctime": "2024-01-01T00:00:00+00:00",
        "mtime": "2024-02-02T00:00:00+00:00",
        "created_by": {"_id": "1", "login": "ann"},
        "modified_by": {"_id": "2", "login": "bob"},
    }
    assert thing.view("client")["_meta"] == expected
    assert things.access.read("x", "client")["_meta"] == expected
    things.access.modify("x", Changes(lambda _: {"n": 3}), "client", None)
    assert things.access.read("x", "client")["_meta"] == expected


def test_nobody_writes_it_by_hand() -> None:
    thing = one({"n": Int()}).create({"n": 1})
    with pytest.raises(SRightError):
        thing._meta.created_by.login = "eve"


def test_who_changed_it_is_told_to_those_who_may_read_it() -> None:
    handler = StandardMetaDataHandler(can_read=lambda *_: current_user.has_role("a"))
    things = one({"n": Int()}, item={"meta_data_handler": handler})
    current_user.set({"_id": "1", "login": "ann"})
    thing = things.create({"_id": "x", "n": 1})
    assert "_meta" not in thing.view("client")
    assert things.select({"_meta.created_by.login": "ann"}) == []
    current_user.set({"_id": "2", "login": "bob", "roles": ["a"]})
    assert things.get_by_id("x").view("client")["_meta"]["created_by"]["login"] == "ann"


def test_none_leaves_it_out() -> None:
    things = one({"n": Int()}, item={"meta_data_handler": None})
    assert things.create({"_id": "x", "n": 1}).view("client") == {"_id": "x", "n": 1}


def test_a_handler_of_ones_own_adds_its_fields() -> None:
    class Versions(GenericMetaDataHandler):
        def fields(self) -> dict[str, GenericType]:
            return {"version": Int(can_modify=False)}

        def stamp(self, document: dict[str, Any], *, created: bool) -> None:
            document["version"] = 1 if created else document["version"] + 1

    things = one({"n": String()}, item={"meta_data_handler": Versions()})
    thing = things.create({"_id": "x"})
    thing.n = "a"
    thing.save()
    things.access.modify("x", Changes(lambda _: {"n": "b"}), "client", None)
    assert things.get_by_id("x").version == 3


def test_a_document_without_it_gets_it_with_the_next_change() -> None:
    things = one({"n": Int()})
    things.db_handler.create({"_id": "x", "n": 1})
    after = things.access.modify("x", Changes(lambda _: {"n": 2}), "client", None)
    assert after is not None
    assert after["_meta"]["mtime"] is not None
    assert things.get_by_id("x").view("client") == after


def test_the_standard_handler_is_the_default() -> None:
    model = one({"n": Int()}).model
    assert isinstance(model.meta_data_handler, StandardMetaDataHandler)
