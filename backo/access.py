"""Documents in and out of a collection: what HTTP and imports need.

Where nothing callable must see an Item, they go from the store to the answer, and from
valid input to the store, as they are; elsewhere they go through Items. Both ways give
the same.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pydantic

from backo.connectors.base import DBConnector, Query, decode_document
from backo.documents import (
    carry_hidden,
    carry_unknown,
    completed,
    encode,
    overlay,
)
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    ChangedError,
    ConflictError,
    NotFoundError,
    SSyntaxError,
)
from backo.item import ATTEMPTS, Home, Item
from backo.query.builder import Neighbour
from backo.query.filter import (
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
from backo.query.parse import Neighbours, Readable, everything, parse_python
from backo.query.paths import paths_of
from backo.references.joining import joined, values_across
from backo.schema.faults import faults_of
from backo.schema.models import DocumentModel, ItemModels
from backo.schema.plan import FieldPlan, ItemPlan, Kind, Right

__all__ = ["Access", "Changes", "Document", "Listing", "Owner", "Precondition"]

type Document = dict[str, Any]
type Precondition = Callable[[Document], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed in an item."""

    of: Callable[[Document], Document]
    """From the present document, as far as the current user may read it, to the valid
    changes (see ``models.update``)."""
    blind: bool = False
    """Whether ``of`` does not look at the document."""
    replay: Callable[[Document], Document] | None = None
    """The same on a complete document, unchecked: so that elements of Lists which stay
    keep what the user does not see."""

    def made(self, shown: Document, stored: Document, root: FieldPlan) -> Document:
        """The changes to ``stored``, of which the user sees ``shown``."""
        values = self.of(shown)
        if self.replay is None:
            return values
        return carry_hidden(values, self.replay(completed(shown, stored)), root)


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One page of documents, and how many there are in all (None: not counted)."""

    rows: list[Document]
    total: int | None


class Owner(Home, Protocol):
    """What access to a collection's documents needs of the collection."""

    model: Item
    refuse_filter: Callable[[], Any] | None

    @property
    def models(self) -> ItemModels: ...

    @property
    def item_needed(self) -> Mapping[str, bool]: ...

    @property
    def rights(self) -> Mapping[str, Right]: ...

    def get_other_collection(self, name: str) -> Any: ...

    def forbids(self, right: str) -> bool: ...

    def allows(self, right: str, item: Item) -> bool: ...


