"""Transactions of MongoDB, on replica sets and sharded clusters.

Two that write the same document do not wait for each other: the later one is undone,
with a :class:`~backo.errors.TransientError`, and is to be tried again as a whole.

In a unit over several durable stores the MongoDB deployment is the one that decides
(see :mod:`backo.connectors.transactions`): a document of ``backo_units``, written in
the transaction itself, says that the unit was committed. Who asks for one that is not
there writes another in its place, which says that it was not: then it cannot be any
more, for the two are one document. Of two deployments in one unit the second is
committed first, and what was written there is taken back if the unit fails; that does
not outlive the process.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from pymongo import ASCENDING, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from backo.connectors.decisions import Address, RemoteDecider
from backo.connectors.mongo_client import Deployment, translated
from backo.connectors.mongo_documents import decoded
from backo.connectors.recorded import restored
from backo.connectors.transactions import DurableTransaction, UndoLog
from backo.errors import ConflictError, DBError, TransientError

if TYPE_CHECKING:
    from backo.connectors.mongo import DBMongoConnector

__all__ = ["UNITS", "Decider", "MongoTransaction"]

type Raw = dict[str, Any]

UNITS = "backo_units"
"""The collection of decided units: ``_id``, and ``others`` that still may ask, or
``undone``, when it was."""

_TRIES = 3
"""How often the driver is asked to commit; each time it tries twice."""
_LIFETIME = 60.0
"""Seconds that MongoDB lets a transaction take (transactionLifetimeLimitSeconds)."""
_REMEMBERED = 86_400
"""Seconds after which it is forgotten that a unit was undone."""


class _Change(NamedTuple):
    """A write to a document: what was stored before, or None."""

    connector: "DBMongoConnector"
    key: Any
    before: Raw | None


class MongoTransaction(DurableTransaction):
    """A real one, for all databases of the deployment."""

    rank = -1

    def __init__(self, deployment: Deployment, database: str) -> None:
        super().__init__(deployment.place)
        self._deployment = deployment
        self._decider = Decider(deployment, database)
        with translated():
            self.session: ClientSession = deployment.client.start_session()
            # Whatever the client prefers, there is no reading elsewhere in one.
            self.session.start_transaction(read_preference=ReadPreference.PRIMARY)
        self._log: UndoLog[_Change] = UndoLog(_undo_inside)
        self._marks = 0
        self._touched: dict[tuple[DBMongoConnector, Any], None] = {}
        self._committed = False
        self.lost = False
        """Whether MongoDB has undone it: others were in the way."""
        self._prepared: list[tuple[_Change, Raw | None]] | None = None

    def touch(self, connector: "DBMongoConnector", key: Any) -> None:
        """Note that the document is about to be written."""
        self._touched[connector, key] = None
        if self._marks:
            before = connector.raw(key, self.session)
            self._log.note(_Change(connector, key, before))

    @property
    def wrote(self) -> bool:
        return bool(self._touched)

    # parts: MongoDB has no savepoints

    def mark(self) -> int:
        self._marks += 1
        return len(self._log)

    def go_back(self, mark: int) -> None:
        if not self.lost:
            self._log.go_back(mark)

    def keep(self, mark: int) -> None:
        self._marks -= 1

    # the end

    def commit(self) -> None:
        if self._prepared is None:
            self._commit()

    def rollback(self) -> None:
        if self._prepared is None:
            with translated():
                if self.session.in_transaction:
                    self.session.abort_transaction()
            return
        changes, self._prepared = self._prepared, None
        for change, after in reversed(changes):
            _undo_outside(change, after)

    def release(self) -> None:
        with translated():
            self.session.end_session()

    @property
    def committed(self) -> bool:
        return self._committed

    def _commit(self) -> None:
        """Commit, by the driver's protocol: again while it is not known whether it
        was, and not at all when MongoDB has undone it."""
        if self.lost:
            raise TransientError("MongoDB has undone the transaction")
        for left in reversed(range(_TRIES)):
            try:
                with translated():
                    self.session.commit_transaction()
            except DBError as error:
                unknown = _is_unknown(error.__cause__)
                if unknown and left:
                    continue
                if unknown:
                    with suppress(DBError):
                        self._end_on_the_server()
                raise
            else:
                self._committed = True
                return

    # several stores

    def address(self) -> Address:
        return self._decider.address

    def prepare(self, unit: str, decider: Address) -> None:
        changes = [
            (
                _Change(connector, key, connector.raw(key, None)),
                connector.raw(key, self.session),
            )
            for connector, key in self._touched
        ]
        self._commit()
        self._prepared = changes

    def decide(self, unit: str, others: Sequence[Address]) -> None:
        self._decider.note(unit, others, self.session)
        try:
            self._commit()
        except DBError as error:
            if not _is_unknown(error.__cause__):
                raise
            self.in_doubt = True
            self._committed = self._decider.is_decided(unit, gone=True, timeout=0)
            self.in_doubt = False
            if not self._committed:
                raise

    def _end_on_the_server(self) -> None:
        """Undo it if it is still open there: else it would be so for a minute."""
        with translated():
            admin = self._deployment.client.admin
            admin.command("killSessions", [self.session.session_id])

    def forget(self, unit: str) -> None:
        self._decider.forget(unit)


def _is_unknown(error: BaseException | None) -> bool:
    return isinstance(error, PyMongoError) and error.has_error_label(
        "UnknownTransactionCommitResult"
    )


def _undo_inside(change: _Change) -> None:
    """Take a write back in the transaction itself."""
    transaction = change.connector.joined()
    session = transaction.session if isinstance(transaction, MongoTransaction) else None
    change.connector.put_back(change.key, change.before, session)


def _undo_outside(change: _Change, after: Raw | None) -> None:
    """Take a committed write back; what others changed since stays."""
    connector, key, before = change
    current = connector.raw(key, None)
    if current == after or before is None or after is None or current is None:
        if current == after or before is None:
            connector.put_back(key, before, None)
        return
    merged = restored(*map(decoded, map(dict, (before, after, current))))
    connector.save(merged["_id"], merged)


# -- what was decided --------------------------------------------------------------


class Decider(RemoteDecider):
    """The decisions that a database keeps."""

    def __init__(self, deployment: Deployment, database: str) -> None:
        self._deployment = deployment
        self._database = database
        self.address = Address("mongo", Path(f"{deployment.hosts}/{database}"))

    @property
    def _units(self) -> Collection[Raw]:
        return self._deployment.client[self._database][UNITS]

    def make(self) -> None:
        """Make the collection: a transaction should not have to."""
        self._units.create_index(
            [("undone", ASCENDING)], expireAfterSeconds=_REMEMBERED
        )

    def note(
        self, unit: str, others: Sequence[Address], session: ClientSession
    ) -> None:
        """Note in the transaction that the unit is committed with it."""
        places = [one.place for one in others]
        with translated():
            try:
                self._units.insert_one({"_id": unit, "others": places}, session=session)
            except DuplicateKeyError as error:
                raise TransientError(f"{unit} was given up meanwhile") from error

    def is_decided(self, unit: str, *, gone: bool, timeout: float) -> bool:
        end = time.monotonic() + timeout
        gone = gone or time.time() - _begun(unit) > _LIFETIME
        while True:
            found = self._found(unit)
            if found is not None:
                return "undone" not in found
            if gone or (timeout and time.monotonic() >= end):
                return self._given_up(unit)
            if not timeout:
                raise ConflictError(f"{self.address.place} may be about to commit")
            time.sleep(0.05)

    def _found(self, unit: str) -> Raw | None:
        with translated():
            return self._units.find_one({"_id": unit})

    def _given_up(self, unit: str) -> bool:
        """Whether it was committed; if not it cannot be any more."""
        with translated():
            try:
                self._units.insert_one({"_id": unit, "undone": datetime.now(UTC)})
            except DuplicateKeyError:
                return "undone" not in (self._found(unit) or {"undone": None})
        return False

    def acknowledge(self, unit: str, other: Address) -> None:
        with translated():
            self._units.update_one({"_id": unit}, {"$pull": {"others": other.place}})
            self._units.delete_one({"_id": unit, "others": []})

    def forget(self, unit: str) -> None:
        """Nobody will ask after the unit any more."""
        with translated():
            self._units.delete_one({"_id": unit})


def _begun(unit: str) -> float:
    """When a unit got its name, a UUIDv7, in seconds since 1970."""
    with suppress(ValueError):
        return (UUID(unit).int >> 80) / 1000
    return 0.0
