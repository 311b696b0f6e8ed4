"""What processes of the tests do with a press."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from flask import Flask

from backo import Backoffice
from tests.conformance.adapters import serve_fastapi, serve_flask
from tests.references.press import opened
from tests.references.stores import ALL_STORES

__all__ = ["ADAPTERS", "EACH", "add_books", "add_books_when_told", "served", "serving"]

EACH = 50
"""How many books one writer creates."""


def add_books(office: Backoffice, writer: int) -> None:
    """Create books of the author zola: every other writer by Items, the rest from
    document to document, as HTTP does."""
    books = office.collection("books")
    for number in range(EACH):
        book = {"name": f"{writer}/{number}", "author": "zola"}
        if writer % 2:
            books.create(book)
        else:
            books.access.insert(books.models.create.document(book), "client")


def add_books_when_told(
    store: str, folder: Path, writer: int, told: Connection
) -> None:
    """In a process of its own: say when ready, and when done."""
    _cut_no_power()
    with opened(ALL_STORES[store](folder)) as office:
        told.send("ready")
        told.recv()
        add_books(office, writer)
        told.send("done")


def _by_fastapi(office: Backoffice) -> AbstractContextManager[int]:
    app = FastAPI()
    app.include_router(office.router())
    return serve_fastapi(app)


def _by_flask(office: Backoffice) -> AbstractContextManager[int]:
    app = Flask(office.name)
    office.build_routes(app)
    return serve_flask(app)


ADAPTERS: Mapping[str, Callable[[Backoffice], AbstractContextManager[int]]] = {
    "fastapi": _by_fastapi,
    "flask": _by_flask,
}


def served(adapter: str, office: Backoffice) -> AbstractContextManager[int]:
    """The port where ``office`` answers."""
    return ADAPTERS[adapter](office)


def serving(
    adapter: str, store: str, folder: Path, numbers: int, told: Connection
) -> None:
    """In a process of its own: serve a press, and tell the port."""
    _cut_no_power()
    with (
        opened(ALL_STORES[store](folder), numbers) as office,
        served(adapter, office) as port,
    ):
        told.send(port)
        told.recv()


def _cut_no_power() -> None:
    """Waiting for the disk would be most of the time."""
    without: Any = lambda _descriptor: None  # noqa: E731
    os.fsync = without
