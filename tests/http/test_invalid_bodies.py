"""Every fault of a body is told with its path, and nothing is stored."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backo import (
    Backoffice,
    Bool,
    Bytes,
    Collection,
    Complex,
    Datetime,
    Dict,
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
from backo.connectors.memory import DBMemoryConnector
from backo.schema.types import GenericType
from tests.http.asking import Asking, asking, errors

FAULTS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

words = st.text(max_size=8)
objects = st.dictionaries(words, st.integers(0, 9), max_size=2)
arrays = st.lists(st.integers(0, 9) | words, max_size=3)
numbers = st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
no_text = st.booleans() | numbers | arrays | objects
no_number = st.booleans() | words | arrays | objects


def refused_by(read: Callable[[str], Any]) -> st.SearchStrategy[str]:
    def refuses(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return True
        return False

    return st.text(max_size=12).filter(refuses)


def _url(text: str) -> None:
    parts = urlsplit(text)
    if not parts.scheme or not parts.netloc:
        raise ValueError


type Fault = tuple[Callable[[], GenericType], st.SearchStrategy[Any]]

TYPES: dict[str, Fault] = {
    "string": (String, no_text),
    "pattern": (
        lambda: String(pattern="^[a-z]{3}$"),
        no_text | words.filter(lambda text: not re.match(r"[a-z]{3}\n?\Z", text)),
    ),
    "enum": (
        lambda: String(enum=["a", "b"]),
        no_text | words.filter(lambda t: t not in "ab"),
    ),
    "int": (Int, no_number | st.floats(0.1, 0.9) | st.integers(2**63, 2**80)),
    "bounded_int": (
        lambda: Int(min=1, max=9),
        no_number | st.integers(max_value=0) | st.integers(min_value=10),
    ),
    "float": (Float, no_number),
    "bounded_float": (
        lambda: Float(min=0.0, max=1.0),
        no_number | st.floats(1.01, 1e9) | st.integers(-9, -1),
    ),
    "bool": (Bool, numbers | words | arrays | objects),
    "datetime": (Datetime, no_text | refused_by(datetime.fromisoformat)),
    "bytes": (
        Bytes,
        no_text | refused_by(lambda text: base64.b64decode(text, validate=True)),
    ),
    "ipaddress": (Ipaddress, no_text | refused_by(ipaddress.ip_address)),
    "ipnetwork": (Ipnetwork, no_text | refused_by(ipaddress.ip_network)),
    "url": (Url, no_text | refused_by(_url)),
    "complex": (Complex, st.booleans() | words | arrays),
    "freedict": (FreeDict, st.booleans() | numbers | words | arrays),
    "tuple": (
        lambda: Tuple((Int(), String())),
        st.booleans() | numbers | words | objects,
    ),
    "in": (lambda: In([Int(), Bool()]), words | arrays | objects),
    "list": (lambda: List(Int()), st.booleans() | numbers | words | objects),
    "uniq": (
        lambda: List(Int(), uniq=True),
        st.lists(st.integers(0, 9), min_size=1, max_size=3).map(lambda one: one + one),
    ),
    "short_list": (
        lambda: List(Int(), min=1, max=2),
        st.just([]) | st.lists(st.integers(0, 9), min_size=3, max_size=5),
    ),
    "dict": (lambda: Dict({"x": Int()}), st.booleans() | numbers | words | arrays),
}


class Untouchable(DBMemoryConnector):
    """A store that nothing may read or write."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("create", "save", "get_by_id", "compare_and_set", "delete_by_id"):
            raise AssertionError(f"{name} was called")
        return super().__getattribute__(name)


def _schema() -> dict[str, GenericType]:
    return {name: make() for name, (make, _) in TYPES.items()}


@pytest.fixture(scope="module")
def ask() -> Asking:
    schema: dict[str, GenericType] = {
        **_schema(),
        "nest": Dict(_schema()),
        "many": List(Dict(_schema())),
        **{f"{name}_list": List(make()) for name, (make, _) in TYPES.items()},
        "named": String(required=True),
        "strict": Dict({"needed": Int(required=True)}),
        "computed": Int(set=lambda _root: 1),
        "fixed": String(can_modify=False),
    }
    office = Backoffice("office")
    office.register_collection(Collection("things", Item(schema), Untouchable()))
    return asking(office)


