"""The field types: every mend of stricto 0.3.1, named after what now happens."""

import copy
import ipaddress
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
import stricto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stricto import (
    EVENT_MANAGER,
    SAttributeError,
    SConstraintError,
    SKeyError,
    SRightError,
    SSyntaxError,
    STypeError,
    ViewType,
)

from backo.schema.types import (
    Bool,
    Bytes,
    Complex,
    Datetime,
    Dict,
    Extend,
    Float,
    FreeDict,
    GenericType,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    List,
    String,
    Tuple,
    Url,
    faults_of,
)

NOW = datetime(2024, 5, 17, 12, 30)


def fail(*_: Any) -> bool:
    raise AssertionError("called")


def refused(node: Any, value: Any, kind: type[Exception]) -> Any:
    with pytest.raises(kind) as caught:
        node.set(value)
    return caught.value


def table() -> dict[int, Any]:
    events: dict[int, Any] = EVENT_MANAGER._events_per_object
    return events


# 1. Unset is unset


@pytest.mark.parametrize(
    "field",
    [
        String(pattern="^a", enum=["ab"], constraint=fail),
        Int(min=3, max=5, enum=[4], constraints=[fail]),
        Float(min=3, max=5, enum=[4.0], constraint=fail),
        Datetime(min=NOW, max=NOW, constraint=fail),
        Bytes(constraint=fail),
        List(Int(), min=2, max=3, uniq=True, constraint=fail),
        Tuple((Int(),), constraint=fail),
        In([Int(min=3)], enum=[4], constraint=fail),
    ],
)
def test_an_unset_field_is_asked_nothing(field: Any) -> None:
    item = Dict({"x": field, "other": Int()}).copy()
    item.set({"other": 1})
    item.set({"x": None, "other": 2})
    item.x.set(None)
    item.check_value()
    assert item.get_encoded() == {"x": None, "other": 2}


@pytest.mark.parametrize(
    "field",
    [
        String(required=True),
        Int(required=True),
        List(Int(), required=True),
        Tuple((Int(),), required=True),
        In([Int()], required=True),
        Datetime(require=True),
    ],
)
def test_a_required_field_refuses_none(field: Any) -> None:
    item = Dict({"x": field, "other": Int()}).copy()
    refused(item, {"other": 1}, SConstraintError)
    refused(item, {"x": None}, SConstraintError)
    refused(item, {}, SConstraintError)


def test_constraints_see_a_set_value() -> None:
    item = Dict({"x": Int(min=3, constraint=lambda root, value, old: value != 4)})
    refused(item, {"x": 2}, SConstraintError)
    refused(item, {"x": 4}, SConstraintError)
    item.set({"x": 5})


# 2. Numbers


def test_a_float_takes_a_whole_number_as_a_float() -> None:
    item = Dict({"x": Float(default=1, min=0, max=10), "y": Float(set=lambda r: 3)})
    assert type(item.x.get_value()) is float
    item.set({"x": 2})
    assert (item.x.get_value(), type(item.x.get_value())) == (2.0, float)
    assert type(item.y.get_value()) is float
    refused(item, {"x": 11}, SConstraintError)
    refused(item, {"x": -1}, SConstraintError)


@pytest.mark.parametrize("value", [True, False, "1", [1], None.__class__])
def test_a_float_refuses_other_types(value: Any) -> None:
    refused(Dict({"x": Float()}), {"x": value}, STypeError)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_float_is_finite(value: Any) -> None:
    refused(Dict({"x": Float()}), {"x": value}, SConstraintError)
    with pytest.raises(SConstraintError):
        Float(default=value)


@pytest.mark.parametrize("value", [True, False, 1.0, "1"])
def test_an_int_refuses_booleans_and_other_types(value: Any) -> None:
    refused(Dict({"x": Int()}), {"x": value}, STypeError)
    with pytest.raises(STypeError):
        Int(default=value)


def test_an_int_has_64_bits() -> None:
    item = Dict({"x": Int()})
    for value in (2**63, -(2**63)):
        refused(item, {"x": value}, SConstraintError)
    for value in (2**63 - 1, 1 - 2**63):
        item.set({"x": value})


def test_a_bool_is_no_number() -> None:
    refused(Dict({"x": Bool()}), {"x": 1}, STypeError)


# 3. Events


