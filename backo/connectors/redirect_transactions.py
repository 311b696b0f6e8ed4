"""The part of a unit of work that another backo server keeps.

What is created and changed is sent at once, and recorded to be undone. What is deleted
is not: the other server gives ids, so a deleted item could not be made again with its
own. A deletion is therefore only remembered, and seen by what the unit reads; it is
sent when all else of the unit is written, before any other store decides to keep its
part. If it fails then, everything is undone.

This leaves, and nothing can be done about it from here:

* a unit that deletes several items, of which the other server deletes some and refuses
  one: it is undone but for those, and the error names them. They are all looked at
  before the first is deleted, to make this rare;
* a process that is killed in the middle: what it had sent stays;
* a request that was sent and never answered: it may have been done or not.
"""

from typing import TYPE_CHECKING

from backo.connectors.recorded import Change, RecordedTransaction
from backo.connectors.texts import Document
from backo.errors import ChangedError, DBError, NotFoundError

if TYPE_CHECKING:
    from backo.connectors.redirect import DBRedirect

__all__ = ["RedirectTransaction"]

type Removals = dict[str, str | None]
"""The items to delete, each with the ETag that it must still have, if any."""


class RedirectTransaction(RecordedTransaction):
    """Recorded undo, with deletions that wait for the end."""

    def __init__(self, connector: "DBRedirect", timeout: float) -> None:
        super().__init__(connector, timeout)
        self._store = connector
        self.removals: Removals = {}
        self.ending = False
        """Whether what is deleted now is deleted at once."""
        self._deleted: list[str] = []
        self._gone: set[str] = set()

    def note(self, _id: str, before: Document | None, after: Document | None) -> None:
        # As it will be read again, to be told from what others change.
        shown = None if after is None else self._store.schema().bare(after)
        super().note(_id, before, shown)

    def mark(self) -> tuple[int, Removals]:
        return len(self.log), dict(self.removals)

    def go_back(self, mark: tuple[int, Removals]) -> None:
        length, self.removals = mark[0], dict(mark[1])
        self._undo_to(length)

    def undo(self, entry: Change) -> None:
        if entry.name not in self._gone:
            super().undo(entry)

    def settle(self) -> None:
        removals, self.removals, self.ending = self.removals, {}, True
        if len(removals) > 1:
            for _id, etag in removals.items():
                self._check(_id, etag)
        for _id, etag in removals.items():
            self._delete(_id, etag)

    def rollback(self) -> None:
        self.removals = {}
        self._undo_to(0)
        if self._deleted:
            raise DBError(f"deleted and not to be made again: {self._deleted}")

    def _undo_to(self, length: int) -> None:
        before, self.ending = self.ending, True
        try:
            self.log.go_back(length)
        finally:
            self.ending = before

    def _check(self, _id: str, etag: str | None) -> None:
        """:raises ChangedError: somebody has changed it."""
        if etag is not None and self._store.etag_of(_id) not in (etag, None):
            raise ChangedError(f"the item {_id!r:.100} has been changed meanwhile")

    def _delete(self, _id: str, etag: str | None) -> None:
        try:
            deleted = self._store.delete_now(_id, etag)
        except NotFoundError:
            # Somebody else was faster.
            self._gone.add(_id)
            return
        if not deleted:
            raise ChangedError(f"the item {_id!r:.100} has been changed meanwhile")
        self._deleted.append(_id)
        self._gone.add(_id)
