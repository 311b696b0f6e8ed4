"""What is wrong with the rows of a file, before anything of it is stored."""

import dataclasses
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import pydantic

from backo.collection import Collection as ItemCollection
from backo.connectors.texts import checked_id, encode_document
from backo.documents import encode, overlay
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    DBError,
    Fault,
    FileError,
    ValidationError,
)
from backo.exchange.owners import Owners
from backo.exchange.rows import Row
from backo.files.structures import resolved
from backo.item import Item
from backo.references.work import unknown_targets
from backo.schema.faults import faults_of, stricto_faults
from backo.schema.models import DocumentModel, stored_model
from backo.schema.plan import FieldPlan
from backo.schema.wire import check_json

__all__ = ["Change", "Checker", "faults_of_failure"]

type Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What one row asks for."""

    row: Row
    _id: str | None
    """None: the store gives one."""
    values: Document
    """Valid: a new item, the changes to one, or a whole document."""
    before: Document | None
    """The document that is to be changed; None for a new one."""


class Checker:
    """Reads rows of one file as changes of one collection, in the file's order.

    :param restore: rows are whole documents, to be stored as they are.
    :param update: an id that is there already names the item to be changed.
    """

    def __init__(
        self, collection: ItemCollection, *, restore: bool, update: bool
    ) -> None:
        self.collection = collection
        self.restore = restore
        self.update = update
        self._seen = _Seen()
        self._owners = Owners(collection)
        plan = collection.plan
        self._root = plan.root
        self._through_items = not plan.write_static
        self._model = stored_model(plan) if restore else collection.models.create

    def close(self) -> None:
        """Forget which ids and files there were."""
        self._seen.close()
        self._owners.close()

    def check(self, row: Row) -> tuple[Change, list[Fault]]:
        """What the row asks for, and every fault that forbids it."""
        if row.unreadable:
            return Change(row, None, {}, None), list(row.faults)
        given = row.document.get("_id")
        wrong = list(self._id_faults(given, row.line))
        faults = [*wrong, *row.faults]
        _id = given if isinstance(given, str) else None
        before = None if wrong or _id is None else self._stored(_id)
        if before is not None and not self.update:
            faults.append(Fault("$._id", "is there already", "duplicate_id"))
            before = None
        whole = self._whole if self.restore else self._partial
        values, found = whole(row, before)
        known = {fault.path for fault in faults}
        faults += [fault for fault in found if fault.path not in known]
        return Change(row, _id, values, before), faults

    # --- Ids ----------------------------------------------------------------------

    def _id_faults(self, _id: Any, line: int) -> Iterator[Fault]:
        if _id is None:
            if self.restore:
                yield Fault("$._id", "is required", "required")
            return
        try:
            first = self._seen.note(checked_id(_id), line)
        except DBError as error:
            yield Fault("$._id", str(error).removeprefix("an _id "), "type")
            return
        if first is not None:
            message = f"is the id of line {first} too"
            yield Fault("$._id", message, "duplicate_id")

    def _stored(self, _id: str) -> Document | None:
        found = self.collection.db_handler.get_many([_id])
        return found[0] if found else None

    # --- Documents ----------------------------------------------------------------

    def _whole(self, row: Row, before: Document | None) -> tuple[Document, list[Fault]]:
        """A document as it is to be stored."""
        document = (
            _without_null(row.document, self._root) if row.sparse else row.document
        )
        faults = _storable(document) or self._by_model(document, self._model)[1]
        if not faults and self._through_items:
            faults = _tried(lambda: self._as_stored(document).check_stored())
        return document, faults or self._owners.claim(document)

    def _partial(
        self, row: Row, before: Document | None
    ) -> tuple[Document, list[Fault]]:
        """The values of a new item, or those to be changed in one."""
        given = {key: value for key, value in row.document.items() if key != "_id"}
        model = self._model if before is None else self.collection.models.update
        if before is None and row.sparse:
            given = _without_null(given, self._root)
        values, faults = self._by_model(given, model)
        values, refused = (values, []) if faults else self._filed(values, before)
        faults += refused
        after = values if before is None else overlay(before, values, self._root)
        if not faults and self._through_items:
            faults = _tried(lambda: after.update(self._through_item(values, before)))
        after = {**after, "_id": row.document.get("_id")}
        kept = [] if refused else _storable(after)
        return values, [*faults, *kept, *self._unknown(before, after)]

    def _filed(
        self, values: Document, before: Document | None
    ) -> tuple[Document, list[Fault]]:
        """``values`` with contents of files staged."""
        files = self.collection.plan.file_root
        if files is None:
            return values, []
        try:
            return resolved(values, before, files), []
        except (FileError, ValidationError) as error:
            return values, faults_of_failure(error)

    def _by_model(
        self, document: Document, model: type[DocumentModel]
    ) -> tuple[Document, list[Fault]]:
        try:
            return model.document(document), []
        except pydantic.ValidationError as error:
            return document, list(faults_of(error, self.collection.plan).faults)
        except RecursionError:
            return document, [Fault("$", "is nested too deeply", "type")]

    def _through_item(self, values: Document, before: Document | None) -> Document:
        """The document that the item would be stored as.

        :raises SConstraintError, STypeError: it breaks the schema.
        """
        if before is None:
            item = self.collection.new_item()
            item.disable_permissions()
            item.set(values)
        else:
            item = self._as_stored(before)
            item.overwrite(values)
            item.check_stored()
        document: Document = encode(item, self.collection.plan.view("save"))
        return document

    def _as_stored(self, document: Document) -> Item:
        item = self.collection.new_item()
        item.disable_permissions()
        item.read_from(document)
        return item

    # --- References ---------------------------------------------------------------

    def _unknown(self, before: Document | None, after: Document) -> list[Fault]:
        links = self.collection.links
        if not links.kept:
            return []
        graph = self.collection.graph
        return unknown_targets(graph, links.name, before, after, self._there)

    def _there(self, name: str, ids: Iterable[str]) -> Collection[str]:
        """Which of these are stored, or in the rows before."""
        asked = list(ids)
        known = self._seen.known(asked) if name == self.collection.name else set()
        return known | self.collection.neighbour(name).stored_documents(asked).keys()


class _Seen:
    """The ids of the rows so far, and their lines; kept on disk when there are many."""

    def __init__(self) -> None:
        # No name: a temporary database, which spills from memory to a file of its own.
        self._ids = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY, line INTEGER)")
        self._ids.execute("BEGIN")

    def note(self, _id: str, line: int) -> int | None:
        """Remember the id; gives the line that had it first, if one had."""
        found = self._ids.execute(
            "SELECT line FROM ids WHERE id = ?", (_id,)
        ).fetchone()
        if found is not None:
            return int(found[0])
        self._ids.execute("INSERT INTO ids VALUES (?, ?)", (_id, line))
        return None

    def known(self, ids: Iterable[str]) -> set[str]:
        found = "SELECT 1 FROM ids WHERE id = ?"
        return {_id for _id in ids if self._ids.execute(found, (_id,)).fetchone()}

    def close(self) -> None:
        self._ids.close()


def _tried(check: Callable[[], object]) -> list[Fault]:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - users' constraints raise anything
        return faults_of_failure(error)
    return []


def faults_of_failure(error: Exception) -> list[Fault]:
    """What an error says of the row that it was raised for."""
    if isinstance(error, VALUE_ERRORS):
        return list(stricto_faults(error))
    faults = getattr(error, "faults", None)
    if faults:
        return list(faults)
    if isinstance(error, BackoError):
        return [Fault("$", str(error), error.code)]
    return [Fault("$", f"{type(error).__name__}: {error}", "invalid")]


def _storable(document: Document) -> list[Fault]:
    """What no store could keep."""
    try:
        check_json(document)
        encode_document("", document)
    except (DBError, ValueError) as error:
        return [Fault("$", str(error), "type")]
    except RecursionError:
        return [Fault("$", "is nested too deeply", "type")]
    return []


def _without_null(document: Mapping[str, Any], field: FieldPlan) -> Document:
    """The document without the fields that are null, and Dicts that are then empty."""
    kept: Document = {}
    for key, value in document.items():
        child = field.field(key)
        if child is not None and child.grouping and isinstance(value, dict):
            value = _without_null(value, child) or None
        if value is not None:
            kept[key] = value
    return kept
