"""Selection: a list of a collection's items that has a name, as the developer wants
it."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pydantic

from backo.access import Access
from backo.asking import Askable, Asked, Pairs, asked, expanded
from backo.connectors.base import Query
from backo.documents import with_dicts
from backo.errors import BackoError, FilterError, SRightError, SSyntaxError
from backo.item import Home, Item
from backo.query.builder import Neighbour, Neighbours
from backo.query.filter import ALWAYS, Filter, all_of
from backo.query.paging import EXPAND
from backo.query.parse import developers_own, everything, parse_python, parse_sort
from backo.references.graph import Graph
from backo.references.selecting import Selecting, compile_selector, values_of
from backo.schema.faults import faults_of
from backo.schema.models import DocumentModel
from backo.schema.plan import ItemPlan, Right, is_readable
from backo.schema.rights import verdict
from backo.schema.rows import Selected, row_model
from backo.visible import Document, Row, Visible

__all__ = ["ALL", "CollectionAddon", "Selection", "SelectionOwner"]

ALL = "_all"
"""The selection that every collection has: whole items, without a filter."""
_ID = "$._id"


def _listed(selectors: Any) -> list[str] | None:
    """The selectors besides ``$._id``, which is always first."""
    if selectors is None:
        return None
    if not isinstance(selectors, list | tuple):
        raise SSyntaxError("selectors must be a list of paths, not {0}", selectors)
    if not all(isinstance(one, str) for one in selectors):
        raise SSyntaxError("selectors must be texts: {0}", selectors)
    return [one for one in selectors if one != _ID]


class SelectionOwner(Home, Askable, Protocol):
    """What a selection needs of its collection."""

    model: Item
    access: Access

    @property
    def graph(self) -> Graph: ...

    def forbids(self, right: str) -> bool: ...

    def get_other_collection(self, name: str) -> Any: ...


class CollectionAddon:
    """What is registered in a collection under a name."""

    name: str | None = None
    """The name; None until it is registered."""
    _owner: SelectionOwner | None = None

    def bind(self, name: str, owner: SelectionOwner) -> None:
        """Belong to a collection; it calls this when the addon is registered.

        :raises SSyntaxError: it belongs to another one.
        """
        if self._owner not in (None, owner) or self.name not in (None, name):
            raise SSyntaxError("{0}: is registered elsewhere as {1}", name, self.name)
        self.name, self._owner = name, owner

    @property
    def owner(self) -> SelectionOwner:
        """The collection it is registered in.

        :raises SSyntaxError: there is none.
        """
        if self._owner is None:
            raise SSyntaxError("{0}: is in no collection", type(self).__name__)
        return self._owner


@dataclasses.dataclass(frozen=True, slots=True)
class _Compiled:
    """What the selectors are, as long as no schema changes."""

    graph: Graph
    selecting: tuple[Selecting, ...]
    row: type[DocumentModel]
    schema: Document
    """The JSON Schema of a row."""


class Selection(CollectionAddon):
    """Some values of some items: a row of them for each.

    :param selectors: RFC 9535 paths, also through references: ``$.title``,
        ``$.author.nationality.a2``, ``$.books[0:2].title``. A row is a list: the
        ``_id`` and what each of them selects, in this order. None: whole items.
    :param filter: which items: a dict, a tuple, an SFilter, or a function without
        arguments that gives one for each request. It may look at every field, whatever
        the caller may read.
    :param db_filter: the same in the connector's own language, besides.
    :param sort: the order where none is asked for: ``-$.pages,$.title``, or a dict of
        1 and -1.
    :param can_read: who may: a bool, or ``f("read", item)`` with an empty item.
    :raises SSyntaxError: an option is of the wrong type.
    """

    def __init__(
        self,
        selectors: list[str] | None = None,
        *,
        filter: Any = None,
        db_filter: Any = None,
        sort: str | dict[str, int] | None = None,
        can_read: Right = None,
        description: str | None = None,
    ) -> None:
        self.selectors = _listed(selectors)
        self.filter = filter
        self.db_filter = db_filter
        self.sort = sort
        self.right = can_read
        self.description = description
        self._known: _Compiled | None = None

    def __repr__(self) -> str:
        return f"Selection({self.name!r})"

    # --- The declaration ----------------------------------------------------------

    def bind(self, name: str, owner: SelectionOwner) -> None:
        super().bind(name, owner)
        try:
            self.check()
        except SSyntaxError:
            # Other collections may still come; `check_syntax` looks again.
            if owner.graph.complete:
                self.name = self._owner = None
                raise

    def check(self) -> None:
        """Pass, or raise.

        :raises SSyntaxError: a selector, the filter or the sort is not valid for the
            collection; the message names the selection.
        """
        if not self.row_is_item:
            _ = self.row
        try:
            self._sort()
            if not callable(self.filter):
                look = self._unlimited()
                parse_python(self.filter, self.owner.plan, everything, look)
        except BackoError as error:
            raise self._wrong(str(error)) from error

    def _wrong(self, why: str) -> SSyntaxError:
        return SSyntaxError("{0}: selection {1}: {2}", self.owner.name, self.name, why)

    @property
    def row_is_item(self) -> bool:
        """Whether its rows are whole items."""
        return self.selectors is None

    @property
    def row(self) -> type[DocumentModel]:
        """The model of its rows.

        :raises SSyntaxError: a selector is not valid.
        """
        return self._compiled.row

    @property
    def _compiled(self) -> _Compiled:
        graph = self.owner.graph
        if self._known is None or self._known.graph is not graph:
            selectors = (_ID, *(self.selectors or ()))
            selecting = tuple(self._selecting(one) for one in selectors)
            row = row_model(f"{self.name}Row", [one.column for one in selecting])
            self._known = _Compiled(graph, selecting, row, row.model_json_schema())
        return self._known

    def _selecting(self, selector: str) -> Selecting:
        look = self.owner.visible.declared_neighbours()
        try:
            return compile_selector(selector, self.owner.plan.root, look)
        except SSyntaxError as error:
            raise self._wrong(error.to_string()) from error

    def hidden(self, plan: ItemPlan, look: Neighbours) -> frozenset[int]:
        """Which places of its rows are empty where items are what ``plan`` shows of
        them, and other collections what ``look`` shows."""
        found = set()
        for at, one in enumerate(self._compiled.selecting):
            try:
                compile_selector(one.column.selector, plan.root, look)
            except SSyntaxError:
                found.add(at)
        return frozenset(found)

    def get_schema(self) -> dict[str, Any]:
        """What it is: its selectors (None: whole items), and the JSON Schema of a
        row."""
        shown = None if self.selectors is None else [_ID, *self.selectors]
        row = None if self.row_is_item else copy.deepcopy(self._compiled.schema)
        return {
            "name": self.name,
            "description": self.description,
            "selectors": shown,
            "row": row,
        }

    # --- Rights -------------------------------------------------------------------

    @property
    def forbidden(self) -> bool:
        """Whether it is refused to everybody for good."""
        return self.right is False

    def can_read(self) -> bool:
        """Whether the current user may read it; nobody may where nobody may read the
        collection."""
        if self.owner.forbids("read"):
            return False
        if callable(self.right):
            return verdict(self.right, "read", self.owner.model) is True
        return self.right is not False

    def require(self) -> None:
        """Pass, or raise.

        :raises SRightError: the current user may not read it.
        """
        if not self.can_read():
            raise SRightError(
                "{0}: you may not read the selection {1}", self.owner.name, self.name
            )

    # --- Selecting ----------------------------------------------------------------

    def select(
        self,
        match_filter: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        db_sort_object: str | dict[str, int] | None = None,
    ) -> list[Any]:
        """Its rows, as lists of plain values in document form; Items where it has no
        selectors. Those that match its own filter and ``match_filter``, and that the
        current user may read.

        :param page_size: how many at most; 0: all. Neither number is negative.
        :param db_sort_object: the order; None: its own, or that of the ids.
        :raises SRightError: the current user may not read it.
        :raises FilterError: the filter or the sort names an unknown field or operator.
        """
        self.require()
        _refuse_negative(
            page_size=page_size, num_of_element_to_skip=num_of_element_to_skip
        )
        plan = self.owner.seen.plan
        look = self.owner.visible.neighbours(lambda _plan: is_readable)
        query = Query(
            filter=parse_python(match_filter, plan, is_readable, look),
            sort=parse_sort(db_sort_object, plan, is_readable, look),
            skip=num_of_element_to_skip,
            limit=page_size,
        )
        visible, own = self.owner.visible, self._own_filter()
        query = self._in_order(query)
        if self.row_is_item:
            return list(visible.items(query, own))
        return self._rows(visible.page(query, total=False, own=own).rows)

    def answer(self, pairs: Pairs, body: Any = None) -> Document:
        """The page that these parameters, and a filter as parsed JSON, ask for: as
        HTTP answers with.

        :raises SRightError: the current user may not read it.
        :raises FilterError: a parameter is not valid.
        """
        self.require()
        if not self.row_is_item:
            _refuse(pairs, {"_view", EXPAND})
        wanted = asked(self.owner, pairs, body)
        rows, total = self._page(wanted)
        counted = {} if total is None else {"total": total}
        page = {"_skip": wanted.page.skip, "_page": wanted.page.size}
        return {"result": rows, **counted, **page}

    def _page(self, wanted: Asked) -> tuple[list[Any], int | None]:
        query, own = self._in_order(wanted.query), self._own_filter()
        if not self.row_is_item:
            found = self.owner.visible.page(query, total=wanted.total, own=own)
            return self._rows(found.rows), found.total
        shown = self.owner.access.listing(
            query, wanted.view, total=wanted.total, own=own
        )
        expanded(self.owner, shown.rows, wanted.into)
        return shown.rows, shown.total

    def _rows(self, found: Sequence[Row]) -> list[list[Any]]:
        """The rows of items that were found.

        :raises BackoError: the store holds what a schema does not allow.
        """
        compiled, visible = self._compiled, self.owner.visible
        documents = [visible.document(one) for one in found]
        values = values_of(compiled.selecting, documents, self._source_of)
        try:
            return [compiled.row.row(one) for one in values]
        except pydantic.ValidationError:
            # Rarely is a Dict null.
            filled = [self._with_dicts(one) for one in values]
        try:
            return [compiled.row.row(one) for one in filled]
        except pydantic.ValidationError as error:
            faults = faults_of(error, self.owner.plan)
            raise BackoError(
                f"{self.owner.name}: what is stored breaks the schema: {faults}"
            ) from error

    def _with_dicts(self, row: list[Any]) -> list[Any]:
        columns = [one.column.gives for one in self._compiled.selecting]
        return [_filled(value, one) for value, one in zip(row, columns, strict=True)]

    def _in_order(self, query: Query) -> Query:
        """``query`` in the selection's own order where it asks for none."""
        if query.sort or not self.sort:
            return query
        return Query(query.filter, self._sort(), query.skip, query.limit)

    def _own_filter(self) -> Filter:
        """Its own filter for the request in progress."""
        wanted = self.filter() if callable(self.filter) else self.filter
        # Most lists have none, and are asked for most.
        declared = ALWAYS if wanted is None else self.owner.visible.developers(wanted)
        if self.db_filter is None:
            return declared
        with developers_own(f"{self.owner.name}: the db_filter of {self.name}"):
            own = self.owner.db_handler.own_filter(self.db_filter)
        return all_of([declared, own])

    def _sort(self) -> tuple[Any, ...]:
        return parse_sort(self.sort, self.owner.plan, everything, self._unlimited())

    def _unlimited(self) -> Callable[[str], Neighbour | None]:
        return self.owner.visible.whole_neighbours()

    def _source_of(self, name: str) -> Visible:
        visible: Visible = self.owner.get_other_collection(name).visible
        return visible


def _refuse_negative(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            raise FilterError("must not be negative", path=name)


def _filled(value: Any, gives: Selected) -> Any:
    """``value`` without null where a Dict stands in it."""
    if gives.each is not None and isinstance(value, list):
        return [_filled(one, gives.each) for one in value]
    return with_dicts(value, gives.field)


def _refuse(pairs: Pairs, names: set[str]) -> None:
    for name, _ in pairs:
        if name in names:
            raise FilterError("is for whole items, not for rows", path=name)
