"""Filters and sorts across references, answered by semi-join: what other collections
are asked first gives ids, and these are what the first collection is asked for."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from backo.errors import FilterError
from backo.query.filter import (
    ALWAYS,
    NEVER,
    And,
    Condition,
    Element,
    Filter,
    Hop,
    Linked,
    Not,
    Op,
    Or,
    SortKey,
    all_of,
    any_of,
    negate,
    sort_value,
    texts_at,
)
from backo.schema.plan import Kind

__all__ = ["Fetch", "Values", "joined", "values_across"]

type Document = dict[str, Any]
type Values = Callable[[str, Filter, str], Iterable[str]]
"""``f(collection, filter, path)``: the ids in the field at ``path`` of the items that
match there, as far as the current user may read these."""
type Fetch = Callable[[str, Sequence[str]], dict[str, Document]]
"""``f(collection, ids)``: the documents of the readable ones of these items, by id."""

_ID = "$._id"
_MOST_WHOLE = 3
"""References without ids that conditions on one element may look through: each doubles
the filter."""


# -- filters -----------------------------------------------------------------------


def joined(tree: Filter, values: Values) -> Filter:
    """``tree`` without any :class:`Linked`: these become conditions on ids, which
    ``values`` gives in one read for each of them.

    :raises FilterError: it looks through too many lists without ids at once.
    """
    match tree:
        case And(children):
            return all_of(joined(one, values) for one in _merged(children))
        case Or(children):
            return any_of(joined(one, values) for one in _gathered(children))
        case Not(child):
            return negate(joined(child, values))
        case Linked(hop, condition) if hop.reference.filled:
            ids = _distinct(values(hop.reference.collection, condition, _ID))
            return Condition(hop.path, Op.IN, ids, Kind.STRING) if ids else NEVER
        case Linked(hop, condition):
            return all_of([_pointed_to(tree, values), _there(hop)])
        case Element():
            return _joined_element(tree, values)
        case _:
            return tree


def _pointed_to(tree: Linked, values: Values) -> Filter:
    """The documents that matching items point to: of the reference that keeps no ids
    the other half does."""
    reference = tree.hop.reference
    back = reference.reverse or _ID
    ids = _distinct(values(reference.collection, tree.condition, back))
    return Condition(("_id",), Op.IN, ids, Kind.STRING) if ids else NEVER


def _there(hop: Hop) -> Filter:
    """Whether there is a field at all that could have held the ids."""
    seen = (
        Condition(hop.path, Op.EXISTS, True, Kind.LIST) if hop.conditional else ALWAYS
    )
    held = ALWAYS if hop.holder is None else Element(hop.holder, ALWAYS)
    return all_of([seen, held])


def _joined_element(tree: Element, values: Values) -> Filter:
    """An element does not know whose it is, which alone tells what items a reference
    without ids has; so the two cases are told apart outside of it."""
    whole = _distinct(_without_ids(tree.condition))
    if not whole:
        condition = joined(tree.condition, values)
        return dataclasses.replace(tree, condition=condition)
    if len(whole) > _MOST_WHOLE:
        raise FilterError(
            f"conditions on one element may look through {_MOST_WHOLE} references that "
            "keep no ids at most",
            path=".".join(("$", *tree.path)),
        )
    pointed = _pointed_to(whole[0], values)
    cases = [
        (pointed, _replaced(tree, whole[0], _there(whole[0].hop))),
        (negate(pointed), _replaced(tree, whole[0], NEVER)),
    ]
    return any_of(all_of([case, joined(part, values)]) for case, part in cases)


def _without_ids(tree: Filter) -> Iterator[Linked]:
    match tree:
        case And(children) | Or(children):
            for child in children:
                yield from _without_ids(child)
        case Not(child) | Element(_, child):
            yield from _without_ids(child)
        case Linked(hop) if not hop.reference.filled:
            yield tree


def _replaced(tree: Filter, old: Filter, new: Filter) -> Filter:
    if tree == old:
        return new
    match tree:
        case And(children):
            return all_of(_replaced(child, old, new) for child in children)
        case Or(children):
            return any_of(_replaced(child, old, new) for child in children)
        case Not(child):
            return negate(_replaced(child, old, new))
        case Element(_, child):
            return dataclasses.replace(tree, condition=_replaced(child, old, new))
        case _:
            return tree


def _merged(children: Iterable[Filter]) -> list[Filter]:
    """The parts of a conjunction, those on the one item that a reference points to as
    one, so that its collection is asked once: what holds of that item, too, and what
    does not, where there must be one."""
    given = list(children)
    there = {one.hop for one in given if isinstance(one, Linked) and one.hop.single}
    inside = [_within(one, there) for one in given]
    return _grouped(inside, all_of, lambda hop: hop.single)


def _within(tree: Filter, there: Collection[Hop]) -> Filter:
    """What an item does not match, as something that it does match."""
    match tree:
        case Not(Linked(hop, condition)) if hop in there:
            return Linked(hop, negate(condition))
        case _:
            return tree


def _gathered(children: Iterable[Filter]) -> list[Filter]:
    """The parts of a disjunction, those through the same reference as one."""
    return _grouped(children, any_of, lambda _hop: True)


def _grouped(
    children: Iterable[Filter],
    join: Callable[[Iterable[Filter]], Filter],
    may: Callable[[Hop], bool],
) -> list[Filter]:
    rest: list[Filter] = []
    by_hop: dict[Hop, list[Filter]] = {}
    for child in children:
        if isinstance(child, Linked) and may(child.hop):
            by_hop.setdefault(child.hop, []).append(child.condition)
        else:
            rest.append(child)
    return [*rest, *(Linked(hop, join(some)) for hop, some in by_hop.items())]


def _distinct[T](found: Iterable[T]) -> tuple[T, ...]:
    given = list(found)
    try:
        return tuple(dict.fromkeys(given))
    except TypeError:
        # A condition on a list or an object is not hashable.
        return tuple(one for at, one in enumerate(given) if one not in given[:at])


# -- sorts -------------------------------------------------------------------------


def values_across(
    documents: Sequence[Document], keys: Iterable[SortKey], fetch: Fetch
) -> Callable[[SortKey], Callable[[Document], tuple[Any, ...]]]:
    """Like :func:`sort_value`, for keys that step through references too: all items
    that ``documents`` point to are fetched at once, step by step."""
    known: dict[tuple[Hop, ...], dict[str, Document]] = {}
    for key in keys:
        for end in range(1, len(key.hops) + 1):
            way, hop = key.hops[:end], key.hops[end - 1]
            if way not in known:
                holders = known[way[:-1]].values() if end > 1 else documents
                ids = [_id for one in holders for _id in texts_at(one, hop.path)]
                known[way] = fetch(hop.reference.collection, ids) if ids else {}

    def value_of(key: SortKey) -> Callable[[Document], tuple[Any, ...]]:
        at_end = sort_value(dataclasses.replace(key, hops=()))

        def value(document: Document) -> tuple[Any, ...]:
            here: Document | None = document
            for end, hop in enumerate(key.hops, 1):
                _id = next(texts_at(here, hop.path), None)
                here = known[key.hops[:end]].get(_id) if _id is not None else None
            return () if here is None else at_end(here)

        return value

    return value_of
