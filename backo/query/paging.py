"""Sorts and pages as clients and developers write them, typed by the plan."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backo.errors import FilterError
from backo.query.builder import (
    FilterBuilder,
    Neighbours,
    Readable,
    Scope,
    everything,
)
from backo.query.filter import UNSORTABLE, Page, SortKey
from backo.schema.plan import ItemPlan

__all__ = ["EXPAND", "MAX_SORT_KEYS", "PAGE_PARAMETERS", "parse_page", "parse_sort"]

MAX_SORT_KEYS = 32
EXPAND = "_expand"
"""The parameter that names the references to put items in the place of."""
PAGE_PARAMETERS = frozenset({"_page", "_skip", "_sort", "_view", "_total", EXPAND})
"""Keys of a query string that are no filter; ``$._page`` still names such a field."""


def parse_sort(
    given: str | Mapping[str, int] | None,
    plan: ItemPlan,
    readable: Readable = everything,
    neighbours: Neighbours | None = None,
) -> tuple[SortKey, ...]:
    """The keys of ``-$.pages,$.author.name`` or ``{"pages": -1, "author.name": 1}``."""
    if not given:
        return ()
    wanted = _sort_texts(given) if isinstance(given, str) else list(given.items())
    if len(wanted) > MAX_SORT_KEYS:
        raise FilterError(f"a sort may have {MAX_SORT_KEYS} keys", path="_sort")
    parser = FilterBuilder(readable, neighbours=neighbours)
    root = Scope(plan.root, (), "$")
    return tuple(_sort_key(parser, root, *one) for one in wanted)


def _sort_texts(text: str) -> list[tuple[str, int]]:
    return [
        (one.removeprefix("-"), -1 if one.startswith("-") else 1)
        for one in text.split(",")
    ]


def _sort_key(
    parser: FilterBuilder, root: Scope, dotted: str, direction: Any
) -> SortKey:
    scope = parser.step(root, dotted)
    if isinstance(direction, bool) or direction not in (1, -1):
        scope.fail("the direction of a sort is 1 or -1")
    several = scope.holder is not None or not all(hop.single for hop in scope.hops)
    if scope.field.kind in UNSORTABLE or several:
        scope.fail("cannot be sorted by")
    return SortKey(scope.path, direction == -1, scope.field.kind, scope.hops)


def parse_page(
    pairs: Sequence[tuple[str, str]], default: int = 10, maximum: int = 1000
) -> Page:
    """The page of ``_page`` (1 to ``maximum``) and ``_skip`` (0 and more)."""
    size = _integer(pairs, "_page", default, 1, maximum)
    return Page(size, _integer(pairs, "_skip", 0, 0, 2**63 - 1))


def _integer(
    pairs: Sequence[tuple[str, str]], name: str, default: int, least: int, most: int
) -> int:
    texts = [text for key, text in pairs if key == name]
    if not texts:
        return default
    if len(texts) > 1:
        raise FilterError("may be given once", path=name)
    wanted = int(texts[0]) if _PAGE_NUMBER.fullmatch(texts[0]) else least - 1
    if not least <= wanted <= most:
        raise FilterError(f"must be an integer from {least} to {most}", path=name)
    return wanted


_PAGE_NUMBER = re.compile(r"-?[0-9]{1,100}", re.ASCII)
