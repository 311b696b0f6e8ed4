"""Filters, sorts and pages as they are written."""

import datetime
import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stricto import Operator, SFilter, String

from backo.errors import FilterError
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
    Page,
    SortKey,
    matches,
)
from backo.query.parse import (
    UNTYPED,
    parse_json,
    parse_page,
    parse_python,
    parse_query,
    parse_sort,
)
from backo.schema.plan import FieldPlan, ItemPlan, Kind


def field(name: str, kind: Kind, **kwargs: Any) -> FieldPlan:
    return FieldPlan(name=name, path=f"$.{name}", kind=kind, node=None, **kwargs)


def one_of(*kinds: Kind) -> tuple[FieldPlan, ...]:
    return tuple(field("[*]", kind) for kind in kinds)


AUTHOR = field(
    "[*]",
    Kind.DICT,
    fields=(
        field("name", Kind.STRING),
        field("age", Kind.INT),
        field("secret", Kind.STRING),
    ),
)
PLAN = ItemPlan(
    name="books",
    root=FieldPlan(
        name="",
        path="$",
        kind=Kind.DICT,
        node=None,
        fields=(
            field("_id", Kind.STRING),
            field("_meta", Kind.DICT, fields=(field("ctime", Kind.DATETIME),)),
            field("title", Kind.STRING),
            field("pages", Kind.INT),
            field("price", Kind.FLOAT),
            field("ok", Kind.BOOL),
            field("when", Kind.DATETIME),
            field("blob", Kind.BYTES),
            field("ip", Kind.IPADDRESS),
            field("net", Kind.IPNETWORK),
            field("url", Kind.URL),
            field("own", Kind.EXTEND),
            field("tags", Kind.LIST, element=field("[*]", Kind.STRING)),
            field("sizes", Kind.LIST, element=field("[*]", Kind.INT)),
            field("authors", Kind.LIST, element=AUTHOR),
            field("grid", Kind.LIST, element=field("[*]", Kind.LIST, element=AUTHOR)),
            field("pair", Kind.TUPLE, elements=one_of(Kind.INT, Kind.STRING)),
            field("either", Kind.IN, elements=one_of(Kind.INT, Kind.STRING)),
            field("moment", Kind.IN, elements=one_of(Kind.BOOL, Kind.DATETIME)),
            field(
                "address",
                Kind.DICT,
                fields=(field("zip", Kind.STRING), field("city", Kind.STRING)),
            ),
            field("extra", Kind.FREEDICT),
            field("filter", Kind.STRING),
            field("_page", Kind.INT),
            field('odd "name" é', Kind.STRING),
            field("dotted.name", Kind.STRING),
            field("hidden", Kind.DICT, fields=(field("x", Kind.INT),)),
        ),
    ),
)


def readable(plan: FieldPlan) -> bool:
    return plan.name not in ("hidden", "secret")


def query(*pairs: tuple[str, str]) -> Filter:
    return parse_query(pairs, PLAN, readable)


def of_json(value: Any) -> Filter:
    return parse_json(value, PLAN, readable)


def python(value: Any) -> Filter:
    return parse_python(value, PLAN, readable)


def at(dotted: str, operator: Op, value: Any, kind: Kind) -> Condition:
    return Condition(tuple(dotted.split(".")), operator, value, kind)


def here(operator: Op, value: Any, kind: Kind) -> Condition:
    return Condition((), operator, value, kind)


