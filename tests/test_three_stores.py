"""One backoffice over YAML, MongoDB and SQLite: links, filters and failures across."""

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backo import Backoffice, DBError
from examples.three_stores.model import seed, three_stores
from tests.inprocess import ADAPTERS, Ask, asking
from tests.running_example import running_example

ROOT = Path(__file__).parents[1]
BASE = "/three_stores"
STORES = ("nationalities", "authors", "books")
WRITES = (
    *("create", "save", "delete_by_id"),
    *("compare_and_set", "compare_and_delete", "edit_lists"),
)

type Contents = dict[str, list[dict[str, Any]]]


@pytest.fixture
def office(
    tmp_path: Path, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backoffice]:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    made = three_stores(tmp_path, mongo_database)
    assert seed(made)
    yield made
    for one in made.collections.values():
        one.db_handler.close()


@pytest.fixture(params=ADAPTERS)
def ask(request: pytest.FixtureRequest, office: Backoffice) -> Iterator[Ask]:
    with asking(request.param, office) as asked:
        yield asked


def contents(office: Backoffice) -> Contents:
    """Everything that is stored, in all three."""
    return {name: list(office.collections[name].db_handler.scan()) for name in STORES}


def answer(ask: Ask, method: str, path: str, body: Any = None) -> Any:
    given = ask(method, BASE + path, body)
    assert given.status in (200, 201, 204), given
    return json.loads(given.body) if given.body else None


def titles(ask: Ask, query: str) -> list[str]:
    return [one["title"] for one in answer(ask, "GET", f"/books?{query}")["result"]]


def test_it_is_filled_once(office: Backoffice) -> None:
    before = contents(office)
    assert not seed(office)
    assert contents(office) == before
    assert office.check_references() == []


def test_filters_and_sorts_go_through_all_three(ask: Ask) -> None:
    french = "author.nationality.a2=FR"
    assert titles(ask, f"{french}&_sort=$.year") == [
        *("Michel Strogoff", "Nana", "Germinal")
    ]
    by_country = "_sort=-$.author.nationality.name,-$.author.name,$.title"
    assert titles(ask, by_country) == [
        *("Emma", "Anna Karenina", "Germinal", "Nana", "Michel Strogoff")
    ]
    assert titles(ask, "author.nationality.a2.$ne=FR&_sort=$.title") == [
        *("Anna Karenina", "Emma")
    ]
    rows = answer(ask, "GET", "/books/_selections/french")["result"]
    assert rows[0] == ["michel-strogoff", "Michel Strogoff", "Jules Verne", "France"]
    expanded = answer(ask, "GET", "/books/emma?_expand=author,author.nationality")
    assert expanded["author"]["nationality"]["a2"] == "GB"


def test_links_are_made_moved_and_cut_across_them(ask: Ask, office: Backoffice) -> None:
    made = answer(ask, "POST", "/authors", {"name": "Voltaire", "nationality": "fr"})
    _id = made["_id"]
    book = answer(ask, "POST", "/books", {"title": "Candide", "author": _id})
    assert answer(ask, "GET", f"/authors/{_id}")["books"] == [book["_id"]]
    answer(ask, "PUT", f"/books/{book['_id']}", {"author": "austen"})
    assert answer(ask, "GET", f"/authors/{_id}")["books"] == []
    assert book["_id"] in answer(ask, "GET", "/authors/austen")["books"]
    answer(ask, "PUT", f"/authors/{_id}", {"nationality": None})
    assert "Voltaire" not in [
        one["name"]
        for one in answer(ask, "GET", "/authors?nationality.a2=FR")["result"]
    ]
    answer(ask, "DELETE", f"/books/{book['_id']}")
    answer(ask, "DELETE", f"/authors/{_id}")
    assert office.check_references() == []


def test_what_is_deleted_is_unlinked_or_refused(ask: Ask, office: Backoffice) -> None:
    assert ask("DELETE", f"{BASE}/authors/zola").status == 409
    answer(ask, "DELETE", "/nationalities/fr")
    assert answer(ask, "GET", "/authors/zola")["nationality"] is None
    assert titles(ask, "author.nationality.a2=FR") == []
    assert ask("POST", f"{BASE}/books", {"title": "X", "author": "fr"}).status == 422
    assert office.check_references() == []


