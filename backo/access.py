"""Documents in and out of a collection: what HTTP and imports need.

Where nothing callable must see an Item, they go from the store to the answer, and from
valid input to the store, as they are; elsewhere they go through Items. Both ways give
the same.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
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
from backo.errors import VALUE_ERRORS, BackoError, ConflictError, NotFoundError
from backo.item import ATTEMPTS, Home, Item
from backo.query.filter import And, Filter, all_of, matches, negate, order
from backo.query.parse import parse_python
from backo.query.paths import paths_of
from backo.schema.faults import faults_of
from backo.schema.models import DocumentModel, ItemModels
from backo.schema.plan import FieldPlan, Right

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
        query = self._without_refused(query)
        rows = self._found(query, self.owner.models.views[view])
        return Listing(rows, self._total(query, len(rows)) if total else None)

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
        document = {**document, "_id": self.owner.db_handler.create(document)}
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
            if once(_id, view, precondition):
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

    def _found(self, query: Query, model: type[DocumentModel]) -> list[Document]:
        store = self.owner.db_handler
        if store.capabilities.json:
            return [self._shown_text(one, model) for one in store.find_json(query)]
        return [self._shown(one, model) for one in store.find(query)]

    def _total(self, query: Query, rows: int) -> int:
        """How many documents match, when the page of ``query`` has so many."""
        last_page = query.limit == 0 or rows < query.limit
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

    def _refused(self) -> Filter | None:
        refuse = self.owner.refuse_filter
        return None if refuse is None else parse_python(refuse(), self.owner.plan)

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
        changed = self.owner.db_handler.compare_and_set(_id, before, after)
        return changed, None if self.owner.rights["read"] is False else answer

    def _delete_stored(
        self, _id: str, view: str, precondition: Precondition | None
    ) -> bool:
        """One try; False when somebody changed the document meanwhile."""
        self.owner.require("delete", self.owner.model)
        if precondition is None and self.owner.refuse_filter is None:
            try:
                self.owner.db_handler.delete_by_id(_id)
            except NotFoundError as error:
                raise self._absent(_id) from error
            return True
        stored = self.stored(_id)
        if precondition is not None:
            precondition(self._shown(stored, self.owner.models.views[view]))
        return bool(self.owner.db_handler.compare_and_delete(_id, stored))

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
        except ConflictError:
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
        except ConflictError:
            return False
        return True

    def _readable_item(self, _id: str) -> Item:
        item = self._item_of(self.stored(_id))
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
        query = self._without_refused(query)
        if not self.owner.item_needed["read"]:
            yield from map(self._item_of, self.owner.db_handler.find(query))
            return
        kept, asked = self._split(query)
        items = map(self._item_of, self.owner.db_handler.find(kept))
        visible = (
            item
            for item in items
            if self.owner.allows("read", item)
            and matches(asked.filter, encode(item, self.owner.plan.root))
        )
        if asked.sort:
            by_id = {item["_id"].get_value(): item for item in visible}
            documents = [encode(item, self.owner.plan.root) for item in by_id.values()]
            visible = (by_id[one["_id"]] for one in order(documents, asked.sort))
        last = asked.skip + asked.limit if asked.limit else None
        yield from itertools.islice(visible, asked.skip, last)

    def _item_of(self, document: Document) -> Item:
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
        sortable = all(self._in_store(key.path) for key in query.sort)
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
