"""What a user meets of a collection: its declaration, with rights that are functions of
the user alone resolved."""

import dataclasses
from collections.abc import Mapping

from backo.schema.models import ItemModels
from backo.schema.plan import ItemPlan, Right

__all__ = ["Seen"]


@dataclasses.dataclass(frozen=True)
class Seen:
    """A declaration as one user meets it: rights that are functions of the user alone
    are what these say."""

    plan: ItemPlan
    models: ItemModels
    rights: Mapping[str, Right]
    item_needed: Mapping[str, bool]
    """For each right, whether its use case must build an Item, or can go from document
    to document."""
    closed: bool
    """Whether no item is there for the user."""
    pruning: bool
    """Whether documents hold what others may read, and the user may not."""
    described: "Seen | None" = None
    """The same for what tells of it, where what the user may not change is read-only;
    None: it is no other."""
