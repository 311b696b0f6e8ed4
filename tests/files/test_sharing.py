"""No two files have one content, however they come to be set to the same."""

import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backo import (
    Action,
    Backoffice,
    BlobFile,
    Collection,
    DBConnector,
    DBSqliteConnector,
    Dict,
    File,
    FileError,
    FileSystemConnector,
    FileTooLargeError,
    Item,
    List,
    String,
)
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.errors import MigrationError, TransientError
from backo.files.staging import staged_ids, staging
from backo.schema.incoming import Incoming
from tests.files.abandoning import let_go
from tests.files.albums import stored


class Shelf(NamedTuple):
    """A collection, and where the contents of its files are kept."""

    office: Backoffice
    books: Collection
    work: FileSystemConnector
    cold: FileSystemConnector
    ice: FileSystemConnector

    def check_whole(self) -> None:
        """Each file has a content of its own, at its places, and nothing else is
        there."""
        let_go()
        found: list[str] = []
        chilled: dict[str, set[str]] = {"cover": set(), "plate": set()}
        for document in self.books.db_handler.find(Query()):
            book = self.books.get_by_id(document["_id"])
            named = {name: book[name] for name in ("doc", "cover", "plate", "small")}
            several = [*book.extra, *(page.scan for page in book.pages)]
            for file in (*named.values(), *several):
                if file.has_file():
                    assert len(file.get_content() or b"") == file.size
                    found.append(str(file.file_id))
            for name, ids in chilled.items():
                if named[name].has_file():
                    ids.add(str(named[name].file_id))
        assert len(found) == len(set(found))
        assert stored(self.work) == set(found)
        assert stored(self.cold) == chilled["cover"]
        assert stored(self.ice) == chilled["plate"]


STORES: dict[str, Callable[[Path], DBConnector]] = {
    "memory": lambda path: DBMemoryConnector(),
    "sqlite": lambda path: DBSqliteConnector(path=path / "db.sqlite", table="books"),
}


@pytest.fixture(params=STORES)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    work, cold, ice = (
        FileSystemConnector(path=tmp_path / name) for name in ("work", "cold", "ice")
    )
    schema = {
        "title": String(),
        "doc": File(work=work),
        "cover": File(work=work, storage=cold),
        "plate": File(work=work, storage=ice),
        "small": File(work=work, mime_types=["image/*", "text/plain"], max_size=5),
        "note": BlobFile(),
        "memo": BlobFile(),
        "extra": List(File(work=work)),
        "pages": List(Dict({"scan": File(work=work)})),
    }
    store = STORES[request.param](tmp_path)
    books = Collection("books", Item(schema, meta_data_handler=None), store)
    photo = Action({"photo": File(work=work)}, on_trig=_shoot)
    books.register_action("shoot", photo)
    office = Backoffice("shelf")
    office.register_collection(books)
    yield Shelf(office, books, work, cold, ice)
    close = getattr(store, "close", None)
    if close is not None:
        close()


def _shoot(action: Any, book: Any) -> None:
    book.doc = action.photo


def give_node(source: Any, target: Any) -> None:
    target.doc = source.doc


def give_value(source: Any, target: Any) -> None:
    target.doc = source.doc.get_value()


def give_id(source: Any, target: Any) -> None:
    target.doc = {"file_id": str(source.doc.file_id)}


def give_part(source: Any, target: Any) -> None:
    target.doc.file_id = source.doc.file_id
    target.doc.size = source.doc.size


def give_list(source: Any, target: Any) -> None:
    source.extra = [source.doc]
    target.extra = source.extra
    target.pages = [{"scan": source.extra[0]}]


GIVING = [give_node, give_value, give_id, give_part, give_list]


# --- Two items ----------------------------------------------------------------------


