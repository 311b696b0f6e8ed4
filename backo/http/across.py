"""The names of the schemas of items into which others may have been put."""

from backo.http.described import Described
from backo.references.expanding import PlanOf, expandable
from backo.schema.models import component_name, shown_component, view_suffix
from backo.schema.plan import ItemPlan

__all__ = ["expanded_component", "expanded_name"]


def expanded_component(collection: Described, view: str | None = None) -> str:
    """The name of the schema of items in a view, or else in any of theirs, into which
    others may have been put; that of the items alone where there is nothing to put."""
    plan, find = collection.plan, collection.plan_of
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
