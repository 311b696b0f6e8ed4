"""``backo openapi``: the document of a program in the current folder."""

import json
from pathlib import Path

import pytest

from tests.cli.running import backo

PROGRAM = """
from pathlib import Path

from backo import Backoffice, Collection, DBSqliteConnector, Item, String

print("imported")
office = Backoffice("office")
thing = Item({"naïve": String(description="Ünïcode")})
store = DBSqliteConnector(path="office.sqlite", table="things")
office.register_collection(Collection("things", thing, store))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM, "utf-8")
    return tmp_path


def test_the_document_is_all_there_is_on_stdout(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "imported\n")
    document = json.loads(done.stdout)
    assert "/office/things" in document["paths"]
    assert done.stdout.startswith('{\n  "openapi"')


def test_every_path_begins_with_the_prefix(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", "--prefix", "api")
    paths = json.loads(done.stdout)["paths"]
    assert paths
    assert all(path.startswith("/api/office") for path in paths)


def test_a_file_takes_the_document_and_keeps_its_mode(folder: Path) -> None:
    snapshot = folder / "openapi.json"
    snapshot.write_text("old", "utf-8")
    snapshot.chmod(0o640)
    done = backo(folder, "openapi", "main:office", "--output", "openapi.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert "openapi.json is written" in done.stderr
    assert json.loads(snapshot.read_text("utf-8"))["openapi"].startswith("3.1")
    assert snapshot.stat().st_mode & 0o777 == 0o640
    left = [one.name for one in folder.iterdir() if "openapi" in one.name]
    assert left == ["openapi.json"]


def test_a_link_to_a_file_stays_one(folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "openapi.json").symlink_to(folder / "kept" / "document.json")
    done = backo(folder, "openapi", "main:office", "--output", "openapi.json")
    assert done.returncode == 0
    assert (folder / "openapi.json").is_symlink()
    assert "3.1" in (folder / "kept" / "document.json").read_text("utf-8")


def test_a_device_is_written_to_and_stays_one(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", "--output", "/dev/stdout")
    assert json.loads(done.stdout)["openapi"].startswith("3.1")


def test_a_file_in_no_folder_is_refused(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", "--output", "no/where.json")
    assert done.returncode == 1
    assert f"Error: {folder / 'no'} is no folder." in done.stderr


def test_a_snapshot_that_is_true_passes(folder: Path) -> None:
    backo(folder, "openapi", "main:office", "--output", "openapi.json")
    done = backo(folder, "openapi", "main:office", "--check", "openapi.json")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_snapshot_that_is_not_true_fails_with_the_difference(folder: Path) -> None:
    backo(folder, "openapi", "main:office", "--output", "openapi.json")
    program = folder / "main.py"
    program.write_text(PROGRAM.replace("Ünïcode", "Ünïted"), "utf-8")
    done = backo(folder, "openapi", "main:office", "--check", "openapi.json")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(one.startswith("-") and "Ünïcode" in one for one in lines)
    assert any(one.startswith("+") and "Ünïted" in one for one in lines)
    assert "openapi.json differs from the document" in done.stderr


def test_a_snapshot_that_is_not_there_fails(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", "--check", "openapi.json")
    assert done.returncode == 1
    assert "openapi.json is not there" in done.stderr


def test_a_document_is_not_written_and_compared_at_once(folder: Path) -> None:
    done = backo(folder, "openapi", "main:office", "--check", "a", "--output", "b")
    assert done.returncode == 2
    assert "cannot be given together" in done.stderr
