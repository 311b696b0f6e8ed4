"""What a store of items is to the rest of backo.

A connector need only have the six abstract methods of :class:`DBConnector`. What more
it can do it declares in :class:`Capabilities`; :meth:`DBConnector.find` and
:meth:`DBConnector.count` split each filter into the part the store answers and the
residual answered here, so that both give the same documents over every store.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from backo.connectors.edits import ListEdit
from backo.connectors.ids import new_id
from backo.connectors.recorded import RecordedTransaction
from backo.connectors.restriction import guard, is_unrestricted
from backo.connectors.texts import (
    Document,
    decode_document,
    encode_document,
    same_document,
)
from backo.connectors.transactions import HELD, Transaction, Turn, active
from backo.errors import NotFoundError
from backo.query.filter import (
    ALWAYS,
    NEVER,
    Always,
    And,
    Condition,
    Element,
    Filter,
    Linked,
    Never,
    Not,
    Op,
    Or,
    SortKey,
    all_of,
    any_of,
    matches,
    order,
    predicate,
    texts_at,
)
from backo.query.parse import UNTYPED, developers_own, parse_python
from backo.schema.plan import ItemPlan, Kind

__all__ = [
    "Capabilities",
    "DBConnector",
    "Document",
    "Query",
    "decode_document",
    "split",
]

_SCANNED = 200
"""Documents that a scan reads at once."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store does itself; whatever it does not, backo does in Python."""

    filters: bool = False
    """:meth:`DBConnector.find_pushed` answers filters of leaves that ``can_push``."""
    sort: bool = False
    """``find_pushed`` sorts by keys that ``can_sort``."""
    page: bool = False
    """``find_pushed`` skips and limits."""
    count: bool = False
    """``count_pushed`` counts without reading documents."""
    compare_and_set: bool = False
    """``compare_and_set`` is atomic for every process that uses the store."""
    json: bool = False
    """``get_json`` and ``find_json`` give stored JSON text."""
    restriction: bool = False
    """The connector joins its restriction to every operation in its own language."""


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """Which documents are wanted. Ties of ``sort`` go by ``_id``; limit 0: no limit."""

    filter: Filter = ALWAYS
    sort: tuple[SortKey, ...] = ()
    skip: int = 0
    limit: int = 0


