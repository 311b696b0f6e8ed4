"""Whose the contents of files are, so that no two items have one."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from backo.collection import Collection
from backo.errors import Fault
from backo.files.structures import Held, doubled, files_of

__all__ = ["Owners"]

type Document = dict[str, Any]


class Owners:
    """The contents of the items of a collection and of rows to be restored; kept on
    disk when there are many."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._files = collection.plan.file_root
        # No name: a temporary database, which spills from memory to a file of its own.
        self._known = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._known.execute(
            "CREATE TABLE owners (place, file_id, owner, PRIMARY KEY (place, file_id))"
        )
        self._known.execute("BEGIN")
        self._is_read = False

    def claim(self, document: Document) -> list[Fault]:
        """What another item has of the contents that ``document`` names; the others are
        its own from now on."""
        held = list(self._held(document))
        if held and not self._is_read:
            self._is_read = True
            for one in self._collection.db_handler.scan():
                for file in self._held(one):
                    self._note(file, one["_id"])
        owners = [(one, self._note(one, document.get("_id"))) for one in held]
        return [
            Fault(one.path, f"is a file of the item {owner!r:.100}", "file")
            for one, owner in owners
            if owner != document.get("_id")
        ] or self._doubled(document)

    def _doubled(self, document: Document) -> list[Fault]:
        return [] if self._files is None else doubled(document, self._files)

    def _held(self, document: Document) -> Iterator[Held]:
        if self._files is None:
            return iter(())
        found = files_of(document, self._files).values()
        return (one for one in found if not one.plan.inline)

    def _note(self, held: Held, owner: Any) -> Any:
        """Who has it: ``owner``, if nobody did."""
        key = held.plan.key(held.file_id)
        insert = "INSERT OR IGNORE INTO owners VALUES (?, ?, ?)"
        self._known.execute(insert, (*key, owner))
        select = "SELECT owner FROM owners WHERE place = ? AND file_id = ?"
        return self._known.execute(select, key).fetchone()[0]

    def close(self) -> None:
        """Forget them."""
        self._known.close()
