"""What the frameworks serve is what the document says."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from flask import Flask

from backo import CurrentUser
from tests.openapi.offices import NAMES, office, rows

pytestmark = pytest.mark.parametrize("name", NAMES)


def _as_fastapi_writes(value: Any) -> Any:
    """Without null and empty members, which FastAPI leaves out, and integers that it
    makes floats as what they equal."""
    if isinstance(value, dict):
        return {key: _as_fastapi_writes(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_fastapi_writes(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_fastapi_shows_the_same_operations_and_schemas(
    name: str, prefix: str, tmp_path: Path
) -> None:
    made = office(name, tmp_path)
    app = FastAPI()
    app.include_router(made.router(prefix=prefix), dependencies=[Depends(_nothing)])
    shown, ours = app.openapi(), made.get_openapi(prefix)
    assert _as_fastapi_writes(shown["paths"]) == _as_fastapi_writes(ours["paths"])
    schemas = (one["components"]["schemas"] for one in (shown, ours))
    theirs, own = map(_as_fastapi_writes, schemas)
    assert theirs == own


def _nothing() -> None:
    """A dependency of the application's own."""


def test_both_frameworks_serve_the_document(name: str, tmp_path: Path) -> None:
    made = office(name, tmp_path)
    path = f"/{made.name}/_openapi"
    fastapi, flask = FastAPI(), Flask(__name__)
    fastapi.include_router(made.router())
    made.build_routes(flask)
    from_fastapi = TestClient(fastapi).get(path)
    from_flask = flask.test_client().get(path)
    # Nobody has logged in.
    expected = made.get_openapi(user=CurrentUser())
    assert from_fastapi.json() == from_flask.json == expected
    assert from_fastapi.content == from_flask.data


def test_fastapi_has_each_documented_operation_and_no_other(
    name: str, tmp_path: Path
) -> None:
    made = office(name, tmp_path)
    served = {
        (method, one.path)
        for one in iter_route_contexts(made.router().routes)
        if isinstance(one.route, APIRoute) and one.route.include_in_schema
        for method in one.methods or ()
    }
    assert served == _documented(made.get_openapi())


def test_flask_has_each_documented_operation_and_no_other(
    name: str, tmp_path: Path
) -> None:
    made = office(name, tmp_path)
    app = Flask(__name__, static_folder=None)
    made.build_routes(app)
    hidden = re.compile(rf"/{made.name}(?:/_docs/{{asset}}|/?{{rest}})")
    served = {
        (method, path)
        for rule in app.url_map.iter_rules()
        for path in [re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)]
        if not hidden.fullmatch(path)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == _documented(made.get_openapi())


def _documented(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }


def test_every_row_is_documented_but_the_hidden_ones(name: str, tmp_path: Path) -> None:
    made = office(name, tmp_path)
    table = rows(made)
    hidden = [row.path for row in table if not row.documented]
    assert hidden == [f"/{made.name}/_docs/{{asset}}"]
    documented = {(row.method, row.path) for row in table if row.documented}
    assert documented == _documented(made.get_openapi())
