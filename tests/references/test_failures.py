"""A failure at any call to any store: every document is what it was, to the byte, and
every link has its other half."""

import functools
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice, DBError, DBSqliteConnector, DBYmlConnector
from backo.connectors.memory import DBMemoryConnector
from backo.http.handlers import JSON_PATCH
from tests.conformance.conftest import SixMethods
from tests.inprocess import ADAPTERS, Ask, asking
from tests.references.failing import TAKES_EFFECT, Failing
from tests.references.press import Contents, agree, contents, opened
from tests.references.stores import STORES, Make

type Act = Callable[[], None]


def _six_methods(_folder: Path) -> Make:
    return lambda _name: SixMethods()


MAKERS: dict[str, Callable[[Path], Make]] = {**STORES, "six methods": _six_methods}
COMMENT = b"# written by hand\n"


@pytest.fixture(params=MAKERS)
def office(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backoffice]:
    # The tests cut no power.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    with opened(MAKERS[request.param](tmp_path)) as made:
        for collection in made.collections.values():
            monkeypatch.setattr(collection.db_handler, "generate_id", lambda _: "new")
        yield made


def fill(office: Backoffice) -> None:
    """Everything anew, past all that keeps links; YAML files have a comment."""
    restart(office)
    held: dict[str, list[dict[str, Any]]] = {
        "countries": [{"_id": "fr", "authors": ["zola", "verne"]}, {"_id": "it"}],
        "authors": [
            {"_id": "zola", "country": "fr", "books": ["nana", "germinal"]},
            {"_id": "verne", "country": "fr", "books": ["around"]},
            {"_id": "dante", "books": ["comedy"]},
        ],
        "books": [
            {"_id": "nana", "author": "zola", "tags": ["red", "old"]},
            {"_id": "germinal", "author": "zola", "tags": ["old"]},
            {"_id": "around", "author": "verne", "tags": ["red"]},
            {"_id": "comedy", "author": "dante", "tags": ["old", "red"]},
        ],
        "tags": [
            {"_id": "red", "books": ["comedy", "nana", "around"]},
            {"_id": "old", "books": ["nana", "germinal", "comedy"]},
            {"_id": "new"},
        ],
        "notes": [],
    }
    for name, documents in held.items():
        connector = office.collection(name).db_handler
        connector.drop()
        for document in documents:
            connector.create({**document, "name": f"{name}: é"})
        if isinstance(connector, DBYmlConnector):
            for path in connector.path.glob("*.yml"):
                path.write_bytes(COMMENT + path.read_bytes())


def restart(office: Backoffice) -> None:
    """What was left to be tidied up by the next start is."""
    collections = office.collections.values()
    for _ in range(2):
        # Once more for what waited for another store.
        for collection in collections:
            collection.db_handler.close()
        for collection in collections:
            collection.db_handler.bind(collection.plan)


def raw(office: Backoffice) -> dict[str, Any]:
    """What the stores hold, to the byte."""
    found: dict[str, Any] = {}
    for name, collection in office.collections.items():
        match connector := collection.db_handler:
            case DBYmlConnector():
                found[name] = _files(connector.path)
            case DBSqliteConnector():
                found |= _rows(connector.path)
            case DBMemoryConnector():
                found[name] = dict(connector._texts)
            case SixMethods():
                texts = {key: json.dumps(one) for key, one in connector.items.items()}
                found[name] = texts
    return found


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mode, path.read_bytes())
        for path in folder.glob("*")
        if path.name != ".lock"
    }


def _rows(path: Path) -> dict[str, list[Any]]:
    """The rows of each table that has any."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = [name for (name,) in connection.execute(sql)]
        rows = {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall())  # noqa: S608
            for name in tables
        }
    return {name: held for name, held in rows.items() if held}


def seen(office: Backoffice) -> Contents:
    """The documents without the times of their changes."""
    return {
        name: {
            _id: {
                key: value
                for key, value in one.items()
                if key != "_meta" and value not in (None, [])
            }
            for _id, one in documents.items()
        }
        for name, documents in contents(office).items()
    }


def check_each_failure(
    office: Backoffice, act: Act, error: type[Exception], *, after: bool
) -> list[str]:
    """Do it again and again, failing at one call after the other, until there are no
    more; gives the calls."""
    fill(office)
    before = raw(office)
    assert agree(contents(office))
    act()
    wanted = seen(office)
    assert agree(wanted)
    refused, k = 0, 0
    while True:
        if raw(office) != before:
            fill(office)
            assert raw(office) == before
        k += 1
        failing = Failing(office, k, error("no"), after=after)
        with pytest.MonkeyPatch.context() as patch:
            failing.install(patch)
            try:
                act()
                done = True
            except (error, Refused):
                done = False
        if done:
            assert seen(office) == wanted, failing.calls[:k]
        elif after and failing.failed in TAKES_EFFECT and raw(office) != before:
            assert seen(office) == wanted, failing.calls[:k]
        else:
            refused += 1
            assert raw(office) == before, failing.calls[:k]
        assert agree(contents(office))
        if failing.failed is None:
            assert done
            # After the decision a failure is one to tidy up, and told to nobody.
            assert refused > k // 2
            return failing.calls


# -- through Items -----------------------------------------------------------------


def create(office: Backoffice) -> None:
    office.collection("books").create({"author": "zola", "tags": ["red", "new"]})


def change(office: Backoffice) -> None:
    book = office.collection("books").get_by_id("nana")
    book.author = "verne"
    book.save()


def edit(office: Backoffice) -> None:
    tag = office.collection("tags").get_by_id("red")
    tag.books = ["germinal", "nana"]
    tag.save()


def delete(office: Backoffice) -> None:
    office.collection("countries").get_by_id("fr").delete()


ITEMS = {"create": create, "change": change, "edit": edit, "delete": delete}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ITEMS)
def test_through_items(office: Backoffice, act: str, after: bool) -> None:
    check_each_failure(office, lambda: ITEMS[act](office), DBError, after=after)


# -- through HTTP ------------------------------------------------------------------


class Refused(Exception):  # noqa: N818
    """The answer was a problem."""


REQUESTS: dict[str, tuple[Any, ...]] = {
    "create": ("POST", "/books", {"author": "zola", "tags": ["red", "new"]}),
    "change": ("PUT", "/books/nana", {"author": "verne"}),
    "edit": (
        "PATCH",
        "/tags/red",
        [
            {"op": "remove", "path": "/books/0"},
            {"op": "replace", "path": "/books/1", "value": "germinal"},
        ],
    ),
    "delete": ("DELETE", "/countries/fr"),
}
STATUS: dict[type[Exception], int] = {DBError: 503, RuntimeError: 500}


def request(ask: Ask, act: str, status: int) -> None:
    """Ask for it; the one problem there may be has this status."""
    method, path, *body = REQUESTS[act]
    media = {"media": JSON_PATCH} if method == "PATCH" else {}
    answer = ask(method, f"/press{path}", *body, **media)
    if answer.status >= 400:
        assert answer.status == json.loads(answer.body)["status"] == status
        raise Refused


@pytest.mark.slow
@pytest.mark.parametrize(("adapter", "error"), list(zip(ADAPTERS, STATUS, strict=True)))
def test_through_http(office: Backoffice, adapter: str, error: type[Exception]) -> None:
    with asking(adapter, office) as ask:
        for act, after in itertools.product(REQUESTS, [False, True]):
            ask_for = functools.partial(request, ask, act, STATUS[error])
            check_each_failure(office, ask_for, error, after=after)
