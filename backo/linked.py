"""The documents of a collection, as the links that lead to them change them.

Rights are not asked here: whoever may change one half of a link changes both.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from backo.connectors.base import Query
from backo.errors import ChangedError, ConflictError, NotFoundError
from backo.item import ATTEMPTS, Home, Item
from backo.query.filter import Condition, Op
from backo.references.work import Edit, edited, list_edits
from backo.schema.plan import Kind

__all__ = ["Linked", "LinkedOwner"]

type Document = dict[str, Any]


class LinkedOwner(Home, Protocol):
    """What the links to a collection's documents need of the collection."""

    model: Item

    @property
    def modified_by_items(self) -> bool: ...

    @property
    def told_of_delete(self) -> bool: ...

    def readable_ids(self, ids: Iterable[str]) -> frozenset[str]: ...


class Linked:
    """The documents of one collection, for the links that lead to them."""

    def __init__(self, owner: LinkedOwner) -> None:
        self.owner = owner

    def stored_documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """The documents with these ids, as far as they exist."""
        return {one["_id"]: one for one in self.owner.db_handler.get_many(ids)}

    def readable_ids(self, ids: Iterable[str]) -> frozenset[str]:
        """Which of these ids are there for the current user."""
        return self.owner.readable_ids(ids)

    def holding(self, path: str, _id: str) -> list[Document]:
        """The documents that hold that id in the field at ``path``."""
        located = self.owner.plan.locate(path)
        if located is None:
            return []
        names = tuple(step.name for step in located.trail if step.name != "[*]")
        query = Query(Condition(names, Op.EQ, _id, Kind.STRING))
        found: list[Document] = self.owner.db_handler.find(query)
        return found

    def relink(self, _id: str, edits: Sequence[Edit], **kwargs: Any) -> None:
        """Change a document that is linked to; one that is not there is left out.

        :raises RefusedEditError: one of its fields does not allow it.
        :raises SConstraintError: it would break its schema.
        :raises ConflictError: others changed it again and again.
        """
        once = self._relink_item if self.owner.modified_by_items else self._relink
        for _ in range(ATTEMPTS):
            try:
                before = self.owner.db_handler.get_by_id(_id)
            except NotFoundError:
                return
            after = edited(before, edits)
            if after == before or once(before, after, edits, kwargs):
                return
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    def _relink(
        self,
        before: Document,
        after: Document,
        edits: Sequence[Edit],
        kwargs: dict[str, Any],
    ) -> bool:
        self.owner.model.meta_data_handler.stamp(after, created=False)
        lists = list_edits(edits)
        if lists and self.owner.store.edit_lists(lists, before, after):
            return True
        return self.owner.store.compare_and_set(before["_id"], before, after)

    def _relink_item(
        self,
        before: Document,
        after: Document,
        edits: Sequence[Edit],
        kwargs: dict[str, Any],
    ) -> bool:
        item = self.owner.new_item()
        item.arrive(before, **kwargs)
        item.overwrite(after)
        try:
            item.save_over(before, unasked=True, settled=after, **kwargs)
        except ChangedError:
            return False
        return True

    def remove_linked(self, _id: str, **kwargs: Any) -> None:
        """Delete a document that goes with another; one that is not there is left
        out."""
        try:
            if self.owner.told_of_delete:
                item = self.owner.new_item()
                item.arrive(self.owner.db_handler.get_by_id(_id), **kwargs)
                item.trigg("before_delete", **kwargs)
            self.owner.store.delete_by_id(_id)
        except NotFoundError:
            return
