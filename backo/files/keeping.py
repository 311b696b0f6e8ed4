"""Files as part of the unit of work: a document that is stored has its contents, and
what no document holds any more goes when that is certain."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from backo.connectors.base import DBConnector, Document
from backo.connectors.store import Store
from backo.connectors.transactions import Transaction
from backo.errors import FileError, TransientError
from backo.files.connector import FileConnector
from backo.files.places import chill, is_there, remove
from backo.files.staging import Staged, staged_in
from backo.files.structures import Held, Key, files_of
from backo.schema.file import FilePlan
from backo.schema.plan import FieldPlan
from backo.transaction import Unit, current_unit, unit_of_work

__all__ = ["FileStore"]


class FileStore(Store):
    """A store whose documents hold files: each write takes care of their contents.

    :param files: the schema, as far as there are files in it; see
        ``ItemPlan.file_root``.
    """

    def __init__(self, connector: DBConnector, files: FieldPlan) -> None:
        super().__init__(connector)
        self._files = files

    def create(self, document: Document) -> str:
        with self._keeping(None, document):
            return super().create(document)

    def save(self, _id: str, document: Document) -> None:
        with self._alone(), self._keeping(self.connector.get_by_id(_id), document):
            super().save(_id, document)

    def delete_by_id(self, _id: str) -> bool:
        with self._alone(), self._keeping(self.connector.get_by_id(_id), None):
            return super().delete_by_id(_id)

    def _alone(self) -> AbstractContextManager[object]:
        """Nobody changes what is read inside before it is written."""
        return unit_of_work(stores=[self.connector])

    def _compared(
        self,
        _id: str,
        expected: Document,
        new: Document | None,
        attempt: Callable[[], bool],
    ) -> bool:
        with self._keeping(expected, new) as undo:
            done = super()._compared(_id, expected, new, attempt)
            if not done:
                undo()
        return done

    @contextmanager
    def _keeping(
        self, before: Document | None, after: Document | None
    ) -> Iterator[Callable[[], None]]:
        """Around a write. What is handed over takes back what it means for files."""
        old, new = files_of(before, self._files), files_of(after, self._files)
        dropped = [one for key, one in old.items() if not one.kept_like(new.get(key))]
        kept = [one for key, one in new.items() if not one.kept_like(old.get(key))]
        if not dropped and not kept:
            yield _nothing
            return
        with unit_of_work():
            transaction = _joined()
            mark = transaction.mark()
            for one in dropped:
                transaction.drop_file(one)
            for one in kept:
                transaction.keep_file(one)
            yield lambda: transaction.go_back(mark)


def _nothing() -> None:
    return None


def _joined() -> "_FileTransaction":
    unit = current_unit()
    if not isinstance(unit, Unit):
        raise RuntimeError("files are kept in units of work only")
    transaction = unit.join(_PLACE)
    if not isinstance(transaction, _FileTransaction):
        raise RuntimeError("something else is in the place of files")
    return transaction


class _Place:
    """Where units find their files."""

    def transaction_place(self) -> str:
        # Before all others, which it makes wait for nothing.
        return ""

    def begin(self, timeout: float) -> "_FileTransaction":
        return _FileTransaction(self.transaction_place())


_PLACE = _Place()


@dataclasses.dataclass(frozen=True, slots=True)
class _Fate:
    """That a document has a content from now on, or no more."""

    held: Held
    staged: Staged | None
    kept: bool


class _FileTransaction(Transaction):
    """The contents of a unit: until it is decided, nothing is removed."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._fates: list[_Fate] = []
        self._over = False

    def keep_file(self, held: Held) -> None:
        """A document has this content from now on.

        :raises FileError: it is not there.
        :raises TransientError: another unit is about to keep it: next time a copy is.
        """
        staged = staged_in(held.plan, held.file_id)
        if staged is None:
            if not held.plan.inline and not is_there(held.plan, held.file_id):
                raise FileError(
                    f"there is no file {held.file_id!r:.100}", path=held.path
                )
        elif not staged.store(self):
            raise TransientError(f"{held.path}: the file is another item's by now")
        self._fates.append(_Fate(held, staged, True))
        if staged is None:
            chill(held.plan, held.structure)
        else:
            staged.chill(held.plan)

    def drop_file(self, held: Held) -> None:
        """A document has this content no more."""
        staged = staged_in(held.plan, held.file_id)
        self._fates.append(_Fate(held, staged, False))

    def mark(self) -> int:
        return len(self._fates)

    def go_back(self, mark: Any) -> None:
        undone = self._fates[mark:]
        del self._fates[mark:]
        still = {id(one.staged) for one in self._fates}
        for one in undone:
            if one.staged is not None and id(one.staged) not in still:
                one.staged.release()

    def commit(self) -> None:
        self._over = True
        by_content: dict[Key, list[_Fate]] = {}
        for one in self._fates:
            by_content.setdefault(one.held.key, []).append(one)
        for fates in by_content.values():
            _settle(fates)

    def rollback(self) -> None:
        # Whoever staged a content may try again, and discards it in the end.
        self._over = True
        self.go_back(0)

    def release(self) -> None:
        if not self._over:
            # Nobody knows if the unit was kept: its files are, and a sweep decides.
            for one in self._fates:
                if one.staged is not None:
                    one.staged.end()


def _settle(fates: Sequence[_Fate]) -> None:
    """Remove a content wherever no document has it any more."""
    holders: Counter[FilePlan] = Counter()
    places: list[FileConnector | None] = []
    staged = next((one.staged for one in fates if one.staged is not None), None)
    if staged is not None:
        staged.end()
        places += staged.places
    else:
        # Some document had it before the unit: the one that was the first to drop it.
        holders.update([one.held.plan for one in fates if not one.kept][:1])
    for one in fates:
        holders[one.held.plan] += 1 if one.kept else -1
        places += one.held.plan.stores
    wanted = {
        store.place
        for plan, count in holders.items()
        if count > 0
        for store in plan.stores
    }
    left = {one.place: one for one in places if one is not None}
    remove(fates[0].held.file_id, [left[one] for one in left if one not in wanted])
