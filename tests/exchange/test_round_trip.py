"""What is exported can be imported, and is then what it was."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backo import Backoffice, Collection, Item
from backo.connectors.memory import DBMemoryConnector
from backo.errors import VALUE_ERRORS, BackoError
from tests.exchange.exchanging import exported, imported, stored
from tests.schemas import items

TRICKY = [
    *(
        '"',
        '"a"',
        '""',
        "=1+1",
        "@x",
        "-",
        "+1",
        "-5",
        "\t",
        "\r",
        "\r\n",
        "a\nb",
        "a,b",
    ),
    *(
        "null",
        "true",
        "1",
        "[]",
        "\ufeff",
        "\x00",
        " a ",
        "a",
        "abc",
        "\u2028",
        "\U0001f600",
    ),
]
"""Texts that a careless reader of CSV or JSON takes for something else."""
VALUES = [
    *TRICKY,
    *(0, 1, 5, -1, 2**63 - 1, 1.0, 7.5, 0.1, 5e-324, 1e22, -0.0, True, False, ""),
    *("YWJj", "2024-01-02T03:04:05.678000+02:00", "2024-01-02T00:00:00"),
    *("127.0.0.1", "::1", "10.0.0.0/8", "https://example.org/x?y#z"),
    *([], [[]], {}, {"x": None}, {"real": 1, "imag": 2.5}, {"a": [1, None, "="]}),
    *([1, "a"], [5, ""], [1], [""], ["abc", '"'], [True], [1.5, 2]),
    *({"x": "a", "y": 5}, {"x": 5, "y": 1.5}, {"x": "", "y": "a"}, {"x": True}),
    *([{"x": 5, "y": "a"}], [{"x": "a", "y": None}], [{"x": None, "y": 1}]),
]
"""Some value for each type of field."""
ids = st.sampled_from(TRICKY) | st.text(min_size=1, max_size=3)


def empty(schema: dict[str, Any]) -> Collection:
    office = Backoffice("office")
    model = Item(copy.copy(schema), meta_data_handler=None)
    office.register_collection(Collection("things", model, DBMemoryConnector()))
    return office.collection("things")


def filled(schema: dict[str, Any], data: Any) -> Collection:
    """A collection with some valid documents of the schema."""
    collection = empty(schema)
    fit = {
        name: [
            one for one in VALUES if collection.check({name: one}, f"$.{name}") is None
        ]
        for name in schema
    }
    for _id in data.draw(st.lists(ids, unique=True, min_size=1, max_size=4)):
        body = {
            name: copy.deepcopy(data.draw(st.sampled_from(values)))
            for name, values in fit.items()
            if values and data.draw(st.integers(0, 3))
        }
        with suppress(BackoError, *VALUE_ERRORS):
            collection.create({**body, "_id": _id})
    return collection


def without_unset(value: Any) -> Any:
    """The value as it is whether unset fields are null or absent."""
    if isinstance(value, dict):
        below = {key: without_unset(one) for key, one in value.items()}
        return {key: one for key, one in below.items() if one not in (None, {})}
    if isinstance(value, list):
        return [without_unset(one) for one in value]
    return value


@settings(max_examples=60, deadline=None)
@given(schema=items(), data=st.data())
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_any_document_survives(form: str, schema: dict[str, Any], data: Any) -> None:
    before, after = filled(schema, data), empty(schema)
    text = exported(before, form)
    report, faults = imported(after, text, form, whole=True)
    assert faults == []
    assert report.created == len(stored(before))
    assert exported(after, form) == text
    for one, other in zip(stored(before), stored(after), strict=True):
        assert json.dumps(without_unset(one)) == json.dumps(without_unset(other))
