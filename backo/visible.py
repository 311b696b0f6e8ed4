"""Which of a collection's items the current user may see: all that is looked for, by id
or by filter, here or from other collections, is looked for here.

What a caller asks is judged on what the caller may read; what the developer declared
(``refuse_filter``, the filter of a selection) on all that there is.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from backo.connectors.base import DBConnector, Query, decode_document
from backo.documents import encode, pruned
from backo.errors import NotFoundError, SSyntaxError
from backo.item import Home, Item
from backo.query.builder import Neighbour
from backo.query.filter import (
    ALWAYS,
    And,
    Condition,
    Filter,
    Op,
    SortKey,
    all_of,
    matches,
    negate,
    order,
    texts_at,
)
from backo.query.parse import (
    Neighbours,
    Readable,
    developers_own,
    everything,
    parse_python,
)
from backo.query.paths import paths_of
from backo.references.joining import joined, values_across
from backo.schema.plan import FieldPlan, ItemPlan, Kind, is_readable
from backo.seen import Seen

__all__ = ["Document", "Found", "Row", "Visible", "VisibleOwner"]

type Document = dict[str, Any]
type Row = str | Document | Item
"""An item as it was found: its JSON text or its document where no Item is needed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One page of items, and how many there are in all (None: not counted)."""

    rows: Sequence[Row]
    total: int | None


class VisibleOwner(Home, Protocol):
    """What finding items needs of their collection."""

    refuse_filter: Callable[[], Any] | None

    @property
    def seen(self) -> Seen: ...

    def get_other_collection(self, name: str) -> Any: ...

    def forbids(self, right: str) -> bool: ...

    def allows(self, right: str, item: Item) -> bool: ...


class Visible:
    """The items of one collection, as far as the current user may see them."""

    def __init__(self, owner: VisibleOwner) -> None:
        self.owner = owner

    # --- By id --------------------------------------------------------------------

    def stored(self, _id: str) -> Document:
        """The document as it is stored, whatever the current user may read.

        :raises NotFoundError: there is none, or nobody gets it.
        """
        # Asked first, so that what is refused takes no longer than what is not there.
        refused = self._refused()
        document: Document = self.held(self.owner.db_handler.get_by_id, _id)
        if refused is not None and self._holds(refused, document):
            raise self.absent(_id)
        return document

    def held[T](self, get: Callable[[str], T], _id: str) -> T:
        """What the store has for that id.

        :raises NotFoundError: it has nothing.
        """
        try:
            return get(_id)
        except NotFoundError as error:
            raise self.absent(_id) from error

    def absent(self, _id: str) -> NotFoundError:
        """The one error for what is not there and for what may not be read, so that
        its text tells nobody which."""
        return NotFoundError(f"{self.owner.name}: there is no item {_id!r:.100}")

    def require_open(self, _id: str) -> None:
        """Pass, or raise.

        :raises NotFoundError: no item is there for the current user.
        """
        if self.owner.seen.closed:
            raise self.absent(_id)

    def item_of(self, document: Document) -> Item:
        """The Item of a stored document."""
        item = self.owner.new_item()
        item.arrive(document)
        return item

    def readable_item(self, _id: str) -> Item:
        """The item with that id, for a change; where nobody reads any, changing may
        be possible all the same.

        :raises NotFoundError: there is none for the current user.
        """
        judged = self.owner.judges("read")
        try:
            item = self.item_of(self.stored(_id))
        except NotFoundError:
            if judged:
                self._take_as_long()
            raise
        if judged and not self.owner.allows("read", item):
            raise self.absent(_id)
        return item

    def _take_as_long(self) -> None:
        """Do what would be done with an item that is not to be read, with another one:
        how long it takes must not tell that there is none."""
        for document in self.owner.db_handler.find(Query(limit=1)):
            item = self.owner.new_item()
            with suppress(Exception):
                item.read_from(document)
                self.owner.allows("read", item)

    def readable(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids that are there for the current user, in the
        order of the ids; where nobody reads any, those that are there."""
        refused = self._refused()
        found = [
            document
            for document in self.owner.db_handler.get_many(ids)
            if refused is None or not self._holds(refused, document)
        ]
        seen = self.owner.seen
        if seen.closed:
            return []
        if not callable(seen.rights["read"]):
            return found
        return [
            document
            for document in found
            if self.owner.allows("read", self.item_of(document))
        ]

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """Of the items with these ids that the current user may read, all that the
        current user may read, by id."""
        found, seen = self.readable(ids), self.owner.seen
        if seen.item_needed["read"]:
            found = [self._read_of(self.item_of(one)) for one in found]
        elif seen.pruning:
            found = [pruned(one, seen.plan.root) for one in found]
        return {one["_id"]: one for one in found}

    # --- By filter ----------------------------------------------------------------

    def page(self, query: Query, *, total: bool, own: Filter = ALWAYS) -> Found:
        """The page of items that ``query`` asks for, among those of ``own``, which is
        the developer's; with ``total``, also how many match without ``skip`` and
        ``limit``."""
        seen = self.owner.seen
        if seen.closed:
            return Found([], 0 if total else None)
        if seen.item_needed["read"]:
            return self._page_of_items(query, own, total=total)
        query = self.asked(query, own)
        if _across(query.sort):
            ordered = self._ordered(query)
            return Found(_page(ordered, query), len(ordered) if total else None)
        # One row more than the page has tells whether the rest must be counted.
        more = int(total and query.limit > 0)
        found = self._find(dataclasses.replace(query, limit=query.limit + more))
        rows = found[: query.limit or None]
        return Found(rows, self._total(query, len(found)) if total else None)

    def items(self, query: Query, own: Filter = ALWAYS) -> Iterator[Item]:
        """The items that match and that the current user may read, as in
        :meth:`page`."""
        seen = self.owner.seen
        if seen.closed:
            return
        if not seen.item_needed["read"]:
            query = self.asked(query, own)
            if _across(query.sort):
                found = _page(self._ordered(query), query)
            else:
                found = self.owner.db_handler.find(query)
            yield from map(self.item_of, found)
            return
        kept, asked, computed = self._split(query, own)
        visible = (
            item
            for item in map(self.item_of, self.owner.db_handler.find(kept))
            if (computed is ALWAYS or matches(computed, item.whole()))
            and self.owner.allows("read", item)
            and matches(asked.filter, self._seen(item))
        )
        if asked.sort:
            by_id = {item["_id"].get_value(): item for item in visible}
            documents = [self._read_of(item) for item in by_id.values()]
            in_order = self._in_order(documents, asked.sort)
            visible = (by_id[one["_id"]] for one in in_order)
        last = asked.skip + asked.limit if asked.limit else None
        yield from itertools.islice(visible, asked.skip, last)

    def asked(self, query: Query, own: Filter = ALWAYS) -> Query:
        """What the store is asked where no Item is needed: nothing of what nobody
        gets, nothing about items of other collections."""
        tree = joined(query.filter, self._values_of)
        return dataclasses.replace(query, filter=all_of([tree, self._own(own)]))

    def developers(self, declared: Any) -> Filter:
        """A filter as the developer wrote it, ready for :meth:`page`.

        :raises BackoError: it is not valid.
        """
        look = self.whole_neighbours()
        with developers_own(f"{self.owner.name}: a filter that is declared"):
            tree = parse_python(declared, self.owner.plan, everything, look)
            return joined(tree, self._stored_values_of)

    def _page_of_items(self, query: Query, own: Filter, *, total: bool) -> Found:
        if not total:
            return Found(list(self.items(query, own)), None)
        last = query.skip + query.limit if query.limit else None
        rows: list[Item] = []
        number = 0
        everything = dataclasses.replace(query, skip=0, limit=0)
        for number, item in enumerate(self.items(everything, own), 1):
            if number > query.skip and (last is None or number <= last):
                rows.append(item)
        return Found(rows, number)

    def _find(self, query: Query) -> list[str] | list[Document]:
        store: DBConnector = self.owner.db_handler
        return store.find_json(query) if store.capabilities.json else store.find(query)

    def _total(self, query: Query, rows: int) -> int:
        """How many documents match, when so many were found where one more than the
        page of ``query`` was asked for."""
        last_page = query.limit == 0 or rows <= query.limit
        if last_page and (rows or query.skip == 0):
            return query.skip + rows
        store: DBConnector = self.owner.db_handler
        return store.count(query.filter)

    def _refused(self) -> Filter | None:
        refuse = self.owner.refuse_filter
        # Nothing, or a filter that names nothing, refuses nothing.
        wanted = None if refuse is None else refuse()
        return None if wanted is None or wanted == {} else self.developers(wanted)

    def _own(self, own: Filter) -> Filter:
        """All that the developer asks of every item that is found."""
        refused = self._refused()
        return own if refused is None else all_of([own, negate(refused)])

    def _holds(self, declared: Filter, document: Document) -> bool:
        """Whether a developer's filter holds for a stored document."""
        if not all(map(self._is_stored, paths_of(declared))):
            item = self.owner.new_item()
            item.read_from(document)
            document = item.whole()
        return matches(declared, document)

    def _split(self, query: Query, own: Filter) -> tuple[Query, Query, Filter]:
        """What the store can be asked, and what only Items can answer: of the caller's,
        conditions and sort keys on computed values, and on values not everybody reads;
        of the developer's, those on computed values."""
        tree = joined(query.filter, self._values_of)
        stored, rest = _parted(tree, self._is_plain)
        declared, computed = _parted(self._own(own), self._is_stored)
        sortable = not _across(query.sort) and all(
            self._is_plain(key.path) for key in query.sort
        )
        kept = Query(all_of([stored, declared]), query.sort if sortable else ())
        asked = dataclasses.replace(
            query, filter=rest, sort=() if sortable else query.sort
        )
        return kept, asked, computed

    def _is_stored(self, path: tuple[str, ...]) -> bool:
        """Whether stores keep what is there; of what holds anything, that counts."""
        ways = (self._steps(path[:end]) for end in range(len(path), 0, -1))
        return all(step.stored for step in next(filter(None, ways), ()))

    def _is_plain(self, path: tuple[str, ...]) -> bool:
        """Whether what is stored there is what everybody sees there."""
        steps = self._steps(path)
        return bool(steps) and not any(
            step.conditional or not step.stored for step in steps
        )

    def _is_hidden(self, path: str) -> bool:
        """Whether the current user reads the field at ``path`` of no item."""
        located = self.owner.seen.plan.locate(path)
        return located is None or located.field.unreadable

    def _steps(self, path: tuple[str, ...]) -> tuple[FieldPlan, ...]:
        """The fields on the way to ``path`` and below it."""
        located = self.owner.seen.plan.locate(".".join(path))
        return () if located is None else (*located.trail, *located.field.walk())

    def _ordered(self, query: Query) -> list[Document]:
        """Every document that matches, in an order that other items decide."""
        found = self.owner.db_handler.find(Query(query.filter))
        return self._in_order(found, query.sort)

    def _in_order(
        self, documents: list[Document], keys: tuple[SortKey, ...]
    ) -> list[Document]:
        value_of = values_across(documents, keys, self._documents_of)
        return order(documents, keys, value_of)

    # --- What is read of an item --------------------------------------------------

    def document(self, row: Row) -> Document:
        """Of an item that was found, all that the current user may read."""
        if isinstance(row, Item):
            return self._read_of(row)
        document = decode_document(row) if isinstance(row, str) else row
        seen = self.owner.seen
        return pruned(document, seen.plan.root) if seen.pruning else document

    def _read_of(self, item: Item) -> Document:
        read: Document = encode(item, self.owner.plan.root)
        return read

    def _seen(self, item: Item) -> Document:
        """What the current user may read of ``item``; a list that keeps no ids is an
        empty one there, so that it can be told from one that is hidden."""
        seen = self._read_of(item)
        for field in self.owner.plan.every_field:
            if field.reference is not None and not field.reference.filled:
                _fill(seen, self.names(field.path))
        return seen

    # --- Across references --------------------------------------------------------

    def neighbours(self, readable_of: Callable[[ItemPlan], Readable]) -> Neighbours:
        """The other collections, as far as the caller may look into them by filters and
        sorts: of those that the current user may read, the fields that ``readable_of``
        tells from their plans."""
        return self._neighbours(readable_of, lambda other: _open(other.seen))

    def told_neighbours(
        self, told: Callable[[Seen], Seen] = lambda seen: seen
    ) -> Neighbours:
        """The other collections, as far as answers may show their items to the current
        user, in the plans of what ``told`` gives."""
        return self._neighbours(_shown, lambda other: _open(told(other.seen)))

    def declared_neighbours(self, *, shown_only: bool = False) -> Neighbours:
        """The other collections, with all that somebody may read; ``shown_only``: that
        some answer shows."""
        return self._neighbours(
            _shown if shown_only else lambda _plan: is_readable,
            lambda other: None if other.forbids("read") else other.plan,
        )

    def whole_neighbours(self) -> Neighbours:
        """The other collections, with all that they have: what the developer declares
        does not depend on what callers may read."""
        return self._neighbours(lambda _plan: everything, lambda other: other.plan)

    def _neighbours(
        self,
        readable_of: Callable[[ItemPlan], Readable],
        plan_of: Callable[[Any], ItemPlan | None],
    ) -> Neighbours:
        def look(name: str) -> Neighbour | None:
            try:
                other = self.owner.get_other_collection(name)
            except SSyntaxError:
                return None
            plan = plan_of(other)
            return None if plan is None else Neighbour(plan, readable_of(plan))

        return look

    def ids_in(self, path: str, condition: Filter) -> list[str]:
        """The ids that the field at ``path`` holds in the items that match and that the
        current user may read."""
        names, query, seen = self.names(path), Query(condition), self.owner.seen
        if seen.closed or self._is_hidden(path):
            return []
        if seen.item_needed["read"]:
            found = (self._read_of(item) for item in self.items(query))
            return [_id for one in found for _id in texts_at(one, names)]
        store: DBConnector = self.owner.db_handler
        return store.find_values(self.asked(query).filter, names)

    def stored_ids_in(self, path: str, condition: Filter) -> list[str]:
        """Like :meth:`ids_in`, whatever the current user may read."""
        store: DBConnector = self.owner.db_handler
        tree, names = joined(condition, self._stored_values_of), self.names(path)
        if all(map(self._is_stored, paths_of(tree))):
            return store.find_values(tree, names)
        found = (one for one in store.find(Query()) if self._holds(tree, one))
        return [_id for one in found for _id in texts_at(one, names)]

    def pointing(self, path: str, ids: Iterable[str], most: int) -> list[Document]:
        """The first ``most`` stored documents that hold one of ``ids`` in the field at
        ``path``, of the items that the current user may read."""
        held = Condition(self.names(path), Op.IN, tuple(ids), Kind.STRING)
        query, seen = Query(held, limit=most), self.owner.seen
        if seen.closed or self._is_hidden(path):
            return []
        if seen.item_needed["read"]:
            return [item.document or {} for item in self.items(query)]
        found: list[Document] = self.owner.db_handler.find(self.asked(query))
        return found

    def names(self, path: str) -> tuple[str, ...]:
        """The names on the way to the field at ``path``."""
        located = self.owner.plan.locate(path)
        trail = () if located is None else located.trail
        return tuple(step.name for step in trail if step.name != "[*]")

    def _values_of(self, name: str, condition: Filter, path: str) -> list[str]:
        return self._other(name).ids_in(path, condition)

    def _stored_values_of(self, name: str, condition: Filter, path: str) -> list[str]:
        return self._other(name).stored_ids_in(path, condition)

    def _documents_of(self, name: str, ids: Sequence[str]) -> dict[str, Document]:
        return self._other(name).documents(ids)

    def _other(self, name: str) -> "Visible":
        other: Visible = self.owner.get_other_collection(name).visible
        return other


