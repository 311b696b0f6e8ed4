"""The MongoDB of the tests: it is what it says, and can be ended and begun anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo import WriteConcern
from pymongo.errors import ServerSelectionTimeoutError

from tests.mongo import Deployment, Mongo, MongoServer, database_of, running_mongo

type Client = pymongo.MongoClient[dict[str, Any]]


def client_of(uri: str, **options: Any) -> Client:
    return pymongo.MongoClient[dict[str, Any]](uri, **options)


def test_a_replica_set_and_a_server_alone_say_what_they_are(
    mongo_server: Mongo, mongo_standalone: Mongo
) -> None:
    for mongo, is_set in ((mongo_server, True), (mongo_standalone, False)):
        with client_of(mongo.uri) as client:
            hello = client.admin.command("hello")
            assert ("setName" in hello or hello.get("msg") == "isdbgrid") == is_set


def test_a_database_is_new_and_dropped_after(mongo_server: Mongo) -> None:
    names = []
    with client_of(mongo_server.uri) as client:
        for _ in range(2):
            with database_of(mongo_server) as uri, client_of(uri) as own:
                database = own.get_default_database()
                assert database.list_collection_names() == []
                database.books.insert_one({"_id": 1})
                names.append(database.name)
        assert len(set(names)) == 2
        assert not set(names) & set(client.list_database_names())


def test_the_database_stands_in_the_connection_string(mongo_database: str) -> None:
    with client_of(mongo_database) as client:
        assert client.get_default_database().name.startswith("backo_test_")


@pytest.mark.parametrize(
    ("uri", "ours"),
    [
        ("mongodb://a:1,b:2/?replicaSet=rs", "mongodb://a:1,b:2/{}?replicaSet=rs"),
        ("mongodb://a", "mongodb://a/{}"),
        ("mongodb://u:p%40@a/", "mongodb://u:p%40@a/{}?authSource=admin"),
        ("mongodb://u:p@a/x?authSource=y", "mongodb://u:p@a/{}?authSource=y"),
        (
            "mongodb+srv://u:p@a/?tls=true",
            "mongodb+srv://u:p@a/{}?tls=true&authSource=admin",
        ),
    ],
)
def test_a_deployment_of_others_is_reached_as_they_say(
    monkeypatch: pytest.MonkeyPatch, uri: str, ours: str
) -> None:
    monkeypatch.setattr(Deployment, "ready", lambda self: None)
    monkeypatch.setattr("tests.mongo._drop", lambda uri, name: None)
    with database_of(Deployment(uri)) as found:
        name = found.partition("?")[0].rpartition("/")[2]
        assert found == ours.format(name)


@pytest.mark.parametrize("end", [MongoServer.stop, MongoServer.kill])
def test_what_was_acknowledged_is_there_when_it_is_begun_anew(
    tmp_path: Path, end: Callable[[MongoServer], None]
) -> None:
    with running_mongo(tmp_path / "mongo") as server:
        port = server.port
        with client_of(server.uri, serverSelectionTimeoutMS=200) as client:
            journaled = WriteConcern(j=True)
            books = client.shop.get_collection("books", write_concern=journaled)
            books.insert_many([{"_id": number} for number in range(50)])
            end(server)
            with pytest.raises(ServerSelectionTimeoutError):
                books.find_one({})
            server.restart()
        assert server.port == port
        with client_of(server.uri) as client:
            assert len(list(client.shop.books.find())) == 50


def test_what_it_said_is_told_when_it_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unrecognized arguments: --wrong"):
        running_mongo(tmp_path / "mongo", "--wrong").__enter__()
    with running_mongo(tmp_path / "other") as server:
        server.kill()
        with pytest.raises(AssertionError, match=r"ended with -9:\n.*listening"):
            database_of(server).__enter__()