@pytest.mark.parametrize("give", GIVING)
@pytest.mark.parametrize("saved", [True, False], ids=["saved", "unsaved"])
@pytest.mark.parametrize("first", ["source", "target"])
def test_two_items_have_a_content_each(
    shelf: Shelf, give: Callable[[Any, Any], None], saved: bool, first: str
) -> None:
    source, target = (shelf.books.create({"_id": one}) for one in "ab")
    source.doc = b"content"
    if saved:
        source.save()
    give(source, target)
    for item in (source, target) if first == "source" else (target, source):
        item.save()
    shelf.check_whole()
    source.delete()
    del source
    shelf.check_whole()
    again = shelf.books.get_by_id("b")
    file = again.doc if again.doc.has_file() else again.extra[0]
    assert file.get_content() == b"content"
    again.delete()
    del target, again, file
    shelf.check_whole()


@pytest.mark.parametrize("give", GIVING)
def test_two_items_of_one_transaction_have_a_content_each(
    shelf: Shelf, give: Callable[[Any, Any], None]
) -> None:
    with shelf.office.transaction():
        source, target = (shelf.books.create({"_id": one}) for one in "ab")
        source.doc = b"content"
        give(source, target)
        target.save()
        source.save()
    shelf.check_whole()
    with shelf.office.transaction():
        shelf.books.get_by_id("a").delete()
    del source, target
    shelf.check_whole()


def test_what_an_action_was_given_is_that_of_one_item(shelf: Shelf) -> None:
    action = Action({"photo": File(work=shelf.work)}, lambda *_: None)
    action.set({"photo": b"photo"})
    items = [shelf.books.create({"_id": one}) for one in "abc"]
    for one in items:
        one.doc = action.photo
    for one in items:
        one.save()
    del action
    shelf.check_whole()
    assert [one.doc.get_content() for one in items] == [b"photo"] * 3


def test_what_is_read_once_is_not_silently_empty(shelf: Shelf) -> None:
    """The same values make two items."""
    values = {"doc": io.BytesIO(b"first")}
    shelf.books.create(values)
    values["doc"].seek(0)
    shelf.books.create(values)
    shelf.check_whole()
    found = [shelf.books.get_by_id(one["_id"]) for one in shelf.books.select({})]
    assert [one.doc.get_content() for one in found] == [b"first"] * 2


def test_a_default_that_is_a_file_is_read_for_each_item(tmp_path: Path) -> None:
    work = FileSystemConnector(path=tmp_path)
    item = Item({"doc": File(work=work, default=io.BytesIO(b"default"))})
    books = Collection("books", item, DBMemoryConnector())
    Backoffice("office").register_collection(books)
    assert [books.create({}).doc.get_content() for _ in "ab"] == [b"default"] * 2


# --- One item -----------------------------------------------------------------------


def test_a_content_stays_where_it_is_stored(shelf: Shelf) -> None:
    """Whatever comes first in the schema or in a List."""
    book = shelf.books.create({"plate": b"plate", "extra": [b"one"]})
    plate, one = str(book.plate.file_id), str(book.extra[0].file_id)
    book.doc = book.plate
    book.extra = [b"new", book.extra[0], book.extra[0]]
    book.save()
    assert book.plate.file_id == plate
    assert one in [str(file.file_id) for file in book.extra]
    shelf.check_whole()


def test_what_is_assigned_to_itself_stays_the_same(shelf: Shelf) -> None:
    with shelf.office.transaction():
        shelf.books.create({"_id": "a", "extra": [b"one"], "doc": b"doc"})
        book = shelf.books.get_by_id("a")
        ids = str(book.extra[0].file_id), str(book.doc.file_id)
        book.extra = book.extra
        book.doc = book.doc
        book.title = "x"
        book.save()
    assert (str(book.extra[0].file_id), str(book.doc.file_id)) == ids
    shelf.check_whole()


