"""What requests say of other collections' items: filters and sorts that look into them,
and ``_expand``, which puts them into the answer."""

from collections.abc import Sequence
from typing import Any

from backo.access import Access
from backo.collection import Collection
from backo.http.messages import Request
from backo.query.parse import Neighbours, Readable
from backo.references.expanding import (
    Expansion,
    PlanOf,
    expand,
    expandable,
    expansion,
)
from backo.schema.models import component_name, shown_component, view_suffix
from backo.schema.plan import ItemPlan

__all__ = [
    "EXPAND",
    "expanded",
    "expanded_component",
    "expanded_name",
    "neighbours",
    "plan_of",
    "wanted",
]

EXPAND = "_expand"
"""The parameter that names the references to put items in the place of."""


def neighbours(collection: Collection) -> Neighbours:
    """The other collections, as far as answers may show their items."""
    return collection.visible.neighbours(_shown)


def _shown(plan: ItemPlan) -> Readable:
    return plan.shows


def plan_of(collection: Collection) -> PlanOf:
    """The plans of the other collections that somebody may read, by name."""
    look = neighbours(collection)

    def find(name: str) -> ItemPlan | None:
        found = look(name)
        return None if found is None else found.plan

    return find


def wanted(
    collection: Collection, request: Request, view: str
) -> tuple[Expansion, ...]:
    """What ``_expand`` asks for in items of that view.

    :raises FilterError: that view shows no such reference.
    """
    # Some programs know no other way to send a list than to repeat the parameter.
    texts = [text for name, text in request.query if name == EXPAND and text]
    if not texts:
        return ()
    shown = collection.plan.view(view)
    return expansion(",".join(texts).split(","), shown, plan_of(collection))


def expanded(
    collection: Collection,
    documents: Sequence[dict[str, Any]],
    into: tuple[Expansion, ...],
) -> None:
    """Put what is wanted into ``documents``."""

    def source_of(name: str) -> Access:
        return collection.get_other_collection(name).access

    expand(documents, into, source_of, collection.backoffice.max_page_size)


def expanded_component(collection: Collection, view: str | None = None) -> str:
    """The name of the schema of items in a view, or else in any of theirs, into which
    others may have been put; that of the items alone where there is nothing to put."""
    plan, find = collection.plan, plan_of(collection)
    if view is not None:
        return expanded_name(plan, view, find)
    shown = shown_component(component_name(plan.name), plan.view_names)
    if any(expandable(plan.view(one), find) for one in plan.view_names):
        return f"{shown}Expanded"
    return shown


def expanded_name(plan: ItemPlan, view: str, find: PlanOf) -> str:
    """The name of the schema of a view into which others may have been put."""
    name = component_name(plan.name) + view_suffix(view)
    return f"{name}Expanded" if expandable(plan.view(view), find) else name