def fault(parse: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(FilterError) as caught:
        parse()
    (found,) = caught.value.faults
    return found.path, found.message


PAGES = at("pages", Op.EQ, 1, Kind.INT)
TITLE = at("title", Op.EQ, "x", Kind.STRING)

# -- query strings -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("title", "12", at("title", Op.EQ, "12", Kind.STRING)),
        ("$.title", "", at("title", Op.EQ, "", Kind.STRING)),
        ("pages", "12", at("pages", Op.EQ, 12, Kind.INT)),
        ("pages.$gt", "-007", at("pages", Op.GT, -7, Kind.INT)),
        ("$.pages.$ne", "1", at("pages", Op.NE, 1, Kind.INT)),
        ("price", "1", at("price", Op.EQ, 1, Kind.FLOAT)),
        ("price.$lt", "1.5e3", at("price", Op.LT, 1500.0, Kind.FLOAT)),
        ("ok", "true", at("ok", Op.EQ, True, Kind.BOOL)),
        ("when", "2020-01-01", at("when", Op.EQ, "2020-01-01T00:00:00", Kind.DATETIME)),
        (
            "_meta.ctime.$gt",
            "2020-01-01 10:00Z",
            at("_meta.ctime", Op.GT, "2020-01-01T10:00:00+00:00", Kind.DATETIME),
        ),
        ("_id", "12", at("_id", Op.EQ, "12", Kind.STRING)),
        ("blob", "YQ==", at("blob", Op.EQ, "YQ==", Kind.BYTES)),
        ("ip", "0::1", at("ip", Op.EQ, "::1", Kind.IPADDRESS)),
        ("net", "10.0.0.0/8", at("net", Op.EQ, "10.0.0.0/8", Kind.IPNETWORK)),
        ("url.$reg", "https", at("url", Op.REG, "https", Kind.STRING)),
        ("address.zip", "1", at("address.zip", Op.EQ, "1", Kind.STRING)),
        ("tags", "a", at("tags", Op.EQ, "a", Kind.STRING)),
        ("tags.$reg", "a", at("tags", Op.REG, "a", Kind.STRING)),
        ("tags.$size", "2", at("tags", Op.SIZE, 2, Kind.LIST)),
        ("tags.$contains", "a", Element(("tags",), here(Op.EQ, "a", Kind.STRING))),
        ("sizes.$gt", "3", at("sizes", Op.GT, 3, Kind.INT)),
        ("authors.age.$lte", "3", at("authors.age", Op.LTE, 3, Kind.INT)),
        ("title.$exists", "false", at("title", Op.EXISTS, False, Kind.STRING)),
        ("pages.$in", "1", at("pages", Op.IN, (1,), Kind.INT)),
        ("pages.$nin", "1", at("pages", Op.NIN, (1,), Kind.INT)),
        ("$.filter", "x", at("filter", Op.EQ, "x", Kind.STRING)),
        ("$._page", "3", at("_page", Op.EQ, 3, Kind.INT)),
        ('odd "name" é', "x", at('odd "name" é', Op.EQ, "x", Kind.STRING)),
        (
            "dotted.name",
            "x",
            Condition(("dotted.name",), Op.EQ, "x", Kind.STRING),
        ),
        ("either", "x", at("either", Op.EQ, "x", Kind.STRING)),
        ("moment.$gt", "2020-01-01", None),
        ("extra.any.b", "x", at("extra.any.b", Op.EQ, "x", Kind.STRING)),
    ],
)
def test_a_key_of_a_query_string(key: str, text: str, expected: Filter | None) -> None:
    if expected is None:
        expected = at("moment", Op.GT, "2020-01-01T00:00:00", Kind.DATETIME)
    assert query((key, text)) == expected


def test_repeated_keys_make_a_list() -> None:
    assert query(("pages", "1"), ("$.pages", "2")) == at(
        "pages", Op.IN, (1, 2), Kind.INT
    )
    assert query(("pages.$ne", "1"), ("pages.$ne", "2")) == at(
        "pages", Op.NIN, (1, 2), Kind.INT
    )
    assert query(("tags", "a"), ("tags", "b")) == at(
        "tags", Op.EQ, ["a", "b"], Kind.LIST
    )
    assert query(("tags", "$gt"), ("tags", "b")) == at(
        "tags", Op.EQ, ["$gt", "b"], Kind.LIST
    )
    assert query(("pair", "1"), ("pair", "b")) == at(
        "pair", Op.EQ, [1, "b"], Kind.TUPLE
    )
    both = query(("tags.$all", "$gt"), ("tags.$all", "b"))
    assert matches(both, {"tags": ["b", "c", "$gt"]})
    assert not matches(both, {"tags": ["b"]})
    assert not matches(query(("tags.$all", "a")), {})


