"""Rows of a file into a collection: checked, and then stored in batches."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import BinaryIO, Protocol

from backo.collection import Collection
from backo.connectors.base import DBConnector
from backo.errors import (
    BackoError,
    DBError,
    DuplicateIdError,
    Fault,
    TransientError,
    UnstorableError,
)
from backo.exchange.checking import Change, Checker, faults_of_failure
from backo.exchange.rows import Format, Row, read_rows
from backo.exchange.writing import restore, write
from backo.files.staging import staging
from backo.transaction import unit_of_work

__all__ = ["ImportReport", "Progress", "RowFault", "import_items"]


class Progress(Protocol):
    """Hands the rows on, and shows how far they are."""

    def __call__(
        self, phase: str, rows: Iterable[Row], total: int | None
    ) -> Iterable[Row]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class RowFault:
    """One thing wrong with one row."""

    line: int
    """Where the row begins in the file; the first line is 1."""
    _id: str | None
    path: str
    """Where in the document: ``$.shelf.room``."""
    message: str
    code: str


@dataclasses.dataclass(slots=True)
class ImportReport:
    """What has become of the rows of a file."""

    rows: int = 0
    """How many there are."""
    faulty: int = 0
    """How many have a fault."""
    faults: int = 0
    created: int = 0
    """New items; in a dry run, those that would be."""
    updated: int = 0
    """Changed items; in a dry run, those that would be."""


def import_items(
    collection: Collection,
    file: BinaryIO,
    form: Format,
    *,
    limit: int,
    tell: Callable[[RowFault], None],
    batch: int = 500,
    update: bool = False,
    whole: bool = False,
    partial: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Check all rows, and if none has a fault, store them, a batch at a time: each
    batch is kept as a whole or not at all. Rights are not asked.

    :param file: can be read again from its beginning.
    :param limit: bytes a row may have.
    :param tell: is told of each fault as it is found.
    :param batch: rows to a batch; 0: the whole file is one.
    :param update: a row whose id is there changes that item.
    :param whole: rows are documents as they were exported, ``_meta`` and all, and are
        stored as they are; links are not followed.
    :param partial: store the batches that have no fault even if others have.
    :param dry_run: only check.
    :raises ValidationError: the header of a CSV file is wrong.
    :raises DBError: the store failed; the batches before are stored.
    """
    job = _Import(collection, tell, restore=whole, update=update)
    root = collection.plan.root
    show = progress or _silent
    if not partial or dry_run:
        rows = read_rows(file, form, root, limit)
        checked = job.check(show("checking", rows, None))
        if dry_run:
            return checked
        if checked.faults:
            return dataclasses.replace(checked, created=0, updated=0)
        rows = read_rows(file, form, root, limit)
        return job.store(show("storing", rows, checked.rows), batch)
    return job.store(show("storing", read_rows(file, form, root, limit), None), batch)


def _silent(_phase: str, rows: Iterable[Row], _total: int | None) -> Iterable[Row]:
    return rows


class _Refused(Exception):
    """A batch is undone."""


class _Import:
    def __init__(
        self,
        collection: Collection,
        tell: Callable[[RowFault], None],
        *,
        restore: bool,
        update: bool,
    ) -> None:
        self.collection = collection
        self.tell = tell
        self.restore = restore
        self.update = update

    def _checker(self) -> Checker:
        return Checker(self.collection, restore=self.restore, update=self.update)

    def check(self, rows: Iterable[Row]) -> ImportReport:
        """Find every fault, and store nothing."""
        report = ImportReport()
        with closing(self._checker()) as checker:
            for row in rows:
                with staging():
                    change = self._checked(row, checker, report)
                if change is not None:
                    _count(change, report)
        return report

    def store(self, rows: Iterable[Row], size: int) -> ImportReport:
        """Store the batches that have no fault."""
        report = ImportReport()
        with closing(self._checker()) as checker:
            for batch in _batches(rows, size):
                try:
                    self._store(batch, checker, report)
                except BackoError as error:
                    error.add_note(
                        f"Before that, {report.created} items were created and"
                        f" {report.updated} updated: these are stored."
                    )
                    raise
        return report

    def _store(
        self, batch: Iterable[Row], checker: Checker, report: ImportReport
    ) -> None:
        """Store a batch if none of its rows has a fault.

        :raises DBError: the store failed.
        """
        before, kept = report.faulty, ImportReport()
        stores = self._stores()
        # What the files of the batch hold is discarded if it is not kept.
        with suppress(_Refused), staging(), unit_of_work(stores=stores):
            for row in batch:
                change = self._checked(row, checker, report)
                if change is not None:
                    self._report(change, self._written(change), report)
                    _count(change, kept)
            if report.faulty > before:
                raise _Refused
        if report.faulty == before:
            report.created += kept.created
            report.updated += kept.updated

    def _stores(self) -> list[DBConnector]:
        links = self.collection.links
        follows = links.kept and not self.restore
        return links.stores() if follows else [self.collection.db_handler]

    def _checked(
        self, row: Row, checker: Checker, report: ImportReport
    ) -> Change | None:
        report.rows += 1
        change, faults = checker.check(row)
        self._report(change, faults, report)
        return None if faults else change

    def _written(self, change: Change) -> list[Fault]:
        """What forbade to store one row; its own part of the unit is undone then."""
        try:
            with unit_of_work():
                (restore if self.restore else write)(self.collection, change)
        except DuplicateIdError as error:
            return [Fault("$._id", str(error), error.code)]
        except UnstorableError as error:
            return list(error.faults)
        except (DBError, TransientError):
            raise
        except Exception as error:  # noqa: BLE001 - users' handlers raise anything
            return faults_of_failure(error)
        return []

    def _report(
        self, change: Change, faults: list[Fault], report: ImportReport
    ) -> None:
        report.faulty += bool(faults)
        report.faults += len(faults)
        for one in faults:
            line, _id = change.row.line, change._id
            self.tell(RowFault(line, _id, one.path, one.message, one.code))


def _count(change: Change, report: ImportReport) -> None:
    if change.before is None:
        report.created += 1
    else:
        report.updated += 1


def _batches(rows: Iterable[Row], size: int) -> Iterator[Iterable[Row]]:
    """Parts of ``rows``, each to be read to its end before the next; size 0: one."""
    left = iter(rows)
    for first in left:
        yield itertools.chain(
            [first], itertools.islice(left, size - 1 if size else None)
        )
