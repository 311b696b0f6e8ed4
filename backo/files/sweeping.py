"""Finds contents of files that no item has, and items whose contents are missing."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from backo.connectors.base import DBConnector, Document
from backo.connectors.restriction import unrestricted
from backo.errors import BackoError, FileError, NotFoundError
from backo.files.connector import FileConnector, StoredFile
from backo.files.places import is_there
from backo.files.staging import discard_abandoned, staged_ids
from backo.files.structures import Held, file_ids, files_of
from backo.schema.plan import ItemPlan
from backo.transaction import unit_of_work

__all__ = ["GRACE", "FileReport", "MissingFile", "Orphan", "swept"]

GRACE = timedelta(hours=24)
"""How old a content must be to be an orphan, if nothing else is said."""

type Progress = Callable[[str, Iterable[Document]], Iterable[Document]]


class FileOwner(Protocol):
    """What a sweep needs of a collection."""

    db_handler: DBConnector

    @property
    def plan(self) -> ItemPlan: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """A content that no item has."""

    place: str
    """The store of it, see ``FileConnector.place``."""
    file_id: str
    size: int
    """In bytes."""
    modified: datetime
    """When it was written, in UTC."""

    def __str__(self) -> str:
        written = self.modified.isoformat(timespec="seconds")
        return f"{self.place} {self.file_id} {self.size} {written}"


@dataclasses.dataclass(frozen=True, slots=True)
class MissingFile:
    """A file of an item whose content is nowhere."""

    collection: str
    _id: str
    path: str
    """Where in the item: ``$.pages[0].scan``."""
    file_id: str

    def __str__(self) -> str:
        return f"{self.collection}/{self._id} {self.path}: {self.file_id} is missing"


@dataclasses.dataclass(frozen=True, slots=True)
class FileReport:
    """What a sweep has found."""

    orphans: list[Orphan]
    missing: list[MissingFile]
    unlisted: list[str]
    """The places of stores that cannot tell what they keep."""
    removed: bool
    """Whether the orphans have been removed."""
    parts: int
    """How many uploads that had been cut short were removed."""


def swept(
    collections: Mapping[str, FileOwner],
    older_than: timedelta,
    progress: Progress,
    *,
    delete: bool,
) -> FileReport:
    """What is wrong with the files of ``collections``, all that share their stores;
    with ``delete``, orphans are removed.

    No item that is stored meanwhile loses its file. Contents are listed first, and only
    those count that were written longer ago than any upload lasts: what an item gets
    later is not among them. A unit that is undone gives an item back the content that
    it took; before anything is removed the documents are read again, while no unit is
    in progress.

    :raises BackoError: a store of items hides some of them.
    """
    return _Sweep(collections, older_than, progress).run(delete=delete)


class _Sweep:
    def __init__(
        self,
        collections: Mapping[str, FileOwner],
        older_than: timedelta,
        progress: Progress,
    ) -> None:
        self._collections = collections
        self._before = _ago(older_than)
        self._progress = progress
        self._stores = {
            one.place: one
            for owner in collections.values()
            for one in _stores_of(owner.plan)
        }
        self._unlisted: list[str] = []

    def run(self, *, delete: bool) -> FileReport:
        for name, owner in self._collections.items():
            _require_open(name, owner.db_handler)
        # What this process has given up is gone before it is listed.
        discard_abandoned()
        listed = {
            place: contents
            for place, store in self._stores.items()
            if (contents := self._listed(place, store)) is not None
        }
        named, missing = self._read(listed)
        orphans = list(self._orphans(listed, named))
        if delete and orphans:
            # What others have taken from an item without its being certain comes back.
            stores = [one.db_handler for one in self._collections.values()]
            with unit_of_work(stores=stores):
                again, _ = self._read(listed)
                orphans = [one for one in orphans if one.file_id not in again]
                for one in orphans:
                    self._stores[one.place].delete(one.file_id)
        parts = (
            sum(one.discard_parts(self._before) for one in self._stores.values())
            if delete
            else 0
        )
        return FileReport(orphans, missing, self._unlisted, delete, parts)

    def _listed(self, place: str, store: FileConnector) -> dict[str, StoredFile] | None:
        try:
            return {one.file_id: one for one in store.stored()}
        except FileError:
            self._unlisted.append(place)
            return None

    def _orphans(
        self, listed: Mapping[str, Mapping[str, StoredFile]], named: Collection[str]
    ) -> Iterator[Orphan]:
        for place, contents in listed.items():
            for one in contents.values():
                if one.modified <= self._before and one.file_id not in named:
                    yield Orphan(place, one.file_id, one.size, one.modified)

    def _read(
        self, listed: Mapping[str, Collection[str]]
    ) -> tuple[set[str], list[MissingFile]]:
        """The ids that documents, or this process, know, and the files that are
        missing.

        An id counts wherever a document has it: a field may have been renamed and its
        documents not be migrated yet, and two connectors of a user's own may not know
        that they keep the same contents.
        """
        named, missing = staged_ids(), []
        for name, owner in self._collections.items():
            for document in self._progress(name, _documents(owner.db_handler)):
                named.update(file_ids(document))
                missing += [
                    MissingFile(name, document["_id"], one.path, one.file_id)
                    for one in _files(owner, document)
                    if not _is_listed(one, listed) and _is_missing(owner, document, one)
                ]
        return named, missing


def _ago(time: timedelta) -> datetime:
    try:
        return datetime.now(UTC) - time
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _require_open(name: str, store: DBConnector) -> None:
    if store.restriction is not None and store.capabilities.restriction:
        raise BackoError(
            f"{name}: its store hides items, whose files would be taken for orphans"
        )


def _stores_of(plan: ItemPlan) -> Iterator[FileConnector]:
    for field in plan.every_field:
        if field.file is not None:
            yield from field.file.stores


def _documents(store: DBConnector) -> Iterator[Document]:
    with unrestricted():
        found = iter(store.scan())
    # Around each step alone: whoever gets the document is as restricted as ever.
    while (document := _next(found)) is not None:
        yield document


def _next(documents: Iterator[Document]) -> Document | None:
    with unrestricted():
        return next(documents, None)


def _files(owner: FileOwner, document: Document | None) -> Iterable[Held]:
    files = owner.plan.file_root
    found = {} if files is None else files_of(document, files)
    return [one for one in found.values() if not one.plan.inline]


def _is_listed(held: Held, listed: Mapping[str, Collection[str]]) -> bool:
    return any(held.file_id in listed.get(one.place, ()) for one in held.plan.stores)


def _is_missing(owner: FileOwner, document: Document, held: Held) -> bool:
    """Whether it is nowhere, and the item still has it."""
    # What other programs have written need be no id at all.
    with suppress(FileError):
        if is_there(held.plan, held.file_id):
            return False
    try:
        with unrestricted():
            now = owner.db_handler.get_by_id(document["_id"])
    except NotFoundError:
        return False
    return held.file_id in {one.file_id for one in _files(owner, now)}