def listening() -> tuple[Any, list[tuple[str, Any, Any, dict[str, Any]]]]:
    heard: list[tuple[str, Any, Any, dict[str, Any]]] = []

    def hear(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        heard.append((event, root, me, kwargs))

    on = [("loaded", hear)]
    inner = Dict({"leaf": Int(on=on)}, on=on)
    fields = {"inner": inner, "list": List(String(on=on)), "raw": stricto.Int(on=on)}
    return Dict(fields, on=[("loaded", hear), ("changed", hear)]), heard


def test_handlers_are_called_on_every_node_of_a_copy() -> None:
    declared, heard = listening()
    item = declared.copy()
    item.set({"list": ["a", "b"]})
    assert [(event, me) for event, _, me, _ in heard] == [("changed", item)]
    heard.clear()
    item.inner.leaf.trigg("loaded", by="me")
    assert [me.path_name() for _, _, me, _ in heard] == [
        "$",
        "$.inner",
        "$.inner.leaf",
        "$.list[0]",
        "$.list[1]",
        "$.raw",
    ]
    assert all(root is item for _, root, _, _ in heard)
    assert all(details == {"by": "me"} for _, _, _, details in heard)


def test_the_global_event_table_does_not_know_our_nodes() -> None:
    before = dict(table())
    declared, _ = listening()
    # What stands in it is the one node of stricto's own that was declared.
    grown = len(table())
    assert grown <= len(before) + 1
    item = declared.copy()
    item.set({"list": ["a"] * 10})
    item.list.append("b")
    assert len(table()) == grown


def test_handlers_registered_with_stricto_are_taken_over() -> None:
    heard: list[str] = []

    def hear(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        heard.append(me.path_name())

    class Loud(Int):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            EVENT_MANAGER.register_event(self, "loaded", hear)

    size = len(table())
    item = Dict({"x": Loud()}).copy()
    item.x._listen("other", hear)
    item.trigg("loaded")
    item.copy().trigg("other")
    assert heard == ["$.x", "$.x"]
    assert len(table()) == size
    assert set(item.x._handlers) == {"loaded", "other"}


def test_copies_of_users_own_stricto_types_do_not_grow_the_table() -> None:
    heard: list[Any] = []

    class Raw(stricto.Int):  # type: ignore[misc]
        pass

    def hear(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        heard.append(me)

    declared = Dict({"x": Raw(on=[("loaded", hear)])})
    size = len(table())
    copies = [declared.copy() for _ in range(10)]
    assert len(table()) == size
    copies[3].trigg("loaded")
    assert type(copies[3].x) is Raw
    assert [me is copies[3].x for me in heard] == [True]


def test_a_failed_declaration_leaves_no_event() -> None:
    size = len(table())
    with pytest.raises(STypeError):
        Int(on=[("loaded", fail)], default="x")
    assert len(table()) == size


def test_dropped_copies_leave_nothing_behind() -> None:
    declared, _ = listening()
    size = len(table())
    for _ in range(5_000):
        declared.copy()
    assert len(table()) == size


# 4. Declarations in threads


def in_threads(work: Callable[[int], None], count: int = 8) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - shown below, in the main thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_types_are_declared_in_threads_without_cross_talk() -> None:
    def declare(number: int) -> None:
        for turn in range(100):
            low = number * 1000 + turn
            node = Int(min=low, max=low + 1, description=str(low))
            assert (node._min, node._max, node._description) == (low, low + 1, str(low))
            with_list = List(Int(min=low), min=low)
            assert (with_list._min, with_list._type._min) == (low, low)

    in_threads(declare)


# 14. Copies in threads


def test_copies_in_threads_do_not_see_each_other() -> None:
    declared, _ = listening()
    declared.add_to_model("count", Int(default=lambda root: 0))
    declared.add_to_model("double", Int(set=lambda root: root.count * 2))
    size, ids = len(table()), set[int]()
    lock = threading.Lock()

    def work(number: int) -> None:
        for turn in range(40):
            item, value = declared.copy(), number * 1000 + turn
            item.set({"count": value, "list": [str(value)], "inner": {"leaf": value}})
            item.list.append("x")
            with lock:
                assert item._event_id not in ids
                ids.add(item._event_id)
            assert item.get_encoded() == {
                "inner": {"leaf": value},
                "list": [str(value), "x"],
                "raw": None,
                "count": value,
                "double": value * 2,
            }

    in_threads(work)
    assert len(table()) == size


# 5. Copies


def test_the_elements_of_a_copy_belong_to_the_copy() -> None:
    fields = {"l": List(Dict({"t": Tuple((Int(), List(Int())))}))}
    item = Dict(fields).copy()
    item.set({"l": [{"t": (1, [2])}]})
    other = item.copy()
    assert other.l[0].get_root() is other
    assert other.l[0].t[1][0].get_root() is other
    other.l[0].t[1].append(3)
    other.l[0].set({"t": (5, [])})
    assert item.get_encoded() == {"l": [{"t": [1, [2]]}]}


def test_a_tuple_is_copied_with_its_values() -> None:
    item = Tuple((Int(), String()), default=(1, "a"))
    other = item.copy()
    other.set((2, "b"))
    assert (item.get_value(), other.get_value()) == ((1, "a"), (2, "b"))
    assert all(node._parent is other for node in [*other._value, *other._schema])


def test_mutable_values_and_defaults_are_each_items_own() -> None:
    default = {"a": [1]}
    declared = Dict({"f": FreeDict(default=default), "l": List(FreeDict())})
    one, other = declared.copy(), declared.copy()
    one.f.get_value()["a"].append(2)
    default["a"].append(3)
    assert other.get_encoded()["f"] == {"a": [1]}
    given = {"x": [1]}
    one.set({"f": given, "l": [given]})
    given["x"].append(2)
    third = one.copy()
    third.f.get_value()["x"].append(4)
    third.l[0].get_value()["x"].append(4)
    assert one.get_encoded() == {"f": {"x": [1]}, "l": [{"x": [1]}]}
    one.get_encoded()["f"]["x"].append(5)
    assert one.get_encoded()["f"] == {"x": [1]}


def test_a_deep_copy_is_a_copy() -> None:
    item = Dict({"x": Int(default=1), "l": List(Int(), default=[1])})
    other = copy.deepcopy(item)
    other.set({"x": 2, "l": [2]})
    assert item.get_value() == {"x": 1, "l": [1]}


def test_a_copy_made_within_an_update_is_not_in_it() -> None:
    copies: list[Any] = []
    fields = {"x": Int(max=5), "y": Int(set=lambda root: copies.append(root.copy()))}
    Dict(fields).copy().set({"x": 1})
    refused(copies[0], {"x": 9}, SConstraintError)
    copies[0].set({"x": 3})
    assert copies[0].x == 3


# 6. Defaults


def test_a_callable_default_is_called_once_per_item() -> None:
    calls: list[Any] = []

    def default(root: Any) -> int:
        calls.append(root)
        return len(calls)

    declared = Dict({"x": Int(default=default), "y": Int()})
    assert calls == []
    first, second = declared.copy(), declared.copy()
    first.set_default_value()
    first.set_default_value()
    second.set({"y": 1})
    second.set({"y": 2})
    assert [root is item for root, item in zip(calls, (first, second), strict=True)]
    assert (first.x.get_value(), second.x.get_value()) == (1, 2)
    declared.copy().set({"x": 7})
    assert len(calls) == 2


def test_a_callable_default_sees_what_was_given() -> None:
    item = Dict({"slug": String(default=lambda r: r.title.lower()), "title": String()})
    item.set({"title": "Moby"})
    assert item.slug == "moby"


def test_a_default_is_due_again_after_a_failed_update() -> None:
    item = Dict({"x": Int(default=lambda root: 3), "y": Int(max=5)}).copy()
    refused(item, {"y": 9}, SConstraintError)
    assert item.x.get_value() is None
    item.set({"y": 5})
    assert item.x == 3


def test_no_default_comes_back_for_a_field_set_to_none() -> None:
    fields = {"x": Int(default=3), "y": Int(default=lambda root: 4), "z": Int()}
    item = Dict(fields).copy()
    item.set({"x": None, "y": None})
    item.set({"z": 1})
    assert item.get_value() == {"x": None, "y": None, "z": 1}


def test_new_elements_get_their_own_defaults() -> None:
    numbers = iter(range(10))
    element = Dict({"n": Int(default=lambda root: next(numbers)), "s": Int(default=7)})
    item = Dict({"l": List(element)}).copy()
    item.set({"l": [{}, {"n": 99}]})
    item.l.append({"s": 1})
    assert item.get_value() == {
        "l": [{"n": 0, "s": 7}, {"n": 99, "s": 7}, {"n": 1, "s": 1}]
    }


def test_a_loaded_item_gets_static_defaults_only() -> None:
    inner = Dict({"x": Int(default=fail), "s": Int(default=5)})
    item = Dict({"d": inner, "l": List(inner), "e": Dict({"a": Int()}, default=fail)})
    item = item.copy()
    item.__dict__["_loading"] = True
    item.set({"l": [{}]})
    item.__dict__["_loading"] = False
    item.set({"d": {"s": 6}})
    assert item.get_value() == {
        "d": {"x": None, "s": 6},
        "l": [{"x": None, "s": 5}],
        "e": {"a": None},
    }


def test_a_dicts_own_default_is_applied_once_and_yields_to_what_is_given() -> None:
    static = Dict({"a": Int(), "b": Int(default=2)}, default={"a": 1})
    called = Dict({"a": Int(), "b": Int()}, default=lambda root: {"a": 5, "b": 6})
    item = Dict({"s": static, "c": called}).copy()
    assert item.get_value()["s"] == {"a": 1, "b": 2}
    item.c.b = 9
    item.s.a = 7
    assert item.get_value() == {"s": {"a": 7, "b": 2}, "c": {"a": 5, "b": 9}}
    with pytest.raises(SAttributeError):
        Dict({"a": Int()}, default={"zzz": 1})


@pytest.mark.parametrize(
    ("kind", "default"),
    [(Int, "x"), (String, 1), (Datetime, "soon"), (Url, "x"), (FreeDict, {1: 2})],
)
def test_a_static_default_of_a_wrong_type_is_refused(kind: Any, default: Any) -> None:
    with pytest.raises(STypeError):
        kind(default=default)


def test_a_default_is_read_as_a_given_value_is() -> None:
    node = Datetime(default="2024-01-01T00:00:00.5")
    assert node.get_value() == datetime(2024, 1, 1)


# 7. Lists


def test_a_list_set_to_none_is_unset() -> None:
    item = Dict({"l": List(Int(), default=[1])})
    item.set({"l": None})
    assert item.l.get_value() is None
    assert item.l == None  # noqa: E711 - the operator of the node is what is tested
    assert item.get_encoded() == {"l": None}
    item.set({"l": []})
    assert item.get_encoded() == {"l": []}


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda one: one.append(1), [1]),
        (lambda one: one.insert(0, 1), [1]),
        (lambda one: one.extend([1, 2]), [1, 2]),
        (lambda one: one.clear(), None),
        (list, None),
    ],
)
def test_an_unset_list_can_be_changed(change: Any, result: Any) -> None:
    item = Dict({"l": List(Int())}).copy()
    change(item.l)
    assert item.l.get_value() == result


