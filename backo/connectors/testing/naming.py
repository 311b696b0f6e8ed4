"""Checks of ids that are given: those of the connector's own making, and any text."""

from backo.connectors.base import DBConnector, Query
from backo.connectors.store import Store
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
from backo.errors import DBError, DuplicateIdError, NotFoundError
from backo.query.filter import Condition, Op, SortKey
from backo.schema.plan import Kind

__all__ = ["HOSTILE_IDS", "USUAL_IDS", "checks"]

checks = Checks()

USUAL_IDS = (
    *("a/b", "é", "con", "a.b", "A", "a b", "😀", "x'; DROP TABLE items; --", "1"),
    *("a?b=c&d", "a#b", "a+b", "100%25", "~", "$where"),
)
HOSTILE_IDS = (
    *("../x", "..", ".", "/etc/x", "..%2fx", "a/../../x", "..\\x", "con.yml", ".lock"),
    *(".new", "x\0y", "\n", " ", "%", "%2e%2e", "x" * 10_000, "é" * 200, "\ud800"),
)
"""Texts that try to be something else. A store may refuse them with DBError."""


# -- of the connector's own making -------------------------------------------------


@checks.given_ids
def a_document_may_bring_its_id(make: Make) -> None:
    connector = make()
    (_id,) = new_ids(connector, 1)
    given = book(title="Emma", _id=_id)
    equal(connector.create(given), _id, "what create gives")
    equal(given, book(title="Emma", _id=_id), "what create was given")
    agree(connector.get_by_id(_id), given, "get_by_id")


@checks.given_ids
def null_is_no_id(make: Make) -> None:
    connector = make()
    given = connector.create(book(_id=None))
    expect(given not in ("", "None"), f"{given!r} is no id")
    equal(connector.get_by_id(given)["_id"], given, "the id")


@checks.given_ids
def generated_ids_come_in_order(make: Make) -> None:
    connector = make()
    made = [connector.create(book()) for _ in range(20)]
    equal(made, sorted(set(made)), "ids")


@checks.given_ids
def generate_id_may_be_replaced_on_the_instance(make: Make) -> None:
    connector = make()
    names = dict(zip("ab", new_ids(connector, 2), strict=True))
    connector.__dict__["generate_id"] = lambda document: names[document["title"]]
    for title, _id in names.items():
        equal(connector.create(book(title=title)), _id, "the id")


@checks.given_ids
def an_id_that_is_there_is_refused(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book(title="first"))
    second = {**document, "title": "second"}
    refused(DuplicateIdError, lambda: connector.create(second), "the same id")
    agree(connector.get_by_id(document["_id"]), document, "the first")
    equal(connector.count(), 1, "what is there")


@checks.given_ids
def a_deleted_id_may_come_again(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book(title="first"))
    connector.delete_by_id(document["_id"])
    again = book(title="second", _id=document["_id"])
    equal(connector.create(again), document["_id"], "the id")
    agree(connector.get_by_id(document["_id"]), again, "the second")


@checks.given_ids
def one_of_many_creates_wins(make: Make) -> None:
    several = rivals(make)
    for _ in range(5):
        (_id,) = new_ids(several[0], 1)
        won = at_once(6, lambda n: _creates(several[n % 2], _id, n))  # noqa: B023
        equal(sorted(won), [False] * 5 + [True], "who could create it")
        equal(several[0].get_by_id(_id)["pages"], won.index(True), "the document")


def _creates(connector: DBConnector, _id: str, n: int) -> bool:
    # One that promises nothing by itself is written to by one thread at a time.
    atomic = connector.capabilities.compare_and_set
    writing = connector if atomic else Store(connector)
    try:
        writing.create(book(_id=_id, pages=n))
    except DuplicateIdError:
        return False
    return True


@checks.always
def without_a_sort_documents_come_by_id(make: Make) -> None:
    connector = make()
    names = new_ids(connector, 8)[::-1]
    for name in names:
        connector.create(book() if connector.makes_ids else book(_id=name))
    found = ids(connector.find(Query()))
    equal(found, sorted(found), "the order")
    equal(len(set(found)), 8, "documents")


# -- any text ----------------------------------------------------------------------


@checks.any_id
def any_id_comes_back(make: Make) -> None:
    connector = make()
    connector.create(book(_id="other"))
    for _id in USUAL_IDS:
        equal(connector.create(book(_id=_id, title="x")), _id, "create")
        agree(connector.get_by_id(_id), book(_id=_id, title="x"), "get_by_id")
        equal(sorted(ids(connector.find(Query()))), sorted([_id, "other"]), "find")
        equal(connector.count(_is(_id)), 1, "count")
        connector.save(_id, book(title="y"))
        expect(connector.compare_and_set(_id, book(_id=_id, title="y"), book()), _id)
        connector.delete_by_id(_id)
        equal(ids(connector.find(Query())), ["other"], f"after {_id}")


@checks.any_id
def ids_are_ordered_as_texts(make: Make) -> None:
    connector = make()
    for _id in ("b", "a", "é", "Z"):
        connector.create(book(_id=_id))
    equal(ids(connector.find(Query())), ["Z", "a", "b", "é"], "the order")
    down = Query(sort=(SortKey(("_id",), True),))
    equal(ids(connector.find(down)), ["é", "b", "a", "Z"], "downwards")
    for _id in USUAL_IDS:
        if _id != "é":
            connector.create(book(_id=_id))
    equal(ids(connector.scan()), sorted([*USUAL_IDS, "b", "a", "Z"]), "scan")


@checks.any_id
def get_many_finds_odd_ids(make: Make) -> None:
    connector = make()
    for _id in ("a", "b", "n\0l"):
        connector.create(book(_id=_id))
    found = connector.get_many(["b", "nope", "a", "b", "\ud800"])
    equal(ids(found), ["b", "a"], "get_many")
    equal(ids(connector.get_many(["n\0l"])), ["n\0l"], "get_many")


@checks.always
def a_hostile_id_leads_nowhere(make: Make) -> None:
    connector = make()
    other = fill(connector, book(title="other"))
    for _id in (*HOSTILE_IDS, *USUAL_IDS):
        for touch in touches(connector, _id):
            refused(NotFoundError, touch, f"_id {_id!a:.20}")
        equal(ids(connector.find(Query())), ids(other), "what is there")


@checks.any_id
def a_hostile_id_is_kept_or_refused(make: Make) -> None:
    connector = make()
    connector.create(book(_id="other"))
    for _id in HOSTILE_IDS:
        if _stored(connector, _id):
            equal(connector.get_by_id(_id)["title"], "x", f"{_id!a:.20}")
            equal(connector.count(_is(_id)), 1, f"count of {_id!a:.20}")
            connector.delete_by_id(_id)
        equal(ids(connector.find(Query())), ["other"], f"after {_id!a:.20}")


def _stored(connector: DBConnector, _id: str) -> bool:
    try:
        connector.create(book(_id=_id, title="x"))
    except DBError:
        return False
    return True


def _is(_id: str) -> Condition:
    return Condition(("_id",), Op.EQ, _id, Kind.STRING)
