"""Documents as BSON and back, and ids as ObjectIds."""

import datetime
import json
from typing import Any

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import example, given
from hypothesis import strategies as st

from backo import Bytes, Datetime, Dict, FreeDict, In, Int, List, String, Tuple
from backo.connectors.mongo_documents import (
    CODEC,
    bson_id,
    decoded,
    encoded,
    first_object_id,
    moment,
    text_id,
)
from backo.errors import UnstorableError
from tests.offices import one

ROOT = one(
    {
        "name": String(),
        "pages": Int(),
        "when": Datetime(),
        "data": Bytes(),
        "dates": List(Datetime()),
        "inner": Dict({"when": Datetime(), "more": Dict({"data": Bytes()})}),
        "many": List(Dict({"born": Datetime(), "name": String()})),
        "pair": Tuple((Datetime(), String())),
        "either": In([String(), Int()]),
        "free": FreeDict(),
    },
    item={"meta_data_handler": None},
).plan.root

DATES = [
    "2020-01-01T00:00:00",
    "2020-01-01T00:00:00+00:00",
    "2020-01-01T00:00:00Z",
    "2020-01-01T01:00:00.123456+01:00",
    "2020-01-01",
    "20200101T000000",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "1969-12-31T23:59:59.999999+00:00",
    "no date",
    "",
]
dates = st.none() | st.sampled_from(DATES) | st.datetimes().map(lambda d: d.isoformat())
data = st.none() | st.sampled_from(["", "YQ==", "YR==", "a", "é"]) | st.text(max_size=4)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**34) + 1, 10**34 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(DATES)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3).filter(lambda n: "\0" not in n), inner)
    ),
    max_leaves=5,
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=4),
        "when": dates | anything,
        "data": data | anything,
        "dates": st.lists(dates) | anything,
        "inner": st.fixed_dictionaries(
            {}, optional={"when": dates, "more": st.none() | anything, "us": anything}
        ),
        "many": st.lists(st.fixed_dictionaries({}, optional={"born": dates})),
        "pair": st.lists(dates, max_size=3),
        "either": anything,
        "free": anything,
        "unknown": anything,
    },
)


def through_bson(document: dict[str, Any]) -> dict[str, Any]:
    return bson.decode(bson.encode(document), CODEC)


@given(documents)
@example({"when": "0001-01-01T00:00:00+14:00", "dates": ["9999-12-31T23:59:59-14:00"]})
def test_every_document_comes_back_as_it_was(document: dict[str, Any]) -> None:
    stored = through_bson(encoded("a", document, ROOT))
    assert json.dumps(decoded(stored)) == json.dumps({"_id": "a", **document})


def test_values_are_of_mongodbs_own_types() -> None:
    document = {
        "when": "2020-01-01T00:00:00.001+00:00",
        "data": "YQ==",
        "pages": 2**40,
        "many": [{"born": "2020-01-01T00:00:00+00:00"}],
        "free": {"when": "2020-01-01T00:00:00+00:00", "large": 2**70},
    }
    stored = encoded("0" * 24, document, ROOT)
    assert stored["_id"] == ObjectId("0" * 24)
    assert stored["when"] == DatetimeMS(1577836800001)
    assert stored["data"] == Binary(b"a")
    assert stored["many"] == [{"born": DatetimeMS(1577836800000)}]
    assert stored["free"]["when"] == "2020-01-01T00:00:00+00:00"
    assert stored["free"]["large"] == Decimal128(str(2**70))
    read = bson.decode(bson.encode(stored))
    assert read["when"] == datetime.datetime(2020, 1, 1, 0, 0, 0, 1000)
    assert "_exact" in encoded("a", {"when": "2020-01-01"}, ROOT)
    # isoformat writes milliseconds with six digits.
    assert stored["_exact"] == {"when": {"text": "2020-01-01T00:00:00.001+00:00"}}


def test_a_document_that_bson_can_say_has_nothing_beside() -> None:
    document = {
        "when": "2020-01-01T00:00:00+00:00",
        "dates": ["2020-01-01T00:00:00.250000+00:00", None],
    }
    assert set(encoded("a", document, ROOT)) == {"_id", "when", "dates"}


def test_what_another_program_changed_is_what_it_is() -> None:
    stored = encoded("a", {"when": "2020-01-01T01:00:00.000001+01:00"}, ROOT)
    stored["when"] = DatetimeMS(0)
    assert decoded(stored)["when"] == "1970-01-01T00:00:00.000001+00:00"
    del stored["when"]
    assert decoded({**stored, "_exact": {"when": {"us": 1}, "x": 1}}) == {"_id": "a"}
    assert decoded({"_id": 5, "_exact": 7, "x": Int64(1), "y": ObjectId("0" * 24)}) == {
        "_id": "5",
        "x": 1,
        "y": "0" * 24,
    }


@pytest.mark.parametrize(
    "document",
    [
        {"pages": 10**35 + 1},
        {"free": float("nan")},
        {"free": object()},
        {"_exact": {}},
    ],
)
def test_what_bson_cannot_keep_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UnstorableError):
        encoded("a", document, ROOT)


texts = st.text("0123456789abcdefgG/:Az\0é", max_size=26)


@given(texts, st.lists(st.integers(0, 2**96 - 1), min_size=1, max_size=20))
@example("f" * 25, [2**96 - 1])
@example("9:", [0x9A << 88])
def test_object_ids_are_found_by_the_order_of_their_texts(
    text: str, numbers: list[int]
) -> None:
    first = first_object_id(text)
    for each in [f"{number:024x}" for number in numbers]:
        assert (each >= text) == (first is not None and ObjectId(each) >= first)


@given(st.text(max_size=30) | st.sampled_from(["0" * 24, "A" * 24, "a" * 24]))
def test_an_id_and_how_it_is_stored_are_one_to_one(_id: str) -> None:
    assert text_id(bson_id(_id)) == _id
    assert isinstance(bson_id("a" * 24), ObjectId)
    assert bson_id("A" * 24) == "A" * 24


@given(st.datetimes(), st.datetimes())
def test_moments_order_as_instants_do(
    one: datetime.datetime, other: datetime.datetime
) -> None:
    first, second = moment(one.isoformat()), moment(other.isoformat())
    assert first is not None and second is not None
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)