def test_changes_of_a_list_are_checked_and_undone() -> None:
    item = Dict({"l": List(Int(max=5), min=1, max=3)}).copy()
    item.set({"l": [1, 2]})

    def set_slice() -> None:
        item.l[0:1] = [9]

    def delete_all() -> None:
        del item.l[:]

    def set_element() -> None:
        item.l[0] = 9

    for change in (
        lambda: item.l.append(9),
        lambda: item.l.extend([3, 4]),
        lambda: item.l.insert(0, 9),
        lambda: item.l.clear(),
        set_slice,
        delete_all,
        set_element,
    ):
        with pytest.raises(SConstraintError):
            change()
        assert item.get_value() == {"l": [1, 2]}
    with pytest.raises(STypeError):
        item.l.append("x")
    item.l.insert(0, 5)
    item.l[1:] = [4, 3]
    item.l.sort(key=lambda node: node.get_value())
    assert item.l.pop() == 5
    item.l.remove(4)
    item.l[0] = 2
    assert item.get_value() == {"l": [2]}
    assert [node.path_name() for node in item.l] == ["$.l[0]"]


def test_bounds_of_a_list_are_enforced_on_set() -> None:
    item = Dict({"l": List(Int(), min=1, max=2)}).copy()
    refused(item, {"l": []}, SConstraintError)
    refused(item, {"l": [1, 2, 3]}, SConstraintError)


def test_an_emptied_list_is_a_change() -> None:
    item = Dict({"l": List(Int(), min=1), "n": Int(set=lambda r: len(r.l))}).copy()
    item.set({"l": [1]})
    refused(item, {"l": []}, SConstraintError)
    assert item.get_value() == {"l": [1], "n": 1}


