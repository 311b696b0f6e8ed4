"""Another backo server that is away, slow or out of its mind: what clients of a
backoffice over it are told, and what is there afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    DBRedirect,
    DBSqliteConnector,
    Int,
    Item,
    String,
)
from tests.faulty import Client, Clients, eventually, no_new_threads
from tests.inprocess import ADAPTERS
from tests.proxy import Proxy, proxied
from tests.serving import serving

pytestmark = pytest.mark.slow

LIMITS: dict[str, Any] = {
    "connect_timeout": 0.7,
    "timeout": 1.0,
    "total_timeout": 2.0,
    "retries": 1,
}
BOUND = 8.0
"""Seconds in which each answer must be there: what a request asks the other server, one
after the other, and waiting for who writes in the same process."""


def shop(store: Callable[[str], DBConnector]) -> Backoffice:
    made = Backoffice("shop")
    for name, schema in {
        "authors": {"name": String()},
        "books": {
            "title": String(required=True),
            "n": Int(default=0),
            "author": String(),
        },
    }.items():
        item = Item(schema, meta_data_handler=None)
        made.register_collection(Collection(name, item, store(name)))
    return made


@contextlib.contextmanager
def chained(adapter: str, folder: Path) -> Iterator[tuple[Client, Proxy]]:
    """A shop over another, behind the same framework, and the proxy between them."""
    far = shop(
        lambda name: DBSqliteConnector(
            path=folder / "shop.db", table=name, synchronous="OFF"
        )
    )
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving(far, adapter))
        proxy = stack.enter_context(proxied(("127.0.0.1", port)))
        where: dict[str, Any] = {"host": "127.0.0.1", "port": proxy.port, "tls": False}
        near = shop(lambda name: DBRedirect(name, prefix="shop", **where, **LIMITS))
        for collection in near.collections.values():
            stack.callback(collection.db_handler.close)
        near_port = stack.enter_context(serving(near, adapter))
        yield Client(f"http://127.0.0.1:{near_port}/shop"), proxy
        for collection in far.collections.values():
            collection.db_handler.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_server_that_goes_under_load_loses_nothing_it_acknowledged(
    adapter: str, tmp_path: Path
) -> None:
    with (
        no_new_threads(),
        chained(adapter, tmp_path) as (client, proxy),
        Clients(client.url, 8) as clients,
    ):
        clients.wait_for(done=40)
        proxy.refuses()
        clients.wait_for(refused=8)
        proxy.passes()
        clients.wait_for(done=40)
        clients.stop()
        clients.check(BOUND)
        clients.check_what_is_there(linked=False)


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "late": lambda proxy: proxy.delays(5),
    "cut at once": lambda proxy: proxy.cuts_after(0),
    "cut in the headers": lambda proxy: proxy.cuts_after(30),
    "garbage": lambda proxy: proxy.sends_garbage(),
    "garbage in the headers": lambda proxy: proxy.sends_garbage(after=20),
    "garbage in the body": lambda proxy: proxy.sends_garbage(after=150),
    "silence": lambda proxy: proxy.says_nothing(),
    "nobody": lambda proxy: proxy.refuses(),
}


SOMETIMES = {"cut in the headers", "garbage in the headers", "garbage in the body"}
"""What leaves whole answers that have little to say: a status is enough for a 204."""


@pytest.fixture(scope="module", params=ADAPTERS)
def misled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Proxy]]:
    with (
        no_new_threads(),
        chained(request.param, tmp_path_factory.mktemp("far")) as both,
    ):
        yield both


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_misbehaves_is_a_503_in_time_and_is_served_again(
    misled: tuple[Client, Proxy], fault: str
) -> None:
    client, proxy = misled
    book = client.ask("POST", "books", {"title": "first", "author": "a"}).body["_id"]
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"books/{book}", None),
        ("GET", "books?title=first&_page=2", None),
        ("PUT", f"books/{book}", {"title": "first", "n": 7}),
        ("POST", "books", {"title": "more"}),
        ("DELETE", f"books/{book}", None),
    ]
    FAULTS[fault](proxy)
    try:
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(lambda one: client.ask(*one), asked))
    finally:
        proxy.passes()
    if fault not in SOMETIMES:
        assert {one.status for one in answers} == {503}, answers
    assert all(one.is_fine for one in answers), answers
    assert max(one.seconds for one in answers) < BOUND
    eventually(lambda: client.ask("GET", "books?_page=1").status == 200)
    new = client.ask("POST", "books", {"title": "again"})
    assert new.status == 201
    assert client.ask("GET", f"books/{new.body['_id']}").body["title"] == "again"
