"""What users of FastAPI expect around the routes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.testclient import TestClient
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from backo import Backoffice, Collection, Item, String, current_user
from backo.connectors.memory import DBMemoryConnector

LIMIT = 100_000


def office(name: str = "office") -> Backoffice:
    made = Backoffice(name, max_body_size=LIMIT)
    store = DBMemoryConnector()
    made.register_collection(Collection("things", Item({"x": String()}), store))
    return made


def client(router: Any, **include: Any) -> TestClient:
    app = FastAPI()
    app.include_router(router, **include)
    return TestClient(app)


EVERY_OPERATION = [
    ("GET", "/office/things"),
    ("POST", "/office/things"),
    ("GET", "/office/things/1"),
    ("HEAD", "/office/things/1"),
    ("PUT", "/office/things/1"),
    ("PATCH", "/office/things/1"),
    ("DELETE", "/office/things/1"),
    ("POST", "/office/things/_check"),
    ("POST", "/office/things/_meta"),
    ("GET", "/office/_meta"),
    ("GET", "/office/_openapi"),
    ("GET", "/office/_docs"),
    ("GET", "/office/_docs/start.js"),
    ("BREW", "/office/things"),
    ("GET", "/office/nowhere"),
]


def sync_refusal() -> None:
    raise HTTPException(402, "pay first")


async def async_refusal() -> None:
    raise HTTPException(402, "pay first")


@pytest.mark.parametrize("refuse", [sync_refusal, async_refusal])
@pytest.mark.parametrize(("method", "path"), EVERY_OPERATION)
def test_dependencies_run_before_every_operation(
    method: str, path: str, refuse: Callable[[], Any]
) -> None:
    http = client(office().router(), dependencies=[Depends(refuse)])
    answer = http.request(method, path)
    assert answer.status_code == 402
    assert method == "HEAD" or answer.json() == {"detail": "pay first"}


def _set(x_user: str | None) -> None:
    if x_user is not None:
        current_user.set({"_id": x_user, "login": x_user})


def sync_user(x_user: str | None = Header(None)) -> None:
    _set(x_user)


async def async_user(x_user: str | None = Header(None)) -> None:
    _set(x_user)


def sync_user_yielded(x_user: str | None = Header(None)) -> Iterator[None]:
    _set(x_user)
    yield


async def async_user_yielded(x_user: str | None = Header(None)) -> AsyncIterator[None]:
    _set(x_user)
    yield


@pytest.mark.parametrize(
    "dependency", [sync_user, async_user, sync_user_yielded, async_user_yielded]
)
def test_the_user_that_a_dependency_sets_is_the_requests_user(
    dependency: Callable[..., Any],
) -> None:
    http = client(office().router(), dependencies=[Depends(dependency)])
    for user in ("ada", "bob", None, "ada", None):
        headers = {"X-User": user} if user else {}
        made = http.post("/office/things", json={"x": "a"}, headers=headers)
        assert made.json()["_meta"]["created_by"]["login"] == (user or "ANONYMOUS")
    assert current_user.login == "ANONYMOUS"


class _SetsUser:
    """A middleware that takes the caller for Ada, and says so in two places."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        current_user.set({"_id": "1", "login": "ada"})
        scope.setdefault("state", {})["user"] = {"_id": "1", "login": "ada"}
        await self.app(scope, receive, send)


def test_the_user_that_a_middleware_sets_is_not_the_requests_user() -> None:
    def from_state(request: Request) -> None:
        current_user.set(request.state.user)

    for dependencies, login in (([], "ANONYMOUS"), ([Depends(from_state)], "ada")):
        app = FastAPI(middleware=[Middleware(_SetsUser)])
        app.include_router(office().router(), dependencies=dependencies)
        made = TestClient(app).post("/office/things", json={"x": "a"})
        assert made.json()["_meta"]["created_by"]["login"] == login


def test_a_dependency_may_read_the_body_first() -> None:
    async def signed(request: Request) -> None:
        if await request.body() != b'{"x": "a"}':
            raise HTTPException(400, "unsigned")

    http = client(office().router(), dependencies=[Depends(signed)])
    headers = {"Content-Type": "application/json"}
    answer = http.post("/office/things", content=b'{"x": "a"}', headers=headers)
    assert (answer.status_code, answer.json()["x"]) == (201, "a")
    answer = http.post("/office/things", content=b'{"x": "b"}', headers=headers)
    assert answer.json() == {"detail": "unsigned"}


