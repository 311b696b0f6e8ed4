"""The connectors that the conformance suite runs over."""

import copy
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backo.connectors.base import DBConnector, Document
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.testing import ANY_ID, ANY_SHAPE, CHECKS, GIVEN_IDS, Check, Make
from backo.connectors.yml import DBYmlConnector
from backo.errors import DuplicateIdError, NotFoundError


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


GIVEN_FORM: frozenset[str] = frozenset()
"""Connectors whose ids are all of one form."""
GIVEN_SHAPE: frozenset[str] = frozenset()
"""Connectors that keep only what the schema allows."""
MAKES_IDS: frozenset[str] = frozenset()
"""Connectors whose store alone makes ids."""

KNOWN_GAPS: dict[tuple[str, str], str] = {}
"""Why a connector fails a check, by the names of both."""


def checks_for(name: str) -> list[Check]:
    """All that the connector of this name must pass."""
    groups = [
        CHECKS,
        () if name in MAKES_IDS else GIVEN_IDS,
        () if name in MAKES_IDS | GIVEN_FORM else ANY_ID,
        () if name in GIVEN_SHAPE else ANY_SHAPE,
    ]
    return list(itertools.chain.from_iterable(groups))


def checked() -> list[Any]:
    """Each connector with each check that is for it, as parameters of a test."""
    return [_param(name, check) for name in CONNECTORS for check in checks_for(name)]


def _param(name: str, check: Check) -> Any:
    reason = KNOWN_GAPS.get((name, check.__name__))
    marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
    return pytest.param(name, check, marks=marks)


@pytest.fixture
def make(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes connectors of the sort ``store``, all over the same folder."""
    # The tests cut no power, and waiting for the disk is most of their time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return CONNECTORS[store](tmp_path / "store")
