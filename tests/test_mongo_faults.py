"""MongoDB stopped, killed, slow or out of its mind: what clients of a backoffice over
it are told, and what is there afterwards."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymongo
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
from tests.faulty import Answer, Client, Clients, eventually, no_new_threads
from tests.inprocess import asking
from tests.mongo import Mongo, MongoServer, database_of, running_mongo
from tests.proxy import Proxy, proxied
from tests.serving import serving

pytestmark = pytest.mark.slow

TIMEOUTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 700,
    "connectTimeoutMS": 700,
    "timeoutMS": 1400,
}
"""Of the driver: far less than the seconds that it has by default."""
BOUND = 12.0
"""Seconds in which each answer must be there: a transaction is tried again for ten, and
the writers of a single server wait for each other."""


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


ALONE = ("--standalone",)
# Else what a transaction has committed is lost when it is killed, journal or not.
SET = ("--sync-on-commit",)


@pytest.mark.parametrize(
    ("adapter", "end", "options"),
    [
        ("fastapi", MongoServer.kill, SET),
        ("flask", MongoServer.kill, SET),
        ("fastapi", MongoServer.kill, ALONE),
        ("flask", MongoServer.kill, ALONE),
        ("fastapi", MongoServer.stop, SET),
        ("flask", MongoServer.stop, ALONE),
    ],
    ids=["kill-1", "kill-2", "kill-alone-1", "kill-alone-2", "stop", "stop-alone"],
)
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
            clients.check_what_is_there(linked=options == SET)


# -- a store that is slow, or out of its mind --------------------------------------

type Misbehave = Callable[[Proxy], None]

FAULTS: dict[str, Misbehave] = {
    "late": lambda proxy: proxy.delays(5),
    "cut at once": lambda proxy: proxy.cuts_after(0),
    "cut in an answer": lambda proxy: proxy.cuts_after(30),
    "cut later": lambda proxy: proxy.cuts_after(2000),
    "garbage": lambda proxy: proxy.sends_garbage(),
    "garbage after the header": lambda proxy: proxy.sends_garbage(after=16),
    "garbage in the document": lambda proxy: proxy.sends_garbage(after=60),
    "silence": lambda proxy: proxy.says_nothing(),
    "nobody": lambda proxy: proxy.refuses(),
}


BEHIND = [("fastapi", ()), ("flask", ALONE)]


@pytest.fixture(scope="module", params=BEHIND, ids=["fastapi-set", "flask-alone"])
def misled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Proxy]]:
    """A shop that has its items in a MongoDB of its own, and the proxy between them."""
    adapter, options = request.param
    with running_mongo(tmp_path_factory.mktemp("mongo"), *options) as mongo:
        with no_new_threads(), proxied(("127.0.0.1", mongo.port)) as proxy:
            # The set names its only member by the port that is not the proxy's.
            uri = f"mongodb://127.0.0.1:{proxy.port}/shop?directConnection=true"
            with served(uri, adapter) as client:
                yield client, proxy


def everything(client: Client, author: str, book: str) -> list[Answer]:
    """Each operation once."""
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"books/{book}", None),
        ("GET", "books?title=first&_page=2", None),
        ("PUT", f"books/{book}", {"title": "first", "n": 7}),
        ("PATCH", f"authors/{author}", [{"op": "add", "path": "/name", "value": "b"}]),
        ("POST", "books", {"title": "more", "author": author}),
        ("DELETE", f"books/{book}", None),
    ]
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda one: client.ask(*one), asked))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_misbehaves_is_a_503_in_time_and_is_served_again(
    misled: tuple[Client, Proxy], fault: str
) -> None:
    client, proxy = misled
    author = client.ask("POST", "authors", {"name": "a"}).body["_id"]
    made = client.ask("POST", "books", {"title": "first", "author": author})
    FAULTS[fault](proxy)
    try:
        answers = everything(client, author, made.body["_id"])
    finally:
        proxy.passes()
    wrong = [one for one in answers if not one.is_fine and one.status != 404]
    assert not wrong, wrong
    assert max(one.seconds for one in answers) < BOUND
    if fault != "cut later":
        assert {one.status for one in answers} == {503}
    eventually(lambda: client.ask("GET", "books?_page=1").status == 200)
    new = client.ask("POST", "books", {"title": "again", "author": author})
    assert new.status == 201
    assert client.ask("GET", f"books/{new.body['_id']}").body["author"] == author


def test_connections_that_are_cut_are_made_again(
    misled: tuple[Client, Proxy],
) -> None:
    client, proxy = misled
    author = client.ask("POST", "authors", {"name": "a"}).body["_id"]
    proxy.cuts_now()
    answers = [client.ask("GET", f"authors/{author}") for _ in range(3)]
    assert all(one.is_fine for one in answers), answers
    assert answers[-1].status == 200


# -- processes ---------------------------------------------------------------------

FORKING = """
import os, sys, warnings
from tests.test_mongo_faults import shop