def test_other_repeated_operators_are_all_to_hold() -> None:
    assert query(("pages.$gt", "1"), ("pages.$gt", "5")) == And(
        (at("pages", Op.GT, 1, Kind.INT), at("pages", Op.GT, 5, Kind.INT))
    )


def test_page_parameters_are_no_filter() -> None:
    names = ("_page", "_skip", "_sort", "_view", "_total", "_expand")
    assert query(*((name, "x") for name in names)) == ALWAYS


def test_a_json_filter_is_joined() -> None:
    assert query(("filter", '{"pages": 1}'), ("title", "x")) == And((PAGES, TITLE))


def test_a_text_for_any_type_is_never_guessed() -> None:
    found = query(("extra.n", "5"))
    for value in ("5", 5, 5.0):
        assert matches(found, {"extra": {"n": value}})
    assert not matches(found, {"extra": {"n": True}})
    assert matches(query(("extra.n", "true")), {"extra": {"n": True}})
    assert matches(query(("either.$ne", "5")), {"either": 6})
    assert not matches(query(("either.$ne", "5")), {"either": 5})
    assert not matches(query(("either.$ne", "5")), {"either": "5"})


UNKNOWN = "unknown field"


@pytest.mark.parametrize(
    ("key", "text", "path", "message"),
    [
        ("nope", "1", "$.nope", UNKNOWN),
        ("address.nope", "1", "$.address.nope", UNKNOWN),
        ("title.x", "1", "$.title.x", UNKNOWN),
        ("grid.name", "1", "$.grid.name", UNKNOWN),
        ("", "1", "$.", UNKNOWN),
        ("hidden", "1", "$.hidden", UNKNOWN),
        ("hidden.x", "1", "$.hidden.x", UNKNOWN),
        ("hidden.x.$exists", "true", "$.hidden.x", UNKNOWN),
        ("authors.secret", "1", "$.authors.secret", UNKNOWN),
        ("_pages", "1", "$._pages", UNKNOWN),
        ("pages.$foo", "1", "$.pages", "unknown operator $foo"),
        ("pages.$not", "1", "$.pages", "unknown operator $not"),
        ("pages.$reg", "1", "$.pages", "$reg cannot be used on this field"),
        ("ok.$gt", "true", "$.ok", "$gt cannot be used on this field"),
        ("pages", "x", "$.pages", "must be an integer"),
        ("pages", "1.0", "$.pages", "must be an integer"),
        ("pages", "١", "$.pages", "must be an integer"),
        ("pages", " 1", "$.pages", "must be an integer"),
        ("pages", "1\n", "$.pages", "must be an integer"),
        ("pages", "1_0", "$.pages", "must be an integer"),
        ("pages", "+1", "$.pages", "must be an integer"),
        ("pages", "9" * 5000, "$.pages", "must be a shorter integer"),
        ("pages", "", "$.pages", "must be an integer"),
        ("price", "nan", "$.price", "must be a number"),
        ("price", "1e999", "$.price", "must be a finite number"),
        ("ok", "True", "$.ok", "must be true or false"),
        ("ok", "1", "$.ok", "must be true or false"),
        ("when", "now", "$.when", "must be a date and time of ISO 8601"),
        ("ip", "1", "$.ip", "must be an IP address"),
        ("net", "10.0.0.1/8", "$.net", "must be an IP network"),
        ("blob", "a", "$.blob", "must be base64"),
        ("title.$exists", "1", "$.title", "must be true or false"),
        ("tags.$size", "-1", "$.tags", "must be a number of elements"),
        ("address", "1", "$.address", "must be an object"),
        ("authors", "1", "$.authors", "cannot be compared as a whole"),
        ("title.$reg", "(", "$.title", None),
        ("title.$reg", "(?=a)", "$.title", None),
        ("title.$reg", "a" * 2000, "$.title", None),
        ("filter", "{", "filter", None),
        ("filter", '{"pages": NaN}', "filter", None),
        ("filter", '{"pages": 1, "pages": 2}', "filter", None),
        ("filter", "[" * 100_000, "filter", None),
        ("filter", "[]", "$", "a filter must be an object"),
        ("filter", '{"pages": "1"}', "$.pages", "must be an integer"),
    ],
)
def test_a_wrong_query_names_the_field(
    key: str, text: str, path: str, message: str | None
) -> None:
    found_path, found = fault(lambda: query((key, text)))
    assert found_path == path
    assert message is None or found == message


