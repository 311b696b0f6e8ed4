"""Random changes of a press, and what it then holds: for a process that makes them, and
one that knows what should be there."""

import dataclasses
import random
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from backo import Backoffice
from tests.references.press import Contents, agree, contents, opened
from tests.references.stores import STORES

__all__ = ["Change", "Report", "Shelf", "write_until_killed"]

ENOUGH = 30
"""So many books are kept, about."""


@dataclasses.dataclass(frozen=True)
class Change:
    """What is to become of one item."""

    what: str
    """``create``, ``save`` or ``delete``."""
    collection: str
    _id: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def make(self, office: Backoffice) -> None:
        """Have it done."""
        collection = office.collection(self.collection)
        if self.what == "create":
            collection.create({"_id": self._id, **self.values})
            return
        item = collection.get_by_id(self._id)
        if self.what == "delete":
            item.delete()
        else:
            item.set(self.values)
            item.save()


@dataclasses.dataclass
class Shelf:
    """What a press holds. Each link is here once."""

    countries: set[str] = dataclasses.field(default_factory=set)
    tags: set[str] = dataclasses.field(default_factory=set)
    authors: dict[str, str | None] = dataclasses.field(default_factory=dict)
    """Their countries."""
    books: dict[str, str | None] = dataclasses.field(default_factory=dict)
    """Their authors."""
    tagged: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    """Books and their tags."""
    notes: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, held: Contents) -> "Shelf":
        books = held["books"]
        return cls(
            set(held["countries"]),
            set(held["tags"]),
            {_id: one.get("country") for _id, one in held["authors"].items()},
            {_id: one.get("author") for _id, one in books.items()},
            {(_id, tag) for _id, one in books.items() for tag in one.get("tags") or ()},
            {_id: one["name"] for _id, one in held["notes"].items()},
        )

    def after(self, change: Change) -> "Shelf":
        """What is there when the change has been made."""
        now = self._copy()
        if change.what == "delete":
            now._remove(change.collection, change._id)
        else:
            now._put(change.collection, change._id, change.values)
        return now

    def _copy(self) -> "Shelf":
        fields = (field.name for field in dataclasses.fields(self))
        return Shelf(*(getattr(self, name).copy() for name in fields))

    def _remove(self, collection: str, _id: str) -> None:
        match collection:
            case "countries":
                self.countries.remove(_id)
                for author in [a for a, held in self.authors.items() if held == _id]:
                    self._remove("authors", author)
            case "authors":
                del self.authors[_id]
                for book in [b for b, held in self.books.items() if held == _id]:
                    self._remove("books", book)
            case "books":
                del self.books[_id]
                self.tagged = {pair for pair in self.tagged if pair[0] != _id}

    def _put(self, collection: str, _id: str, values: dict[str, Any]) -> None:
        match collection:
            case "countries":
                self.countries.add(_id)
            case "authors":
                self.authors[_id] = values["country"]
            case "books":
                self.books[_id] = values.get("author", self.books.get(_id))
                if "tags" in values:
                    others = {pair for pair in self.tagged if pair[0] != _id}
                    self.tagged = others | {(_id, tag) for tag in values["tags"]}
            case "tags":
                self.tags.add(_id)
                others = {pair for pair in self.tagged if pair[1] != _id}
                self.tagged = others | {(book, _id) for book in values["books"]}
            case "notes":
                self.notes[_id] = values["name"]

    # Drawing a change.

    def drawn(self, chance: random.Random) -> Change:
        """A change that is possible."""
        new = f"{chance.randrange(10**12):012}"
        if len(self.countries) < 3:
            return Change("create", "countries", new)
        if len(self.authors) < 6:
            country = chance.choice(sorted(self.countries))
            return Change("create", "authors", new, {"country": country})
        if len(self.tags) < 4:
            return Change("create", "tags", new, {"books": self._some_books(chance)})
        chosen = chance.choices(("book", "move", "tag", "note", "go"), (9, 4, 4, 6, 4))
        match chosen[0]:
            case "book":
                return Change("create", "books", new, self._book(chance))
            case "move" if self.books:
                return self._moved(chance)
            case "tag" if self.books:
                return self._tagged_anew(chance)
            case "go" if len(self.books) > ENOUGH // 3:
                return self._gone(chance)
        _id = chance.choice("abc")
        what = "save" if _id in self.notes else "create"
        return Change(what, "notes", _id, {"name": new * chance.randrange(1, 2000)})

    def _some_books(self, chance: random.Random) -> list[str]:
        number = chance.randrange(min(len(self.books), 5) + 1)
        return chance.sample(sorted(self.books), number)

    def _book(self, chance: random.Random) -> dict[str, Any]:
        tags = chance.sample(sorted(self.tags), chance.randrange(4))
        return {"author": chance.choice(sorted(self.authors)), "tags": tags}

    def _moved(self, chance: random.Random) -> Change:
        author = chance.choice([None, *sorted(self.authors)])
        return Change(
            "save", "books", chance.choice(sorted(self.books)), {"author": author}
        )

    def _tagged_anew(self, chance: random.Random) -> Change:
        if chance.randrange(2):
            tag = chance.choice(sorted(self.tags))
            return Change("save", "tags", tag, {"books": self._some_books(chance)})
        tags = chance.sample(sorted(self.tags), chance.randrange(4))
        return Change(
            "save", "books", chance.choice(sorted(self.books)), {"tags": tags}
        )

    def _gone(self, chance: random.Random) -> Change:
        few = len(self.books) < ENOUGH
        kinds = ("books",) if few else ("books", "authors", "countries")
        collection = chance.choice(kinds)
        return Change(
            "delete", collection, chance.choice(sorted(getattr(self, collection)))
        )


type Report = tuple[Shelf, bool, list[str]]
"""What was found at the start; whether both halves of each link agreed; and what is
wrong with them."""


def write_until_killed(store: str, folder: Path, seed: int, told: Connection) -> None:
    """In a process of its own: report what is there, wait, and then make changes. Each
    is told before it is made, and None when it has been made."""
    chance = random.Random(seed)
    with opened(STORES[store](folder)) as office:
        held = contents(office)
        shelf = Shelf.of(held)
        told.send((shelf, agree(held), list(map(str, office.check_references()))))
        told.recv()
        while True:
            change = shelf.drawn(chance)
            told.send(change)
            change.make(office)
            told.send(None)
            shelf = shelf.after(change)
