"""Another backo server, which keeps items for the one under test."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from backo import (
    Backoffice,
    Collection,
    DBMongoConnector,
    DBRedirect,
    DBSqliteConnector,
    Item,
)
from backo.connectors.base import DBConnector
from tests.serving import serving_app

__all__ = ["Keeping", "far", "keeping", "redirecting"]


def far(folder: Path, items: Mapping[str, Item]) -> Backoffice:
    """A backoffice of these collections in SQLite, to be kept in ``folder``."""
    office = Backoffice("far")
    for name, item in items.items():
        store = DBSqliteConnector(path=folder / "far.db", table=name, synchronous="OFF")
        office.register_collection(Collection(name, item, store))
    return office


@contextmanager
def redirecting(*offices: Backoffice) -> Iterator[list[Callable[..., DBConnector]]]:
    """Serve them all; for each what makes stores that lead to its collections, from
    their names and options of ``DBRedirect``."""
    app = FastAPI()
    for at, office in enumerate(offices):
        app.include_router(office.router(f"/{at}"))
    with serving_app(app) as port:
        yield [
            functools.partial(
                DBRedirect,
                host="127.0.0.1",
                port=port,
                tls=False,
                prefix=f"{at}/{office.name}",
            )
            for at, office in enumerate(offices)
        ]


@dataclasses.dataclass(frozen=True)
class Keeping:
    """A store of the collection ``things``."""

    store: DBConnector
    keeper: DBConnector
    """The one that gives items their ids: the other server's, where there is one."""


@contextmanager
def keeping(
    served: str, request: pytest.FixtureRequest, folder: Path, item: Item
) -> Iterator[Keeping]:
    """One in MongoDB, or behind another server that knows the fields of ``item``."""
    if served == "mongo":
        uri = request.getfixturevalue("mongo_database")
        store: DBConnector = DBMongoConnector(connection_string=uri)
        yield Keeping(store, store)
        store.close()
        return
    office = far(folder, {"things": item})
    keeper = office.things.db_handler
    with redirecting(office) as (make,):
        store = make("things")
        yield Keeping(store, keeper)
        store.close()
    keeper.close()
