"""``backo migrate``: shown, written, refused, interrupted and resumed."""

import re
import signal
from pathlib import Path

import pytest

from backo import DBSqliteConnector
from tests.cli.programs import put
from tests.cli.running import backo, on_a_terminal

OFFICE = '''
import os
import signal

from backo import Backoffice, Collection, DBSqliteConnector, Int, Item, String


class Store(DBSqliteConnector):
    """Ends its process when it has changed so many documents."""

    def compare_and_set(self, *arguments):
        self.left = getattr(self, "left", int(os.environ.get("ENDED_AFTER", -1))) - 1
        if self.left == -1:
            os.kill(os.getpid(), signal.Signals[os.environ["BY"]])
        return super().compare_and_set(*arguments)


person = Item(
    {"name": String(required=True), "age": Int(min=0), "town": String(default="Paris")},
    meta_data_handler=None,
)
office = Backoffice("office")
store = Store(path="office.sqlite", table="people")
office.register_collection(Collection("people", person, store))
'''
CHANGES = """
def older(document):
    document["age"] += 1


def younger(document):
    document["age"] -= 2
"""
JOURNAL = ".backo-office-people.journal"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path, main=OFFICE, changes=CHANGES)


def people(folder: Path) -> DBSqliteConnector:
    return DBSqliteConnector(path=folder / "office.sqlite", table="people")


def fill(folder: Path, ages: dict[str, int]) -> None:
    store = people(folder)
    with_names = ({"_id": _id, "name": f"[{_id}]", "age": ages[_id]} for _id in ages)
    for one in with_names:
        store.create({**one, "town": "Rome"})


def ages(folder: Path) -> dict[str, int]:
    return {one["_id"]: one["age"] for one in people(folder).select({})}


def journals(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.suffix == ".journal"]


def test_what_changes_is_shown_before_it_is_written(folder: Path) -> None:
    fill(folder, {"[i]da": 36, "bob": 4})
    options = ["migrate", "main:office", "people", "changes:older"]
    done = backo(folder, *options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"│ \[i\]da +│ \$\.age +│ 36 +│ 37 +│", done.stdout)
    assert done.stdout.endswith("people: 2 to be changed, 0 as they are.\n")
    assert "Nothing is written: --write does it." in done.stderr
    assert ages(folder) == {"[i]da": 36, "bob": 4}
    assert journals(folder) == []
    done = backo(folder, *options, "--write")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("people: 2 changed, 0 as they are.\n")
    assert ages(folder) == {"[i]da": 37, "bob": 5}
    assert journals(folder) == []


def test_without_a_function_the_schema_alone_is_applied(folder: Path) -> None:
    people(folder).create({"_id": "ada", "name": "[red]Ada", "age": 36})
    people(folder).create({"_id": "bob", "name": "Bob", "town": "Rome"})
    done = backo(folder, "migrate", "main:office", "people", "--write")
    assert done.stdout.endswith("people: 1 changed, 1 as they are.\n")
    assert people(folder).get_by_id("ada")["town"] == "Paris"
    done = backo(folder, "migrate", "main:office", "people")
    assert done.stdout == "people: 0 to be changed, 2 as they are.\n"
    assert done.stderr == ""


def test_only_the_items_that_are_named_are_changed(folder: Path) -> None:
    fill(folder, {"ada": 36, "bob": 4, "cyd": 20})
    options = ["--id", "ada", "--id", "cyd", "--write"]
    done = backo(folder, "migrate", "main:office", "people", "changes:older", *options)
    assert done.returncode == 0, done.stderr
    assert ages(folder) == {"ada": 37, "bob": 4, "cyd": 21}


def test_only_the_first_differences_are_shown(folder: Path) -> None:
    fill(folder, {f"p{number:02}": 1 for number in range(30)})
    done = backo(folder, "migrate", "main:office", "people", "changes:older")
    assert done.stdout.count("$.age") == 20
    assert "30 to be changed" in done.stdout
    assert "Only the first 20 differences are shown." in done.stderr


def test_all_that_fail_are_named_and_nothing_is_changed(folder: Path) -> None:
    fill(folder, {"ada": 36, "b[red]b": 1, "cyd\x1b[31m": 0})
    done = backo(
        folder, "migrate", "main:office", "people", "changes:younger", "--write"
    )
    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith(
        "Error: people: 2 documents cannot be migrated, and nothing"
    )
    assert [line.partition(": $.age: ")[0] for line in rest] == [
        "  b[red]b",
        r"  cyd\x1b[31m",
    ]
    assert list(ages(folder).values()) == [36, 1, 0]
    assert journals(folder) == []


def test_a_killed_migration_goes_on_with_the_same_command(folder: Path) -> None:
    fill(folder, {f"p{number:03}": number for number in range(450)})
    options = ["migrate", "main:office", "people", "changes:older", "--write"]
    done = backo(folder, *options, ENDED_AFTER="300", BY="SIGKILL")
    assert done.returncode == -signal.SIGKILL
    assert journals(folder) == [JOURNAL]
    seen = backo(folder, *options[:-1])
    assert f"{JOURNAL} holds a migration that was not finished" in seen.stderr
    assert journals(folder) == [JOURNAL]
    done = backo(folder, *options)
    assert done.returncode == 0, done.stderr
    assert "450 changed" in done.stdout
    assert ages(folder) == {f"p{number:03}": number + 1 for number in range(450)}
    assert journals(folder) == []


def test_ctrl_c_says_how_to_go_on(folder: Path) -> None:
    fill(folder, {f"p{number:03}": number for number in range(250)})
    options = ["people", "changes:older", "--write", "--journal", "mine"]
    done = backo(
        folder, "migrate", "main:office", *options, ENDED_AFTER="220", BY="SIGINT"
    )
    assert done.returncode == 130
    assert done.stderr == "Interrupted: the same command goes on from here.\n"
    done = backo(folder, "migrate", "main:office", *options)
    assert done.returncode == 0, done.stderr
    assert ages(folder) == {f"p{number:03}": number + 1 for number in range(250)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["persons"], "main:office has no collection 'persons'. Its own: people."),
        (["people", "changes:oldest"], "changes has no oldest."),
        (["people", "changes"], "'changes' names nothing"),
        (["people", "main:office"], "main:office cannot be called"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    folder: Path, arguments: list[str], words: str
) -> None:
    done = backo(folder, "migrate", "main:office", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_file_that_is_no_journal_is_refused_and_kept(folder: Path) -> None:
    fill(folder, {"ada": 36})
    (folder / "letter").write_text("Dear Ada")
    options = ["people", "changes:older", "--write", "--journal", "letter"]
    done = backo(folder, "migrate", "main:office", *options)
    assert done.returncode == 1
    assert "is no journal of a migration" in done.stderr
    assert (folder / "letter").read_text() == "Dear Ada"
    assert ages(folder) == {"ada": 36}


def test_bars_show_both_phases_on_a_terminal(folder: Path) -> None:
    fill(folder, {"ada": 36})
    options = ["migrate", "main:office", "people", "changes:older", "--write"]
    status, shown = on_a_terminal(folder, *options)
    assert status == 0
    for phase in ("check", "write"):
        assert re.search(rf"{phase} .*100%", shown)