def test_unreadable_is_the_same_error_as_unknown() -> None:
    seen = fault(lambda: query(("hidden.x.$foo", "1")))
    unknown = fault(lambda: query(("nothing.x.$foo", "1")))
    assert seen[1] == unknown[1]
    assert seen[0].replace("hidden", "nothing") == unknown[0]


# -- JSON --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_filter", "expected"),
    [
        ({}, ALWAYS),
        ({"title": "x"}, TITLE),
        ({"$.title": "x", "pages": 1}, And((TITLE, PAGES))),
        ({"pages": ["$gt", 1]}, at("pages", Op.GT, 1, Kind.INT)),
        (
            {"pages": {"$gt": 1, "$lt": 5}},
            And((at("pages", Op.GT, 1, Kind.INT), at("pages", Op.LT, 5, Kind.INT))),
        ),
        ({"$or": [{"title": "x"}, {"pages": 1}]}, Or((TITLE, PAGES))),
        (
            {"$or": [{"title": "x"}, {"pages": 1}], "title": "x"},
            And((Or((TITLE, PAGES)), TITLE)),
        ),
        ({"$and": [{"title": "x"}, {"pages": 1}]}, And((TITLE, PAGES))),
        ({"$not": {"title": "x", "pages": 1}}, Not(And((TITLE, PAGES)))),
        ({"$or": []}, NEVER),
        ({"address": {"zip": "1"}}, at("address.zip", Op.EQ, "1", Kind.STRING)),
        ({"address": {}}, ALWAYS),
        ({"address.zip": "1"}, at("address.zip", Op.EQ, "1", Kind.STRING)),
        (
            {"address": ["$eq", {"zip": "1"}]},
            at("address", Op.EQ, {"zip": "1"}, Kind.DICT),
        ),
        ({"tags": ["a", "b"]}, at("tags", Op.EQ, ["a", "b"], Kind.LIST)),
        ({"tags": ["$eq", ["$gt", "b"]]}, at("tags", Op.EQ, ["$gt", "b"], Kind.LIST)),
        (
            {"sizes": ["$contains", ["$gt", 3]]},
            Element(("sizes",), here(Op.GT, 3, Kind.INT)),
        ),
        (
            {"sizes": ["$all", ["$gt", 3]]},
            Element(("sizes",), here(Op.GT, 3, Kind.INT), every=True),
        ),
        (
            {"authors": {"$contains": {"name": "x"}}},
            Element(("authors",), Condition(("name",), Op.EQ, "x", Kind.STRING)),
        ),
        (
            {"authors": {"name": "x", "age": ["$gt", 3]}},
            Element(
                ("authors",),
                And(
                    (
                        Condition(("name",), Op.EQ, "x", Kind.STRING),
                        Condition(("age",), Op.GT, 3, Kind.INT),
                    )
                ),
            ),
        ),
        (
            {"grid": ["$contains", ["$contains", {"name": "x"}]]},
            Element(
                ("grid",),
                Element((), Condition(("name",), Op.EQ, "x", Kind.STRING)),
            ),
        ),
        ({"pages": ["$not", ["$gt", 3]]}, Not(at("pages", Op.GT, 3, Kind.INT))),
        ({"pages": {"$not": 1}}, Not(PAGES)),
        (
            {"pages": ["$and", [["$gt", 1], ["$lt", 5]]]},
            And((at("pages", Op.GT, 1, Kind.INT), at("pages", Op.LT, 5, Kind.INT))),
        ),
        ({"pages": ["$or", [1, ["$not", 1]]]}, Or((PAGES, Not(PAGES)))),
        ({"pages": None}, at("pages", Op.EXISTS, False, Kind.INT)),
        ({"pages": ["$ne", None]}, at("pages", Op.EXISTS, True, Kind.INT)),
        (
            {"pages": ["$in", [1, None]]},
            Or(
                (
                    at("pages", Op.IN, (1,), Kind.INT),
                    at("pages", Op.EXISTS, False, Kind.INT),
                )
            ),
        ),
        ({"pages": ["$in", []]}, NEVER),
        ({"pages": ["$nin", []]}, ALWAYS),
        ({"price": 1}, at("price", Op.EQ, 1, Kind.FLOAT)),
        ({"extra": {"a": {"b": 1}}}, at("extra.a.b", Op.EQ, 1, Kind.FLOAT)),
        ({"extra.a": ["$gt", "x"]}, at("extra.a", Op.GT, "x", Kind.STRING)),
        ({"extra.a": ["$eq", [1]]}, at("extra.a", Op.EQ, [1], Kind.LIST)),
        (
            {"either": ["$in", [1, "x", 2]]},
            Or(
                (
                    at("either", Op.IN, (1, 2), Kind.INT),
                    at("either", Op.IN, ("x",), Kind.STRING),
                )
            ),
        ),
        ({"pair": [1, "x"]}, at("pair", Op.EQ, [1, "x"], Kind.TUPLE)),
        ({"own": 5}, at("own", Op.EQ, 5, Kind.FLOAT)),
    ],
)
def test_a_json_filter(given_filter: Any, expected: Filter) -> None:
    assert of_json(given_filter) == expected
    as_query = query(("filter", json.dumps(given_filter)))
    assert as_query == expected


