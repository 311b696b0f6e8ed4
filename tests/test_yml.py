"""The store of YAML files."""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from backo.connectors.base import Query
from backo.connectors.yml import DBYmlConnector
from backo.errors import DBError, DuplicateIdError, NotFoundError
from backo.query.filter import Condition, Op
from backo.schema.plan import Kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "below" / "books"


@pytest.fixture
def books(folder: Path) -> DBYmlConnector:
    return DBYmlConnector(path=folder)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".yml")


def by_hand(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


# -- files for people --------------------------------------------------------------


def test_a_file_is_readable(books: DBYmlConnector, folder: Path) -> None:
    books.create(
        {
            "title": "Les Misérables",
            "_id": "hugo",
            "tags": ["roman", "19e"],
            "address": {"zip": "01234", "country": "NO"},
            "text": "one\ntwo\n",
            "none": None,
        }
    )
    assert (folder / "hugo.yml").read_text(encoding="utf-8") == (
        "_id: hugo\n"
        "title: Les Misérables\n"
        "tags:\n"
        "- roman\n"
        "- 19e\n"
        "address:\n"
        "  zip: '01234'\n"
        "  country: 'NO'\n"
        "text: |\n"
        "  one\n"
        "  two\n"
        "none: null\n"
    )


def test_the_folder_is_made_on_demand(books: DBYmlConnector, folder: Path) -> None:
    assert books.find(Query()) == []
    with pytest.raises(NotFoundError):
        books.save("a", {})
    books.drop()
    assert not folder.exists()
    books.create({"_id": "a"})
    assert files(folder) == ["a.yml"]


def test_an_edit_from_outside_is_seen(books: DBYmlConnector, folder: Path) -> None:
    books.create({"_id": "a", "n": 1})
    for n in range(2, 30):
        by_hand(folder, "a.yml", f"n: {n:2}\n")
        assert books.get_by_id("a")["n"] == n
        assert books.count(Condition(("n",), Op.GT, n - 1, Kind.INT)) == 1


def test_an_edit_in_the_same_tick_is_seen(books: DBYmlConnector, folder: Path) -> None:
    now = time.time_ns()
    for n in (1, 2, 3):
        by_hand(folder, "a.yml", f"n: {n}\n")
        os.utime(folder / "a.yml", ns=(now, now))
        assert books.get_by_id("a")["n"] == n


def test_files_by_hand_need_no_id(books: DBYmlConnector, folder: Path) -> None:
    by_hand(folder, "my book.yml", "title: x\n")
    assert books.get_by_id("my book") == {"_id": "my book", "title": "x"}


def test_the_name_of_the_file_decides(books: DBYmlConnector, folder: Path) -> None:
    by_hand(folder, "b.yml", "_id: a\ntitle: copied\n")
    assert books.find(Query()) == [{"_id": "b", "title": "copied"}]


def test_other_files_are_ignored(books: DBYmlConnector, folder: Path) -> None:
    for name in (".hidden.yml", "notes.txt", "a.yaml", "a.yml~", ".yml", "100%.yml"):
        by_hand(folder, name, "title: x\n")
    assert books.find(Query()) == []
    assert books.count() == 0


def test_what_yaml_makes_of_dates_is_text(books: DBYmlConnector, folder: Path) -> None:
    by_hand(
        folder,
        "a.yml",
        "day: 2020-01-31\n"
        "moment: 2020-01-31 10:00:00\n"
        "zoned: 2020-01-31T10:00:00+02:00\n"
        "blob: !!binary YQ==\n"
        "set: !!set {x: null}\n"
        "country: NO\n"
        "zip: 01234\n"
        "opens: 12:30\n"
        "numbers: [0, -1, 1.5, 1e3, .nan, 0x1, 1_0]\n"
        "yes: true\n"
        "1: one\n",
    )
    assert books.get_by_id("a") == {
        "_id": "a",
        "day": "2020-01-31",
        "moment": "2020-01-31T10:00:00",
        "zoned": "2020-01-31T10:00:00+02:00",
        "blob": "YQ==",
        "set": ["x"],
        "country": "NO",
        "zip": "01234",
        "opens": "12:30",
        "numbers": [0, -1, 1.5, 1000.0, ".nan", "0x1", "1_0"],
        "yes": True,
        "1": "one",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "- 1\n- 2\n",
        "just text",
        "",
        'a: "\\ud800"\n',
        "a: \x01",
        "a: !!python/object/apply:os.getcwd []\n",
        "? [1, 2]\n: 3\n",
        "a: &a [*a]\n",
        "a: " + "[" * 5000,
    ],
)
def test_a_broken_file_is_named(books: DBYmlConnector, folder: Path, text: str) -> None:
    books.create({"_id": "good"})
    by_hand(folder, "broken.yml", text)
    with pytest.raises(DBError, match=r"broken\.yml"):
        books.get_by_id("broken")
    with pytest.raises(DBError, match=r"broken\.yml"):
        books.find(Query())
    assert books.get_by_id("good") == {"_id": "good"}
    books.save("broken", {"title": "mended"})
    assert books.count() == 2


