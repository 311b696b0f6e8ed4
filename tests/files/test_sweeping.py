"""Contents that no item has are found and removed; those of items never are."""

import gc
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backo import (
    BackoError,
    Backoffice,
    BlobFile,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    Dict,
    File,
    FileBlobConnector,
    FileSystemConnector,
    Item,
    List,
    String,
    current_user,
)
from backo.connectors.memory import DBMemoryConnector
from tests.files.abandoning import let_go
from tests.files.conftest import SixMethods

NOW = timedelta(0)

type Stores = Callable[[str], DBConnector]


@pytest.fixture(params=["memory", "yml", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """Makes the store of a collection."""

    def make(name: str) -> DBConnector:
        if request.param == "memory":
            return DBMemoryConnector()
        if request.param == "yml":
            return DBYmlConnector(path=tmp_path / name)
        return DBSqliteConnector(path=tmp_path / "db.sqlite", table=name)

    return make


@pytest.fixture
def warm(tmp_path: Path) -> FileSystemConnector:
    return FileSystemConnector(path=tmp_path / "warm")


@pytest.fixture
def cold(tmp_path: Path) -> FileSystemConnector:
    return FileSystemConnector(path=tmp_path / "cold")


@pytest.fixture
def office(
    stores: Stores, warm: FileSystemConnector, cold: FileSystemConnector, tmp_path: Path
) -> Backoffice:
    """Books and songs with files everywhere, one of each stored."""
    again = FileSystemConnector(path=tmp_path / "warm")
    book = Item(
        {
            "title": String(),
            "cover": File(work=warm, storage=cold),
            "note": BlobFile(storage=cold),
            "pages": List(Dict({"scan": File(work=again)})),
        }
    )
    song = Item({"sound": File(work=warm), "extra": List(File(work=again))})
    made = Backoffice("office")
    for name, item in {"books": book, "songs": song}.items():
        made.register_collection(Collection(name, item, stores(name)))
    pages = [{"scan": b"scan"}, {}]
    made.books.create({"title": "a", "cover": b"c", "note": b"note", "pages": pages})
    made.songs.create({"sound": b"sound", "extra": [b"more", b"and more"]})
    return made


def kept(*files: FileSystemConnector) -> list[set[str]]:
    return [{one.file_id for one in each.stored()} for each in files]


def test_the_files_of_items_are_no_orphans(
    office: Backoffice, warm: FileSystemConnector, cold: FileSystemConnector
) -> None:
    before = kept(warm, cold)
    assert [len(one) for one in before] == [5, 2]
    report = office.check_files(NOW, delete=True)
    assert (report.orphans, report.missing, report.unlisted) == ([], [], [])
    assert kept(warm, cold) == before


def test_orphans_are_listed_and_only_removed_when_that_is_asked_for(
    office: Backoffice, warm: FileSystemConnector, cold: FileSystemConnector
) -> None:
    before = kept(warm, cold)
    for store in (warm, cold):
        store.write(f"lost-in-{store.path.name}", [b"12345"])
    assert office.check_files().orphans == []
    found = office.check_files(NOW)
    assert not found.removed
    assert {(one.place, one.file_id, one.size) for one in found.orphans} == {
        (warm.place, "lost-in-warm", 5),
        (cold.place, "lost-in-cold", 5),
    }
    assert warm.has_file("lost-in-warm")
    assert office.check_files(NOW, delete=True).orphans == found.orphans
    assert kept(warm, cold) == before
    assert office.check_files(NOW).orphans == []


def test_what_is_newer_than_the_grace_period_stays(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    for name, hours in {"old": 25, "new": 23}.items():
        warm.write(name, [name.encode()])
        (path,) = warm.path.rglob(name)
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert [one.file_id for one in office.check_files(delete=True).orphans] == ["old"]
    assert warm.has_file("new")
    assert office.check_files(timedelta.max, delete=True).orphans == []


def test_a_cut_short_upload_is_removed(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    part = warm.path / ".parts" / "part"
    part.write_bytes(b"half")
    assert office.check_files(delete=True).parts == 0
    assert office.check_files(NOW).parts == 0
    assert part.exists()
    assert office.check_files(NOW, delete=True).parts == 1
    assert not part.exists()


def test_what_this_process_has_not_stored_yet_is_no_orphan(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    (song,) = office.songs.select()
    song.sound = b"another"
    assert office.check_files(NOW, delete=True).orphans == []
    song.save()
    assert song.sound.get_content() == b"another"
    del song
    let_go()
    assert len(kept(warm)[0]) == 5


def test_what_this_process_has_given_up_is_no_orphan(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    before = kept(warm)
    book = office.books.new_item()
    book.cover = b"given up"
    assert kept(warm) != before
    del book
    gc.collect()
    assert office.check_files(older_than=NOW).orphans == []
    assert kept(warm) == before


def test_a_missing_file_is_told(
    office: Backoffice, warm: FileSystemConnector, cold: FileSystemConnector
) -> None:
    (book,) = office.books.select()
    file_id = str(book.pages[0].scan.file_id)
    warm.delete(file_id)
    # This one can be fetched again.
    warm.delete(str(book.cover.file_id))
    (missing,) = office.check_files().missing
    line = f"books/{book._id} $.pages[0].scan: {file_id} is missing"
    assert str(missing) == line


@pytest.mark.parametrize("lie", ["../../etc/passwd", "CON", "a/b", ""])
def test_what_is_no_id_is_missing_and_ends_no_sweep(
    office: Backoffice, lie: str
) -> None:
    """Other programs may write to the store of a collection."""
    (book,) = office.books.select()
    document = office.books.db_handler.get_by_id(str(book._id))
    cover = {**document["cover"], "file_id": lie}
    office.books.db_handler.save(str(book._id), {**document, "cover": cover})
    report = office.check_files(NOW)
    assert [(one.path, one.file_id) for one in report.missing] == [("$.cover", lie)]
    (orphan, cold) = report.orphans
    assert orphan.file_id == cold.file_id == document["cover"]["file_id"]


def test_a_store_that_cannot_list_is_left_out(tmp_path: Path) -> None:
    own, other = SixMethods(buffer_size=10), FileBlobConnector()
    item = Item({"a": File(work=own), "b": File(work=other)})
    office = Backoffice("office")
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    book = office.books.create({"a": b"a", "b": b"b"})
    for store in (own, other):
        store.write("lost", [b"x"])
    report = office.check_files(NOW, delete=True)
    assert report.unlisted == [own.place]
    assert [one.place for one in report.orphans] == [other.place]
    assert (report.missing, sorted(own.contents)) == (
        [],
        sorted(["lost", str(book.a.file_id)]),
    )
    own.delete(str(book.a.file_id))
    assert [one.path for one in office.check_files().missing] == ["$.a"]


def test_items_that_a_restriction_hides_keep_their_files(tmp_path: Path) -> None:
    work = FileBlobConnector()

    def own() -> dict[str, Any]:
        return {"owner": str(current_user.login)}

    store = DBSqliteConnector(path=tmp_path / "db", table="books", restriction=own)
    item = Item({"owner": String(), "cover": File(work=work)})
    office = Backoffice("office")
    office.register_collection(Collection("books", item, store))
    with current_user.acting_as({"_id": "1", "login": "ada"}):
        office.books.create({"owner": "ada", "cover": b"ada"})
    assert office.books.select() == []
    report = office.check_files(NOW, delete=True)
    assert (report.orphans, report.missing) == ([], [])
    assert len(list(work.stored())) == 1
    assert office.books.select() == []


def test_a_store_whose_items_it_cannot_see_is_refused() -> None:
    class Own(DBMemoryConnector):
        capabilities = DBMemoryConnector.capabilities.__class__(restriction=True)

    office = Backoffice("office")
    item = Item({"cover": File(work=FileBlobConnector())})
    store = Own(restriction=lambda: {"cover.size": 0})
    office.register_collection(Collection("books", item, store))
    with pytest.raises(BackoError, match="^books: its store hides items"):
        office.check_files()


def test_a_field_that_was_renamed_keeps_its_files_until_the_migration(
    stores: Stores, warm: FileSystemConnector
) -> None:
    store = stores("books")
    for name in ("cover", "picture"):
        office = Backoffice("office")
        item = Item({name: File(work=warm)})
        office.register_collection(Collection("books", item, store))
        if name == "cover":
            office.books.create({"cover": b"cover"})
    assert office.check_files(NOW, delete=True).orphans == []
    assert len(kept(warm)[0]) == 1


class _SlowReading(DBMemoryConnector):
    """Stops before it gives its documents, the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.reading, self.go_on = threading.Event(), threading.Event()

    def scan(self) -> Iterator[dict[str, Any]]:
        found = list(super().scan())
        self.reading.set()
        assert self.go_on.wait(20)
        return iter(found)


def test_a_unit_that_is_undone_gets_its_file_back() -> None:
    work, store = FileBlobConnector(), _SlowReading()
    office = Backoffice("office")
    item = Item({"cover": File(work=work)})
    office.register_collection(Collection("books", item, store))
    book = office.books.create({"cover": b"cover"})
    reports = []
    sweeping = threading.Thread(
        target=lambda: reports.append(office.check_files(NOW, delete=True))
    )
    number = office.start_transaction()
    book.cover = None
    book.save(transaction_id=number)
    sweeping.start()
    # It has read that the item has no file any more.
    assert store.reading.wait(20)
    store.go_on.set()
    sweeping.join(0.1)
    office.rollback_transaction(number)
    sweeping.join()
    assert reports[0].orphans == []
    (there,) = office.books.select()
    assert there.cover.get_content() == b"cover"


def test_an_item_stored_meanwhile_keeps_its_file(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    made = []

    def meanwhile(name: str, rows: Iterable[Any]) -> Iterable[Any]:
        yield from rows
        made.append(office.songs.create({"sound": b"meanwhile"}))

    report = office.check_files(NOW, False, meanwhile)
    assert (report.orphans, report.missing) == ([], [])
    assert office.check_files(NOW, True).orphans == []
    assert [one.sound.get_content() for one in made] == [b"meanwhile"] * 2


def test_a_report_reads_well() -> None:
    work = FileBlobConnector()
    work.write("lost", [b"123"])
    office = Backoffice("office")
    item = Item({"cover": File(work=work)})
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    (orphan,) = office.check_files(NOW).orphans
    day = datetime.now(UTC).date()
    assert str(orphan).startswith(f"{work.place} lost 3 {day}T")
