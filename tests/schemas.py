"""Random schemas, and random values for them, valid and not."""

import string
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from backo import (
    Bool,
    Bytes,
    Complex,
    Datetime,
    Dict,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    List,
    String,
    Tuple,
    Url,
)

__all__ = ["fields", "items", "json_values", "near_values"]

NAMES = ["title", "copy", "json", "schema", "model_config", "get", "a b", "é", "x"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters, max_size=3), below, max_size=3)
    ),
    max_leaves=5,
)
"""Any JSON value that is small."""

near_values = st.sampled_from(
    [
        0,
        1,
        1.0,
        -1,
        5,
        7.5,
        2**63,
        True,
        "a",
        "b",
        "abc",
        "A1",
        "",
        "1",
        "YWJj",
        "YWJ=",
        "2024-01-02",
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05.678+02:00",
        "2024-01-02T03:04:05Z",
        "1999-12-31T23:59:59",
        "127.0.0.1",
        "::1",
        "0::1",
        "10.0.0.0/8",
        "10.0.0.1/8",
        "https://example.org/x?y#z",
        "http://[::1",
        "mailto:x@y",
        [],
        ["a"],
        ["a", "a"],
        ["a", "b", "c"],
        [1],
        [1, "a"],
        [1, "a", 2],
        [1, None],
        {},
        {"x": 1},
        {"x": "a", "y": None},
        {"real": 1, "imag": 2.5},
        {"real": "1"},
        [{"x": 1}],
        [{"x": None}],
        [{"nope": 1}],
    ]
)
"""Values that are right for one type or another, or nearly."""


def _scalars() -> st.SearchStrategy[Any]:
    required = st.booleans()
    return st.one_of(
        st.builds(lambda r: String(required=r), required),
        st.builds(lambda r: String(required=r, pattern="^[a-z]"), required),
        st.just(String(enum=["a", "b"], default="a")),
        st.just(String(default="abc", pattern=["[a-z]+", ".{1,3}$"])),
        st.builds(lambda r: Int(required=r), required),
        st.just(Int(min=1, max=6, default=5)),
        st.just(Int(enum=[1, 5])),
        st.builds(lambda r: Float(required=r, min=0, max=7.5), required),
        st.builds(lambda r: Bool(required=r), required),
        st.just(Datetime()),
        st.just(Datetime(min=datetime(2000, 1, 1))),  # noqa: DTZ001
        st.just(Bytes()),
        st.just(Ipaddress()),
        st.just(Ipnetwork()),
        st.just(Url()),
        st.just(FreeDict()),
        st.just(Complex()),
        st.just(In([Int(max=5), String(pattern="a")])),
        st.just(In([Datetime(), Bool()])),
        st.just(Tuple((Int(), String()))),
    )


def fields() -> st.SearchStrategy[Any]:
    """Any declared field."""
    return st.recursive(
        _scalars(),
        lambda below: st.one_of(
            st.builds(
                lambda one, u, m: List(one, uniq=u, max=m),
                below,
                st.booleans(),
                st.sampled_from([2, 5]),
            ),
            st.builds(lambda one, two: Dict({"x": one, "y": two}), below, below),
        ),
        max_leaves=4,
    )


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Any schema of an Item."""
    return st.dictionaries(st.sampled_from(NAMES), fields(), min_size=1, max_size=5)
