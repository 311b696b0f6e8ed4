"""Checks of many documents: sorts and pages, scans, values."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.testing.documents import book, random_documents
from backo.connectors.testing.expecting import equal
from backo.connectors.testing.making import (
    Checks,
    Make,
    chances,
    fill,
    ids,
    pair,
    plant,
)
from backo.query.filter import (
    ALWAYS,
    NEVER,
    And,
    Condition,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
    matches,
    texts_at,
)
from backo.schema.plan import Kind

__all__ = ["checks"]

checks = Checks()


def _pages(operator: Op, value: Any) -> Condition:
    return Condition(("pages",), operator, value, Kind.INT)


def _title(operator: Op, value: Any) -> Condition:
    return Condition(("title",), operator, value, Kind.STRING)


# -- sorts and pages ---------------------------------------------------------------


@checks.always
def sort_skip_and_limit(make: Make) -> None:
    connector = make()
    drawn = [book(pages=n // 2) for n in range(8)] + [book()]
    planted = plant(connector, drawn, chances(1))
    by_id = sorted(planted, key=lambda one: str(one["_id"]))
    down = sorted(by_id, key=lambda one: -one.get("pages", -1))
    key = SortKey(("pages",), True, Kind.INT)
    equal(ids(connector.find(Query(sort=(key,)))), ids(down), "downwards")
    some = Query(sort=(key,), skip=3, limit=2)
    equal(ids(connector.find(some)), ids(down[3:5]), "a page of it")
    up = sorted(by_id[::-1], key=lambda one: int(one.get("pages", -1)))
    keys = (SortKey(("pages",), False, Kind.INT), SortKey(("_id",), True))
    equal(ids(connector.find(Query(sort=keys, limit=3))), ids(up[:3]), "upwards")
    equal(ids(connector.find(Query(skip=7))), ids(by_id[7:]), "what is skipped")
    equal(connector.find(Query(skip=2**63 - 1, limit=5)), [], "far behind the end")


@checks.always
def select_gives_everything_by_default(make: Make) -> None:
    connector = make()
    whole = fill(connector, book(), book())
    found = connector.select({}, {}, 0, 0, {"_id": 1})
    equal(sorted(ids(found)), sorted(ids(whole)), "select")


@checks.always
def a_filter_of_its_own_language_can_be_joined_with_others(make: Make) -> None:
    connector = make()
    equal(connector.find(Query(connector.own_filter({}))), [], "none")
    whole = fill(connector, *(book(pages=n) for n in range(4)))
    everything = connector.own_filter({})
    equal(ids(connector.find(Query(everything))), sorted(ids(whole)), "all")
    both = And((everything, _pages(Op.EQ, 2)))
    equal(ids(connector.find(Query(both))), [whole[2]["_id"]], "joined with another")


@checks.always
def filters_of_many_conditions(make: Make) -> None:
    connector = make()
    whole = fill(connector, *(book(pages=n) for n in range(5)))
    either = Or(tuple(_pages(Op.EQ, n) for n in range(3, 900)))
    equal(ids(connector.find(Query(either))), ids(whole[3:]), "one of many")
    equal(connector.count(_pages(Op.IN, tuple(range(1, 40_000)))), 4, "in many")
    deep: Filter = either
    for _ in range(50):
        deep = Not(And((deep, _pages(Op.EQ, 1))))
    equal(connector.count(deep), sum(matches(deep, one) for one in whole), "deep")


# -- scans -------------------------------------------------------------------------


@checks.always
def a_scan_gives_any_number_of_documents(make: Make) -> None:
    connector = make()
    there: list[str] = []
    for count in (0, 1, 199, 200, 201, 450):
        there += ids(fill(connector, *(book() for _ in range(count - len(there)))))
        equal(list(map(_id_of, connector.scan())), sorted(there), f"{count} documents")


def _id_of(document: Document) -> str:
    return str(document["_id"])


@checks.always
def a_scan_gives_what_find_gives(make: Make) -> None:
    connector = make()
    plant(connector, random_documents(2, 30), chances(2))
    equal(list(connector.scan()), connector.find(Query()), "scan")


@checks.always
def a_restriction_holds_for_a_scan(make: Make) -> None:
    allowed: list[Any] = [None]
    connector = make(restriction=lambda: allowed[0])
    titles = [book(title=f"{number:06}") for number in range(250)]
    whole = fill(connector, *titles)
    for restriction, kept in (
        ({"title": ("$gte", "000023")}, slice(23, None)),
        ({"title": ("$reg", ".*[02468]$")}, slice(None, None, 2)),
    ):
        allowed[0] = restriction
        wanted = sorted(ids(whole[kept]))
        equal(list(map(_id_of, connector.scan())), wanted, f"scan of {restriction}")


@checks.always
def what_is_changed_on_the_way_comes_once(make: Make) -> None:
    connector = make()
    names = sorted(ids(fill(connector, *(book(title="a") for _ in range(250)))))
    seen = []
    for document in connector.scan():
        seen.append(document["_id"])
        if len(seen) % 5 == 0:
            connector.save(seen[-1], {**document, "title": "zzz", "pages": 2})
    equal(seen, names, "what was scanned")
    changed = [one["_id"] for one in connector.scan() if one.get("pages") == 2]
    equal(changed, names[4::5], "what was changed")


@checks.always
def a_scan_while_others_write(make: Make) -> None:
    connector, other = pair(make)
    names = sorted(ids(fill(connector, *(book(title="a") for _ in range(250)))))
    with _disturbing(other, names[150], lambda number: [{}] * 3):
        _scans_whole(connector, names)


@checks.any_id
def a_scan_while_others_write_between(make: Make) -> None:
    connector, other = pair(make)
    names = [f"{number:06}" for number in range(450)]
    for name in names:
        connector.create(book(_id=name))
    places = ("!", "000250-", "~")
    with _disturbing(
        other, names[300], lambda n: [{"_id": f"{place}{n}"} for place in places]
    ):
        _scans_whole(connector, names)


def _scans_whole(connector: DBConnector, names: list[str]) -> None:
    there = frozenset(names)
    for _ in range(5):
        found = list(map(_id_of, connector.scan()))
        equal(found, sorted(set(found)), "the order")
        stayed = [_id for _id in found if _id in there]
        equal(stayed, names, "what was there all the time")


@contextmanager
def _disturbing(
    connector: DBConnector, changed: str, new: Callable[[int], list[Document]]
) -> Iterator[None]:
    """Another thread that creates, changes and deletes meanwhile.

    :raises DBError: it could not.
    """
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            made = [connector.create({**book(), **one}) for one in new(number)]
            connector.save(changed, book(title="x" * (number % 50)))
            connector.delete_by_id(made[0])

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(disturb)
        try:
            yield
        finally:
            stop.set()
        writer.result()


@checks.always
def a_scan_may_be_left_in_the_middle(make: Make) -> None:
    connector = make()
    names = sorted(ids(fill(connector, *(book() for _ in range(20)))))
    scan = connector.scan()
    equal(list(map(_id_of, islice(scan, 2))), names[:2], "the first two")
    connector.drop()
    new = connector.create(book())
    equal(list(map(_id_of, connector.scan())), [new], "the next scan")


# -- values ------------------------------------------------------------------------

_PATHS: tuple[tuple[str, ...], ...] = (
    *(("_id",), ("title",), ("tags",), ("address", "zip"), ("it's odd",)),
    *(("address",), ("authors", "name"), ("nothing",), ("title", "x")),
    *(('quo"te',), ("extra", "b", "b"), ("pages",)),
)


def _filters(names: list[str]) -> list[Filter]:
    return [
        ALWAYS,
        NEVER,
        _title(Op.EQ, "a"),
        _title(Op.EXISTS, True),
        Condition(("_id",), Op.IN, tuple(names[1:]), Kind.STRING),
        Condition(("address",), Op.EQ, {"zip": "1"}, Kind.DICT),
    ]


def _values_are_right(connector: DBConnector, names: list[str]) -> None:
    for tree in _filters(names):
        documents = connector.find(Query(tree))
        for path in _PATHS:
            wanted = {one for each in documents for one in texts_at(each, path)}
            found = connector.find_values(tree, path)
            equal(set(found), wanted, f"the values at {path} of {tree}")
            equal(len(found), len(wanted), f"how many at {path} of {tree}")


@checks.always
def values_are_those_of_the_documents_found(make: Make) -> None:
    connector = make()
    _values_are_right(connector, [])
    own = [
        book(title="a", tags=["x", "y"], address={"zip": "1"}),
        book(title=None, tags=[]),
        book(title="a", authors=[{"name": "n"}, {}, {"name": "m"}]),
        {**book(title="nul\0and é", tags=["x"]), "it's odd": "o'", 'quo"te': "q"},
    ]
    whole = fill(connector, *own, *random_documents(3, 20))
    _values_are_right(connector, ids(whole))


@checks.always
def a_restriction_holds_for_values(make: Make) -> None:
    on = threading.Event()
    connector = make(restriction=lambda: {"title": "a"} if on.is_set() else None)
    titles = [book(title=title) for title in ("a", "b", "a", None)]
    whole = fill(connector, *titles)
    on.set()
    wanted = sorted([whole[0]["_id"], whole[2]["_id"]])
    equal(sorted(connector.find_values(ALWAYS, ("_id",))), wanted, "values")
    equal(connector.find_values(ALWAYS, ("title",)), ["a"], "values")


_OTHERS: tuple[Document, ...] = (
    {"title": "a", "tags": ["x", "y"], "address": {"zip": "1"}},
    {"title": None, "tags": [], "address": None},
    {"title": "a", "tags": "x", "address": [{"zip": "2"}, {"zip": "1"}]},
    {"title": "nul\0and é", "tags": [1, None, "z"], "it's odd": "o'", 'quo"te': "q"},
    {"title": 5, "address": {"zip": ["3", {"x": 1}]}},
)


@checks.any_shape
def values_of_documents_of_any_shape(make: Make) -> None:
    connector = make()
    for held in range(1 << len(_OTHERS)):
        connector.drop()
        some = [one for n, one in enumerate(_OTHERS) if held >> n & 1]
        names = ids(fill(connector, *some))
        _values_are_right(connector, names)
