"""Rows of a file into a collection."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice, Int, String, current_user
from backo.connectors.memory import DBMemoryConnector
from backo.errors import DBError, ValidationError
from tests.exchange.exchanging import exported, imported, stored
from tests.exchange.shop import shop
from tests.references.stores import STORES

STATIC = "static"
THROUGH_ITEMS = "through items"


def nothing(*_args: Any, **_kwargs: Any) -> None:
    """A handler that makes every write go through an Item."""


@pytest.fixture(params=["memory", "yml", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


@pytest.fixture(params=[STATIC, THROUGH_ITEMS])
def office(request: pytest.FixtureRequest, store: Any) -> Backoffice:
    if request.param == STATIC:
        office = shop(store)
        assert not any(office.books.item_needed.values())
        return office
    return shop(store, mark=String(on=[("before_save", nothing)]))


@pytest.fixture
def quick() -> Backoffice:
    """Where the store does not matter."""
    return shop(lambda _name: DBMemoryConnector())


def lines(*documents: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in documents)


def faults_by_line(found: list[Any]) -> list[tuple[int, str, str]]:
    return [(one.line, one.path, one.code) for one in found]


# --- What is stored ---------------------------------------------------------------


def test_rows_become_items_with_defaults_meta_and_links(office: Backoffice) -> None:
    assert imported(office.authors, lines({"_id": "a", "name": "A"}))[1] == []
    text = '_id,title,pages,shelf.row,author,tags\nx,X,,2,a,"[""t""]"\n,Y,3,,a,\n'
    current_user.set({"_id": "u", "login": "u"})
    report, faults = imported(office.books, text, "csv")
    assert faults == []
    assert (report.rows, report.created, report.updated) == (2, 2, 0)
    first, second = sorted(stored(office.books), key=lambda one: str(one["title"]))
    assert first["_id"] == "x"
    assert first["shelf"] == {"room": "hall", "row": 2}
    assert (first["lent"], first["pages"], first["tags"]) == (False, None, ["t"])
    assert first["_meta"]["created_by"] == {"_id": "u", "login": "u"}
    assert set(stored(office.authors)[0]["books"]) == {"x", second["_id"]}


def test_rows_of_one_file_may_point_to_those_before(office: Backoffice) -> None:
    rows = lines({"_id": "x", "title": "X"}, {"title": "Y", "sequel": "x"})
    assert imported(office.books, rows)[1] == []
    assert [one.get("sequel") for one in stored(office.books)].count("x") == 1


def refused(_right: str, _item: Any) -> bool:
    return False


@pytest.mark.parametrize("right", [False, refused])
@pytest.mark.parametrize(
    "added", [{}, {"mark": String(can_modify=refused, can_read=False)}]
)
def test_rights_are_not_asked(right: Any, added: dict[str, Any]) -> None:
    rights = dict.fromkeys(("can_read", "can_create", "can_modify"), right)
    office = shop(lambda _name: DBMemoryConnector(), rights, **added)
    assert imported(office.authors, lines({"_id": "a", "name": "A"}))[1] == []
    guarded = dict.fromkeys(added, "m")
    row: dict[str, Any] = {"_id": "x", "title": "X", "author": "a", **guarded}
    assert imported(office.books, lines(row))[1] == []
    assert stored(office.authors)[0]["books"] == ["x"]
    row = {"_id": "x", "author": None, **dict.fromkeys(added, "n")}
    assert imported(office.books, lines(row), update=True)[1] == []
    row = {"_id": "x", "author": "a"}
    assert imported(office.books, lines(row), update=True)[1] == []
    assert stored(office.books)[0].get("mark", "n") == "n"
    assert stored(office.authors)[0]["books"] == ["x"]


def test_handlers_may_set_what_users_may_not() -> None:
    def note(_event: str, root: Any, _me: Any, **_kwargs: Any) -> None:
        root.note = f"{root.title}!"

    office = shop(
        lambda _name: DBMemoryConnector(),
        note=String(can_modify=refused),
        mark=String(on=[("before_save", note)]),
    )
    assert imported(office.books, lines({"_id": "x", "title": "X"}))[1] == []
    row = lines({"_id": "x", "title": "Y"})
    assert imported(office.books, row, update=True)[1] == []
    assert stored(office.books)[0]["note"] == "Y!"


def test_computed_values_transforms_and_handlers_do_their_part(store: Any) -> None:
    told: list[tuple[str, bool]] = []

    def tell(event: str, _root: Any, _me: Any, **kwargs: Any) -> None:
        told.append((event, kwargs["transaction_id"] is not None))

    office = shop(
        store,
        upper=String(transform=lambda _root, value, _old: value and value.upper()),
        twice=Int(
            set=lambda root: root.pages * 2,
            views=["save"],
        ),
        mark=String(on=[(name, tell) for name in ("before_save", "saved", "created")]),
    )
    report, faults = imported(
        office.books, lines({"_id": "x", "title": "X", "pages": 3, "upper": "u"})
    )
    assert faults == []
    [document] = stored(office.books)
    assert (document["upper"], document["twice"]) == ("U", 6)
    assert told == [("before_save", True), ("saved", True), ("created", True)]
    imported(office.books, lines({"_id": "x", "pages": 4}), update=True)
    assert stored(office.books)[0]["twice"] == 8


# --- What is wrong ----------------------------------------------------------------


def test_every_fault_of_every_row_is_told_and_nothing_is_stored(
    office: Backoffice,
) -> None:
    imported(office.books, lines({"_id": "there", "title": "There"}))
    rows = lines(
        {"_id": "x", "pages": 0, "nope": 1, "shelf": {"row": "2"}},
        {"_id": "good", "title": "Good"},
        {"_id": "x", "title": "X", "author": "nobody", "_meta": {}},
        [],
        {"_id": "there", "title": "T"},
        {"_id": "", "title": "T"},
        {"_id": 7, "title": "T"},
        {"title": "T", "sequel": "later"},
        {"_id": "later", "title": "T"},
    )
    before = stored(office.books)
    report, faults = imported(office.books, rows, batch=1)
    assert set(faults_by_line(faults)) == {
        (1, "$.title", "required"),
        (1, "$.pages", "min"),
        (1, "$.shelf.row", "type"),
        (1, "$.nope", "unknown_field"),
        (3, "$._id", "duplicate_id"),
        (3, "$.author", "unknown_reference"),
        (3, "$._meta", "read_only"),
        (4, "$", "not_json"),
        (5, "$._id", "duplicate_id"),
        (6, "$._id", "type"),
        (7, "$._id", "type"),
        (8, "$.sequel", "unknown_reference"),
    }
    assert (report.rows, report.faulty, report.faults) == (9, 7, len(faults))
    assert (report.created, report.updated) == (0, 0)
    assert stored(office.books) == before


def test_two_rows_of_one_id_are_a_fault_that_names_both_lines(
    quick: Backoffice,
) -> None:
    rows = "_id,title\nx,X\ny,Y\nx,Z\n"
    [fault] = imported(quick.books, rows, "csv")[1]
    assert (fault.line, fault._id) == (4, "x")
    assert fault.message == "is the id of line 2 too"


def test_a_constraint_is_a_fault_and_so_is_whatever_it_raises(store: Any) -> None:
    def even(_root: Any, value: int, _old: Any) -> bool:
        return 10 // value > 0 and value % 2 == 0

    office = shop(store, number=Int(constraint=even))
    rows = [{"title": "T", "number": number} for number in (2, 3, 0)]
    faults = imported(office.books, lines(*rows))[1]
    assert faults_by_line(faults) == [
        (2, "$.number", "constraint"),
        (3, "$", "invalid"),
    ]
    assert "ZeroDivisionError" in faults[1].message
    assert stored(office.books) == []


def test_what_no_store_could_keep_is_a_fault(quick: Backoffice) -> None:
    rows = '{"_id": "\\ud800", "title": "T"}\n{"title": "\\udfff"}\n'
    faults = imported(quick.books, rows)[1]
    assert [(one.line, one.path) for one in faults] == [(1, "$._id"), (2, "$")]
    row = '{"_id": "x", "title": "T", "old": 1e999}'
    faults = imported(quick.books, row, whole=True)[1]
    assert [one.message for one in faults] == ["numbers must be finite"]


def test_an_unknown_column_is_told_before_anything_is_read(quick: Backoffice) -> None:
    with pytest.raises(ValidationError, match="there is no column 'nope'"):
        imported(quick.books, "title,nope\nX,1\n", "csv", partial=True)
    assert stored(quick.books) == []


def test_columns_of_what_nobody_sets_may_be_empty(quick: Backoffice) -> None:
    text = "title,_meta.ctime\nX,\nY,2024-01-01\n"
    faults = imported(quick.books, text, "csv")[1]
    assert faults_by_line(faults) == [(3, "$._meta", "read_only")]


# --- Batches ----------------------------------------------------------------------


def failing_on(name: str) -> String:
    def fail(_event: str, root: Any, _me: Any, **_kwargs: Any) -> None:
        if root.title == name:
            raise RuntimeError("not this one")

    return String(on=[("saved", fail)])


@pytest.mark.parametrize(
    ("batch", "kept"), [(2, ["1", "2", "5"]), (1, ["1", "2", "4", "5"]), (0, [])]
)
def test_a_batch_is_stored_as_a_whole_or_not_at_all(
    store: Any, batch: int, kept: list[str]
) -> None:
    office = shop(store, mark=failing_on("3"))
    imported(office.authors, lines({"_id": "a", "name": "A"}))
    rows = [{"_id": one, "title": one, "author": "a"} for one in "12345"]
    report, faults = imported(office.books, lines(*rows), batch=batch)
    assert [(one.line, one.message) for one in faults] == [
        (3, "RuntimeError: not this one")
    ]
    assert [one["_id"] for one in stored(office.books)] == kept
    assert report.created == len(kept)
    assert sorted(stored(office.authors)[0]["books"] or []) == kept
    assert office.check_references() == []


def test_good_batches_are_stored_beside_bad_ones_when_asked(
    office: Backoffice,
) -> None:
    titles = ["1", "2", None, "4", "5"]
    rows = lines(*({"_id": f"{at}", "title": one} for at, one in enumerate(titles, 1)))
    report, faults = imported(office.books, rows, batch=2, partial=True)
    assert faults_by_line(faults) == [(3, "$.title", "type")]
    assert [one["_id"] for one in stored(office.books)] == ["1", "2", "5"]
    assert (report.rows, report.created, report.faulty) == (5, 3, 1)


@pytest.mark.parametrize("partial", [False, True])
def test_a_dry_run_stores_nothing_and_tells_what_it_would(
    office: Backoffice, partial: bool
) -> None:
    imported(office.books, lines({"_id": "x", "title": "X"}))
    before = stored(office.books)
    rows = lines({"_id": "x", "title": "Y"}, {"title": "Z"})
    report, faults = imported(
        office.books, rows, dry_run=True, update=True, partial=partial
    )
    assert (report.created, report.updated, faults) == (1, 1, [])
    assert stored(office.books) == before


def test_a_store_that_fails_ends_the_import_and_keeps_the_batches_before() -> None:
    class Failing(DBMemoryConnector):
        def create(self, o: dict[str, Any]) -> str:
            if o["_id"] == "3":
                raise DBError("the disk is full")
            return super().create(o)

    office = shop(lambda _name: Failing())
    rows = lines(*({"_id": one, "title": one} for one in "1234"))
    with pytest.raises(DBError, match="the disk is full"):
        imported(office.books, rows, batch=1)
    assert [one["_id"] for one in stored(office.books)] == ["1", "2"]


def test_an_id_taken_meanwhile_is_a_fault() -> None:
    class Late(DBMemoryConnector):
        def get_many(self, ids: Any) -> list[dict[str, Any]]:
            return []

    office = shop(lambda _name: Late())
    office.books.create({"_id": "x", "title": "X"})
    faults = imported(office.books, lines({"_id": "x", "title": "Y"}))[1]
    assert faults_by_line(faults) == [(1, "$._id", "duplicate_id")]
    assert [one["title"] for one in stored(office.books)] == ["X"]


# --- Updates ----------------------------------------------------------------------


def test_an_update_replaces_what_is_given_and_leaves_the_rest(
    office: Backoffice,
) -> None:
    imported(
        office.authors, lines({"_id": "a", "name": "A"}, {"_id": "b", "name": "B"})
    )
    old = {"title": "X", "pages": 5, "author": "a", "shelf": {"room": "r", "row": 1}}
    office.books.create({"_id": "x", **old})
    kept = stored(office.books)[0]
    office.books.db_handler.save("x", {**kept, "more": "than the schema knows"})
    rows = lines({"_id": "x", "pages": 6, "author": "b", "shelf": {"row": 2}})
    rows += lines({"_id": "new", "title": "N"})
    report, faults = imported(office.books, rows, update=True)
    assert faults == []
    assert (report.created, report.updated) == (1, 1)
    document = office.books.db_handler.get_by_id("x")
    assert document["shelf"] == {"room": "r", "row": 2}
    assert (document["title"], document["pages"]) == ("X", 6)
    assert document["more"] == "than the schema knows"
    assert [one["books"] for one in stored(office.authors)] == [[], ["x"]]


def test_an_empty_cell_clears_the_field_of_an_item_and_a_missing_column_does_not(
    office: Backoffice,
) -> None:
    office.books.create({"_id": "x", "title": "X", "pages": 5, "shelf": {"row": 1}})
    text = "_id,title,pages,shelf.room,lent,_meta.mtime\nx,X,,s,true,\nnew,N,,,,\n"
    report, faults = imported(office.books, text, "csv", update=True)
    assert faults == []
    new, old = stored(office.books)
    assert (old["pages"], old["lent"]) == (None, True)
    assert old["shelf"] == {"room": "s", "row": 1}
    assert (new["lent"], new["shelf"]["room"]) == (False, "hall")


def test_a_faulty_update_is_told(office: Backoffice) -> None:
    office.books.create({"_id": "x", "title": "X"})
    rows = lines({"_id": "x", "pages": 0, "title": None, "author": "nobody"})
    faults = imported(office.books, rows, update=True)[1]
    assert {(one.path, one.code) for one in faults} == {
        ("$.pages", "min"),
        ("$.title", "type"),
        ("$.author", "unknown_reference"),
    }


def test_updates_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    office = shop(STORES["sqlite"](tmp_path))
    office.books.create({"_id": "x", "title": "X"})
    results: list[Any] = []

    def change(field: str, value: Any) -> None:
        row = lines({"_id": "x", field: value})
        results.append(imported(office.books, row, update=True)[1])

    values = {"title": "Y", "pages": 3, "lent": True, "tags": ["t"]}
    threads = [threading.Thread(target=change, args=one) for one in values.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[]] * 4
    document = office.books.db_handler.get_by_id("x")
    assert {key: document[key] for key in values} == values


def test_what_somebody_else_changes_meanwhile_is_kept() -> None:
    class Shared(DBMemoryConnector):
        others = 1

        def compare_and_set(
            self, _id: str, expected: dict[str, Any], new: dict[str, Any]
        ) -> bool:
            if self.others:
                self.others -= 1
                self.save(_id, {**expected, "pages": 7})
            return super().compare_and_set(_id, expected, new)

    office = shop(lambda _name: Shared())
    office.books.create({"_id": "x", "title": "X"})
    row = lines({"_id": "x", "title": "Y"})
    assert imported(office.books, row, update=True)[1] == []
    [document] = stored(office.books)
    assert (document["title"], document["pages"]) == ("Y", 7)


# --- Whole documents --------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Backoffice:
    return shop(STORES["sqlite"](tmp_path / "other"))


def test_documents_are_restored_as_they_were(
    office: Backoffice, other: Backoffice
) -> None:
    current_user.set({"_id": "u", "login": "u"})
    office.authors.create({"_id": "a", "name": "A"})
    office.books.create({"_id": "x", "title": "X", "author": "a"})
    kept = {**stored(office.books)[0], "old": {"a": [1, None]}}
    office.books.db_handler.save("x", kept)
    current_user.logout()
    text = exported(office.books)
    report, faults = imported(other.books, text, whole=True)
    assert (faults, report.created) == ([], 1)
    assert stored(other.books) == stored(office.books)
    [broken] = other.check_references()
    assert str(broken) == "books/x $.author: authors/a is not there"
    imported(other.authors, exported(office.authors), whole=True)
    assert other.check_references() == []


def test_a_document_to_be_restored_is_checked_against_the_whole_schema(
    quick: Backoffice,
) -> None:
    office = shop(
        lambda _name: DBMemoryConnector(),
        secret=Int(max=5, can_read=False),
        odd=Int(constraint=lambda _root, value, _old: value % 2 == 1),
        some=Int(required=True, exists=lambda _value, root: root.title == "more"),
    )
    rows = lines(
        {"title": "no id"},
        {"_id": "1", "title": "T", "_meta": {"ctime": "soon"}},
        {"_id": "2", "title": "T", "secret": 6},
        {"_id": "3", "title": "T", "odd": 2},
        {"_id": "4", "title": "T", "odd": 3, "author": "not here yet"},
        {"_id": "5", "title": "more"},
    )
    faults = imported(office.books, rows, whole=True)[1]
    assert faults_by_line(faults) == [
        (1, "$._id", "required"),
        (2, "$._meta.ctime", "format"),
        (3, "$.secret", "max"),
        (4, "$.odd", "constraint"),
        (6, "$.some", "constraint"),
    ]
    assert stored(office.books) == []


def test_restoring_over_what_is_there_must_be_asked_for(quick: Backoffice) -> None:
    quick.books.create({"_id": "x", "title": "X", "pages": 3})
    row = lines({"_id": "x", "title": "Y"})
    faults = imported(quick.books, row, whole=True)[1]
    assert faults_by_line(faults) == [(1, "$._id", "duplicate_id")]
    report, faults = imported(quick.books, row, whole=True, update=True)
    assert (report.updated, faults) == (1, [])
    assert stored(quick.books) == [{"_id": "x", "title": "Y"}]


def test_no_handler_is_told_of_what_is_restored(quick: Backoffice) -> None:
    office = shop(lambda _name: DBMemoryConnector(), mark=failing_on("X"))
    row = lines({"_id": "x", "title": "X"})
    assert imported(office.books, row, whole=True)[1] == []
