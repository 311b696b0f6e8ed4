"""A migration that changes references changes both halves of each link."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    DuplicateIdError,
    Int,
    Item,
    MigrationError,
    Ref,
    RefsList,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from tests.conformance.conftest import SixMethods
from tests.migrating import Document


def linked(make: Callable[[str], DBConnector], **options: Any) -> Backoffice:
    author = Item({"name": String(), "books": RefsList(coll="books", field="$.author")})
    book = Item(
        {
            "title": String(),
            "author": Ref(coll="authors", field="$.books", **options),
        }
    )
    office = Backoffice("bookcase")
    for name, item in {"authors": author, "books": book}.items():
        office.register_collection(Collection(name, item, make(name)))
    for _id in ("zola", "verne"):
        office.authors.create({"_id": _id, "name": _id})
    for _id in ("nana", "rome"):
        office.books.create({"_id": _id, "title": _id, "author": "zola"})
    return office


def _mixed(folder: Path, name: str) -> DBConnector:
    if name == "authors":
        return DBYmlConnector(path=folder / name)
    return DBSqliteConnector(path=folder / "all.sqlite", table=name)


LINKED: dict[str, Callable[[Path, str], DBConnector]] = {
    "memory": lambda folder, name: DBMemoryConnector(),
    "six methods": lambda folder, name: SixMethods(),
    "yml": lambda folder, name: DBYmlConnector(path=folder / name),
    "sqlite": lambda folder, name: DBSqliteConnector(path=folder / "db", table=name),
    "mixed": _mixed,
}


@pytest.fixture(params=LINKED)
def make(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[str], DBConnector]:
    return lambda name: LINKED[request.param](tmp_path, name)


def books_of(office: Backoffice, author: str) -> Any:
    return office.authors.db_handler.get_by_id(author)["books"]


def to_verne(document: Document) -> None:
    document["author"] = "verne"


@pytest.mark.parametrize("lasting", [False, True])
def test_the_other_half_of_a_link_follows(
    make: Callable[[str], DBConnector], tmp_path: Path, lasting: bool
) -> None:
    office, journal = linked(make), tmp_path / "journal" if lasting else None
    report = office.migrate("books", to_verne, dry_run=False, journal=journal)
    assert report.changes.total == 2
    assert books_of(office, "verne") == ["nana", "rome"]
    assert books_of(office, "zola") == []
    assert office.check_references() == []
    report = office.migrate(
        "authors", lambda one: one | {"books": []}, dry_run=False, journal=journal
    )
    assert report.changes._ids == ["verne"]
    assert office.books.db_handler.get_by_id("rome")["author"] is None
    assert office.check_references() == []


def test_what_is_not_there_cannot_be_pointed_to(
    make: Callable[[str], DBConnector],
) -> None:
    office = linked(make)
    office.books.rights = {**office.books.rights, "read": False}

    def lost(document: Document) -> None:
        document["author"] = "verne" if document["_id"] == "nana" else "nobody"

    with pytest.raises(MigrationError) as caught:
        office.migrate("books", lost, dry_run=False)
    assert str(caught.value).endswith(
        "rome: $.author: there is no item 'nobody' in authors"
    )
    assert books_of(office, "zola") == ["nana", "rome"]


def test_what_may_not_be_read_may_be_pointed_to(
    make: Callable[[str], DBConnector],
) -> None:
    office = linked(make)
    office.authors.rights = {**office.authors.rights, "read": lambda *_: False}
    office.authors._known.clear()
    assert office.authors.get_many(["verne"]) == []
    office.migrate("books", to_verne, dry_run=False)
    assert books_of(office, "verne") == ["nana", "rome"]


def test_what_other_items_do_not_allow_is_known_before(
    make: Callable[[str], DBConnector],
) -> None:
    office = linked(make, required=True)
    with pytest.raises(MigrationError, match="and nothing has been changed") as caught:
        office.migrate(
            "authors", lambda one: one | {"books": [], "name": "x"}, dry_run=False
        )
    assert caught.value.ids == ("zola",)
    assert [one.path for one in caught.value.faults] == ["zola: $.books"] * 2
    assert office.authors.get_by_id("verne").name == "verne"


def test_items_that_point_to_each_other(tmp_path: Path) -> None:
    """Each is changed by the links of the others before its own turn comes."""
    schema = {
        "n": Int(),
        "parent": Ref(coll="nodes", field="$.children"),
        "children": RefsList(coll="nodes", field="$.parent"),
    }
    office = Backoffice("tree")
    store = DBSqliteConnector(path=tmp_path / "tree.sqlite")
    office.register_collection(Collection("nodes", Item(schema), store))
    for number in range(30):
        office.nodes.create({"_id": f"{number:02}", "n": 0})

    def hung(document: Document) -> None:
        document["n"] += 1
        if document["_id"] != "29":
            document["parent"] = f"{int(document['_id']) + 1:02}"

    report = office.migrate("nodes", hung, dry_run=False)
    assert report.changes.total == 30
    assert [one["n"] for one in store.scan()] == [1] * 30
    assert office.check_references() == []
    assert store.get_by_id("12")["children"] == ["11"]


# -- within one collection ---------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Backoffice:
    """``root`` above ``a`` and ``z``, and ``m`` below ``a``."""
    schema = {
        "n": Int(default=0),
        "parent": Ref(coll="nodes", field="$.children", required=True),
        "children": RefsList(coll="nodes", field="$.parent"),
    }
    office = Backoffice("tree")
    store = DBSqliteConnector(path=tmp_path / "tree.sqlite")
    office.register_collection(Collection("nodes", Item(schema), store))
    parents = {"root": "root", "a": "root", "z": "root", "m": "a"}
    for _id, parent in parents.items():
        office.nodes.create({"_id": _id, "parent": parent})
    return office


def children_of(office: Backoffice) -> dict[str, list[str]]:
    found = office.nodes.db_handler.scan()
    return {one["_id"]: one["children"] or [] for one in found}


def test_what_others_of_the_collection_do_not_allow_is_known_before(
    tree: Backoffice,
) -> None:
    before = list(tree.nodes.db_handler.scan())

    def childless(document: Document) -> None:
        document["n"] += 1
        if document["_id"] == "a":
            document["children"] = []

    with pytest.raises(MigrationError, match="and nothing has been changed") as caught:
        tree.migrate("nodes", childless, dry_run=False)
    assert [one.path for one in caught.value.faults] == ["a: $.children"]
    assert list(tree.nodes.db_handler.scan()) == before


@pytest.mark.parametrize("ids", [["a", "m"], ["m", "a"]])
def test_what_fits_in_the_end_may_be_changed_in_any_order(
    tree: Backoffice, ids: list[str]
) -> None:
    """While ``m`` has no other parent, ``a`` cannot lose it."""

    def moved(document: Document) -> None:
        document["n"] += 1
        if document["_id"] == "a":
            document["children"] = []
        else:
            document["parent"] = "z"

    report = tree.migrate("nodes", moved, _ids=ids, dry_run=False)
    assert sorted(report.changes._ids) == ["a", "m"]
    children = children_of(tree)
    assert (children["a"], children["z"]) == ([], ["m"])
    assert [one["n"] for one in tree.nodes.db_handler.scan()] == [1, 1, 0, 0]
    assert tree.check_references() == []


def test_what_cannot_be_linked_any_more_is_left_alone(tree: Backoffice) -> None:
    def moved(document: Document) -> None:
        document["n"] += 1
        if document["_id"] == "a":
            document["children"] = []
        elif document["_id"] == "m":
            document["parent"] = "z"

    def spoil(phase: str, documents: Iterable[Any], _: int | None) -> Iterable[Any]:
        if phase == "write" and not tree.nodes.db_handler.get_by_id("a")["n"]:
            with contextlib.suppress(DuplicateIdError):
                tree.nodes.create({"_id": "new", "parent": "a"})
        return documents

    with pytest.raises(MigrationError, match="everything else is done") as caught:
        tree.migrate("nodes", moved, dry_run=False, progress=spoil)
    assert caught.value.ids == ("a",)
    assert tree.nodes.db_handler.get_by_id("a")["n"] == 0
    assert children_of(tree)["a"] == ["new"]
    assert tree.check_references() == []
