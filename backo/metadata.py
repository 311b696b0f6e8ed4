"""What is written down about every item: who made and changed it, and when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from backo.current_user import current_user
from backo.schema.plan import Right
from backo.schema.types import Datetime, Dict, GenericType, String

__all__ = ["GenericMetaDataHandler", "StandardMetaDataHandler"]


class GenericMetaDataHandler:
    """Adds fields to every item and fills them in on each write; this one adds none."""

    def fields(self) -> dict[str, GenericType]:
        """The fields to add to the Item, by name."""
        return {}

    def stamp(self, document: dict[str, Any], *, created: bool) -> None:
        """Fill in those fields of ``document``, which is about to be stored."""


class StandardMetaDataHandler(GenericMetaDataHandler):
    """Adds ``_meta``: ``ctime``, ``mtime`` (UTC, in seconds), ``created_by`` and
    ``modified_by`` (``_id`` and ``login`` of the current user).

    :param can_read: who may read it: a bool, or ``f("read", item)``.
    """

    # Subclasses need not call __init__.
    _rights: Mapping[str, Right] = MappingProxyType({})

    def __init__(self, *, can_read: Right = None) -> None:
        # stricto takes no None here.
        self._rights = {} if can_read is None else {"can_read": can_read}

    def fields(self) -> dict[str, GenericType]:
        """The read-only Dict ``_meta``."""
        return {
            "_meta": Dict(
                {
                    "ctime": Datetime(description="When it was created"),
                    "mtime": Datetime(description="When it was last changed"),
                    "created_by": _user("Who created it"),
                    "modified_by": _user("Who changed it last"),
                },
                can_modify=False,
                description="Who made and changed the item, and when",
                **self._rights,
            )
        }

    def stamp(self, document: dict[str, Any], *, created: bool) -> None:
        """Set the time and the user of the change, and at first of the creation."""
        now = datetime.now(UTC).replace(microsecond=0).isoformat()
        _id, login = current_user.identity()
        before = {} if created else document.get("_meta") or {}
        document["_meta"] = {
            "ctime": before.get("ctime") if before else now,
            "mtime": now,
            "created_by": before.get("created_by")
            if before
            else {"_id": _id, "login": login},
            "modified_by": {"_id": _id, "login": login},
        }


def _user(description: str) -> Dict:
    schema = {
        "_id": String(description="The user's id"),
        "login": String(description="The user's login"),
    }
    return Dict(schema, description=description)