@pytest.mark.parametrize("by_value", [True, False])
def test_a_field_takes_of_another_field_what_it_takes_of_others(
    shelf: Shelf, by_value: bool
) -> None:
    book = shelf.books.create({"doc": b"<html>", "cover": b"much text"})
    for name, error in (("doc", FileError), ("cover", FileTooLargeError)):
        given = book[name].get_value() if by_value else book[name]
        with pytest.raises(error, match="small"):
            book.small = given
    book.set({"plate": book.cover.get_value(), "cover": None})
    book.save()
    shelf.check_whole()


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize(
    ("source", "target"),
    [("doc", "cover"), ("cover", "doc"), ("cover", "plate"), ("plate", "cover")],
)
def test_a_content_that_moves_is_in_the_cold_storage_of_its_field(
    shelf: Shelf, source: str, target: str, staged: bool
) -> None:
    book = shelf.books.create({"_id": "a"} | ({} if staged else {source: b"content"}))
    if staged:
        book[source] = b"content"
    with pytest.raises(KeyError), shelf.office.transaction():
        if staged:
            # So that it has been in one cold storage already.
            book.save()
        raise KeyError
    book.set({target: book[source].get_value(), source: None})
    book.save()
    assert book[target].get_content() == b"content"
    shelf.check_whole()
    # Swapped with another one.
    book.set({source: b"other"})
    book.save()
    there, here = book[source].get_value(), book[target].get_value()
    book.set({source: here, target: there})
    book.save()
    shelf.check_whole()
    book.delete()
    shelf.check_whole()


def test_contents_in_documents_are_copied_from_field_to_field(shelf: Shelf) -> None:
    book = shelf.books.create({"note": b"note"})
    book.set({"memo": book.note.get_value()})
    book.doc = book.note
    book.save()
    again = shelf.books.get_by_id(book["_id"])
    assert [again[name].get_content() for name in ("note", "memo", "doc")] == (
        [b"note"] * 3
    )
    shelf.check_whole()


def test_what_other_programs_have_shared_goes_with_the_last(shelf: Shelf) -> None:
    book = shelf.books.create({"_id": "a", "cover": b"content"})
    store = shelf.books.db_handler
    document = store.get_by_id("a")
    store.save("a", {**document, "plate": document["cover"], "doc": document["cover"]})
    for name in ("cover", "doc"):
        book = shelf.books.get_by_id("a")
        shelf.books.store.save("a", {**store.get_by_id("a"), name: None})
        left = shelf.books.get_by_id("a")
        assert left.plate.get_content() == b"content"
        assert shelf.work.has_file(str(left.plate.file_id))
    assert not stored(shelf.cold)
    shelf.books.store.delete_by_id("a")
    del book, left
    shelf.check_whole()


# --- Units of work ------------------------------------------------------------------


def test_a_try_that_is_undone_writes_no_content_again(shelf: Shelf) -> None:
    book = shelf.books.create({})
    book.doc = b"content"
    file_id = str(book.doc.file_id)
    tries = _failing(shelf.books.db_handler, "compare_and_set", TransientError, 2)
    book.save()
    assert next(tries) == 0
    assert str(book.doc.file_id) == file_id
    shelf.check_whole()


