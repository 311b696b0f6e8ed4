"""Migrations: every document is right before the first is written."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Collection,
    DBConnector,
    DBError,
    DBSqliteConnector,
    DBYmlConnector,
    Dict,
    Int,
    Item,
    List,
    MigrationError,
    MigrationReport,
    String,
    current_user,
)
from backo.connectors.memory import DBMemoryConnector
from backo.documents import Change
from backo.errors import SSyntaxError
from tests.migrating import (
    STORES,
    Document,
    at_writing,
    everything,
    fill,
    office_of,
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


# -- what it does ------------------------------------------------------------------


def test_a_dry_run_tells_what_would_change(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 3)
    before = everything(store)
    report = office.migrate("people", renamed)
    assert everything(store) == before
    assert isinstance(report, MigrationReport)
    assert (report.no_changes._ids, report.no_changes.total) == ([], 0)
    assert report.changes.total == 3
    assert report.changes._ids == ["p0000", "p0001", "p0002"]
    assert report.changes.diff["p0001"] == [
        Change("$.age", "1", 1),
        Change("$.first", "Ann", None),
        Change("$.last", "Lee", None),
        Change("$.name", None, "Ann Lee"),
    ] or sorted(one.path for one in report.changes.diff["p0001"]) == [
        "$.age",
        "$.first",
        "$.last",
        "$.name",
    ]


def test_a_migration_writes_what_the_dry_run_told(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 450)
    told = office.migrate("people", renamed)
    report = office.migrate("people", renamed, dry_run=False)
    assert report == told
    assert everything(store) == [
        {"_id": f"p{number:04}", "name": "Ann Lee", "age": number}
        for number in range(450)
    ]
    assert office.people.get_by_id("p0007").age == 7


def test_the_function_may_give_another_document(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 2)
    office.people.migrate(lambda old: {"name": old["first"]}, dry_run=False)
    assert [(one["name"], one.get("age")) for one in everything(store)] == [
        ("Ann", None)
    ] * 2


def test_what_stays_the_same_is_not_written(store: DBConnector) -> None:
    office = office_of(person(), store)
    store.create({"_id": "a", "name": "A"})
    store.create({"_id": "b", "name": "B", "age": 3})

    def older(document: Document) -> None:
        if document.get("age") is not None:
            document["age"] += 1

    report = office.migrate("people", older, dry_run=False)
    assert (report.no_changes._ids, report.changes._ids) == (["a"], ["b"])
    assert report.changes.diff == {"b": [Change("$.age", 3, 4)]}
    assert everything(store)[0] == {"_id": "a", "name": "A"}


def test_without_a_function_the_schema_alone_acts(store: DBConnector) -> None:
    fields = {
        "city": String(default="Paris"),
        "tags": List(String(), default=lambda root: ["new"]),
        "home": Dict({"zip": String(default="75001"), "floor": Int()}),
        "label": String(
            set=lambda root: f"{root.name}, {root.city}", views=["save", "client"]
        ),
        "shown": String(set=lambda root: f"<{root.name}>"),
    }
    office = office_of(person(**fields), store)
    store.create({"_id": "a", "name": "A", "old": [1], "home": {"door": "left"}})
    report = office.migrate("people", dry_run=False)
    assert report.changes.total == 1
    [found] = everything(store)
    assert {key: value for key, value in found.items() if value is not None} == {
        "_id": "a",
        "name": "A",
        "old": [1],
        "home": {"door": "left", "zip": "75001", "floor": None},
        "city": "Paris",
        "tags": ["new"],
        "label": "A, Paris",
    }
    assert office.migrate("people", dry_run=False).changes.total == 0


def test_only_some_documents(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 4)
    one = office.migrate("people", renamed, _id="p0001", dry_run=False)
    assert one.changes._ids == ["p0001"]
    two = office.migrate("people", renamed, _id=["p0003", "p0003"], dry_run=False)
    assert two.changes._ids == ["p0003"]
    both = office.people.migrate(renamed, ["p0002", "p0000"], False)
    assert both.changes._ids == ["p0002", "p0000"]
    assert [one["age"] for one in everything(store)] == [0, 1, 2, 3]
    assert office.migrate("people", renamed, _ids=[]).changes.total == 0


def test_a_report_is_json_too() -> None:
    store = DBMemoryConnector()
    office = office_of(person(), store)
    store.create({"_id": "a", "name": "A"})
    store.create({"_id": "b", "name": "B"})

    def aged(document: Document) -> None:
        if document["_id"] == "a":
            document["age"] = 1

    report = office.migrate("people", aged)
    change = {"path": "$.age", "before": None, "after": 1}
    assert json.loads(json.dumps(report.to_dict())) == {
        "no_changes": {"_ids": ["b"], "total": 1},
        "changes": {"_ids": ["a"], "diff": {"a": [change]}, "total": 1},
    }
    assert repr(report) == "MigrationReport(no_changes=1, changes=1)"


def test_only_so_many_changes_are_told_in_detail() -> None:
    store = DBMemoryConnector()
    office = office_of(person(), store)
    fill(store, 1100)
    report = office.migrate("people", renamed)
    assert len(report.changes.diff) == 1000
    assert report.changes.total == len(report.changes._ids) == 1100


def test_the_function_is_called_once_for_each(store: DBConnector) -> None:
    office, asked = office_of(person(), store), []

    def asking(document: Document) -> None:
        asked.append(document["_id"])
        renamed(document)

    fill(store, 250)
    office.migrate("people", asking, dry_run=False)
    assert asked == [f"p{number:04}" for number in range(250)]


# -- rights, events, who changed it ------------------------------------------------


def test_rights_are_not_asked_and_no_events_are_told(store: DBConnector) -> None:
    heard: list[str] = []

    def hear(event_name: str, *_: Any, **__: Any) -> None:
        heard.append(event_name)

    def refused(_right: str, _item: Any) -> bool:
        return False

    events = ["before_save", "saved", "loaded", "created"]
    fields = {
        "hidden": String(can_read=False, can_modify=refused, default="h"),
        "told": String(on=[(name, hear) for name in events]),
    }
    rights = {
        "can_read": refused,
        "can_modify": False,
        "refuse_filter": lambda: {"name": "Ann Lee"},
    }
    office = office_of(person(**fields), store, **rights)
    fill(store, 2)
    assert office.migrate("people", renamed, dry_run=False).changes.total == 2
    assert [(one["name"], one["hidden"]) for one in everything(store)] == [
        ("Ann Lee", "h")
    ] * 2
    assert heard == []


def test_a_restriction_holds(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    fill(DBSqliteConnector(path=path), 4)
    store = DBSqliteConnector(path=path, restriction=lambda: {"_id": ("$gt", "p0001")})
    office = office_of(person(), store)
    report = office.migrate("people", renamed, dry_run=False)
    assert report.changes._ids == ["p0002", "p0003"]
    with pytest.raises(MigrationError, match="p0000: \\$: there is no such item"):
        office.migrate("people", renamed, _id="p0000")


def test_meta_stays_and_is_filled_where_it_is_missing(store: DBConnector) -> None:
    office = office_of(Item({"name": String(), "age": Int()}), store)
    kept = office.people.create({"_id": "kept", "name": "A"})
    store.create({"_id": "none", "name": "B"})
    meta = kept.document["_meta"] if kept.document else None
    with current_user.request():
        current_user.set({"_id": "7", "login": "ann"})
        office.migrate("people", lambda one: one | {"age": 1}, dry_run=False)
    assert store.get_by_id("kept")["_meta"] == meta
    made = store.get_by_id("none")["_meta"]
    assert made["created_by"] == made["modified_by"] == {"_id": "7", "login": "ann"}

    def backdated(one: Document) -> None:
        one["_meta"]["ctime"] = "2001-01-01T00:00:00+00:00"

    report = office.migrate("people", backdated, _id="kept", dry_run=False)
    assert [one.path for one in report.changes.diff["kept"]] == ["$._meta.ctime"]


# -- what cannot be migrated -------------------------------------------------------


def test_if_any_fails_all_are_named_and_nothing_changes(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 250)
    before = everything(store)

    def wrong(document: Document) -> None:
        number = int(document["age"])
        renamed(document)
        if number % 100 == 3:
            document |= {"age": -1, "name": None}
        if number == 210:
            document["age"] = "old"

    for dry_run in (True, False):
        with pytest.raises(MigrationError) as caught:
            office.migrate("people", wrong, dry_run=dry_run)
        assert caught.value.ids == ("p0003", "p0103", "p0203", "p0210")
        told = [(one.path, one.code) for one in caught.value.faults]
        assert sorted(told[:2]) == [
            ("p0003: $.age", "min"),
            ("p0003: $.name", "required"),
        ] or {path for path, _ in told[:2]} == {"p0003: $.age", "p0003: $.name"}
        assert told[-1] == ("p0210: $.age", "type")
        assert caught.value.report is None
        for _id in caught.value.ids:
            assert _id in str(caught.value)
        assert everything(store) == before


def test_what_a_constraint_refuses(store: DBConnector) -> None:
    def short(_root: Any, value: Any, _old: Any) -> bool:
        return len(value or "") < 9

    office = office_of(person(nick=String(constraint=short)), store)
    fill(store, 3)

    def nicked(document: Document) -> None:
        renamed(document)
        document["nick"] = "x" * (8 + document["age"])

    with pytest.raises(MigrationError) as caught:
        office.migrate("people", nicked, dry_run=False)
    assert caught.value.ids == ("p0001", "p0002")
    assert "first" in store.get_by_id("p0000")


def boom(document: Document) -> Document:
    raise KeyError("no such key")


class Unknown:
    def __repr__(self) -> str:
        return "unknown"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (boom, "p0000: $: the migration function raised KeyError: 'no such key'"),
        (lambda one: [], "p0000: $: the migration function gave a list, no dict"),
        (lambda one: {**one, "_id": "x"}, "p0000: $._id: may not be changed"),
        (lambda one: {**one, "x": Unknown()}, "p0000: $: a document cannot be stored"),
        (lambda one: {**one, "x": float("nan")}, "p0000: $: a document cannot be"),
    ],
)
def test_a_function_that_fails(function: Any, told: str) -> None:
    store = DBMemoryConnector()
    office = office_of(person(), store)
    fill(store, 1)
    with pytest.raises(MigrationError) as caught:
        office.migrate("people", function, dry_run=False)
    assert str(caught.value).startswith(
        f"1 document cannot be migrated, and nothing has been changed: {told}"
    )


def test_a_computed_value_that_fails() -> None:
    store = DBMemoryConnector()

    def double(_root: Any, value: Any, _old: Any) -> bool:
        return bool(1 / value)

    office = office_of(person(age=Int(constraint=double)), store)
    store.create({"_id": "a", "name": "A", "age": 0})
    store.create({"_id": "b", "name": "B", "age": 1})
    with pytest.raises(MigrationError, match="ZeroDivisionError") as caught:
        office.migrate("people", dry_run=False)
    assert caught.value.ids == ("a",)


def test_a_store_that_fails_is_no_fault_of_a_document(tmp_path: Path) -> None:
    store = DBYmlConnector(path=tmp_path)
    office = office_of(person(), store)
    fill(store, 2)
    (tmp_path / "p0001.yml").write_text("{", encoding="utf-8")
    with pytest.raises(DBError, match="p0001.yml"):
        office.migrate("people", renamed, dry_run=False)
    assert store.get_by_id("p0000")["first"] == "Ann"


def test_ids_that_are_not_there(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 1)
    with pytest.raises(MigrationError) as caught:
        office.migrate("people", renamed, _ids=["x", "p0000", "../y"], dry_run=False)
    assert caught.value.ids == ("x", "../y")
    assert {one.code for one in caught.value.faults} == {"not_found"}
    assert store.get_by_id("p0000")["first"] == "Ann"


def test_only_so_many_faults_are_told_but_every_id() -> None:
    store = DBMemoryConnector()
    office = office_of(person(), store)
    fill(store, 1100)
    with pytest.raises(MigrationError) as caught:
        office.migrate("people")
    assert len(caught.value.ids) == 1100
    assert len(caught.value.faults) == 1000
    assert all(_id in str(caught.value) for _id in caught.value.ids)


def test_a_collection_needs_no_backoffice() -> None:
    store = DBMemoryConnector()
    people = Collection("people", person(), store)
    fill(store, 2)
    assert people.migrate(renamed, dry_run=False).changes.total == 2
    assert people.migrate(_ids="p0001").no_changes._ids == ["p0001"]


def test_wrong_use() -> None:
    office = office_of(person(), DBMemoryConnector())
    with pytest.raises(SSyntaxError, match="no collection nobody"):
        office.migrate("nobody")
    with pytest.raises(SSyntaxError, match="not both"):
        office.migrate("people", _id="a", _ids=["b"])


# -- while others write ------------------------------------------------------------


@pytest.mark.parametrize("lasting", [False, True])
def test_what_others_changed_is_migrated_as_it_is_now(
    store: DBConnector, tmp_path: Path, lasting: bool
) -> None:
    office = office_of(person(), store)
    fill(store, 5)

    def others() -> None:
        store.save("p0001", {"_id": "p0001", "first": "Bo", "last": "Li", "age": "50"})
        store.delete_by_id("p0002")
        store.save("p0003", {"_id": "p0003", "name": "Done", "age": 3})
        store.create({"_id": "p0009", "name": "New"})

    def careful(document: Document) -> None:
        if "first" in document:
            renamed(document)

    report = office.migrate(
        "people",
        careful,
        dry_run=False,
        progress=at_writing(others),
        journal=tmp_path / "journal" if lasting else None,
    )
    assert [one["name"] for one in everything(store)] == [
        "Ann Lee",
        "Bo Li",
        "Done",
        "Ann Lee",
        "New",
    ]
    assert report.changes._ids == ["p0000", "p0001", "p0004"]
    assert report.no_changes._ids == ["p0003"]
    told = {one.path: one.after for one in report.changes.diff["p0001"]}
    assert (told["$.age"], told["$.name"]) == (50, "Bo Li")
    assert [one.name for one in tmp_path.iterdir() if "journal" in one.name] == []


@pytest.mark.parametrize("lasting", [False, True])
def test_what_others_spoiled_is_left_alone_and_named(
    store: DBConnector, tmp_path: Path, lasting: bool
) -> None:
    office = office_of(person(), store)
    fill(store, 300)
    spoiled = {"_id": "p0001", "first": "Bo", "last": "Li", "age": "old"}
    journal = tmp_path / "journal" if lasting else None
    with pytest.raises(MigrationError, match="everything else is done") as caught:
        office.migrate(
            "people",
            renamed,
            dry_run=False,
            journal=journal,
            progress=at_writing(lambda: store.save("p0001", spoiled)),
        )
    assert caught.value.ids == ("p0001",)
    assert caught.value.report.changes.total == 299
    assert caught.value.report.no_changes.total == 0
    assert store.get_by_id("p0001") == spoiled
    assert sum("name" in one for one in everything(store)) == 299
    if journal is None:
        return
    # What is mended is finished by the same call.
    store.save("p0001", {**spoiled, "age": "9"})
    report = office.migrate("people", renamed, dry_run=False, journal=journal)
    assert report.changes.total == 300
    assert store.get_by_id("p0001")["name"] == "Bo Li"
    assert not journal.exists()


def test_in_a_transaction_all_of_it_is_undone(store: DBConnector) -> None:
    office = office_of(person(), store)
    fill(store, 250)
    before = everything(store)
    with pytest.raises(KeyError), office.transaction():
        office.migrate("people", renamed, dry_run=False)
        assert "name" in store.get_by_id("p0200")
        raise KeyError
    assert everything(store) == before


# -- progress ----------------------------------------------------------------------


def test_progress_is_told(store: DBConnector) -> None:
    office, told = office_of(person(), store), []

    def progress(
        phase: str, documents: Iterable[Any], total: int | None
    ) -> Iterator[Any]:
        count = 0
        for one in documents:
            count += 1
            yield one
        told.append((phase, count, total))

    fill(store, 250)
    known = 250 if store.capabilities.count else None
    office.migrate("people", renamed, _ids=["p0001", "p0002"], progress=progress)
    office.migrate("people", renamed, dry_run=False, progress=progress)
    assert told == [("check", 2, 2), ("check", 250, known), ("write", 250, 250)]
