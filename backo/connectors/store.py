"""A store as the unit of work in progress writes to it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from backo.connectors.base import DBConnector, Document
from backo.connectors.edits import ListEdit
from backo.connectors.recorded import RecordedTransaction
from backo.connectors.texts import same_document
from backo.connectors.transactions import HELD, Transaction

__all__ = ["Store"]


class Store:
    """A connector, written to as part of the unit in progress if there is one."""

    def __init__(self, connector: DBConnector) -> None:
        self.connector = connector

    def create(self, document: Document) -> str:
        """Store a new document and give its ``_id``.

        :raises DuplicateIdError: it is already there.
        """
        connector = self.connector
        transaction = connector.join()
        if not isinstance(transaction, RecordedTransaction):
            with self._turn(transaction):
                return connector.create(document)
        if document.get("_id") is None and not connector.makes_ids:
            # To be undone even when the call fails after having taken effect.
            document = {**document, "_id": connector.generate_id(document)}
        wanted = document.get("_id")
        if wanted is not None and transaction.stored(wanted) is None:
            transaction.note(wanted, None, document)
        _id = connector.create(document)
        if _id != wanted:
            transaction.note(_id, None, document)
        return _id

    def save(self, _id: str, document: Document) -> None:
        """Replace the document. :raises NotFoundError:"""
        transaction = self.connector.join()
        with self._noted(transaction, _id, document), self._turn(transaction):
            self.connector.save(_id, document)

    def delete_by_id(self, _id: str) -> bool:
        """Delete the document, and give True. :raises NotFoundError:"""
        transaction = self.connector.join()
        with self._noted(transaction, _id, None), self._turn(transaction):
            return self.connector.delete_by_id(_id)

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        """Replace the document if it still is ``expected``, and tell whether it was.

        :raises NotFoundError: it is gone.
        """
        return self._compared(
            _id,
            expected,
            new,
            lambda: self.connector.compare_and_set(_id, expected, new),
        )

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        """Delete the document if it still is ``expected``, and tell whether it was.

        :raises NotFoundError: it is gone.
        """
        return self._compared(
            _id,
            expected,
            None,
            lambda: self.connector.compare_and_delete(_id, expected),
        )

    def edit_lists(
        self, edits: Sequence[ListEdit], before: Document, after: Document
    ) -> bool:
        """Edit lists of a document that was ``before``, and give its other members
        what they are in ``after``; False: the store cannot, and nothing is done.

        :raises NotFoundError: it is gone.
        """
        _id, listed = before["_id"], {edit.path[0] for edit in edits}
        values = {name: one for name, one in after.items() if name not in listed}
        values = {
            name: values[name] for name in values if values[name] != before.get(name)
        }
        transaction = self.connector.join()
        if not isinstance(transaction, RecordedTransaction):
            return self.connector.edit_lists(_id, edits, values)
        with transaction.noted(_id, before, after):
            done = self.connector.edit_lists(_id, edits, values)
        if not done:
            transaction.log.forget_last()
        return done

    def _compared(
        self,
        _id: str,
        expected: Document,
        new: Document | None,
        attempt: Callable[[], bool],
    ) -> bool:
        """Whether ``attempt`` put ``new`` in the place of ``expected``; it is noted, to
        be undone."""
        transaction = self.connector.join()
        if not isinstance(transaction, RecordedTransaction):
            return attempt()
        before = transaction.stored(_id)
        if before is None or not same_document(before, expected):
            return attempt()
        with transaction.noted(_id, before, new):
            done = attempt()
        if not done:
            # Undoing it would undo what somebody else has just written.
            transaction.log.forget_last()
        return done

    def _noted(
        self, transaction: Transaction | None, _id: str, after: Document | None
    ) -> AbstractContextManager[None]:
        if not isinstance(transaction, RecordedTransaction):
            return nullcontext()
        return transaction.noted(_id, self.connector.get_by_id(_id), after)

    def _turn(self, transaction: Transaction | None) -> AbstractContextManager[None]:
        """Where a unit would be held up by nothing else: the turn that it holds."""
        recorded = transaction is None and self.connector.records
        return self.connector._turn if recorded else HELD
