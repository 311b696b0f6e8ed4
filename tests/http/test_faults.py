"""What a refused document is told: where, why, and nothing of what is stored."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from stricto import SConstraintError, STypeError

from backo import (
    Backoffice,
    Collection,
    Datetime,
    Dict,
    Extend,
    Int,
    Item,
    List,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from backo.schema.faults import stricto_faults
from tests.http.asking import Asking, asking


def no(_right: str, _item: Any) -> bool:
    return False


def _office(schema: dict[str, Any]) -> Backoffice:
    office = Backoffice("office")
    office.register_collection(Collection("things", Item(schema), DBMemoryConnector()))
    return office


def _created(ask: Asking, document: Any) -> str:
    answer = ask("things_create", document)
    assert answer.status == 201
    return str(json.loads(answer.body)["_id"])


def agree(root: Any, _value: Any, _old: Any) -> bool:
    return bool(root.t != "bad")


@pytest.mark.parametrize("right", [False, no])
def test_a_broken_constraint_does_not_tell_the_stored_value(right: Any) -> None:
    hidden = String(can_read=right, constraint=agree)
    ask = asking(_office({"t": String(), "h": hidden}))
    _id = _created(ask, {"t": "a", "h": "TOPSECRET"})
    refused = ask("things_update", {"t": "bad"}, _id=_id)
    assert refused.status == 422
    assert b"TOPSECRET" not in refused.body
    (fault,) = json.loads(refused.body)["errors"]
    assert (fault["path"], fault["message"]) == ("$.h", "breaks a constraint")


PATTERN = {"now": "SECRET"}


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        (String(can_read=no, regexp=lambda *_: PATTERN["now"]), "SECRET"),
        (List(Int(constraint=agree), can_read=no), [1, 2]),
        (Dict({"x": Int(constraint=agree)}, can_read=no), {"x": 1}),
    ],
)
def test_a_hidden_field_only_breaks_a_constraint(
    field: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = asking(_office({"t": String(), "h": field, "c": Int(constraint=agree)}))
    _id = _created(ask, {"t": "a", "h": stored})
    monkeypatch.setitem(PATTERN, "now", "other")
    refused = ask("things_update", {"t": "bad", "c": 1}, _id=_id)
    told = {one["message"] for one in json.loads(refused.body)["errors"]}
    assert (refused.status, told) == (422, {"breaks a constraint"})


def _faults(node: Any, value: Any) -> tuple[str, ...]:
    with pytest.raises((SConstraintError, STypeError)) as caught:
        Dict({"f": node}).set({"f": value})
    return tuple(f"{one.path} {one.message}" for one in stricto_faults(caught.value))


SOON = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("node", "value", "words"),
    [
        (String(constraint=lambda *_: False), "S", "breaks a constraint"),
        (String(enum=["a"]), "S", "is not one of the allowed values"),
        (Int(min=78), 77, "is less than the minimum"),
        (Int(max=76), 77, "is more than the maximum"),
        (Datetime(min=SOON), "1977-01-01", "is less than the minimum"),
        (Datetime(max=SOON), "2077-01-01", "is more than the maximum"),
        (String(regexp="a"), "S", "does not match the pattern"),
        (String(required=True), None, "is required"),
        (List(Int(), uniq=True), [77, 77], "must not hold a value twice"),
        (List(Int(), min=2), [77], "Must have 2 elements at least"),
        (Int(), "77", "Must be a int"),
        (Datetime(), "77", "Cannot be decoded"),
        (Extend(complex), 77, "Must be a Extend"),
    ],
)
def test_faults_of_stricto_are_told_without_the_value(
    node: Any, value: Any, words: str
) -> None:
    assert _faults(node, value) == (f"$.f {words}",)


def test_a_constraint_of_the_developer_keeps_its_words_but_for_the_value() -> None:
    def dear(_root: Any, value: Any, _old: Any) -> bool:
        raise SConstraintError(
            '{0}: {n} too dear (value="{value}")', "$.f", value=1, n=2
        )

    assert _faults(Int(constraint=dear), 77) == ("$.f 2 too dear",)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
@pytest.mark.parametrize("more", [{}, {"constraint": lambda *_: True}])
def test_a_moment_that_is_none_in_utc_is_compared_with_the_bounds(
    moment: str, more: dict[str, Any]
) -> None:
    bounds = {"min": datetime(2020, 1, 1), "max": datetime(2030, 1, 1)}
    ask = asking(_office({"at": Datetime(**bounds, **more)}))
    refused = ask("things_create", {"at": moment})
    assert refused.status == 422
    assert json.loads(refused.body)["errors"][0]["path"] == "$.at"
