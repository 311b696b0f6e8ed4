"""What a field that points to other items says, as data."""

import dataclasses
from enum import Enum

__all__ = ["DeleteStrategy", "FillStrategy", "Reference"]


class DeleteStrategy(Enum):
    """What becomes of the items a field points to when the item that holds it goes."""

    MUST_BE_EMPTY = "must_be_empty"
    """It cannot go while the field points to anything."""
    DELETE_REFERENCED_ITEMS = "delete_referenced_items"
    """They go too, and what goes with them."""
    UNLINK_REFERENCED_ITEMS = "unlink_referenced_items"
    """They stay, and no longer point back."""


class FillStrategy(Enum):
    """Whether a RefsList keeps ids."""

    FILL = "fill"
    """It keeps the ids of the items that point to it."""
    NOT_FILL = "not_fill"
    """It keeps none, they are found by a query: for lists that would grow too long."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """That a field holds the id (``many``: the ids) of items of ``collection``."""

    collection: str
    reverse: str | None = None
    """The path of the field there that points back (``$.books``); None: none does."""
    many: bool = False
    on_delete: DeleteStrategy = DeleteStrategy.MUST_BE_EMPTY
    filled: bool = True
    """Whether the ids are stored here; else they are found by ``reverse``."""
