"""Units of work over MongoDB and other stores, cut short at every moment."""

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymongo
import pytest
import yaml

from backo.connectors.base import DBConnector
from backo.connectors.decisions import Address, remote_deciders
from backo.connectors.ids import new_id
from backo.connectors.mongo import DBMongoConnector
from backo.connectors.mongo_client import shared
from backo.connectors.mongo_transactions import UNITS, Decider, MongoTransaction
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.transactions import DurableTransaction
from backo.connectors.yml import DBYmlConnector
from backo.errors import ConflictError, DBError, TransientError
from backo.transaction import Unit, unit_of_work
from tests.mongo import database_of, running_mongo

type Raw = dict[str, Any]
type Stores = list[DBConnector]

OTHER = Address("sqlite", Path("/x/y.db"))


@pytest.fixture
def units(mongo_database: str) -> Iterator[pymongo.collection.Collection[Raw]]:
    """The decisions, as another program sees them."""
    with pymongo.MongoClient[Raw](mongo_database) as client:
        yield client.get_default_database()[UNITS]


def stores_in(uri: str, folder: Path) -> Stores:
    return [
        DBMongoConnector(connection_string=uri, collection="books"),
        DBSqliteConnector(path=folder / "books.db", synchronous="OFF"),
        DBYmlConnector(path=folder / "books"),
    ]


@pytest.fixture
def stores(mongo_database: str, tmp_path: Path) -> Iterator[Stores]:
    """MongoDB, SQLite and YAML, each with an item a."""
    made = stores_in(mongo_database, tmp_path)
    for one in made:
        one.create({"_id": "a", "n": 1})
    yield made
    for one in made:
        one.close()


def values(stores: Stores) -> list[int]:
    return [one.get_by_id("a")["n"] for one in stores]


def write(stores: Stores, n: int) -> None:
    with unit_of_work(stores=stores):
        for one in stores:
            one.join()
            one.save("a", {"_id": "a", "n": n})


def test_a_unit_over_three_stores(
    stores: Stores, units: pymongo.collection.Collection[Raw]
) -> None:
    write(stores, 2)
    assert values(stores) == [2, 2, 2]
    with pytest.raises(ZeroDivisionError), unit_of_work(stores=stores):
        for one in stores:
            one.save("a", {"_id": "a", "n": 3})
        raise ZeroDivisionError
    assert values(stores) == [2, 2, 2]
    assert list(units.find()) == []


# -- killed ------------------------------------------------------------------------


def dies(owner: type, name: str, when: str) -> None:
    """End the process before or after the method does its work."""
    work = getattr(owner, name)

    def last(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            os._exit(0)
        work(*arguments, **options)
        os._exit(0)

    setattr(owner, name, last)


def cut_short(uri: str, folder: Path, owner: type, name: str, when: str) -> None:
    dies(owner, name, when)
    write(stores_in(uri, folder), 2)
    os._exit(1)


def run_apart(*arguments: Any) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=cut_short, args=arguments
    )
    process.start()
    process.join(120)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    ("owner", "name", "when", "expected"),
    [
        (Unit, "_decide", "before", 1),
        (MongoTransaction, "decide", "before", 1),
        (MongoTransaction, "decide", "after", 2),
        (MongoTransaction, "forget", "before", 2),
    ],
)
def test_killed_in_the_middle_all_stores_agree(
    tmp_path: Path, owner: type, name: str, when: str, expected: int
) -> None:
    # It takes j=True for single writes only, and not for commits.
    durable = running_mongo(tmp_path / "mongo", "--sync-on-commit")
    with durable as server, database_of(server) as uri:
        uri += "?journal=true"
        first = stores_in(uri, tmp_path)
        for one in first:
            one.create({"_id": "a", "n": 1})
            one.close()
        run_apart(uri, tmp_path, owner, name, when)
        # Else MongoDB would keep what was not committed open for another minute.
        server.restart()
        check_that_it_is_over(stores_in(uri, tmp_path), expected)
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection:
        tables = "SELECT name FROM sqlite_master WHERE name = 'backo_units_prepared'"
        if connection.execute(tables).fetchall():
            left = connection.execute("SELECT count(*) FROM backo_units_prepared")
            assert left.fetchone() == (0,)
    assert yaml.safe_load((tmp_path / "books" / "a.yml").read_text())["n"] == 5


