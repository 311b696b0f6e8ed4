"""Documents in and out of a collection, for one user."""

import copy
from typing import Any

import pytest

from backo import (
    BackoError,
    Collection,
    ConflictError,
    Dict,
    Int,
    List,
    NotFoundError,
    SRightError,
    String,
    current_user,
)
from backo.access import Changes
from backo.connectors.base import Query
from backo.http.patch import changed_fields, json_patch
from backo.item import Life
from backo.query.parse import parse_json
from tests.offices import one


def never(_right: str, item: Any) -> bool:
    return item is None


def is_admin(_right: str, _item: Any) -> bool:
    return current_user.has_role("ADMIN")


def put(values: dict[str, Any]) -> Changes:
    return Changes(lambda _before: values, blind=True)


def patched(made: Collection, *operations: dict[str, Any]) -> Changes:
    """A JSON Patch as HTTP makes it."""
    root = made.plan.root

    def of(before: dict[str, Any]) -> dict[str, Any]:
        after = json_patch(before, list(operations), root)
        return made.models.update.document(changed_fields(before, after, root))

    return Changes(of, replay=lambda all_: json_patch(all_, list(operations), root))


ROWS = [{"n": "1", "secret": "S1"}, {"n": "2", "secret": "S2"}, {"n": "3"}]


@pytest.mark.parametrize("right", [False, is_admin])
@pytest.mark.parametrize(
    ("operation", "after"),
    [
        (
            {"op": "replace", "path": "/rows/0/n", "value": "9"},
            [("9", "S1"), ("2", "S2"), ("3", None)],
        ),
        ({"op": "remove", "path": "/rows/0"}, [("2", "S2"), ("3", None)]),
        (
            {"op": "add", "path": "$.rows", "value": {"n": "4"}},
            [("1", "S1"), ("2", "S2"), ("3", None), ("4", None)],
        ),
        (
            {"op": "add", "path": "/rows/0", "value": {"n": "0"}},
            [("0", None), ("1", "S1"), ("2", "S2"), ("3", None)],
        ),
    ],
)
def test_a_patch_keeps_what_the_caller_does_not_see_in_list_elements(
    right: Any, operation: dict[str, Any], after: list[Any]
) -> None:
    row = Dict({"n": String(), "secret": String(can_read=right)})
    made = one({"rows": List(row)})
    made.db_handler.create({"_id": "x", "rows": copy.deepcopy(ROWS)})
    made.access.modify("x", patched(made, operation), "client", None)
    rows = made.db_handler.get_by_id("x")["rows"]
    assert [(one["n"], one.get("secret")) for one in rows] == after


@pytest.mark.parametrize("handlers", [[], [("before_save", lambda *_, **__: None)]])
def test_elements_keep_keys_that_the_schema_does_not_know(handlers: Any) -> None:
    made = one(
        {"t": String(), "rows": List(Dict({"n": String()}))}, item={"on": handlers}
    )
    made.db_handler.create({"_id": "x", "rows": [{"n": "1", "old": "L"}]})
    made.access.modify("x", put({"t": "b"}), "client", None)
    change = {"op": "replace", "path": "/rows/0/n", "value": "2"}
    made.access.modify("x", patched(made, change), "client", None)
    assert made.db_handler.get_by_id("x")["rows"] == [{"n": "2", "old": "L"}]


@pytest.mark.parametrize("right", [False, never])
def test_a_write_answers_nothing_that_may_not_be_read(right: Any) -> None:
    made = one({"t": String(), "salary": Int(default=99)}, can_read=right)
    made.db_handler.create({"_id": "x", "t": "a", "salary": 5})
    _id, shown = made.access.insert(made.models.create.document({"t": "a"}), "client")
    assert (shown, made.db_handler.get_by_id(_id)["salary"]) == (None, 99)
    if right is False:
        assert made.access.modify("x", put({"t": "b"}), "client", None) is None
    else:
        with pytest.raises(NotFoundError):
            made.access.modify("x", put({"t": "b"}), "client", None)


def test_an_item_that_is_given_away_is_not_shown() -> None:
    def mine(_right: str, item: Any) -> bool:
        return bool(item.owner == "ann")

    made = one({"owner": String()}, can_read=mine)
    made.create({"_id": "x", "owner": "ann"})
    assert made.access.modify("x", put({"owner": "bob"}), "client", None) is None
    assert made.db_handler.get_by_id("x")["owner"] == "bob"


@pytest.mark.parametrize(
    "wanted",
    [
        {"d": {"$eq": {"n": "1", "secret": "S1"}}},
        {"rows": {"$eq": [{"n": "1", "secret": "S1"}]}},
        {"rows": {"$contains": {"$eq": {"n": "1", "secret": "S1"}}}},
    ],
)
def test_comparing_a_whole_tells_nothing_of_its_hidden_parts(wanted: Any) -> None:
    inner = {"n": String(), "secret": String(can_read=never)}
    made = one({"d": Dict(inner), "rows": List(Dict(inner))})
    held = {"n": "1", "secret": "S1"}
    made.db_handler.create({"_id": "x", "d": held, "rows": [held]})
    query = Query(parse_json(wanted, made.plan, made.plan.shows))
    assert made.access.listing(query, "client", total=True).total == 0