@pytest.mark.parametrize(
    ("given_filter", "path", "message"),
    [
        ({"pages": "12"}, "$.pages", "must be an integer"),
        ({"pages": True}, "$.pages", "must be an integer"),
        ({"pages": 1.0}, "$.pages", "must be an integer"),
        ({"pages": [1, 2]}, "$.pages", "must be an integer"),
        ({"price": True}, "$.price", "must be a number"),
        ({"ok": 1}, "$.ok", "must be true or false"),
        ({"title": 1}, "$.title", "must be a string"),
        ({"when": 5}, "$.when", "must be a date and time of ISO 8601"),
        ({"pages": ["$gt", None]}, "$.pages", "null has no order"),
        ({"extra.a": ["$gt", True]}, "$.extra.a", "has no order"),
        ({"pages": ["$foo", 1]}, "$.pages", "unknown operator $foo"),
        ({"pages": {"$foo": 1}}, "$.pages", "unknown operator $foo"),
        ({"$foo": 1}, "$", "unknown operator $foo"),
        ({"address": {"$gt": 1, "zip": "1"}}, "$.address", "unknown operator $gt"),
        ({"pages": ["$in", 1]}, "$.pages", "must be a list"),
        ({"$or": {}}, "$", "must be a list"),
        ({"$or": [1]}, "$", "a filter must be an object"),
        ({"$not": [1]}, "$", "a filter must be an object"),
        ({"address": {"nope": 1}}, "$.address.nope", UNKNOWN),
        ({"authors": ["$contains", {"nope": 1}]}, "$.authors.nope", UNKNOWN),
        ({"authors": ["$contains", {"secret": "x"}]}, "$.authors.secret", UNKNOWN),
        ({"authors": [{"name": "x"}]}, "$.authors", "cannot be compared as a whole"),
        (
            {"authors": ["$in", [{"name": "x"}]]},
            "$.authors",
            "cannot be compared as a whole",
        ),
        ({"address": ["$eq", {"nope": 1}]}, "$.address", "has no field 'nope'"),
        ({"either": True}, "$.either", None),
        ({"pair": [1]}, "$.pair", "must be a list of 2 values"),
        ({"title": ["$exists", 1]}, "$.title", "$exists takes true or false"),
        ({"tags": ["$size", True]}, "$.tags", "$size takes a number of elements"),
        ({"title": ["$reg", 5]}, "$.title", "$reg takes a pattern"),
        ({"title": ["$size", 5]}, "$.title", "$size cannot be used on this field"),
        ("title", "$", "a filter must be an object"),
        (None, "$", "a filter must be an object"),
        ({1: 2}, "$", "a field's name must be a string"),
    ],
)
def test_a_wrong_json_filter_names_the_field(
    given_filter: Any, path: str, message: str | None
) -> None:
    found_path, found = fault(lambda: of_json(given_filter))
    assert found_path == path
    assert message is None or found == message


