"""MongoDB for the tests: a wire server as a process of its own, or a real deployment.

``BACKO_TEST_MONGO_URI`` names a replica set or sharded cluster to use in the place of
``mongo_server``, and ``BACKO_TEST_MONGO_STANDALONE_URI`` one server in the place of
``mongo_standalone``. Every test has databases of its own there, dropped after it.
"""

import contextlib
import dataclasses
import itertools
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import pymongo
import pytest

__all__ = [
    "Deployment",
    "Mongo",
    "MongoServer",
    "database_of",
    "mongo_database",
    "mongo_server",
    "mongo_standalone",
    "mongo_standalone_database",
    "running_mongo",
]

PATIENCE = 60
"""Seconds after which a server that says nothing fails its test."""

BYTECODE = Path(__file__).parents[1] / ".pytest_cache" / "bytecode"

STEADY = (
    # The default of 1G is for each server, and every worker of pytest may have two.
    *("--cache-size", "256M"),
    # Nobody resumes a change stream here, and entries of the oplog cost time and disk.
    *("--oplog-max-entries", "1000"),
    *("--session-max", "2000"),
)


class Mongo(Protocol):
    """Where a MongoDB is."""

    @property
    def uri(self) -> str:
        """Its connection string, without a database."""

    def ready(self) -> None:
        """Return when it answers; an ``AssertionError`` says why it does not."""


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One that others run."""

    uri: str

    def ready(self) -> None:
        _hello(self.uri)


class MongoServer:
    """SecantusDB in ``folder``, on a port that stays the same when it is begun anew.

    It says that it is a replica set, unless ``--standalone`` is among ``options``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = (*STEADY, *options)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = itertools.count()
        self._log = folder / "none"

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    def start(self) -> None:
        """Begin, and return when it answers ``hello``."""
        self._log = self.folder / f"output-{next(self._starts)}"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command(), *self.options],
                # It reads secantusd.toml of its folder and of its home.
                cwd=self.folder,
                env=_environment(self.folder),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.port = self._listening()
            _hello(self.uri)
        except BaseException:
            self.kill()
            raise

    def _command(self) -> list[str]:
        storage = str(self.folder / "storage")
        port = str(self.port)
        return [
            *(sys.executable, "-m", "secantus"),
            *("--port", port, "--storage-path", storage),
        ]

    def _listening(self) -> int:
        """The port: 0 is any that is free."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.ready()
            if found := re.search(r"listening on \S+:(\d+)", self.output()):
                return int(found[1])
            time.sleep(0.02)
        raise AssertionError(f"MongoDB does not begin:\n{self.output()}")

    def output(self) -> str:
        """All that it said since it was last started."""
        return self._log.read_text(errors="replace")

    def ready(self) -> None:
        """An ``AssertionError`` with its output when it is not running."""
        assert self._process is not None, "it was not started"
        status = self._process.poll()
        assert status is None, f"MongoDB ended with {status}:\n{self.output()}"

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in good order, which takes some seconds."""
        if self._process is not None:
            self._process.terminate()
            # With clients that ask on it may never come to an end.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def restart(self) -> None:
        """Begin anew what was ended, on the same port and with the same documents."""
        self.kill()
        self.start()


def _environment(home: Path) -> dict[str, str]:
    own = {
        "HOME": str(home),
        # Compiled once and not at each start.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(BYTECODE),
    }
    return {**os.environ, **own}


def _hello(uri: str) -> dict[str, Any]:
    milliseconds = PATIENCE * 1000
    options: dict[str, Any] = {"serverSelectionTimeoutMS": milliseconds}
    with pymongo.MongoClient[dict[str, Any]](uri, **options) as client:
        return client.admin.command("hello")


@contextlib.contextmanager
def running_mongo(folder: Path, *options: str) -> Iterator[MongoServer]:
    """A server of the test's own, to be stopped and killed as it likes."""
    folder.mkdir(parents=True, exist_ok=True)
    server = MongoServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def database_of(mongo: Mongo) -> Iterator[str]:
    """The connection string of a new database, which is dropped after the block."""
    mongo.ready()
    name = f"backo_test_{uuid.uuid4().hex}"
    yield _named(mongo.uri, name)
    mongo.ready()
    _drop(mongo.uri, name)


def _drop(uri: str, database: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(database)


def _named(uri: str, database: str) -> str:
    parts = urlsplit(uri)
    query = parts.query
    if "@" in parts.netloc and "authsource=" not in query.lower():
        # Else users would be looked for in the new database.
        query = "&".join(filter(None, [query, "authSource=admin"]))
    return urlunsplit(parts._replace(path=f"/{database}", query=query))


type Folders = pytest.TempPathFactory


def _chosen(variable: str, folders: Folders, *options: str) -> Iterator[Mongo]:
    if uri := os.environ.get(variable):
        yield Deployment(uri)
        return
    with running_mongo(folders.mktemp("mongo"), *options) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: Folders) -> Iterator[Mongo]:
    """A replica set: it has transactions."""
    yield from _chosen("BACKO_TEST_MONGO_URI", tmp_path_factory)


@pytest.fixture(scope="session")
def mongo_standalone(tmp_path_factory: Folders) -> Iterator[Mongo]:
    """One server alone: it says that it has no transactions."""
    variable = "BACKO_TEST_MONGO_STANDALONE_URI"
    yield from _chosen(variable, tmp_path_factory, "--standalone")


@pytest.fixture
def mongo_database(mongo_server: Mongo) -> Iterator[str]:
    """The connection string of a database for this test alone, in a replica set."""
    with database_of(mongo_server) as uri:
        yield uri


@pytest.fixture
def mongo_standalone_database(mongo_standalone: Mongo) -> Iterator[str]:
    """The connection string of a database for this test alone, on one server."""
    with database_of(mongo_standalone) as uri:
        yield uri
