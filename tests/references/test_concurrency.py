"""Many writers at once, in threads and in processes: nothing is lost, and both halves
of each link agree."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.adapters import Answer, ask
from tests.mongo import database_of
from tests.references.press import agree, contents, opened
from tests.references.processes import running
from tests.references.stores import ALL_STORES, MONGO, Make
from tests.references.working import (
    EACH,
    add_books,
    add_books_when_told,
    served,
    serving,
)

WRITERS = 16
FEW = 4
"""Of MongoDB: all write the same document there, and none waits for another."""
REQUESTS = 60
ON_DISK = ("yml", "sqlite", "mixed", "mongo")
"""Stores that several processes may use."""
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No waiting for the disk, for the tests cut no power; and threads that take turns
    so often that they meet in every line."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def folder(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where the items of ``store`` are, or what says so."""
    if store == "mongo":
        uri = request.getfixturevalue("mongo_database")
        (tmp_path / MONGO).write_text(uri, "utf-8")
    return tmp_path


def at_once[T](act: Callable[[int], T], number: int) -> list[T]:
    """What ``act`` gives for each number, all begun in the same moment."""
    start = threading.Barrier(number)

    def run(n: int) -> T:
        start.wait(30)
        return act(n)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


# -- one author, many writers ------------------------------------------------------


def writers_of(store: str) -> int:
    return FEW if store == "mongo" else WRITERS


def check_books_of_zola(make: Make, writers: int) -> None:
    with opened(make) as office:
        held = contents(office)
        listed = held["authors"]["zola"]["books"]
        assert len(listed) == len(set(listed)) == writers * EACH
        assert set(listed) == held["books"].keys()
        assert len({one["name"] for one in held["books"].values()}) == writers * EACH
        assert agree(held)
        assert office.check_references() == []


@pytest.mark.slow
@pytest.mark.parametrize("store", ALL_STORES)
def test_writers_in_threads(store: str, folder: Path) -> None:
    make = ALL_STORES[store](folder)
    with opened(make) as office:
        office.collection("authors").create({"_id": "zola"})
        at_once(lambda writer: add_books(office, writer), writers_of(store))
        if store == "memory":
            make = lambda name: office.collection(name).db_handler  # noqa: E731
        check_books_of_zola(make, writers_of(store))


@pytest.mark.slow
@pytest.mark.parametrize("store", ON_DISK)
def test_writers_in_processes(store: str, folder: Path) -> None:
    make = ALL_STORES[store](folder)
    with opened(make) as office:
        office.collection("authors").create({"_id": "zola"})
    with ExitStack() as stack:
        children = [
            stack.enter_context(running(add_books_when_told, store, folder, writer))
            for writer in range(writers_of(store))
        ]
        pipes = [pipe for _, pipe in children]
        assert [pipe.recv() for pipe in pipes] == ["ready"] * len(pipes)
        for pipe in pipes:
            pipe.send("go")
        assert [pipe.recv() for pipe in pipes] == ["done"] * len(pipes)
    check_books_of_zola(make, writers_of(store))


# -- one item, many requests -------------------------------------------------------

type Send = Callable[..., Answer]
"""``send(n, method, path, body, headers)``: ask the n-th server, begun again."""

IN_PROCESSES = ("fastapi", "flask", "fastapi")
SERVED = [
    *((store, [adapter]) for store in ALL_STORES for adapter in ("fastapi", "flask")),
    *((store, IN_PROCESSES) for store in ON_DISK),
]


def _name(served: tuple[str, Any]) -> str:
    return f"{served[0]}-{'+'.join(served[1])}"


@pytest.fixture(scope="module", params=SERVED, ids=_name)
def send(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Send]:
    """Servers of one press: one in this process, or several in their own."""
    store, adapters = request.param
    folder = tmp_path_factory.mktemp("press")
    with ExitStack() as stack:
        if store == "mongo":
            mongo = request.getfixturevalue("mongo_server")
            uri = stack.enter_context(database_of(mongo))
            (folder / MONGO).write_text(uri, "utf-8")
        if len(adapters) == 1:
            office = stack.enter_context(opened(ALL_STORES[store](folder), REQUESTS))
            ports = [stack.enter_context(served(adapters[0], office))]
        else:
            children = [
                stack.enter_context(running(serving, adapter, store, folder, REQUESTS))
                for adapter in adapters
            ]
            ports = [pipe.recv() for _, pipe in children]

        def send(
            n: int,
            method: str,
            path: str,
            body: Any = None,
            headers: Mapping[str, str] = JSON,
        ) -> Answer:
            content = None if body is None else json.dumps(body)
            port = ports[n % len(ports)]
            return ask(port, method, f"/press/{path}", headers, content)

        yield send


@pytest.fixture(params=["authors", "notes"])
def item(request: pytest.FixtureRequest, send: Send) -> str:
    """The path of an item: of a collection with references, and of one without."""
    answer = send(0, "POST", request.param, {"name": "zola"})
    assert answer.status == 201, answer.json
    return f"{request.param}/{answer.json['_id']}"


def test_parallel_changes_of_different_fields(send: Send, item: str) -> None:
    def change(n: int) -> int:
        return send(n, "PUT", item, {f"n{n}": n}).status

    assert at_once(change, REQUESTS) == [200] * REQUESTS
    for n in range(3):
        held = send(n, "GET", item).json
        assert [held[f"n{n}"] for n in range(REQUESTS)] == list(range(REQUESTS))


def test_parallel_changes_of_one_version(send: Send, item: str) -> None:
    tag = send(0, "GET", item)["etag"]

    def change(n: int) -> int:
        headers = {**JSON, "If-Match": tag}
        return send(n, "PUT", item, {f"n{n}": n}, headers).status

    statuses = at_once(change, REQUESTS)
    assert sorted(statuses) == [200, *[412] * (REQUESTS - 1)]
    held = send(0, "GET", item).json
    numbers = {n: held[f"n{n}"] for n in range(REQUESTS) if held[f"n{n}"] is not None}
    assert numbers == {statuses.index(200): statuses.index(200)}


@pytest.mark.parametrize("item", ["authors"], indirect=True)
def test_parallel_changes_of_an_item_and_of_its_links(send: Send, item: str) -> None:
    author = item.removeprefix("authors/")

    def change(n: int) -> int:
        if n % 2:
            return send(n, "PUT", item, {f"n{n}": n}).status
        return send(n, "POST", "books", {"name": str(n), "author": author}).status

    assert at_once(change, REQUESTS) == [201, 200] * (REQUESTS // 2)
    held = send(0, "GET", item).json
    changed = range(1, REQUESTS, 2)
    assert [held[f"n{n}"] for n in changed] == list(changed)
    books = send(0, "GET", f"books?_page=100&author={author}").json["result"]
    assert len(books) == REQUESTS // 2
    assert sorted(held["books"]) == sorted(book["_id"] for book in books)
