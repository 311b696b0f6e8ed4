"""``backo export`` and ``backo import``, as processes of their own."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.bookcase.model import bookcase
from examples.bookcase.seed import sources
from tests.cli.programs import OFFICE, put
from tests.cli.running import backo, environment, on_a_terminal

BOOKCASE = "examples.bookcase.apps:office"
COLLECTIONS = ["nationalities", "authors", "books"]
"""What others point to comes first."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An office without items, and a file of authors."""
    put(tmp_path, main=OFFICE)
    (tmp_path / "authors.csv").write_text("_id,name\na,A\nb,B\n", "utf-8")
    return tmp_path


def ran(folder: Path, *arguments: str | Path, **more: str) -> Any:
    """A command that must succeed."""
    done = backo(folder, *arguments, **more)
    assert done.returncode == 0, done.stderr
    return done


def ids(folder: Path, collection: str = "authors") -> list[str]:
    text = ran(folder, "export", "main:office", collection).stdout
    return [json.loads(line)["_id"] for line in text.splitlines()]


# --- The bookcase, there and back -------------------------------------------------


def as_jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(
        file, list(dict.fromkeys(key for row in rows for key in row))
    )
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_bookcase_survives_import_export_and_import(
    tmp_path: Path, form: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    render = {"jsonl": as_jsonl, "csv": as_csv}[form]
    exports: dict[str, bytes] = {}
    for name in COLLECTIONS:
        rows = sources()[name]()
        file = tmp_path / f"{name}.{form}"
        file.write_text(render(rows), "utf-8", newline="")
        done = ran(tmp_path, "import", BOOKCASE, name, file, BOOKCASE_DATA=str(first))
        assert f"Rows: {len(rows)}. Items created: {len(rows)}, " in done.stderr
    assert bookcase(first).check_references() == []
    assert bookcase(first).nationalities.db_handler.count() == 249
    for name in COLLECTIONS:
        file = tmp_path / f"{name}-1.{form}"
        ran(
            tmp_path, "export", BOOKCASE, name, "--output", file,
            BOOKCASE_DATA=str(first),
        )  # fmt: skip
        exports[name] = file.read_bytes()
        ran(
            tmp_path, "import", BOOKCASE, name, file, "--restore",
            BOOKCASE_DATA=str(second),
        )  # fmt: skip
    for name in COLLECTIONS:
        again = ran(
            tmp_path, "export", BOOKCASE, name, "--format", form,
            BOOKCASE_DATA=str(second),
        )  # fmt: skip
        assert again.stdout.encode() == exports[name].replace(b"\r\n", b"\n")
    one, other = bookcase(first), bookcase(second)
    for name in COLLECTIONS:
        assert without_unset(one, name) == without_unset(other, name)
    assert other.check_references() == []


def without_unset(office: Any, name: str) -> list[Any]:
    def known(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        below = {key: known(one) for key, one in value.items()}
        return {key: one for key, one in below.items() if one not in (None, {})}

    return [known(one) for one in office.collection(name).db_handler.scan()]


# --- Export -----------------------------------------------------------------------


def test_an_export_goes_to_stdout_or_takes_the_place_of_a_file(folder: Path) -> None:
    ran(folder, "import", "main:office", "authors", "authors.csv")
    done = ran(folder, "export", "main:office", "authors", "--view", "client")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["A", "B"]
    assert done.stderr.endswith("Items of authors: 2.\n")
    out = folder / "out.csv"
    out.write_text("old", "utf-8")
    done = ran(
        folder, "export", "main:office", "authors", "--output", "out.csv",
        "--filter", '{"name": ["$gt", "A"]}',
    )  # fmt: skip
    assert done.stdout == ""
    header, row = out.read_bytes().decode().splitlines()
    assert header.startswith("_id,name,books,_meta.ctime,")
    assert row.startswith("b,B,,")
    assert sorted(one.name for one in folder.glob("*out*")) == ["out.csv"]


def test_an_export_that_fails_leaves_the_file_as_it_was(folder: Path) -> None:
    put(
        folder,
        main=OFFICE + '\noffice.authors.db_handler.create({"_id": "x", "name": 5})\n',
    )
    (folder / "out.csv").write_text("old", "utf-8")
    done = backo(folder, "export", "main:office", "authors", "--output", "out.csv")
    assert done.returncode == 1
    assert "x: $.name: is no text, and cannot stand in a CSV file" in done.stderr
    assert (folder / "out.csv").read_text("utf-8") == "old"
    assert sorted(one.name for one in folder.glob("*out*")) == ["out.csv"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nope"], "main:office has no collection 'nope'. Its own: authors, books."),
        (["authors", "--output", "out.txt"], "The name out.txt tells no format"),
        (["authors", "--filter", "{"], "filter: not valid JSON"),
        (["authors", "--filter", '{"nope": 1}'], "$.nope: "),
        (["authors", "--view", "nope"], "there is no view 'nope'; there are client"),
        (["authors", "--format", "xml"], "xml"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    folder: Path, options: list[str], told: str
) -> None:
    done = backo(folder, "export", "main:office", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_reader_may_go_away_before_the_end(folder: Path) -> None:
    rows = "".join(f'{{"_id": "{at}", "name": "{"n" * 1000}"}}\n' for at in range(500))
    (folder / "many.jsonl").write_text(rows, "utf-8")
    ran(folder, "import", "main:office", "authors", "many.jsonl")
    command = [sys.executable, "-m", "backo", "export", "main:office", "authors"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        told = process.stderr.read().decode()
    assert "Traceback" not in told
    assert process.returncode != 0


# --- Import -----------------------------------------------------------------------


def test_every_fault_is_shown_and_written_and_nothing_is_stored(folder: Path) -> None:
    rows = "_id,title,author\nx,X,nobody\ny,Y,\nx,Z,\n\x1b[31m,[red],=\n"
    (folder / "books.csv").write_text(rows, "utf-8")
    done = backo(
        folder, "import", "main:office", "books", "books.csv", "--errors", "e.jsonl"
    )
    assert done.returncode == 1
    assert "there is no item 'nobody' in authors" in done.stderr
    assert "is the id of line 2 too" in done.stderr
    assert "Rows: 4, with faults: 3. Items created: 0, updated: 0." in done.stderr
    assert "\x1b" not in done.stderr
    lines = (folder / "e.jsonl").read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    assert [(one["line"], one["_id"], one["path"], one["code"]) for one in told] == [
        (2, "x", "$.author", "unknown_reference"),
        (4, "x", "$._id", "duplicate_id"),
        (5, "\x1b[31m", "$.author", "unknown_reference"),
    ]
    assert ids(folder, "books") == []


def test_what_no_file_could_hold_is_written_all_the_same(folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"_id": "\\ud800", "name": "N"}', "utf-8")
    done = backo(
        folder, "import", "main:office", "authors", "bad.jsonl", "--errors", "e.jsonl"
    )
    assert done.returncode == 1
    assert json.loads((folder / "e.jsonl").read_text("utf-8"))["_id"] == "\ud800"


def test_only_the_first_faults_are_shown(folder: Path) -> None:
    (folder / "bad.jsonl").write_text("[]\n" * 60, "utf-8")
    done = backo(folder, "import", "main:office", "authors", "bad.jsonl")
    assert done.returncode == 1
    assert done.stderr.count("is no JSON object") == 50
    assert "... and 10 more: --errors FILE keeps all." in done.stderr


def test_a_dry_run_stores_nothing(folder: Path) -> None:
    done = ran(folder, "import", "main:office", "authors", "authors.csv", "--dry-run")
    assert "Rows: 2. Items that would be created: 2, updated: 0." in done.stderr
    assert ids(folder) == []


def test_batches_updates_and_stdin(folder: Path) -> None:
    rows = '{"_id": "a", "name": "new"}\n{"name": 5}\n{"_id": "c", "name": "C"}\n'
    ran(folder, "import", "main:office", "authors", "authors.csv", "--batch", "0")
    command = [sys.executable, "-m", "backo", "import", "main:office", "authors", "-"]
    done = subprocess.run(
        [*command, "--update", "--partial", "--batch", "1"],
        cwd=folder, env=environment(), input=rows, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Rows: 3, with faults: 1. Items created: 1, updated: 1." in done.stderr
    assert ids(folder) == ["a", "b", "c"]
    kept = ran(folder, "export", "main:office", "authors", "--filter", '{"_id": "a"}')
    assert json.loads(kept.stdout)["name"] == "new"


def test_a_pipe_is_read_twice(folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    command = [sys.executable, "-m", "backo", "import", "main:office", "authors"]
    with subprocess.Popen(
        [*command, "pipe.csv"], cwd=folder, env=environment()
    ) as process:
        (folder / "pipe.csv").write_text("_id,name\nx,X\n", "utf-8")
    assert process.returncode == 0
    assert ids(folder) == ["x"]


def test_what_was_restored_without_its_other_half_is_told(folder: Path) -> None:
    ran(folder, "import", "main:office", "authors", "authors.csv")
    (folder / "b.jsonl").write_text(
        '{"_id": "x", "title": "X", "author": "a"}', "utf-8"
    )
    done = ran(folder, "import", "main:office", "books", "b.jsonl", "--restore")
    assert "Broken links: 1. " in done.stderr
    assert "backo check main:office --repair" in done.stderr
    ran(folder, "check", "main:office", "--repair")


def test_rows_of_an_export_are_told_how_to_come_back(folder: Path) -> None:
    ran(folder, "import", "main:office", "authors", "authors.csv")
    ran(folder, "export", "main:office", "authors", "--output", "out.csv")
    done = backo(folder, "import", "main:office", "authors", "out.csv", "--update")
    assert done.returncode == 1
    assert "come back by --restore" in done.stderr


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("nowhere.csv", "nowhere.csv: No such file or directory"),
        ("wrong.csv", "wrong.csv: there is no column 'nope'; there are _id, name, "),
        ("empty.csv", "empty.csv: the first line must name the columns."),
    ],
)
def test_a_file_that_cannot_be_read_is_told(folder: Path, file: str, told: str) -> None:
    (folder / "wrong.csv").write_text("_id,nope\n", "utf-8")
    (folder / "empty.csv").write_text("", "utf-8")
    done = backo(folder, "import", "main:office", "authors", file)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bar_shows_how_far_it_is_on_a_terminal(folder: Path) -> None:
    status, shown = on_a_terminal(
        folder, "import", "main:office", "authors", "authors.csv"
    )
    assert status == 0
    assert "checking" in shown
    assert "storing" in shown


def test_an_import_that_is_killed_has_stored_whole_batches(folder: Path) -> None:
    rows = "".join(f'{{"_id": "{at:05}", "name": "N"}}\n' for at in range(20_000))
    (folder / "many.jsonl").write_text(rows, "utf-8")
    command = [sys.executable, "-m", "backo", "import", "main:office", "authors"]
    with subprocess.Popen(
        [*command, "many.jsonl", "--partial", "--batch", "100"],
        cwd=folder, env=environment(),
    ) as process:  # fmt: skip
        while process.poll() is None and len(ids(folder)) == 0:
            continue
        process.send_signal(signal.SIGKILL)
    stored = ids(folder)
    assert 0 < len(stored) < 20_000
    assert len(stored) % 100 == 0
    assert stored == [f"{at:05}" for at in range(len(stored))]
