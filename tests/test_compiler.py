"""stricto schema → plan."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import stricto

from backo import (
    Bool,
    Bytes,
    Complex,
    Datetime,
    Dict,
    Extend,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    Item,
    List,
    String,
    Tuple,
    Url,
)
from backo.schema.compiler import compile_item
from backo.schema.plan import Computed, FieldPlan, ItemPlan, Kind


def compiled(schema: dict[str, Any]) -> ItemPlan:
    return compile_item("things", Item(schema, meta_data_handler=None))


def field(declared: Any) -> FieldPlan:
    found = compiled({"f": declared}).locate("f")
    assert found is not None
    return found.field


class Money(Extend):
    """A type of a user's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(int, **kwargs)

    def __json_encode__(self) -> Any:
        return None if self.get_value() is None else f"{self.get_value()} EUR"

    def __json_decode__(self, value: str) -> int:
        return int(value.removesuffix(" EUR"))


class Address(Dict):
    """A Dict of a user's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__({"zip": String(), "town": String()}, **kwargs)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (String(), Kind.STRING),
        (Int(), Kind.INT),
        (Float(), Kind.FLOAT),
        (Bool(), Kind.BOOL),
        (Bytes(), Kind.BYTES),
        (Datetime(), Kind.DATETIME),
        (Ipaddress(), Kind.IPADDRESS),
        (Ipnetwork(), Kind.IPNETWORK),
        (Url(), Kind.URL),
        (FreeDict(), Kind.FREEDICT),
        (Money(), Kind.EXTEND),
        (Complex(), Kind.DICT),
        (Address(), Kind.DICT),
        (List(Int()), Kind.LIST),
        (Tuple((Int(),)), Kind.TUPLE),
        (In([Int(), String()]), Kind.IN),
        (stricto.String(), Kind.STRING),
    ],
)
def test_every_type_has_its_kind(declared: Any, kind: Kind) -> None:
    assert field(declared).kind is kind


def check(_root: Any, _value: Any, _old: Any) -> bool:
    return True


def give(*_args: Any) -> Any:
    return None


@pytest.mark.parametrize(
    ("declared", "name", "value"),
    [
        (String(required=True), "required", True),
        (String(description="words"), "description", "words"),
        (Int(min=1, max=5), "minimum", 1),
        (Int(minimum=1, maximum=5), "maximum", 5),
        (Float(max=2), "maximum", 2.0),
        (String(pattern="a"), "patterns", ("a",)),
        (String(patterns=["a", "b"]), "patterns", ("a", "b")),
        (String(regexp=give), "patterns", (give,)),
        (String(enum=["a"]), "enum", ("a",)),
        (String(union=["a"]), "enum", ("a",)),
        (List(Int(), uniq=True), "uniq", True),
        (List(Int(), max=3), "maximum", 3),
        (Int(default=3), "default", 3),
        (Int(default=give), "default", give),
        (List(Int(), default=[1]), "default", [1]),
        (Datetime(default=datetime(2024, 1, 2)), "default", "2024-01-02T00:00:00"),
        (Bytes(default=b"abc"), "default", "YWJj"),
        (Datetime(enum=[datetime(2024, 1, 2)]), "enum", ("2024-01-02T00:00:00",)),
        (String(views=["!client"]), "views", ("!client",)),
        (String(exists=give), "exists", give),
        (String(set=give), "computed", Computed(give)),
        (String(set=(give, "$.a")), "computed", Computed(give, ("$.a",))),
        (
            String(set=(give, ["$.a", "$.b"])),
            "computed",
            Computed(give, ("$.a", "$.b")),
        ),
        (String(set=give), "views", ("!save",)),
        (String(set=give), "read_only", True),
        (String(transform=give), "transform", give),
        (String(constraint=check), "constraints", (check,)),
        (String(constraints=[check, give]), "constraints", (check, give)),
        (String(onchange=give), "on_change", give),
        (String(can_read=False), "unreadable", True),
        (String(can_read=give), "can_read", give),
        (String(can_modify=False), "read_only", True),
        (String(on=[("saved", give)]), "events", (("saved", give),)),
        (Datetime(), "truncates", True),
        (Datetime(transform=give), "truncates", False),
        (stricto.String(on=[("saved", give)]), "events", (("saved", give),)),
    ],
)
def test_every_option_is_in_the_plan(declared: Any, name: str, value: Any) -> None:
    assert getattr(field(declared), name) == value


def test_paths_say_where_a_field_is() -> None:
    plan = compiled(
        {"a": Dict({"b": List(Dict({"c": Int()}))}), "t": Tuple((Int(), String()))}
    )
    assert [one.path for one in plan.every_field] == [
        "$._id",
        "$.a",
        "$.a.b",
        "$.a.b[*]",
        "$.a.b[*].c",
        "$.t",
        "$.t[0]",
        "$.t[1]",
    ]


@pytest.mark.parametrize("path", ["a.b.c", "$.a.b.c"])
def test_a_field_is_found_through_dicts_and_lists(path: str) -> None:
    found = compiled({"a": Dict({"b": List(Dict({"c": Int()}))})}).locate(path)
    assert found is not None
    assert (found.field.path, found.many, found.field.dotted) == (
        "$.a.b[*].c",
        True,
        "a.b.c",
    )


@pytest.mark.parametrize("path", ["", "$", "nope", "a.nope", "a.b.c.d", "a..b"])
def test_no_field_is_found_where_there_is_none(path: str) -> None:
    assert compiled({"a": Dict({"b": List(Dict({"c": Int()}))})}).locate(path) is None


def test_rights_are_inherited_unless_said_otherwise() -> None:
    plan = compiled(
        {
            "a": Dict(
                {"b": Int(), "c": Int(can_read=True, can_modify=True)},
                can_read=False,
                can_modify=False,
            )
        }
    )
    b, c = plan.locate("a.b"), plan.locate("a.c")
    assert b is not None and c is not None
    assert (b.field.unreadable, b.field.read_only) == (True, True)
    assert (c.field.unreadable, c.field.read_only) == (False, False)


def test_a_field_that_never_exists_is_not_there() -> None:
    assert compiled({"a": Int(exists=False)}).locate("a") is None


def test_a_dicts_default_is_its_fields() -> None:
    plan = compiled({"a": Dict({"b": Int(), "c": Int(default=1)}, default={"b": 5})})
    assert [one.default for one in plan.every_field[1:]] == [None, 5, 1]


@pytest.mark.parametrize(
    ("declared", "read", "write"),
    [
        (Int(), True, True),
        (Int(min=1, default=3), True, True),
        (Int(can_modify=False), True, True),
        (Int(can_read=False), True, True),
        (Datetime(), True, True),
        (Money(), True, True),
        (Address(), True, True),
        (In([Int(), String()]), True, True),
        (Int(default=give), True, False),
        (Int(constraint=check), True, False),
        (Int(transform=give), True, False),
        (Int(can_modify=give), True, False),
        (Int(on=[("saved", give)]), True, False),
        (String(pattern=give), True, False),
        (Int(set=give, views=["save"]), True, False),
        (Int(set=give), False, False),
        (Int(can_read=give), False, False),
        (Int(exists=give), False, False),
        (Int(on=[("loaded", give)]), False, False),
        (List(Dict({"x": Int(can_read=give)})), False, False),
    ],
)
def test_the_plan_knows_what_needs_an_item(
    declared: Any, read: bool, write: bool
) -> None:
    plan = compiled({"f": declared})
    assert (plan.read_static, plan.write_static) == (read, write)


def test_plans_are_values() -> None:
    def make() -> ItemPlan:
        return compiled({"a": Int(min=1), "b": List(String(enum=["x"]))})

    assert make() == make()
    assert make() != compiled({"a": Int(min=2), "b": List(String(enum=["x"]))})
    with pytest.raises(AttributeError):
        make().fields[0].name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("views", "view", "shown"),
    [
        ([], "client", True),
        (["!client"], "client", False),
        (["!client"], "other", False),
        (["!client", "other"], "other", True),
        (["x"], "x", True),
        (["x"], "+x", True),
        ([], "+x", False),
        (["!x"], "+x", False),
    ],
)
@pytest.mark.parametrize("nest", [lambda f: f, List, lambda f: Dict({"g": f})])
def test_a_view_takes_what_belongs_to_it(
    views: list[str], view: str, shown: bool, nest: Callable[[Any], Any]
) -> None:
    plan = compiled({"f": nest(String(views=views)), "kept": Int(views=["x"])})
    names = [one.name for one in plan.view(view).fields]
    assert ("f" in names) is shown
    assert "kept" in names


def test_declaring_twice_from_one_node_shares_nothing() -> None:
    node = String(views=["x"])
    one, other = Item({"a": node}), Item({"a": node})
    one.__dict__["a"]._views.append("y")
    assert other.__dict__["a"]._views == ["x"]
