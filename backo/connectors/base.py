"""What a store of items is to the rest of backo.

A connector need only have the six abstract methods of :class:`DBConnector`. What more
it can do it declares in :class:`Capabilities`; :meth:`DBConnector.find` and
:meth:`DBConnector.count` split each filter into the part the store answers and the
residual answered here, so that both give the same documents over every store.
"""

import dataclasses
import json
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from backo.errors import DBError, NotFoundError
from backo.query.filter import (
    ALWAYS,
    Always,
    And,
    Condition,
    Element,
    Filter,
    Never,
    Not,
    Or,
    SortKey,
    all_of,
    any_of,
    matches,
    order,
    predicate,
)
from backo.query.parse import UNTYPED, parse_python, parse_sort
from backo.schema.plan import ItemPlan

__all__ = [
    "Capabilities",
    "DBConnector",
    "Document",
    "Query",
    "checked_id",
    "decode_document",
    "encode_document",
    "encode_replacement",
    "id_for",
    "new_id",
    "not_found",
    "project",
    "same_document",
    "select_by_find",
    "split",
]

type Document = dict[str, Any]


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
    plan: ItemPlan = UNTYPED
    """The collection's plan once :meth:`bind` was called."""
    restriction: Callable[[], Any] | None = None

    def __init__(self, **kwargs: Any) -> None:
        self.restriction = kwargs.pop("restriction", None)
        if kwargs:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(kwargs)}")
        if self.restriction is not None and not self.capabilities.restriction:
            _guard(self)

    # the six

    @abstractmethod
    def create(self, o: Document) -> str:
        """Store a new document and give its ``_id``. :raises DuplicateIdError:"""

    @abstractmethod
    def delete_by_id(self, _id: str) -> Any:
        """Delete a document. :raises NotFoundError:"""

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

    def close(self) -> None:  # noqa: B027
        """Give back what the connector holds open; it may be used again after."""

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

    def get_json(self, _id: str) -> str:
        """The document's JSON text. :raises NotFoundError:"""
        return encode_document(_id, self.get_by_id(_id))

    def find_json(self, query: Query) -> list[str]:
        """Like :meth:`find`, as JSON texts."""
        return [encode_document(one["_id"], one) for one in self.find(query)]

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

    def restriction_filter(self) -> Filter:
        """The restriction as a filter; overridden where the store has its own."""
        if self.restriction is None or self.capabilities.restriction:
            return ALWAYS
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
    def _lock(self) -> threading.RLock:
        """The instance's lock, there even when a subclass forgot ``super()``."""
        lock: threading.RLock = self.__dict__.setdefault("_rlock", threading.RLock())
        return lock


# -- filters -----------------------------------------------------------------------


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
        case _:
            return (tree, ALWAYS) if can_push(tree) else (ALWAYS, tree)


def select_by_find(
    connector: DBConnector,
    select_filter: Any,
    projection: Any,
    page_size: int,
    skip: int,
    sort_object: Any,
) -> list[Document]:
    """``select`` for stores whose own language is backo's filters."""
    query = Query(
        parse_python(select_filter, connector.plan),
        parse_sort(sort_object, connector.plan),
        skip,
        page_size,
    )
    return [project(document, projection) for document in connector.find(query)]


def project(document: Document, projection: Any) -> Document:
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


# -- restriction -------------------------------------------------------------------


def _guard(connector: DBConnector) -> None:
    """Put the restriction before the instance's own ways to one document.

    Done on the instance, so that subclasses with nothing but the six methods obey too.
    """
    connector.__dict__.update(
        get_by_id=partial(_guarded_get, connector, connector.get_by_id),
        get_json=partial(_guarded_text, connector, connector.get_json),
        get_many=partial(_guarded_many, connector, connector.get_many),
        save=partial(_after_get, connector, connector.save),
        delete_by_id=partial(_after_get, connector, connector.delete_by_id),
        compare_and_set=partial(_if_expected, connector, connector.compare_and_set),
        compare_and_delete=partial(
            _if_expected, connector, connector.compare_and_delete
        ),
    )


