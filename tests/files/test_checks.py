"""Questions about items that are still being written: their files are looked at, and
kept nowhere."""

from typing import Any

import pytest

from backo import (
    Backoffice,
    BlobFile,
    Collection,
    File,
    FileBlobConnector,
    FileSystemConnector,
    Item,
    List,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from tests.files.abandoning import let_go


class Unwritten(FileSystemConnector):
    """Fails when it is written to."""

    closed = False

    def write(self, file_id: str, chunks: Any) -> None:
        assert not self.closed, "a content was written"
        super().write(file_id, chunks)


def tall(_value: Any, root: Any) -> bool:
    return bool(root.cover.has_file() and root.cover.get_content() == b"tall")


@pytest.fixture
def books(tmp_path: Any) -> Collection:
    work = Unwritten(path=tmp_path / "files")
    schema = {
        "title": String(required=True),
        "cover": File(work=work, mime_types=["text/*"], max_size=10),
        "doc": File(work=work),
        "note": BlobFile(max_size=5),
        "scans": List(File(work=work, mime_types=["text/*"])),
        "height": String(exists=tall),
        "label": File(work=work, set=lambda book: f"of {book.title}", views=["save"]),
        "same": File(work=work, set=lambda book: book.doc, views=["save"]),
    }
    made = Collection("books", Item(schema), DBMemoryConnector())
    Backoffice("office").register_collection(made)
    made.create({"_id": "a", "title": "a", "doc": "of another"})
    work.closed = True
    return made


@pytest.mark.parametrize(
    ("item", "path", "error"),
    [
        ({"cover": "text"}, "$.cover", None),
        ({"cover": "<html>"}, "$.cover", None),
        ({"cover": "%PDF-1.4"}, "$.cover", "must be of type text/*"),
        ({"cover": "%PDF-1.4", "title": "x"}, "$.title", None),
        ({"cover": "more than that"}, "$.cover", "a file may have 10 bytes"),
        ({"note": "base64:aGVsbG8="}, "$.note", None),
        ({"note": "base64:aGVsbG8h"}, "$.note", "a file may have 5 bytes"),
        ({"note": "base64:!"}, "$.note", "must be base64"),
        ({"cover": 1}, "$.cover", "must be the content"),
        ({"scans": ["a", "%PDF-1.4"]}, "$.scans", "must be of type text/*"),
        ({"scans": ["a", "b"], "label": "x"}, "$.scans", None),
        ({"title": "x"}, "$.label", None),
        ({"title": "x", "doc": "y"}, "$.same", None),
        ({}, "$.title", "required"),
    ],
)
def test_a_file_is_checked_and_not_kept(
    books: Collection, item: Any, path: str, error: str | None
) -> None:
    found = books.check(item, path)
    assert (error in found) if error and found else found == error
    books.get_meta(item)


def test_the_file_of_another_item_is_not_told_of(books: Collection) -> None:
    file_id = str(books.get_by_id("a").doc.file_id)
    for known in (file_id, "unknown", "../x"):
        told = {"file_id": known, "filename": "x", "content_type": "text/plain"}
        for field in ("doc", "cover"):
            assert books.check({"title": "x", field: told}, f"$.{field}") is None
    books.get_meta({"cover": {"file_id": file_id}})


def test_functions_see_what_is_given_and_nothing_of_other_items(
    books: Collection,
) -> None:
    def exists(cover: Any) -> bool:
        told = books.get_meta({"title": "x", "cover": cover})
        return bool(told["item"]["sub_scheme"]["height"]["exists"])

    assert exists("tall")
    assert not exists("short")
    work = books.model.cover._node_file.work
    work.closed = False
    book = books.create({"title": "x", "cover": "tall"})
    work.closed = True
    assert not exists({"file_id": str(book.cover.file_id), "size": 4})
    let_go()
    assert work.has_file(str(book.cover.file_id))


def test_in_the_memory_of_the_process_nothing_is_left_either() -> None:
    store = FileBlobConnector()
    item = Item({"doc": File(work=store)})
    books = Collection("books", item, DBMemoryConnector())
    Backoffice("office").register_collection(books)
    assert books.check({"doc": "text"}, "$.doc") is None
    assert not list(store.stored())
