"""The connectors that the conformance suite runs over."""

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo.connectors.base import DBConnector, Document
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.yml import DBYmlConnector
from backo.errors import DuplicateIdError, NotFoundError
from backo.schema.plan import FieldPlan, ItemPlan, Kind


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


def leaf(name: str, kind: Kind, holder: str = "$", **kwargs: Any) -> FieldPlan:
    return FieldPlan(name=name, path=f"{holder}.{name}", kind=kind, node=None, **kwargs)


def make_plan() -> ItemPlan:
    author = leaf(
        "[*]",
        Kind.DICT,
        fields=(leaf("name", Kind.STRING), leaf("age", Kind.INT)),
    )
    address = (leaf("zip", Kind.STRING), leaf("city", Kind.STRING))
    fields = (
        leaf("_id", Kind.STRING),
        leaf("title", Kind.STRING),
        leaf("pages", Kind.INT),
        leaf("price", Kind.FLOAT),
        leaf("ok", Kind.BOOL),
        leaf("when", Kind.DATETIME),
        leaf("ip", Kind.IPADDRESS),
        leaf("net", Kind.IPNETWORK),
        leaf("tags", Kind.LIST, element=leaf("[*]", Kind.STRING)),
        leaf("authors", Kind.LIST, element=author),
        leaf("address", Kind.DICT, fields=address),
        leaf("extra", Kind.FREEDICT),
        leaf("it's odd", Kind.STRING),
    )
    root = FieldPlan(name="", path="$", kind=Kind.DICT, node=None, fields=fields)
    return ItemPlan(name="books", root=root)


@pytest.fixture
def plan() -> ItemPlan:
    return make_plan()


INDEXES = ("$.title", "pages", "price", "ok", "when", "address.zip", "ip", "it's odd")

type Make = Callable[..., DBConnector]

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


@pytest.fixture(params=CONNECTORS)
def connector_factory(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    plan: ItemPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Make]:
    """Makes bound connectors of one sort, all over the same store."""
    # The tests cut no power, and waiting for the disk is most of their time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    make = CONNECTORS[request.param](tmp_path / "store")
    made: list[DBConnector] = []

    def bound(**kwargs: Any) -> DBConnector:
        connector = make(**kwargs)
        connector.bind(plan)
        made.append(connector)
        return connector

    yield bound
    for connector in made:
        connector.close()


@pytest.fixture
def connector(connector_factory: Make) -> DBConnector:
    """One connector with an empty store."""
    return connector_factory()