# pymongo warns of clients that are used after a fork.
warnings.simplefilter("error", UserWarning)
office = shop(sys.argv[1])
author = office.authors.create({"name": "before"})
children = []
for number in range(4):
    child = os.fork()
    if not child:
        try:
            for name in range(20):
                office.books.create({"title": f"{number}", "author": author._id})
            found = len(office.books.select({"title": f"{number}"}))
            os._exit(0 if found == 20 else 3)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(4)
    children.append(child)
for name in range(20):
    office.books.create({"title": "parent", "author": author._id})
ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
author.reload()
print(ended, len(author.books), len(office.books.select({})))
"""


@pytest.mark.parametrize("mongo", ["mongo_database", "mongo_standalone_database"])
def test_processes_that_are_forked_after_the_first_use_all_work(
    mongo: str, request: pytest.FixtureRequest
) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    uri = request.getfixturevalue(mongo)
    done = subprocess.run(
        [sys.executable, "-c", FORKING, uri],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{[0] * 4} 100 100\n", done.stderr


# -- many documents ----------------------------------------------------------------

FEW, MANY = 1_000, 100_000
MIB = 1024
"""In the unit of ``ru_maxrss``."""


def people(uri: str, collection: str) -> Collection:
    """People in groups of ten, each group with a number of its own."""
    store = DBMongoConnector(
        connection_string=uri, collection=collection, indexes=["$.group"]
    )
    schema = {"name": String(), "group": Int(), "text": String()}
    return Collection(collection, Item(schema, meta_data_handler=None), store)


def fill(uri: str, collection: str, count: int) -> None:
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        kept = client.get_default_database()[collection]
        for start in range(0, count, 5_000):
            kept.insert_many(
                {"name": f"p{n}", "group": n // 10, "text": "text " * 20}
                for n in range(start, min(start + 5_000, count))
            )


@pytest.fixture(scope="module")
def peopled(mongo_standalone: Mongo) -> Iterator[str]:
    """A database with ``few`` people and with ``many``: a single server, for it has
    them sooner."""
    with database_of(mongo_standalone) as uri:
        fill(uri, "few", FEW)
        fill(uri, "many", MANY)
        yield uri


def median_of(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def took(asked: Callable[[], Any]) -> float:
    began = time.perf_counter()
    asked()
    return time.perf_counter() - began


def test_a_page_and_an_item_of_many_cost_what_they_cost_of_few(peopled: str) -> None:
    office = Backoffice("office")
    for name in ("few", "many"):
        office.register_collection(people(peopled, name))
    numbers = {"few": FEW, "many": MANY}
    ids = {
        name: office.collection(name).select({"group": number // 20})[0]._id
        for name, number in numbers.items()
    }
    with asking("flask", office) as ask:

        def page(name: str, group: int) -> None:
            path = f"/office/{name}?group={group}&_page=10&_total=0"
            answer = ask("GET", path)
            found = json.loads(answer.body)["result"]
            assert (answer.status, len(found)) == (200, 10)

        def item(name: str, _group: int) -> None:
            assert ask("GET", f"/office/{name}/{ids[name]}").status == 200

        for asked in (page, item):
            times: dict[str, list[float]] = {"few": [], "many": []}
            for turn in range(300):
                for name, number in numbers.items():
                    group = turn * 37 % (number // 10)
                    times[name].append(took(functools.partial(asked, name, group)))
            few, many = (median_of(one) for one in times.values())
            assert many < 1.3 * few, (asked, few, many)
    for name in numbers:
        office.collection(name).db_handler.close()


READING = """
import resource, sys
from backo import Backoffice
from tests.test_mongo_faults import people

office = Backoffice("office")
collection = people(*sys.argv[1:])
office.register_collection(collection)
print(sum(1 for one in collection.db_handler.scan()))
print(office.migrate(sys.argv[2], lambda one: None, dry_run=False).no_changes.total)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_collection(peopled: str) -> None:
    resource = pytest.importorskip("resource", reason="tells how much memory was used")
    assert resource is not None
    used = []
    for name, count in (("few", FEW), ("many", MANY)):
        done = subprocess.run(
            [sys.executable, "-c", READING, peopled, name],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        *counts, most = map(int, done.stdout.split())
        assert set(counts) == {count}
        used.append(most)
    # The documents have 20 MB, as Python objects far more; the ids alone have 10 MB.
    assert used[1] - used[0] < 30 * MIB, used