def _guarded_get(
    connector: DBConnector, get: Callable[[str], Document], _id: str
) -> Document:
    document = get(_id)
    if not connector.permits(document):
        raise not_found(_id)
    return document


def _guarded_text(connector: DBConnector, get: Callable[[str], str], _id: str) -> str:
    text = get(_id)
    if not connector.permits(json.loads(text)):
        raise not_found(_id)
    return text


def _guarded_many(
    connector: DBConnector,
    get: Callable[[Iterable[str]], list[Document]],
    ids: Iterable[str],
) -> list[Document]:
    return [document for document in get(ids) if connector.permits(document)]


def _after_get(
    connector: DBConnector, change: Callable[..., Any], _id: str, *values: Any
) -> Any:
    with connector._lock:
        connector.get_by_id(_id)
        return change(_id, *values)


def _if_expected(
    connector: DBConnector,
    change: Callable[..., bool],
    _id: str,
    expected: Document,
    *values: Any,
) -> bool:
    """What is not permitted was never read, so it cannot be what the caller expects."""
    connector.get_by_id(_id)
    return connector.permits(expected) and change(_id, expected, *values)


# -- documents ---------------------------------------------------------------------

_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
_encode_sorted = json.JSONEncoder(sort_keys=True, default=repr).encode


def not_found(_id: object) -> NotFoundError:
    """The error for an id nothing has; of a long one, only the beginning."""
    return NotFoundError(f"no item with _id {_id!r:.100}")


def checked_id(_id: object) -> str:
    """The id if a store of documents can hold it. :raises DBError: it cannot."""
    if not isinstance(_id, str) or not _id:
        raise DBError("an _id must be a string and not empty")
    try:
        _id.encode()
    except UnicodeEncodeError as error:
        raise DBError("an _id must be valid Unicode") from error
    return _id


def id_for(connector: DBConnector, document: Document) -> str:
    """The id to create the document under: its own, or a generated one."""
    given = document.get("_id")
    return checked_id(connector.generate_id(document) if given is None else given)


def encode_document(_id: str, document: Document) -> str:
    """The document's JSON text, ``_id`` first. :raises DBError: it is no JSON."""
    whole = {"_id": _id} | {k: v for k, v in document.items() if k != "_id"}
    try:
        text = _encode(whole)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DBError(f"a document cannot be stored: {error}") from error
    return text


def encode_replacement(_id: str, document: Document) -> str:
    """Like :func:`encode_document`, for an id that should be there.

    :raises NotFoundError: no store of documents could hold the id.
    """
    try:
        checked_id(_id)
    except DBError as error:
        raise not_found(_id) from error
    return encode_document(_id, document)


def decode_document(text: str) -> Document:
    """The document of a JSON text. :raises DBError: it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DBError(f"a stored document cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise DBError("a stored document is no object")
    return document


def same_document(one: Document, other: Document) -> bool:
    """Whether both are the same JSON; members may stand in another order."""
    return one == other and _encode_sorted(one) == _encode_sorted(other)


# -- ids ---------------------------------------------------------------------------


class _Clock:
    """Gives UUIDv7 numbers, each greater than the one before (RFC 9562, 6.2 method 2):
    48 bits of milliseconds, then 74 that are random or count on from the last."""

    def __init__(self) -> None:
        self.last = 0
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()

    def tick(self) -> int:
        now = (time.time_ns() // 1_000_000 << 74) | secrets.randbits(73)
        with self.lock:
            if now <= self.last:
                now = self.last + 1 + secrets.randbits(32)
            self.last = now
        return now


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    # A child forked while another thread held the lock would wait for ever.
    os.register_at_fork(after_in_child=_clock.reset)


def new_id() -> str:
    """A UUIDv7 as text; inside a process each sorts after the one before."""
    tick = _clock.tick()
    head, middle, tail = tick >> 74, tick >> 62 & 0xFFF, tick & (1 << 62) - 1
    text = f"{head << 80 | 7 << 76 | middle << 64 | 2 << 62 | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
