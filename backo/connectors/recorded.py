"""Recorded undo, for stores that have no transactions of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from backo.connectors.restriction import unrestricted
from backo.connectors.texts import Document, same_document
from backo.connectors.transactions import Transaction, Turn, UndoLog
from backo.errors import ConflictError, DBError, NotFoundError

if TYPE_CHECKING:
    from backo.connectors.base import DBConnector

__all__ = ["Change", "RecordedTransaction", "TurnTransaction", "restored"]


class TurnTransaction[Entry](Transaction):
    """One that holds a connector's turn and undoes by a log."""

    def __init__(self, place: str, turn: Turn, timeout: float) -> None:
        super().__init__(place)
        self.log: UndoLog[Entry] = UndoLog(self.undo)
        self._held = turn
        if not turn.acquire(self, timeout):
            raise ConflictError("another transaction is writing there")

    def undo(self, entry: Entry) -> None:
        """Take back one change."""
        raise NotImplementedError

    def mark(self) -> Any:
        return len(self.log)

    def go_back(self, mark: Any) -> None:
        self.log.go_back(mark)

    def commit(self) -> None:
        self.log.clear()

    def rollback(self) -> None:
        self.log.go_back(0)

    def release(self) -> None:
        self._held.release()


class Change(NamedTuple):
    """One write to a document: None is a document that is not there."""

    name: str
    before: Document | None
    after: Document | None


class RecordedTransaction(TurnTransaction[Change]):
    """Undoes through the connector's six methods, whatever its restriction.

    Others may have written in between, for nothing keeps other processes from the
    store: what they changed elsewhere in a document stays.
    """

    def __init__(self, connector: "DBConnector", timeout: float) -> None:
        super().__init__(connector.transaction_place(), connector._turn, timeout)
        self._connector = connector

    def note(self, _id: str, before: Document | None, after: Document | None) -> None:
        """Note a write before it is tried: it may take effect and fail all the same."""
        self.log.note(
            Change(
                _id,
                None if before is None else {**before, "_id": _id},
                None if after is None else {**after, "_id": _id},
            )
        )

    @contextmanager
    def noted(
        self, _id: str, before: Document, after: Document | None
    ) -> Iterator[None]:
        """Around a write to a document that is there."""
        self.note(_id, before, after)
        try:
            yield
        except NotFoundError:
            # Somebody else has deleted it: there is nothing to undo.
            self.log.forget_last()
            raise

    def made(self, _id: str, document: Document) -> bool:
        last = next((one for one in reversed(self.log) if one.name == _id), None)
        after = None if last is None else last.after
        return after is not None and same_document(after, document)

    def stored(self, _id: str) -> Document | None:
        """The document as it is now; None when there is none."""
        try:
            return self._connector.get_by_id(_id)
        except NotFoundError:
            return None

    def undo(self, entry: Change) -> None:
        try:
            with unrestricted():
                self._undo(*entry)
        except Exception as error:
            raise DBError(f"the write to {entry.name!r:.100}: {error}") from error

    def _undo(self, _id: str, before: Document | None, after: Document | None) -> None:
        current = self.stored(_id)
        if before is None:
            if current is not None:
                self._connector.delete_by_id(_id)
        elif current is not None:
            # What was to be deleted and is there was not deleted, or made anew.
            wanted = current if after is None else restored(before, after, current)
            if not same_document(wanted, current):
                self._connector.save(_id, wanted)
        elif after is None:
            given = self._connector.create(before)
            if given != _id:
                self._connector.delete_by_id(given)
                raise DBError("the store gave it another _id")


# -- merging -----------------------------------------------------------------------

_ABSENT = object()


def restored(before: Any, after: Any, current: Any) -> Any:
    """``current`` without the change from ``before`` to ``after``: key by key, lists of
    ids as sets; what others changed too goes back to ``before``."""
    if _same(current, after):
        return before
    if _same(before, after):
        return current
    values = (before, after, current)
    if all(isinstance(value, dict) for value in values):
        keys = dict.fromkeys([*current, *before])
        merged = {
            key: restored(*(value.get(key, _ABSENT) for value in values))
            for key in keys
        }
        return {key: value for key, value in merged.items() if value is not _ABSENT}
    if all(map(_are_ids, values)):
        kept = [one for one in current if one in before or one not in after]
        return kept + [one for one in before if one not in after and one not in kept]
    return before


def _same(one: Any, other: Any) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same_document({"": one}, {"": other})


def _are_ids(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(one, str) for one in value)
        and len(set(value)) == len(value)
    )
