"""Files of Items, in Python."""

import gc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBSqliteConnector,
    Dict,
    File,
    FileSystemConnector,
    GenericMetaDataHandler,
    Item,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from tests.files.abandoning import let_go


class Collecting(GenericMetaDataHandler):
    """Stamps nothing, and has nobody hold what nobody needs."""

    def stamp(self, document: dict[str, Any], *, created: bool) -> None:
        gc.collect()


@pytest.fixture
def store(tmp_path: Path) -> FileSystemConnector:
    return FileSystemConnector(path=tmp_path / "contents")


@pytest.fixture
def books(store: FileSystemConnector, tmp_path: Path) -> Iterator[Collection]:
    there = DBSqliteConnector(path=tmp_path / "books.db", table="books")
    files = {"cover": File(work=store), "back": File(work=store)}
    item = Item({"title": String(), **files}, meta_data_handler=Collecting())
    office = Backoffice("office")
    office.register_collection(Collection("books", item, there))
    yield office.books
    there.close()


def contents(store: FileSystemConnector) -> set[str]:
    return {one.file_id for one in store.stored()}


def test_what_is_never_saved_is_discarded(
    books: Collection, store: FileSystemConnector
) -> None:
    book = books.create({"title": "Emma", "cover": "first"})
    before = contents(store)
    book.cover = BytesIO(b"second")
    assert len(contents(store)) == 2
    del book
    gc.collect()
    # The collector may have run while the store holds a lock.
    assert len(contents(store)) == 2
    let_go()
    assert contents(store) == before


def test_a_file_survives_the_change_that_others_made_meanwhile(
    books: Collection, store: FileSystemConnector
) -> None:
    _id = str(books.create({"title": "Emma", "cover": "first"})["_id"])
    mine, theirs = books.get_by_id(_id), books.get_by_id(_id)
    mine.cover = "mine"
    theirs.title = "Persuasion"
    theirs.back = "theirs"
    theirs.save()
    mine.save()
    found = books.get_by_id(_id)
    assert found.title == "Persuasion"
    assert found.cover.get_content() == b"mine"
    assert found.back.get_content() == b"theirs"
    assert len(contents(store)) == 2


def test_a_file_of_both_is_that_of_one(
    books: Collection, store: FileSystemConnector
) -> None:
    _id = str(books.create({"cover": "first"})["_id"])
    mine, theirs = books.get_by_id(_id), books.get_by_id(_id)
    mine.cover, theirs.cover = "mine", b"\x89PNG\r\n\x1a\n"
    theirs.save()
    mine.save()
    found = books.get_by_id(_id).cover
    assert (found.get_content(), found.content_type) == (b"mine", "text/plain")
    assert contents(store) == {str(found.file_id)}


def test_copies_share_no_content(books: Collection, store: FileSystemConnector) -> None:
    book = books.create({"cover": "text"})
    values = {"cover": book.cover.get_value()}
    other = books.create(values)
    book.back = book.cover
    book.save()
    assert len(contents(store)) == 3
    book.delete()
    assert other.cover.get_content() == b"text"
    assert contents(store) == {str(other.cover.file_id)}


def test_a_dict_that_looks_like_a_file_is_none(store: FileSystemConnector) -> None:
    told = Dict({"file_id": String(), "content_type": String()})
    office = Backoffice("office")
    item = Item({"cover": File(work=store), "told": told})
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    one = office.books.create({"cover": "content"})
    file_id = str(one["cover"]["file_id"])
    lying = {"file_id": file_id, "content_type": "text/html"}
    _id = str(office.books.create({"told": lying})["_id"])
    other = office.books.get_by_id(_id)
    other.cover = {"file_id": file_id}
    other.save()
    found = office.books.get_by_id(_id).cover
    assert found.get_content() == b"content"
    assert found.file_id != file_id
    assert found.content_type == "text/plain"