@pytest.mark.parametrize(
    ("element", "values"),
    [
        (String(), ["a", "a"]),
        (Dict({"a": List(Int())}), [{"a": [1]}, {"a": [1]}]),
        (FreeDict(), [{"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}]),
        (Tuple((Int(), FreeDict())), [(1, {}), (1, {})]),
    ],
)
def test_uniq_finds_equal_values_of_every_type(element: Any, values: list[Any]) -> None:
    item = Dict({"l": List(element, uniq=True)})
    item.set({"l": values[:1]})
    refused(item, {"l": values}, SConstraintError)


def test_uniq_is_linear() -> None:
    item = List(String(), uniq=True)
    item.check_constraints([str(n) for n in range(100_000)])


def test_uniq_works_for_values_that_cannot_be_hashed() -> None:
    class Pair:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    item = List(Extend(Pair), uniq=True)
    item.check_constraints([Pair()])
    with pytest.raises(SConstraintError):
        item.check_constraints([Pair(), Pair()])


def test_an_unset_list_stays_in_a_view() -> None:
    item = Dict({"l": List(Int()), "t": Tuple((Int(),), views=["!client"])}).copy()
    answer, shown = item.l.get_view("client", False)
    assert (answer, shown.get_value()) == (ViewType.YES, None)
    assert item.get_view("client").get_encoded() == {"l": None}


def test_an_explicit_view_leaves_out_lists_that_do_not_name_it() -> None:
    named = Dict({"in": Int(views=["short"]), "out": Int()})
    fields = {
        "plain": List(Int()),
        "tuple": Tuple((Int(), Dict({"a": Int()}))),
        "named": List(Int(), views=["short"]),
        "deep": List(Dict({"l": List(named)})),
    }
    item = Dict(fields).copy()
    item.set(
        {
            "plain": [1],
            "tuple": [1, {"a": 1}],
            "named": [1],
            "deep": [{"l": [{"in": 1, "out": 2}]}],
        }
    )
    shown = item.get_view("+short")
    assert shown.get_encoded() == {"named": [1], "deep": [{"l": [{"in": 1}]}]}
    assert shown.deep[0].l[0].get_root() is shown
    assert item.plain.get_view("+short", False) == (ViewType.NO, None)
    assert item.plain.get_view("+short") is None


def test_a_star_selects_as_the_list_itself() -> None:
    item = Dict({"l": List(Dict({"a": Int()})), "t": Tuple((Dict({"a": Int()}),))})
    item = item.copy()
    assert item.select("$.t.a") is None
    item.set({"l": [{"a": 1}, {"a": 2}], "t": [{"a": 3}]})
    assert item.select("$.l[*].a") == item.select("$.l.a") == [1, 2]


# 8. Names of fields


AWKWARD = (
    "copy get keys select json schema model_config match save load items values set"
    " check get_value get_view path_name trigg exists get_root rollback set_value"
    " get_childs add_to_model _id _meta id self root name"
).split()


def test_fields_may_be_named_like_methods() -> None:
    declared = Dict({name: Int(default=1) for name in AWKWARD})
    item = Dict({"outer": declared, "l": List(declared)}).copy()
    values = {name: index for index, name in enumerate(AWKWARD)}
    item.set({"outer": values, "l": [values]})
    assert item.copy().get_encoded() == {"outer": values, "l": [values]}
    assert item.get_view("client").get_value() == item.get_value()
    assert item.outer["copy"] == values["copy"]
    assert item.outer.copy() is not item.outer
    assert item.select("$.outer.get_value") == values["get_value"]
    for name in AWKWARD:
        item.outer[name] = 100
        setattr(item.outer, name, 200)
        assert item.outer[name] == item.outer.get(name) == 200
    assert set(item.get_schema()["sub_scheme"]["outer"]["sub_scheme"]) == set(AWKWARD)
    assert item.get_current_meta()["sub_scheme"]["outer"]["rights"]["read"] is True
    assert repr(item.outer).startswith("{'copy': 200")
    assert [*item.outer] == AWKWARD
    assert "copy" in item.outer
    assert "nope" not in item.outer


def test_a_field_may_be_named_like_a_property_of_a_subclass() -> None:
    class Thing(Dict):
        @property
        def life(self) -> str:
            return "long"

    item = Thing({"life": Int()})
    item.set({"life": 3})
    assert (item.life, item["life"].get_value()) == ("long", 3)
    assert item.get_encoded() == {"life": 3}


@pytest.mark.parametrize(
    "name",
    [
        "_value",
        "_parent",
        "_keys",
        "_locked",
        "_handlers",
        "_loading",
        "_node_given",
        "_end_update",
        "__class__",
        "__dict__",
        "",
        "a.b",
        "$a",
        "a[0]",
        "]",
        "a\0",
        1,
        None,
    ],
)
def test_names_that_cannot_work_are_refused_at_declaration(name: Any) -> None:
    with pytest.raises(SSyntaxError) as caught:
        Dict({name: Int()})
    assert str(name) in str(caught.value)
    with pytest.raises(SSyntaxError):
        Dict({}).add_to_model(name, Int())


def test_a_schema_holds_field_types_only() -> None:
    for declare in (
        lambda: Dict({"a": 1}),
        lambda: Dict([]),  # type: ignore[arg-type]
        lambda: List(Int),
        lambda: Tuple([Int()]),  # type: ignore[arg-type]
        lambda: Tuple((1,)),
        lambda: In([1]),
        lambda: In(Int()),
    ):
        with pytest.raises(SSyntaxError):
            declare()


def test_fields_are_added_and_removed() -> None:
    item = Dict({"a": Int()})
    item.add_to_model("copy", stricto.String(default="x"))
    item.add_to_model("copy", Int(default=3))
    assert item.copy().get_value() == {"a": None, "copy": 3}
    item.remove_model("copy")
    assert item.copy().get_value() == {"a": None}
    with pytest.raises(SAttributeError):
        item.remove_model("copy")


def test_unknown_fields_are_refused_by_every_way() -> None:
    item = Dict({"a": Int()})
    with pytest.raises(SAttributeError):
        item.b = 1
    with pytest.raises(SAttributeError):
        _ = item.b
    with pytest.raises(SKeyError):
        item["b"] = 1
    with pytest.raises(SAttributeError):
        item.set({"b": 1})
    assert item["b"] is None


def test_hidden_fields_are_refused_as_unknown_ones_are() -> None:
    item = Dict({"a": Int(exists=False), "b": Int(can_read=False)}).copy()
    item.enable_permissions()
    for name in ("a", "b"):
        with pytest.raises(SAttributeError):
            getattr(item, name)
        with pytest.raises(SAttributeError):
            setattr(item, name, 1)
        with pytest.raises(SKeyError):
            item[name] = 1
        with pytest.raises(KeyError):
            _ = item[name]
    assert item.get_value() == {}


# 9. stricto's own nodes


def test_nodes_of_stricto_become_ours() -> None:
    def raw() -> dict[str, Any]:
        return {
            "s": stricto.String(default="a", pattern="^a", description="text"),
            "i": stricto.Int(min=3, required=True, default=4),
            "f": stricto.Float(max=3.5),
            "t": stricto.Datetime(default=NOW),
            "l": stricto.List(stricto.Dict({"x": stricto.Float()}), default=[{}]),
            "tu": stricto.Tuple((stricto.Int(), stricto.Url())),
            "in": stricto.In([stricto.Bytes(), stricto.Int()]),
            "c": stricto.Complex(),
            "d": stricto.Dict({"x": stricto.Int()}, default={"x": 1}),
            "fd": stricto.FreeDict(),
            "ip": stricto.Ipaddress(),
            "net": stricto.Ipnetwork(),
            "b": stricto.Bool(),
        }

    item = Dict({**raw(), "nested": List(stricto.Tuple((stricto.Dict(raw()),)))})
    nodes = [item.__dict__[key] for key in item.keys()]
    nodes += [item.nested._type._schema[0].__dict__[key] for key in raw()]
    assert {type(node).__module__.split(".")[0] for node in nodes} == {"backo"}
    assert item.s._description == "text"
    item.set({"f": 1, "l": [{"x": 2}], "tu": [1, "http://a/"], "in": "AA=="})
    assert item.get_value()["in"] == b"\0"
    assert item.get_encoded()["l"] == [{"x": 2.0}]
    assert item.get_encoded()["d"] == {"x": 1}
    assert item.get_encoded()["t"] == NOW.isoformat()
    refused(item, {"i": True}, STypeError)
    refused(item, {"i": 2}, SConstraintError)
    refused(item, {"s": "b"}, SConstraintError)


def test_adopted_nodes_keep_their_events_and_forget_the_shared_default() -> None:
    heard: list[str] = []

    def hear(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        heard.append(me.path_name())

    numbers = iter(range(10))
    raw = stricto.Int(default=lambda root: next(numbers), on=[("loaded", hear)])
    item = Dict({"x": raw})
    items = [item.copy(), item.copy()]
    for one in items:
        one.set_default_value()
    assert [one.x.get_value() for one in items] == [1, 2]
    items[0].trigg("loaded")
    assert heard == ["$.x"]


def test_ours_are_subclasses_of_strictos() -> None:
    for ours in (String, Int, Float, Bool, Dict, List, Tuple, In, Bytes, Datetime):
        assert issubclass(ours, getattr(stricto, ours.__name__))
    for ours in (FreeDict, Ipaddress, Ipnetwork, Url, Complex, Extend):
        assert issubclass(ours, getattr(stricto, ours.__name__))
    assert List(Int()).get_schema()["types"] == ["List", "ListAndTuple", "GenericType"]
    assert Bytes().get_schema()["types"] == ["Bytes", "Extend", "GenericType"]


# 10. In


def test_an_in_is_right_when_one_alternative_is() -> None:
    item = Dict({"x": In([Int(max=5), Int(min=10), String(pattern="^a")])}).copy()
    for value in (5, 10, "ab"):
        item.set({"x": value})
        assert item.get_value() == {"x": value}
    refused(item, {"x": 7}, SConstraintError)
    refused(item, {"x": "b"}, SConstraintError)
    wrong: Any
    for wrong in (True, 1.5, [], {}):
        refused(item, {"x": wrong}, STypeError)
    assert item.get_value() == {"x": "ab"}


def test_the_alternative_that_accepts_decodes_and_encodes() -> None:
    item = Dict({"x": In([Datetime(), Int(), Bytes()])}).copy()
    item.set({"x": "2024-05-17T12:30:00"})
    assert item.get_value() == {"x": NOW}
    assert item.get_encoded() == {"x": "2024-05-17T12:30:00"}
    item.set({"x": "AAAA"})
    assert item.copy().get_encoded() == {"x": "AAAA"}
    assert item.get_value() == {"x": b"\0\0\0"}
    refused(item, {"x": "so on"}, STypeError)


def test_alternatives_are_validated_in_depth() -> None:
    deep = Dict({"a": Int(max=3, required=True), "t": Datetime(), "n": Int(default=1)})
    item = Dict({"x": In([deep, List(Float()), Tuple((Int(), Ipaddress()))])}).copy()
    item.set({"x": {"a": 1, "t": NOW.isoformat()}})
    assert item.get_value() == {"x": {"a": 1, "t": NOW, "n": 1}}
    item.set({"x": [1, 2]})
    assert item.get_value() == {"x": [1.0, 2.0]}
    item.set({"x": [1, "::1"]})
    assert item.get_value() == {"x": (1, ipaddress.ip_address("::1"))}
    error = refused(item, {"x": {"a": 9}}, SConstraintError)
    assert "$.x.a" in str(error)
    refused(item, {"x": {"b": 1}}, STypeError)


def test_an_in_has_options_of_its_own() -> None:
    item = Dict(
        {
            "x": In([Int(), String()], enum=[1, "a"], default=1),
            "y": In([Int()], constraint=lambda root, value, old: value > 0),
            "z": In([Int(), String()], transform=lambda root, value, old: value * 2),
            "r": In([Int()], can_modify=False),
        }
    ).copy()
    item.enable_permissions()
    refused(item, {"x": 2}, SConstraintError)
    refused(item, {"y": 0}, SConstraintError)
    refused(item, {"r": 1}, SRightError)
    item.set({"x": "a", "z": 4})
    assert item.get_value() == {"x": "a", "y": None, "z": 8, "r": None}


def test_an_in_is_undone_copied_and_viewed_with_its_alternative() -> None:
    alternative = Dict({"a": Int(), "hidden": Int(views=["!client"])})
    item = Dict({"x": In([alternative, Datetime()]), "n": Int(max=3)}).copy()
    item.set({"x": {"a": 1, "hidden": 2}})
    assert item.get_view("client").get_encoded() == {"x": {"a": 1}, "n": None}
    refused(item, {"x": NOW.isoformat(), "n": 9}, SConstraintError)
    assert item.get_encoded()["x"] == {"a": 1, "hidden": 2}
    other = item.copy()
    other.set({"x": {"a": 5, "hidden": 2}})
    assert item.get_encoded()["x"] == {"a": 1, "hidden": 2}


# 11. Text and extended types


def test_patterns_match_from_the_start_and_in_linear_time() -> None:
    item = Dict({"x": String(patterns=["(a+)+$", "a"])}).copy()
    item.set({"x": "aaa"})
    refused(item, {"x": "b"}, SConstraintError)
    refused(item, {"x": "a" * 50_000 + "b"}, SConstraintError)
    refused(item, {"x": 1}, STypeError)
    with pytest.raises(SSyntaxError):
        String(pattern="(")


def test_a_pattern_may_be_a_function() -> None:
    field = String(pattern=lambda value, root: f"^{root.start}")
    item = Dict({"start": String(default="a"), "x": field}).copy()
    item.set({"x": "ab"})
    refused(item, {"x": "b"}, SConstraintError)


WRONG = [
    (Datetime(), ["soon", "", "2024-13-01", 1, True, NOW.date(), "é"]),
    (Bytes(), ["a", "é", "A===", "\ud800", 1, bytearray(b"a")]),
    (Ipaddress(), ["x", "1.2.3", 5, True, "1.2.3.4/24", b"\0\0\0\0", {}]),
    (Ipaddress(), [ipaddress.ip_interface("1.2.3.4/24")]),
    (Ipnetwork(), ["x", "1.2.3.4/24", 5, True, ipaddress.ip_address("::1")]),
    (Url(), ["http://[::1", "x", "//host", "http://", 1, ("http", "a")]),
    (Url(), [SplitResult("http", "[::1", "", "", ""), urlsplit("/path")]),
    (FreeDict(), ["{}", [], 1, {1: 2}, {"a": NOW}, {"a": [{"b": math.nan}]}]),
    (FreeDict(), [{"a": {1, 2}}, {"a": b""}]),
    (Dict({"a": Int()}), [None, "x", [], 1]),
    (List(Int()), ["x", "{", 1, {}, ["x"], [None], [1, None]]),
    (Tuple((Int(), Int())), [[1], [1, None], [1, 2, 3], "x", 1]),
    (Complex(), [None, 1, {"real": "x"}]),
    (String(), [1, True, b"", []]),
    (Bool(), ["true", 0]),
]


@pytest.mark.parametrize(("field", "values"), WRONG)
def test_a_value_of_a_wrong_type_is_a_type_error(field: Any, values: list[Any]) -> None:
    for value in values:
        item = Dict({"x": field}).copy()
        before = item.get_value()
        assert "$.x" in str(refused(item, {"x": value}, STypeError))
        assert item.get_value() == before
        with pytest.raises(STypeError):
            item.check({"x": value})


def test_a_free_dict_of_any_depth_is_no_crash() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    refused(Dict({"x": FreeDict()}), {"x": deep}, STypeError)


def test_a_free_dict_tells_true_from_one() -> None:
    item = Dict({"x": FreeDict()}).copy()
    item.set({"x": {"a": 1}})
    assert item.x.set_value({"a": True}) is True
    assert item.x.set_value({"a": True}) is False


def test_microseconds_are_cut_off_unless_transformed() -> None:
    item = Dict({"x": Datetime(), "y": Datetime(transform=lambda r, v, o: v)}).copy()
    for value in (NOW.replace(microsecond=5), "2024-05-17T12:30:00.000005"):
        item.set({"x": value, "y": value})
        assert item.x == NOW
        assert item.y == NOW.replace(microsecond=5)


def test_bounds_of_moments_compare_with_and_without_offset() -> None:
    low = datetime(2024, 1, 1, tzinfo=UTC)
    high = datetime(2024, 1, 2)
    item = Dict({"x": Datetime(min=low, max=high)}).copy()
    item.set({"x": "2024-01-01T00:00:00"})
    item.set({"x": datetime(2024, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))})
    refused(item, {"x": "2023-12-31T23:59:59"}, SConstraintError)
    refused(item, {"x": "2024-01-02T00:00:01+00:00"}, SConstraintError)


def test_urls_are_text_or_split() -> None:
    item = Dict({"x": Url()}).copy()
    item.set({"x": "http://a/b?c=d"})
    item.set({"x": urlsplit("HTTPS://a/b")})
    assert item.get_encoded() == {"x": "https://a/b"}


def test_users_extended_types_fail_with_a_type_error() -> None:
    class Pair:
        def __init__(self, text: str) -> None:
            self.left, self.right = text.split("-")

    class PairField(Extend):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(Pair, **kwargs)

        def __json_decode__(self, value: str) -> Pair:
            return {"lookup": Pair}["lookup" if value else "none"](value)

        def __json_encode__(self) -> str | None:
            pair = self.get_value()
            return None if pair is None else f"{pair.left}-{pair.right}"

    item = Dict({"x": PairField(default="a-b"), "l": List(PairField())}).copy()
    assert item.get_encoded()["x"] == "a-b"
    for wrong in ("abc", "", 1):
        assert "$.x" in str(refused(item, {"x": wrong}, STypeError))
        assert "$.l[0]" in str(refused(item, {"l": [wrong]}, STypeError))
    item.set({"l": ["c-d"]})
    assert item.get_encoded() == {"x": "a-b", "l": ["c-d"]}


def test_text_that_is_not_decoded_is_no_other_type() -> None:
    refused(Dict({"x": Extend(dict)}), {"x": "text"}, STypeError)


def test_comparing_with_text_that_cannot_be_decoded_is_false() -> None:
    item = Datetime(default=NOW)
    assert (item == "soon", item != "soon", item == NOW.isoformat()) == (
        False,
        True,
        True,
    )


def test_complex_takes_whole_numbers() -> None:
    item = Dict({"x": Complex()}).copy()
    item.set({"x": {"real": 1, "imag": -2}})
    assert item.get_encoded() == {"x": {"real": 1.0, "imag": -2.0}}
    assert (item.x + item.x).get_value() == {"real": 2.0, "imag": -4.0}


# 12. All faults


def test_all_faults_of_types_and_names_are_collected() -> None:
    inner = Dict({"a": Int(), "l": List(Int())})
    item = Dict({"i": Int(), "d": inner, "u": Url(), "ok": Int()}).copy()
    wrong = {"i": "x", "d": {"a": "x", "l": [1, "x", 3, "y"], "no": 1}, "u": "x"}
    error = refused(item, {**wrong, "ok": 1, "unknown": 2}, STypeError)
    assert faults_of(error) == error.faults
    paths = [one.to_string().partition(":")[0] for one in error.faults]
    assert paths == [
        "$.i",
        "$.d.a",
        "$.d.l[1]",
        "$.d.l[3]",
        "$.d.no",
        "$.u",
        "$.unknown",
    ]
    assert error.faults[0] is error
    assert item.get_value() == {
        "i": None,
        "d": {"a": None, "l": None},
        "u": None,
        "ok": None,
    }


def test_all_faults_of_constraints_are_collected() -> None:
    inner = Dict({"a": Int(max=1)}, constraint=fail)
    fields = {
        "l": List(inner, max=1),
        "s": String(pattern="^a"),
        "r": Int(required=True),
    }
    item = Dict(fields).copy()
    error = refused(item, {"l": [{"a": 2}, {"a": 3}], "s": "b"}, SConstraintError)
    paths = [one.to_string().partition(":")[0] for one in error.faults]
    assert paths == ["$.l[0].a", "$.l[1].a", "$.s", "$.r"]


def test_what_a_users_function_raises_is_not_collected() -> None:
    def broken(root: Any, value: Any, old: Any) -> bool:
        raise ZeroDivisionError

    item = Dict({"x": Int(max=1), "y": Int(constraint=broken)}).copy()
    refused(item, {"x": 5, "y": 1}, ZeroDivisionError)
    assert item.get_value() == {"x": None, "y": None}


def test_check_tells_what_set_would_and_changes_nothing() -> None:
    item = Dict({"x": Int(max=5), "y": Int(set=lambda root: root.x)}).copy()
    item.check({"x": 3})
    item.x.check(3)
    assert item.get_value() == {"x": None, "y": None}
    with pytest.raises(SConstraintError):
        item.x.check(9)


# 13. Computed values


def test_dicts_and_lists_are_computed() -> None:
    fields = {
        "n": Int(),
        "other": Int(),
        "list": List(Int(), set=(lambda root: [root.n] * 2, ["$.n"])),
        "dict": Dict({"sum": Int(), "d": Int()}, set=lambda r: {"sum": sum_of(r.list)}),
        "after": Int(set=(lambda root: root.dict.sum + 1, "$.dict")),
        "leaf": Int(set=(lambda root: root.dict.sum + 2, ["$.dict.sum"])),
        "tuple": Tuple((Int(), Int()), set=(lambda r: (r.n, r.n), ["$.n"])),
    }
    item = Dict(fields).copy()
    item.set({"n": 3})
    assert item.get_value() == {
        "n": 3,
        "other": None,
        "list": [3, 3],
        "dict": {"sum": 6, "d": None},
        "after": 7,
        "leaf": 8,
        "tuple": (3, 3),
    }
    item.n = 4
    assert (item.after, item.leaf, item.tuple.get_value()) == (9, 10, (4, 4))


def sum_of(nodes: Any) -> int:
    return sum(node.get_value() for node in nodes)


def test_computed_values_need_no_order() -> None:
    fields = {
        "eight": Int(set=(lambda root: root.four * 2, ["$.four"])),
        "four": Int(set=lambda root: root.two * 2, required=True),
        "two": Int(set=lambda root: root.one * 2),
        "one": Int(default=1),
    }
    item = Dict(fields)
    item.set({"one": 3})
    assert item.get_value() == {"eight": 24, "four": 12, "two": 6, "one": 3}
    item.one = 1
    assert item.eight == 8


def test_a_computation_that_fails_to_the_end_undoes_the_update() -> None:
    fields = {
        "bad": Int(set=lambda root: root.never * 2),
        "good": Int(set=lambda root: root.one * 2),
        "never": Int(),
        "one": Int(),
    }
    item = Dict(fields)
    with pytest.raises(TypeError, match="NoneType"):
        item.set({"one": 3})
    assert item.get_value() == dict.fromkeys(fields)


def test_only_changes_listened_to_recompute() -> None:
    calls: list[int] = []
    element = Dict({"a": Int(), "b": Int()})
    fields = {
        "d": Dict({"x": Int(), "y": Int()}),
        "l": List(element),
        "of_x": Int(set=(lambda root: calls.append(1), ["$.d.x"])),
        "of_d": Int(set=(lambda root: calls.append(2), "$.d")),
        "of_l": Int(set=(lambda root: calls.append(3), ["$.l"])),
        "of_a": Int(set=(lambda root: calls.append(4), ["$.l[*].a"])),
        "of_0": Int(set=(lambda root: calls.append(5), ["$.l[0]"])),
    }
    item = Dict(fields).copy()

    def heard(change: Callable[[], Any]) -> list[int]:
        calls.clear()
        change()
        return sorted(set(calls))

    element_values = [{"a": 1, "b": 1}, {"a": 2, "b": 2}]
    assert heard(lambda: item.set({"d": {"x": 1}})) == [1, 2]
    assert heard(lambda: item.set({"d": {"x": 1, "y": 2}})) == [2]
    assert heard(lambda: item.set({"l": element_values})) == [3, 4, 5]
    assert heard(lambda: item.set({"l": element_values})) == []
    assert heard(lambda: setattr(item.l[1], "b", 7)) == [3]
    assert heard(lambda: setattr(item.l[1], "a", 7)) == [3, 4]
    assert heard(lambda: setattr(item.l[0], "b", 7)) == [3, 5]
    assert heard(lambda: item.l.append({})) == [3, 4, 5]


def test_a_computed_value_that_never_settles_is_refused() -> None:
    fields = {
        "n": Int(),
        "a": Int(set=lambda r: (r.b.get_value() or 0) + 1),
        "b": Int(set=lambda r: (r.a.get_value() or 0) + 1),
    }
    refused(Dict(fields).copy(), {"n": 1}, SSyntaxError)


def test_a_random_value_is_computed_once_per_change() -> None:
    numbers = iter(range(100))
    item = Dict({"n": Int(), "x": Int(set=lambda root: next(numbers))}).copy()
    item.set({"n": 1})
    item.set({"n": 2})
    assert item.x == 1


# Rights


def test_computed_and_default_values_need_no_right_to_modify() -> None:
    fields = {
        "n": Int(),
        "twice": Int(set=lambda root: root.n * 2, can_modify=False),
        "list": List(Int(), set=lambda root: [root.n.get_value()], can_modify=False),
        "born": Int(default=lambda root: 7, can_modify=False),
        "fixed": Int(default=8, can_modify=False),
    }
    item = Dict(fields).copy()
    item.enable_permissions()
    item.set({"n": 1})
    item.set({"n": 2})
    assert item.get_value() == {
        "n": 2,
        "twice": 4,
        "list": [2],
        "born": 7,
        "fixed": 8,
    }
    for name in ("twice", "born", "fixed"):
        refused(item[name], 99, SRightError)
    refused(item.list, [99], SRightError)


def test_a_list_that_may_not_be_modified_is_not() -> None:
    item = Dict({"l": List(Int(can_modify=True), can_modify=False), "n": Int()}).copy()
    item.set({"l": [1, 2]})
    item.enable_permissions()
    changes: list[Callable[[], Any]] = [
        lambda: item.set({"l": [1]}),
        lambda: item.set({"l": [1, 3]}),
        lambda: item.l.append(3),
        lambda: item.l.sort(key=lambda node: -node.get_value()),
        lambda: item.set({"l": None}),
    ]
    for change in changes:
        with pytest.raises(SRightError):
            change()
        assert item.get_value()["l"] == [1, 2]
    item.set({"l": [1, 2], "n": 1})
    item.l[0] = 5
    assert item.get_value()["l"] == [5, 2]


def test_what_may_neither_be_read_nor_modified_is_no_field() -> None:
    closed = {"can_read": False, "can_modify": False}
    fields = {
        "n": Int(**closed, required=True),
        "l": List(Int(), **closed),
        "d": Dict({"a": Int()}, **closed),
        "w": Int(can_read=False, max=5, required=True),
        "ok": Int(),
    }
    item = Dict(fields).copy()
    item.enable_permissions()
    refused(item, {"ok": 1}, SConstraintError)
    item.set({"ok": 1, "w": 5})
    for name, value in (("n", 1), ("n", "x"), ("l", [1]), ("l", 1), ("d", {"a": 1})):
        error = refused(item, {name: value}, SAttributeError)
        assert error.to_string() == f'$.{name}: "{name}" is no field here'
    unknown = refused(item, {"zzz": 1}, SAttributeError)
    assert unknown.to_string() == '$.zzz: "zzz" is no field here'
    refused(item, {"w": 6}, SConstraintError)
    item.disable_permissions()
    assert item.get_value() == {
        "n": None,
        "l": None,
        "d": {"a": None},
        "w": 5,
        "ok": 1,
    }


def test_rights_hold_for_new_elements() -> None:
    element = Dict(
        {"a": Int(), "fixed": Int(can_modify=False), "s": Int(can_read=False)}
    )
    item = Dict({"l": List(element)}).copy()
    item.set({"l": [{"a": 1, "fixed": 1, "s": 1}, {"a": 2, "fixed": 2}]})
    item.enable_permissions()
    item.set({"l": [{"a": 5, "fixed": 1}, {"a": 2, "fixed": 2}]})
    assert item.get_encoded() == {"l": [{"a": 5, "fixed": 1}, {"a": 2, "fixed": 2}]}
    refused(item, {"l": [{"a": 5, "fixed": 9}]}, SRightError)
    with pytest.raises(SRightError):
        item.l.append({"fixed": 3})
    item.l.append({"a": 3})
    assert item.get_encoded()["l"][2] == {"a": 3, "fixed": None}


# Round trip


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=5)


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | texts()
    return st.recursive(
        leaves,
        lambda below: st.lists(below, max_size=2) | st.dictionaries(texts(), below),
        max_leaves=4,
    )


SCALARS: list[tuple[Callable[[], Any], st.SearchStrategy[Any]]] = [
    (String, texts()),
    (Int, st.integers(1 - 2**63, 2**63 - 1)),
    (Float, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)),
    (Bool, st.booleans()),
    (Bytes, st.binary(max_size=4)),
    (
        Datetime,
        st.datetimes(timezones=st.none() | st.just(UTC)),
    ),
    (FreeDict, st.dictionaries(texts(), json_values(), max_size=2)),
    (Ipaddress, st.ip_addresses()),
    (Ipnetwork, st.ip_addresses().map(ipaddress.ip_network)),
    (Url, st.from_regex(r"\Ahttps?://[a-z]{1,5}(/[a-z]{0,3})?(\?q=[a-z]*)?\Z")),
    (
        Complex,
        st.fixed_dictionaries({"real": st.floats(-1, 1), "imag": st.integers(-9, 9)}),
    ),
]

type Drawn = tuple[Any, st.SearchStrategy[Any]]


def scalars() -> st.SearchStrategy[Drawn]:
    return st.sampled_from(SCALARS).map(lambda pair: (pair[0](), pair[1]))


def optional(field: Drawn) -> st.SearchStrategy[Any]:
    is_dict = isinstance(field[0], Dict)
    return field[1] if is_dict else st.none() | field[1]


def dict_of(fields: dict[str, Drawn]) -> Drawn:
    values = {name: optional(field) for name, field in fields.items()}
    node = Dict({name: field[0] for name, field in fields.items()})
    return node, st.fixed_dictionaries({}, optional=values)


def list_of(field: Drawn) -> Drawn:
    return List(field[0]), st.lists(field[1], max_size=3)


def tuple_of(fields: list[Drawn]) -> Drawn:
    values = st.tuples(*(field[1] for field in fields))
    return Tuple(tuple(field[0] for field in fields)), values


def in_of(fields: list[Drawn]) -> Drawn:
    # The text of an address is that of a network, too: what is tried first has it.
    fields = sorted(fields, key=lambda field: "Ipnetwork" in str(field[0].get_schema()))
    return In([field[0] for field in fields]), st.one_of([field[1] for field in fields])


def names() -> st.SearchStrategy[str]:
    return st.sampled_from([*AWKWARD, "a", "été", "with space"])


def drawn_fields() -> st.SearchStrategy[Drawn]:
    return st.recursive(
        scalars(),
        lambda below: st.one_of(
            st.dictionaries(names(), below, min_size=1, max_size=4).map(dict_of),
            below.map(list_of),
            st.lists(below, min_size=1, max_size=3).map(tuple_of),
            st.lists(below, min_size=1, max_size=3).map(in_of),
        ),
        max_leaves=8,
    )


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_what_is_encoded_can_be_set_again(data: st.DataObject) -> None:
    node, values = dict_of(
        data.draw(st.dictionaries(names(), drawn_fields(), min_size=1, max_size=4))
    )
    item = node.copy()
    item.set(data.draw(values))
    encoded = item.get_encoded()
    assert is_json(encoded)
    again = node.copy()
    again.set(encoded)
    assert again.get_encoded() == encoded
    assert item.copy().get_encoded() == encoded
    assert item.get_encoded() == encoded


def is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and is_json(value[key]) for key in value)
    if isinstance(value, list):
        return all(is_json(one) for one in value)
    return type(value) in (str, int, float, bool, type(None))


def test_every_node_is_one_of_strictos() -> None:
    assert isinstance(Int(), GenericType)
