"""Collections without callables go from document to document: no Item is made."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stricto import GenericType

from backo import (
    Backoffice,
    Bool,
    Collection,
    Datetime,
    DBSqliteConnector,
    Dict,
    Float,
    In,
    Int,
    Item,
    List,
    String,
    Tuple,
    Url,
)
from backo.http.handlers import JSON_PATCH
from backo.schema._mending import Mended
from tests.inprocess import ADAPTERS, Ask, asking

BOOKS = "/shop/books"
BOOK = {
    "title": "Candide",
    "pages": 120,
    "score": 4.5,
    "genre": "tale",
    "printed": "1759-01-15T00:00:00+00:00",
    "tags": ["war", "garden"],
    "size": [12, 18],
    "shelf": {"room": "hall", "row": 3},
    "link": "https://example.org/candide",
}


def _schema(**more: Any) -> dict[str, Any]:
    return {
        "title": String(required=True, pattern="^[A-Z]"),
        "pages": Int(min=1, max=5000),
        "score": Float(min=0.0, max=10.0),
        "genre": String(enum=["tale", "novel"]),
        "lent": Bool(default=False),
        "printed": Datetime(),
        "tags": List(String(), uniq=True, max=10),
        "size": Tuple((Int(), Int())),
        "mark": In([Int(), String()]),
        "shelf": Dict({"room": String(default="hall"), "row": Int(min=1)}),
        "link": Url(views=["client"]),
        **more,
    }


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes of the stricto objects made or copied since."""
    made: list[str] = []

    def watch(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            made.append(type(self).__name__)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    watch(GenericType, "__init__")
    watch(GenericType, "__copy__")
    watch(Mended, "_node_copy")
    return made


@pytest.fixture
def ask(adapter: str, tmp_path: Path) -> Iterator[Ask]:
    """Both kinds of collection; each has answered once."""
    office = Backoffice("shop")
    for name, more in (("books", {}), ("dear", {"tax": Float(set=lambda _: 0.2)})):
        store = DBSqliteConnector(path=tmp_path / "shop.sqlite", table=name)
        office.register_collection(Collection(name, Item(_schema(**more)), store))
    with asking(adapter, office) as ask:
        for name in office.collections:
            assert ask("GET", f"/shop/{name}").status == 200
        yield ask


def _create(ask: Ask, path: str = BOOKS, **more: Any) -> str:
    answer = ask("POST", path, BOOK | more)
    assert answer.status == 201, answer.body
    _id: str = json.loads(answer.body)["_id"]
    return _id


def test_reads_build_no_stricto_object(ask: Ask, built: list[str]) -> None:
    ids = [_create(ask, pages=100 + number) for number in range(4)]
    built.clear()
    for _ in range(20):
        for _id in ids:
            assert ask("GET", f"{BOOKS}/{_id}").status == 200
        assert json.loads(ask("GET", BOOKS).body)["total"] == 4
        page = ask("GET", f"{BOOKS}?pages.$gt=101&tags=war&_sort=-$.title&_page=1")
        assert json.loads(page.body)["total"] == 2
        assert ask("GET", f"{BOOKS}/unknown").status == 404
    assert built == []


def test_writes_build_no_stricto_object(ask: Ask, built: list[str]) -> None:
    built.clear()
    patch = {"op": "add", "path": "/tags/-", "value": "life"}
    for number in range(20):
        _id = _create(ask, pages=100 + number)
        path = f"{BOOKS}/{_id}"
        assert ask("PUT", path, {"pages": 10, "shelf": {"row": 4}}).status == 200
        assert ask("PUT", path, {"pages": 0}).status == 422
        assert ask("PATCH", path, patch, JSON_PATCH).status == 200
        assert ask("POST", BOOKS, {"title": 1}).status == 422
        assert json.loads(ask("GET", path).body)["shelf"] == {"room": "hall", "row": 4}
        assert ask("DELETE", path).status == 204
    assert built == []


def test_the_count_sees_the_items_of_other_collections(
    ask: Ask, built: list[str]
) -> None:
    _id = _create(ask, "/shop/dear")
    built.clear()
    assert ask("GET", f"/shop/dear/{_id}").status == 200
    assert "Item" in built
