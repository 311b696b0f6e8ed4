"""JWTAuth on routes of the application itself, beside backo's and without any."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from flask import Blueprint, Flask
from starlette.middleware.base import BaseHTTPMiddleware

from backo import CurrentUser, current_user
from backo.current_user import CurrentUserProxy
from backo.http.auth import JWTAuth
from tests.conformance.adapters import ask, serve_fastapi, serve_flask
from tests.http.tokens import SECRET, claims, rsa_pem, signed
from tests.offices import office

AUTH = JWTAuth(SECRET, algorithms=["HS256"], cookie="session")


def bearer(login: str = "ada", **changed: Any) -> dict[str, str]:
    token = signed(claims(login=login, **changed))
    return {"Authorization": f"Bearer {token}"}


def login() -> str:
    return str(current_user.login.get_value())


def fastapi_app(auth: JWTAuth = AUTH) -> FastAPI:
    app = FastAPI()

    @app.get("/sync", dependencies=[Depends(auth)])
    def sync() -> str:
        return login()

    @app.get("/async", dependencies=[Depends(auth)])
    async def asynchronous() -> str:
        return login()

    @app.get("/given")
    def given(user: Annotated[CurrentUserProxy, Depends(auth)]) -> str:
        return str(user.login.get_value())

    @app.post("/write", dependencies=[Depends(auth)])
    async def write() -> str:
        return login()

    @app.get("/streamed", dependencies=[Depends(auth)])
    def streamed() -> StreamingResponse:
        return StreamingResponse(iter([login()]))

    @app.get("/open")
    def not_guarded() -> str:
        return login()

    router = APIRouter(prefix="/below", dependencies=[Depends(auth)])

    @router.get("/sync")
    def below(request: Request) -> str:
        return login()

    app.include_router(router)
    app.include_router(office().router(jwt_auth=auth))
    return app


def flask_app(auth: JWTAuth = AUTH, *, with_office: bool = True) -> Flask:
    app = Flask("routes")

    @app.get("/sync")
    @auth.required
    def sync() -> str:
        return json.dumps(login())

    @app.get("/given/<name>")
    @auth.required
    def given(name: str) -> str:
        return json.dumps(f"{name} {login()}")

    @app.post("/write")
    @auth.required
    def write() -> str:
        return json.dumps(login())

    @app.get("/open")
    def not_guarded() -> str:
        return json.dumps(login())

    below = Blueprint("below", "below", url_prefix="/below")
    below.before_request(auth.required(lambda: None))

    @below.get("/sync")
    def below_sync() -> str:
        return json.dumps(login())

    app.register_blueprint(below)
    if with_office:
        office().build_routes(app, jwt_auth=auth)
    return app


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with serve_fastapi(fastapi_app()) as one_, serve_flask(flask_app()) as other:
        yield {"fastapi": one_, "flask": other}


ROUTES = [
    *(("fastapi", path) for path in ("/sync", "/async", "/given", "/below/sync")),
    *(("flask", path) for path in ("/sync", "/below/sync")),
]


@pytest.mark.parametrize(("framework", "path"), ROUTES)
def test_a_route_sees_the_caller(
    ports: dict[str, int], framework: str, path: str
) -> None:
    port = ports[framework]
    for name in ("ada", "bob", "ada"):
        assert ask(port, "GET", path, bearer(name), None).json == name
    assert ask(port, "GET", "/open", bearer(), None).json == "ANONYMOUS"


@pytest.mark.parametrize(("framework", "path"), ROUTES)
def test_a_route_refuses_whom_backo_refuses(
    ports: dict[str, int], framework: str, path: str
) -> None:
    for headers in ({}, bearer(exp=1), {"Authorization": "Bearer x"}):
        own = ask(ports[framework], "GET", path, headers, None)
        ours = ask(ports[framework], "GET", "/office/things", headers, None)
        assert own.status == ours.status == 401
        assert own["www-authenticate"] == ours["www-authenticate"]
        assert own.json["detail"] == ours.json["detail"]


@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_a_write_by_cookie_needs_the_header(
    ports: dict[str, int], framework: str
) -> None:
    headers = {"Cookie": f"session={signed()}"}
    port = ports[framework]
    assert ask(port, "GET", "/sync", headers, None).json == "ada"
    assert ask(port, "POST", "/write", headers, None).status == 403
    headers["X-CSRF-Token"] = "1"
    assert ask(port, "POST", "/write", headers, None).json == "ada"


def test_a_view_keeps_its_name_and_its_arguments(ports: dict[str, int]) -> None:
    assert ask(ports["flask"], "GET", "/given/Dr", bearer(), None).json == "Dr ada"


def test_a_view_needs_no_backoffice() -> None:
    client = flask_app(with_office=False).test_client()
    assert client.get("/sync", headers=bearer()).text == '"ada"'
    assert client.get("/sync").status_code == 401
    assert current_user.is_anonymous()


def test_a_dependency_needs_no_backoffice() -> None:
    app = FastAPI()

    @app.get("/")
    def mine(user: Annotated[CurrentUserProxy, Depends(AUTH)]) -> str:
        return str(user.login.get_value())

    http = TestClient(app)
    assert http.get("/", headers=bearer()).json() == "ada"
    assert http.get("/").status_code == 401
    assert current_user.is_anonymous()


def test_as_a_dependency_of_backos_own_routes() -> None:
    app = FastAPI()
    app.include_router(office().router(), dependencies=[Depends(AUTH)])
    http = TestClient(app)
    made = http.post("/office/things", json={"x": "a"}, headers=bearer("bob"))
    assert made.json()["_meta"]["created_by"]["login"] == "bob"
    for path in ("/office/things", "/office/nowhere"):
        assert http.get(path).status_code == 401


def test_below_a_middleware_with_a_task_of_its_own() -> None:
    app = fastapi_app()

    async def passing(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    http = TestClient(app)
    for path in ("/sync", "/async", "/streamed"):
        assert "ada" in http.get(path, headers=bearer()).text
    assert http.get("/sync").status_code == 401


def test_what_a_stream_sends_is_the_callers() -> None:
    assert TestClient(fastapi_app()).get("/streamed", headers=bearer()).text == "ada"


@contextmanager
def blocking() -> Iterator[tuple[JWTAuth, threading.Event, threading.Event]]:
    """One whose is_active waits, and how it says so and is let go."""
    asked, go_on = threading.Event(), threading.Event()

    def is_active(user: CurrentUser) -> bool:
        if user.login.get_value() == "slow":
            asked.set()
            assert go_on.wait(10)
        return True

    try:
        yield JWTAuth(SECRET, algorithms=["HS256"], is_active=is_active), asked, go_on
    finally:
        go_on.set()


def test_is_active_that_waits_keeps_nobody_else_waiting() -> None:
    async def both() -> None:
        transport = httpx.ASGITransport(fastapi_app(auth))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            slow = asyncio.create_task(http.get("/async", headers=bearer("slow")))
            while not asked.is_set():
                await asyncio.sleep(0.01)
            quick = await http.get("/async", headers=bearer("quick"))
            assert quick.json() == "quick"
            assert not slow.done()
            go_on.set()
            assert (await slow).json() == "slow"

    with blocking() as (auth, asked, go_on):
        asyncio.run(asyncio.wait_for(both(), 10))


def test_keys_that_cannot_be_fetched_are_a_503() -> None:
    auth = JWTAuth("http://127.0.0.1:1/jwks", algorithms=["RS256"], jwks_timeout=1)
    token = signed(key=rsa_pem(), algorithm="RS256")
    headers = {"Authorization": f"Bearer {token}"}
    answer = TestClient(fastapi_app(auth)).get("/sync", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    given = flask_app(auth).test_client().get("/sync", headers=headers)
    assert (given.status_code, given.headers["retry-after"]) == (503, "5")


# --- FastAPI's own document ---------------------------------------------------------


def test_fastapis_document_shows_the_same_security() -> None:
    auth = JWTAuth(
        SECRET, algorithms="HS256", cookie="session", public=["things_list", "_meta"]
    )
    made = office()
    app = FastAPI()
    app.include_router(made.router(jwt_auth=auth))
    own, ours = app.openapi(), made.get_openapi(jwt_auth=auth)
    schemes = own["components"]["securitySchemes"]
    assert schemes == ours["components"]["securitySchemes"]
    assert {
        (path, method): operation["security"]
        for path, methods in own["paths"].items()
        for method, operation in methods.items()
    } == {
        (path, method): operation["security"]
        for path, methods in ours["paths"].items()
        for method, operation in methods.items()
    }


def test_fastapis_document_shows_what_own_routes_need() -> None:
    own = fastapi_app().openapi()
    schemes = own["components"]["securitySchemes"]
    assert set(schemes) == {"bearerAuth", "cookieAuth"}
    assert schemes["bearerAuth"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    mine = own["paths"]["/sync"]["get"]
    assert mine["security"] == [{"bearerAuth": []}, {"cookieAuth": []}]
    assert "parameters" not in mine
    assert "security" not in own["paths"]["/open"]["get"]


def test_without_authentication_fastapis_document_says_nothing() -> None:
    app = FastAPI()
    app.include_router(office().router())
    assert "securitySchemes" not in app.openapi()["components"]


def test_the_user_ends_with_the_request() -> None:
    http = TestClient(fastapi_app())
    assert http.get("/sync", headers=bearer()).json() == "ada"
    assert http.get("/open").json() == "ANONYMOUS"
    assert current_user.is_anonymous()


def test_time_is_told_from_the_clock() -> None:
    headers = bearer(exp=time.time() + 3)
    http = TestClient(fastapi_app())
    assert http.get("/sync", headers=headers).status_code == 200
    time.sleep(3.1)
    assert http.get("/sync", headers=headers).status_code == 401
