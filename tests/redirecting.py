"""A backoffice behind a server, a relay before it, and stores that lead there."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backo import (
    Backoffice,
    Bool,
    Collection,
    Datetime,
    DBRedirect,
    DBSqliteConnector,
    Dict,
    Float,
    FreeDict,
    Int,
    Item,
    List,
    String,
)
from tests.raw_http import Asked, RawServer, answer
from tests.serving import serving

__all__ = ["Document", "World", "book", "make_back", "redirect_world"]

type Document = dict[str, Any]


def book() -> Item:
    return Item(
        {
            "title": String(required=True),
            "pages": Int(min=1),
            "price": Float(),
            "ok": Bool(),
            "when": Datetime(),
            "tags": List(String()),
            "loans": List(Dict({"who": String(), "days": Int()})),
            "shelf": Dict({"room": String(), "row": Int()}),
            "extra": FreeDict(),
            "double": Int(set=lambda one: (one.pages.get_value() or 0) * 2),
            "hidden": String(views=["!client"]),
        }
    )


class World:
    """A backoffice ``back`` with books in SQLite, a relay before it, and stores that
    lead there."""

    def __init__(self, folder: Path, port: int, back: Backoffice) -> None:
        self.folder = folder
        self.back = back
        self.port = port
        self.made: list[DBRedirect] = []
        self.all: list[Document] = []
        self.fate: Callable[[int, Asked], Any] = lambda number, asked: "pass"
        """What becomes of a request, by its number: ``pass``, ``drop`` before it
        arrives, ``lose`` the answer, or an answer."""
        self.relay = RawServer(self._relay)

    def redirect(self, name: str = "books", **options: Any) -> DBRedirect:
        where = {"host": "127.0.0.1", "port": self.relay.port, "tls": False}
        usual = {"prefix": "back", "timeout": 20.0, "retries": 0}
        made = DBRedirect(name, **{**where, **usual, **options})
        self.made.append(made)
        return made

    def front(
        self, item: Item | None = None, store: DBRedirect | None = None, **more: Any
    ) -> Collection:
        office = Backoffice("front")
        store = store or self.redirect()
        office.register_collection(
            Collection("books", book() if item is None else item, store, **more)
        )
        return office.collection("books")

    def seed(self, *documents: Document) -> list[str]:
        books = self.back.collection("books")
        return [str(books.create(one)._id.get_value()) for one in documents]

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.relay.asked]

    def _relay(self, asked: Asked) -> bytes | None:
        fate = self.fate(len(self.relay.asked), asked)
        if isinstance(fate, bytes):
            return fate
        if fate == "drop":
            return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        kept = {k: v for k, v in asked.headers.items() if k != "host"}
        connection.request(asked.method, asked.path, asked.body or None, kept)
        got = connection.getresponse()
        content, headers = got.read(), dict(got.getheaders())
        connection.close()
        if fate == "lose":
            return None
        named = {
            name.lower(): value
            for name, value in headers.items()
            if name.lower() in ("content-type", "etag", "location", "retry-after")
        }
        return answer(got.status, content, **named)


def make_back(folder: Path, item: Item | None = None, **options: Any) -> Backoffice:
    back = Backoffice("back", **options)
    store = DBSqliteConnector(path=folder / "back.db", table="b", synchronous="OFF")
    back.register_collection(Collection("books", item or book(), store))
    return back


def redirect_world(
    folder: Path, back: Backoffice, adapter: str = "fastapi"
) -> Iterator[World]:
    """One whose other server is ``back``; all of it is closed in the end."""
    with serving(back, adapter) as port:
        made = World(folder, port, back)
        yield made
        for store in made.made:
            store.close()
        made.relay.close()