def test_every_way_to_read_tells_the_handlers_of_loaded() -> None:
    seen: list[str] = []

    def note(_event: str, root: Any, _me: Any, **_: Any) -> None:
        seen.append(root._id.get_value())

    made = one({"t": String()}, item={"on": [("loaded", note)]})
    made.create({"_id": "x"})
    for use in (
        lambda: made.access.read("x", "client"),
        lambda: made.access.listing(Query(), "client", total=True),
        lambda: made.select(),
        lambda: made.get_by_id("x"),
        lambda: made.access.modify("x", put({"t": "b"}), "client", None),
        lambda: made.access.remove("x", "client", None),
    ):
        seen.clear()
        use()
        assert seen == ["x"]


@pytest.mark.parametrize("handlers", [[], [("loaded", lambda *_, **__: None)]])
def test_what_breaks_the_schema_is_not_shown_but_can_be_mended(handlers: Any) -> None:
    made = one({"n": Int(min=1), "t": String()}, item={"on": handlers})
    made.db_handler.create({"_id": "x", "n": 0, "t": "a"})
    for read in (
        lambda: made.access.read("x", "client"),
        lambda: made.access.listing(Query(), "client", total=True),
    ):
        with pytest.raises(BackoError, match=r"things/x: .*\$\.n"):
            read()
    assert made.get_by_id("x").n == 0
    made.access.modify("x", put({"n": 3}), "client", None)
    assert made.access.read("x", "client")["n"] == 3
    made.db_handler.save("x", {"_id": "x", "n": 0})
    made.access.remove("x", "client", None)


def test_a_value_of_a_wrong_type_is_told_by_its_id() -> None:
    made = one({"n": Int(set=lambda _root: 1), "t": String()})
    made.db_handler.create({"_id": "x", "t": 5})
    with pytest.raises(BackoError, match=r"things/x.*\$\.t"):
        made.get_by_id("x")


def test_a_failing_handler_leaves_the_item_as_it_was() -> None:
    failing = True

    def fail(*_: Any, **__: Any) -> None:
        if failing:
            raise RuntimeError

    made = one({"t": String()}, item={"on": [("saved", fail)]})
    new = made.new_item()
    with pytest.raises(RuntimeError):
        new.create({"t": "a"})
    assert new.life is Life.UNSET
    failing = False
    new.create({"t": "a"})
    failing = True
    new.t = "b"
    with pytest.raises(RuntimeError):
        new.save()
    assert (new.life, new.t) == (Life.UNSAVED, "b")
    failing = False
    new.save()
    assert made.get_by_id(new._id).t == "b"


def test_rights_are_asked_of_the_item_as_it_is_stored() -> None:
    def mine(_right: str, item: Any) -> bool:
        return bool(item.owner == "me")

    made = one({"owner": String()}, can_modify=mine, can_delete=mine)
    made.db_handler.create({"_id": "x", "owner": "you"})
    for act in ("save", "delete"):
        item = made.get_by_id("x")
        item.owner = "me"
        with pytest.raises(SRightError):
            getattr(item, act)()
    assert made.db_handler.get_by_id("x") == {"_id": "x", "owner": "you"}


def test_an_item_that_may_not_be_read_is_not_loaded() -> None:
    made = one({"t": String()}, can_read=never)
    made.db_handler.create({"_id": "x", "t": "secret"})
    item = made.new_item()
    with pytest.raises(SRightError):
        item.load("x")
    assert item.life is Life.UNSET
    assert item.t == None  # noqa: E711 - a node, not None itself


def test_a_delete_is_asked_again_of_an_item_that_changed_meanwhile() -> None:
    made: Collection

    def unlocked(_right: str, item: Any) -> bool:
        locked = bool(item.locked.get_value())
        stored = made.db_handler.get_by_id("x")
        if not stored["locked"]:
            made.db_handler.save("x", {**stored, "locked": 1})
        return not locked

    made = one({"locked": Int(default=0)}, can_delete=unlocked)
    made.db_handler.create({"_id": "x", "locked": 0})
    with pytest.raises(SRightError):
        made.access.remove("x", "client", None)
    assert made.db_handler.get_by_id("x")["locked"] == 1


@pytest.mark.parametrize("views", [["!client"], ["!client", "!short"]])
def test_what_no_answer_shows_is_no_field_to_filters_and_views(
    views: list[str],
) -> None:
    made = one({"t": String(views=["short"]), "pw": String(views=views)})
    field = made.plan.locate("pw")
    assert field is not None
    assert not made.plan.shows(field.field)
    made.create({"_id": "x", "t": "a", "pw": "p"})
    for view in made.plan.view_names:
        assert "pw" not in made.access.read("x", view)


def test_a_view_shows_what_is_kept_from_others_when_it_is_named() -> None:
    made = one({"t": String(), "pw": String(views=["!client", "admin"])})
    made.create({"_id": "x", "t": "a", "pw": "p"})
    assert made.access.read("x", "admin") | {"_meta": 0} == {
        "_id": "x",
        "t": "a",
        "pw": "p",
        "_meta": 0,
    }
    assert "pw" not in made.access.read("x", "client")


def test_a_conflict_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = one({"t": String()})
    made.create({"_id": "x"})
    monkeypatch.setattr(made.db_handler, "compare_and_set", lambda *_: False)
    with pytest.raises(ConflictError):
        made.access.modify("x", put({"t": "b"}), "client", None)
