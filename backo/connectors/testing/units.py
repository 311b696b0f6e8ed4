"""Checks of units of work: all that is written in one is kept, or none of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.store import Store
from backo.connectors.testing.documents import book
from backo.connectors.testing.expecting import all_agree, equal, expect, refused
from backo.connectors.testing.failing import Failing
from backo.connectors.testing.making import Checks, Make, at_once, fill, ids
from backo.errors import DBError, DuplicateIdError, NotFoundError
from backo.transaction import tried_again, unit_of_work

__all__ = ["checks"]

checks = Checks()

_METHODS = (
    "create",
    "save",
    "delete_by_id",
    "get_by_id",
    "compare_and_set",
    "edit_lists",
)


class Failure(Exception):
    """What is raised inside a unit."""


def _begun(make: Make) -> tuple[DBConnector, str, str]:
    """A connector with two documents, and their ids."""
    connector = make()
    one, other = fill(connector, book(pages=1), book(pages=1, tags=["x", "y"]))
    return connector, one["_id"], other["_id"]


def _change(connector: DBConnector, one: str, other: str) -> None:
    """Every sort of write."""
    store = Store(connector)
    store.save(one, book(_id=one, pages=2))
    store.create(book(pages=3))
    read = connector.get_by_id(one)
    expect(store.compare_and_set(one, read, {**read, "pages": 4}), "it is unchanged")
    done = store.compare_and_set(one, read, {**read, "pages": 5})
    expect(not done, "it is changed")
    store.delete_by_id(other)


def _is_changed(connector: DBConnector, one: str, about: str) -> None:
    found = connector.find(Query())
    equal(sorted(document["pages"] for document in found), [3, 4], about)
    equal(connector.get_by_id(one)["pages"], 4, about)


def _contents(connector: DBConnector) -> list[Document]:
    return connector.find(Query())


@contextmanager
def _undone() -> Iterator[None]:
    """A unit that is undone at its end."""
    try:
        with unit_of_work():
            yield
            raise Failure
    except Failure:
        return


@checks.always
def a_unit_is_kept(make: Make) -> None:
    connector, one, other = _begun(make)
    with unit_of_work():
        _change(connector, one, other)
        _is_changed(connector, one, "inside the unit")
    _is_changed(connector, one, "after the unit")


@checks.always
def a_unit_that_raises_leaves_no_trace(make: Make) -> None:
    connector, one, other = _begun(make)
    before = _contents(connector)
    with _undone():
        _change(connector, one, other)
    all_agree(_contents(connector), before, "what is undone")
    with unit_of_work():
        _change(connector, one, other)
    _is_changed(connector, one, "after the next")


@checks.given_ids
def what_a_unit_deleted_and_made_again_comes_back(make: Make) -> None:
    connector, _, other = _begun(make)
    before = _contents(connector)
    with _undone():
        store = Store(connector)
        store.delete_by_id(other)
        store.create(book(_id=other, pages=6))
        equal(connector.get_by_id(other)["pages"], 6, "inside the unit")
    all_agree(_contents(connector), before, "what is undone")


@checks.always
def a_part_that_raises_is_undone_alone(make: Make) -> None:
    connector, one, other = _begun(make)
    store = Store(connector)
    with unit_of_work():
        store.save(one, book(_id=one, pages=2))
        with _undone():
            with unit_of_work():
                store.save(one, book(_id=one, pages=9))
            store.delete_by_id(other)
            store.create(book(pages=9))
        equal(connector.get_by_id(one)["pages"], 2, "before the part")
        with unit_of_work():
            store.create(book(pages=3))
    found = sorted(document["pages"] for document in _contents(connector))
    equal(found, [1, 2, 3], "after the unit")
    equal(connector.get_by_id(other)["tags"], ["x", "y"], "what the part deleted")


@checks.always
def a_refusal_inside_a_unit_can_be_caught(make: Make) -> None:
    connector, one, other = _begun(make)
    store = Store(connector)
    with unit_of_work():
        gone = store.create(book(pages=7))
        store.delete_by_id(gone)
        for act in (
            lambda: store.save(gone, book()),
            lambda: store.delete_by_id(gone),
            lambda: store.compare_and_set(gone, book(_id=gone), book()),
        ):
            refused(NotFoundError, act, "what is not there")
        store.create(book(pages=3))
    equal(sorted(one["pages"] for one in _contents(connector)), [1, 1, 3], "after it")
    expect({one, other} <= set(ids(_contents(connector))), "the others")


@checks.given_ids
def an_id_that_is_there_is_refused_inside_a_unit(make: Make) -> None:
    connector, one, _ = _begun(make)
    with unit_of_work():
        again = book(_id=one, pages=9)
        refused(DuplicateIdError, lambda: Store(connector).create(again), "the same id")
        Store(connector).create(book(pages=3))
    equal(connector.get_by_id(one)["pages"], 1, "the first")
    equal(connector.count(), 3, "documents")


@checks.always
def single_writers_wait_for_the_unit(make: Make) -> None:
    connector, one, _ = _begun(make)
    ended: list[str] = []

    def write() -> None:
        Store(connector).save(one, book(_id=one, pages=9))
        ended.append("writer")

    with ThreadPoolExecutor(1) as pool:
        with unit_of_work():
            Store(connector).save(one, book(_id=one, pages=2))
            writer = pool.submit(write)
            wait([writer], timeout=0.1)
            equal(connector.get_by_id(one)["pages"], 2, "inside the unit")
            ended.append("unit")
        writer.result()
    equal(ended, ["unit", "writer"], "who came first")
    equal(connector.get_by_id(one)["pages"], 9, "after both")


@checks.always
def units_of_threads_lose_nothing(make: Make) -> None:
    connector, one, _ = _begun(make)

    def add() -> None:
        with unit_of_work(stores=[connector]):
            read = connector.get_by_id(one)
            Store(connector).save(one, {**read, "pages": read["pages"] + 1})

    def add_five(_: int) -> None:
        for _ in range(5):
            tried_again(add)

    at_once(4, add_five)
    equal(connector.get_by_id(one)["pages"], 21, "what twenty added to")


# -- failures ----------------------------------------------------------------------


def _fails_at_every_call(make: Make, *, after: bool) -> None:
    connector, one, other = _begun(make)
    before, number, done = _contents(connector), 0, False
    while not done:
        number += 1
        failing = Failing(number, after=after)
        with failing.within(connector, *_METHODS):
            done = _unit(connector, one, other)
        lost = after and connector.makes_ids and failing.failed == "create"
        if not done and not lost:
            all_agree(_contents(connector), before, f"undone after {failing.calls}")
        elif lost:
            # Nobody knows which id the store gave.
            _forget(connector, ids(before))
    expect(number > 4, f"only {failing.calls} were called")
    _is_changed(connector, one, "after the unit")


def _unit(connector: DBConnector, one: str, other: str) -> bool:
    """Whether it could be done."""
    try:
        with unit_of_work(stores=[connector]):
            _change(connector, one, other)
    except DBError as error:
        equal(str(error), "injected", "the error")
        return False
    return True


def _forget(connector: DBConnector, known: list[str]) -> None:
    for _id in ids(_contents(connector)):
        if _id not in known:
            connector.delete_by_id(_id)


@checks.always
def a_failure_before_any_call_leaves_no_trace(make: Make) -> None:
    _fails_at_every_call(make, after=False)


@checks.always
def a_failure_after_any_call_leaves_no_trace(make: Make) -> None:
    _fails_at_every_call(make, after=True)
