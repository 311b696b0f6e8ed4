"""What users of Flask expect around the routes."""

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask, abort, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from backo import Backoffice, Collection, Item, String, current_user
from backo.connectors.memory import DBMemoryConnector

LIMIT = 100_000


def office(name: str = "office") -> Backoffice:
    made = Backoffice(name, max_body_size=LIMIT)
    store = DBMemoryConnector()
    made.register_collection(Collection("things", Item({"x": String()}), store))
    return made


def flask(prefix: str = "", jwt_auth: Callable[..., Any] | None = None) -> Flask:
    app = Flask("test")
    office().build_routes(app, prefix, jwt_auth)
    return app


def creator(answer: Any) -> str:
    login: str = answer.json["_meta"]["created_by"]["login"]
    return login


def test_the_user_that_before_request_sets_is_the_requests_user() -> None:
    app = Flask("test")

    @app.before_request
    def early() -> None:
        if "X-Early" in request.headers:
            current_user.set({"_id": "1", "login": request.headers["X-Early"]})

    office().build_routes(app)

    @app.before_request
    def late() -> None:
        if "X-Late" in request.headers:
            current_user.set({"_id": "1", "login": request.headers["X-Late"]})

    http = app.test_client()
    for header, user in (("X-Early", "ada"), ("X-None", "eve"), ("X-Late", "bob")):
        made = http.post("/office/things", json={}, headers={header: user})
        assert creator(made) == ("ANONYMOUS" if header == "X-None" else user)


def test_a_request_leaves_no_user_on_its_thread() -> None:
    current_user.set({"_id": "7", "login": "script"})
    seen = []

    def auth() -> None:
        seen.append(current_user.login)
        current_user.set({"_id": "1", "login": "ada"})

    http = flask(jwt_auth=auth).test_client()
    for _ in range(2):
        assert creator(http.post("/office/things", json={})) == "ada"
    assert seen == ["ANONYMOUS", "ANONYMOUS"]
    assert current_user.login == "script"


def test_other_routes_of_the_application_begin_anonymous_too() -> None:
    app = flask()

    @app.get("/login/<name>")
    def login(name: str) -> str:
        before: str = str(current_user.login)
        current_user.set({"_id": name, "login": name})
        return before

    http = app.test_client()
    assert [http.get("/login/ada").text for _ in range(2)] == ["ANONYMOUS"] * 2


def test_requests_that_run_at_once_have_users_of_their_own() -> None:
    users = [f"user{number}" for number in range(8)]
    everybody = threading.Barrier(len(users), timeout=20)

    def auth() -> None:
        current_user.set({"_id": "1", "login": request.headers["X-User"]})
        everybody.wait()

    app = flask(jwt_auth=auth)

    def ask(user: str) -> str:
        http = app.test_client()
        return creator(http.post("/office/things", json={}, headers={"X-User": user}))

    with ThreadPoolExecutor(len(users)) as pool:
        assert list(pool.map(ask, users)) == users


@pytest.mark.parametrize(
    ("prefix", "base"),
    [("", "/office"), ("/api", "/api/office"), ("api/v1/", "/api/v1/office")],
)
def test_below_prefixes(prefix: str, base: str) -> None:
    http = flask(prefix).test_client()
    made = http.post(f"{base}/things", json={"x": "a"})
    assert made.headers["location"].startswith(f"{base}/things/")
    assert http.get(made.headers["location"]).json == made.json
    assert http.put(f"{base}/things").headers["allow"] == "GET, HEAD, POST"
    missing = http.get(f"{base}/things/")
    assert missing.status_code == 404
    assert missing.json["instance"] == f"{base}/things/"  # type: ignore[index]


@pytest.mark.parametrize("mount", ["/inner", "/in ner/é"])
def test_below_another_application(mount: str) -> None:
    encoded = "/in%20ner/%C3%A9" if mount != "/inner" else mount
    script_name = mount.encode().decode("latin-1")
    http = Client(DispatcherMiddleware(Flask("outer"), {script_name: flask()}))
    made = http.post(f"{mount}/office/things", json={"x": "a"})
    assert made.headers["location"].startswith(f"{encoded}/office/things/")
    assert http.get(made.headers["location"]).json == made.json
    assert http.put(f"{mount}/office/things").status_code == 405
    missing = http.get(f"{mount}/office/nowhere")
    assert missing.json["instance"] == f"{encoded}/office/nowhere"  # type: ignore[index]


