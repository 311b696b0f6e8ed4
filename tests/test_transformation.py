"""What a document becomes is the same with an Item and without."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backo import Collection, Dict, Int, Item, List, String
from backo.connectors.memory import DBMemoryConnector
from backo.documents import differences
from backo.errors import ValidationError
from backo.transformation import Transformation
from tests.schemas import items, json_values, near_values
from tests.test_compiled_path import pair


def outcome(collection: Collection, document: dict[str, Any]) -> Any:
    """What it becomes; or that it cannot."""
    try:
        return Transformation(collection, None)(document)
    except ValidationError as error:
        assert error.faults
        return "refused"


@settings(max_examples=100, deadline=None)
@given(schema=items(), data=st.data())
def test_both_ways_give_the_same(schema: dict[str, Any], data: Any) -> None:
    static, through_items = pair(schema)
    names = st.sampled_from([*sorted(schema), "unknown"])
    values = near_values | json_values
    before = data.draw(st.dictionaries(names, values, max_size=4)) | {"_id": "a"}
    ours, theirs = outcome(static, before), outcome(through_items, before)
    assert repr(ours) == repr(theirs)


def transformation(schema: dict[str, Any]) -> Transformation:
    item = Item(schema, meta_data_handler=None)
    return Transformation(Collection("things", item, DBMemoryConnector()), None)


def test_what_is_unknown_stays_at_every_depth() -> None:
    schema = {
        "home": Dict({"zip": String()}),
        "rooms": List(Dict({"name": String(), "size": Int(default=1)})),
        "secret": String(can_read=False, default="s"),
    }
    before = {
        "_id": "a",
        "old": {"x": [1, {"y": None}]},
        "home": {"door": 3},
        "rooms": [{"colour": "red"}, {"name": "hall", "size": 2}],
    }
    assert transformation(schema)(before) == {
        "_id": "a",
        "old": {"x": [1, {"y": None}]},
        "home": {"zip": None, "door": 3},
        "rooms": [
            {"name": None, "size": 1, "colour": "red"},
            {"name": "hall", "size": 2},
        ],
        "secret": "s",
    }


def test_null_and_absent_are_no_change() -> None:
    schema = {"home": Dict({"zip": String()}), "n": Int(), "tags": List(String())}
    migrate = transformation(schema)
    befores: list[dict[str, Any]] = [
        {},
        {"home": None},
        {"home": {}, "n": None},
        {"home": {"zip": None}},
    ]
    for before in befores:
        document = {"_id": "a", **before}
        assert not migrate.changes(document, migrate(document))
    tagged = {"_id": "a", "tags": []}
    assert not migrate.changes(tagged, migrate(tagged))
    assert migrate.changes(tagged, {"_id": "a"})
    one, other = {"_id": "a", "n": 1}, {"_id": "a", "n": True}
    assert [change.path for change in differences(one, other, None)] == ["$.n"]
    assert migrate.changes(one, other)


def test_null_is_given_and_takes_no_default() -> None:
    migrate = transformation({"n": Int(default=3)})
    assert migrate({"_id": "a"}) == {"_id": "a", "n": 3}
    assert migrate({"_id": "a", "n": None}) == {"_id": "a", "n": None}


def test_differences_are_told_by_their_paths() -> None:
    before = {"a": [1, {"b": 2, "an odd": 3}], "c": [1], "d": {"e": 1}, "same": 1.0}
    after = {"a": [1, {"b": 3}], "c": [1, 2], "d": [1], "same": 1.0, "new": False}
    told = [
        (one.path, one.before, one.after) for one in differences(before, after, None)
    ]
    assert told == [
        ("$.a[1].b", 2, 3),
        ('$.a[1]["an odd"]', 3, None),
        ("$.c", [1], [1, 2]),
        ("$.d", {"e": 1}, [1]),
        ("$.new", None, False),
    ]
