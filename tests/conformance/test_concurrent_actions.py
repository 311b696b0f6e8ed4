"""200 calls of one action at once, each with an input of its own: each writes its own,
behind both frameworks, over every store, asked by threads and by coroutines."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask

from backo import Action, Backoffice, Collection, Int, Item, List, String
from tests.conformance.adapters import serve_fastapi, serve_flask
from tests.conformance.conftest import CONNECTORS
from tests.conformance.far import Keeping, keeping

CALLS = 200
ITEMS = 10
PARALLEL = 24
"""Connections at a time: as many as both servers' listening sockets take."""


def office(keeping: Keeping) -> Backoffice:
    """Items with a log, and the action that adds to it."""
    made = Backoffice("office")
    item = Item(
        {"n": Int(default=0), "log": List(String(), default=[])},
        meta_data_handler=None,
    )
    things = Collection("things", item, keeping.store)

    def note(action: Any, item: Any) -> str:
        item.n += 1
        # Reads the input again after what takes time: another call may run by now.
        item.save()
        item.log.append(action.word)
        return str(action.word)

    action = Action({"word": String(required=True)}, note, result=String())
    things.register_action("note", action)
    made.register_collection(things)
    numbers = iter(range(ITEMS))
    keeping.keeper.generate_id = lambda o: f"i{next(numbers)}"  # type: ignore[method-assign]
    for _ in range(ITEMS):
        things.create({})
    return made


@pytest.fixture
def made(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Backoffice]:
    """The office over a store of this name."""
    if store in CONNECTORS:
        connector = CONNECTORS[store](tmp_path)()
        yield office(Keeping(connector, connector))
        return
    item = Item({"n": Int(), "log": List(String())}, meta_data_handler=None)
    with keeping(store, request, tmp_path, item) as kept:
        yield office(kept)


def by_flask(made: Backoffice) -> AbstractContextManager[int]:
    app = Flask("app")
    made.build_routes(app)
    return serve_flask(app)


def by_fastapi(made: Backoffice) -> AbstractContextManager[int]:
    app = FastAPI()
    app.include_router(made.router())
    return serve_fastapi(app)


def url(number: int) -> str:
    return f"/office/things/_actions/note/i{number % ITEMS}"


def by_threads(base: str) -> list[httpx.Response]:
    with httpx.Client(base_url=base, timeout=60) as client:

        def call(number: int) -> httpx.Response:
            return client.post(url(number), json={"word": f"word {number}"})

        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(call, range(CALLS)))


def by_coroutines(base: str) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=PARALLEL)
        async with httpx.AsyncClient(
            base_url=base, timeout=60, limits=limits
        ) as client:
            calls = (
                client.post(url(number), json={"word": f"word {number}"})
                for number in range(CALLS)
            )
            return await asyncio.gather(*calls)

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("ask", "store"),
    [
        *((by_threads, store) for store in ("memory", "sqlite", "yml", "mongo")),
        *((by_coroutines, store) for store in ("memory", "sqlite", "six methods")),
        (by_threads, "redirect"),
    ],
)
@pytest.mark.parametrize("serve", [by_fastapi, by_flask])
def test_each_of_200_calls_writes_its_own(
    ask: Callable[[str], list[httpx.Response]],
    serve: Callable[[Backoffice], AbstractContextManager[int]],
    made: Backoffice,
) -> None:
    with serve(made) as port:
        answers = ask(f"http://127.0.0.1:{port}")
    words = [f"word {number}" for number in range(CALLS)]
    assert [one.status_code for one in answers] == [200] * CALLS
    assert [one.json() for one in answers] == words
    for number in range(ITEMS):
        item = made.things.get_by_id(f"i{number}")
        assert sorted(item.log.get_value()) == sorted(words[number::ITEMS])
        assert item.n == CALLS // ITEMS