class Access:
    """The documents of one collection, for the current user."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    def listing(self, query: Query, view: str, *, total: bool) -> Listing:
        """The page of documents that ``query`` asks for, in ``view``; with ``total``,
        also how many items match without ``skip`` and ``limit``."""
        if self.owner.item_needed["read"]:
            return self._listing_of_items(query, view, total=total)
        query = self._asked(query)
        model = self.owner.models.views[view]
        if _across(query.sort):
            ordered = self._ordered(query)
            rows = [self._shown(one, model) for one in _page(ordered, query)]
            return Listing(rows, len(ordered) if total else None)
        # One row more than the page has tells whether the rest must be counted.
        more = int(total and query.limit > 0)
        found = self._found(dataclasses.replace(query, limit=query.limit + more))
        rows = [self._shown_row(one, model) for one in found[: query.limit or None]]
        return Listing(rows, self._total(query, len(found)) if total else None)

    def read(self, _id: str, view: str) -> Document:
        """One document in ``view``.

        :raises NotFoundError: there is no such item, or the current user may not read
            it: the two look the same.
        """
        if self.owner.item_needed["read"]:
            return self._answer(self._readable_item(_id), view)
        model, store = self.owner.models.views[view], self.owner.db_handler
        if store.capabilities.json and self.owner.refuse_filter is None:
            return self._shown_text(self._held(store.get_json, _id), model)
        return self._shown(self.stored(_id), model)

    def insert(self, document: Document, view: str) -> tuple[str, Document | None]:
        """Store a valid new document (see ``models.create``); gives its id, and the
        document in ``view`` if the current user may read it.

        :raises SRightError: the current user may not create it.
        :raises DuplicateIdError: the id is already there.
        """
        if self.owner.item_needed["create"]:
            item = self.owner.new_item()
            item.create(document)
            return item["_id"].get_value(), self._shown_item(item, view)
        self.owner.require("create", self.owner.model)
        self.owner.model.meta_data_handler.stamp(document, created=True)
        with self.owner.unit():
            self.owner.links.require(None, document)
            document = {**document, "_id": self.owner.store.create(document)}
            document = self.owner.links.follow(None, document)
        if self.owner.rights["read"] is False:
            return document["_id"], None
        return document["_id"], self._shown(document, self.owner.models.views[view])

    def modify(
        self, _id: str, changes: Changes, view: str, precondition: Precondition | None
    ) -> Document | None:
        """Change one item; gives it in ``view`` if the current user may read it then.

        ``changes`` are made again when somebody else changed the item meanwhile;
        ``precondition`` is asked again too: it gets what ``view`` shows, and may raise.

        :raises NotFoundError: there is no such item for the current user.
        :raises SRightError: the current user may not modify it.
        :raises ConflictError: others changed it again and again.
        """
        through_item = self.owner.item_needed["modify"]
        once = self._modify_item if through_item else self._modify_stored
        for _ in range(ATTEMPTS):
            with self.owner.unit():
                changed, answer = once(_id, changes, view, precondition)
            if changed:
                return answer
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    def remove(self, _id: str, view: str, precondition: Precondition | None) -> None:
        """Delete one item.

        :raises NotFoundError: there is no such item for the current user.
        :raises SRightError: the current user may not delete it.
        """
        through_item = self.owner.item_needed["delete"]
        once = self._delete_item if through_item else self._delete_stored
        for _ in range(ATTEMPTS):
            with self.owner.unit():
                deleted = once(_id, view, precondition)
            if deleted:
                return
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    # --- From document to document ------------------------------------------------

    def _shown(self, document: Document, model: type[DocumentModel]) -> Document:
        """A stored document as ``model`` (a view) shows it.

        :raises BackoError: the store holds what the schema does not allow.
        """
        try:
            return model.document(document)
        except pydantic.ValidationError as error:
            faults = str(faults_of(error, self.owner.plan))
            raise self._broken(document, faults) from error

    def _broken(self, document: Document, faults: str) -> BackoError:
        name = f"{self.owner.name}/{document.get('_id')}"
        return BackoError(f"{name}: what is stored breaks the schema: {faults}")

    def _shown_text(self, text: str, model: type[DocumentModel]) -> Document:
        """Like :meth:`_shown`, of a document's JSON text: the faster way."""
        try:
            return model.document_json(text)
        except pydantic.ValidationError:
            return self._shown(decode_document(text), model)

    def _found(self, query: Query) -> list[str] | list[Document]:
        store: DBConnector = self.owner.db_handler
        return store.find_json(query) if store.capabilities.json else store.find(query)

    def _shown_row(self, row: str | Document, model: type[DocumentModel]) -> Document:
        if isinstance(row, str):
            return self._shown_text(row, model)
        return self._shown(row, model)

    def _total(self, query: Query, rows: int) -> int:
        """How many documents match, when so many were found where one more than the
        page of ``query`` was asked for."""
        last_page = query.limit == 0 or rows <= query.limit
        if last_page and (rows or query.skip == 0):
            return query.skip + rows
        store: DBConnector = self.owner.db_handler
        return store.count(query.filter)

    def stored(self, _id: str) -> Document:
        """The document as it is stored.

        :raises NotFoundError: there is none, or nobody gets it.
        """
        document: Document = self._held(self.owner.db_handler.get_by_id, _id)
        refused = self._refused()
        if refused is not None and matches(refused, document):
            raise self._absent(_id)
        return document

    def _held[T](self, get: Callable[[str], T], _id: str) -> T:
        try:
            return get(_id)
        except NotFoundError as error:
            raise self._absent(_id) from error

    def _absent(self, _id: str) -> NotFoundError:
        """The one error for what is not there and for what may not be read, so that
        its text tells nobody which."""
        return NotFoundError(f"{self.owner.name}: there is no item {_id!r:.100}")

    def readable(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids that are there for the current user, in the
        order of the ids; where nobody reads any, those that are there."""
        refused = self._refused()
        found = [
            document
            for document in self.owner.db_handler.get_many(ids)
            if refused is None or not matches(refused, document)
        ]
        if not self.owner.judges("read"):
            return found
        return [
            document
            for document in found
            if self.owner.allows("read", self.item_of(document))
        ]

    def _refused(self) -> Filter | None:
        refuse = self.owner.refuse_filter
        if refuse is None:
            return None
        # What a developer refuses does not depend on what the caller may read.
        look = self._neighbours(lambda _plan: everything, readable_only=False)
        tree = parse_python(refuse(), self.owner.plan, everything, look)
        return joined(tree, self._stored_values_of)

    def _without_refused(self, query: Query) -> Query:
        refused = self._refused()
        if refused is None:
            return query
        return dataclasses.replace(
            query, filter=all_of([query.filter, negate(refused)])
        )

    def _modify_stored(
        self, _id: str, changes: Changes, view: str, precondition: Precondition | None
    ) -> tuple[bool, Document | None]:
        """One try: whether nobody else was faster, and the answer."""
        before = self.stored(_id)
        shown = self.owner.models.views[view]
        if precondition is not None:
            precondition(self._shown(before, shown))
        self.owner.require("modify", self.owner.model)
        root = self.owner.plan.root
        # What breaks the schema cannot be shown, but it can be replaced.
        whole = {} if changes.blind else self._shown(before, self.owner.models.whole)
        after = overlay(before, changes.made(whole, before, root), root)
        after = carry_unknown(before, after, root)
        self.owner.model.meta_data_handler.stamp(after, created=False)
        answer = self._shown(after, shown)
        self.owner.links.require(before, after)
        if not self.owner.store.compare_and_set(_id, before, after):
            return False, None
        settled = self.owner.links.follow(before, after)
        if settled is not after:
            answer = self._shown(settled, shown)
        return True, None if self.owner.rights["read"] is False else answer

    def _delete_stored(
        self, _id: str, view: str, precondition: Precondition | None
    ) -> bool:
        """One try; False when somebody changed the document meanwhile."""
        self.owner.require("delete", self.owner.model)
        easy = precondition is None and self.owner.refuse_filter is None
        if easy and not self.owner.links.kept:
            try:
                self.owner.store.delete_by_id(_id)
            except NotFoundError as error:
                raise self._absent(_id) from error
            return True
        stored = self.stored(_id)
        if precondition is not None:
            precondition(self._shown(stored, self.owner.models.views[view]))
        work = self.owner.links.of_deletion(stored)
        if not self.owner.store.compare_and_delete(_id, stored):
            return False
        self.owner.links.execute(work)
        return True

    # --- Through Items ------------------------------------------------------------

    def _modify_item(
        self, _id: str, changes: Changes, view: str, precondition: Precondition | None
    ) -> tuple[bool, Document | None]:
        """One try: whether nobody else was faster, and the answer."""
        item, root = self._readable_item(_id), self.owner.plan.root
        if precondition is not None:
            precondition(item.view(view))
        self.owner.require("modify", item)
        item.set(changes.made(encode(item, root), item.document or {}, root))
        try:
            item.save_over(item.document)
        except ChangedError:
            return False, None
        return True, self._shown_item(item, view)

    def _delete_item(
        self, _id: str, view: str, precondition: Precondition | None
    ) -> bool:
        """One try; False when somebody changed the item meanwhile."""
        item = self._readable_item(_id)
        if precondition is not None:
            precondition(item.view(view))
        try:
            item.delete_over(item.document)
        except ChangedError:
            return False
        return True

    def _readable_item(self, _id: str) -> Item:
        item = self.item_of(self.stored(_id))
        # Statically refused, reading is no operation; changing may be one.
        if self.owner.judges("read") and not self.owner.allows("read", item):
            raise self._absent(_id)
        return item

    def _shown_item(self, item: Item, view: str) -> Document | None:
        """What ``view`` shows of an item, if the current user may read it."""
        return item.view(view) if self.owner.allows("read", item) else None

    def _answer(self, item: Item, view: str) -> Document:
        """What ``view`` shows of a stored item.

        :raises BackoError: the store holds what the schema does not allow.
        """
        try:
            item.check_stored()
        except VALUE_ERRORS as error:
            raise self._broken(item.document or {}, str(error)) from error
        return item.view(view)

    def _listing_of_items(self, query: Query, view: str, *, total: bool) -> Listing:
        everything = dataclasses.replace(query, skip=0, limit=0)
        items = self.items(everything if total else query)
        if not total:
            return Listing([self._answer(item, view) for item in items], None)
        last = query.skip + query.limit if query.limit else None
        rows: list[Document] = []
        number = 0
        for number, item in enumerate(items, 1):
            if number > query.skip and (last is None or number <= last):
                rows.append(self._answer(item, view))
        return Listing(rows, number)

    def items(self, query: Query) -> Iterator[Item]:
        """The items that match and that the current user may read."""
        query = self._asked(query)
        if not self.owner.item_needed["read"]:
            if _across(query.sort):
                found = _page(self._ordered(query), query)
            else:
                found = self.owner.db_handler.find(query)
            yield from map(self.item_of, found)
            return
        kept, asked = self._split(query)
        items = map(self.item_of, self.owner.db_handler.find(kept))
        visible = (
            item
            for item in items
            if self.owner.allows("read", item)
            and matches(asked.filter, self._seen(item))
        )
        if asked.sort:
            by_id = {item["_id"].get_value(): item for item in visible}
            documents = [encode(item, self.owner.plan.root) for item in by_id.values()]
            in_order = self._in_order(documents, asked.sort)
            visible = (by_id[one["_id"]] for one in in_order)
        last = asked.skip + asked.limit if asked.limit else None
        yield from itertools.islice(visible, asked.skip, last)

    def item_of(self, document: Document) -> Item:
        """The Item of a stored document."""
        item = self.owner.new_item()
        item.arrive(document)
        return item

    def _split(self, query: Query) -> tuple[Query, Query]:
        """What the store can be asked, and what only Items can answer: conditions and
        sort keys on computed values, and on values not everybody reads."""
        whole = query.filter
        parts = whole.children if isinstance(whole, And) else (whole,)
        stored = [part for part in parts if all(map(self._in_store, paths_of(part)))]
        rest = [part for part in parts if part not in stored]
        sortable = not _across(query.sort) and all(
            self._in_store(key.path) for key in query.sort
        )
        kept = Query(filter=all_of(stored), sort=query.sort if sortable else ())
        asked = dataclasses.replace(
            query, filter=all_of(rest), sort=() if sortable else query.sort
        )
        return kept, asked

    def _in_store(self, path: tuple[str, ...]) -> bool:
        located = self.owner.plan.locate(".".join(path))
        return located is not None and all(
            step.stored and not step.conditional
            for step in (*located.trail, *located.field.walk())
        )

    # --- Across references --------------------------------------------------------

    def neighbours(self, readable_of: Callable[[ItemPlan], Readable]) -> Neighbours:
        """The other collections, as far as the caller may look into them by filters and
        sorts: of those that somebody may read, the fields that ``readable_of`` tells
        from their plans."""
        return self._neighbours(readable_of, readable_only=True)

    def _neighbours(
        self, readable_of: Callable[[ItemPlan], Readable], *, readable_only: bool
    ) -> Neighbours:
        def look(name: str) -> Neighbour | None:
            try:
                other = self.owner.get_other_collection(name)
            except SSyntaxError:
                return None
            if readable_only and other.forbids("read"):
                return None
            return Neighbour(other.plan, readable_of(other.plan))

        return look

    def ids_in(self, path: str, condition: Filter) -> list[str]:
        """The ids that the field at ``path`` holds in the items that match and that the
        current user may read."""
        names, query = self._names(path), Query(condition)
        if self.owner.item_needed["read"]:
            found = (item.document or {} for item in self.items(query))
            return [_id for one in found for _id in texts_at(one, names)]
        store: DBConnector = self.owner.db_handler
        return store.find_values(self._asked(query).filter, names)

    def stored_ids_in(self, path: str, condition: Filter) -> list[str]:
        """Like :meth:`ids_in`, whatever the current user may read."""
        store: DBConnector = self.owner.db_handler
        tree = joined(condition, self._stored_values_of)
        return store.find_values(tree, self._names(path))

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """Of the items with these ids that the current user may read, all that the
        current user may read, by id."""
        found, root = self.readable(ids), self.owner.plan.root
        if self.owner.item_needed["read"]:
            found = [encode(self.item_of(one), root) for one in found]
        return {one["_id"]: one for one in found}

    def shown(self, ids: Iterable[str], view: str) -> dict[str, Document]:
        """The items with these ids that the current user may read, in ``view``, by
        id."""
        return {one["_id"]: self._in_view(one, view) for one in self.readable(ids)}

    def pointing(
        self, path: str, ids: list[str], view: str, most: int
    ) -> list[tuple[list[str], Document]]:
        """The first ``most`` items that the current user may read and that hold one of
        ``ids`` in the field at ``path``: what that field holds, and the item in
        ``view``."""
        names = self._names(path)
        held = Condition(names, Op.IN, tuple(ids), Kind.STRING)
        query = Query(held, limit=most)
        if self.owner.item_needed["read"]:
            found = [item.document or {} for item in self.items(query)]
        else:
            found = self.owner.db_handler.find(self._asked(query))
        return [(list(texts_at(one, names)), self._in_view(one, view)) for one in found]

    def _in_view(self, document: Document, view: str) -> Document:
        if self.owner.item_needed["read"]:
            return self._answer(self.item_of(document), view)
        return self._shown(document, self.owner.models.views[view])

    def _names(self, path: str) -> tuple[str, ...]:
        located = self.owner.plan.locate(path)
        trail = () if located is None else located.trail
        return tuple(step.name for step in trail if step.name != "[*]")

    def _asked(self, query: Query) -> Query:
        """What the store is asked: nothing of what nobody gets, nothing about items of
        other collections."""
        tree = joined(query.filter, self._values_of)
        return self._without_refused(dataclasses.replace(query, filter=tree))

    def _values_of(self, name: str, condition: Filter, path: str) -> list[str]:
        found: list[str] = self._other(name).ids_in(path, condition)
        return found

    def _stored_values_of(self, name: str, condition: Filter, path: str) -> list[str]:
        found: list[str] = self._other(name).stored_ids_in(path, condition)
        return found

    def _documents_of(self, name: str, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = self._other(name).documents(ids)
        return found

    def _other(self, name: str) -> "Access":
        other: Access = self.owner.get_other_collection(name).access
        return other

    def _ordered(self, query: Query) -> list[Document]:
        """Every document that matches, in an order that other items decide."""
        found = self.owner.db_handler.find(Query(query.filter))
        return self._in_order(found, query.sort)

    def _in_order(
        self, documents: list[Document], keys: tuple[SortKey, ...]
    ) -> list[Document]:
        value_of = values_across(documents, keys, self._documents_of)
        return order(documents, keys, value_of)

    def _seen(self, item: Item) -> Document:
        """What the current user may read of ``item``; a list that keeps no ids is an
        empty one there, so that it can be told from one that is hidden."""
        seen: Document = encode(item, self.owner.plan.root)
        for field in self.owner.plan.every_field:
            if field.reference is not None and not field.reference.filled:
                _fill(seen, self._names(field.path))
        return seen


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
