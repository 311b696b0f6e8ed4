"""Documents in and out of a collection: what HTTP and imports need.

Where nothing callable must see an Item, they go from the store to the answer, and from
valid input to the store, as they are; elsewhere they go through Items. Both ways give
the same.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pydantic

from backo.connectors.base import Query, decode_document
from backo.documents import (
    carry_hidden,
    carry_unknown,
    completed,
    encode,
    overlay,
    released,
    unfilled,
    with_dicts,
)
from backo.errors import (
    BackoError,
    ChangedError,
    ConflictError,
    NotFoundError,
)
from backo.files.fields import File
from backo.files.staging import staging
from backo.files.structures import charge_copies, resolved, separated
from backo.item import ATTEMPTS, Item
from backo.query.filter import ALWAYS, Filter, texts_at
from backo.schema.faults import faults_of
from backo.schema.models import DocumentModel
from backo.schema.plan import FieldPlan, Kind
from backo.schema.types import Dict, List
from backo.transaction import tried_again
from backo.visible import Document, Row, Visible, VisibleOwner

__all__ = ["Access", "Changes", "Document", "Listing", "Owner", "Precondition"]

_INDEX = re.compile("[0-9]{1,9}")

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
        return carry_hidden(values, self.replay(completed(shown, stored, root)), root)


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One page of documents, and how many there are in all (None: not counted)."""

    rows: list[Document]
    total: int | None


class Owner(VisibleOwner, Protocol):
    """What access to a collection's documents needs of the collection."""

    model: Item
    visible: Visible


