"""One row stored, with all that follows from it, whoever the current user is."""

from typing import Any

from backo.collection import Collection
from backo.documents import carry_unknown, overlay
from backo.errors import ChangedError, ConflictError
from backo.exchange.checking import Change
from backo.files.structures import separated
from backo.item import ATTEMPTS

__all__ = ["restore", "write"]

type Document = dict[str, Any]


def restore(collection: Collection, change: Change) -> None:
    """Store the document as it is: no event, no ``_meta``, no other half of a link.

    :raises DuplicateIdError: the id has been taken meanwhile.
    :raises NotFoundError: the item is gone meanwhile.
    """
    if change.before is None:
        collection.store.create(change.values)
    else:
        collection.store.save(change.before["_id"], change.values)


def write(collection: Collection, change: Change) -> None:
    """Create the item, or change it, as any write does, but for rights.

    :raises SConstraintError: it breaks the schema, or that of an item it points to.
    :raises UnknownReferenceError: an item that it points to is not there.
    :raises DuplicateIdError: the id has been taken meanwhile.
    :raises NotFoundError: the item is gone meanwhile.
    :raises ConflictError: others changed it again and again.
    """
    if change.before is None:
        given = {} if change._id is None else {"_id": change._id}
        _create(collection, {**change.values, **given})
        return
    once = _modify_item if collection.modified_by_items else _modify
    for _ in range(ATTEMPTS):
        if once(collection, change.before["_id"], change.values):
            return
    raise ConflictError(f"{collection.name}: the item is being changed by others")


def _create(collection: Collection, document: Document) -> None:
    if collection.modified_by_items:
        collection.new_item().create(document, unasked=True)
        return
    collection.model.meta_data_handler.stamp(document, created=True)
    with collection.unit():
        collection.links.require(None, document, unasked=True)
        document = {**document, "_id": collection.store.create(document)}
        collection.links.follow(None, document)


def _modify(collection: Collection, _id: str, changes: Document) -> bool:
    """One try: whether nobody else was faster."""
    root = collection.plan.root
    with collection.unit():
        before = collection.db_handler.get_by_id(_id)
        after = carry_unknown(before, overlay(before, changes, root), root)
        if collection.plan.file_root is not None:
            after = separated(after, before, collection.plan.file_root)
        collection.model.meta_data_handler.stamp(after, created=False)
        collection.links.require(before, after, unasked=True)
        if not collection.store.compare_and_set(_id, before, after):
            return False
        collection.links.follow(before, after)
    return True


def _modify_item(collection: Collection, _id: str, changes: Document) -> bool:
    """One try: whether nobody else was faster."""
    with collection.unit():
        before = collection.db_handler.get_by_id(_id)
        item = collection.new_item()
        item.disable_permissions()
        item.arrive(before)
        item.overwrite(changes)
        try:
            item.save_over(before, unasked=True)
        except ChangedError:
            return False
        collection.links.require(before, item.document or {}, unasked=True)
    return True
