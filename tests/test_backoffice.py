"""Backoffices: collections under one name."""

from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    Item,
    SSyntaxError,
    String,
)
from backo.connectors.memory import DBMemoryConnector


def collection(name: str) -> Collection:
    return Collection(name, Item({"title": String()}), DBMemoryConnector())


def test_a_collection_is_an_attribute() -> None:
    office = Backoffice("office")
    office.register_collection(collection("books"))
    office.add_collection(collection("authors"))
    assert office.books.name == "books"
    assert list(office.collections) == ["books", "authors"]
    assert office.books.get_other_collection("authors") is office.authors
    with pytest.raises(AttributeError, match="nope"):
        office.nope  # noqa: B018


def test_an_unknown_collection_is_a_mistake_in_the_schema() -> None:
    office = Backoffice("office")
    with pytest.raises(SSyntaxError, match="nope"):
        office.collection("nope")
    with pytest.raises(SSyntaxError, match="no backoffice"):
        collection("books").get_other_collection("x")


@pytest.mark.parametrize("second", ["books", "Books"])
def test_two_collections_of_one_name_are_refused(second: str) -> None:
    office = Backoffice("office")
    office.register_collection(collection("books"))
    with pytest.raises(SSyntaxError, match=second):
        office.register_collection(collection(second))


@pytest.mark.parametrize(
    "name",
    [
        "add_collection",
        "build_routes",
        "collection",
        "collections",
        "frozen",
        "info",
        "name",
        "register_collection",
        "router",
        "version",
    ],
)
def test_a_collection_that_no_attribute_would_reach_is_refused(name: str) -> None:
    office = Backoffice("office")
    with pytest.raises(SSyntaxError, match=name):
        office.register_collection(collection(name))
    assert not office.collections


def _sqlite(folder: Path, **options: Any) -> DBConnector:
    return DBSqliteConnector(path=folder / "x.db", **options)


def _yml(folder: Path, **options: Any) -> DBConnector:
    return DBYmlConnector(path=folder / "x", **options)


@pytest.mark.parametrize("make", [_sqlite, _yml])
def test_two_collections_in_one_place_are_refused(make: Any, tmp_path: Path) -> None:
    office = Backoffice("office")
    office.register_collection(Collection("books", Item({}), make(tmp_path)))
    (tmp_path / "below").mkdir()
    same = make(tmp_path / "below" / "..")
    with pytest.raises(SSyntaxError, match="authors.*books"):
        office.register_collection(Collection("authors", Item({}), same))
    thin = make(tmp_path, restriction=lambda: {})
    office.register_collection(Collection("booklets", Item({}), thin))
    office.register_collection(Collection("notes", Item({}), make(tmp_path / "other")))
    for one in office.collections.values():
        one.db_handler.close()


def test_tables_of_one_file_are_places_of_their_own(tmp_path: Path) -> None:
    office = Backoffice("office")
    books = _sqlite(tmp_path, table="books")
    office.register_collection(Collection("books", Item({}), books))
    authors = _sqlite(tmp_path, table="authors")
    office.register_collection(Collection("authors", Item({}), authors))
    # SQLite's names have no case.
    again = Collection("again", Item({}), _sqlite(tmp_path, table="BOOKS"))
    with pytest.raises(SSyntaxError, match="again.*books"):
        office.register_collection(again)
    books.close()
    authors.close()


def test_a_connector_belongs_to_one_collection() -> None:
    office, store = Backoffice("office"), DBMemoryConnector()
    office.register_collection(Collection("books", Item({}), store))
    with pytest.raises(SSyntaxError, match="authors.*books"):
        office.register_collection(Collection("authors", Item({}), store))


def test_a_collection_belongs_to_one_backoffice() -> None:
    books = collection("books")
    Backoffice("one").register_collection(books)
    with pytest.raises(SSyntaxError, match="another"):
        Backoffice("two").register_collection(books)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "é", "{x}"])
def test_a_backoffice_of_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(SSyntaxError):
        Backoffice(name)


def test_its_meta_structure_has_what_may_be_read() -> None:
    office = Backoffice("office", version="2.1.0")
    office.register_collection(collection("books"))
    hidden = Collection("secrets", Item({}), DBMemoryConnector(), can_read=False)
    office.register_collection(hidden)
    meta = office.get_meta()
    assert (meta["name"], meta["version"]) == ("office", "2.1.0")
    assert [one["name"] for one in meta["collections"]] == ["books"]


def test_everything_works_without_any_route() -> None:
    office = Backoffice("office")
    office.register_collection(collection("books"))
    assert office.books.create({"title": "Emma"}).title == "Emma"
    assert office.frozen is False