def test_a_file_that_is_no_utf8_is_named(books: DBYmlConnector, folder: Path) -> None:
    by_hand(folder, "broken.yml", "")
    (folder / "broken.yml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(DBError, match=r"broken\.yml"):
        books.get_by_id("broken")


def test_a_folder_in_the_place_of_a_file(books: DBYmlConnector, folder: Path) -> None:
    (folder / "broken.yml").mkdir(parents=True)
    with pytest.raises(DBError, match=r"broken\.yml"):
        books.get_by_id("broken")


# -- names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("_id", "name"),
    [
        ("018f-a.b_c", "018f-a.b_c.yml"),
        ("é 😀", "é 😀.yml"),
        ("a/b", "a%2Fb.yml"),
        ("a\\b", "a%5Cb.yml"),
        ("..", "%2E%2E.yml"),
        (".", "%2E.yml"),
        ("../x", "%2E.%2Fx.yml"),
        (".lock", "%2Elock.yml"),
        ("a%2Fb", "a%252Fb.yml"),
        ("x\0y", "x%00y.yml"),
        ("a:b", "a%3Ab.yml"),
        ("a.", "a%2E.yml"),
        ("a ", "a%20.yml"),
        ("CON", "%43ON.yml"),
        ("com1.txt", "%63om1.txt.yml"),
        ("console", "console.yml"),
    ],
)
def test_names_of_files(
    books: DBYmlConnector, folder: Path, _id: str, name: str
) -> None:
    books.create({"_id": _id})
    assert files(folder) == [name]
    assert books.get_by_id(_id) == {"_id": _id}
    assert books.find(Query()) == [{"_id": _id}]


@pytest.mark.parametrize("_id", ["x" * 10_000, "é" * 200, "\ud800", "", 5, None])
def test_an_id_no_file_can_have(books: DBYmlConnector, folder: Path, _id: Any) -> None:
    with pytest.raises(NotFoundError):
        books.get_by_id(_id)
    if _id is not None:
        with pytest.raises(DBError) as caught:
            books.create({"_id": _id})
        assert not isinstance(caught.value, DuplicateIdError)
    assert books.count() == 0
    assert [] == (
        [p.name for p in folder.iterdir() if p.name not in (".lock",)]
        if folder.exists()
        else []
    )


# -- writers -----------------------------------------------------------------------


def test_what_a_killed_writer_left_is_cleaned(
    books: DBYmlConnector, folder: Path
) -> None:
    books.create({"_id": "a"})
    (folder / ".new").write_text("half", encoding="utf-8")
    assert books.find(Query()) == [{"_id": "a"}]
    books.save("a", {"n": 1})
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "a.yml"]


