"""The journal of a migration: what was cut short is finished, and nothing twice."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    ConflictError,
    DBConnector,
    DBError,
    DBSqliteConnector,
    DBYmlConnector,
    MigrationError,
)
from backo.connectors.memory import DBMemoryConnector
from backo.documents import Change
from backo.errors import BackoError
from tests.migrating import (
    STORES,
    Cut,
    Document,
    at_writing,
    cut_after,
    everything,
    fill,
    office_of,
    older,
    person,
    renamed,
)


@pytest.fixture(autouse=True)
def quick_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests cut no power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DBConnector]:
    made = STORES[request.param](tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def ages(store: DBConnector) -> Backoffice:
    office = office_of(person(), store)
    for number in range(450):
        store.create({"_id": f"{number:03}", "name": "A", "age": number})
    return office


def ages_in(store: DBConnector) -> list[int]:
    return [one["age"] for one in everything(store)]


@pytest.mark.parametrize("count", [0, 150, 250, 449])
def test_what_was_cut_short_is_finished(
    ages: Backoffice, store: DBConnector, tmp_path: Path, count: int
) -> None:
    journal = tmp_path / "journal"
    with pytest.raises(Cut):
        ages.migrate(
            "people",
            older,
            dry_run=False,
            journal=journal,
            progress=cut_after("write", count),
        )
    done = sum(age != number for number, age in enumerate(ages_in(store)))
    assert done == count // 200 * 200
    asked: list[str] = []

    def again(document: Document) -> None:
        asked.append(document["_id"])

    planned = ages.migrate("people", again, journal=journal)
    assert planned.changes.total == 450
    assert journal.exists()
    report = ages.migrate("people", again, dry_run=False, journal=journal)
    assert asked == []
    assert report == planned
    assert ages_in(store) == list(range(1, 451))
    assert not journal.exists()


def test_what_was_cut_short_while_checking_begins_anew(
    ages: Backoffice, store: DBConnector, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with pytest.raises(Cut):
        ages.migrate("people", older, journal=journal, progress=cut_after("check", 250))
    assert list(tmp_path.glob("journal*")) == []
    assert ages.migrate("people", older, journal=journal).changes.total == 450
    assert list(tmp_path.glob("journal*")) == []


def test_what_others_changed_after_a_cut_is_migrated_once(
    ages: Backoffice, store: DBConnector, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with pytest.raises(Cut):
        ages.migrate(
            "people",
            older,
            dry_run=False,
            journal=journal,
            progress=cut_after("write", 300),
        )
    for _id, age in (("010", 1000), ("400", 2000)):
        store.save(_id, {"_id": _id, "name": "B", "age": age})
    report = ages.migrate("people", older, dry_run=False, journal=journal)
    assert store.get_by_id("010")["age"] == 1000
    assert store.get_by_id("400")["age"] == 2001
    assert report.changes.diff["400"][0] == Change("$.age", 2000, 2001)


def test_what_a_killed_process_has_written_and_not_told(
    ages: Backoffice, store: DBConnector, tmp_path: Path
) -> None:
    """A store with transactions tells the journal, so that this is somebody else's."""
    journal = tmp_path / "journal"
    cut = cut_after("write", 0)
    with pytest.raises(Cut):
        ages.migrate("people", older, dry_run=False, journal=journal, progress=cut)
    store.save("010", {"_id": "010", "name": "A", "age": 11})
    ages.migrate("people", older, dry_run=False, journal=journal)
    durable = isinstance(store, DBSqliteConnector | DBYmlConnector)
    assert store.get_by_id("010")["age"] == (12 if durable else 11)
    assert store.get_by_id("011")["age"] == 12


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_only_its_owner_may_read_a_journal(ages: Backoffice, tmp_path: Path) -> None:
    modes: list[int] = []

    def look() -> None:
        found = [one for one in tmp_path.glob("journal*") if one.suffix != ".lock"]
        modes.extend(stat.S_IMODE(one.stat().st_mode) for one in found)

    journal, progress = tmp_path / "journal", at_writing(look)
    ages.migrate("people", older, dry_run=False, journal=journal, progress=progress)
    assert set(modes) == {0o600}


