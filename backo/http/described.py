"""A collection as documents tell of it: all that there is for anybody, or what there is
for one user."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from backo.action import Registered
from backo.asking import plan_of
from backo.collection import Collection
from backo.query.parse import Neighbours
from backo.references.expanding import PlanOf
from backo.schema.models import ItemModels
from backo.schema.plan import ItemPlan, Right
from backo.seen import Seen
from backo.selection import Selection

__all__ = ["Described", "Tell", "declared", "for_user"]


@dataclasses.dataclass(frozen=True)
class Described:
    """A collection, and of what it has that which somebody, or one user, may use."""

    collection: Collection
    plan: ItemPlan
    models: ItemModels
    rights: Mapping[str, Right]
    selections: tuple[Selection, ...]
    actions: tuple[Registered, ...]
    neighbours: Neighbours
    """The other collections, as far as answers may show their items."""

    @property
    def name(self) -> str:
        return self.collection.name

    def forbids(self, right: str) -> bool:
        """Whether that right is refused, whatever the item."""
        return self.rights[right] is False

    @property
    def used(self) -> bool:
        """Whether there is any operation."""
        return bool(self.actions) or not all(map(self.forbids, self.rights))

    @property
    def plan_of(self) -> PlanOf:
        """The plans of the other collections, by name."""
        return plan_of(self.neighbours)


type Tell = Callable[[Collection], Described]


def declared(collection: Collection) -> Described:
    """All that somebody may use."""
    return Described(
        collection,
        collection.plan,
        collection.models,
        collection.rights,
        tuple(_read(collection.selections.values(), collection.rights)),
        tuple(one for one in collection.actions.values() if not one.forbidden),
        collection.visible.declared_neighbours(shown_only=True),
    )


def for_user(collection: Collection) -> Described:
    """What the current user may use of it."""
    seen = _told(collection.seen)
    return Described(
        collection,
        seen.plan,
        seen.models,
        seen.rights,
        tuple(
            one
            for one in _read(collection.selections.values(), seen.rights)
            if one.can_read()
        ),
        tuple(one for one in collection.actions.values() if not one.refused),
        collection.visible.told_neighbours(_told),
    )


def _told(seen: Seen) -> Seen:
    return seen.described or seen


def _read(
    selections: Iterable[Selection], rights: Mapping[str, Right]
) -> Iterable[Selection]:
    if rights["read"] is False:
        return ()
    return (one for one in selections if not one.forbidden)
