"""What a check is, and how it gets its connectors and documents."""

import dataclasses
import functools
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backo.connectors.base import DBConnector, Document
from backo.connectors.testing.fields import PLAN

__all__ = [
    "Check",
    "Checks",
    "Group",
    "Make",
    "at_once",
    "chances",
    "fill",
    "ids",
    "new_ids",
    "pair",
    "plant",
    "rivals",
]

type Make = Callable[..., DBConnector]
"""``make(**options)`` gives a connector: each time over the same store, if there is one
outside of the object. The store is empty when a check begins."""
type Check = Callable[[Make], None]
"""Raises AssertionError, or what the connector raises, when something is wrong."""


class Group:
    """Checks, in the order in which they are written."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def __call__(self, function: Check) -> Check:
        """The function as a check of this group: its connectors are bound to the plan,
        and closed when it ends."""

        @functools.wraps(function)
        def run(make: Make) -> None:
            made: list[DBConnector] = []

            def bound(**options: Any) -> DBConnector:
                connector = make(**options)
                made.append(connector)
                connector.bind(PLAN)
                return connector

            try:
                function(bound)
            finally:
                for connector in made:
                    connector.close()

        self._checks.append(run)
        return run

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)


@dataclasses.dataclass(frozen=True)
class Checks:
    """The checks of one module, by what connectors they are for."""

    always: Group = dataclasses.field(default_factory=Group)
    given_ids: Group = dataclasses.field(default_factory=Group)
    """Documents that bring their ids, in the form that the connector makes."""
    any_id: Group = dataclasses.field(default_factory=Group)
    """Documents whose ids are any text."""
    any_shape: Group = dataclasses.field(default_factory=Group)
    """Documents that the plan does not allow."""


# -- documents ---------------------------------------------------------------------


def chances(seed: int) -> random.Random:
    """The same random choices each time."""
    return random.Random(seed)  # noqa: S311 - not for secrets


def ids(found: Iterable[Document]) -> list[str]:
    return [document["_id"] for document in found]


def fill(connector: DBConnector, *documents: Document) -> list[Document]:
    """Store the documents, which have no ids, and give them with those they got."""
    return [{"_id": connector.create(dict(one)), **one} for one in documents]


def new_ids(connector: DBConnector, count: int) -> list[str]:
    """Ids that nothing has, in the form that the connector gives them."""
    return [connector.generate_id({}) for _ in range(count)]


def plant(
    connector: DBConnector, documents: list[Document], chance: random.Random
) -> list[Document]:
    """Like :func:`fill`, with ids in another order than the documents, where these may
    bring them."""
    if connector.makes_ids:
        return fill(connector, *documents)
    names = new_ids(connector, len(documents))
    chance.shuffle(names)
    whole = [{"_id": _id, **one} for _id, one in zip(names, documents, strict=True)]
    for document in whole:
        connector.create(dict(document))
    return whole


# -- several -----------------------------------------------------------------------


def pair(make: Make) -> tuple[DBConnector, DBConnector]:
    """Two connectors over one store; where each has its own, one of them twice."""
    one, other = make(), make()
    return (one, other) if one.place() == other.place() else (one, one)


def rivals(make: Make) -> tuple[DBConnector, DBConnector]:
    """Two connectors that lose nothing when both write at the same time."""
    one, other = pair(make)
    return (one, other) if one.capabilities.compare_and_set else (one, one)


def at_once[Given](count: int, act: Callable[[int], Given]) -> list[Given]:
    """What ``act`` gives for each number below ``count``, in as many threads that begin
    together."""
    start = threading.Barrier(count)

    def begin(number: int) -> Given:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))
