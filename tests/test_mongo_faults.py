"""MongoDB stopped, killed, slow or out of its mind: what clients of a backoffice over
it are told, and what is there afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBMongoConnector,
    Int,
    Item,
    Ref,
    RefsList,
    String,
)
from tests.faulty import Client, Clients, no_new_threads
from tests.inprocess import ADAPTERS
from tests.mongo import MongoServer, running_mongo
from tests.serving import serving

pytestmark = pytest.mark.slow

TIMEOUTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 1000,
    "connectTimeoutMS": 1000,
    "timeoutMS": 2000,
}
"""Of the driver: far less than the seconds that it has by default."""
BOUND = 6.0
"""Seconds in which each answer must be there: some operations of the driver."""


def shop(uri: str) -> Backoffice:
    """Authors and their books, linked both ways."""
    made = Backoffice("shop")
    schemas: dict[str, dict[str, Any]] = {
        "authors": {
            "name": String(),
            "books": RefsList(coll="books", field="$.author"),
        },
        "books": {
            "title": String(required=True),
            "n": Int(default=0),
            "author": Ref(coll="authors", field="$.books"),
        },
    }
    for name, schema in schemas.items():
        store = DBMongoConnector(connection_string=uri, indexes=(), **TIMEOUTS)
        item = Item(schema, meta_data_handler=None)
        made.register_collection(Collection(name, item, store))
    return made


@contextlib.contextmanager
def served(uri: str, adapter: str) -> Iterator[Client]:
    """A shop behind a real server; its connectors are closed in the end."""
    made = shop(uri)
    with serving(made, adapter) as port:
        yield Client(f"http://127.0.0.1:{port}/shop")
    for collection in made.collections.values():
        collection.db_handler.close()


@pytest.mark.parametrize("options", [(), ("--standalone",)], ids=["set", "alone"])
@pytest.mark.parametrize("end", [MongoServer.stop, MongoServer.kill])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_store_that_stops_under_load_loses_nothing_it_acknowledged(
    adapter: str,
    end: Callable[[MongoServer], None],
    options: tuple[str, ...],
    tmp_path: Path,
) -> None:
    with no_new_threads(), running_mongo(tmp_path, *options) as mongo:
        uri = f"{mongo.uri}shop?journal=true"
        with served(uri, adapter) as client, Clients(client.url, 8) as clients:
            clients.wait_for(done=40)
            end(mongo)
            clients.wait_for(refused=8)
            mongo.restart()
            clients.wait_for(done=40)
            clients.stop()
            clients.check(BOUND)
            clients.check_what_is_there(linked=not options)
