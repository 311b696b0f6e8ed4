"""Files as part of the unit of work: a document that is stored has its contents, and
what no document holds any more goes when that is certain."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from backo.connectors.base import DBConnector, Document
from backo.connectors.store import Store
from backo.connectors.transactions import Transaction
from backo.errors import TransientError
from backo.files.places import chill, remove, require
from backo.files.staging import Staged, discard_abandoned, staged_in
from backo.files.structures import Held, Key, holders
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
        old, new = holders(before, self._files), holders(after, self._files)
        changes = [
            _Change(old.get(key, []), new.get(key, []))
            for key in {**old, **new}
            if _places(old.get(key, [])) != _places(new.get(key, []))
        ]
        if not changes:
            yield _nothing
            return
        with unit_of_work():
            transaction = _joined()
            mark = transaction.mark()
            for one in changes:
                transaction.change(one)
            yield lambda: transaction.go_back(mark)


def _places(files: Iterable[Held]) -> Counter[tuple[str, ...]]:
    return Counter(one.plan.places for one in files)


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
class _Change:
    """Which files of a document have one content, before a write and after it."""

    before: list[Held]
    after: list[Held]

    @property
    def any(self) -> Held:
        """One of them."""
        return (self.before or self.after)[0]


class _FileTransaction(Transaction):
    """The contents of a unit: until it is decided, nothing is removed."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._changes: list[tuple[_Change, Staged | None]] = []
        self._over = False

    def change(self, change: _Change) -> None:
        """A document has a content from now on, or has it no more.

        :raises FileError: it is not there.
        :raises TransientError: another unit is about to keep it: next time a copy is.
        """
        one = change.any
        staged = staged_in(one.plan, one.file_id)
        if change.after and staged is None:
            # What nobody held is not there, even if it was not discarded yet.
            discard_abandoned()
            require(one.plan, one.file_id, change.after[0].path)
        elif change.after and staged is not None and not staged.store(self):
            raise TransientError(f"{one.path}: the file is another item's by now")
        self._changes.append((change, staged))
        for held in change.after:
            if staged is None:
                chill(held.plan, held.structure)
            else:
                staged.chill(held.plan)

    def mark(self) -> int:
        return len(self._changes)

    def go_back(self, mark: Any) -> None:
        undone = self._changes[mark:]
        del self._changes[mark:]
        still = {id(staged) for _, staged in self._changes}
        for _, staged in undone:
            if staged is not None and id(staged) not in still:
                staged.release(self)

    def commit(self) -> None:
        self._over = True
        by_content: dict[Key, list[tuple[_Change, Staged | None]]] = {}
        for one in self._changes:
            by_content.setdefault(one[0].any.key, []).append(one)
        for changes in by_content.values():
            _settle(changes)

    def rollback(self) -> None:
        # Whoever staged a content may try again, and discards it in the end.
        self._over = True
        self.go_back(0)

    def release(self) -> None:
        if not self._over:
            # Nobody knows if the unit was kept: its files are, and a sweep decides.
            for _, staged in self._changes:
                if staged is not None:
                    staged.end()


def _settle(changes: Sequence[tuple[_Change, Staged | None]]) -> None:
    """Remove one content wherever no file has it any more."""
    staged = next((one for _, one in changes if one is not None), None)
    there = {} if staged is None else {one.place: one for one in staged.stores}
    # Those that had it before the unit; of what was staged there were none.
    held = _places(next((one.before for one, _ in changes if one.before), ()))
    if staged is not None:
        staged.end()
        held.clear()
    for change, _ in changes:
        held.update(_places(change.after))
        held.subtract(_places(change.before))
        for one in (*change.before, *change.after):
            there |= {store.place: store for store in one.plan.stores}
    wanted = {place for places, count in held.items() if count > 0 for place in places}
    left = [store for place, store in there.items() if place not in wanted]
    remove(changes[0][0].any.file_id, left)
