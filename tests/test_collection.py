"""Collections in Python: selecting, rights, views, and what freezing stops."""

from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    Dict,
    Float,
    FrozenError,
    Int,
    Item,
    List,
    NotFoundError,
    Operator,
    SAttributeError,
    SFilter,
    SRightError,
    SSyntaxError,
    String,
    ValidationError,
    current_user,
)
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.errors import FilterError
from backo.query.parse import parse_python
from tests.offices import one

BOOK = {
    "title": String(required=True),
    "pages": Int(min=1),
    "tags": List(String()),
    "shelf": Dict({"row": Int(), "room": String()}),
}


@pytest.fixture
def books() -> Collection:
    """Three books."""
    made = one(BOOK)
    made.create({"_id": "a", "title": "Emma", "pages": 400, "tags": ["love"]})
    made.create({"_id": "b", "title": "Dracula", "pages": 300, "shelf": {"row": 2}})
    made.create({"_id": "c", "title": "Walden"})
    return made


def ids(items: list[Item]) -> list[str]:
    return [item._id.get_value() for item in items]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        ({"title": "Emma"}, ["a"]),
        ({"$.pages": ("$gte", 300)}, ["a", "b"]),
        ({"shelf.row": 2}, ["b"]),
        ({"shelf": {"row": 2}}, ["b"]),
        ({"pages": ("$exists", False)}, ["c"]),
        ({"$or": [{"title": "Emma"}, {"title": "Walden"}], "pages": ("$gt", 1)}, ["a"]),
        (SFilter("$.pages", Operator.LT, 400), ["b"]),
    ],
)
def test_select_takes_every_form_of_filter(
    books: Collection, wanted: Any, found: list[str]
) -> None:
    assert ids(books.select(wanted)) == found


def test_select_sorts_skips_and_limits(books: Collection) -> None:
    assert ids(books.select(sort={"pages": -1})) == ["a", "b", "c"]
    assert ids(books.select(sort="$.title", skip=1, limit=1)) == ["a"]


def test_select_gives_items_that_can_be_changed(books: Collection) -> None:
    (emma,) = books.select({"title": "Emma"})
    emma.pages = 1
    emma.save()
    assert books.get_by_id("a").pages == 1


def test_an_unknown_field_is_told(books: Collection) -> None:
    with pytest.raises(FilterError, match="unknown") as caught:
        books.select({"nope": 1})
    assert caught.value.faults[0].path == "$.nope"


def test_select_one_gives_the_one(books: Collection) -> None:
    assert books.select_one({"title": "Emma"})._id == "a"
    with pytest.raises(NotFoundError, match="no item"):
        books.select_one({"title": "None"})
    with pytest.raises(NotFoundError, match="more than one"):
        books.select_one({"pages": ("$gt", 1)})


def test_filters_and_sorts_reach_computed_values() -> None:
    made = one(
        {"n": Int(), "double": Int(set=lambda root: (root.n.get_value() or 0) * 2)}
    )
    for number in (3, 1, 2):
        made.create({"_id": str(number), "n": number})
    assert ids(made.select({"double": ("$gt", 2)}, sort="-double")) == ["3", "2"]
    wanted = parse_python({"double": ("$gt", 2)}, made.plan)
    found = made.access.listing(Query(wanted, limit=1), "client", total=True)
    assert (found.total, len(found.rows)) == (2, 1)


def test_an_item_that_may_not_be_read_is_in_no_list_and_no_total() -> None:
    def mine(_right: str, item: Any) -> bool:
        return bool(item.owner == current_user.login.get_value())

    notes = one({"owner": String(), "text": String()}, can_read=mine)
    for number, owner in enumerate(["ann", "bob", "ann", "bob", "bob"]):
        notes.create({"_id": str(number), "owner": owner})
    current_user.set({"_id": "1", "login": "ann", "roles": []})
    found = notes.access.listing(Query(limit=1), "client", total=True)
    assert ([row["_id"] for row in found.rows], found.total) == (["0"], 2)
    assert ids(notes.select()) == ["0", "2"]
    with pytest.raises(SRightError):
        notes.get_by_id("1")
    with pytest.raises(NotFoundError):
        notes.access.read("1", "client")


@pytest.mark.parametrize("right", ["create", "modify", "delete"])
@pytest.mark.parametrize("declared", [False, lambda _right, _item: False])
def test_a_missing_right_is_an_error_and_nothing_happens(
    right: str, declared: Any
) -> None:
    made = one({"n": Int()}, **{f"can_{right}": declared})
    made.db_handler.create({"_id": "x", "n": 1})
    item = made.get_by_id("x")
    with pytest.raises(SRightError, match=right):
        if right == "create":
            made.create({"n": 2})
        elif right == "modify":
            item.n = 2
            item.save()
        else:
            item.delete()
    assert made.db_handler.find(Query()) == [{"_id": "x", "n": 1}]


def test_refused_items_are_gotten_by_nobody() -> None:
    made = one({"n": Int()}, refuse_filter=lambda: {"n": ("$gt", 1)})
    made.create({"_id": "a", "n": 1})
    made.create({"_id": "b", "n": 2})
    assert ids(made.select()) == ["a"]
    assert made.access.listing(Query(), "client", total=True).total == 1
    for use in (
        lambda: made.get_by_id("b"),
        lambda: made.access.read("b", "client"),
        lambda: made.access.remove("b", "client", None),
        lambda: made.access.modify("b", Changes(lambda _: {"n": 1}), "client", None),
    ):
        with pytest.raises(NotFoundError):
            use()


