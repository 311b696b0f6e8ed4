"""Checks of changes to what others change."""

import json

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.edits import ListEdit
from backo.connectors.testing.documents import book
from backo.connectors.testing.expecting import agree, equal, expect, refused
from backo.connectors.testing.making import (
    Checks,
    Make,
    at_once,
    fill,
    ids,
    new_ids,
    rivals,
)
from backo.connectors.testing.single import touches
from backo.errors import NotFoundError
from backo.query.filter import ALWAYS, Condition, Not, Op
from backo.schema.plan import Kind

__all__ = ["checks"]

checks = Checks()


@checks.always
def compare_and_set_replaces_what_was_read(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book(pages=1, title=None))
    _id = document["_id"]
    read = connector.get_by_id(_id)
    expect(connector.compare_and_set(_id, read, book(pages=2)), "it was unchanged")
    expect(not connector.compare_and_set(_id, read, book(pages=3)), "it was changed")
    agree(connector.get_by_id(_id), book(_id=_id, pages=2), "after both")


@checks.always
def compare_and_set_knows_true_from_one(make: Make) -> None:
    connector = make()
    _id = connector.create(book(extra={"n": 1}))
    read = connector.get_by_id(_id)
    expected = {**read, "extra": {"n": True}}
    done = connector.compare_and_set(_id, expected, book(pages=3))
    expect(not done, "1 is not true")
    agree(connector.get_by_id(_id), read, "after it")


@checks.always
def compare_and_set_looks_at_all_of_a_document(make: Make) -> None:
    connector = make()
    whole = book(pages=1, tags=["a"], extra={"b": {"c": [1, {"d": 2}]}})
    _id = connector.create(whole)
    read = connector.get_by_id(_id)
    changes: tuple[Document, ...] = (
        {"tags": ["a", "b"]},
        {"tags": []},
        {"extra": {"b": {"c": [1, {"d": 3}]}}},
        {"extra": {"b": {"c": [{"d": 2}, 1]}}},
        {"pages": None},
        {"price": 0.5},
        {"address": {"zip": "1"}},
    )
    for changed in changes:
        expected = {**read, **changed}
        done = connector.compare_and_set(_id, expected, book(pages=3))
        expect(not done, f"it never was {changed}")
        expect(not connector.compare_and_delete(_id, expected), f"never {changed}")
    agree(connector.get_by_id(_id), read, "after all")


@checks.always
def compare_and_set_in_another_order_of_fields(make: Make) -> None:
    connector = make()
    _id = connector.create(book(pages=1, title="a", extra={"b": 1, "c": 2}))
    read = connector.get_by_id(_id)
    turned = dict(reversed(read.items())) | {"extra": {"c": 2, "b": 1}}
    expect(connector.compare_and_set(_id, turned, book(pages=3)), "it is the same")


@checks.always
def compare_and_delete_deletes_what_was_read(make: Make) -> None:
    connector = make()
    _id = connector.create(book(pages=1))
    read = connector.get_by_id(_id)
    changed = {**read, "pages": 2}
    expect(not connector.compare_and_delete(_id, changed), "it was changed")
    expect(connector.compare_and_delete(_id, read), "it was unchanged")
    equal(connector.count(), 0, "what is left")


@checks.always
def no_update_is_lost_between_threads(make: Make) -> None:
    several = rivals(make)
    _id = several[0].create(book(pages=0))

    def add_five(number: int) -> None:
        connector = several[number % 2]
        for _ in range(5):
            while not _adds_one(connector, _id):
                pass

    at_once(6, add_five)
    equal(several[0].get_by_id(_id)["pages"], 30, "what thirty added to")


def _adds_one(connector: DBConnector, _id: str) -> bool:
    read = connector.get_by_id(_id)
    return connector.compare_and_set(_id, read, {**read, "pages": read["pages"] + 1})


@checks.always
def one_of_many_deletes_wins(make: Make) -> None:
    several = rivals(make)
    _id = several[0].create(book(pages=0))
    read = several[0].get_by_id(_id)

    def delete(number: int) -> bool:
        try:
            return several[number % 2].compare_and_delete(_id, read)
        except NotFoundError:
            return False

    equal(sorted(at_once(6, delete)), [False] * 5 + [True], "who deleted it")


@checks.always
def writers_of_many_documents_do_not_disturb_each_other(make: Make) -> None:
    several = rivals(make)

    def write(number: int) -> str:
        connector = several[number % 2]
        _id = connector.create(book(pages=number))
        for _ in range(5):
            read = connector.get_by_id(_id)
            connector.save(_id, {**read, "price": 0.5})
            gone = connector.create(book(title="gone"))
            connector.delete_by_id(gone)
        return _id

    made = at_once(4, write)
    for number, _id in enumerate(made):
        wanted = book(_id=_id, pages=number, price=0.5)
        agree(several[0].get_by_id(_id), wanted, "what a thread wrote")
    equal(ids(several[1].find(Query())), sorted(made), "what is there")


