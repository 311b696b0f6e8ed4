"""A collection of another backo server as a store."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backo import (
    Backoffice,
    Collection,
    ConflictError,
    DBError,
    DBRedirect,
    DBSqliteConnector,
    Dict,
    In,
    Int,
    Item,
    NotFoundError,
    Ref,
    ReferencedError,
    RefsList,
    SConstraintError,
    SRightError,
    String,
    UnknownReferenceError,
    ValidationError,
    current_user,
)
from backo.connectors.base import Query
from backo.connectors.redirect_lists import MOST_VALUES, pieces
from backo.query.filter import (
    ALWAYS,
    NEVER,
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
    all_of,
    any_of,
    matches,
    negate,
    order,
)
from backo.query.parse import parse_python
from backo.schema.plan import Kind
from backo.transaction import unit_of_work
from tests.raw_http import Asked, answer
from tests.redirecting import Document, World, book, make_back, redirect_world


@pytest.fixture(params=["fastapi", "flask"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    yield from redirect_world(tmp_path, make_back(tmp_path), request.param)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """Where the other server gives seven items at once."""
    yield from redirect_world(tmp_path, make_back(tmp_path, max_page_size=7))


def ids(found: list[Document]) -> list[str]:
    return [one["_id"] for one in found]


def where(store: DBRedirect, declared: Any) -> Filter:
    return parse_python(declared, store.schema().plan)


# --- One item ---------------------------------------------------------------------


def test_an_item_and_its_life(world: World) -> None:
    store = world.redirect()
    _id = store.create(
        {"title": "Emma", "pages": 420, "tags": None, "shelf": {}, "hidden": "h"}
    )
    found = store.get_by_id(_id)
    assert found.pop("_meta")["created_by"]["login"] == "ANONYMOUS"
    assert found == {"_id": _id, "title": "Emma", "pages": 420, "double": 840}
    assert store.save(_id, {"title": "Emma", "shelf": {"row": 2}, "_meta": 1}) is True
    found = store.get_by_id(_id)
    del found["_meta"]
    assert found == {"_id": _id, "title": "Emma", "shelf": {"row": 2}, "double": 0}
    assert world.back.books.get_by_id(_id).hidden == "h"
    assert store.delete_by_id(_id) is True
    acts: list[Callable[[str], Any]] = [
        store.get_by_id,
        store.delete_by_id,
        lambda _id: store.save(_id, {}),
    ]
    for act in acts:
        with pytest.raises(NotFoundError):
            act(_id)


def test_the_other_server_gives_ids(world: World) -> None:
    with pytest.raises(ValidationError) as caught:
        world.redirect().create({"_id": "emma", "title": "Emma"})
    assert [one.path for one in caught.value.faults] == ["$._id"]
    assert world.back.books.select() == []


def test_what_is_read_only_there_is_not_sent(world: World) -> None:
    front = world.front()
    made = front.create({"title": "Emma", "pages": 2})
    made.pages = 3
    made.save()
    _id = str(made._id.get_value())
    assert world.back.books.get_by_id(_id).double == 6
    sent = [json.loads(one.body) for one in world.relay.asked if one.body]
    assert sent == [{"title": "Emma", "pages": 2}, {"pages": 3}]


def test_what_our_schema_does_not_know_stays(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 2, "shelf": {"room": "a", "row": 1}})
    front = world.front(
        Item({"title": String(), "shelf": Dict({"row": Int()})}, meta_data_handler=None)
    )
    emma = front.get_by_id(_id)
    emma.title, emma.shelf.row = "Emma!", 2
    emma.save()
    there = world.back.books.get_by_id(_id)
    assert (there.title, there.pages) == ("Emma!", 2)
    assert (there.shelf.room, there.shelf.row) == ("a", 2)


def test_elements_of_lists_are_replaced_as_a_whole(world: World) -> None:
    (_id,) = world.seed({"title": "x", "loans": [{"who": "ann", "days": 1}]})
    store = world.redirect()
    before = store.get_by_id(_id)
    loans = [{"who": "bob", "days": None}, *before["loans"]]
    assert store.compare_and_set(_id, before, {**before, "loans": loans})
    assert store.get_by_id(_id)["loans"] == [{"who": "bob"}, {"who": "ann", "days": 1}]


@pytest.mark.parametrize(
    "_id", ["../books", "a/b", "_meta", "%2e%2e", "..", ".", "?", "#", "\0", "\ud800"]
)
def test_a_hostile_id_is_not_there(world: World, _id: str) -> None:
    world.seed({"title": "Emma"})
    store = world.redirect()
    acts: list[Callable[[str], Any]] = [
        store.get_by_id,
        store.delete_by_id,
        lambda _id: store.save(_id, {"title": "y"}),
        lambda _id: store.compare_and_set(_id, {}, {"title": "y"}),
        lambda _id: store.compare_and_delete(_id, {}),
    ]
    for act in acts:
        with pytest.raises(NotFoundError):
            act(_id)
    assert store.get_many([_id]) == []
    assert [one.title for one in world.back.books.select()] == ["Emma"]


def test_a_view_of_the_other_server(tmp_path: Path) -> None:
    item = Item({"a": String(), "b": String(views=["!short"])}, meta_data_handler=None)
    for world in redirect_world(tmp_path, make_back(tmp_path, item)):
        store = world.redirect(view="short")
        _id = store.create({"a": "x", "b": "y"})
        assert store.get_by_id(_id) == {"_id": _id, "a": "x"}
        assert store.find(Query(limit=5)) == [{"_id": _id, "a": "x"}]
        assert store.compare_and_set(_id, {"_id": _id, "a": "x"}, {"a": "z"})
        assert world.back.books.get_by_id(_id).b == "y"
        with pytest.raises(DBError):
            world.redirect(view="nosuch").find(Query())


# --- What was seen last -----------------------------------------------------------


def test_what_was_seen_is_asked_for_by_its_etag(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    store = world.redirect()
    first = store.get_by_id(_id)
    first["tags"] = ["ours"]
    again = store.get_by_id(_id)
    assert "tags" not in again
    emma = world.back.books.get_by_id(_id)
    emma.pages = 2
    emma.save()
    assert store.get_by_id(_id)["pages"] == 2
    asked = [one.headers.get("if-none-match") for one in world.relay.asked]
    assert [one is None for one in asked] == [True, True, False, False]
    assert world.redirect(cache_size=0).get_by_id(_id)["pages"] == 2


def test_what_was_seen_is_bounded(world: World) -> None:
    store = world.redirect(cache_size=1000)
    for _id in world.seed(*({"title": f"{n}"} for n in range(20))):
        store.get_by_id(_id)
    assert 0 < store.__dict__["_seen"]._size <= 1000


def test_a_304_that_was_not_asked_for(world: World) -> None:
    (_id,) = world.seed({"title": "Emma"})
    store = world.redirect()
    store.schema()
    world.fate = lambda number, asked: answer(304)
    with pytest.raises(DBError):
        store.get_by_id(_id)


def test_another_item_is_no_answer(world: World) -> None:
    one, _ = world.seed({"title": "Emma"}, {"title": "Walden"})
    store = world.redirect()
    store.schema()
    world.fate = lambda number, asked: answer(200, {"_id": "other", "title": "x"})
    with pytest.raises(DBError):
        store.get_by_id(one)


# --- Others who write there -------------------------------------------------------


def test_compare_and_set(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    ours, theirs = world.redirect(), world.redirect()
    before = ours.get_by_id(_id)
    assert theirs.compare_and_set(_id, before, {**before, "pages": 2})
    # What was seen last still is what is expected; the other server knows better.
    assert not ours.compare_and_set(_id, before, {**before, "pages": 3})
    assert not ours.compare_and_delete(_id, before)
    after = ours.get_by_id(_id)
    assert after["pages"] == 2
    assert not ours.compare_and_set(_id, {**after, "pages": True}, {**after})
    assert ours.compare_and_set(_id, after, {**after, "pages": 4})
    assert not ours.compare_and_delete(_id, after)
    assert ours.compare_and_delete(_id, ours.get_by_id(_id))
    with pytest.raises(NotFoundError):
        ours.compare_and_set(_id, after, after)
    with pytest.raises(NotFoundError):
        ours.compare_and_delete(_id, after)


def test_no_update_is_lost(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    stores = [world.redirect(), world.redirect()]

    def add_five(number: int) -> None:
        store = stores[number % 2]
        for _ in range(5):
            while True:
                read = store.get_by_id(_id)
                new = {**read, "pages": read["pages"] + 1}
                if store.compare_and_set(_id, read, new):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_five, range(4)))
    assert stores[0].get_by_id(_id)["pages"] == 21


def test_changes_to_different_fields_both_survive(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    front = world.front()
    ours = front.get_by_id(_id)
    theirs = world.back.books.get_by_id(_id)
    theirs.title = "Emma!"
    theirs.save()
    ours.pages = 2
    ours.save()
    there = world.back.books.get_by_id(_id)
    assert (there.title, there.pages) == ("Emma!", 2)


def test_a_save_against_many_others_gives_up(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    store = world.redirect()

    def busy(number: int, asked: Asked) -> Any:
        return answer(412) if asked.method == "PUT" else "pass"

    world.fate = busy
    with pytest.raises(ConflictError):
        store.save(_id, {"title": "x"})


# --- Answers that are lost --------------------------------------------------------


def lose_first(method: str) -> Callable[[int, Asked], str]:
    """The answer to the first such request is lost."""
    lost: list[str] = []

    def fate(number: int, asked: Asked) -> str:
        if asked.method == method and not lost:
            lost.append(asked.path)
            return "lose"
        return "pass"

    return fate


def test_a_change_whose_answer_is_lost_is_made_once(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    store = world.redirect(retries=1)
    before = store.get_by_id(_id)
    world.fate = lose_first("PUT")
    assert store.compare_and_set(_id, before, {**before, "pages": 2})
    assert store.get_by_id(_id)["pages"] == 2


def test_a_change_whose_answer_is_lost_before_others_change_more(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 1})
    store, theirs = world.redirect(retries=1), world.redirect()
    before = store.get_by_id(_id)
    lost = lose_first("PUT")

    def fate(number: int, asked: Asked) -> str:
        found = lost(number, asked)
        if found == "pass" and asked.method == "PUT":
            emma = world.back.books.get_by_id(_id)
            emma.pages = 9
            emma.save()
        return found

    world.fate = fate
    # Neither yes nor no is true: a caller who adds one would add it twice.
    with pytest.raises(DBError, match="cannot be told"):
        store.compare_and_set(_id, before, {**before, "pages": 2})
    assert theirs.get_by_id(_id)["pages"] == 9


def test_a_deletion_whose_answer_is_lost(world: World) -> None:
    (_id,) = world.seed({"title": "Emma"})
    store = world.redirect(retries=1)
    world.fate = lose_first("DELETE")
    assert store.delete_by_id(_id) is True
    with pytest.raises(NotFoundError):
        store.delete_by_id(_id)


def test_a_creation_is_not_sent_twice(world: World) -> None:
    store = world.redirect(retries=3)
    store.schema()
    world.fate = lose_first("POST")
    with pytest.raises(DBError):
        store.create({"title": "Emma"})
    assert world.redirect().count() == 1


# --- Filters ----------------------------------------------------------------------

PUSHED: list[Any] = [
    {"title": "Emma"},
    {"title": ("$ne", "Emma")},
    {"title": ("$reg", "E.*")},
    {"title": ("$in", ["a", "b"])},
    {"_id": ("$nin", ["a", "b"])},
    {"pages": ("$gt", 3)},
    {"price": ("$lte", 1)},
    {"ok": True},
    {"when": ("$lt", "2020-01-01T00:00:00")},
    {"tags": "x"},
    {"tags": ("$contains", "x")},
    {"tags": ("$all", ("$reg", "x"))},
    {"tags": ("$size", 2)},
    {"tags": ("$exists", True)},
    {"shelf.row": ("$exists", False)},
    {"loans.who": "ann"},
    {"loans": ("$contains", {"who": "ann", "days": ("$gt", 2)})},
    {"loans": ("$contains", {"$or": [{"who": "ann"}, {"$not": {"days": 2}}]})},
    {"extra.a": 1},
    {"double": ("$gt", 3)},
    {"_meta.mtime": ("$gt", "2020-01-01T00:00:00")},
    {"_meta.created_by.login": "ANONYMOUS"},
]


@pytest.mark.parametrize("declared", PUSHED, ids=str)
def test_filters_are_answered_there(world: World, declared: Any) -> None:
    world.seed({"title": "Emma", "pages": 3, "tags": ["x"]}, {"title": "W", "pages": 9})
    store = world.redirect()
    tree = where(store, declared)
    pushed, residual = store.split(tree)
    assert (pushed, residual) == (tree, ALWAYS)
    world.relay.asked.clear()
    found = store.find(Query(tree, limit=5))
    everything = store.find(Query())
    assert ids(found) == ids([one for one in everything if matches(tree, one)])
    assert store.count(tree) == len(found)
    assert len(world.relay.asked) == 3


NOT_PUSHED: list[Filter] = [
    Condition(("shelf",), Op.EXISTS, True, Kind.DICT),
    Condition(("tags",), Op.EQ, ["x"], Kind.LIST),
    Condition(("extra",), Op.EQ, {"a": 1}, Kind.DICT),
    Condition(("pages",), Op.EQ, "x", Kind.STRING),
    Condition(("pages",), Op.GT, 1, Kind.STRING),
    Condition(("pages",), Op.REG, "1", Kind.STRING),
    Condition(("nosuch",), Op.EQ, 1, Kind.INT),
    Condition(("title",), Op.EQ, "\ud800", Kind.STRING),
    Condition(("extra", "a.b"), Op.EQ, "x", Kind.STRING),
    Condition(("title",), Op.IN, ("a", None), Kind.STRING),
    Condition(("title",), Op.REG, ".*a.{100}", Kind.STRING),
    Element(("title",), ALWAYS),
    Element(("tags",), Condition((), Op.EQ, 1, Kind.INT)),
]


@pytest.mark.parametrize("leaf", NOT_PUSHED, ids=str)
def test_what_would_be_read_otherwise_there_is_answered_here(
    world: World, leaf: Condition | Element
) -> None:
    assert not world.redirect().can_push(leaf)


texts = st.sampled_from(["", "a", "Emma", "é", "a b", "&=#", "1", "true", "$.a"])
conditions = st.one_of(
    st.builds(
        Condition,
        st.sampled_from([("title",), ("shelf", "room"), ("loans", "who"), ("tags",)]),
        st.sampled_from([Op.EQ, Op.NE, Op.LT, Op.GTE]),
        texts,
        st.just(Kind.STRING),
    ),
    st.builds(
        Condition,
        st.sampled_from([("pages",), ("shelf", "row"), ("loans", "days")]),
        st.sampled_from([Op.EQ, Op.GT, Op.LTE, Op.NE]),
        st.integers(-1, 5) | st.just(2**70),
        st.just(Kind.INT),
    ),
    st.builds(
        Condition,
        st.sampled_from([("title",), ("tags",)]),
        st.sampled_from([Op.IN, Op.NIN]),
        st.lists(texts, min_size=1, max_size=3).map(tuple),
        st.just(Kind.STRING),
    ),
    st.builds(
        lambda path, value: Condition(path, Op.EXISTS, value, Kind.LIST),
        st.sampled_from([("tags",), ("loans",)]),
        st.booleans(),
    ),
    st.builds(
        Element,
        st.just(("loans",)),
        st.builds(
            lambda who, days: all_of([who, negate(days)]),
            st.builds(
                Condition,
                st.just(("who",)),
                st.just(Op.EQ),
                texts,
                st.just(Kind.STRING),
            ),
            st.builds(
                Condition,
                st.just(("days",)),
                st.just(Op.GT),
                st.integers(0, 3),
                st.just(Kind.INT),
            ),
        ),
        st.booleans(),
    ),
    st.just(Condition(("shelf",), Op.EXISTS, True, Kind.DICT)),
)
filters = st.recursive(
    conditions,
    lambda inner: (
        st.lists(inner, max_size=3).map(all_of)
        | st.lists(inner, max_size=3).map(any_of)
        | inner.map(negate)
    ),
    max_leaves=4,
)
sorts = st.lists(
    st.sampled_from(
        [
            SortKey(("title",), True),
            SortKey(("title",)),
            SortKey(("pages",), True, Kind.INT),
            SortKey(("shelf", "row"), False, Kind.INT),
            SortKey(("_id",), True),
        ]
    ),
    max_size=2,
    unique=True,
).map(tuple)
STORED: list[Document] = [
    {"title": "Emma", "pages": 1, "tags": ["a", "b"], "shelf": {"room": "a", "row": 1}},
    {"title": "é", "pages": 2, "tags": [], "loans": [{"who": "a", "days": 1}]},
    {"title": "a", "loans": [{"who": "a", "days": 3}, {"who": "Emma"}]},
    {"title": "a b", "pages": 5, "shelf": {"row": 3}, "loans": []},
    {"title": "", "pages": 3, "tags": ["&=#"]},
]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(filters, sorts, st.integers(0, 3), st.integers(0, 6))
def test_every_query_has_the_meaning_of_its_documents(
    small: World, tree: Filter, sort: tuple[SortKey, ...], skip: int, limit: int
) -> None:
    if not small.made:
        small.seed(*STORED, *STORED)
        small.redirect()
    store = small.made[0]
    everything = small.all or list(store.scan())
    small.all = everything
    wanted = order([one for one in everything if matches(tree, one)], sort)
    found = store.find(Query(tree, sort, skip, limit))
    assert ids(found) == ids(wanted)[skip : skip + limit if limit else None]
    assert store.count(tree) == len(wanted)


def test_pages_that_are_too_large_are_halved(small: World) -> None:
    small.seed(*({"title": f"{n:03}", "pages": 50 - n} for n in range(1, 40)))
    store = small.redirect()
    assert [one["title"] for one in store.scan()] == [f"{n:03}" for n in range(1, 40)]
    assert len(store.find(Query())) == 39
    by_pages = (SortKey(("pages",), False, Kind.INT),)
    found = store.find(Query(sort=by_pages, skip=1, limit=20))
    assert [one["pages"] for one in found] == list(range(12, 32))
    small.relay.asked.clear()
    assert len(store.find(Query(sort=by_pages, limit=5))) == 5
    assert len(small.relay.asked) == 1


def test_answers_that_are_too_large_are_asked_for_in_parts(world: World) -> None:
    world.seed(*({"title": "x" * 1000} for _ in range(30)))
    store = world.redirect(max_answer=20_000)
    assert len(store.find(Query())) == 30
    (long,) = world.seed({"title": "y" * 30_000})
    with pytest.raises(DBError, match="not even one"):
        store.find(Query())
    with pytest.raises(DBError, match="more than"):
        store.get_by_id(long)


def test_long_filters_and_long_lists(tmp_path: Path) -> None:
    item = Item({"title": String(), "pages": Int()}, meta_data_handler=None)
    for world in redirect_world(tmp_path, make_back(tmp_path, item)):
        _long_filters_and_long_lists(world)


def _long_filters_and_long_lists(world: World) -> None:
    kept = world.back.books.db_handler
    with unit_of_work():
        made = [kept.create({"title": f"{n}", "pages": n}) for n in range(1, 1501)]
    store = world.redirect()
    assert ids(store.find(Query())) == made
    assert len(list(store.scan())) == store.count() == 1500
    world.relay.asked.clear()
    absent = [f"no-{n:0100}" for n in range(700)]
    tree = where(store, {"title": ("$nin", absent)})
    assert store.split(tree) == (tree, ALWAYS)
    assert len(store.find(Query(tree, limit=10))) == 10
    assert store.count(tree) == 1500
    assert len(world.relay.asked[-1].body) > 60_000
    assert [one.method for one in world.relay.asked] == ["POST", "POST"]
    many = Condition(("pages",), Op.IN, tuple(range(1000, 4000)), Kind.INT)
    both = And((many, Condition(("pages",), Op.LT, 1010, Kind.INT)))
    assert store.split(both) == (both, ALWAYS)
    assert [one["pages"] for one in store.find(Query(both))] == list(range(1000, 1010))
    assert store.count(both) == 10
    wanted = [*reversed(made), "nope", made[0]]
    assert ids(store.get_many(wanted)) == made[::-1]
    assert store.find_values(both, ("title",)) == [str(n) for n in range(1000, 1010)]


def test_pieces_find_what_the_whole_does() -> None:
    values = tuple(range(3 * MOST_VALUES + 1))
    many = Condition(("n",), Op.IN, values, Kind.INT)
    for tree in (many, And((Condition(("m",), Op.EQ, 1, Kind.INT), many))):
        parts = pieces(tree)
        assert len(parts) == 4
        for document in ({"n": 5, "m": 1}, {"n": values[-1], "m": 1}, {"n": -1}):
            assert any(matches(one, document) for one in parts) == matches(
                tree, document
            )
    others: list[Filter] = [Not(many), Or((many, NEVER)), NEVER]
    for other in others:
        assert pieces(other) == [other]


def test_a_filter_that_is_refused_after_all_is_answered_here(world: World) -> None:
    one, _ = world.seed({"title": "Emma", "hidden": "h"}, {"title": "Walden"})
    store = world.redirect()
    # No answer shows this field, so no filter may look at it; _meta does not say so.
    tree = Condition(("hidden",), Op.EQ, "h", Kind.STRING)
    assert store.can_push(tree)
    assert store.find(Query(tree)) == []
    assert store.count(tree) == 0
    assert ids(store.find(Query(Not(tree), limit=1))) == [one]


def test_a_server_that_tells_nothing_of_its_schema(world: World) -> None:
    (_id,) = world.seed({"title": "Emma", "pages": 2})

    def fate(number: int, asked: Asked) -> Any:
        return answer(404) if asked.path.endswith("/_meta") else "pass"

    world.fate = fate
    front = world.front()
    assert [one.title for one in front.select({"pages": ("$gt", 1)})] == ["Emma"]
    assert "filter=" in world.lines[-1]
    emma = front.get_by_id(_id)
    emma.pages = 4
    emma.save()
    assert world.back.books.get_by_id(_id).double == 8


@pytest.mark.parametrize(
    "said",
    [{}, {"result": 1}, {"result": [1]}, {"result": [{}]}, {"result": [{"_id": 1}]}],
)
def test_what_is_no_list(world: World, said: Any) -> None:
    store = world.redirect()
    store.schema()
    world.fate = lambda number, asked: answer(200, said)
    for act in (
        lambda: store.find(Query()),
        lambda: store.count(),
        lambda: list(store.scan()),
        lambda: store.find(Query(limit=3)),
    ):
        with pytest.raises(DBError):
            act()


@pytest.mark.parametrize(
    "said", [[], {}, {"item": {}}, {"item": {"kind": "nosuch", "read_only": False}}]
)
def test_a_schema_that_cannot_be_understood(world: World, said: Any) -> None:
    world.fate = lambda number, asked: answer(200, said)
    with pytest.raises(DBError):
        world.redirect().find(Query())


def test_a_restriction(world: World) -> None:
    thick, thin = world.seed({"title": "a", "pages": 9}, {"title": "b", "pages": 1})
    store = world.redirect(restriction=lambda: {"pages": ("$lt", 5)})
    assert ids(store.find(Query())) == ids(list(store.scan())) == [thin]
    assert store.count() == 1
    assert ids(store.get_many([thick, thin])) == [thin]
    before = {"_id": thick, "title": "a", "pages": 9}
    for act in (
        lambda: store.get_by_id(thick),
        lambda: store.save(thick, {"title": "x"}),
        lambda: store.delete_by_id(thick),
        lambda: store.compare_and_set(thick, before, {}),
        lambda: store.compare_and_delete(thick, before),
    ):
        with pytest.raises(NotFoundError):
            act()
    assert world.back.books.get_by_id(thick).pages == 9


def test_select_takes_what_a_collection_takes(world: World) -> None:
    world.seed({"title": "a", "pages": 9}, {"title": "b", "pages": 1})
    store = world.redirect()
    world.front(store=store)
    found = store.select({"pages": ("$gt", 5)}, {"title": 1}, 5, 0, {"pages": -1})
    assert [one["title"] for one in found] == ["a"]
    assert found[0].keys() == {"_id", "title"}
    store.drop()
    assert world.back.books.select() == []


def test_two_collections_of_one_place_are_refused(world: World) -> None:
    office = Backoffice("front")
    office.register_collection(Collection("one", book(), world.redirect()))
    with pytest.raises(Exception, match="place"):
        office.register_collection(Collection("two", book(), world.redirect()))


# --- Refusals ---------------------------------------------------------------------


def ask(collection: Collection, method: str, path: str, body: Any = None) -> Any:
    """An answer of the front, over HTTP."""
    office = collection.backoffice
    assert isinstance(office, Backoffice)
    app = FastAPI()
    app.include_router(office.router())
    with TestClient(app) as client:
        return client.request(method, f"/front/books{path}", json=body)


def loose() -> Item:
    """Our idea of a book, which lets everything pass."""
    names = ("title", "pages", "price", "tags", "author", "secret", "nosuch")
    free = {name: In([Int(), String()]) for name in names}
    return Item(free, meta_data_handler=None)


def test_what_is_wrong_there_is_wrong_here(world: World) -> None:
    front = world.front(loose())
    body = {"pages": 0, "tags": "x", "nosuch": "y"}
    told = ask(front, "POST", "", body)
    assert told.status_code == 422
    assert [(one["path"], one["code"]) for one in told.json()["errors"]] == [
        ("$.title", "required"),
        ("$.pages", "min"),
        ("$.tags", "type"),
        ("$.nosuch", "unknown_field"),
    ]
    (_id,) = world.seed({"title": "Emma", "pages": 3})
    told = ask(front, "PUT", f"/{_id}", {"pages": 0})
    assert told.status_code == 422
    assert told.json()["errors"][0]["path"] == "$.pages"
    assert world.back.books.get_by_id(_id).pages == 3


def guarded_back(folder: Path) -> Backoffice:
    back = Backoffice("back")
    store: dict[str, Any] = {"path": folder / "back.db", "synchronous": "OFF"}
    back.register_collection(
        Collection(
            "books",
            Item(
                {
                    "title": String(
                        required=True,
                        constraint=lambda root, value, old: value != "bad",
                    ),
                    "secret": String(can_modify=lambda right, item: False),
                    "author": Ref(coll="authors", field="$.books"),
                },
                meta_data_handler=None,
            ),
            DBSqliteConnector(table="b", **store),
        )
    )
    back.register_collection(
        Collection(
            "authors",
            Item(
                {"name": String(), "books": RefsList(coll="books", field="$.author")},
                meta_data_handler=None,
            ),
            DBSqliteConnector(table="a", **store),
            can_create=lambda right, item: current_user.has_role("none"),
        )
    )
    return back


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[World]:
    yield from redirect_world(tmp_path, guarded_back(tmp_path))


def test_refusals_are_the_errors_that_they_were(guarded: World) -> None:
    store, authors = guarded.redirect(), guarded.redirect("authors")
    with pytest.raises(SConstraintError, match=r"\$\.title"):
        store.create({"title": "bad"})
    with pytest.raises(UnknownReferenceError) as caught:
        store.create({"title": "good", "author": "nobody"})
    assert caught.value.faults[0].path == "$.author"
    with pytest.raises(SRightError, match=r"\$\.secret"):
        store.create({"title": "good", "secret": "x"})
    with pytest.raises(DBError):
        authors.create({"name": "Ann"})
    ann = guarded.back.authors.db_handler.create({"name": "Ann", "books": []})
    book_id = store.create({"title": "good", "author": ann})
    assert authors.get_by_id(ann)["books"] == [book_id]
    with pytest.raises(ReferencedError):
        authors.delete_by_id(ann)
    front = guarded.front(loose())
    told = ask(front, "PUT", f"/{book_id}", {"secret": "x"})
    assert told.status_code == 403
    assert told.json()["errors"][0]["path"] == "$.secret"


def test_our_credentials_are_no_fault_of_our_callers(world: World) -> None:
    front = world.front()
    for status in (401, 403):
        said = answer(status, {"code": "x", "detail": "who are you?"})
        world.fate = lambda number, asked: said  # noqa: B023 - asked before the next
        told = ask(front, "GET", "?_page=1")
        assert told.status_code == 503
        assert told.headers["retry-after"]
        assert "who are you" not in told.text


def test_a_server_that_is_gone(world: World) -> None:
    front = world.front()
    (_id,) = world.seed({"title": "Emma"})
    world.fate = lambda number, asked: "drop"
    for method, path, body in (
        ("GET", "", None),
        ("GET", f"/{_id}", None),
        ("POST", "", {"title": "x"}),
        ("PUT", f"/{_id}", {"title": "x"}),
        ("DELETE", f"/{_id}", None),
    ):
        told = ask(front, method, path, body)
        assert told.status_code == 503, method
    world.fate = lambda number, asked: "pass"
    assert ask(front, "GET", f"/{_id}").status_code == 200


def test_a_collection_that_is_not_there(world: World) -> None:
    for store in (world.redirect("nosuch"), world.redirect(prefix="elsewhere")):
        with pytest.raises(DBError):
            store.get_by_id("a")
        with pytest.raises(DBError):
            store.delete_by_id("a")
        with pytest.raises(DBError):
            store.find(Query())
        with pytest.raises(DBError):
            store.create({"title": "x"})


def test_conditions_on_references_stay_conditions_on_ids(guarded: World) -> None:
    store = guarded.redirect("authors")
    one = Condition((), Op.EQ, "emma", Kind.STRING)
    assert store.can_push(Element(("books",), one))
    # There it would ask for a book that exists.
    assert not store.can_push(Element(("books",), ALWAYS))