VALID = {"named": "x", "strict": {"needed": 1}}

type Place = Callable[[str, Any], tuple[dict[str, Any], str]]

PLACES: dict[str, Place] = {
    "top": lambda name, value: ({name: value}, f"$.{name}"),
    "nested": lambda name, value: ({"nest": {name: value}}, f"$.nest.{name}"),
    "listed": lambda name, value: (
        {"many": [{}, {name: value}]},
        f"$.many[1].{name}",
    ),
    "element": lambda name, value: ({f"{name}_list": [value]}, f"$.{name}_list[0]"),
}
OPERATIONS = st.sampled_from(["things_create", "things_update"])


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
@FAULTS
def test_a_wrong_value_is_told_with_its_path(
    ask: Asking, name: str, data: st.DataObject
) -> None:
    place = PLACES[data.draw(st.sampled_from(sorted(PLACES)))]
    body, path = place(name, data.draw(TYPES[name][1]))
    answer = ask(data.draw(OPERATIONS), VALID | body)
    assert answer.status == 422
    assert set(errors(answer)) == {path}


@given(data=st.data())
@FAULTS
def test_all_wrong_values_are_told_at_once(ask: Asking, data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(TYPES)), min_size=2, max_size=6))
    wrong = {name: data.draw(TYPES[name][1]) for name in sorted(names)}
    body = VALID | wrong | {"nest": wrong, "many": [wrong]}
    answer = ask(data.draw(OPERATIONS), body)
    assert answer.status == 422
    assert set(errors(answer)) == {
        f"${place}.{name}" for name in names for place in ("", ".nest", ".many[0]")
    }


@given(value=numbers | words | arrays | objects, operation=OPERATIONS)
@FAULTS
def test_read_only_fields_are_refused(ask: Asking, value: Any, operation: str) -> None:
    fields = ["_id", "_meta", "computed", "fixed"]
    answer = ask(operation, VALID | dict.fromkeys(fields, value))
    assert answer.status == 422
    assert errors(answer) == dict.fromkeys(
        [f"$.{name}" for name in fields], "read_only"
    )


@given(
    name=st.text(min_size=1, max_size=9).filter(
        lambda name: name not in TYPES and not {".", "["} & set(name)
    ),
    value=numbers | words,
    operation=OPERATIONS,
)
@FAULTS
def test_unknown_fields_are_refused(
    ask: Asking, name: str, value: Any, operation: str
) -> None:
    unknown = {f"_{name}": value}
    answer = ask(operation, VALID | {"nest": unknown, "many": [unknown]} | unknown)
    assert answer.status == 422
    assert errors(answer) == dict.fromkeys(
        [f"$._{name}", f"$.nest._{name}", f"$.many[0]._{name}"], "unknown_field"
    )


@given(body=numbers | words | arrays | st.booleans() | st.none(), operation=OPERATIONS)
@FAULTS
def test_a_body_that_is_no_object_is_refused(
    ask: Asking, body: Any, operation: str
) -> None:
    answer = ask(operation, b"null" if body is None else body)
    assert answer.status == 422
    assert set(errors(answer)) == {"$"}


def test_what_is_required_must_be_there_and_not_null(ask: Asking) -> None:
    missing = ask("things_create", {})
    assert errors(missing) == {"$.named": "required", "$.strict.needed": "required"}
    nulls = {"named": None, "strict": {"needed": None}}
    for operation in ("things_create", "things_update"):
        assert errors(ask(operation, nulls)) == {
            "$.named": "type",
            "$.strict.needed": "type",
        }


def test_a_dict_is_never_null(ask: Asking) -> None:
    assert errors(ask("things_update", {"nest": None})) == {"$.nest": "type"}


@given(
    index=st.integers(0, 3),
    wrong=no_text,
)
@FAULTS
def test_an_elements_path_holds_its_index(ask: Asking, index: int, wrong: Any) -> None:
    values: list[Any] = ["a", "b", "c", "d"]
    values[index] = wrong
    answer = ask("things_update", {"string_list": values})
    assert errors(answer) == {f"$.string_list[{index}]": "type"}
