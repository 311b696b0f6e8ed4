"""The same backoffices behind both frameworks, over every connector."""

import dataclasses
import functools
import http.client
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from backo import (
    Backoffice,
    DBError,
    DBMongoConnector,
    SessionError,
    SRightError,
    current_user,
)
from backo.connectors.base import DBConnector, Document
from backo.http.messages import Request
from tests.conformance.conftest import CONNECTORS
from tests.conformance.declared import Make, declared, kept
from tests.conformance.far import far, redirecting
from tests.mongo import Mongo, database_of
from tests.serving import listening_socket

__all__ = [
    "ANY_STORE",
    "Answer",
    "Both",
    "EMMA",
    "Servers",
    "ask",
    "both",
    "serve_fastapi",
    "serve_flask",
    "servers",
    "shelf",
]

OWN_STORES = {
    name.replace(" ", "-"): CONNECTORS[name]
    for name in ("memory", "yml", "sqlite", "six methods")
}
STORES = (*OWN_STORES, "mongo", "redirect")
APPS = ("fastapi", "flask")

KNOWN_GAPS: dict[tuple[str, str], str] = {
    ("redirect", "test_who_is_known_is_written_down"): (
        "the other server writes _meta, and does not know who asks here"
    ),
}
"""Why a test fails over a store, by the names of both."""

OWN_HEADERS = frozenset({"date", "server", "connection"})
"""What servers add by themselves."""


def authenticate(request: Request) -> bool | None:
    """The caller names what is to become of the request."""
    user = request.headers.get("x-user")
    match user:
        case None:
            return None
        case "expired":
            raise SessionError("the session has expired")
        case "banned":
            raise SRightError("nobody like you")
        case "stranger":
            return False
    current_user.set({"_id": user, "login": user, "roles": ["A"]})
    return True


def start_afresh(office: Backoffice) -> None:
    """Empty every collection, and count ids from 1 again."""
    for collection in office.collections.values():
        collection.db_handler.drop()
        collection.db_handler.generate_id = _ids()  # type: ignore[assignment, method-assign]


def _ids() -> Callable[[Document], str]:
    numbers = itertools.count(1)

    def next_id(document: Document) -> str:
        title = document.get("title")
        if title == "unreachable":
            raise DBError("connection to 10.0.0.1 refused")
        return "1" if title == "again" else str(next(numbers))

    return next_id


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def serve_flask(app: Flask) -> Iterator[int]:
    """The port where werkzeug's server answers for ``app``."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve_fastapi(app: FastAPI) -> Iterator[int]:
    """The port where uvicorn answers for ``app``."""
    # Connections wait in the listening socket until the server takes them.
    listening = listening_socket()
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server sent, without what is the server's own."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """The one header of that name."""
        (value,) = [value for key, value in self.headers if key == name]
        return value

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> dict[str, str]:
        """The code of each fault, by its path."""
        return {one["path"]: one["code"] for one in self.json["errors"]}


def ask(
    port: int, method: str, target: str, headers: Mapping[str, str], body: Any
) -> Answer:
    """One exchange; ``target`` is sent as it is, an iterable body in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        content = response.read()
        sent = [(name.lower(), value) for name, value in response.getheaders()]
    finally:
        connection.close()
    kept = sorted(pair for pair in sent if pair[0] not in OWN_HEADERS)
    return Answer(response.status, tuple(kept), content)


@dataclasses.dataclass(frozen=True)
class Both:
    """Asks both servers the same, and answers when they answer the same."""

    ports: tuple[int, ...]
    base: str

    def __call__(
        self,
        method: str,
        path: str,
        json_body: Any = None,
        *,
        body: Any = None,
        media: str | None = "application/json",
        **headers: str,
    ) -> Answer:
        """``path`` is below the backoffice; ``x_user`` is the header ``X-User``."""
        if json_body is not None:
            body = json.dumps(json_body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and media is not None:
            sent["Content-Type"] = media
        chunks = list(body) if hasattr(body, "__next__") else None
        answers = [
            ask(port, method, self.base + path, sent, iter(chunks) if chunks else body)
            for port in self.ports
        ]
        assert answers[0] == answers[1]
        return answers[0]


@dataclasses.dataclass(frozen=True)
class Servers:
    """Both servers, each with backoffices of its own over every connector."""

    ports: tuple[int, ...]
    offices: tuple[dict[str, Backoffice], ...]
    fars: tuple[Backoffice, ...]
    """Where the stores ``redirect`` lead."""
    folder: Path

    def giving_ids(self, store: str) -> tuple[Backoffice, ...]:
        """The backoffices whose connectors keep the items and give them ids."""
        if store == "redirect":
            return self.fars
        return tuple(mine[store] for mine in self.offices)


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: Mongo
) -> Iterator[Servers]:
    """Started once for a module's tests."""
    folder = tmp_path_factory.mktemp("stores")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # The tests cut no power, and waiting for the disk is most of their time.
        patch.setattr(os, "fsync", lambda _descriptor: None)
        fars = tuple(far(folder / app / "far", kept()) for app in APPS)
        redirects = stack.enter_context(redirecting(*fars))
        made = []
        for app, redirect in zip(APPS, redirects, strict=True):
            uri = stack.enter_context(database_of(mongo_server))
            made.append(_offices(folder / app, uri, redirect))
        ports = _served(stack, *made)
        yield Servers(ports, tuple(made), fars, folder)
        for office in (*made[0].values(), *made[1].values(), *fars):
            for collection in office.collections.values():
                collection.db_handler.close()


def _offices(folder: Path, uri: str, redirect: Make) -> dict[str, Backoffice]:
    """One backoffice for each connector, by its name."""
    makes: dict[str, Make] = {
        store: functools.partial(_own, store, folder / store) for store in OWN_STORES
    }
    makes["mongo"] = lambda name: DBMongoConnector(connection_string=uri)
    makes["redirect"] = redirect
    return {store: declared(store, make) for store, make in makes.items()}


def _own(store: str, folder: Path, name: str) -> DBConnector:
    return OWN_STORES[store](folder / name)()


def _served(
    stack: ExitStack, first: dict[str, Backoffice], second: dict[str, Backoffice]
) -> tuple[int, ...]:
    fastapi, flask = FastAPI(), Flask("conformance")
    for office in first.values():
        fastapi.include_router(office.router("/api", authenticate))
    for office in second.values():
        office.build_routes(flask, "/api", authenticate)
    return (
        stack.enter_context(serve_fastapi(fastapi)),
        stack.enter_context(serve_flask(flask)),
    )


@pytest.fixture(params=STORES)
def both(request: pytest.FixtureRequest, servers: Servers) -> Both:
    """Both servers over one connector, with empty stores."""
    if reason := KNOWN_GAPS.get((request.param, request.function.__name__)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    for mine in servers.giving_ids(request.param):
        start_afresh(mine)
    return Both(servers.ports, f"/api/{request.param}")


ANY_STORE = pytest.mark.parametrize("both", ["memory"], indirect=True)
"""For what is answered before any store is asked."""

EMMA = {"title": "Emma", "pages": 474, "genre": "novel", "tags": ["a", "b"]}
ODES = {"title": "Odes", "pages": 120, "genre": "poetry", "shelf": {"row": 3}}
IDYLLS = {"title": "Idylls", "pages": 90, "authors": [{"name": "Theocritus"}]}


@pytest.fixture
def shelf(both: Both) -> Both:
    """Three books, with the ids 1 to 3."""
    for one in (EMMA, ODES, IDYLLS):
        assert both("POST", "/books", one).status == 201
    return both
