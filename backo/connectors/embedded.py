"""What the stores inside the process have in common: backo's filters are their own
language, and ids are made before anything is stored."""

from typing import Any

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.texts import checked_id
from backo.query.filter import Filter
from backo.query.parse import parse_python, parse_sort

__all__ = ["EmbeddedConnector"]


class EmbeddedConnector(DBConnector):
    """A connector whose ``select`` takes what ``Collection.select`` takes."""

    def id_for(self, document: Document) -> str:
        """The id to create the document under: its own, or a generated one."""
        given = document.get("_id")
        return checked_id(self.generate_id(document) if given is None else given)

    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
    ) -> list[Document]:
        query = Query(
            filter=parse_python(select_filter, self.plan),
            sort=parse_sort(sort_object, self.plan),
            skip=num_of_element_to_skip,
            limit=page_size,
        )
        return [_projected(document, projection) for document in self.find(query)]

    def own_filter(self, native: Any) -> Filter:
        """The language of these stores is backo's own."""
        return parse_python(native, self.plan)


def _projected(document: Document, projection: Any) -> Document:
    """The document with ``_id`` and the fields of ``{"a.b": 1}`` only; all if empty."""
    if not projection:
        return document
    chosen: Document = {"_id": document.get("_id")}
    for dotted in projection:
        if projection[dotted]:
            _copy_path(document, chosen, dotted.removeprefix("$.").split("."))
    return chosen


def _copy_path(source: Document, target: Document, names: list[str]) -> None:
    for name in names[:-1]:
        below = source.get(name)
        if not isinstance(below, dict):
            return
        source, target = below, target.setdefault(name, {})
    if names[-1] in source:
        target[names[-1]] = source[names[-1]]