def test_depth_is_limited() -> None:
    deep: Any = {"pages": 1}
    for _ in range(48):
        deep = {"$not": deep}
    assert matches(of_json(deep), {"pages": 1})
    for _ in range(100_000):
        deep = {"$not": deep}
    assert "levels" in fault(lambda: of_json(deep))[1]


def test_conditions_are_limited() -> None:
    assert matches(of_json({"pages": ["$in", list(range(999))]}), {"pages": 5})
    assert matches(python({"pages": ("$in", list(range(5000)))}), {"pages": 4999})


@pytest.mark.parametrize(
    "many",
    [
        {"pages": ["$in", list(range(1001))]},
        {"$or": [{"pages": n} for n in range(1001)]},
        {"tags": ["$all", ["a"] * 1001]},
    ],
)
def test_too_many_conditions(many: Any) -> None:
    assert "conditions" in fault(lambda: of_json(many))[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(st.sampled_from([*Op, "$and", "$or", "$not", "$x"]), inner).map(
            list
        )
        | st.dictionaries(
            st.sampled_from([plan.name for plan in PLAN.fields] + ["name", *Op, "$or"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_any_json_is_a_filter_or_a_filter_error(value: Any) -> None:
    try:
        tree = of_json(value)
    except FilterError as error:
        assert error.faults[0].path.startswith("$")
    else:
        assert matches(tree, {"title": "x"}) in (True, False)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=6)), max_size=3))
def test_any_query_string_is_a_filter_or_a_filter_error(
    pairs: list[tuple[str, str]],
) -> None:
    try:
        parse_query(pairs, PLAN, readable)
    except FilterError as error:
        assert error.faults[0].code == "bad_query"


# -- Python ------------------------------------------------------------------------


def test_python_objects() -> None:
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    assert python({"when": ("$gt", moment)}) == at(
        "when", Op.GT, "2020-01-01T00:00:00+00:00", Kind.DATETIME
    )
    assert python({"blob": b"a"}) == at("blob", Op.EQ, "YQ==", Kind.BYTES)
    assert python({"ip": ipaddress.ip_address("::1")}) == at(
        "ip", Op.EQ, "::1", Kind.IPADDRESS
    )
    assert python({"net": ipaddress.ip_network("10.0.0.0/8")}) == at(
        "net", Op.EQ, "10.0.0.0/8", Kind.IPNETWORK
    )
    assert python({"title": ("$reg", re.compile("a", re.IGNORECASE))}) == at(
        "title", Op.REG, "(?i)a", Kind.STRING
    )
    assert python({"tags": ("a", "b", "c")}) == at(
        "tags", Op.EQ, ["a", "b", "c"], Kind.LIST
    )
    assert python({"pages": ("$in", {1})}) == at("pages", Op.IN, (1,), Kind.INT)


def test_a_stricto_node_is_its_value() -> None:
    node = String()
    node.set("x")
    assert python({"title": node}) == TITLE


def test_none_and_trees_stand_as_they_are() -> None:
    assert python(None) == ALWAYS
    assert python(TITLE) == TITLE
    assert python({"$or": [TITLE, {"pages": 1}]}) == Or((TITLE, PAGES))