@checks.always
def lists_are_edited_whatever_else_is_changed(make: Make) -> None:
    connector = make()
    name = {"_id": connector.create(book(tags=["a", "b"], pages=1))}
    add, remove = {"add": ("c", "a")}, {"remove": ("b", "z")}
    _edits(connector, book(**name, tags=["a", "b"], pages=1), ["a", "b", "c"], **add)
    _edits(connector, book(**name, tags=["a", "b"], pages=1), ["a"], **remove)
    _edits(connector, book(**name), ["c", "a"], **add)
    (unknown,) = new_ids(connector, 1)
    edits = [ListEdit(("tags",), add=("c",))]
    try:
        expect(not connector.edit_lists(unknown, edits, {}), "nobody is edited")
    except NotFoundError:
        return


def _edits(
    connector: DBConnector, before: Document, after: list[str], **edit: tuple[str, ...]
) -> None:
    """Check that the edit of ``before`` gives the list ``after``, or does nothing."""
    _id = before["_id"]
    connector.save(_id, before)
    done = connector.edit_lists(_id, [ListEdit(("tags",), **edit)], {"title": "x"})
    wanted = {**before, "tags": after, "title": "x"} if done else before
    agree(connector.get_by_id(_id), wanted, f"after the edit {edit}: {done}")


@checks.always
def no_edit_is_lost_between_threads(make: Make) -> None:
    several = rivals(make)
    _id = several[0].create(book(tags=[]))

    def edit(number: int) -> bool:
        names = [f"{number}-{n}" for n in range(5)]
        done = [
            several[number % 2].edit_lists(_id, [ListEdit(("tags",), add=(one,))], {})
            for one in names
        ]
        return all(done)

    count = 30 if all(at_once(6, edit)) else 0
    equal(len(several[0].get_by_id(_id).get("tags") or ()), count, "what was added")


# -- restrictions ------------------------------------------------------------------


@checks.always
def a_restriction_hides_documents(make: Make) -> None:
    hidden = [False]
    connector = make(restriction=lambda: {"ok": True} if hidden[0] else None)
    shown, other, unset = fill(connector, book(ok=True), book(ok=False), book())
    hidden[0] = True
    _id = shown["_id"]
    _finds_only(connector, [_id])
    equal(ids(connector.get_many(ids([shown, other, unset]))), [_id], "get_many")
    for document in (other, unset):
        for touch in touches(connector, document["_id"]):
            refused(NotFoundError, touch, "what is hidden")
    connector.save(_id, book(ok=True, title="x"))
    read = connector.get_by_id(_id)
    expect(connector.compare_and_set(_id, read, book(ok=True)), "what is not hidden")
    connector.delete_by_id(_id)
    _finds_only(connector, [])
    hidden[0] = False
    _finds_only(connector, ids([other, unset]))


def _finds_only(connector: DBConnector, wanted: list[str]) -> None:
    wanted = sorted(wanted)
    without = Not(Condition(("title",), Op.EQ, "nowhere", Kind.STRING))
    equal(ids(connector.find(Query())), wanted, "find")
    equal(ids(connector.scan()), wanted, "scan")
    equal(connector.count(), len(wanted), "count")
    equal(connector.count(without), len(wanted), "count of a filter")
    texts = map(json.loads, connector.find_json(Query()))
    equal(ids(texts), wanted, "find_json")
    equal(sorted(connector.find_values(ALWAYS, ("_id",))), wanted, "find_values")


@checks.always
def a_restriction_may_be_an_or_beside_the_query(make: Make) -> None:
    either = {"$or": [{"pages": ("$gt", 5)}, {"ok": True}]}
    connector = make(restriction=lambda: either)
    large, _, good = fill(connector, book(pages=9), book(), book(ok=True))
    nine = Condition(("pages",), Op.EQ, 9, Kind.INT)
    equal(ids(connector.find(Query(nine))), [large["_id"]], "find")
    equal(ids(connector.find(Query())), sorted(ids([large, good])), "find all")


@checks.any_shape
def compare_and_set_knows_a_text_from_its_number(make: Make) -> None:
    connector = make()
    _id = connector.create({"n": 1, "m": None})
    for n in (True, "1", [1], None):
        done = connector.compare_and_set(_id, {"_id": _id, "n": n, "m": None}, {})
        expect(not done, f"1 is not {n!r}")
    read = connector.get_by_id(_id)
    expect(connector.compare_and_set(_id, read, {"n": 2}), "it is the same")
    equal(connector.get_by_id(_id), {"_id": _id, "n": 2}, "after it")
