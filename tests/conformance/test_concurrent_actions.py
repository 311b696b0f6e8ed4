"""200 calls of one action at once, each with an input of its own: each writes its own,
behind both frameworks, over every store, asked by threads and by coroutines."""

import asyncio
from collections.abc import Callable
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

CALLS = 200
ITEMS = 10
PARALLEL = 24
"""Connections at a time: as many as both servers' listening sockets take."""


def office(store: str, folder: Path) -> Backoffice:
    """Items with a log, and the action that adds to it."""
    made = Backoffice("office")
    item = Item(
        {"n": Int(default=0), "log": List(String(), default=[])},
        meta_data_handler=None,
    )
    things = Collection("things", item, CONNECTORS[store](folder)())

    def note(action: Any, item: Any) -> str:
        item.n += 1
        # Reads the input again after what takes time: another call may run by now.
        item.save()
        item.log.append(action.word)
        return str(action.word)

    action = Action({"word": String(required=True)}, note, result=String())
    things.register_action("note", action)
    made.register_collection(things)
    for number in range(ITEMS):
        things.create({"_id": f"i{number}"})
    return made


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
        *((by_threads, store) for store in ("memory", "sqlite", "yml")),
        *((by_coroutines, store) for store in ("memory", "sqlite", "six methods")),
    ],
)
@pytest.mark.parametrize("serve", [by_fastapi, by_flask])
def test_each_of_200_calls_writes_its_own(
    ask: Callable[[str], list[httpx.Response]],
    serve: Callable[[Backoffice], AbstractContextManager[int]],
    store: str,
    tmp_path: Path,
) -> None:
    made = office(store, tmp_path)
    with serve(made) as port:
        answers = ask(f"http://127.0.0.1:{port}")
    words = [f"word {number}" for number in range(CALLS)]
    assert [one.status_code for one in answers] == [200] * CALLS
    assert [one.json() for one in answers] == words
    for number in range(ITEMS):
        item = made.things.get_by_id(f"i{number}")
        assert sorted(item.log.get_value()) == sorted(words[number::ITEMS])
        assert item.n == CALLS // ITEMS