def check_that_it_is_over(later: Stores, expected: int) -> None:
    for one in later[1:]:
        # Whoever writes next asks what was decided.
        one.create({"_id": "b"})
    assert values(later) == [expected] * 3
    write(later, 5)
    assert values(later) == [5] * 3
    for one in later:
        one.close()


# -- who decides -------------------------------------------------------------------


@pytest.fixture
def decider(mongo_database: str) -> Decider:
    database = mongo_database.rpartition("/")[2].partition("?")[0]
    return Decider(shared(mongo_database, {}), database)


def old_id() -> str:
    """The name of a unit that was begun long ago."""
    return f"01800000-0000-7{new_id()[15:]}"


def test_a_unit_that_is_given_up_cannot_be_committed(
    decider: Decider, stores: Stores
) -> None:
    unit = new_id()
    with pytest.raises(TransientError), unit_of_work(stores=stores[:1]):
        stores[0].save("a", {"n": 2})
        part = stores[0].joined()
        assert isinstance(part, MongoTransaction)
        assert not decider.is_decided(unit, gone=True, timeout=0)
        part.decide(unit, [OTHER])
    assert values(stores[:1]) == [1]


def test_what_is_decided_stays_so(
    decider: Decider, stores: Stores, units: pymongo.collection.Collection[Raw]
) -> None:
    unit = new_id()
    with unit_of_work(stores=stores[:1]):
        stores[0].save("a", {"n": 2})
        part = stores[0].joined()
        assert isinstance(part, MongoTransaction)
        part.decide(unit, [OTHER])
        assert decider.is_decided(unit, gone=False, timeout=0)
        assert decider.is_decided(unit, gone=True, timeout=0)
        decider.acknowledge(unit, Address("sqlite", Path("/x/z.db")))
        assert units.count_documents({}) == 1
        decider.acknowledge(unit, OTHER)
        assert units.count_documents({}) == 0
        part.lost = True
        part._touched.clear()


def test_one_that_may_still_be_committed_is_waited_for(decider: Decider) -> None:
    with pytest.raises(ConflictError):
        decider.is_decided(new_id(), gone=False, timeout=0)
    assert not decider.is_decided(old_id(), gone=False, timeout=0)
    assert not decider.is_decided(new_id(), gone=False, timeout=0.1)


def test_who_decided_must_be_known(stores: Stores, tmp_path: Path) -> None:
    known = remote_deciders.copy()
    with pytest.raises(DBError):
        with unit_of_work(stores=stores):
            for one in stores:
                one.save("a", {"n": 2})
            part = stores[0].joined()
            assert isinstance(part, MongoTransaction)
            name = "unit"
            for one in stores[1:]:
                other = one.joined()
                assert isinstance(other, DurableTransaction)
                other.prepare(name, Address("mongo", Path("elsewhere/x")))
            raise DBError("as if killed")
    assert values(stores) == [1, 1, 1]
    assert remote_deciders == known


# -- a commit of which nothing is known --------------------------------------------


def fail_commits(uri: str, *, on: bool) -> None:
    """Let MongoDB hang up on commits, or no more."""
    data = {"failCommands": ["commitTransaction"], "closeConnection": True}
    mode = "alwaysOn" if on else "off"
    with pymongo.MongoClient[Raw](uri) as client:
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)


def test_a_commit_of_which_nothing_is_known_is_settled_later(tmp_path: Path) -> None:
    server = running_mongo(tmp_path / "mongo", "--enable-test-commands")
    with server as mongo, database_of(mongo) as uri:
        made = stores_in(uri, tmp_path)
        for one in made:
            one.create({"_id": "a", "n": 1})
        fail_commits(mongo.uri, on=True)
        with pytest.raises(DBError):
            write(made, 2)
        fail_commits(mongo.uri, on=False)
        assert values(made) == [1, 1, 1]
        write(made, 3)
        assert values(made) == [3, 3, 3]
        for one in made:
            one.close()
