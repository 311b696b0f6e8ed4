"""Processes killed in the middle of uploads: no half file is seen, and after a sweep
there are the files of items and nothing else.

``BACKO_KILLS`` is how often two processes are killed for each sort of store; servers
are for every fourth of these.
"""

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    File,
    FileSystemConnector,
    Item,
    String,
)
from backo.connectors.base import Query

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded"),
]

KILLS = int(os.environ.get("BACKO_KILLS", "40"))
STORES: dict[str, Callable[[Path], DBConnector]] = {
    "yml": lambda path: DBYmlConnector(path=path / "books"),
    "sqlite": lambda path: DBSqliteConnector(path=path / "db.sqlite", table="books"),
}
PIECE = 20_000


def content_of(seed: str) -> bytes:
    """What belongs to a title: nobody can take one for another, or half of one for
    the whole."""
    return f"<{seed}>".encode() * PIECE + b"end"


class Cut:
    """A binary file that is read in small pieces."""

    name = "cut.txt"

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        piece, self._content = self._content[:4096], self._content[4096:]
        return piece


def office_in(path: Path, store: str) -> Backoffice:
    item = Item(
        {
            "title": String(),
            "cover": File(
                work=FileSystemConnector(path=path / "warm"),
                storage=FileSystemConnector(path=path / "cold"),
            ),
        }
    )
    office = Backoffice("library")
    office.register_collection(Collection("books", item, STORES[store](path)))
    return office


def write_on(path: Path, store: str) -> None:
    """Create, replace and delete, until the process is killed."""
    books = office_in(path, store).books
    random.seed()
    sys.stdout.flush()
    while True:
        title = f"{os.getpid()}-{random.random()}"
        book = books.create({"title": title, "cover": Cut(content_of(title))})
        if random.random() < 0.6:
            title += "-new"
            book.title = title
            book.cover = Cut(content_of(title))
            book.save()
        if random.random() < 0.3:
            book.delete()


def serve(path: Path, store: str, listening: socket.socket) -> None:
    app = FastAPI()
    app.include_router(office_in(path, store).router())
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """A process that does this, and is killed at the end of the block."""
    process = os.fork()
    if not process:
        try:
            work()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended by itself"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def check_whole(path: Path, store: str) -> int:
    """Every item has all of its file; gives how many there are."""
    books = office_in(path, store).books
    documents = books.db_handler.find(Query())
    for one in documents:
        book = books.get_by_id(one["_id"])
        assert book.cover.get_content() == content_of(one["title"])
        assert book.cover.size.get_value() == len(content_of(one["title"]))
    return len(documents)


def check_swept(path: Path, store: str) -> int:
    """After a sweep there are the files of items, and nothing else; gives how many
    contents were orphans."""
    office = office_in(path, store)
    report = office.check_files(timedelta(0), delete=True)
    assert report.missing == []
    documents = office.books.db_handler.find(Query())
    wanted = {one["cover"]["file_id"] for one in documents}
    for name in ("warm", "cold"):
        connector = FileSystemConnector(path=path / name)
        assert {one.file_id for one in connector.stored()} == wanted
        assert list((path / name / ".parts").glob("*")) == []
    assert check_whole(path, store) == len(documents)
    return len(report.orphans) + report.parts


@pytest.mark.parametrize("store", STORES)
def test_a_program_that_is_killed(store: str, tmp_path: Path) -> None:
    left = there = 0
    for number in range(KILLS):
        with forked(lambda: write_on(tmp_path, store)):
            with forked(lambda: write_on(tmp_path, store)):
                time.sleep(random.uniform(0.02, 0.25))
        there = check_whole(tmp_path, store) if number % 5 == 4 else there
        if number % 5 == 4:
            left += check_swept(tmp_path, store)
    assert left > 0
    assert there > 0


def upload(address: str, answered: threading.Event) -> None:
    """Upload and replace, until the server is gone."""
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        with contextlib.suppress(httpx.HTTPError):
            while True:
                _upload(client, f"{random.random()}")
                answered.set()


def _upload(client: httpx.Client, title: str) -> None:
    def form(text: str) -> dict[str, Any]:
        values = f'{{"title": "{text}"}}'
        return {"cover": ("a", content_of(text)), "_json": (None, values)}

    _id = client.post("/books", files=form(title)).json()["_id"]
    client.put(f"/books/{_id}", files=form(title + "-new")).raise_for_status()


@pytest.mark.parametrize("store", STORES)
def test_a_server_that_is_killed(store: str, tmp_path: Path) -> None:
    there = 0
    for _ in range(KILLS // 4):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(50)
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/library"
            answered = threading.Event()
            clients = [
                threading.Thread(target=upload, args=(address, answered))
                for _ in range(4)
            ]
            with forked(lambda: serve(tmp_path, store, listening)):  # noqa: B023
                listening.close()
                for one in clients:
                    one.start()
                assert answered.wait(20)
                time.sleep(random.uniform(0, 0.2))
        for one in clients:
            one.join()
        there = check_whole(tmp_path, store)
        check_swept(tmp_path, store)
    assert there > 0
