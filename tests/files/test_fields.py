"""Files as fields, in Python: what they are set to, what is told of them, and their
life."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.datastructures import UploadFile
from werkzeug.datastructures import FileStorage

from backo import (
    Action,
    Backoffice,
    BlobFile,
    Collection,
    DBSqliteConnector,
    Dict,
    File,
    FileBlobConnector,
    FileError,
    FileSystemConnector,
    FileTooLargeError,
    Int,
    Item,
    List,
    SConstraintError,
    SSyntaxError,
    String,
    STypeError,
    ValidationError,
)
from tests.files.abandoning import let_go
from tests.files.albums import PNG, stored


class Shelf(NamedTuple):
    """A collection, and where the contents of its files are kept."""

    office: Backoffice
    books: Collection
    work: FileSystemConnector
    cold: FileBlobConnector


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    work, cold = FileSystemConnector(path=tmp_path / "files"), FileBlobConnector()
    schema = {
        "title": String(required=True),
        "cover": File(
            work=work,
            storage=cold,
            mime_types=["image/*", "text/plain"],
            max_size=2000,
        ),
        "doc": File(work=work),
        "blob": BlobFile(max_size=100),
        "pages": List(Dict({"no": Int(), "scan": File(work=work)})),
        "extra": List(File(work=work)),
        "label": File(work=work, set=lambda book: f"hello {book.title}"),
        "kept": File(work=work, set=lambda book: f"of {book.title}", views=["save"]),
    }
    store = DBSqliteConnector(path=tmp_path / "books.sqlite", table="books")
    books = Collection("books", Item(schema, meta_data_handler=None), store)
    office = Backoffice("shelf")
    office.register_collection(books)
    yield Shelf(office, books, work, cold)
    store.close()


def opened(content: bytes, folder: Path) -> Any:
    """A file that has a name, and is closed with its last reference."""
    file = NamedBytes(content)
    file.name = str(folder / "opened.txt")
    return file


class NamedBytes(io.BytesIO):
    name = ""


GIVEN: dict[str, Callable[[bytes, Path], Any]] = {
    "text": lambda content, _: content.decode(),
    "base64": lambda content, _: "base64:aGVsbG8=",
    "bytes": lambda content, _: content,
    "bytearray": lambda content, _: bytearray(content),
    "memoryview": lambda content, _: memoryview(content),
    "BytesIO": lambda content, _: io.BytesIO(content),
    "opened": opened,
    "FileStorage": lambda content, _: FileStorage(io.BytesIO(content), "opened.txt"),
    "UploadFile": lambda content, _: UploadFile(
        io.BytesIO(content), filename="a/opened.txt"
    ),
}
NAMED = ("opened", "FileStorage", "UploadFile")


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("field", ["cover", "blob", "doc"])
def test_a_file_is_set_to(shelf: Shelf, tmp_path: Path, kind: str, field: str) -> None:
    value = GIVEN[kind](b"hello", tmp_path)
    made = shelf.books.create({"title": "a", field: value})
    again = shelf.books.get_by_id(made["_id"])
    for file in (made[field], again[field]):
        assert file.has_file()
        assert file.get_content() == b"hello"
        assert b"".join(file.read_content_generator()) == b"hello"
        assert (file.size, file.content_type) == (5, "text/plain")
        name = "opened.txt" if kind in NAMED else None
        assert file.get_value()["filename"] == name
    assert made[field].get_value() == again[field].get_value()


@pytest.mark.parametrize("kind", GIVEN)
def test_a_file_of_an_item_is_set_to(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    book = shelf.books.create({"title": "a", "doc": "old", "pages": [{"no": 1}]})
    old = str(book.doc.file_id)
    book.doc = GIVEN[kind](b"hello", tmp_path)
    book.pages[0].scan = GIVEN[kind](b"hello", tmp_path)
    assert book.doc.get_content() == b"hello"
    # The one before is there until the item is saved.
    assert old in stored(shelf.work)
    book.save()
    assert old not in stored(shelf.work)
    again = shelf.books.get_by_id(book["_id"])
    assert again.doc.get_content() == b"hello"
    assert again.pages[0].scan.get_content() == b"hello"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (1, STypeError),
        (1.5, STypeError),
        (object(), STypeError),
        (["x"], STypeError),
        (io.StringIO("text"), STypeError),
        ("base64:%%%", FileError),
        (b"%PDF-1.4", FileError),
        (b"\0\xff" * 5, FileError),
        (PNG * 2, FileTooLargeError),
        (io.BytesIO(PNG * 2), FileTooLargeError),
        ({"file_id": "../../etc/passwd"}, FileError),
        ({"file_id": 1}, STypeError),
        ({"filename": "x"}, STypeError),
    ],
)
def test_what_no_file_is_set_to(
    shelf: Shelf, value: Any, error: type[Exception]
) -> None:
    book = shelf.books.create({"title": "a"})
    before = stored(shelf.work)
    with pytest.raises(error, match="cover|binary mode|no content"):
        book.cover = value
    assert not book.cover.has_file()
    if isinstance(value, io.IOBase):
        value.seek(0)
    with pytest.raises(error):
        shelf.books.create({"title": "b", "cover": value})
    assert stored(shelf.work) == before
    assert len(shelf.books.select({})) == 1


def test_a_file_opened_as_text_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    book = shelf.books.create({"title": "a"})
    before = stored(shelf.work)
    (tmp_path / "opened.txt").write_bytes(b"hello")
    with (
        (tmp_path / "opened.txt").open(encoding="utf-8") as file,
        pytest.raises(STypeError, match="binary mode"),
    ):
        book.doc = file
    assert stored(shelf.work) == before


def test_what_is_told_of_a_file(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a", "cover": PNG, "blob": b"\0blob"})
    assert set(book.cover.get_value()) == {
        "filename",
        "file_id",
        "content_type",
        "size",
        "modified",
    }
    assert book.cover.get_value().keys() == book.blob.get_value().keys()
    assert (book.cover.content_type, book.cover.size) == ("image/png", len(PNG))
    assert book.doc.get_value() is None
    assert (book.doc.get_content(), list(book.doc.read_content_generator())) == (
        None,
        [],
    )
    document = shelf.books.db_handler.get_by_id(str(book["_id"]))
    assert document["blob"]["content"] == "AGJsb2I="
    assert "label" not in document


def test_the_methods_of_a_file(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a"})
    assert not book.doc.has_file()
    book.doc.set_content("one")
    book.doc = {"filename": "one.txt"}
    book.doc.set_content(b"two")
    assert (book.doc.filename, book.doc.get_content()) == ("one.txt", b"two")
    assert book.doc.set_value(b"three")
    assert b"".join(book.doc.read_range(1, 3)) == b"hr"
    book.save()
    book.doc.delete_content()
    assert not book.doc.has_file()
    assert shelf.books.get_by_id(book["_id"]).doc.get_content() == b"three"
    book.save()
    assert not shelf.books.get_by_id(book["_id"]).doc.has_file()
    assert book.doc.generate_file_id() != book.doc.generate_file_id()
    book.blob = b"12345"
    assert list(book.blob.read_chunk()) == [b"12345"]
    kept = str(book.kept.file_id)
    del book
    let_go()
    assert stored(shelf.work) == {kept}


@pytest.mark.parametrize("field", ["cover", "blob"])
def test_cold_storage(tmp_path: Path, field: str) -> None:
    work, cold = FileSystemConnector(path=tmp_path), FileBlobConnector()
    files: dict[str, Any] = {
        "cover": File(work=work, storage=cold),
        "blob": BlobFile(storage=cold),
    }
    store = DBSqliteConnector(path=tmp_path / "db", table="books")
    books = Collection("books", Item({field: files[field], "bare": File()}), store)
    Backoffice("shelf").register_collection(books)
    book = books.create({field: b"content"})
    file = book[field]
    file_id = str(file.file_id)
    # A saved content has a copy, made before the item is stored.
    assert cold.get(file_id) == b"content"
    work.delete(file_id)
    file.load()
    assert work.has_file(file_id) == (field == "cover")
    assert file.get_content() == b"content"
    work.delete(file_id)
    # Reading fetches it.
    assert books.get_by_id(book["_id"])[field].get_content() == b"content"
    cold.delete(file_id)
    file.save()
    assert cold.has_file(file_id)
    file.copy_file_content(file_id, cold, "copy", work)
    assert work.get("copy") == b"content"
    for call in (book.bare.load, book.bare.save):
        with pytest.raises(FileError, match="no storage="):
            call()
    book[field] = None
    assert cold.has_file(file_id)
    book.save()
    assert not cold.has_file(file_id)
    store.close()


def test_a_file_of_another_item_is_copied(shelf: Shelf) -> None:
    first = shelf.books.create({"title": "a", "cover": PNG, "pages": [{"scan": "s"}]})
    second = shelf.books.create({"title": "b", "cover": first.cover})
    second.doc = first.pages[0].scan
    second.blob = first.pages[0].scan
    second.save()
    assert second.cover.get_value()["file_id"] != first.cover.get_value()["file_id"]
    first.delete()
    again = shelf.books.get_by_id(second["_id"])
    assert again.cover.get_content() == PNG
    assert again.doc.get_content() == again.blob.get_content() == b"s"


def test_a_file_twice_in_an_item_is_two(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a", "pages": [{"scan": "s"}]})
    book.doc = book.pages[0].scan
    book.pages.append({"no": 2})
    book.pages[1].scan = book.pages[0].scan
    book.save()
    ids = {str(one.file_id) for one in (book.doc, *(one.scan for one in book.pages))}
    assert len(ids) == 3
    del book.pages[0]
    book.save()
    again = shelf.books.get_by_id(book["_id"])
    assert again.doc.get_content() == again.pages[0].scan.get_content() == b"s"
    assert len(stored(shelf.work)) == 3


def test_contents_of_what_is_never_saved_go(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a"})
    before = stored(shelf.work)
    book.doc = "never"
    assert len(stored(shelf.work) - before) == 1
    del book
    let_go()
    assert stored(shelf.work) == before


def test_files_are_part_of_a_transaction(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a", "doc": "old"})
    before = stored(shelf.work)
    with pytest.raises(KeyError), shelf.office.transaction():
        book.doc = "new"
        book.save()
        shelf.books.create({"title": "b", "doc": "other"}).delete()
        raise KeyError
    del book
    let_go()
    assert stored(shelf.work) == before
    (again,) = shelf.books.select({})
    assert again.doc.get_content() == b"old"
    again.delete()
    assert stored(shelf.work) == set()


def test_computed_files(shelf: Shelf) -> None:
    book = shelf.books.create({"title": "a"})
    assert book.label.get_content() == b"hello a"
    assert book.kept.get_content() == b"of a"
    again = shelf.books.get_by_id(book["_id"])
    assert again.label.get_value() == book.label.get_value()
    # One that is stored has its content kept, one that is not has none to be kept.
    assert stored(shelf.work) == {str(again.kept.file_id)}
    again.title = "b"
    assert again.label.get_content() == b"hello b"
    again.save()
    assert shelf.books.get_by_id(book["_id"]).kept.get_content() == b"of b"
    assert stored(shelf.work) == {str(again.kept.file_id)}


def test_options_of_a_file(tmp_path: Path) -> None:
    item = Item(
        {
            "one": File(required=True),
            "two": File(default="as it was", work=FileBlobConnector()),
            "three": File(constraint=lambda root, value, old: value["size"] < 5),
            "memory": File(),
        },
        meta_data_handler=None,
    )
    store = DBSqliteConnector(path=tmp_path / "db", table="things")
    things = Collection("things", item, store)
    Backoffice("office").register_collection(things)
    with pytest.raises((SConstraintError, ValidationError), match="one"):
        things.create({})
    made = things.create({"one": "1", "memory": b"m"})
    assert made.two.get_content() == b"as it was"
    assert things.get_by_id(made["_id"]).memory.get_content() == b"m"
    with pytest.raises((SConstraintError, ValidationError), match="three"):
        things.create({"one": "1", "three": "12345"})
    store.close()


@pytest.mark.parametrize(
    "options",
    [{"max_size": 0}, {"buffer_size": 0}, {"work": "folder"}, {"storage": 1}],
)
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(SSyntaxError):
        File(**options)
    with pytest.raises(SSyntaxError):
        BlobFile(**options)


def test_a_blob_has_no_work() -> None:
    with pytest.raises(SSyntaxError, match="no work="):
        BlobFile(work=FileBlobConnector())


def test_an_action_takes_a_file(shelf: Shelf) -> None:
    def shoot(action: Any, book: Any) -> None:
        book.cover = action.photo

    photo = Action({"photo": File(work=shelf.work, required=True)}, on_trig=shoot)
    shelf.books.register_action("shoot", photo)
    book = shelf.books.create({"title": "a"})
    before = stored(shelf.work)
    shelf.books.do_action("shoot", str(book["_id"]), {"photo": io.BytesIO(PNG)})
    again = shelf.books.get_by_id(book["_id"])
    assert again.cover.get_content() == PNG
    assert stored(shelf.work) - before == {str(again.cover.file_id)}


def test_files_in_selections_and_filters(shelf: Shelf) -> None:
    shelf.books.create({"title": "a", "cover": PNG})
    shelf.books.create({"title": "b", "cover": "text"})
    found = shelf.books.select({"cover.content_type": "image/png"})
    assert [book.title for book in found] == ["a"]
    assert [one.title for one in shelf.books.select({"cover.size": ("$lt", 9)})] == [
        "b"
    ]
    assert found[0].select("$.cover.size") == len(PNG)