def _open(seen: Seen) -> ItemPlan | None:
    """The plan of a collection that may be read."""
    return None if seen.rights["read"] is False else seen.plan


def _shown(plan: ItemPlan) -> Readable:
    return plan.shows


def _parted(
    tree: Filter, in_store: Callable[[tuple[str, ...]], bool]
) -> tuple[Filter, Filter]:
    """The parts of a conjunction that only look at paths which are ``in_store``, and
    the others."""
    parts = tree.children if isinstance(tree, And) else (tree,)
    stored = [part for part in parts if all(map(in_store, paths_of(part)))]
    rest = [part for part in parts if part not in stored]
    return all_of(stored), all_of(rest)


def _across(keys: Iterable[SortKey]) -> bool:
    """Whether some key is a value of other items."""
    return any(key.hops for key in keys)


def _page(documents: list[Document], query: Query) -> list[Document]:
    end = query.skip + query.limit if query.limit else None
    return documents[query.skip : end]


def _fill(value: Any, names: tuple[str, ...]) -> None:
    """Put an empty list in the place of null at ``names``, through lists."""
    if isinstance(value, list):
        for one in value:
            _fill(one, names)
    elif isinstance(value, dict) and names[0] in value:
        if len(names) > 1:
            _fill(value[names[0]], names[1:])
        elif value[names[0]] is None:
            value[names[0]] = []
