"""Two stores that differ only in what the caller may not read answer alike, to the
byte."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backo import Backoffice, DBMongoConnector
from tests.inprocess import ADAPTERS
from tests.mongo import database_of
from tests.rights.calling import Answer, Ask, Asked, calling
from tests.rights.office import STORES, Hidden, hidden, office, put, world
from tests.rights.requests import changes, questions, reads

type Requests = Callable[[Backoffice], Iterator[Asked]]

MONGO = "mongo"
PLACES = [
    *((adapter, store) for adapter in ADAPTERS for store in STORES),
    # Settling takes it long, and what frameworks add is seen over the others.
    ("fastapi", MONGO),
]
OTHERS = Hidden(
    ("zebra", "secret", "x", None, "Title 1", "", "y"),
    (1, None, 7, 0, 2),
    ((1, 1, 1, 7), (), (2,)),
    (False, True, False),
    0,
    ("h2", "h1", None),
)
ONES = Hidden(
    ("secret", "secret", "zebra", "secret", None, "secret", "x"),
    (7, 7, 1, 7, None),
    ((7, 1), (7,), (1,)),
    (True, False, True),
    3,
    ("h1", None, "h2"),
)
"""Two worlds in which nothing hidden is the same."""


@dataclasses.dataclass(frozen=True)
class Sides:
    """Two worlds behind the same framework, over the same sort of store."""

    offices: tuple[Backoffice, ...]
    asks: tuple[Ask, ...]
    number: int
    """Of the place: each asks another share of all requests."""

    def settle(self, *hidden: Hidden) -> None:
        """Have these in the two."""
        for made, of in zip(self.offices, hidden, strict=True):
            put(made, world(of))

    def share(self, requests: Requests) -> list[Asked]:
        return list(requests(self.offices[0]))[self.number :: len(PLACES)]

    def differing(self, requests: Iterable[Asked], user: str = "") -> "Differing":
        """The requests that are answered differently."""
        asked = ((one, [ask(one, user) for ask in self.asks]) for one in requests)
        return [(one, *answers) for one, answers in asked if answers[0] != answers[1]]


type Differing = list[tuple[Asked, *tuple[Answer, ...]]]


@pytest.fixture(
    scope="module", params=range(len(PLACES)), ids=["-".join(one) for one in PLACES]
)
def sides(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    adapter, store = PLACES[request.param]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        # The tests cut no power, and waiting for the disk is most of their time.
        patch.setattr(os, "fsync", lambda descriptor: None)
        made = []
        for side in ("one", "other"):
            if store == MONGO:
                server = request.getfixturevalue("mongo_server")
                uri = stack.enter_context(database_of(server))
                made.append(office(partial(_in_mongo, uri)))
            else:
                made.append(office(STORES[store](tmp_path_factory.mktemp(side))))
        asks = [stack.enter_context(calling(adapter, one)) for one in made]
        yield Sides(tuple(made), tuple(asks), request.param)
        for one in made:
            for collection in one.collections.values():
                collection.db_handler.close()


def _in_mongo(uri: str, _name: str) -> DBMongoConnector:
    return DBMongoConnector(connection_string=uri)


def told(found: Differing) -> str:
    """What differs, short enough to be read."""
    lines = [
        "\n  ".join([str(asked), *(f"{one.status} {one.body[:300]!r}" for one in both)])
        for asked, *both in found[:5]
    ]
    return "\n".join([f"{len(found)} differ:", *lines])


@pytest.mark.slow
def test_what_is_read(sides: Sides) -> None:
    sides.settle(ONES, OTHERS)
    found = sides.differing(sides.share(reads))
    assert not found, told(found)


def test_what_is_said_of_items_that_are_being_written(sides: Sides) -> None:
    sides.settle(ONES, OTHERS)
    found = sides.differing(questions(sides.offices[0]))
    assert not found, told(found)


@pytest.mark.slow
def test_what_is_written(sides: Sides) -> None:
    found = written(sides, lambda: sides.settle(ONES, OTHERS), sides.share(changes))
    assert not found, told(found)


def written(
    sides: Sides, settle: Callable[[], None], requests: Iterable[Asked], user: str = ""
) -> Differing:
    """The writes that are answered differently, or after which lists are."""
    found: Differing = []
    settle()
    for asked in requests:
        answers = [ask(asked, user) for ask in sides.asks]
        if answers[0] != answers[1]:
            found.append((asked, *answers))
        if any(one.status < 300 for one in answers):
            afterwards = Asked("GET", f"/{asked.path.split('/')[1]}")
            found += sides.differing([afterwards], user)
            settle()
    return found


@pytest.mark.slow
def test_what_not_even_staff_may_read(sides: Sides) -> None:
    def settle() -> None:
        for made, dark in zip(sides.offices, (ONES, OTHERS), strict=True):
            put(made, world(ONES, dark))

    settle()
    found = sides.differing(sides.share(reads)[::3], "staff")
    found += sides.differing(sides.share(questions)[::3], "staff")
    found += written(sides, settle, sides.share(changes)[::3], "staff")
    assert not found, told(found)


@given(one=hidden, other=hidden, offset=st.integers(0, 99))
@settings(
    max_examples=4,
    deadline=None,
    # Shrinking asks both worlds again and again, and the first difference says enough.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_worlds_of_all_sorts(
    sides: Sides, one: Hidden, other: Hidden, offset: int
) -> None:
    sides.settle(one, other)
    asked = list(reads(sides.offices[0]))[offset::100]
    found = sides.differing(asked)
    assert not found, told(found)


def test_who_may_read_it_sees_that_they_differ(sides: Sides) -> None:
    sides.settle(ONES, OTHERS)
    every = sides.share(reads)
    assert len(sides.differing(every[::10], "staff")) > len(every) // 100
