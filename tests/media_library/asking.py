"""Asks the media library's applications, with a token or without."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastapi.testclient import TestClient

from backo.http.messages import JSON
from examples.media_library.apps import fastapi_app, flask_app
from examples.media_library.seed import PASSWORDS

__all__ = ["ADAPTERS", "Answer", "Ask", "asking", "content", "log_in"]

ADAPTERS = ("fastapi", "flask")


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


type Ask = Callable[..., Answer]
"""``ask(method, path, body=None, token=None, media=JSON)``; bytes are sent as they
are."""


@contextmanager
def asking(adapter: str) -> Iterator[Ask]:
    """Ask the application of that framework."""
    if adapter == "flask":
        yield _by_flask()
        return
    with TestClient(fastapi_app(), raise_server_exceptions=False) as client:

        def ask(
            method: str,
            path: str,
            body: Any = None,
            token: str | None = None,
            media: str = JSON,
        ) -> Answer:
            headers = _headers(token, media)
            given = client.request(method, path, content=content(body), headers=headers)
            return Answer(given.status_code, dict(given.headers), given.content)

        yield ask


def _by_flask() -> Ask:
    client = flask_app().test_client()

    def ask(
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        media: str = JSON,
    ) -> Answer:
        headers = _headers(token, media)
        given = client.open(path, method=method, data=content(body), headers=headers)
        return Answer(given.status_code, dict(given.headers), given.data)

    return ask


def content(body: Any) -> bytes:
    """The bytes that are sent of a body."""
    if isinstance(body, bytes):
        return body
    return b"" if body is None else json.dumps(body).encode()


def _headers(token: str | None, media: str) -> dict[str, str]:
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    return {"Content-Type": media, **bearer}


def log_in(ask: Ask, login: str) -> str:
    """A token of theirs."""
    answer = ask("POST", "/login", {"login": login, "password": PASSWORDS[login]})
    assert answer.status == 200
    token: str = answer.json["token"]
    return token