# -- failures ----------------------------------------------------------------------


@contextmanager
def failing(office: Backoffice, store: str, number: int) -> Iterator[list[str]]:
    """Let that call that writes to the store fail, after it took effect."""
    connector, calls = office.collections[store].db_handler, list[str]()

    def call(method: Any, name: str, *args: Any) -> Any:
        calls.append(name)
        mine = len(calls) == number
        given = method(*args)
        if mine:
            raise DBError("injected")
        return given

    for name in WRITES:
        wrapped = functools.partial(call, getattr(connector, name), name)
        setattr(connector, name, wrapped)
    try:
        yield calls
    finally:
        for name in WRITES:
            delattr(connector, name)


def change_everything(office: Backoffice) -> None:
    """One unit of work that writes to each of the three."""
    with office.transaction():
        office.nationalities.create({"_id": "ch", "name": "Suisse", "a2": "CH"})
        office.authors.create({"_id": "rousseau", "name": "R.", "nationality": "ch"})
        office.books.create({"_id": "emile", "title": "Émile", "author": "rousseau"})
        emma = office.books.get_by_id("emma")
        emma.author = "rousseau"
        emma.save()
        office.nationalities.get_by_id("ru").delete()
        france = office.nationalities.get_by_id("fr")
        france.name = "République"
        france.save()


@pytest.mark.parametrize("store", STORES)
def test_a_failure_in_the_middle_leaves_all_as_it_was(
    office: Backoffice, store: str
) -> None:
    before, number = contents(office), 0
    while True:
        number += 1
        with failing(office, store, number) as calls:
            try:
                change_everything(office)
            except DBError as error:
                assert "injected" in str(error)  # noqa: PT017 - it may be none
            else:
                break
        assert contents(office) == before, calls
        assert office.check_references() == []
    assert number > 1
    after = contents(office)
    assert [one["_id"] for one in after["nationalities"]] == ["ch", "fr", "gb"]
    books = {one["_id"]: one["books"] for one in after["authors"]}
    assert sorted(books["rousseau"]) == ["emile", "emma"]
    assert office.check_references() == []


@pytest.mark.parametrize("store", STORES)
def test_a_client_is_told_and_nothing_is_left(
    ask: Ask, office: Backoffice, store: str
) -> None:
    before = contents(office)
    body = {"title": "Lettres", "author": "austen"}
    path = {"books": "/books", "authors": "/books", "nationalities": "/nationalities"}
    if store == "nationalities":
        body = {"name": "Suisse", "a2": "CH"}
    with failing(office, store, 1):
        given = ask("POST", BASE + path[store], body)
    assert given.status == 503, given
    assert b"injected" not in given.body
    assert contents(office) == before


# -- as it is run ------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--flask"]], ids=ADAPTERS)
def test_what_the_example_says_is_true(
    tmp_path: Path, mongo_database: str, arguments: list[str]
) -> None:
    environment = {**os.environ, "THREE_STORES_DATA": str(tmp_path)}
    options = ["--port", "0", "--mongo-uri", mongo_database, *arguments]
    for _ in range(2):
        with running_example("three_stores", environment, *options) as said:
            url = next(one for one in said.split() if one.endswith("/french"))
            rows = httpx.get(url, trust_env=False).raise_for_status().json()
            assert rows["total"] == 3
    assert {path.name for path in (tmp_path / "nationalities").glob("*.yml")} == {
        *("fr.yml", "gb.yml", "ru.yml")
    }


def test_without_a_mongodb_it_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "THREE_STORES_DATA": str(tmp_path)}
    uri = "mongodb://127.0.0.1:1/three?serverSelectionTimeoutMS=200"
    with pytest.raises(AssertionError, match="the example ended"):
        with running_example(
            "three_stores", environment, "--port", "0", "--mongo-uri", uri
        ):
            pass
    assert not list((tmp_path).rglob("*.yml"))
