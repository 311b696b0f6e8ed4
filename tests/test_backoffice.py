"""Backoffices: collections under one name."""

import pytest

from backo import Backoffice, Collection, Item, SSyntaxError, String
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