def test_beside_routes_of_the_application() -> None:
    app = Flask("test")

    @app.get("/office/early")
    def early() -> str:
        return "early"

    office().build_routes(app)

    @app.get("/office/late")
    def late() -> str:
        return "late"

    @app.route("/<path:page>")
    def anything(page: str) -> str:
        return page

    http = app.test_client()
    assert http.get("/office/early").text == "early"
    assert http.get("/office/late").text == "late"
    assert http.get("/officer").text == "officer"
    assert http.get("/office/things").status_code == 200
    assert http.get("/office/nowhere").json["code"] == "no_route"  # type: ignore[index]
    assert http.delete("/office/things").status_code == 405


def test_two_backoffices_in_one_application() -> None:
    app = Flask("test")
    office("one").build_routes(app)
    office("two").build_routes(app)
    http = app.test_client()
    http.post("/one/things", json={"x": "a"})
    assert http.get("/one/things").json["total"] == 1  # type: ignore[index]
    assert http.get("/two/things").json["total"] == 0  # type: ignore[index]
    assert http.put("/two/things").status_code == 405


def test_the_same_routes_twice_are_a_mistake() -> None:
    app = flask()
    with pytest.raises(AssertionError, match="overwriting"):
        office().build_routes(app)


def test_what_jwt_auth_raises_of_flask_is_flasks() -> None:
    http = flask(jwt_auth=lambda: abort(418, "teapot")).test_client()
    for path in ("/office/things", "/office/nowhere"):
        answer = http.get(path)
        assert answer.status_code == 418
        assert "teapot" in answer.text and answer.mimetype == "text/html"


def test_nothing_redirects() -> None:
    http = flask().test_client()
    for path in ("/office", "/office/", "/office/things/", "/office//things"):
        answer = http.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "no_route")  # type: ignore[index]


# --- Below HTTP: what no client library sends ---------------------------------------


class Counting(io.RawIOBase):
    """An endless body that knows how much of it was read."""

    def __init__(self, end: Exception | None = None) -> None:
        self.count = 0
        self.end = end

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0, "somebody reads to the end"
        if self.end is not None and self.count:
            raise self.end
        self.count += size
        return b"x" * size


def exchange(
    app: Flask, stream: io.RawIOBase, **environ: Any
) -> tuple[int, dict[str, Any]]:
    """One exchange in the language of WSGI."""
    builder = EnvironBuilder("/office/things", method="POST")
    asked = builder.get_environ() | {
        "wsgi.input": stream,
        "CONTENT_TYPE": "application/json",
        **environ,
    }
    body, status, _ = run_wsgi_app(app, asked)
    return int(status[:3]), json.loads(b"".join(body))


def test_a_body_is_read_no_further_than_the_limit() -> None:
    stream = Counting()
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    status, told = exchange(flask(), stream, **environ)
    assert (status, told["code"]) == (413, "body_too_large")
    assert stream.count == LIMIT + 1


@pytest.mark.parametrize("length", ["100001", "9" * 30])
def test_a_body_announced_as_too_long_is_not_read(length: str) -> None:
    stream = Counting()
    status, _ = exchange(flask(), stream, CONTENT_LENGTH=length)
    assert (status, stream.count) == (413, 0)


def test_a_client_that_goes_away_stores_nothing() -> None:
    app = flask()
    broken = Counting(OSError("invalid chunk header"))
    short = io.BytesIO(b'{"x": ')
    terminated = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert exchange(app, broken, **terminated)[1]["code"] == "not_json"
    assert exchange(app, short, CONTENT_LENGTH="99")[1]["code"] == "not_json"  # type: ignore[arg-type]
    assert app.test_client().get("/office/things").json["total"] == 0  # type: ignore[index]


def test_a_limit_of_flasks_own_is_flasks() -> None:
    app = flask()
    app.config["MAX_CONTENT_LENGTH"] = 5
    answer = app.test_client().post("/office/things", json={"x": "a"})
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
