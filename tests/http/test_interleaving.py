"""Two users' requests, interleaved on a few worker threads: nobody is ever taken for
somebody else, on backo's routes or on those of the application."""

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import anyio.to_thread
import pytest
from fastapi import Depends, FastAPI
from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

from backo import Backoffice, Collection, Item, String, current_user
from backo.connectors.memory import DBMemoryConnector
from backo.current_user import CurrentUserProxy
from backo.http.auth import JWTAuth
from tests.conformance.adapters import serve_fastapi
from tests.http.tokens import SECRET, claims, signed

REQUESTS = 5000
WORKERS = 4
CLIENTS = 8
KEPT = 25
"""Requests on one connection."""

AUTH = JWTAuth(SECRET, algorithms=["HS256"], public=["*_get_meta"])


def mine(_right: str, item: Any) -> bool:
    return bool(item.owner == current_user.login)


def office() -> Backoffice:
    made = Backoffice("office")
    note = Item({"owner": String(required=True)})
    made.register_collection(Collection("notes", note, DBMemoryConnector()))
    shelf = Item({"owner": String()}, meta_data_handler=None)
    made.register_collection(
        Collection("shelf", shelf, DBMemoryConnector(), can_read=mine)
    )
    for owner in ("ada", "bob", "ada", "eve"):
        made.shelf.create({"owner": owner})
    return made


def seen() -> dict[str, Any]:
    """Who the current user is, and on which thread."""
    _id, login = current_user.identity()
    roles = list(current_user.roles.get_value())
    return {"_id": _id, "login": login, "roles": roles, "thread": threading.get_ident()}


@contextmanager
def fastapi() -> Iterator[int]:
    """Its port; blocking functions run on ``WORKERS`` threads."""
    app = FastAPI()

    async def few_threads() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS

    app.include_router(office().router(jwt_auth=AUTH))

    @app.get("/own/sync")
    def sync(user: Annotated[CurrentUserProxy, Depends(AUTH)]) -> Any:
        assert user.login == current_user.login
        return seen()

    @app.get("/own/async", dependencies=[Depends(AUTH)])
    async def asynchronous() -> Any:
        before = seen()
        await anyio.sleep(0)
        assert before == seen()
        return before

    @app.get("/own/open", dependencies=[Depends(few_threads)])
    def not_guarded() -> Any:
        return seen()

    with serve_fastapi(app) as port:
        yield port


class Pool(BaseWSGIServer):
    """Answers on ``WORKERS`` threads, each for one connection after the other."""

    def __init__(self, app: Flask) -> None:
        super().__init__("127.0.0.1", 0, app, KeepAlive)
        self.workers = ThreadPoolExecutor(WORKERS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.workers.submit(self.answer, request, client_address)

    def answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)


class KeepAlive(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def flask() -> Iterator[int]:
    """Its port."""
    app = Flask("interleaving")
    office().build_routes(app, jwt_auth=AUTH)

    @app.get("/own/sync")
    @AUTH.required
    def sync() -> Any:
        return seen()

    @app.get("/own/open")
    def not_guarded() -> Any:
        return seen()

    server = Pool(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(server.workers.shutdown)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield server.server_port


class Client:
    """A connection that is kept a while, on which two users and nobody take turns."""

    def __init__(self, port: int, number: int, own: list[str]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.users = itertools.cycle(["ada", None, "bob", "ada", "bob"])
        self.paths = itertools.cycle(["POST /office/notes", *own, "GET /office/shelf"])
        self.threads: set[int] = set()
        for _ in range(number):
            next(self.users)

    def __call__(self, requests: int) -> int:
        """Ask so often; gives how many were somebody's."""
        try:
            return sum(self.ask(next(self.users), turn) for turn in range(requests))
        finally:
            self.connection.close()

    def ask(self, user: str | None, turn: int) -> bool:
        method, path = next(self.paths).split()
        if turn % KEPT == 0:
            # Somebody else's connection may want the thread.
            self.connection.close()
        status, answer = self.send(method, path, user)
        if path == "/own/open":
            assert (answer["_id"], answer["roles"]) == ("000", [])
            return False
        if user is None:
            assert status == 401
            return False
        CHECKS[method, path](user, answer)
        self.threads.add(answer.get("thread", 0))
        return True

    def send(self, method: str, path: str, user: str | None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {TOKENS[user]}"} if user else {}
        body = None
        if method == "POST":
            headers["Content-Type"] = "application/json"
            body = json.dumps({"owner": user or "nobody"})
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())


TOKENS = {
    name: signed(claims(sub=f"id of {name}", login=name, roles=[name], exp=9e9))
    for name in ("ada", "bob")
}


def _saw(user: str, answer: Any) -> None:
    assert answer["login"] == user
    assert answer["_id"] == f"id of {user}"
    assert answer["roles"] == [user]


def _made(user: str, answer: Any) -> None:
    stamp = {"_id": f"id of {user}", "login": user}
    assert answer["_meta"]["created_by"] == answer["_meta"]["modified_by"] == stamp


def _listed(user: str, answer: Any) -> None:
    assert answer["total"] == {"ada": 2, "bob": 1}[user]
    assert {row["owner"] for row in answer["result"]} == {user}


CHECKS: dict[tuple[str, str], Callable[[str, Any], None]] = {
    ("GET", "/own/sync"): _saw,
    ("GET", "/own/async"): _saw,
    ("POST", "/office/notes"): _made,
    ("GET", "/office/shelf"): _listed,
}


def interleave(port: int, own: list[str]) -> None:
    """Let two users ask ``REQUESTS`` times, ``CLIENTS`` at once."""
    # The first request of all makes FastAPI's threads few.
    first = Client(port, 0, own)
    first.send("GET", "/own/open", None)
    first.connection.close()
    clients = [Client(port, number, own) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(one, REQUESTS // CLIENTS) for one in clients]
        answered = sum(one.result() for one in asked)
    assert answered > REQUESTS / 2
    threads = set().union(*(one.threads for one in clients)) - {0}
    assert 1 < len(threads) <= WORKERS + 1


@pytest.mark.slow
def test_two_users_behind_fastapi() -> None:
    own = ["GET /own/sync", "GET /own/async", "GET /own/open"]
    with fastapi() as port:
        interleave(port, own)


@pytest.mark.slow
def test_two_users_behind_flask() -> None:
    with flask() as port:
        interleave(port, ["GET /own/sync", "GET /own/open"])
