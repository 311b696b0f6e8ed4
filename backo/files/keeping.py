"""Files as part of the unit of work: a document that is stored has its contents, and
what no document holds any more goes when that is certain."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from backo.connectors.base import DBConnector, Document
from backo.connectors.store import Store
from backo.connectors.transactions import Transaction
from backo.errors import FileError
from backo.files.contents import Staged, chill, is_there, remove, staged_in
from backo.files.structures import Held, files_of
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
        if old.keys() == new.keys():
            yield _nothing
            return
        with unit_of_work():
            transaction = _joined()
            mark = transaction.mark()
            for key, held in new.items():
                if key not in old:
                    transaction.keep_file(held)
            for key, held in old.items():
                if key not in new:
                    transaction.drop_file(held)
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
    """What is to become of a content when the unit is kept."""

    held: Held
    staged: Staged | None
    stays: bool


class _FileTransaction(Transaction):
    """The contents of a unit: until it is decided, nothing is removed."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._fates: list[_Fate] = []
        self._over = False

    def keep_file(self, held: Held) -> None:
        """A document has this content from now on.

        :raises FileError: it is not there.
        """
        staged = staged_in(held.plan, held.file_id)
        if staged is not None:
            staged.chill(held.plan)
        elif not held.plan.inline and not is_there(held.plan, held.file_id):
            raise FileError(f"there is no file {held.file_id!r:.100}", path=held.path)
        else:
            chill(held.plan, held.structure)
        self._fates.append(_Fate(held, staged, True))

    def drop_file(self, held: Held) -> None:
        """No document has this content any more."""
        self._fates.append(_Fate(held, None, False))

    def mark(self) -> int:
        return len(self._fates)

    def go_back(self, mark: Any) -> None:
        del self._fates[mark:]

    def commit(self) -> None:
        self._over = True
        # What is taken out in one place may be put in at another.
        for fate in {one.held.key: one for one in self._fates}.values():
            if not fate.stays:
                plan = fate.held.plan
                remove(fate.held.file_id, (plan.work, plan.storage))
            elif fate.staged is not None:
                fate.staged.keep()

    def rollback(self) -> None:
        # Whoever staged a content may try again, and discards it in the end.
        self._over = True

    def release(self) -> None:
        if not self._over:
            # Nobody knows if the unit was kept: its files are, and a sweep decides.
            for fate in self._fates:
                if fate.staged is not None:
                    fate.staged.keep()
