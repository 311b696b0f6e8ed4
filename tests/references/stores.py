"""Where the collections of a test keep their items."""

from collections.abc import Callable, Mapping
from pathlib import Path

from backo import DBConnector, DBMongoConnector, DBSqliteConnector, DBYmlConnector
from backo.connectors.memory import DBMemoryConnector

__all__ = ["MONGO", "ALL_STORES", "STORES", "Make"]

type Make = Callable[[str], DBConnector]
"""From a collection's name to its connector."""


def _memory(folder: Path) -> Make:
    return lambda name: DBMemoryConnector()


def _yml(folder: Path) -> Make:
    return lambda name: DBYmlConnector(path=folder / name)


def _sqlite(folder: Path) -> Make:
    return lambda name: DBSqliteConnector(
        path=folder / "all.db", table=name, synchronous="OFF"
    )


MONGO = "mongo.uri"
"""The file that says which database is used."""


def _mongo(folder: Path) -> Make:
    uri = (folder / MONGO).read_text("utf-8")
    return lambda name: DBMongoConnector(connection_string=uri, collection=name)


def _mixed(folder: Path) -> Make:
    """Every other collection in YAML files, in the order they are first asked for."""
    yml, sqlite = _yml(folder), _sqlite(folder)
    order: dict[str, int] = {}

    def make(name: str) -> DBConnector:
        return (yml if order.setdefault(name, len(order)) % 2 else sqlite)(name)

    return make


STORES: Mapping[str, Callable[[Path], Make]] = {
    "memory": _memory,
    "yml": _yml,
    "sqlite": _sqlite,
    "mixed": _mixed,
}

ALL_STORES: Mapping[str, Callable[[Path], Make]] = {**STORES, "mongo": _mongo}
"""These, and what needs a server: see :data:`MONGO`."""