def _failing(
    connector: Any, name: str, error: type[Exception], times: int
) -> Iterator[int]:
    """Have the next so many calls fail; gives how many are left."""
    whole, left = getattr(connector, name), [times]

    def call(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error("again")
        return whole(*args, **kwargs)

    setattr(connector, name, call)

    def told() -> Iterator[int]:
        while True:
            yield left[0]

    return told()


def test_an_action_that_is_tried_again_reads_its_file_once(shelf: Shelf) -> None:
    shelf.books.create({"_id": "a"})
    _failing(shelf.books.db_handler, "compare_and_set", TransientError, 2)
    shelf.books.do_action("shoot", "a", {"photo": io.BytesIO(b"photo")})
    assert shelf.books.get_by_id("a").doc.get_content() == b"photo"
    shelf.check_whole()


def test_a_part_of_a_unit_that_is_undone_gives_nothing_away(shelf: Shelf) -> None:
    with shelf.office.transaction():
        book = shelf.books.create({"_id": "a", "doc": b"content"})
        value = book.doc.get_value()
        with pytest.raises(KeyError), shelf.office.transaction():
            book.doc = None
            book.save()
            book.set({"doc": value})
            book.save()
            raise KeyError
        del book
        let_go()
        shelf.books.create({"_id": "b", "doc": value})
    shelf.check_whole()
    shelf.books.get_by_id("b").delete()
    shelf.check_whole()
    assert shelf.books.get_by_id("a").doc.get_content() == b"content"


def test_what_a_unit_has_dropped_is_not_there_to_be_set(shelf: Shelf) -> None:
    book = shelf.books.create({})
    with shelf.office.transaction():
        book.doc = b"content"
        book.save()
        value = book.doc.get_value()
        book.doc = None
        book.save()
    with pytest.raises(FileError, match="there is no file"):
        book.set({"doc": value})
    shelf.check_whole()


def test_a_request_within_a_unit_leaves_its_files_to_that(shelf: Shelf) -> None:
    for fails in (True, False):
        try:
            with shelf.office.transaction():
                with staging():
                    shelf.books.access.insert(
                        {"_id": "a", "doc": Incoming(b"given")}, "client"
                    )
                if fails:
                    raise KeyError
        except KeyError:
            pass
        shelf.check_whole()
    assert shelf.books.get_by_id("a").doc.get_content() == b"given"


def test_what_was_discarded_is_not_saved(shelf: Shelf) -> None:
    with staging():
        book = shelf.books.create({})
        book.doc = b"content"
    assert not stored(shelf.work)
    with pytest.raises(FileError, match="there is no file"):
        book.save()


def test_two_units_cannot_keep_one_content(shelf: Shelf) -> None:
    """Two documents written at once, past Items, which would have made copies."""
    book = shelf.books.create({})
    book.doc = b"content"
    told = book.doc.get_value()
    number = shelf.office.start_transaction()
    shelf.books.create({"_id": "a", "doc": book.doc}, transaction_id=number)
    field = File(work=FileSystemConnector(path=shelf.work.path))
    others = Collection("others", Item({"doc": field}), DBMemoryConnector())
    other = Backoffice("other")
    other.register_collection(others)
    with pytest.raises(TransientError, match="another item's"), other.transaction():
        others.store.create({"_id": "b", "doc": told})
    shelf.office.stop_transaction(number)
    shelf.check_whole()


# --- Processes ----------------------------------------------------------------------

ENDING = """
import sys
from backo import *
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector

office = Backoffice("office")
item = Item({"doc": File(work=FileSystemConnector(path=sys.argv[1]))})
office.register_collection(Collection("books", item, DBMemoryConnector()))
book = office.books.new_item()
book.doc = b"never saved"
"""


def test_a_process_that_ends_leaves_nothing(tmp_path: Path) -> None:
    work = FileSystemConnector(path=tmp_path)
    subprocess.run([sys.executable, "-c", ENDING, str(tmp_path)], check=True)
    assert stored(work) == set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_a_child_that_saves_has_a_copy(tmp_path: Path) -> None:
    work = FileSystemConnector(path=tmp_path / "files")

    def books() -> Collection:
        store = DBSqliteConnector(path=tmp_path / "db.sqlite", table="books")
        made = Collection("books", Item({"doc": File(work=work)}), store)
        Backoffice("office").register_collection(made)
        return made

    book = books().new_item()
    book.doc = b"content"
    process = os.fork()
    if not process:
        try:
            books().create({"_id": "a", "doc": book.doc})
        finally:
            os._exit(0)
    assert os.waitpid(process, 0) == (process, 0)
    del book
    let_go()
    found = books().get_by_id("a")
    assert found.doc.get_content() == b"content"
    assert stored(work) == {str(found.doc.file_id)}


def test_what_could_not_be_discarded_is_found_by_a_sweep(shelf: Shelf) -> None:
    book = shelf.books.create({})
    _failing(shelf.work, "delete", OSError, 1)
    with staging():
        book.doc = b"content"
    assert len(stored(shelf.work)) == 1
    assert not staged_ids()


# --- Migrations ---------------------------------------------------------------------


def test_a_migration_moves_a_content_and_copies_none(shelf: Shelf) -> None:
    shelf.books.create({"_id": "a", "cover": b"content", "note": b"note"})

    def copying(document: dict[str, Any]) -> None:
        document["doc"] = document["cover"]

    def moving(document: dict[str, Any]) -> None:
        document["plate"] = document.pop("cover")
        document["memo"] = document["note"]

    with pytest.raises(MigrationError, match="has the content of"):
        shelf.books.migrate(copying, dry_run=False)
    shelf.check_whole()
    # What others have made so is none of a migration's business.
    document = shelf.books.db_handler.get_by_id("a")
    shelf.books.db_handler.save("a", {**document, "plate": document["cover"]})
    shelf.books.migrate(lambda one: one.update(title="x"), dry_run=False)
    assert shelf.books.get_by_id("a").title == "x"
    shelf.books.db_handler.save("a", document)
    shelf.books.migrate(moving, dry_run=False)
    book = shelf.books.get_by_id("a")
    assert book.plate.get_content() == b"content"
    assert (book.note.get_content(), book.memo.get_content()) == (b"note", b"note")
    shelf.check_whole()


def test_a_migration_takes_no_file_of_another_item(shelf: Shelf) -> None:
    other = shelf.books.create({"_id": "a", "doc": b"content"})
    shelf.books.create({"_id": "b"})
    cover = other.doc.get_value()

    def stealing(document: dict[str, Any]) -> None:
        document["doc"] = {**cover, "modified": None}

    with pytest.raises(MigrationError, match="names no file of this item") as raised:
        shelf.books.migrate(stealing, dry_run=False)
    assert raised.value.ids == ("b",)
    shelf.check_whole()


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_a_migration_computes_is_there(
    tmp_path: Path, dry_run: bool
) -> None:
    work, store = FileSystemConnector(path=tmp_path), DBMemoryConnector()

    def collection(**fields: Any) -> Collection:
        item = Item({"title": String(), **fields}, meta_data_handler=None)
        made = Collection("books", item, store)
        Backoffice("office").register_collection(made)
        return made

    for number in range(5):
        collection().create({"_id": str(number), "title": "x" * number})

    def title(book: Any) -> str:
        # Nothing that is not held survives this.
        gc.collect()
        return f"of {book.title}"

    label = File(work=work, set=title, views=["save"])
    other = File(work=work, default=b"default")
    books = collection(label=label, other=other)
    assert books.migrate(None, dry_run=dry_run).changes.total == 5
    let_go()
    found = [books.get_by_id(str(number)) for number in range(5)]
    if dry_run:
        assert stored(work) == set()
        return
    for number, book in enumerate(found):
        assert book.label.get_content() == b"of " + b"x" * number
        assert book.other.get_content() == b"default"
    assert len(stored(work)) == 10


def test_a_computed_file_that_was_swept_is_computed_again(tmp_path: Path) -> None:
    """By the time that a migration which was cut short goes on."""
    work, store = FileSystemConnector(path=tmp_path / "files"), DBMemoryConnector()
    plain = Collection("books", Item({"title": String()}), store)
    Backoffice("office").register_collection(plain)
    plain.create({"_id": "a", "title": "t"})
    label = File(work=work, set=lambda book: f"of {book.title}", views=["save"])
    books = Collection("books", Item({"title": String(), "label": label}), store)
    Backoffice("office").register_collection(books)
    journal = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        books.migrate(None, dry_run=False, journal=journal, progress=_interrupted)
    assert journal.exists() and stored(work) == set()
    books.migrate(None, dry_run=False, journal=journal)
    assert books.get_by_id("a").label.get_content() == b"of t"


def _interrupted(phase: str, what: Any, _count: int | None) -> Any:
    if phase == "write":
        raise KeyboardInterrupt
    return what
