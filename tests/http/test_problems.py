"""Errors as application/problem+json."""

import json
import logging
from typing import Any

import pytest

from backo import (
    Collection,
    DBError,
    DisconnectedError,
    Int,
    Item,
    NotFoundError,
    SConstraintError,
    SessionError,
    SRightError,
    SSyntaxError,
    String,
    STypeError,
)
from backo.connectors.memory import DBMemoryConnector
from backo.errors import (
    BackoError,
    ConflictError,
    DuplicateIdError,
    Fault,
    FilterError,
    FrozenError,
    PathNotFoundError,
    PreconditionError,
    TransientError,
    UnstorableError,
    ValidationError,
)
from backo.http.messages import Request
from backo.http.problems import HTTP_ERRORS, MethodNotAllowedError, problem, to_json
from tests.http.asking import asking
from tests.offices import one

REQUEST = Request("GET", "/office/a b", "", {}, {})


def body(error: Exception) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(problem(error, REQUEST).body)
    return found


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFoundError("x"), 404, "not_found"),
        (PathNotFoundError("x"), 422, "path_not_found"),
        (SessionError("x"), 401, "not_authenticated"),
        (ConflictError("x"), 409, "conflict"),
        (DuplicateIdError("x"), 409, "duplicate_id"),
        (TransientError("x"), 409, "transient_conflict"),
        (DisconnectedError("x"), 503, "store_unavailable"),
        (UnstorableError("x"), 422, "unstorable"),
        (PreconditionError("x"), 412, "precondition_failed"),
        (FilterError("x"), 400, "bad_query"),
        (ValidationError([]), 422, "invalid"),
        (DBError("x"), 503, "store_unavailable"),
        (FrozenError("x"), 500, "internal"),
        (BackoError("x"), 500, "internal"),
        (SRightError("$.a: x"), 403, "forbidden"),
        (STypeError("$.a: x"), 422, "invalid"),
        (SConstraintError("$.a: x"), 422, "invalid"),
        (SSyntaxError("x"), 500, "internal"),
        (KeyError("x"), 500, "internal"),
        (RecursionError("x"), 500, "internal"),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int, code: str) -> None:
    answer = problem(error, REQUEST)
    assert answer.status == status
    assert answer.media == "application/problem+json"
    told = json.loads(answer.body)
    assert (told["status"], told["code"]) == (status, code)
    assert told["type"] == f"urn:backo:problem:{code}"
    assert told["instance"] == "/office/a%20b"
    assert told["title"] and told["detail"]


def test_codes_are_of_one_error_each() -> None:
    codes = [error.code for error in HTTP_ERRORS]
    assert len(set(codes)) == len(codes)


def test_every_fault_is_told() -> None:
    faults = [Fault("$.a", "is bad", "type"), Fault("$.b[0]", "is worse", "min")]
    assert body(ValidationError(faults))["errors"] == [
        {"path": "$.a", "message": "is bad", "code": "type"},
        {"path": "$.b[0]", "message": "is worse", "code": "min"},
    ]


def test_a_missing_right_names_the_field() -> None:
    told = body(SRightError("$.a.b: cannot modify value"))
    assert [(one["path"], one["code"]) for one in told["errors"]] == [
        ("$.a.b", "forbidden")
    ]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (SessionError("x"), ("www-authenticate", "Bearer")),
        (DBError("x"), ("retry-after", "5")),
        (MethodNotAllowedError(["GET", "HEAD"]), ("allow", "GET, HEAD")),
    ],
)
def test_some_problems_have_a_header(error: Exception, header: tuple[str, str]) -> None:
    assert problem(error, REQUEST).headers == (header,)


@pytest.mark.parametrize(
    "error", [RuntimeError("password=1"), BackoError("password=1")]
)
def test_a_bug_is_logged_with_its_trace_and_not_told(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert b"password" not in problem(error, REQUEST).body
    (record,) = caplog.records
    assert record.name == "backo.http"
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None and record.exc_info[1] is error
    assert record.getMessage() == "GET /office/a%20b failed"


def test_a_store_that_fails_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = problem(DBError("mongodb://root:1234@db refused"), REQUEST)
    assert b"root" not in answer.body
    assert caplog.records[0].name == "backo.http"


def _broken(_root: Any, _value: Any, _old: Any) -> bool:
    raise ZeroDivisionError("in the constraint")


def test_a_constraint_that_breaks_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    ask = asking(one({"x": Int(constraint=_broken)}).backoffice)  # type: ignore[arg-type]
    answer = ask("things_create", {"x": 1})
    assert answer.status == 500
    assert b"constraint" not in answer.body
    assert "in the constraint" in caplog.text and "Traceback" in caplog.text


class Broken(DBMemoryConnector):
    """A store whose driver raises something of its own, or is cut off."""

    error: Exception = OSError("disk")

    def get_by_id(self, _id: str) -> dict[str, Any]:
        raise self.error

    def get_json(self, _id: str) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("disk"), 500), (DBError("cut off"), 503)]
)
def test_a_connector_that_breaks(error: Exception, status: int) -> None:
    office = one({"x": Int()}).backoffice
    store = Broken()
    store.error = error
    office.register_collection(Collection("broken", Item({"a": String()}), store))  # type: ignore[attr-defined]
    answer = asking(office)("broken_get")  # type: ignore[arg-type]
    assert answer.status == status
    assert b"disk" not in answer.body and b"cut off" not in answer.body


def test_half_a_character_can_be_told() -> None:
    assert json.loads(to_json({"id": "\ud800"})) == {"id": "\ud800"}
    assert to_json({"é": 1.0}) == '{"é":1.0}'.encode()
