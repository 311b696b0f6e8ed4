"""A server that has warmed up grows no more, whatever it is asked."""

import gc
import itertools
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stricto

from backo import (
    Backoffice,
    Collection,
    Datetime,
    DBSqliteConnector,
    Dict,
    Int,
    Item,
    List,
    String,
)
from backo.http.handlers import JSON_PATCH
from tests.inprocess import ADAPTERS, Ask, asking

MIB = 1024 * 1024
REQUESTS = 20_000
WARM_UP = 1_500
STATM = Path("/proc/self/statm")

BOOK = {
    "title": "Candide",
    "pages": 120,
    "printed": "1759-01-15T00:00:00+00:00",
    "tags": ["war"],
    "shelf": {"room": "hall"},
}


def _schema() -> dict[str, Any]:
    return {
        "title": String(required=True, pattern="^[A-Z]"),
        "pages": Int(min=1, max=5000),
        "printed": Datetime(),
        "tags": List(String(), max=10),
        "shelf": Dict({"room": String(default="hall"), "row": Int(min=1)}),
    }


def _with_callables() -> dict[str, Any]:
    """A schema with a function of each sort, events among them."""
    heard: dict[str, int] = {}

    def hear(event_name: str, _root: Any, _me: Any, **_more: Any) -> None:
        heard[event_name] = heard.get(event_name, 0) + 1

    return {
        "title": String(
            required=True,
            transform=lambda _root, value, _old: value and value.title(),
            constraint=lambda _root, value, _old: len(value or "") < 100,
        ),
        "pages": Int(
            min=1,
            can_modify=lambda _right, _item: True,
            on=[("before_save", hear), ("loaded", hear), ("created", hear)],
        ),
        "printed": Datetime(exists=lambda _value, _root: True),
        "tags": List(String(), default=lambda _root: ["new"]),
        "shelf": Dict({"room": String(default="hall"), "row": Int(min=1)}),
        "label": String(set=lambda root: f"{root.title} ({root.pages})"),
    }


def _office(folder: Path) -> Backoffice:
    office = Backoffice("shop")
    schemas = {"plain": _schema(), "callables": _with_callables()}
    for name, schema in schemas.items():
        store = DBSqliteConnector(
            path=folder / "shop.sqlite", table=name, synchronous="OFF"
        )
        office.register_collection(Collection(name, Item(schema), store))
    return office


def _life(ask: Ask, path: str, number: int) -> Iterator[tuple[int, int]]:
    """Ask one thing after the other; gives the status found, and the one expected."""
    created = ask("POST", path, BOOK | {"pages": 1 + number % 5000})
    yield created.status, 201
    one = f"{path}/{json.loads(created.body)['_id']}"
    patch = {"op": "add", "path": "/tags/-", "value": f"tag {number}"}
    question = {"item": BOOK | {"title": str(number)}, "path": "$.title"}
    yield ask("GET", one).status, 200
    yield ask("GET", f"{path}?pages.$gt={number}&_sort=-$.pages").status, 200
    yield ask("POST", path, {"title": number, f"field{number}": None}).status, 422
    yield ask("PUT", one, {"pages": 2, "shelf": {"row": 1 + number}}).status, 200
    yield ask("PUT", one, {"pages": -number}).status, 422
    yield ask("PATCH", one, patch, JSON_PATCH).status, 200
    yield ask("POST", f"{path}/_check", question).status, 200
    yield ask("POST", f"{path}/_meta", {"pages": 2 + number}).status, 200
    yield ask("GET", f"{path}?unknown{number}=1").status, 400
    yield ask("GET", f"{path}/unknown-{number}").status, 404
    yield ask("DELETE", one).status, 204


def _requests(ask: Ask, count: int) -> None:
    """Ask so many things at least, each eighth of a collection with callables."""
    lives = itertools.cycle(["plain"] * 7 + ["callables"])
    done = 0
    while done < count:
        for status, expected in _life(ask, f"/shop/{next(lives)}", done):
            assert status == expected
            done += 1


def _resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _listeners() -> int:
    """Entries of stricto's table of events, which is one for the whole process."""
    return len(stricto.EVENT_MANAGER._events_per_object)


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_requests_leave_nothing_in_memory(adapter: str, tmp_path: Path) -> None:
    office = _office(tmp_path)
    with asking(adapter, office) as ask:
        _requests(ask, WARM_UP)
        resident, listeners = _resident(), _listeners()
        _requests(ask, REQUESTS // len(ADAPTERS))
        assert _resident() - resident < 2 * MIB
        assert _listeners() == listeners


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_requests_leave_no_object_behind(adapter: str, tmp_path: Path) -> None:
    """The same on a smaller scale, by what Python itself allocates."""
    office = _office(tmp_path)
    with asking(adapter, office) as ask:
        _requests(ask, 192)
        listeners = _listeners()
        tracemalloc.start()
        try:
            _requests(ask, 96)
            gc.collect()
            before = tracemalloc.take_snapshot()
            _requests(ask, 384)
            gc.collect()
            grown = tracemalloc.take_snapshot().compare_to(before, "lineno")
        finally:
            tracemalloc.stop()
    assert _listeners() == listeners
    assert sum(one.size_diff for one in grown) < 100_000, "\n".join(
        map(str, grown[:20])
    )
