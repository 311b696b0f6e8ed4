"""Rights that look at the user alone: asked once in a request, and no reason to build
an Item."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backo import Backoffice, Collection, Dict, Int, Item, List, String, current_user
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.errors import VALUE_ERRORS, BackoError, NotFoundError
from backo.http.patch import changed_fields, json_patch
from backo.schema.rights import of_user
from backo.schema.types import GenericType
from tests.offices import one
from tests.schemas import items, json_values, near_values


class Rights:
    """Functions that are methods."""

    def of_user(self, _right: str, _item: Any) -> bool:
        return current_user.has_role("A")

    def of_item(self, _right: str, item: Any) -> bool:
        return bool(item.x)

    def __call__(self, _right: str, _item: Any) -> bool:
        return True


def in_closure(_right: str, item: Any) -> bool:
    return any(item.x for _ in range(1))


def in_locals(_right: str, _item: Any) -> bool:
    return bool(locals())


def any_arguments(*given: Any) -> bool:
    return bool(given)


def item_alone(_right: str, item: Any = None) -> bool:
    return item is not None


def replaced(_right: str, item: Any) -> bool:
    item = None
    return item is None


@pytest.mark.parametrize(
    "function",
    [
        lambda _right, _item: current_user.has_role("A"),
        lambda right, item: right == "read",
        Rights().of_user,
    ],
)
def test_a_function_that_never_names_the_item_is_of_the_user(function: Any) -> None:
    assert of_user(function)


@pytest.mark.parametrize(
    "function",
    [
        *(in_closure, in_locals, any_arguments, item_alone, replaced),
        *(Rights().of_item, Rights(), functools.partial(item_alone), bool, None, True),
        lambda right: True,
        lambda right, item: [item.x for _ in "a"],
    ],
)
def test_any_other_is_of_the_item(function: Any) -> None:
    assert not of_user(function)


def counted(asked: list[str]) -> Callable[[str, Any], bool]:
    def allowed(right: str, _item: Any) -> bool:
        asked.append(right)
        return True

    return allowed


@pytest.mark.parametrize("through_items", [False, True])
def test_such_a_right_is_asked_once_in_a_request(through_items: bool) -> None:
    asked: list[str] = []
    more = {"on": [("loaded", lambda *_args, **_kwargs: None)]} if through_items else {}
    may = counted(asked)
    fields = {
        "x": Int(),
        "guarded": Int(can_read=may),
        "rows": List(Int(), can_read=may),
    }
    made = one(fields, item=more, can_read=may, can_modify=may)
    for n in range(20):
        made.db_handler.create({"_id": str(n), "x": n, "guarded": n, "rows": [n]})
    asked.clear()
    with current_user.request():
        found = made.access.listing(Query(), "client", total=True)
        assert found.total == 20 and found.rows[0]["guarded"] == 0
        assert asked.count("read") == 1
        put = Changes(lambda _before: {"x": 7, "guarded": 8})
        assert made.access.modify("3", put, "client", None) is not None
    assert sorted(asked) == ["modify", "read"]


def test_another_user_in_the_same_request_is_asked_about_again() -> None:
    made = one({"x": Int(), "guarded": Int(can_read=Rights().of_user)})
    made.db_handler.create({"_id": "a", "x": 1, "guarded": 2})
    read = functools.partial(made.access.read, "a", "client")
    with current_user.request():
        assert "guarded" not in read()
        current_user.set({"_id": "1", "login": "ann", "roles": ["A"]})
        assert read()["guarded"] == 2
        current_user.roles = []
        assert "guarded" not in read()
        current_user.reset()
        assert "guarded" not in read()


def test_documents_stay_documents() -> None:
    may = Rights().of_user
    inner = Dict({"pin": Int(can_read=may, can_modify=may)})
    made = one({"x": Int(), "in": inner}, can_read=may, can_modify=may)
    for roles in ([], ["A"]):
        with current_user.acting_as({"_id": "1", "login": "a", "roles": roles}):
            assert not any(made.item_needed.values())


# --- The same with and without Items ----------------------------------------------


def as_user(_right: str, _item: Any) -> bool:
    return current_user.has_role("A")


def as_item(_right: str, item: Any) -> bool:
    return item is not as_item and current_user.has_role("A")


def unsure(_right: str, _item: Any) -> Any:
    return None


def guard(schema: dict[str, Any], places: list[tuple[int, str]], may: Any) -> Any:
    """A copy of ``schema`` in which the fields at these places have that right."""
    made = Item(copy.copy(schema), meta_data_handler=None)
    nodes = list(_below(made))
    for at, right in places:
        nodes[at % len(nodes)]._permissions.add_or_modify_permission(right, may)
    return made


def _below(node: Any) -> Any:
    for name in node._keys:
        if name != "_id":
            child: GenericType = node.__dict__[name]
            yield child
            if isinstance(child, Dict):
                yield from _below(child)


def collection(model: Item) -> Collection:
    store = DBMemoryConnector()
    store.generate_id = lambda o: "the id"  # type: ignore[method-assign]
    office = Backoffice("office")
    office.register_collection(Collection("things", model, store))
    return office.collection("things")


def settled(made: Collection, do: Any) -> Any:
    """What an operation gave, or that it was refused: a model says so earlier, and in
    other words, than an Item."""
    try:
        return do(made)
    except (pydantic.ValidationError, BackoError, *VALUE_ERRORS):
        return "refused"


def present(value: Any) -> Any:
    """``value`` without what is null or holds nothing else: absent means the same."""
    if not isinstance(value, dict):
        return value
    kept = {key: present(one) for key, one in value.items()}
    return {key: one for key, one in kept.items() if one not in (None, {})}


PLACES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["read", "modify"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(schema=items(), places=PLACES, data=st.data())
def test_a_right_means_the_same_of_the_user_and_of_the_item(
    schema: dict[str, Any], places: list[tuple[int, str]], data: Any
) -> None:
    fast = collection(guard(schema, places, as_user))
    slow = collection(guard(schema, places, as_item))
    some = st.dictionaries(
        st.sampled_from(sorted(schema)), near_values | json_values, max_size=4
    )
    body, change, roles = data.draw(some), data.draw(some), data.draw(ROLES)

    def insert(made: Collection) -> Any:
        document = made.seen.models.create.document(body)
        return made.access.insert(document, "client")

    def modify(made: Collection) -> Any:
        values = made.seen.models.update.document(change)
        changes = Changes(lambda _before: values, blind=True)
        return made.access.modify("the id", changes, "client", None)

    def stored(made: Collection) -> Any:
        return [present(one) for one in made.db_handler.find(Query())]

    with current_user.acting_as({"_id": "1", "login": "a", "roles": roles[0]}):
        assert settled(fast, insert) == settled(slow, insert)
    with current_user.acting_as({"_id": "1", "login": "a", "roles": roles[1]}):
        for do in (
            lambda made: made.access.read("the id", "client"),
            modify,
            lambda made: made.access.listing(Query(), "client", total=True),
            stored,
        ):
            assert settled(fast, do) == settled(slow, do)


ROLES = st.sampled_from([([], []), (["A"], []), ([], ["A"]), (["A"], ["A"])])


@pytest.mark.parametrize("answer", [1, "yes", ["unhashable"]])
def test_what_is_no_bool_is_no_leave(answer: Any) -> None:
    said: list[Any] = [True]
    made = one({"x": Int()}, can_read=lambda _right, _item: said[0])
    made.db_handler.create({"_id": "x", "x": 1})
    for said[0] in (True, answer, True):
        with current_user.request():
            if said[0] is True:
                assert made.access.read("x", "client")["x"] == 1
            else:
                with pytest.raises(NotFoundError):
                    made.access.read("x", "client")


def test_an_answer_that_is_no_bool_leaves_it_to_what_holds_the_field() -> None:
    inner = {"s": String(can_read=unsure), "t": String()}
    made = one({"open": Dict(inner), "shut": Dict(inner, can_read=as_user)})
    held = {"s": "a", "t": "b"}
    made.db_handler.create({"_id": "x", "open": held, "shut": held})
    shown = made.access.read("x", "client")
    assert shown["open"] == held and "shut" not in shown
    current_user.set({"_id": "1", "login": "a", "roles": ["A"]})
    assert made.access.read("x", "client")["shut"] == held


def test_a_default_that_nobody_may_change_is_stored() -> None:
    inner = {"n": Int(default=1), "m": Int()}
    fields = {
        "d": Int(default=5, can_modify=False),
        "in": Dict(inner, can_modify=False),
    }
    made = one(fields)
    _id, _ = made.access.insert(made.models.create.document({}), "client")
    stored = made.db_handler.get_by_id(_id)
    assert (stored["d"], stored["in"]) == (5, {"n": 1})
    for body in ({"d": 5}, {"in": {"n": 1}}):
        with pytest.raises(pydantic.ValidationError, match="Extra inputs"):
            made.models.create.document(body)


def even(_root: Any, value: Any, _old: Any) -> bool:
    return bool(value % 2 == 0)


def test_a_default_that_the_caller_does_not_know_is_not_taken_for_input() -> None:
    closed: dict[str, Any] = {"can_read": as_user, "can_modify": as_user}
    row = Dict({"p": String(), "h": Int(default=1, **closed)})
    # The constraint makes each write go through an Item.
    n, h = Int(constraint=even), Int(default=5, **closed)
    made = one({"n": n, "h": h, "rows": List(row)})
    document = made.seen.models.create.document({"n": 2, "rows": [{"p": "a"}]})
    _id, _ = made.access.insert(document, "client")
    stored = made.db_handler.get_by_id(_id)
    assert (stored["h"], stored["rows"]) == (5, [{"p": "a", "h": 1}])
    values = made.seen.models.update.document({"rows": [{"p": "b"}]})
    put = Changes(lambda _before: values, blind=True)
    made.access.modify(_id, put, "client", None)
    assert made.db_handler.get_by_id(_id)["rows"] == [{"p": "b", "h": 1}]


def handled(*_given: Any, **_known: Any) -> None:
    """A handler, so that there must be an Item."""


@pytest.mark.parametrize("through_items", [False, True])
def test_a_patch_of_an_element_keeps_what_is_read_only(through_items: bool) -> None:
    more = {"on": [("loaded", handled)]} if through_items else {}
    row = Dict({"p": String(), "s": String(default="d", can_modify=False)})
    made = one({"rows": List(row)}, item=more)
    made.db_handler.create({"_id": "1", "rows": [{"p": "a", "s": "kept"}]})
    root = made.plan.root

    def patched(before: Any) -> Any:
        replace = {"op": "replace", "path": "/rows/0/p", "value": "b"}
        return json_patch(before, [replace], root)

    def changed(before: Any) -> Any:
        found = changed_fields(before, patched(before), root)
        return made.models.update.document(found)

    made.access.modify("1", Changes(changed, replay=patched), "client", None)
    assert made.db_handler.get_by_id("1")["rows"] == [{"p": "b", "s": "kept"}]
