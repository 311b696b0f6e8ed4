"""A running media library, and what is found to be wrong with it, cell by cell."""

import asyncio
import base64
import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice
from backo.http.messages import JSON
from benchmarks.asgi import Call, messages_of
from examples.media_library.apps import fastapi_app
from examples.media_library.model import media_library
from tests.media_library.asking import Answer, Ask, asking, content
from tests.media_library.oracle import COLLECTIONS, ROLES
from tests.media_library.rules import Field
from tests.media_library.stocked import (
    CONTENTS,
    Stock,
    password,
    restore,
    stock,
    stored,
)

__all__ = [
    "Cells",
    "Library",
    "body_of",
    "given",
    "merged",
    "names",
    "opened",
    "told",
    "unmade",
    "verdict",
    "written",
]

type Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Library:
    """A running library, and what is in it before each request."""

    office: Backoffice
    ask: Ask
    stock: Stock
    tokens: dict[str, str | None]

    def answer(
        self, login: str, method: str, path: str, body: Any = None, **more: Any
    ) -> Answer:
        token = self.tokens[login]
        return self.ask(method, f"/media_library/{path}", body, token, **more)

    def items(self, collection: str) -> Iterator[tuple[str, Document]]:
        """All its items, as they are stored."""
        yield from self.stock[collection].items()

    def visible(self, login: str, collection: str) -> dict[str, Document]:
        """What the caller is to see of the items, by id."""
        rules = COLLECTIONS[collection]
        return {
            _id: rules.shown(login, one)
            for _id, one in self.items(collection)
            if rules.read.holds(login, one)
        }


@contextmanager
def opened(adapter: str, seeded: Path, folder: Path) -> Iterator[Library]:
    """The stocked library, in ``folder``, behind that framework."""
    shutil.copytree(seeded, folder)
    office = media_library(folder)
    documents = stock(stored(office))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MEDIA_LIBRARY_DATA", str(folder))
        with _asking(adapter) as ask:
            restore(office, _all_let_in(documents))
            tokens = {one: _token(ask, one) for one in (*ROLES, "zoe")}
            restore(office, documents)
            yield Library(office, ask, documents, tokens)


@contextmanager
def _asking(adapter: str) -> Iterator[Ask]:
    """As :func:`asking`, without a client that takes longer than what it asks."""
    if adapter == "flask":
        with asking(adapter) as ask:
            yield ask
        return
    app = fastapi_app()
    with asyncio.Runner() as runner:

        def ask_directly(
            method: str,
            path: str,
            body: Any = None,
            token: str | None = None,
            media: str = JSON,
        ) -> Answer:
            bare, _, query = path.partition("?")
            bearer = () if token is None else (("authorization", f"Bearer {token}"),)
            request = Call(method, bare, query, content(body), media, bearer)
            return Answer(*_parts(runner.run(messages_of(app, request))))

        yield ask_directly


def _parts(messages: list[Any]) -> tuple[int, dict[str, str], bytes]:
    start, *bodies = messages
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], told, b"".join(one.get("body", b"") for one in bodies)


def _all_let_in(documents: Stock) -> Stock:
    people = documents["users"].items()
    let_in = {_id: {**one, "suspended": False} for _id, one in people}
    return {**documents, "users": let_in}


def _token(ask: Ask, login: str) -> str | None:
    if login == "visitor":
        return None
    answer = ask("POST", "/login", {"login": login, "password": password(login)})
    token: str = answer.json["token"]
    return token


class Cells:
    """Compares what is with what the oracle says, cell by cell."""

    def __init__(self) -> None:
        self.number = 0
        self.wrong: list[str] = []

    def same(self, cell: str, found: Any, wanted: Any) -> None:
        self.number += 1
        if found != wanted:
            self.wrong.append(f"{cell}: {found!r}, and not {wanted!r}")

    def among(self, cell: str, found: Any, wanted: Any) -> None:
        self.number += 1
        if found not in wanted:
            self.wrong.append(f"{cell}: {found!r}, and not one of {wanted!r}")


def told(value: Any) -> Any:
    """A document without what is unset."""
    if isinstance(value, dict):
        kept = {key: told(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in (None, {}, [])}
    return [told(one) for one in value] if isinstance(value, list) else value


def given(value: Any) -> Any:
    """A document without what is null."""
    if isinstance(value, dict):
        return {key: given(one) for key, one in value.items() if one is not None}
    return [given(one) for one in value] if isinstance(value, list) else value


def names(document: Any, prefix: str = "") -> set[str]:
    """The paths of all fields that are in a document, unset or not."""
    if isinstance(document, list):
        return {path for one in document for path in names(one, prefix)}
    if not isinstance(document, dict):
        return set()
    found = {prefix + name for name in document}
    return found.union(*(names(one, f"{prefix}{k}.") for k, one in document.items()))


def verdict(answer: Answer) -> tuple[int, str]:
    """The status, and the code of the fault."""
    if answer.status < 400:
        return answer.status, ""
    problem = answer.json
    codes = [one["code"] for one in problem.get("errors", [])]
    return answer.status, codes[0] if codes else problem["code"]


def body_of(shown: Document, path: str, new: Any) -> Document:
    """The body that changes that field: of the first element, if it is in a List, and
    of a List, by adding to it."""
    name, _, rest = path.partition(".")
    return {name: _changed(shown.get(name), rest, new)}


def _changed(held: Any, path: str, new: Any) -> Any:
    if not path:
        more = isinstance(held, list)
        return [*held, *(one for one in new if one not in held)] if more else new
    if isinstance(held, list):
        first, *rest = held
        return [{**first, **body_of(first, path, new)}, *rest]
    return body_of(held or {}, path, new)


def merged(held: Any, body: Any) -> Any:
    """What is there after a body was written: Lists are written whole."""
    if not isinstance(held, dict) or not isinstance(body, dict):
        return body
    changed = {name: merged(held.get(name), one) for name, one in body.items()}
    return {**held, **changed}


def written(before: Stock, name: str, _id: str, body: Any, present: Stock) -> Stock:
    """What is stored after a body was written; ids and dates of new files are those
    that are stored at present."""
    item = merged(before[name][_id], body)
    after = {**before, name: {**before[name], _id: item}}
    for path in COLLECTIONS[name].files():
        if path in body:
            held, found = before[name][_id][path], present[name][_id][path]
            item[path] = _filed(held, body[path], found, COLLECTIONS[name].fields[path])
            after[CONTENTS] = _kept(before[CONTENTS], held, body[path], item[path])
    return after


def _filed(held: Any, given: Any, found: Document, field: Field) -> Any:
    """What is told of a file: a text is another content, and of what a dict says only
    the name is believed."""
    if isinstance(given, str):
        made = {key: found[key] for key in ("file_id", "modified")}
        return {**(field.told or {}), **made}
    return {**held, "filename": given.get("filename", held["filename"])}


def _kept(contents: Any, held: Any, given: Any, told_of: Document) -> Any:
    if not isinstance(given, str):
        return contents
    old = held["file_id"] if held else None
    assert told_of["file_id"] != old
    left = {_id: one for _id, one in contents.items() if _id != old}
    new = base64.b64decode(given.removeprefix("base64:"))
    return {**left, told_of["file_id"]: {"bytes": new}}


def unmade(documents: Stock) -> Stock:
    """Documents without who made them, when, and what is computed."""
    apart = ("_meta", "available")
    return {
        name: {
            _id: told({key: one[key] for key in one if key not in apart})
            for _id, one in some.items()
        }
        for name, some in documents.items()
    }
