"""Backoffices behind both frameworks without any server: what is asked goes straight
to the application."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from flask import Flask

from backo import Backoffice
from backo.http.messages import JSON
from benchmarks.asgi import Answer, Call, call

__all__ = ["ADAPTERS", "Answer", "Ask", "asking"]

type Ask = Callable[..., Answer]
"""``ask(method, path, body=None, media=JSON)``; a path may have a query."""

ADAPTERS = ("fastapi", "flask")


@contextmanager
def asking(adapter: str, office: Backoffice) -> Iterator[Ask]:
    """Ask ``office`` by way of that framework."""
    if adapter == "flask":
        yield _by_flask(office)
        return
    app = FastAPI()
    app.include_router(office.router())
    with asyncio.Runner() as runner:

        def ask(method: str, path: str, body: Any = None, media: str = JSON) -> Answer:
            bare, _, query = path.partition("?")
            request = Call(method, bare, query, _json(body), media)
            return runner.run(call(app, request))

        yield ask


def _by_flask(office: Backoffice) -> Ask:
    app = Flask(office.name)
    office.build_routes(app)
    client = app.test_client()

    def ask(method: str, path: str, body: Any = None, media: str = JSON) -> Answer:
        kind = None if body is None else media
        found = client.open(path, method=method, data=_json(body), content_type=kind)
        return Answer(found.status_code, found.data)

    return ask


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()