def test_a_half_written_file_is_removed_by_the_next_start(
    books: DBYmlConnector, folder: Path
) -> None:
    books.create({"_id": "a"})
    (folder / ".new").write_text("half", encoding="utf-8")
    books.bind(books.plan)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "a.yml"]


def test_a_failed_write_leaves_the_old_file(
    books: DBYmlConnector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.create({"_id": "a", "n": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DBError, match="No space left"):
        books.save("a", {"n": 2})
    monkeypatch.undo()
    assert books.get_by_id("a")["n"] == 1
    books.save("a", {"n": 3})
    assert books.get_by_id("a")["n"] == 3


def test_a_document_that_is_no_json(books: DBYmlConnector) -> None:
    for value in (float("nan"), object(), {"x"}, "\ud800"):
        with pytest.raises(DBError):
            books.create({"_id": "a", "x": value})
    assert books.count() == 0


def add_ten(folder: Path) -> None:
    books = DBYmlConnector(path=folder)
    for _ in range(10):
        while True:
            read = books.get_by_id("a")
            if books.compare_and_set("a", read, {"n": read["n"] + 1}):
                break


def create_once(folder: Path) -> bool:
    try:
        DBYmlConnector(path=folder).create({"_id": "once"})
    except DuplicateIdError:
        return False
    return True


def test_writers_of_several_processes_take_turns(
    books: DBYmlConnector, folder: Path
) -> None:
    books.create({"_id": "a", "n": 0})
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with context.Pool(3) as pool:
        pool.map(add_ten, [folder] * 3)
        assert sorted(pool.map(create_once, [folder] * 3)) == [False, False, True]
    assert books.get_by_id("a")["n"] == 30


# -- the cache ---------------------------------------------------------------------


def test_an_unchanged_file_is_parsed_once(
    books: DBYmlConnector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand(folder, "a.yml", "n: 1\n")
    os.utime(folder / "a.yml", (1, 1))
    load = mock.Mock(wraps=yaml.load)
    monkeypatch.setattr(yaml, "load", load)
    for _ in range(3):
        assert books.get_by_id("a")["n"] == 1
        assert len(books.find(Query())) == 1
    assert load.call_count == 1
    (folder / "a.yml").unlink()
    assert books.find(Query()) == []
    with pytest.raises(NotFoundError):
        books.get_by_id("a")


def test_select_takes_a_filter_of_backo(books: DBYmlConnector) -> None:
    for n in range(4):
        books.create({"_id": str(n), "n": n, "address": {"zip": n, "city": "x"}})
    found = books.select(
        {"n": ("$gt", 0)}, {"address.zip": 1}, 2, 1, {"n": -1, "_id": 1}
    )
    assert json.dumps(found) == json.dumps(
        [
            {"_id": "2", "address": {"zip": 2}},
            {"_id": "1", "address": {"zip": 1}},
        ]
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o400])
def test_a_file_keeps_its_mode(books: DBYmlConnector, folder: Path, mode: int) -> None:
    books.create({"_id": "a", "secret": "x"})
    (folder / "a.yml").chmod(mode)
    books.save("a", {"secret": "y"})
    assert books.compare_and_set("a", {"_id": "a", "secret": "y"}, {"secret": "z"})
    assert (folder / "a.yml").stat().st_mode & 0o777 == mode


def test_what_is_scanned_or_written_is_not_kept_in_memory(
    books: DBYmlConnector, folder: Path
) -> None:
    for name in ("a", "b"):
        books.create({"_id": name})
        os.utime(folder / f"{name}.yml", ns=(0, 0))
    assert len(list(books.scan())) == 2
    assert books._cache == {}
    books.find(Query())
    assert sorted(books._cache) == ["a.yml", "b.yml"]
    books.save("a", {"_id": "a", "title": "new"})
    assert sorted(books._cache) == ["b.yml"]
