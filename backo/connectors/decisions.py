"""Where it is decided whether a unit over several durable stores was committed.

The decider is a store on a server, which a connector of this process must know, or an
SQLite file, which keeps a row for each of the others until it has finished, or else a
folder, which keeps the journal of its own part under the name of the unit. See
:mod:`backo.connectors.transactions` for the protocol.
"""

import dataclasses
import json
import os
import sqlite3
import zlib
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from backo.connectors.transactions import PATIENCE, active
from backo.errors import ConflictError, DBError

__all__ = [
    "DECIDED",
    "JOURNAL",
    "PREPARED",
    "Address",
    "RemoteDecider",
    "acknowledge",
    "drop_record",
    "is_decided",
    "is_prepared",
    "journal_line",
    "read_journal",
    "record_of",
    "remote_deciders",
]

DECIDED = "backo_units_decided"
"""The table of committed units: ``unit``, ``other`` (an address)."""
PREPARED = "backo_units_prepared"
"""The table of what undoes prepared units."""
JOURNAL = ".journal"
_RECORD = ".decided-"
_FILES = frozenset({"sqlite", "yml"})


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A store that takes part: its kind (``sqlite``, ``yml``, or that of a server) and
    its path."""

    kind: str
    path: Path

    def seen_from(self, other: Path) -> dict[str, str]:
        """The address as plain JSON, kept in ``other``: both may be moved together."""
        seen = {"kind": self.kind, "path": str(self.path)}
        if self.kind not in _FILES:
            return seen
        with suppress(ValueError):
            # On another drive of Windows there is no way from here to there.
            seen["near"] = os.path.relpath(self.path, other)
        return seen

    @classmethod
    def read(cls, seen: dict[str, str], other: Path) -> "Address":
        """What ``seen_from`` gave; a neighbour, if it is there, before a far path."""
        if seen["kind"] not in _FILES:
            return cls(seen["kind"], Path(seen["path"]))
        near = other / seen["near"] if "near" in seen else None
        path = near if near is not None and near.exists() else Path(seen["path"])
        return cls(seen["kind"], path.resolve())

    @property
    def place(self) -> str:
        """As in ``DBConnector.transaction_place``."""
        return f"{self.kind}:{self.path}"


class RemoteDecider(ABC):
    """A decider that is no file: asked through a connector of this process."""

    @abstractmethod
    def is_decided(self, unit: str, *, gone: bool, timeout: float) -> bool:
        """As below; what it calls undecided it will never commit.

        :raises ConflictError: its process may be about to commit.
        """

    @abstractmethod
    def acknowledge(self, unit: str, other: Address) -> None:
        """``other`` has finished."""


remote_deciders: dict[str, RemoteDecider] = {}
"""Those that connectors of this process know, by ``Address.place``."""


def _remote(decider: Address) -> RemoteDecider:
    found = remote_deciders.get(decider.place)
    if found is None:
        raise DBError(
            f"a transaction that was cut short is decided in {decider.place}, which no "
            "connector of this process uses"
        )
    return found


def is_decided(
    decider: Address, unit: str, *, gone: bool, timeout: float = PATIENCE
) -> bool:
    """Whether the decider committed the unit.

    Unless its process is known to be ``gone``, it may be about to commit: then the lock
    that it holds until it has done so is waited for.

    :raises ConflictError: that lock was not to be had.
    """
    if decider.kind not in _FILES:
        return _remote(decider).is_decided(unit, gone=gone, timeout=timeout)
    if decider.kind == "yml":
        return record_of(decider.path, unit).exists()
    here = active()
    mine = here is not None and here.at(decider.place) is not None
    sql = f"SELECT 1 FROM {DECIDED} WHERE unit = ?"  # noqa: S608
    waiting = not gone and not mine
    return bool(_ask(decider.path, sql, (unit,), writing=waiting, timeout=timeout))


def acknowledge(decider: Address, unit: str, other: Address) -> None:
    """Tell the decider that ``other`` has finished; it may be gone or busy."""
    with suppress(DBError, ConflictError, OSError):
        if decider.kind not in _FILES:
            _remote(decider).acknowledge(unit, other)
        elif decider.kind == "yml":
            drop_record(record_of(decider.path, unit))
        else:
            sql = f"DELETE FROM {DECIDED} WHERE unit = ? AND other = ?"  # noqa: S608
            seen = json.dumps(other.seen_from(decider.path.parent))
            _ask(decider.path, sql, (unit, seen), writing=True, timeout=0.0)


def is_prepared(other: Address, unit: str) -> bool:
    """Whether ``other`` still may ask after the unit."""
    if other.kind == "yml":
        entries = read_journal(other.path / JOURNAL)
        return any(entry.get("prepared") == unit for entry in entries)
    sql = f"SELECT 1 FROM {PREPARED} WHERE unit = ? LIMIT 1"  # noqa: S608
    return bool(_ask(other.path, sql, (unit,)))


# -- SQLite files ------------------------------------------------------------------


def _ask(
    path: Path,
    sql: str,
    values: tuple[str, ...],
    *,
    writing: bool = False,
    timeout: float = PATIENCE,
) -> list[Any]:
    """The answer by a connection of its own; nothing if there is no such table or no
    such file."""
    if not path.exists():
        return []
    uri = f"{path.as_uri()}?mode=rw"
    try:
        with closing(
            sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
        ) as connection:
            if writing:
                connection.execute("BEGIN IMMEDIATE")
            found = connection.execute(sql, values).fetchall()
            if writing:
                connection.execute("COMMIT")
            return found
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        ):
            raise ConflictError(f"{path} is being written to") from error
        if "no such table" in str(error):
            return []
        raise DBError(f"SQLite: {error}") from error
    except sqlite3.Error as error:
        raise DBError(f"SQLite: {error}") from error


# -- folders -----------------------------------------------------------------------


def record_of(folder: Path, unit: str) -> Path:
    """The file that says the unit was committed."""
    return folder / (_RECORD + unit)


def journal_line(entry: dict[str, Any]) -> bytes:
    """An entry with a checksum: a line that a crash cut off is told from a whole."""
    text = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal that were written whole; none if there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DBError(f"{path}: {error.strerror or error}") from error
    entries = []
    for line in content.split(b"\n")[:-1]:
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            break
        entries.append(json.loads(text))
    return entries


def drop_record(record: Path) -> None:
    """Delete the record of a unit if nobody named in it may still ask."""
    unit = record.name.removeprefix(_RECORD)
    for entry in read_journal(record):
        for seen in entry.get("others", ()):
            other = Address.read(seen, record.parent)
            if not other.path.exists() or is_prepared(other, unit):
                return
    record.unlink(missing_ok=True)