def test_requests_that_run_at_once_have_users_of_their_own() -> None:
    users = [f"user{number}" for number in range(8)]
    arrived: list[str] = []
    everybody = asyncio.Event()

    async def meet(x_user: str = Header()) -> None:
        current_user.set({"_id": x_user, "login": x_user})
        arrived.append(x_user)
        if len(arrived) == len(users):
            everybody.set()
        await everybody.wait()

    app = FastAPI()
    app.include_router(office().router(), dependencies=[Depends(meet)])

    async def ask_all() -> list[str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            answers = await asyncio.gather(
                *(
                    http.post("/office/things", json={}, headers={"X-User": user})
                    for user in users
                )
            )
        return [one.json()["_meta"]["created_by"]["login"] for one in answers]

    assert asyncio.run(ask_all()) == users


@pytest.mark.parametrize(
    ("prefix", "include", "base"),
    [
        ("", "", "/office"),
        ("/api", "", "/api/office"),
        ("api/", "", "/api/office"),
        ("", "/v1", "/v1/office"),
        ("/api", "/v1", "/v1/api/office"),
    ],
)
def test_below_prefixes(prefix: str, include: str, base: str) -> None:
    http = client(office().router(prefix), prefix=include)
    made = http.post(f"{base}/things", json={"x": "a"})
    assert made.headers["location"].startswith(f"{base}/things/")
    assert http.get(made.headers["location"]).json() == made.json()
    assert http.head(made.headers["location"]).status_code == 200
    assert http.put(f"{base}/things").headers["allow"] == "GET, HEAD, POST"
    missing = http.get(f"{base}/things/")
    assert missing.status_code == 404
    assert missing.json()["instance"] == f"{base}/things/"


def test_below_a_prefix_with_a_parameter() -> None:
    http = client(office().router(), prefix="/{tenant}")
    made = http.post("/acme/office/things", json={"x": "a"})
    assert http.get(made.headers["location"]).json()["x"] == "a"


@pytest.mark.parametrize(
    ("mount", "base"), [("/inner", "/inner"), ("/in ner/é", "/in%20ner/%C3%A9")]
)
def test_in_a_mounted_application(mount: str, base: str) -> None:
    inner, outer = FastAPI(), FastAPI()
    inner.include_router(office().router())
    outer.mount(mount, inner)
    http = TestClient(outer)
    made = http.post(f"{mount}/office/things", json={"x": "a"})
    assert made.headers["location"].startswith(f"{base}/office/things/")
    assert http.get(made.headers["location"]).json() == made.json()
    assert http.put(f"{mount}/office/things").status_code == 405
    page = http.get(f"{mount}/office/_docs").content
    assert f"{base}/office/_docs/start.js".encode() in page


def test_behind_a_proxy_that_takes_the_prefix_off() -> None:
    app = FastAPI()
    app.include_router(office().router())
    http = TestClient(app, root_path="/proxy")
    made = http.post("/office/things", json={"x": "a"})
    assert made.headers["location"].startswith("/proxy/office/things/")
    assert http.get("/office/things/1").json()["instance"] == "/proxy/office/things/1"


def test_beside_routes_of_the_application() -> None:
    app = FastAPI()

    @app.get("/office/extra")
    def extra() -> str:
        return "extra"

    app.include_router(office().router())

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    http = TestClient(app)
    assert http.get("/office/extra").json() == "extra"
    assert http.get("/hello").json() == "hello"
    assert http.get("/office/things").status_code == 200
    assert http.get("/officer").json() == {"detail": "Not Found"}
    assert http.get("/nowhere").json() == {"detail": "Not Found"}


def test_two_backoffices_in_one_application() -> None:
    app = FastAPI()
    app.include_router(office("one").router())
    app.include_router(office("two").router())
    http = TestClient(app)
    http.post("/one/things", json={"x": "a"})
    assert http.get("/one/things").json()["total"] == 1
    assert http.get("/two/things").json()["total"] == 0
    assert http.put("/two/things").status_code == 405


def test_what_jwt_auth_raises_of_fastapi_is_fastapis() -> None:
    def auth() -> None:
        raise HTTPException(418, "teapot", {"X-Tea": "green"})

    http = client(office().router(jwt_auth=auth))
    for path in ("/office/things", "/office/nowhere"):
        answer = http.get(path)
        assert (answer.status_code, answer.headers["x-tea"]) == (418, "green")
        assert answer.json() == {"detail": "teapot"}


def test_nothing_redirects() -> None:
    http = client(office().router())
    for path in ("/office", "/office/", "/office/things/", "/office//things"):
        answer = http.get(path, follow_redirects=False)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_route")


# --- Below HTTP: what no client library sends ---------------------------------------

type Message = dict[str, Any]


def exchange(
    app: FastAPI,
    messages: Iterator[Message],
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    path: str = "/office/things",
) -> tuple[int, dict[str, str], bytes]:
    """One exchange in the language of ASGI."""
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
    }
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], found, b"".join(one.get("body", b"") for one in bodies)


def _app() -> FastAPI:
    app = FastAPI()
    app.include_router(office().router())
    return app


def _chunk(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_read_no_further_than_the_limit() -> None:
    read = 0

    def long() -> Iterator[Message]:
        nonlocal read
        for _ in range(LIMIT // 100):
            read += 1000
            yield _chunk(b"x" * 1000, more=True)

    status, _, body = exchange(_app(), long())
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")
    assert read == LIMIT + 1000


@pytest.mark.parametrize("length", [b"100001", b"9" * 5000])
def test_a_body_announced_as_too_long_is_not_read(length: bytes) -> None:
    status, _, _ = exchange(_app(), iter(()), (b"content-length", length))
    assert status == 413


def test_a_client_that_goes_away_stores_nothing() -> None:
    app = _app()
    messages = iter([_chunk(b'{"x": "a"}', more=True), {"type": "http.disconnect"}])
    status, _, _ = exchange(app, messages)
    assert status == 400
    assert TestClient(app).get("/office/things").json()["total"] == 0


def test_repeated_headers_count_as_one_list() -> None:
    app = _app()
    made = TestClient(app).post("/office/things", json={"x": "a"})
    tags = [(b"if-match", b'"x"'), (b"if-match", made.headers["etag"].encode())]
    messages = iter([_chunk(b'{"x": "b"}', more=False)])
    path = made.headers["location"]
    status, _, body = exchange(app, messages, *tags, method="PUT", path=path)
    assert (status, json.loads(body)["x"]) == (200, "b")


def test_head_has_no_body_whatever_the_server() -> None:
    app = _app()
    get = exchange(app, iter(()), method="GET")
    head = exchange(app, iter(()), method="HEAD")
    assert head == (200, get[1], b"")
