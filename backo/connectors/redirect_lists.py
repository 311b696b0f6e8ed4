"""Lists of another backo server, in pages that it gives and that can be read."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from backo.connectors.base import Query
from backo.connectors.http_answers import Answer, TooLargeError, faulty_paths
from backo.connectors.redirect_schema import filter_json
from backo.connectors.texts import Document
from backo.errors import DBError
from backo.query.filter import Always, And, Condition, Filter, Op, all_of
from backo.schema.plan import Kind

__all__ = ["RefusedFilterError", "RemoteList", "after", "pieces"]

LARGEST_PAGE = 1000
"""The most that a backoffice gives at once, unless it was told otherwise."""
LONGEST_QUERY = 4000
"""Characters of a URL's query; a longer one goes into a body."""
MOST_VALUES = 500
"""Values of a ``$in`` that are asked for at once: a server takes a thousand conditions
at most, others in the filter included."""


class RefusedFilterError(DBError):
    """The other server does not take the filter."""


class _PageTooLargeError(DBError):
    """The other server does not give so many items at once."""


def after(_id: str) -> Condition:
    """The items whose ids sort after this one."""
    return Condition(("_id",), Op.GT, _id, Kind.STRING)


def pieces(tree: Filter) -> list[Filter]:
    """Filters that together find what ``tree`` does: a long ``$in`` in several."""
    match tree:
        case Condition(_, Op.IN, values, _) if len(values) > MOST_VALUES:
            starts = range(0, len(values), MOST_VALUES)
            some = (values[start : start + MOST_VALUES] for start in starts)
            return [dataclasses.replace(tree, value=one) for one in some]
        case And(children):
            for at, child in enumerate(children):
                if len(parts := pieces(child)) > 1:
                    others = children[:at] + children[at + 1 :]
                    return [all_of([one, *others]) for one in parts]
    return [tree]


class RemoteList:
    """The lists of one collection. Where a page turns out too large for the other
    server, or for the bound on its answers, pages are halved from then on."""

    def __init__(
        self,
        ask: Callable[..., Answer],
        collection: str,
        view: Mapping[str, str],
    ) -> None:
        self._ask = ask
        self._collection = collection
        self._view = view
        self._size = LARGEST_PAGE

    def page(self, query: Query) -> list[Document] | None:
        """What a query finds, as shown there, by one request; None: one is not enough.

        :raises RefusedFilterError: the other server does not take the filter.
        """
        while 0 < query.limit <= self._size and len(pieces(query.filter)) == 1:
            found = self._rows(query)
            if found is not None:
                return found
        return None

    def all(self, tree: Filter) -> Iterator[Document]:
        """Every item of a filter, once.

        :raises RefusedFilterError: the other server does not take the filter.
        """
        parts = pieces(tree)
        if len(parts) == 1:
            return self._by_id(tree)
        found = (row for part in parts for row in self._by_id(part))
        return iter({row["_id"]: row for row in found}.values())

    def _by_id(self, tree: Filter) -> Iterator[Document]:
        """Every item of a filter, by id: what others write meanwhile moves none of
        them from one page to another."""
        rest = tree
        while True:
            size = self._size
            rows = self._rows(Query(rest, limit=size))
            if rows is None:
                continue
            yield from rows
            if len(rows) < size:
                return
            rest = all_of([tree, after(rows[-1]["_id"])])

    def total(self, tree: Filter) -> int:
        """How many items a filter has.

        :raises RefusedFilterError: the other server does not take the filter.
        """
        if len(pieces(tree)) > 1:
            return sum(1 for _ in self.all(tree))
        total = self._listed(tree, {"_page": 1}).get("total")
        if isinstance(total, bool) or not isinstance(total, int):
            raise DBError("the other server does not say how many there are")
        return total

    def _rows(self, query: Query) -> list[Document] | None:
        """What a query finds; None: pages are smaller now."""
        try:
            rows = self._listed(query.filter, _asked(query)).get("result")
        except _PageTooLargeError as error:
            if self._size == 1:
                raise DBError("the other server gives not even one item") from error
            self._size = max(min(query.limit, self._size) // 2, 1)
            return None
        if not isinstance(rows, list) or not all(map(_is_item, rows)):
            raise DBError("the other server's answer is no list of items")
        return rows

    def _listed(self, tree: Filter, asked: Mapping[str, Any]) -> Document:
        """What the other server says to a list.

        :raises RefusedFilterError: it does not take the filter.
        :raises _PageTooLargeError: it does not give so many at once.
        """
        parameters = {**asked, **self._view}
        said = {} if isinstance(tree, Always) else filter_json(tree)
        text = json.dumps(said, separators=(",", ":"))
        query = urlencode({"filter": text, **parameters} if said else parameters)
        if len(query) <= LONGEST_QUERY:
            return self._answered("GET", f"{self._collection}?{query}", None)
        path = f"{self._collection}/_selections/_all?{urlencode(parameters)}"
        return self._answered("POST", path, said)

    def _answered(self, method: str, path: str, content: Any) -> Document:
        also = frozenset({400, 413})
        try:
            answer = self._ask(method, path, content, idempotent=True, also=also)
        except TooLargeError as error:
            raise _PageTooLargeError(str(error)) from error
        if answer.ok:
            return answer.document()
        named = faulty_paths(answer)
        if "_page" in named:
            raise _PageTooLargeError("the page is too large")
        raise RefusedFilterError(f"status {answer.status}, about {sorted(named)}")


def _is_item(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("_id"), str)


def _asked(query: Query) -> dict[str, Any]:
    """The parameters for one page of a query."""
    asked: dict[str, Any] = {"_page": query.limit, "_total": 0}
    if query.skip:
        asked["_skip"] = query.skip
    if query.sort:
        asked["_sort"] = ",".join(
            f"{'-' if one.descending else ''}$.{'.'.join(one.path)}"
            for one in query.sort
        )
    return asked