class Access:
    """The documents of one collection, for the current user."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.visible = owner.visible

    def listing(
        self, query: Query, view: str, *, total: bool, own: Filter = ALWAYS
    ) -> Listing:
        """The page of documents that ``query`` asks for, in ``view``; see
        :meth:`Visible.page`."""
        found = self.visible.page(query, total=total, own=own)
        return Listing([self._shown_row(one, view) for one in found.rows], found.total)

    def read(self, _id: str, view: str) -> Document:
        """One document in ``view``.

        :raises NotFoundError: there is no such item, or the current user may not read
            it: the two look the same.
        """
        self.visible.require_open(_id)
        seen = self.owner.seen
        if seen.item_needed["read"]:
            return self._answer(self.visible.readable_item(_id), view)
        model, store = seen.models.views[view], self.owner.db_handler
        if store.capabilities.json and self.owner.refuse_filter is None:
            return self._shown_text(self.visible.held(store.get_json, _id), model)
        return self._shown(self.visible.stored(_id), model)

    def file(self, _id: str, path: str) -> File:
        """The field of a file in one item: ``cover``, ``pages[0].scan``,
        ``pages.0.scan``.

        :raises NotFoundError: there is no such item, field or file for the current
            user.
        """
        self.visible.require_open(_id)
        plan = self.owner.seen.plan
        field, steps = _located(plan.root, path)
        if field is None or field.file is None or not plan.shows(field):
            raise NotFoundError(
                f"{self.owner.name}: there is no file field {path!r:.100}"
            )
        item = self.visible.readable_item(_id)
        node = _node_at(item, steps)
        if not isinstance(node, File) or not node.has_file():
            raise NotFoundError(f"{self.owner.name}: there is no file {path!r:.100}")
        return node

    def admit_new(self) -> None:
        """Pass, or raise, as far as it is known before there is an item.

        :raises SRightError: the current user may create none.
        """
        if not self.owner.judges("create") or self.owner.seen.rights["create"] is False:
            self.owner.require("create", self.owner.model)

    def admit_changes(self, _id: str) -> None:
        """Pass, or raise, as far as it is known before what is to be changed.

        :raises NotFoundError: there is no such item for the current user.
        :raises SRightError: the current user may not modify it.
        """
        self.visible.require_open(_id)
        self.owner.require("modify", self.visible.readable_item(_id))

    def insert(self, document: Document, view: str) -> tuple[str, Document | None]:
        """Store a valid new document (see ``models.create``); gives its id, and the
        document in ``view`` if the current user may read it.

        :raises SRightError: the current user may not create it.
        :raises DuplicateIdError: the id is already there.
        """
        with staging():
            return self._insert(document, view)

    def _insert(self, document: Document, view: str) -> tuple[str, Document | None]:
        seen = self.owner.seen
        document = self._filed(document, None)
        if seen.item_needed["create"] or _touches(document, seen.plan.root, fresh=True):
            item = self.owner.new_item()
            item.create(unfilled(document, seen.plan.root))
            return item["_id"].get_value(), self._shown_item(item, view)
        self.owner.require("create", self.owner.model)
        self.owner.model.meta_data_handler.stamp(document, created=True)
        document = self._in_unit(lambda: self._insert_stored(document))
        if seen.rights["read"] is False:
            return document["_id"], None
        return document["_id"], self._shown(document, seen.models.views[view])

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
        through_item = self.owner.seen.item_needed["modify"]
        once = self._modify_item if through_item else self._modify_stored
        for _ in range(ATTEMPTS):
            changed, answer = self._in_unit(
                lambda: once(_id, changes, view, precondition)
            )
            if changed:
                return answer
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    def remove(self, _id: str, view: str, precondition: Precondition | None) -> None:
        """Delete one item.

        :raises NotFoundError: there is no such item for the current user.
        :raises SRightError: the current user may not delete it.
        """
        through_item = self.owner.seen.item_needed["delete"]
        once = self._delete_item if through_item else self._delete_stored
        for _ in range(ATTEMPTS):
            if self._in_unit(lambda: once(_id, view, precondition)):
                return
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    def _in_unit[T](self, write: Callable[[], T]) -> T:
        def once() -> T:
            # What one try has staged is nothing to the next one.
            with staging(), self.owner.unit():
                return write()

        return tried_again(once)

    def _filed(self, values: Document, before: Document | None) -> Document:
        """``values`` with what is stored of the files that are in them."""
        files = self.owner.seen.plan.file_root
        return values if files is None else resolved(values, before, files)

    # --- From document to document ------------------------------------------------

    def _shown(self, document: Document, model: type[DocumentModel]) -> Document:
        """A stored document as ``model`` (a view) shows it.

        :raises BackoError: the store holds what the schema does not allow.
        """
        try:
            return model.document(document)
        except pydantic.ValidationError:
            # Rarely is a Dict null.
            filled = with_dicts(document, self.owner.plan.root)
        try:
            return model.document(filled)
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

    def _shown_row(self, row: Row, view: str) -> Document:
        if isinstance(row, Item):
            return self._answer(row, view)
        model = self.owner.seen.models.views[view]
        if isinstance(row, str):
            return self._shown_text(row, model)
        return self._shown(row, model)

    def _insert_stored(self, document: Document) -> Document:
        self.owner.links.require(None, document)
        stored = {**document, "_id": self.owner.store.create(document)}
        return self.owner.links.follow(None, stored)

    def _modify_stored(
        self, _id: str, changes: Changes, view: str, precondition: Precondition | None
    ) -> tuple[bool, Document | None]:
        """One try: whether nobody else was faster, and the answer."""
        self.visible.require_open(_id)
        before, seen = self.visible.stored(_id), self.owner.seen
        shown = seen.models.views[view]
        if precondition is not None:
            precondition(self._shown(before, shown))
        self.owner.require("modify", self.owner.model)
        root = seen.plan.root
        # What breaks the schema cannot be shown, but it can be replaced.
        whole = {} if changes.blind else self._shown(before, seen.models.whole)
        values = changes.made(whole, before, root)
        if _touches(values, root):
            return self._modify_item(_id, changes, view, precondition)
        after = overlay(before, released(self._filed(values, before)), root)
        after = carry_unknown(before, after, root)
        if self.owner.plan.file_root is not None:
            files = self.owner.plan.file_root
            after = separated(after, before, files, charged=True)
        self.owner.model.meta_data_handler.stamp(after, created=False)
        answer = self._shown(after, shown)
        self.owner.links.require(before, after)
        if not self.owner.store.compare_and_set(_id, before, after):
            return False, None
        settled = self.owner.links.follow(before, after)
        if settled is not after:
            answer = self._shown(settled, shown)
        return True, None if seen.rights["read"] is False else answer

    def _delete_stored(
        self, _id: str, view: str, precondition: Precondition | None
    ) -> bool:
        """One try; False when somebody changed the document meanwhile."""
        self.visible.require_open(_id)
        self.owner.require("delete", self.owner.model)
        easy = precondition is None and self.owner.refuse_filter is None
        if easy and not self.owner.links.kept and self.owner.plan.file_root is None:
            try:
                self.owner.store.delete_by_id(_id)
            except NotFoundError as error:
                raise self.visible.absent(_id) from error
            return True
        stored = self.visible.stored(_id)
        if precondition is not None:
            precondition(self._shown(stored, self.owner.seen.models.views[view]))
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
        item, root = self.visible.readable_item(_id), self.owner.plan.root
        if precondition is not None:
            precondition(item.view(view))
        self.owner.require("modify", item)
        before = item.document or {}
        changed = self._filed(changes.made(encode(item, root), before, root), before)
        if self.owner.plan.file_root is not None:
            after = overlay(before, released(changed), root)
            charge_copies(after, before, self.owner.plan.file_root)
        item.set(unfilled(changed, self.owner.seen.plan.root))
        try:
            item.save_over(item.document)
        except ChangedError:
            return False, None
        return True, self._shown_item(item, view)

    def _delete_item(
        self, _id: str, view: str, precondition: Precondition | None
    ) -> bool:
        """One try; False when somebody changed the item meanwhile."""
        item = self.visible.readable_item(_id)
        if precondition is not None:
            precondition(item.view(view))
        try:
            item.delete_over(item.document)
        except ChangedError:
            return False
        return True

    def _shown_item(self, item: Item, view: str) -> Document | None:
        """What ``view`` shows of an item, if the current user may read it."""
        return item.view(view) if self.owner.allows("read", item) else None

    def _answer(self, item: Item, view: str) -> Document:
        """What ``view`` shows of a stored item.

        :raises BackoError: the store holds what the schema does not allow.
        """
        shown = item.view(view)
        try:
            self.owner.seen.models.views[view].document(shown)
        except pydantic.ValidationError as error:
            faults = str(faults_of(error, self.owner.plan))
            raise self._broken(item.document or {}, faults) from error
        return shown

    # --- Items that others point to -----------------------------------------------

    def shown(self, ids: Iterable[str], view: str) -> dict[str, Document]:
        """The items with these ids that the current user may read, in ``view``, by
        id."""
        readable = self.visible.readable(ids)
        return {one["_id"]: self._in_view(one, view) for one in readable}

    def pointing(
        self, path: str, ids: list[str], view: str, most: int
    ) -> list[tuple[list[str], Document]]:
        """The first ``most`` items that the current user may read and that hold one of
        ``ids`` in the field at ``path``: what that field holds, and the item in
        ``view``."""
        names = self.visible.names(path)
        found = self.visible.pointing(path, ids, most)
        return [(list(texts_at(one, names)), self._in_view(one, view)) for one in found]

    def _in_view(self, document: Document, view: str) -> Document:
        seen = self.owner.seen
        if seen.item_needed["read"]:
            return self._answer(self.visible.item_of(document), view)
        return self._shown(document, seen.models.views[view])


def _located(root: FieldPlan, path: str) -> tuple[FieldPlan | None, list[str | int]]:
    """The field at ``path``, and the way to it: names, and indexes where Lists are."""
    here: FieldPlan | None = root
    steps: list[str | int] = []
    for step in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        if here is None:
            break
        if here.element is None:
            here = here.field(step)
            steps.append(step)
        else:
            here = here.element if _INDEX.fullmatch(step) else None
            steps.append(int(step) if here is not None else step)
    return here, steps


def _node_at(item: Item, steps: list[str | int]) -> Any:
    """What stands there in an item, as far as the current user may read it."""
    here: Any = item
    for step in steps:
        if isinstance(step, str):
            here = here[step] if isinstance(here, Dict) and step in here else None
        else:
            there = isinstance(here, List) and step < len(here)
            here = here[step] if there else None
    return here


def _touches(values: Document, field: FieldPlan, *, fresh: bool = False) -> bool:
    """Whether ``values`` may change what the current user may not: an Item tells.
    ``fresh``: they are those of a new item, with the defaults."""
    return any(
        _touches_field(values[child.name], child, fresh=fresh)
        for child in field.fields
        if child.name in values
    )


def _touches_field(value: Any, field: FieldPlan, *, fresh: bool) -> bool:
    if field.kind is Kind.DICT and isinstance(value, dict):
        return _touches(value, field, fresh=fresh)
    if fresh and (value is None or value == field.default):
        return False
    return any(one.forbidden for one in field.walk())
