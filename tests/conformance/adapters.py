"""The same backoffices behind both frameworks, over every connector."""

import dataclasses
import http.client
import itertools
import json
import os
import socket
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
    Bool,
    Collection,
    Datetime,
    DBError,
    Dict,
    Float,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    SessionError,
    SRightError,
    StandardMetaDataHandler,
    String,
    Url,
    current_user,
)
from backo.connectors.base import DBConnector, Document
from backo.http.messages import Request
from tests.conformance.conftest import CONNECTORS

__all__ = [
    "ANY_STORE",
    "Answer",
    "Both",
    "EMMA",
    "FixedClock",
    "Servers",
    "ask",
    "both",
    "serve_fastapi",
    "serve_flask",
    "servers",
    "shelf",
]

STORES = {
    name.replace(" ", "-"): CONNECTORS[name]
    for name in ("memory", "yml", "sqlite", "six methods")
}
MAX_BODY = 20_000
OWN_HEADERS = frozenset({"date", "server", "connection"})
"""What servers add by themselves."""


class FixedClock(StandardMetaDataHandler):
    """Writes the same time on every item."""

    def stamp(self, document: Document, *, created: bool) -> None:
        super().stamp(document, created=created)
        document["_meta"] |= dict.fromkeys(
            ("ctime", "mtime"), "2024-02-29T12:00:00+00:00"
        )


def book() -> Item:
    """An Item that goes from document to document."""
    return Item(
        {
            "title": String(required=True, description="The title"),
            "isbn": String(pattern="^[0-9]{13}$"),
            "pages": Int(min=1, max=10_000),
            "score": Float(min=0.0, max=10.0),
            "genre": String(enum=["novel", "poetry"]),
            "tags": List(String(), uniq=True, max=5),
            "lent": Bool(default=False),
            "link": Url(),
            "published": Datetime(),
            "shelf": Dict({"room": String(default="hall"), "row": Int(min=1)}),
            "authors": List(Dict({"name": String(required=True), "born": Int()})),
            "secret": String(can_read=False),
            "stamp": String(can_modify=False, default="backo"),
        },
        meta_data_handler=FixedClock(),
    )


def note() -> Item:
    """An Item whose callables must see it."""
    return Item(
        {
            "text": String(required=True, constraint=_fragile),
            "size": Int(set=lambda root: len(root.text.get_value())),
            "owner": String(
                can_modify=lambda _right, _item: current_user.has_role("A")
            ),
            "hidden": Bool(default=False),
        },
        meta_data_handler=None,
    )


def _fragile(_root: Any, value: Any, _old: Any) -> Any:
    if value == "boom":
        raise RuntimeError("the constraint itself is broken")
    return value != "rude"


def not_hidden(_right: str, item: Any) -> bool:
    return not item.hidden.get_value()


def unlocked(_right: str, item: Any) -> bool:
    return bool(item.text.get_value() != "locked")


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


def offices(folder: Path) -> dict[str, Backoffice]:
    """One backoffice for each connector, by its name."""
    return {name: _office(name, folder / name) for name in STORES}


def _office(store: str, folder: Path) -> Backoffice:
    office = Backoffice(store, max_body_size=MAX_BODY)

    def connector(name: str) -> DBConnector:
        return STORES[store](folder / name)()

    office.register_collection(Collection("books", book(), connector("books")))
    rights: dict[str, Any] = {"can_read": not_hidden, "can_create": unlocked}
    rights |= {"can_modify": unlocked, "can_delete": unlocked}
    notes = Collection("notes", note(), connector("notes"), **rights)
    office.register_collection(notes)
    frozen = Collection(
        "constants",
        Item({"value": Int()}, meta_data_handler=None),
        connector("constants"),
        can_create=False,
        can_modify=False,
        can_delete=False,
    )
    office.register_collection(frozen)
    for name, fields in linked().items():
        item = Item(fields, meta_data_handler=FixedClock())
        can_read = not_hidden if name == "writers" else None
        office.register_collection(
            Collection(name, item, connector(name), can_read=can_read)
        )
    return office


def linked() -> dict[str, dict[str, Any]]:
    """Novels and their writers, plays and their themes."""
    return {
        "novels": {
            "name": String(required=True),
            "writer": Ref(coll="writers", field="$.works"),
            "readers": RefsList(coll="writers"),
        },
        "writers": {
            "name": String(required=True),
            "hidden": Bool(default=False),
            "works": RefsList(coll="novels", field="$.writer"),
        },
        "plays": {
            "name": String(required=True),
            "theme": Ref(coll="themes", field="$.plays", required=True),
        },
        "themes": {
            "name": String(required=True),
            "plays": RefsList(coll="plays", field="$.theme"),
        },
    }


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
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
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

    ports: tuple[int, int]
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

    ports: tuple[int, int]
    offices: tuple[dict[str, Backoffice], dict[str, Backoffice]]
    folder: Path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once for a module's tests."""
    folder = tmp_path_factory.mktemp("stores")
    first, second = offices(folder / "fastapi"), offices(folder / "flask")
    fastapi, flask = FastAPI(), Flask("conformance")
    for office in first.values():
        fastapi.include_router(office.router("/api", authenticate))
    for office in second.values():
        office.build_routes(flask, "/api", authenticate)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # The tests cut no power, and waiting for the disk is most of their time.
        patch.setattr(os, "fsync", lambda _descriptor: None)
        ports = (
            stack.enter_context(serve_fastapi(fastapi)),
            stack.enter_context(serve_flask(flask)),
        )
        yield Servers(ports, (first, second), folder)
    for office in (*first.values(), *second.values()):
        for collection in office.collections.values():
            collection.db_handler.close()


@pytest.fixture(params=STORES)
def both(request: pytest.FixtureRequest, servers: Servers) -> Both:
    """Both servers over one connector, with empty stores."""
    for mine in servers.offices:
        start_afresh(mine[request.param])
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
