"""The documents of a collection, one after the other, into a file."""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from backo.collection import Collection
from backo.connectors.texts import encode_document
from backo.documents import encode
from backo.errors import FilterError, SSyntaxError
from backo.exchange.cells import columns_of
from backo.exchange.rows import Format
from backo.query.builder import Neighbour
from backo.query.filter import Filter, predicate
from backo.query.parse import parse_json
from backo.references.joining import joined
from backo.schema.plan import FieldPlan, Kind

__all__ = ["Export"]

type Document = dict[str, Any]


class Export:
    """What is to be exported of a collection, whoever may read it.

    :param filter: which documents, as in a request's JSON.
    :param view: what of each; None: all that is stored, fields that the schema does not
        know included.
    :raises FilterError: the filter, or the view, names what there is not.
    """

    def __init__(
        self, collection: Collection, *, filter: Any = None, view: str | None = None
    ) -> None:
        self.collection = collection
        self.view = view
        if view is not None and view not in collection.plan.view_names:
            listed = ", ".join(collection.plan.view_names)
            raise FilterError(f"there is no view {view!r:.100}; there are {listed}")
        self._tree = None if filter is None else self._parsed(filter)
        self._root = collection.plan.view("save" if view is None else view)
        if view is not None:
            self._root = _readable(self._root)

    def documents(self) -> Iterator[Document]:
        """The documents in the order of their ids, keys in the order of the schema."""
        test = None if self._tree is None else predicate(self._tree)
        for document in self.collection.db_handler.scan():
            if test is None or test(document):
                yield _in_order(self._shown(document), self._root)

    def write(
        self,
        file: TextIO,
        form: Format,
        progress: Callable[[Iterable[Document]], Iterable[Document]] = iter,
    ) -> int:
        """Write the documents, a few of them in memory at a time; gives how many.

        :param file: in UTF-8, with no translation of line ends.
        :param progress: is handed the documents, and hands them on.
        :raises BackoError: a document has a value that cannot stand in a CSV file.
        """
        put = _csv if form is Format.CSV else _json_lines
        return put(progress(self.documents()), self._root, file)

    def _parsed(self, filter: Any) -> Filter:
        plan = self.collection.plan
        return joined(parse_json(filter, plan, _is_stored, self._look), self._values_of)

    def _look(self, name: str) -> Neighbour | None:
        try:
            other = self.collection.get_other_collection(name)
        except SSyntaxError:
            return None
        return Neighbour(other.plan, _is_stored)

    def _values_of(self, name: str, condition: Filter, path: str) -> list[str]:
        other = self.collection.get_other_collection(name)
        return other.visible.stored_ids_in(path, condition)

    def _shown(self, document: Document) -> Document:
        if self.view is None:
            return document
        if not self.collection.item_needed["read"]:
            return self.collection.models.views[self.view].document(document)
        item = self.collection.new_item()
        item.disable_permissions()
        item.arrive(document)
        shown: Document = encode(item, self._root)
        return shown


def _is_stored(field: FieldPlan) -> bool:
    return field.stored


def _readable(field: FieldPlan) -> FieldPlan:
    """``field`` with what nobody may read removed."""
    kept = tuple(_readable(child) for child in field.fields if not child.unreadable)
    element = None if field.element is None else _readable(field.element)
    return dataclasses.replace(field, fields=kept, element=element)


def _in_order(value: Any, field: FieldPlan) -> Any:
    """The value with its keys as the schema has them, and others after."""
    if field.kind is Kind.DICT and isinstance(value, dict):
        known = {
            child.name: _in_order(value[child.name], child)
            for child in field.fields
            if child.name in value
        }
        return known | {key: one for key, one in value.items() if key not in known}
    if field.element is not None and isinstance(value, list):
        return [_in_order(one, field.element) for one in value]
    return value


def _json_lines(documents: Iterable[Document], _root: FieldPlan, file: TextIO) -> int:
    number = 0
    for document in documents:
        file.write(encode_document(document["_id"], document) + "\n")
        number += 1
    return number


def _csv(documents: Iterable[Document], root: FieldPlan, file: TextIO) -> int:
    columns, writer, number = columns_of(root), csv.writer(file), 0
    writer.writerow([column.name for column in columns])
    for document in documents:
        writer.writerow([column.cell(document) for column in columns])
        number += 1
    return number
