"""The connectors that the conformance suite runs over."""

import copy
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice, Collection, Item
from backo.connectors.base import DBConnector, Document
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.mongo import DBMongoConnector
from backo.connectors.redirect import DBRedirect
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.testing import (
    ANY_ID,
    ANY_SHAPE,
    CHECKS,
    GIVEN_IDS,
    Check,
    Make,
    changing,
    fields,
    units,
)
from backo.connectors.yml import DBYmlConnector
from backo.errors import DuplicateIdError, NotFoundError
from tests.serving import serving


class SixMethods(DBConnector):
    """What a user writes who knows nothing but the abstract methods."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items: dict[str, Document] = {}

    def create(self, o: Document) -> str:
        _id = str(o.get("_id") or self.generate_id(o))
        if _id in self.items:
            raise DuplicateIdError(_id)
        self.items[_id] = {"_id": _id} | copy.deepcopy(o) | {"_id": _id}
        return _id

    def delete_by_id(self, _id: str) -> bool:
        self.get_by_id(_id)
        del self.items[_id]
        return True

    def drop(self) -> None:
        self.items.clear()

    def get_by_id(self, _id: str) -> Document:
        if _id not in self.items:
            raise NotFoundError(_id)
        return copy.deepcopy(self.items[_id])

    def save(self, _id: str, o: Document) -> None:
        self.get_by_id(_id)
        self.items[_id] = {"_id": _id} | copy.deepcopy(o) | {"_id": _id}

    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
    ) -> list[Document]:
        assert not select_filter, "backo asks a plain connector for everything"
        return [copy.deepcopy(item) for item in tuple(self.items.values())]


INDEXES = ("$.title", "pages", "price", "ok", "when", "address.zip", "ip", "it's odd")

CONNECTORS: dict[str, Callable[[Path], Make]] = {
    "memory": lambda folder: DBMemoryConnector,
    "yml": lambda folder: (
        lambda **kwargs: DBYmlConnector(path=folder / "books", **kwargs)
    ),
    "sqlite": lambda folder: (
        lambda **kwargs: DBSqliteConnector(
            path=folder / "books.db", synchronous="OFF", **kwargs
        )
    ),
    "sqlite indexed": lambda folder: (
        lambda **kwargs: DBSqliteConnector(
            path=folder / "books.db", synchronous="OFF", indexes=INDEXES, **kwargs
        )
    ),
    "six methods": lambda folder: SixMethods,
}


SERVED = ("mongo", "mongo alone", "redirect")
"""Stores that are servers, each with a fixture of its name."""
STORES = (*CONNECTORS, *SERVED)

GIVEN_SHAPE = frozenset({"redirect"})
"""Stores that keep only what the schema allows."""
MAKES_IDS = frozenset({"redirect"})
"""Stores that alone make ids."""

STAND_IN = "BACKO_TEST_MONGO_URI" not in os.environ
"""Whether MongoDB is the wire server that the tests start."""
_SAME = "MongoDB of the tests takes true for 1"
_OF_THE_STAND_IN = frozenset({_SAME})

KNOWN_GAPS: dict[tuple[str, str], str] = {
    ("mongo alone", "compare_and_set_knows_true_from_one"): _SAME,
    **{
        ("mongo", check): reason
        for check, reason in {
            "compare_and_set_knows_true_from_one": _SAME,
            "compare_and_set_knows_a_text_from_its_number": _SAME,
            "fields_may_have_any_names": "MongoDB allows no U+0000 in names",
            "random_filters_of_any_shape_find_what_they_mean": (
                "numbers of more than 64 bits compare otherwise"
            ),
            "random_sorts_of_any_shape_order_as_they_mean": (
                "MongoDB orders what the schema does not allow in another way"
            ),
        }.items()
    },
}
"""Why a connector fails a check, by the names of both."""


def checks_for(name: str) -> list[Check]:
    """All that the connector of this name must pass."""
    if name == "mongo alone":
        # Only its units are others than those of a replica set.
        return [*changing.checks.always, *units.checks.always, *units.checks.given_ids]
    groups = [
        CHECKS,
        () if name in MAKES_IDS else GIVEN_IDS,
        () if name in MAKES_IDS else ANY_ID,
        () if name in GIVEN_SHAPE else ANY_SHAPE,
    ]
    return list(itertools.chain.from_iterable(groups))


def checked() -> list[Any]:
    """Each connector with each check that is for it, as parameters of a test."""
    return [_param(name, check) for name in STORES for check in checks_for(name)]


def _param(name: str, check: Check) -> Any:
    reason = KNOWN_GAPS.get((name, check.__name__))
    strict = STAND_IN or reason not in _OF_THE_STAND_IN
    marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=strict)]
    return pytest.param(name, check, marks=marks)


@pytest.fixture
def make(
    store: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Make:
    """Makes connectors of the sort ``store``, all over the same one, which is empty."""
    # The tests cut no power, and waiting for the disk is most of their time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if store in SERVED:
        make: Make = request.getfixturevalue(store.replace(" ", "_"))
        return make
    return CONNECTORS[store](tmp_path / "store")


@pytest.fixture
def mongo(mongo_database: str) -> Make:
    return functools.partial(DBMongoConnector, connection_string=mongo_database)


@pytest.fixture
def mongo_alone(mongo_standalone_database: str) -> Make:
    uri = mongo_standalone_database
    return functools.partial(DBMongoConnector, connection_string=uri)


@pytest.fixture
def redirect(tmp_path: Path) -> Iterator[Make]:
    """Another backo server, over SQLite."""
    there = DBSqliteConnector(path=tmp_path / "there.db", synchronous="OFF")
    item = Item(fields(), meta_data_handler=None)
    office = Backoffice("there")
    office.register_collection(Collection("books", item, there))
    with serving(office) as port:
        yield functools.partial(
            DBRedirect, "books", host="127.0.0.1", port=port, tls=False, prefix="there"
        )
    there.close()
