"""Migrations: every document of a collection brought to the present schema.

First each document is transformed and checked, and what is to be changed is written to
a journal. Only when all of them are right are they stored, some at a time, each only
while it still is what it was; what others changed meanwhile is transformed again.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import batched
from typing import Any

from backo.connectors.store import Store
from backo.connectors.texts import decode_document, encode_document, same_document
from backo.connectors.transactions import DurableTransaction
from backo.documents import (
    Change,
    differences,
)
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    ConflictError,
    DBError,
    Fault,
    FileError,
    MigrationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from backo.item import ATTEMPTS
from backo.journal import Journal, Planned, Rewritten, opened_journal
from backo.schema.faults import stricto_faults
from backo.transaction import current_unit, tried_again, unit_of_work
from backo.transformation import MigrationFunction, MigrationOwner, Transformation

__all__ = [
    "Changed",
    "Migration",
    "MigrationProgress",
    "MigrationReport",
    "Unchanged",
    "no_progress",
]

type Document = dict[str, Any]
type MigrationProgress = Callable[[str, Iterable[Any], int | None], Iterable[Any]]
"""Given a phase (``check``, ``write``), what it goes through and how many these are, if
that is known; hands them on and shows how far it is."""

_BATCH = 200
"""Documents that are stored, or read by their ids, at once."""
_DETAILED = 1000
"""Documents that are reported, or faults that are told, in detail."""


def no_progress(
    _phase: str, documents: Iterable[Any], _total: int | None
) -> Iterable[Any]:
    """Show nothing."""
    return documents


# -- the report --------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Unchanged:
    """The documents that stay as they are."""

    _ids: list[str]
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """The documents that are changed."""

    _ids: list[str]
    diff: dict[str, list[Change]]
    """By id what is changed, of the first thousand."""
    total: int


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class MigrationReport:
    """What a migration has done, or would do."""

    no_changes: Unchanged
    changes: Changed

    def __repr__(self) -> str:
        same, changed = self.no_changes.total, self.changes.total
        return f"MigrationReport(no_changes={same}, changes={changed})"

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return dataclasses.asdict(self)


def _report(journal: Journal, root: Any, *, carried_out: bool) -> MigrationReport:
    """What the journal says was done or (not ``carried_out``) planned."""
    unchanged: list[str] = []
    changed: list[str] = []
    numbers: list[int] = []
    for one in journal.outcomes(carried_out=carried_out):
        (changed if one.changed else unchanged).append(one._id)
        if one.changed and len(numbers) < _DETAILED:
            numbers.append(one.number)
    texts = zip(changed, journal.texts(numbers), strict=False)
    diff = {
        _id: list(differences(decode_document(old), decode_document(new), root))
        for _id, (old, new) in texts
    }
    return MigrationReport(
        Unchanged(unchanged, len(unchanged)), Changed(changed, diff, len(changed))
    )


# -- all of them -------------------------------------------------------------------


class _Failures:
    """The documents that cannot be migrated."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.faults: list[Fault] = []

    def note(self, _id: str, faults: Sequence[Fault]) -> None:
        """This document cannot, because of these faults."""
        self.ids.append(_id)
        for one in faults[: _DETAILED - len(self.faults)]:
            path = f"{_id}: {one.path}"
            self.faults.append(dataclasses.replace(one, path=path))

    def error(self, outcome: str) -> MigrationError:
        """The error that names them all."""
        return MigrationError(outcome, self.ids, self.faults)