def test_a_journal_of_something_else_is_refused(
    ages: Backoffice, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    cut = cut_after("write", 0)
    with pytest.raises(Cut):
        ages.migrate("people", older, dry_run=False, journal=journal, progress=cut)
    content = journal.read_bytes()
    ages.register_collection(Collection("pets", person(), DBMemoryConnector()))
    with pytest.raises(ConflictError, match="of another migration: collection people"):
        ages.migrate("pets", older, dry_run=False, journal=journal)
    with pytest.raises(ConflictError, match="of another migration: documents all"):
        ages.migrate("people", older, _id="001", dry_run=False, journal=journal)
    assert journal.read_bytes() == content


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    office = office_of(person(), DBMemoryConnector())
    text, database = tmp_path / "text", tmp_path / "people.sqlite"
    text.write_text("dear diary\n" * 100, encoding="utf-8")
    store = DBSqliteConnector(path=database)
    fill(store, 2)
    store.close()
    for path in (text, database):
        content = path.read_bytes()
        with pytest.raises(ConflictError, match="is no journal of a migration"):
            office.migrate("people", journal=path)
        assert path.read_bytes() == content
    assert sorted(one.name for one in tmp_path.iterdir()) == ["people.sqlite", "text"]


def test_an_empty_file_may_become_a_journal(tmp_path: Path) -> None:
    office = office_of(person(), DBMemoryConnector())
    (tmp_path / "journal").touch()
    office.migrate("people", journal=tmp_path / "journal")


def test_a_journal_where_no_file_can_be(tmp_path: Path) -> None:
    office = office_of(person(), DBMemoryConnector())
    with pytest.raises(DBError, match="journal"):
        office.migrate("people", journal=tmp_path / "nowhere" / "journal")


def test_a_journal_is_used_by_one_at_a_time(ages: Backoffice, tmp_path: Path) -> None:
    journal, refused = tmp_path / "journal", []

    def another() -> None:
        def migrate() -> None:
            with pytest.raises(ConflictError, match="in use by another migration"):
                ages.migrate("people", older, dry_run=False, journal=journal)
            refused.append(True)

        thread = threading.Thread(target=migrate)
        thread.start()
        thread.join()

    ages.migrate(
        "people", older, dry_run=False, journal=journal, progress=at_writing(another)
    )
    assert refused == [True]


def test_a_journal_makes_its_own_transactions(ages: Backoffice, tmp_path: Path) -> None:
    with ages.transaction(), pytest.raises(BackoError, match="its own transactions"):
        ages.migrate("people", older, dry_run=False, journal=tmp_path / "journal")


def test_a_store_that_fails_in_the_middle_says_how_far_it_came(tmp_path: Path) -> None:
    store, calls = DBMemoryConnector(), []
    office = office_of(person(), store)
    fill(store, 450)
    real = store.compare_and_set

    def failing(*args: Any) -> bool:
        calls.append(args)
        if len(calls) == 230:
            raise DBError("the disk is full")
        return real(*args)

    store.compare_and_set = failing  # type: ignore[assignment, method-assign]
    journal = tmp_path / "journal"
    with pytest.raises(DBError, match="the disk is full") as caught:
        office.migrate("people", renamed, dry_run=False, journal=journal)
    assert caught.value.__notes__ == ["people: 250 documents are left as is"]
    assert sum("name" in one for one in store.scan()) == 200
    assert office.migrate("people", dry_run=False, journal=journal).changes.total == 450
    assert sum("name" in one for one in store.scan()) == 450


def tables_of(path: Path) -> set[str]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute(sql)}


@pytest.mark.parametrize("sort", ["yml", "sqlite"])
def test_the_store_decides_not_the_journal(sort: str, tmp_path: Path) -> None:
    """For the journal is removed, and nobody could ask it any more."""
    store = STORES[sort](tmp_path / "z")
    office, journal = office_of(person(), store), tmp_path / "journal"
    fill(store, 3)
    seen: set[str] = set()

    def progress(phase: str, documents: Iterable[Any], _: int | None) -> Iterator[Any]:
        yield from documents
        if phase == "write" and journal.exists():
            seen.update(tables_of(journal))

    with pytest.raises(MigrationError):
        office.migrate(
            "people",
            renamed,
            dry_run=False,
            journal=journal,
            progress=at_writing(lambda: store.save("p0001", {"first": 1})),
        )
    store.save("p0001", {"first": "Bo", "last": "Li", "age": "1"})
    office.migrate("people", renamed, dry_run=False, journal=journal, progress=progress)
    assert {"backo_units_prepared", "done"} <= seen
    assert "backo_units_decided" not in seen
