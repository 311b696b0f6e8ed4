"""What a filter means on a plain document."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backo.query.compare import instant, same
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
    operators_for,
    order,
)
from backo.schema.plan import FieldPlan, Kind


def check(operator: Op, value: Any, kind: Kind = Kind.INT) -> Filter:
    return Condition(("x",), operator, value, kind)


ABSENT: list[dict[str, Any]] = [{}, {"x": None}]


@pytest.mark.parametrize("document", ABSENT)
@pytest.mark.parametrize(
    ("operator", "value"),
    [
        (Op.EQ, 0),
        (Op.LT, 1),
        (Op.LTE, 1),
        (Op.GT, -1),
        (Op.GTE, -1),
        (Op.IN, (0,)),
        (Op.REG, ".*"),
        (Op.SIZE, 0),
        (Op.EXISTS, True),
    ],
)
def test_comparing_with_an_absent_value_is_false(
    document: dict[str, Any], operator: Op, value: Any
) -> None:
    assert not matches(check(operator, value), document)
    assert matches(Not(check(operator, value)), document)


@pytest.mark.parametrize("document", ABSENT)
def test_negations_of_an_absent_value_are_true(document: dict[str, Any]) -> None:
    assert matches(check(Op.NE, 0), document)
    assert matches(check(Op.NIN, (0,)), document)
    assert matches(check(Op.EXISTS, False), document)


def test_null_is_absent() -> None:
    for document in ABSENT:
        assert matches(check(Op.EQ, None), document)
        assert not matches(check(Op.NE, None), document)
        assert matches(check(Op.IN, (None, 1)), document)
        assert not matches(check(Op.NIN, (None, 1)), document)
    assert not matches(check(Op.EQ, None), {"x": 0})
    assert matches(check(Op.NE, None), {"x": 0})
    assert matches(check(Op.NIN, (None, 1)), {"x": 2})


@pytest.mark.parametrize(
    ("operator", "value", "kind", "found", "missed"),
    [
        (Op.EQ, 1, Kind.INT, [1, 1.0, [5, 1]], [True, "1", 2, {}, [[1]]]),
        (Op.EQ, True, Kind.BOOL, [True, [True]], [1, "true", False]),
        (Op.EQ, "a", Kind.STRING, ["a", ["b", "a"]], ["A", ["b"], {"a": "a"}]),
        (Op.LT, 2, Kind.INT, [1, 1.5, -(10**30)], [2, "1", False, None]),
        (Op.GT, 2**53, Kind.INT, [2**53 + 1], [2.0**53]),
        (Op.LTE, "é", Kind.STRING, ["Z", "e", "é", ""], ["ê", "😀", 1]),
        (Op.GTE, "\uffff", Kind.STRING, ["😀", "\uffff"], ["é"]),
        (Op.IN, (1, 2), Kind.INT, [1, 2.0, [3, 2]], [True, "1", 3]),
        (Op.IN, (), Kind.INT, [], [1, None, []]),
        (Op.REG, "a+", Kind.STRING, ["aab", ["b", "a"]], ["ba", 1, {"a": 1}]),
        (Op.SIZE, 2, Kind.LIST, [[1, 2], [None, None]], [[1], "ab", {"a": 1, "b": 2}]),
        (Op.EQ, [1, {"a": 2}], Kind.LIST, [[1.0, {"a": 2, "b": None}]], [[1], [[1]]]),
        (Op.EQ, {"a": 1}, Kind.DICT, [{"a": 1}, [{"a": 1.0}]], [{"a": 1, "b": 2}, {}]),
        (Op.EQ, "YQ==", Kind.BYTES, ["YQ=="], ["Yg=="]),
        (Op.EQ, 5, Kind.EXTEND, [5], ["5", True]),
        (Op.GT, "4", Kind.EXTEND, ["5"], [5]),
    ],
)
def test_comparisons_stay_inside_one_type(
    operator: Op, value: Any, kind: Kind, found: list[Any], missed: list[Any]
) -> None:
    for one in found:
        assert matches(check(operator, value, kind), {"x": one}), one
    for one in missed:
        assert not matches(check(operator, value, kind), {"x": one}), one


def test_datetimes_are_instants() -> None:
    utc = "2020-01-01T00:00:00"
    assert matches(check(Op.EQ, utc, Kind.DATETIME), {"x": "2020-01-01T02:00:00+02:00"})
    assert matches(check(Op.IN, (utc,), Kind.DATETIME), {"x": "2020-01-01T00:00:00Z"})
    assert matches(check(Op.LT, utc, Kind.DATETIME), {"x": "2020-01-01T00:30:00+01:00"})
    assert not matches(check(Op.LT, utc, Kind.DATETIME), {"x": "never"})
    assert instant("1970-01-01T00:00:00.000001") == 1
    assert instant("0001-01-01T00:00:00+14:00") is not None


def test_addresses_by_version_then_number() -> None:
    above = check(Op.GT, "10.0.0.1", Kind.IPADDRESS)
    for one in ("10.0.0.2", "100.0.0.0", "::1"):
        assert matches(above, {"x": one})
    for other in ("9.0.0.0", "10.0.0.1", "x", 5):
        assert not matches(above, {"x": other})
    network = check(Op.GT, "10.0.0.0/8", Kind.IPNETWORK)
    assert matches(network, {"x": "10.0.0.0/9"})
    assert not matches(network, {"x": "9.0.0.0/8"})


def test_paths_step_through_lists() -> None:
    books = {"books": [{"title": "a"}, {"title": None}, {"title": "b"}, 5, None]}
    path = ("books", "title")
    assert matches(Condition(path, Op.EQ, "b", Kind.STRING), books)
    assert not matches(Condition(path, Op.NE, "b", Kind.STRING), books)
    assert matches(Condition(path, Op.NIN, ("c",), Kind.STRING), books)
    assert matches(Condition(path, Op.EXISTS, True, Kind.STRING), books)
    nothing = {"books": [{"title": None}, {}]}
    assert matches(Condition(path, Op.EQ, None, Kind.STRING), nothing)


def test_one_element_must_match_all() -> None:
    both = And(
        (
            Condition(("name",), Op.EQ, "a", Kind.STRING),
            Condition(("age",), Op.GT, 3, Kind.INT),
        )
    )
    apart = {"x": [{"name": "a", "age": 1}, {"name": "b", "age": 9}]}
    assert not matches(Element(("x",), both), apart)
    assert matches(Element(("x",), both), {"x": [{"name": "a", "age": 9}]})
    assert not matches(Element(("x",), both), {"x": {"name": "a", "age": 9}})


def test_every_element() -> None:
    every = Element(("x",), Condition((), Op.GT, 3, Kind.INT), every=True)
    assert matches(every, {"x": [4, 5]})
    assert matches(every, {"x": []})
    assert not matches(every, {"x": [4, None]})
    assert not any(matches(every, document) for document in ABSENT)


def test_a_null_element_is_absent() -> None:
    assert matches(
        Element(("x",), Condition((), Op.EQ, None, Kind.INT)), {"x": [1, None]}
    )


def test_logic() -> None:
    one, two = check(Op.EQ, 1), check(Op.EQ, 2)
    assert all_of([]) == ALWAYS
    assert any_of([]) == NEVER
    assert all_of([one, ALWAYS]) == one
    assert all_of([one, NEVER]) == NEVER
    assert any_of([one, NEVER]) == one
    assert any_of([one, ALWAYS]) == ALWAYS
    assert all_of([one, And((two, one))]) == And((one, two, one))
    assert any_of([one, Or((two, one))]) == Or((one, two, one))
    assert negate(Not(one)) == one
    assert negate(ALWAYS) == NEVER
    assert negate(NEVER) == ALWAYS
    assert matches(And(()), {})
    assert not matches(Or(()), {})


def test_same_knows_bools_from_numbers() -> None:
    assert same([1, {"a": None}], [1.0, {}])
    assert not same(True, 1)
    assert not same(1, True)
    assert not same([None], [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)
operands: dict[Op, Any] = {
    Op.IN: (1, "a", None),
    Op.NIN: ("::1",),
    Op.REG: "a",
    Op.EXISTS: True,
    Op.SIZE: 1,
}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["x", "y"]), json_values) | json_values,
    st.sampled_from(sorted(set(Op) - {Op.CONTAINS, Op.ALL})),
    st.sampled_from(sorted(Kind)),
    st.sampled_from([1, "a", "2020-01-01T00:00:00", "::1", True, ["a"], {"a": 1}]),
)
def test_no_document_makes_it_raise(
    document: Any, operator: Op, kind: Kind, value: Any
) -> None:
    leaf = Condition(("x", "y"), operator, operands.get(operator, value), kind)
    short = Condition(("x",), operator, operands.get(operator, value), kind)
    tree = Or((leaf, short, Element(("x",), leaf), Element(("x",), short, every=True)))
    assert matches(Not(tree), document) is not matches(tree, document)


def test_an_endless_document_does_not_exhaust_the_stack() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert not matches(check(Op.EQ, [[1]], Kind.LIST), {"x": deep})


# -- operators ---------------------------------------------------------------------


def plan_of(kind: Kind, **kwargs: Any) -> FieldPlan:
    return FieldPlan(name="x", path="$.x", kind=kind, node=None, **kwargs)


def test_operators_of_a_field() -> None:
    assert Op.REG in operators_for(plan_of(Kind.STRING))
    assert Op.REG not in operators_for(plan_of(Kind.INT))
    assert Op.LT not in operators_for(plan_of(Kind.BOOL))
    assert Op.LT not in operators_for(plan_of(Kind.BYTES))
    assert Op.SIZE not in operators_for(plan_of(Kind.STRING))
    ints = plan_of(Kind.LIST, element=plan_of(Kind.INT))
    assert {Op.LT, Op.SIZE, Op.CONTAINS, Op.ALL} <= operators_for(ints)
    assert Op.REG not in operators_for(ints)
    either = plan_of(Kind.IN, elements=(plan_of(Kind.BOOL), plan_of(Kind.STRING)))
    assert {Op.REG, Op.LT} <= operators_for(either)
    for kind in Kind:
        assert Op.EXISTS in operators_for(plan_of(kind))


# -- sorting -----------------------------------------------------------------------


def sorted_ids(values: list[Any], *keys: SortKey) -> str:
    documents = [{"_id": str(n), "x": value} for n, value in enumerate(values)]
    return "".join(one["_id"] for one in order(reversed(documents), keys))


def test_absent_values_come_first_or_last() -> None:
    values = [2, None, 1, True, "a", [1]]
    assert sorted_ids(values, SortKey(("x",), False, Kind.INT)) == "135204"
    assert sorted_ids(values, SortKey(("x",), True, Kind.INT)) == "402135"


def test_ties_go_by_id_ascending() -> None:
    assert sorted_ids([1, 1, 0], SortKey(("x",), True, Kind.INT)) == "012"
    assert sorted_ids([5, 5, 5]) == "012"
    assert sorted_ids([1, 1, 0], SortKey(("x",)), SortKey(("_id",), True)) == "210"


def test_sort_by_kind() -> None:
    moments = ["2020-01-01T00:00:00Z", "2020-01-01T00:30:00+01:00", "x"]
    assert sorted_ids(moments, SortKey(("x",), False, Kind.DATETIME)) == "210"
    assert sorted_ids(["10.0.0.1", "9.0.0.1"], SortKey(("x",))) == "01"
    key = SortKey(("x",), False, Kind.IPADDRESS)
    assert sorted_ids(["10.0.0.1", "9.0.0.1"], key) == "10"
    assert sorted_ids([True, False], SortKey(("x",), False, Kind.BOOL)) == "10"


def test_a_nested_field_can_be_a_key() -> None:
    documents: list[dict[str, Any]] = [
        {"_id": "0", "a": {"b": 2}},
        {"_id": "1", "a": 5},
        {"_id": "2"},
    ]
    ordered = order(documents, [SortKey(("a", "b"), True, Kind.INT)])
    assert [one["_id"] for one in ordered] == ["0", "1", "2"]
