"""``backo files``: orphans are listed, and removed when that is asked for."""

import os
import time
from pathlib import Path

import pytest

from tests.cli.programs import put
from tests.cli.running import backo

OFFICE = """
from backo import (
    Backoffice, Collection, DBYmlConnector, File, FileSystemConnector, Item
)

covers = FileSystemConnector(path="covers")
office = Backoffice("office")
item = Item({"cover": File(work=covers)})
office.register_collection(Collection("books", item, DBYmlConnector(path="books")))
if not covers.path.exists():
    office.books.create({"_id": "nana", "cover": b"cover"})
"""

UNLISTED = """
from tests.files.conftest import SixMethods
from backo import Backoffice, Collection, DBYmlConnector, File, Item

office = Backoffice("office")
item = Item({"cover": File(work=SixMethods(buffer_size=10))})
office.register_collection(Collection("books", item, DBYmlConnector(path="books")))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A book with a cover, and two covers more: one of today, and one of yesterday."""
    put(tmp_path, main=OFFICE)
    put(
        tmp_path,
        fill="from main import covers, office\n\n"
        "for name in ('old', 'new'):\n    covers.write(name, [name.encode()])\n",
    )
    assert backo(tmp_path, "files", "fill:office", "--orphans").returncode == 0
    (old,) = (tmp_path / "covers").rglob("old")
    os.utime(old, (time.time() - 100_000,) * 2)
    return tmp_path


def names(folder: Path) -> list[str]:
    there = (folder / "covers").glob("??/??/*")
    return sorted(one.name if len(one.name) < 4 else "nana" for one in there)


def test_orphans_are_listed_and_removed(folder: Path) -> None:
    place = f"files:{folder / 'covers'}"
    done = backo(folder, "files", "main:office", "--orphans")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{place} old 3 2")
    assert done.stdout.count("\n") == 1
    assert done.stderr == "Orphans: 1 (3 bytes), removed: 0. Missing: 0.\n"
    assert names(folder) == ["nana", "new", "old"]
    removed = backo(folder, "files", "main:office", "--orphans", "--delete")
    assert (removed.returncode, removed.stdout) == (0, done.stdout)
    assert removed.stderr == "Orphans: 1 (3 bytes), removed: 1. Missing: 0.\n"
    assert names(folder) == ["nana", "new"]
    for options, found in (((), ["nana", "new"]), (("--older-than", "0"), ["nana"])):
        backo(folder, "files", "main:office", "--orphans", "--delete", *options)
        assert names(folder) == found


def test_missing_files_and_cut_short_uploads_are_told(folder: Path) -> None:
    (cover,) = (one for one in folder.glob("covers/??/??/*") if len(one.name) > 3)
    cover.unlink()
    (folder / "covers" / ".parts" / "part").touch()
    done = backo(
        folder, "files", "main:office", "--orphans", "--delete", "--older-than=0s"
    )
    assert done.returncode == 1
    assert done.stdout.endswith(f"\nbooks/nana $.cover: {cover.name} is missing\n")
    assert done.stderr == (
        "Orphans: 2 (6 bytes), removed: 2. Missing: 1.\n"
        "Uploads that were cut short, removed: 1.\n"
    )


def test_a_store_that_cannot_list_is_named(tmp_path: Path) -> None:
    put(tmp_path, main=UNLISTED)
    done = backo(tmp_path, "files", "main:office", "--orphans")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("SixMethods:")
    assert " cannot tell what it keeps: it is left out.\n" in done.stderr


@pytest.mark.parametrize(
    "options",
    [[], ["--delete"], ["--orphans", "--older-than", "soon"]],
)
def test_what_is_asked_wrongly_does_nothing(tmp_path: Path, options: list[str]) -> None:
    done = backo(put(tmp_path, main=OFFICE), "files", "main:office", *options)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert not (tmp_path / "covers").exists()
