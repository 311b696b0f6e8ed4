"""What the parameters of a list ask for: filter, sort, page, view, and which references
to put items in the place of."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backo.access import Access
from backo.connectors.base import Query
from backo.errors import FilterError
from backo.query.filter import ALWAYS, Filter, Page, all_of
from backo.query.paging import EXPAND
from backo.query.parse import (
    Neighbours,
    parse_json,
    parse_page,
    parse_query,
    parse_sort,
)
from backo.references.expanding import Expansion, PlanOf, expand, expansion
from backo.schema.plan import ItemPlan
from backo.seen import Seen
from backo.visible import Visible

__all__ = [
    "Asked",
    "Askable",
    "Pairs",
    "Parameters",
    "asked",
    "expanded",
    "neighbours",
    "pairs_of",
    "plan_of",
    "view_asked",
    "wanted",
]

type Pairs = Sequence[tuple[str, str]]
"""Parameters in order; one that is repeated stands there again."""
type Parameters = Pairs | Mapping[str, str | Sequence[str]]


class Askable(Protocol):
    """What reading parameters needs of the collection they are about."""

    visible: Visible

    @property
    def seen(self) -> Seen: ...

    @property
    def page_size(self) -> int: ...

    @property
    def max_page_size(self) -> int: ...

    def get_other_collection(self, name: str) -> Any: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a list."""

    query: Query
    page: Page
    view: str
    total: bool
    into: tuple[Expansion, ...]


def pairs_of(parameters: Parameters) -> Pairs:
    """``{"pages.$gt": "100", "tags": ["a", "b"]}`` as pairs.

    :raises FilterError: a value is no text.
    """
    if not isinstance(parameters, Mapping):
        return parameters
    return [
        (name, one) for name, value in parameters.items() for one in _texts(name, value)
    ]


def _texts(name: str, value: Any) -> list[str]:
    texts = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, str) for one in texts):
        raise FilterError("must be a text, as in a query string", path=name)
    return texts


def asked(home: Askable, pairs: Pairs, body: Any = None) -> Asked:
    """What these parameters ask for, and ``body``, a filter as parsed JSON.

    :raises FilterError: one of them is not valid, or names what the caller may not
        read.
    """
    plan, look = home.seen.plan, neighbours(home)
    page = parse_page(pairs, home.page_size, home.max_page_size)
    query = Query(
        filter=all_of(
            [
                _body_filter(body, plan, look),
                parse_query(pairs, plan, plan.shows, look),
            ]
        ),
        sort=parse_sort(_single(pairs, "_sort"), plan, plan.shows, look),
        skip=page.skip,
        limit=page.size,
    )
    view = view_asked(pairs, plan)
    return Asked(query, page, view, _total(pairs), wanted(home, pairs, view))


def _body_filter(body: Any, plan: ItemPlan, look: Neighbours) -> Filter:
    return ALWAYS if body is None else parse_json(body, plan, plan.shows, look)


def _single(pairs: Pairs, name: str) -> str | None:
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise FilterError(f"{name} is given more than once", path=name)
    return values[0] if values else None


def view_asked(pairs: Pairs, plan: ItemPlan) -> str:
    """The view of ``_view``, or ``client``.

    :raises FilterError: there is no such view.
    """
    view = _single(pairs, "_view")
    if view is None:
        return "client"
    if view not in plan.view_names:
        known = ", ".join(plan.view_names)
        raise FilterError(f"there is no such view; there are: {known}", path="_view")
    return view


def _total(pairs: Pairs) -> bool:
    total = _single(pairs, "_total")
    if total not in (None, "0", "1"):
        raise FilterError("_total is 0 or 1", path="_total")
    return total != "0"


# -- other collections' items ------------------------------------------------------


def neighbours(home: Askable) -> Neighbours:
    """The other collections, as far as answers may show their items."""
    return home.visible.told_neighbours()


def plan_of(look: Neighbours) -> PlanOf:
    """The plans of other collections, by name."""

    def find(name: str) -> ItemPlan | None:
        found = look(name)
        return None if found is None else found.plan

    return find


def wanted(home: Askable, pairs: Pairs, view: str) -> tuple[Expansion, ...]:
    """What ``_expand`` asks for in items of that view.

    :raises FilterError: that view shows no such reference.
    """
    # Some programs know no other way to send a list than to repeat the parameter.
    texts = [text for name, text in pairs if name == EXPAND]
    if not texts:
        return ()
    return expansion(
        ",".join(texts).split(","), home.seen.plan.view(view), plan_of(neighbours(home))
    )


def expanded(
    home: Askable, documents: Sequence[dict[str, Any]], into: tuple[Expansion, ...]
) -> None:
    """Put what is wanted into ``documents``."""

    def source_of(name: str) -> Access:
        access: Access = home.get_other_collection(name).access
        return access

    expand(documents, into, source_of, home.max_page_size)