def test_sfilters() -> None:
    given_filter = SFilter(
        None,
        Operator.AND,
        [
            SFilter("$.pages", Operator.GT, 11),
            SFilter(
                "$.authors", Operator.CONTAINS, SFilter("@.name", Operator.EQ, "x")
            ),
            SFilter("$.sizes", Operator.ALL, SFilter("@", Operator.LTE, 3)),
            SFilter(None, Operator.NOT, SFilter("$.tags", Operator.SIZE, 2)),
            SFilter(None, Operator.TRUE, None),
        ],
    )
    assert python(given_filter) == And(
        (
            at("pages", Op.GT, 11, Kind.INT),
            Element(("authors",), Condition(("name",), Op.EQ, "x", Kind.STRING)),
            Element(("sizes",), here(Op.LTE, 3, Kind.INT), every=True),
            Not(at("tags", Op.SIZE, 2, Kind.LIST)),
        )
    )
    either = SFilter(
        None,
        Operator.OR,
        [SFilter("$.title", Operator.EQ, "x"), SFilter("$.pages", Operator.EQ, 1)],
    )
    assert python({"title": "x", "$and": [either]}) == And((TITLE, Or((TITLE, PAGES))))
    assert python(
        {"authors": ("$contains", SFilter("@.name", Operator.EQ, "x"))}
    ) == Element(("authors",), Condition(("name",), Op.EQ, "x", Kind.STRING))


def test_an_sfilter_is_typed_too() -> None:
    wrong = SFilter("$.pages", Operator.EQ, "x")
    assert fault(lambda: python(wrong)) == ("$.pages", "must be an integer")
    unknown = SFilter("$.nope", Operator.EQ, "x")
    assert fault(lambda: python(unknown)) == ("$.nope", UNKNOWN)
    outer = SFilter("$.sizes", Operator.ALL, SFilter("$.pages", Operator.LTE, 3))
    assert "start with @" in fault(lambda: python(outer))[1]


def test_without_a_plan_anything_goes() -> None:
    found = parse_python({"a.b": ("$gt", 5), "c": "x"}, UNTYPED)
    assert matches(found, {"a": {"b": 6}, "c": "x"})
    assert not matches(found, {"a": {"b": "6"}, "c": "x"})


# -- sort and page -----------------------------------------------------------------


def test_sort_texts() -> None:
    assert parse_sort("-$.pages,$.title,_meta.ctime", PLAN) == (
        SortKey(("pages",), True, Kind.INT),
        SortKey(("title",), False, Kind.STRING),
        SortKey(("_meta", "ctime"), False, Kind.DATETIME),
    )
    assert parse_sort({"pages": -1, "_id": 1}, PLAN) == (
        SortKey(("pages",), True, Kind.INT),
        SortKey(("_id",), False, Kind.STRING),
    )
    assert parse_sort(None, PLAN) == parse_sort("", PLAN) == parse_sort({}, PLAN) == ()


@pytest.mark.parametrize(
    ("given_sort", "path"),
    [
        ("nope", "$.nope"),
        ("-", "$."),
        ("title,", "$."),
        ("hidden.x", "$.hidden.x"),
        ("tags", "$.tags"),
        ("authors.name", "$.authors.name"),
        ("address", "$.address"),
        ("blob", "$.blob"),
        ("extra", "$.extra"),
        ("pair", "$.pair"),
        ({"pages": 2}, "$.pages"),
        ({"pages": True}, "$.pages"),
        ({"pages": "-1"}, "$.pages"),
        (",".join(["title"] * 33), "_sort"),
    ],
)
def test_a_wrong_sort_names_the_field(given_sort: Any, path: str) -> None:
    assert fault(lambda: parse_sort(given_sort, PLAN, readable))[0] == path


def test_pages() -> None:
    assert parse_page([]) == Page(10, 0)
    assert parse_page([("_page", "5"), ("x", "1"), ("_skip", "20")]) == Page(5, 20)
    assert parse_page([("_skip", str(2**63 - 1))]).skip == 2**63 - 1
    assert parse_page([("_page", "7")], default=3, maximum=7).size == 7


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_page", "0"),
        ("_page", "-1"),
        ("_page", "1001"),
        ("_page", "x"),
        ("_page", ""),
        ("_page", "1.0"),
        ("_page", "１"),
        ("_page", "9" * 5000),
        ("_skip", "-1"),
        ("_skip", str(2**63)),
        ("_skip", " 1"),
        ("_skip", "1_0"),
    ],
)
def test_a_wrong_page_names_the_parameter(name: str, text: str) -> None:
    assert fault(lambda: parse_page([(name, text)]))[0] == name


def test_a_page_parameter_may_be_given_once() -> None:
    assert fault(lambda: parse_page([("_page", "1"), ("_page", "1")]))[0] == "_page"