class Migration:
    """The documents of one collection, brought to its present schema."""

    def __init__(
        self,
        owner: MigrationOwner,
        function: MigrationFunction | None,
        *,
        office: str,
        progress: MigrationProgress = no_progress,
    ) -> None:
        self._owner = owner
        self._office = office
        self._progress = progress
        self._transform = Transformation(owner, function)

    def run(
        self,
        ids: Iterable[str] | None,
        *,
        dry_run: bool,
        journal: str | os.PathLike[str] | None,
    ) -> MigrationReport:
        """Migrate the documents with these ids, or all; see ``Collection.migrate``."""
        given = [ids] if isinstance(ids, str) else ids
        wanted = None if given is None else list(dict.fromkeys(given))
        if journal is not None and current_unit() is not None:
            raise BackoError("a migration with a journal makes its own transactions")
        with closing(self._transform), opened_journal(journal) as opened:
            what = self._what(wanted)
            if not opened.resume(what):
                self._plan(opened, what, wanted)
            if not dry_run:
                self._carry_out(opened)
            report = self._told(opened, carried_out=not dry_run)
            if not (dry_run and opened.resumed):
                opened.remove()
            return report

    def _what(self, ids: list[str] | None) -> dict[str, str]:
        digest = hashlib.sha256(json.dumps(ids, default=str).encode()).hexdigest()
        documents = "all" if ids is None else f"{len(ids)} ({digest[:16]})"
        return {
            "backoffice": self._office,
            "collection": self._owner.name,
            "documents": documents,
        }

    def _told(self, journal: Journal, *, carried_out: bool) -> MigrationReport:
        return _report(journal, self._owner.plan.root, carried_out=carried_out)

    # planning

    def _plan(
        self, journal: Journal, what: dict[str, str], ids: list[str] | None
    ) -> None:
        failures = _Failures()
        journal.begin(what)
        try:
            for before in self._documents(ids, failures):
                self._plan_one(journal, before, failures)
            if not failures.ids and self._owner.links.inward:
                self._check_together(journal, failures)
            if failures.ids:
                raise failures.error("and nothing has been changed")
            journal.planned()
        except BaseException:
            journal.remove()
            raise

    def _plan_one(
        self, journal: Journal, before: Document, failures: _Failures
    ) -> None:
        _id = before["_id"]
        try:
            after = self._transform(before)
        except ValidationError as error:
            failures.note(_id, error.faults)
            return
        if failures.ids:
            return
        if self._transform.changes(before, after):
            texts = (encode_document(_id, one) for one in (before, after))
            journal.add(_id, *texts)
        else:
            journal.add(_id)

    def _check_together(self, journal: Journal, failures: _Failures) -> None:
        """Whether those that point to each other fit as they will be."""

        def becoming(_id: str) -> Document | None:
            text = journal.becoming(_id)
            return None if text is None else decode_document(text)

        for planned in journal.waiting():
            before = decode_document(planned.before)
            after = decode_document(planned.after)
            faults = self._owner.links.impossible_here(before, after, becoming)
            if faults:
                failures.note(planned._id, faults)

    def _documents(
        self, ids: list[str] | None, failures: _Failures
    ) -> Iterable[Document]:
        store = self._owner.db_handler
        if ids is None:
            countable = store.capabilities.count and store.restriction is None
            total = store.count() if countable else None
            return self._progress("check", store.scan(), total)
        return self._progress("check", self._named(ids, failures), len(ids))

    def _named(self, ids: list[str], failures: _Failures) -> Iterator[Document]:
        for some in batched(ids, _BATCH):
            found = {one["_id"]: one for one in self._owner.db_handler.get_many(some)}
            for _id in some:
                if _id in found:
                    yield found[_id]
                else:
                    fault = Fault("$", "there is no such item", "not_found")
                    failures.note(_id, [fault])

    # carrying out

    def _carry_out(self, journal: Journal) -> None:
        left, before = journal.left(), None
        failures = _Failures()
        # What could not be done may have had to wait for others.
        while left != before and (failures.ids or before is None):
            failures = self._write_all(journal, left)
            left, before = journal.left(), left
        if failures.ids:
            failed = failures.error("everything else is done")
            failed.report = self._told(journal, carried_out=True)
            raise failed

    def _write_all(self, journal: Journal, left: int) -> _Failures:
        """Store what is waiting."""
        failures = _Failures()
        waiting = self._progress("write", journal.waiting(), left)
        try:
            for batch in batched(waiting, _BATCH):
                tried_again(partial(self._write, journal, batch, failures))
        except BaseException as error:
            with suppress(DBError):
                words = f"{journal.left()} documents are left as is"
                error.add_note(f"{self._owner.name}: {words}")
            raise
        return failures

    def _write(
        self, journal: Journal, batch: Iterable[Planned], failures: _Failures
    ) -> None:
        """Store some documents, all or, if the store fails, none of them."""
        done: list[int] = []
        others: list[Rewritten] = []
        refused: list[tuple[str, Sequence[Fault]]] = []
        links = self._owner.links
        stores = links.stores() if links.kept else [self._owner.db_handler]
        with unit_of_work(stores=[*stores, *journal.stores]) as unit:
            for planned in batch:
                try:
                    with unit_of_work():
                        other = self._write_one(journal, planned, unit.id)
                except TransientError:
                    raise
                except (
                    ValidationError,
                    FileError,
                    ConflictError,
                    *VALUE_ERRORS,
                ) as error:
                    refused.append((planned._id, _faults(error)))
                    continue
                done.append(planned.number)
                if other is not None:
                    others.append(other)
            if journal.lasting:
                journal.note(done, others)
        if not journal.lasting:
            journal.note(done, others)
        for _id, faults in refused:
            failures.note(_id, faults)

    def _write_one(
        self, journal: Journal, planned: Planned, transaction_id: int
    ) -> Rewritten | None:
        """Store a document; gives what was done otherwise than planned."""
        number, _id = planned.number, planned._id
        before, after = decode_document(planned.before), decode_document(planned.after)
        store, links = self._owner.store, self._owner.links
        other: Rewritten | None = None
        for attempt in range(ATTEMPTS):
            try:
                stored = self._stored(store, _id, before, after, again=attempt > 0)
                before = before if stored else self._owner.db_handler.get_by_id(_id)
            except NotFoundError:
                return Rewritten(number, None, None)
            if stored:
                links.follow(before, after, transaction_id=transaction_id)
                return other
            if not attempt and self._was_done(journal, before, after):
                return None
            after = self._transform(before)
            texts = [encode_document(_id, one) for one in (before, after)]
            if not self._transform.changes(before, after):
                return Rewritten(number, texts[0], None)
            other = Rewritten(number, *texts)
        raise ConflictError("others changed it again and again")

    def _stored(
        self, store: Store, _id: str, before: Document, after: Document, *, again: bool
    ) -> bool:
        try:
            return store.compare_and_set(_id, before, after)
        except FileError:
            # A file that was computed for a journal may have been swept since.
            if again:
                raise
            return False

    def _was_done(self, journal: Journal, found: Document, after: Document) -> bool:
        """Whether a process that was killed has done it. A store with transactions of
        its own has always told the journal."""
        durable = isinstance(self._owner.db_handler.join(), DurableTransaction)
        return journal.resumed and not durable and same_document(found, after)


def _faults(error: Exception) -> Sequence[Fault]:
    if isinstance(error, ValidationError):
        return error.faults
    if isinstance(error, (ConflictError, FileError)):
        return [Fault("$", str(error), error.code)]
    return stricto_faults(error)
