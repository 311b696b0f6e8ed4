"""Whole answers of backoffices behind both frameworks, for a user that the request
names; no server is needed."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from flask import Flask

from backo import Backoffice, current_user
from backo.http.messages import JSON, Request
from benchmarks.asgi import Call, messages_of

__all__ = ["Answer", "Ask", "Asked", "calling"]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request to make; ``path`` is below the backoffice and may have a query."""

    method: str
    path: str
    body: Any = None
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        body = "" if self.body is None else f" {json.dumps(self.body)}"
        return f"{self.method} {self.path}{body} {dict(self.headers) or ''}".rstrip()


@dataclasses.dataclass(frozen=True)
class Answer:
    """All that was answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> dict[str, str]:
        """The code of each fault, by its path."""
        return {one["path"]: one["code"] for one in self.json["errors"]}

    def header(self, name: str) -> str:
        """The one header of that name."""
        (value,) = [value for key, value in self.headers if key == name]
        return value


type Ask = Callable[..., Answer]
"""``ask(asked, user="")``; a user is a name, which is also the user's one role."""


def authenticate(request: Request) -> None:
    """Believe what a header says."""
    name = request.headers.get("x-user")
    if name:
        current_user.set({"_id": name, "login": name, "roles": [name]})


@contextmanager
def calling(adapter: str, office: Backoffice) -> Iterator[Ask]:
    """Ask ``office`` by way of that framework."""
    if adapter == "flask":
        yield _by_flask(office)
        return
    app = FastAPI()
    app.include_router(office.router(jwt_auth=authenticate))
    with asyncio.Runner() as runner:

        def ask(asked: Asked, user: str = "") -> Answer:
            path, _, query = f"/{office.name}{asked.path}".partition("?")
            headers = tuple(_headers(asked, user).items())
            call = Call(
                asked.method, path, query, _json(asked.body), asked.media, headers
            )
            start, *parts = runner.run(messages_of(app, call))
            told = [(key.decode(), value.decode()) for key, value in start["headers"]]
            body = b"".join(part.get("body", b"") for part in parts)
            return _answer(start["status"], told, body)

        yield ask


def _by_flask(office: Backoffice) -> Ask:
    app = Flask(office.name)
    office.build_routes(app, jwt_auth=authenticate)
    client = app.test_client()

    def ask(asked: Asked, user: str = "") -> Answer:
        found = client.open(
            f"/{office.name}{asked.path}",
            method=asked.method,
            data=_json(asked.body),
            content_type=None if asked.body is None else asked.media,
            headers=_headers(asked, user),
        )
        return _answer(found.status_code, list(found.headers), found.data)

    return ask


def _headers(asked: Asked, user: str) -> Mapping[str, str]:
    return dict(asked.headers) | ({"x-user": user} if user else {})


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    told = sorted((name.lower(), value) for name, value in headers)
    return Answer(status, tuple(told), body)


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()