def test_a_view_shows_just_its_paths_and_the_id() -> None:
    made = one({**BOOK, "notes": String(views=["!client"])})
    made.define_view("short", ["$.title", "$.shelf.row"])
    made.create({"_id": "a", "title": "Emma", "shelf": {"row": 1}, "notes": "n"})
    short = {"_id": "a", "title": "Emma", "shelf": {"row": 1}}
    assert made.access.read("a", "short") == short
    assert made.access.read("a", "+short") == short
    assert made.get_by_id("a").view("short") == short
    assert made.get_by_id("a").get_view("short").get_encoded() == short
    assert "notes" not in made.access.read("a", "client")
    assert made.plan.view_names == ("client", "short", "+short")


@pytest.mark.parametrize("name", ["save", "+x", "!x", ""])
def test_a_view_of_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(SSyntaxError):
        one(BOOK).define_view(name, ["$.title"])


def test_a_view_of_an_unknown_path_is_refused() -> None:
    with pytest.raises(SSyntaxError, match="nope"):
        one(BOOK).define_view("short", ["$.nope"])


@pytest.mark.parametrize("name", ["", "_books", "a/b", "a b", "1st", "é"])
def test_a_collection_of_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(SSyntaxError):
        Collection(name, Item(BOOK), DBMemoryConnector())


def test_the_plan_follows_the_model_until_routes_are_built() -> None:
    made = one(BOOK)
    made.model.add_to_model("score", Float())
    made.model.remove_model("tags")
    assert made.plan.locate("score") is not None
    assert made.plan.locate("tags") is None
    assert made.create({"title": "Emma", "score": 1}).score == 1.0


def test_the_plan_follows_a_dict_inside_the_model() -> None:
    made = one(BOOK)
    assert made.plan.locate("shelf.side") is None
    made.model.shelf.add_to_model("side", String())
    assert made.plan.locate("shelf.side") is not None


def test_a_frozen_schema_does_not_change() -> None:
    made = one(BOOK)
    office = made.backoffice
    assert isinstance(office, Backoffice)
    office.freeze()
    for change in (
        lambda: made.model.add_to_model("score", Float()),
        lambda: made.model.shelf.add_to_model("side", String()),
        lambda: made.model.remove_model("tags"),
        lambda: made.define_view("short", ["$.title"]),
    ):
        with pytest.raises(FrozenError, match="things"):
            change()
    with pytest.raises(FrozenError, match="more"):
        office.register_collection(Collection("more", Item(BOOK), DBMemoryConnector()))
    assert made.plan.locate("tags") is not None


def test_a_collection_keeps_its_model_to_itself() -> None:
    model = Item(BOOK)
    made = Collection("books", model, DBMemoryConnector())
    model.add_to_model("later", String())
    assert made.plan.locate("later") is None


@pytest.mark.parametrize(
    ("partial", "path", "wrong"),
    [
        ({"pages": 5}, "$.pages", False),
        ({"pages": 0}, "$.pages", True),
        ({"pages": "5"}, "$.pages", True),
        ({"pages": 0, "title": "x"}, "$.title", False),
        ({}, "$.title", True),
        ({"tags": ["a", 1]}, "$.tags", True),
        ({"shelf": {"row": "x"}}, "$.shelf", True),
        ({"shelf": {"row": "x"}}, "$.shelf.row", True),
        ({"shelf": {"row": "x"}}, "$.shelf.room", False),
        ({"even": 3}, "$.even", True),
        ({"even": 4}, "$.even", False),
    ],
)
def test_a_value_is_checked_alone(
    partial: dict[str, Any], path: str, wrong: bool
) -> None:
    even = Int(constraint=lambda _root, value, _old: value % 2 == 0)
    assert (one({**BOOK, "even": even}).check(partial, path) is not None) is wrong


@pytest.mark.parametrize("path", ["$.nope", "$", "", "title.x", "$.hidden"])
def test_a_check_of_no_field_is_told(path: str) -> None:
    with pytest.raises(ValidationError, match="no field"):
        one({**BOOK, "hidden": String(can_read=False)}).check({}, path)


def test_the_meta_structure_knows_what_exists_and_what_is_allowed() -> None:
    made = one(
        {
            "kind": String(enum=["a", "b"]),
            "only_b": String(exists=lambda _value, root: root.kind == "b"),
            "fixed": Int(can_modify=False, default=1),
            "hidden": Int(can_read=False),
        },
        can_delete=False,
    )
    meta = made.get_meta({"kind": "a"})
    fields = meta["item"]["sub_scheme"]
    assert meta["rights"] == {
        "read": True,
        "create": True,
        "modify": True,
        "delete": False,
    }
    assert "hidden" not in fields
    assert fields["only_b"]["exists"] is False
    assert fields["fixed"]["rights"] == {"read": True, "modify": False}
    assert fields["kind"]["union"] == ["a", "b"]
    assert (
        made.get_meta({"kind": "b"})["item"]["sub_scheme"]["only_b"]["exists"] is True
    )


def test_a_document_that_breaks_the_schema_is_told_by_its_id() -> None:
    from backo import BackoError

    made = one(BOOK)
    made.db_handler.create({"_id": "bad", "title": 5})
    with pytest.raises(BackoError, match=r"things/bad.*\$\.title"):
        made.access.read("bad", "client")


def test_an_item_without_attribute_is_an_attribute_error() -> None:
    with pytest.raises(SAttributeError):
        one(BOOK).new_item().nope  # noqa: B018