class DBConnector(ABC):
    """The way to save and retrieve items, as documents.

    ``restriction=f``: ``f()`` gives a filter that documents must match to be found,
    read, changed or deleted through this connector. ``generate_id`` may be replaced on
    the instance. Every error of the store is a :class:`~backo.errors.DBError`.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()
    makes_ids: ClassVar[bool] = False
    """The store alone gives new documents their ids: none may be sent to it."""
    plan: ItemPlan = UNTYPED
    """The collection's plan once :meth:`bind` was called."""
    restriction: Callable[[], Any] | None = None

    def __init__(self, **kwargs: Any) -> None:
        self.restriction = kwargs.pop("restriction", None)
        if kwargs:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(kwargs)}")
        if self.restriction is not None and not self.capabilities.restriction:
            guard(self)

    # the six

    @abstractmethod
    def create(self, o: Document) -> str:
        """Store a new document and give its ``_id``. :raises DuplicateIdError:"""

    @abstractmethod
    def delete_by_id(self, _id: str) -> bool:
        """Delete a document, and give True. :raises NotFoundError:"""

    @abstractmethod
    def drop(self) -> None:
        """Delete every document of the collection."""

    @abstractmethod
    def get_by_id(self, _id: str) -> Document:
        """A private copy of the document. :raises NotFoundError:"""

    @abstractmethod
    def save(self, _id: str, o: Document) -> None:
        """Replace the document. :raises NotFoundError:"""

    @abstractmethod
    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
    ) -> list[Document]:
        """Documents by a filter in the store's own language; page size 0: all."""

    # optional capabilities

    def generate_id(self, o: Document) -> str:
        """An id for a document that has none: a UUIDv7, later ones sort after."""
        return new_id()

    def bind(self, plan: ItemPlan) -> None:
        """Take note of the collection's plan; called once, at registration."""
        self.plan = plan

    def place(self) -> object:
        """What identifies where documents are kept: equal for the same place."""
        return id(self)

    def close(self) -> None:  # noqa: B027
        """Give back what the connector holds open; it may be used again after."""

    # transactions

    def transaction_place(self) -> str:
        """Where its transactions are made: equal for connectors that share one. Units
        begin in the order of these texts, in every process."""
        return f"object:{id(self):x}"

    def begin(self, timeout: float) -> Transaction:
        """Begin a transaction: here one of recorded undo, with nobody else of this
        process writing.

        :raises ConflictError: others were writing for ``timeout`` seconds.
        """
        return RecordedTransaction(self, timeout)

    @property
    def records(self) -> bool:
        """Whether its transactions are of recorded undo: single writes wait for their
        end too."""
        return type(self).begin is DBConnector.begin

    def joined(self) -> Transaction | None:
        """The transaction of the unit in progress here, if it has one here."""
        unit = active()
        return None if unit is None else unit.at(self.transaction_place())

    def join(self) -> Transaction | None:
        """Like ``joined``, but one is begun if a unit is in progress."""
        unit = active()
        return None if unit is None else unit.join(self)

    def can_push(self, leaf: Condition | Element) -> bool:
        """Whether ``find_pushed`` answers this leaf exactly as the meaning says."""
        return False

    def accepts(self, tree: Filter) -> bool:
        """Whether ``find_pushed`` takes a filter of this size and depth."""
        return True

    def can_sort(self, key: SortKey) -> bool:
        """Whether ``find_pushed`` sorts by this key exactly as the meaning says."""
        return True

    def find_pushed(self, query: Query) -> list[Document]:
        """The documents of a query that asks only what was declared possible."""
        return self.select({}, {}, 0, 0, {"_id": 1})

    def count_pushed(self, tree: Filter) -> int:
        """How many documents a filter of pushable leaves has."""
        return len(self.find_pushed(Query(tree)))

    def own_filter(self, native: Any) -> Filter:
        """A filter in the store's own language, as :meth:`select` takes it, as one that
        can be joined with others; here by the ids of what it finds."""
        found = self.select(native, {"_id": 1}, 0, 0, {"_id": 1})
        ids = tuple(one["_id"] for one in found)
        return Condition(("_id",), Op.IN, ids, Kind.STRING) if ids else NEVER

    def get_json(self, _id: str) -> str:
        """The document's JSON text. :raises NotFoundError:"""
        return encode_document(_id, self.get_by_id(_id))

    def find_json(self, query: Query) -> list[str]:
        """Like :meth:`find`, as JSON texts."""
        return [encode_document(one["_id"], one) for one in self.find(query)]

    def find_values(self, tree: Filter, path: tuple[str, ...]) -> list[str]:
        """The distinct texts at ``path`` of the documents of any filter."""
        found = self.find(Query(tree))
        return list(
            dict.fromkeys(one for each in found for one in texts_at(each, path))
        )

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids, in this order, each once; others are left
        out."""
        found = []
        for _id in dict.fromkeys(ids):
            try:
                found.append(self.get_by_id(_id))
            except NotFoundError:
                continue
        return found

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        """Replace the document if it still is ``expected``, and tell whether it was.

        :raises NotFoundError: it is gone.
        """
        with self._lock:
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self.save(_id, new)
            return unchanged

    def edit_lists(self, _id: str, edits: Sequence[ListEdit], values: Document) -> bool:
        """Edit lists of the document and set its members ``values``, in one atomic step
        and whatever else is changed in it meanwhile; False: the store cannot, and
        nothing is done.

        :raises NotFoundError: it is gone.
        """
        return False

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        """Delete the document if it still is ``expected``, and tell whether it was.

        :raises NotFoundError: it is gone.
        """
        with self._lock:
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self.delete_by_id(_id)
            return unchanged

    # what backo calls

    def find(self, query: Query) -> list[Document]:
        """The documents of any query, by :func:`~backo.query.filter.matches`."""
        pushed, residual = self.split(query.filter)
        if self.answers(query, residual):
            return self.find_pushed(dataclasses.replace(query, filter=pushed))
        kept = order(self._residual(pushed, residual), query.sort)
        end = query.skip + query.limit if query.limit else None
        return kept[query.skip : end]

    def count(self, tree: Filter = ALWAYS) -> int:
        """How many documents any filter has."""
        pushed, residual = self.split(tree)
        if self.capabilities.count and isinstance(residual, Always):
            return self.count_pushed(pushed)
        return len(self._residual(pushed, residual))

    def scan(self) -> Iterator[Document]:
        """Every document, in the order of ids, with only some of them in memory where
        the store filters, sorts and pages.

        What others write meanwhile may be in it or not; no document is in it twice, and
        none is left out that was there all the time.
        """
        pushed, residual = self.split(ALWAYS)
        if not self._pages_by_id(pushed):
            yield from self.find(Query())
            return
        test, query = predicate(residual), Query(pushed, limit=_SCANNED)
        while found := self.find_pushed(query):
            yield from filter(test, found)
            tree = all_of([pushed, _after(found[-1]["_id"])])
            query = dataclasses.replace(query, filter=tree)

    def _pages_by_id(self, pushed: Filter) -> bool:
        able, after = self.capabilities, _after("")
        return (
            able.filters
            and able.sort
            and able.page
            and self.can_push(after)
            and self.accepts(all_of([pushed, after]))
        )

    def restriction_filter(self) -> Filter:
        """The restriction as a filter; overridden where the store has its own."""
        if self.restriction is None or self.capabilities.restriction:
            return ALWAYS
        if is_unrestricted():
            return ALWAYS
        with developers_own(f"{type(self).__name__}: its restriction"):
            return parse_python(self.restriction(), self.plan)

    def permits(self, document: Document) -> bool:
        """Whether the restriction lets this document be seen."""
        return self.restriction is None or matches(self.restriction_filter(), document)

    def split(self, tree: Filter) -> tuple[Filter, Filter]:
        """The filter, restriction included, as *(pushed, residual)*."""
        if self.restriction is not None:
            tree = all_of([tree, self.restriction_filter()])
        if not self.capabilities.filters:
            return ALWAYS, tree
        pushed, residual = split(tree, self.can_push)
        return (pushed, residual) if self.accepts(pushed) else (ALWAYS, tree)

    def answers(self, query: Query, residual: Filter) -> bool:
        """Whether nothing of the query is left to do in Python."""
        able = self.capabilities
        return (
            isinstance(residual, Always)
            and able.sort
            and able.page
            and all(map(self.can_sort, query.sort))
        )

    def _residual(self, pushed: Filter, residual: Filter) -> list[Document]:
        found = self.find_pushed(Query(pushed))
        if isinstance(residual, Always):
            return found
        test = predicate(residual)
        return [document for document in found if test(document)]

    @property
    def _turn(self) -> Turn:
        """The turn to write in this process, there even when a subclass forgot
        ``super()``."""
        turn: Turn | None = self.__dict__.get("_backo_turn")
        # In one step: another thread may be doing the same.
        return turn or self.__dict__.setdefault("_backo_turn", Turn())

    @property
    def _lock(self) -> AbstractContextManager[None]:
        """The turn, or nothing to wait for where the unit in progress has it."""
        return self._turn if self.joined() is None else HELD


# -- filters -----------------------------------------------------------------------


def _after(_id: str) -> Condition:
    """The documents whose ids sort after this one."""
    return Condition(("_id",), Op.GT, _id, Kind.STRING)


def split(
    tree: Filter, can_push: Callable[[Condition | Element], bool]
) -> tuple[Filter, Filter]:
    """*(pushed, residual)*: both together are ``tree``, and the first is made of
    leaves that ``can_push`` only. What is pushed may find more, never less."""
    match tree:
        case Always() | Never():
            return tree, ALWAYS
        case And(children):
            parts = [split(child, can_push) for child in children]
            return all_of(p for p, _ in parts), all_of(r for _, r in parts)
        case Or(children):
            parts = [split(child, can_push) for child in children]
            exact = all(isinstance(r, Always) for _, r in parts)
            return any_of(p for p, _ in parts), ALWAYS if exact else tree
        case Not(child):
            exact = isinstance(split(child, can_push)[1], Always)
            return (tree, ALWAYS) if exact else (ALWAYS, tree)
        case Linked():
            raise TypeError(f"not joined yet: {tree!r}")
        case _:
            return (tree, ALWAYS) if can_push(tree) else (ALWAYS, tree)
