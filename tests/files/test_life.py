"""Files of items that go with others, and of items that come by imports."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBSqliteConnector,
    DBYmlConnector,
    DeleteStrategy,
    File,
    FileBlobConnector,
    FileConnector,
    FileSystemConnector,
    Item,
    Ref,
    RefsList,
    String,
)
from tests.cli.programs import put
from tests.cli.running import backo
from tests.files.abandoning import let_go

PROGRAM = """
from backo import (
    Backoffice, BlobFile, Collection, DBSqliteConnector, File, FileSystemConnector,
    Item, String
)

office = Backoffice("office")
covers = FileSystemConnector(path="covers")
fields = {"cover": File(work=covers), "back": File(work=covers), "s": BlobFile()}
item = Item({"title": String(required=True), **fields})
store = DBSqliteConnector(path="office.sqlite", table="books")
office.register_collection(Collection("books", item, store))
"""


@pytest.fixture
def warm(tmp_path: Path) -> FileSystemConnector:
    return FileSystemConnector(path=tmp_path / "warm")


@pytest.fixture
def portraits() -> FileBlobConnector:
    return FileBlobConnector()


@pytest.fixture
def office(
    tmp_path: Path, warm: FileSystemConnector, portraits: FileBlobConnector
) -> Backoffice:
    """Authors in YAML and their books in SQLite, which go with them."""
    author = Item(
        {
            "portrait": File(work=portraits),
            "books": RefsList(
                coll="books",
                field="$.author",
                on_delete=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            ),
        }
    )
    book = Item(
        {
            "title": String(pattern="^.{0,5}$"),
            "cover": File(work=warm),
            "author": Ref(coll="authors", field="$.books"),
        }
    )
    made = Backoffice("office")
    authors = DBYmlConnector(path=tmp_path / "authors")
    books = DBSqliteConnector(path=tmp_path / "db.sqlite", table="books")
    made.register_collection(Collection("authors", author, authors))
    made.register_collection(Collection("books", book, books))
    made.authors.create({"_id": "zola", "portrait": b"zola"})
    for title in ("nana", "gervi"):
        values = {"_id": title, "title": title, "author": "zola"}
        made.books.create({**values, "cover": title.encode()})
    let_go()
    return made


def contents(store: FileConnector) -> list[bytes | str]:
    return sorted(store.get(one.file_id) for one in store.stored())


def test_files_go_with_the_items_that_go_with_another(
    office: Backoffice, warm: FileSystemConnector, portraits: FileBlobConnector
) -> None:
    assert (contents(warm), contents(portraits)) == ([b"gervi", b"nana"], [b"zola"])
    office.authors.get_by_id("zola").delete()
    assert (contents(warm), contents(portraits)) == ([], [])


def test_a_unit_over_two_stores_that_fails_leaves_all_files(
    office: Backoffice, warm: FileSystemConnector, portraits: FileBlobConnector
) -> None:
    with pytest.raises(KeyError), office.transaction():
        author = office.authors.get_by_id("zola")
        author.portrait = b"new"
        author.save()
        office.books.create({"title": "new", "cover": b"new", "author": author})
        office.authors.get_by_id("zola").delete()
        raise KeyError
    del author
    let_go()
    assert (contents(warm), contents(portraits)) == ([b"gervi", b"nana"], [b"zola"])
    zola = office.authors.get_by_id("zola")
    assert zola.portrait.get_content() == b"zola"
    assert [str(one) for one in zola.books] == ["nana", "gervi"]


def test_what_is_refused_leaves_no_file(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    for values in ({"title": "too long"}, {"author": "nobody"}, {"_id": "nana"}):
        with pytest.raises(Exception):  # noqa: B017, PT011 - each of another sort
            office.books.create({**values, "cover": BytesIO(b"refused")})
    let_go()
    assert contents(warm) == [b"gervi", b"nana"]


# --- Imports ------------------------------------------------------------------------


def rows(folder: Path, *lines: dict[str, Any]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return file


def inline(content: bytes) -> str:
    return f"base64:{base64.b64encode(content).decode()}"


def covers(folder: Path) -> list[bytes | str]:
    return contents(FileSystemConnector(path=folder / "covers"))


def test_an_import_with_contents(tmp_path: Path) -> None:
    put(tmp_path, main=PROGRAM)
    ask = ("main:office", "books")
    good = [
        {"_id": name, "title": name, "cover": inline(name.encode()), "s": "small"}
        for name in "ab"
    ]
    for fault, words in (
        ({"cover": inline(b"c")}, "$.title"),
        ({"title": "c", "cover": {"file_id": "x"}}, "names no file of this item"),
    ):
        for options in ((), ("--partial", "--batch", "0")):
            file = rows(tmp_path, *good, {"_id": "c", **fault})
            done = backo(tmp_path, "import", *ask, file, *options)
            assert (done.returncode, covers(tmp_path)) == (1, [])
            assert words in done.stderr
    done = backo(tmp_path, "import", *ask, rows(tmp_path, *good), "--dry-run")
    assert (done.returncode, covers(tmp_path)) == (0, []), done.stderr
    done = backo(tmp_path, "import", *ask, rows(tmp_path, *good))
    assert (done.returncode, covers(tmp_path)) == (0, [b"a", b"b"]), done.stderr
    changed = {"_id": "a", "title": "a", "cover": inline(b"new")}
    done = backo(tmp_path, "import", *ask, rows(tmp_path, changed), "--update")
    assert (done.returncode, covers(tmp_path)) == (0, [b"b", b"new"]), done.stderr


def test_an_import_of_what_was_exported(tmp_path: Path) -> None:
    put(tmp_path, main=PROGRAM)
    ask, file = ("main:office", "books"), tmp_path / "books.jsonl"
    first = {"_id": "a", "title": "a", "cover": inline(b"a"), "s": "small"}
    done = backo(tmp_path, "import", *ask, rows(tmp_path, first))
    assert done.returncode == 0, done.stderr
    assert backo(tmp_path, "export", *ask, "--output", file).returncode == 0
    (exported,) = map(json.loads, file.read_text().splitlines())
    done = backo(tmp_path, "import", *ask, file, "--restore", "--update")
    assert (done.returncode, covers(tmp_path)) == (0, [b"a"]), done.stderr
    exported["_id"], exported["cover"]["file_id"] = "b", "unknown"
    done = backo(
        tmp_path, "import", *ask, rows(tmp_path, exported), "--restore", "--update"
    )
    assert done.returncode == 1
    assert "there is no file 'unknown'" in done.stderr
    assert covers(tmp_path) == [b"a"]


def test_an_import_that_updates_shares_no_content(tmp_path: Path) -> None:
    put(tmp_path, main=PROGRAM)
    ask, file = ("main:office", "books"), tmp_path / "books.jsonl"
    first = {"_id": "a", "title": "a", "cover": inline(b"a")}
    backo(tmp_path, "import", *ask, rows(tmp_path, first))
    assert backo(tmp_path, "export", *ask, "--output", file).returncode == 0
    (exported,) = map(json.loads, file.read_text().splitlines())
    told = {"_id": "a", "title": "a", "back": exported["cover"]}
    done = backo(tmp_path, "import", *ask, rows(tmp_path, told), "--update")
    assert (done.returncode, covers(tmp_path)) == (0, [b"a", b"a"]), done.stderr


def test_no_content_is_restored_for_two_items(tmp_path: Path) -> None:
    put(tmp_path, main=PROGRAM)
    ask, file = ("main:office", "books"), tmp_path / "books.jsonl"
    first = {"_id": "a", "title": "a", "cover": inline(b"a"), "s": "small"}
    backo(tmp_path, "import", *ask, rows(tmp_path, first))
    assert backo(tmp_path, "export", *ask, "--output", file).returncode == 0
    (exported,) = map(json.loads, file.read_text().splitlines())
    other = rows(tmp_path, {**exported, "_id": "b"})
    for options in ((), ("--partial",)):
        done = backo(tmp_path, "import", *ask, other, "--restore", *options)
        assert done.returncode == 1
        assert "$.cover  is a file of the item 'a'" in done.stderr
    twice = rows(tmp_path, {**exported, "back": exported["cover"]})
    done = backo(tmp_path, "import", *ask, twice, "--restore", "--update")
    assert done.returncode == 1
    assert "$.back  has the content of $.cover" in done.stderr
    DBSqliteConnector(path=tmp_path / "office.sqlite", table="books").drop()
    both = rows(tmp_path, exported, {**exported, "_id": "b"})
    done = backo(tmp_path, "import", *ask, both, "--restore")
    assert done.returncode == 1
    assert "$.cover  is a file of the item 'a'" in done.stderr
    alone = rows(tmp_path, {**exported, "_id": "b"})
    done = backo(tmp_path, "import", *ask, alone, "--restore")
    assert (done.returncode, covers(tmp_path)) == (0, [b"a"]), done.stderr


# --- Stores --------------------------------------------------------------------------


def test_documents_saved_at_once_leave_no_file_of_each_other(
    office: Backoffice, warm: FileSystemConnector
) -> None:
    nana = office.books.db_handler.get_by_id("nana")
    covers = []
    for number in range(8):
        book = office.books.create({"title": "x", "cover": b"new %d" % number})
        covers.append(office.books.db_handler.get_by_id(str(book._id))["cover"])
        office.books.db_handler.delete_by_id(str(book._id))
    del book

    def save(cover: dict[str, Any]) -> None:
        office.books.store.save("nana", {**nana, "cover": cover})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, covers))
    left = office.books.db_handler.get_by_id("nana")["cover"]["file_id"]
    there = {one.file_id for one in warm.stored()}
    assert there & {cover["file_id"] for cover in covers} == {left}
