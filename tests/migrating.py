"""What tests of migrations have in common: people, and ways to disturb."""

from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from backo import (
    Backoffice,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    Int,
    Item,
    String,
    migration,
)
from backo.connectors.memory import DBMemoryConnector
from tests.conformance.conftest import SixMethods

__all__ = [
    "STORES",
    "Cut",
    "Document",
    "at_writing",
    "cut_after",
    "everything",
    "fill",
    "migrate_until_killed",
    "office_of",
    "older",
    "person",
    "renamed",
]

type Document = dict[str, Any]

STORES: dict[str, Callable[[Path], DBConnector]] = {
    "memory": lambda folder: DBMemoryConnector(),
    "yml": lambda folder: DBYmlConnector(path=folder / "people"),
    "sqlite": lambda folder: DBSqliteConnector(
        path=folder / "people.sqlite", synchronous="OFF"
    ),
    "six methods": lambda folder: SixMethods(),
}


def person(**fields: Any) -> Item:
    """The present schema: ``name`` was ``first`` and ``last``, ``age`` was a text."""
    schema = {"name": String(required=True), "age": Int(min=0), **fields}
    return Item(schema, meta_data_handler=None)


def office_of(item: Item, store: DBConnector, **options: Any) -> Backoffice:
    office = Backoffice("office")
    office.register_collection(Collection("people", item, store, **options))
    return office


def fill(store: DBConnector, count: int) -> None:
    for number in range(count):
        store.create(
            {"_id": f"p{number:04}", "first": "Ann", "last": "Lee", "age": str(number)}
        )


def renamed(document: Document) -> None:
    document["name"] = f"{document.pop('first')} {document.pop('last')}"
    document["age"] = int(document["age"])


def everything(store: DBConnector) -> list[Document]:
    return list(store.scan())


def older(document: Document) -> None:
    """Not to be done twice."""
    document["age"] += 1


def at_writing(act: Callable[[], None]) -> Callable[..., Iterable[Any]]:
    """A progress bar that does something between checking and writing."""

    def progress(phase: str, documents: Iterable[Any], _: int | None) -> Iterable[Any]:
        if phase == "write":
            act()
        return documents

    return progress


class Cut(BaseException):
    """What cuts a migration short."""


def cut_after(phase: str, count: int) -> Callable[..., Iterator[Any]]:
    def progress(
        here: str, documents: Iterable[Any], _total: int | None
    ) -> Iterator[Any]:
        for number, one in enumerate(documents):
            if here == phase and number == count:
                raise Cut
            yield one

    return progress


def migrate_until_killed(sort: str, folder: Path, pipe: Connection) -> None:
    """Migrate by a journal, when told to; tells when all is done."""
    # Many batches of few documents.
    migration._BATCH = 5
    office = office_of(person(), STORES[sort](folder))
    pipe.send("ready")
    pipe.recv()
    journal = folder.with_name("journal")
    report = office.migrate("people", older, dry_run=False, journal=journal)
    pipe.send(report.to_dict())
