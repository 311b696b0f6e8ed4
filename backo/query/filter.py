"""Filters and sorts as data, and what they mean on a plain document.

:func:`matches` is the reference meaning. A connector may answer a filter in any way it
likes, as long as it finds the documents that :func:`matches` finds:

* *absent* is missing or null; comparing with an absent value is false, and ``$ne``,
  ``$nin`` and :class:`Not` are exact negations, hence true;
* a path steps through a list it meets (one level for each step, as MongoDB does), and a
  condition holds when it holds for any value reached;
* on a list, a condition of a scalar kind holds when it holds for any element;
* values are compared inside one type only, a bool is no number.

:class:`Linked` looks into other items, so a document alone cannot answer it: it becomes
a :class:`Condition` on ids before any store is asked (``backo.references.joining``).
"""

import dataclasses
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import singledispatch
from types import MappingProxyType
from typing import Any

from backo.query.compare import (
    WHOLE,
    comparison_kind,
    key_function,
    number,
    same,
)
from backo.schema.patterns import linear_matcher
from backo.schema.plan import FieldPlan, Kind
from backo.schema.reference import Reference

__all__ = [
    "ALWAYS",
    "NEVER",
    "Always",
    "And",
    "Condition",
    "Element",
    "Filter",
    "Hop",
    "Linked",
    "Never",
    "Not",
    "Op",
    "Or",
    "Page",
    "SortKey",
    "UNSORTABLE",
    "all_of",
    "any_of",
    "canonical",
    "matches",
    "negate",
    "operators_for",
    "order",
    "predicate",
    "sort_value",
    "texts_at",
]


class Op(StrEnum):
    """The operators of a condition on one field."""

    EQ = "$eq"
    NE = "$ne"
    LT = "$lt"
    LTE = "$lte"
    GT = "$gt"
    GTE = "$gte"
    IN = "$in"
    NIN = "$nin"
    REG = "$reg"
    EXISTS = "$exists"
    SIZE = "$size"
    CONTAINS = "$contains"
    ALL = "$all"


@dataclasses.dataclass(frozen=True, slots=True)
class Always:
    """Every document."""


@dataclasses.dataclass(frozen=True, slots=True)
class Never:
    """No document."""


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    """The documents of every child; all of them when there is no child."""

    children: tuple["Filter", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """The documents of any child; none when there is no child."""

    children: tuple["Filter", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """The documents that ``child`` does not match."""

    child: "Filter"


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. An empty path is the value itself (inside :class:`Element`).

    ``operator`` is never ``$contains`` nor ``$all``: these become :class:`Element`.
    ``value`` is in document form; ``$in`` and ``$nin`` hold a tuple of such. ``kind``
    says how it is compared: ``LIST``, ``TUPLE``, ``DICT`` as a whole.
    """

    path: tuple[str, ...]
    operator: Op
    value: Any
    kind: Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """The list at ``path`` has an element (or, with ``every``, only elements) that
    matches ``condition``, whose paths start at the element. An absent list never
    matches, an empty one only with ``every``.
    """

    path: tuple[str, ...]
    condition: "Filter"
    every: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Hop:
    """A step through the reference at ``path`` to the items it points to."""

    path: tuple[str, ...]
    reference: Reference
    holder: tuple[str, ...] | None = None
    """The innermost List on the way to it, if there is one."""
    conditional: bool = False
    """Whether the field that holds it is hidden in some items, or from some callers."""

    @property
    def single(self) -> bool:
        """Whether it leads from a document to one item at most."""
        return self.holder is None and not self.reference.many


@dataclasses.dataclass(frozen=True, slots=True)
class Linked:
    """A reference points to an item that matches ``condition``, whose paths start in
    that item."""

    hop: Hop
    condition: "Filter"


type Filter = Always | Never | And | Or | Not | Condition | Element | Linked

ALWAYS = Always()
NEVER = Never()


@dataclasses.dataclass(frozen=True, slots=True)
class SortKey:
    """One key of a sort; absent values come first, or last when ``descending``."""

    path: tuple[str, ...]
    descending: bool = False
    kind: Kind = Kind.STRING
    hops: tuple[Hop, ...] = ()
    """The references to step through first: ``path`` starts in the last item."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Which part of the result is wanted: at most ``size`` after ``skip``."""

    size: int = 10
    skip: int = 0


# -- building ----------------------------------------------------------------------


def all_of(children: Iterable[Filter]) -> Filter:
    """The conjunction, flattened and without needless children."""
    flat: list[Filter] = []
    for child in children:
        if isinstance(child, Never):
            return NEVER
        if isinstance(child, And):
            flat.extend(child.children)
        elif not isinstance(child, Always):
            flat.append(child)
    return _one_or(And, flat, ALWAYS)


def any_of(children: Iterable[Filter]) -> Filter:
    """The disjunction, flattened and without needless children."""
    flat: list[Filter] = []
    for child in children:
        if isinstance(child, Always):
            return ALWAYS
        if isinstance(child, Or):
            flat.extend(child.children)
        elif not isinstance(child, Never):
            flat.append(child)
    return _one_or(Or, flat, NEVER)


def _one_or(node: type[And] | type[Or], flat: list[Filter], neutral: Filter) -> Filter:
    if not flat:
        return neutral
    return flat[0] if len(flat) == 1 else node(tuple(flat))


def negate(child: Filter) -> Filter:
    """The exact negation."""
    match child:
        case Always():
            return NEVER
        case Never():
            return ALWAYS
        case Not(inner):
            return inner
        case _:
            return Not(child)


def canonical(leaf: Condition) -> Filter:
    """The same meaning with the operators ``$eq $lt $lte $gt $gte $in $reg $size`` and
    ``$exists: true`` only, and null nowhere among the values."""
    match leaf.operator:
        case Op.EXISTS if not leaf.value:
            return Not(dataclasses.replace(leaf, value=True))
        case Op.EQ if leaf.value is None:
            return Not(dataclasses.replace(leaf, operator=Op.EXISTS, value=True))
        case Op.NE:
            return negate(canonical(dataclasses.replace(leaf, operator=Op.EQ)))
        case Op.NIN:
            return negate(canonical(dataclasses.replace(leaf, operator=Op.IN)))
        case Op.IN if any(value is None for value in leaf.value):
            present = tuple(value for value in leaf.value if value is not None)
            absent = dataclasses.replace(leaf, operator=Op.EXISTS, value=True)
            return Or((Not(absent), dataclasses.replace(leaf, value=present)))
        case _:
            return leaf


# -- meaning -----------------------------------------------------------------------

type Predicate = Callable[[Any], bool]


def matches(tree: Filter, document: Any) -> bool:
    """Whether the document is one of the filter's: the reference meaning."""
    return predicate(tree)(document)


@singledispatch
def predicate(tree: Any) -> Predicate:
    """The filter as a function, for use on many documents; it never raises on one."""
    raise TypeError(f"not a filter: {tree!r}")


@predicate.register
def _(tree: Always) -> Predicate:
    return lambda document: True


@predicate.register
def _(tree: Never) -> Predicate:
    return lambda document: False


@predicate.register
def _(tree: And) -> Predicate:
    tests = [predicate(child) for child in tree.children]
    return lambda document: all(test(document) for test in tests)


@predicate.register
def _(tree: Or) -> Predicate:
    tests = [predicate(child) for child in tree.children]
    return lambda document: any(test(document) for test in tests)


@predicate.register
def _(tree: Not) -> Predicate:
    test = predicate(tree.child)
    return lambda document: not test(document)


@predicate.register
def _(tree: Element) -> Predicate:
    test, path = predicate(tree.condition), tree.path
    quantifier = all if tree.every else any
    return lambda document: any(
        isinstance(value, list) and quantifier(test(element) for element in value)
        for value in _reach(document, path)
    )


@predicate.register
def _(tree: Linked) -> Predicate:
    raise TypeError(f"not joined yet: {tree!r}")


@predicate.register
def _(tree: Condition) -> Predicate:
    simple = canonical(tree)
    if simple is not tree:
        return predicate(simple)
    return _POSITIVE[tree.operator](tree)


def _reach(document: Any, path: tuple[str, ...]) -> list[Any]:
    """The present values at ``path``; a list on the way gives one for each element."""
    here = [document]
    for name in path:
        here = [
            value
            for holder in here
            for below in (holder if isinstance(holder, list) else (holder,))
            if isinstance(below, dict) and (value := below.get(name)) is not None
        ]
    return here if path or document is not None else []


def _scalars(document: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """The values at ``path``, a list there giving its elements."""
    for value in _reach(document, path):
        if isinstance(value, list):
            yield from value
        else:
            yield value


def texts_at(document: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The texts at ``path``, a list on the way or there giving its elements: the ids
    that a reference holds."""
    return (one for one in _scalars(document, path) if isinstance(one, str))


def _exists(leaf: Condition) -> Predicate:
    path = leaf.path
    return lambda document: bool(_reach(document, path))


def _size(leaf: Condition) -> Predicate:
    path, size = leaf.path, leaf.value
    return lambda document: any(
        isinstance(value, list) and len(value) == size
        for value in _reach(document, path)
    )


def _regular(leaf: Condition) -> Predicate:
    path, test = leaf.path, linear_matcher(leaf.value)
    return lambda document: any(
        isinstance(value, str) and test(value) for value in _scalars(document, path)
    )


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[[Condition], Predicate]:
    def build(leaf: Condition) -> Predicate:
        key = key_function(comparison_kind(leaf.kind, leaf.value))
        bound = None if key is None else key(leaf.value)
        if key is None or bound is None:
            return lambda document: False
        path = leaf.path
        return lambda document: any(
            (found := key(value)) is not None and compare(found, bound)
            for value in _scalars(document, path)
        )

    return build


def _equal(leaf: Condition) -> Predicate:
    return _member(dataclasses.replace(leaf, operator=Op.IN, value=(leaf.value,)))


def _member(leaf: Condition) -> Predicate:
    """Whether a value is one of ``leaf.value``, whatever the types of these."""
    by_kind: dict[Kind, list[Any]] = {}
    for value in leaf.value:
        by_kind.setdefault(comparison_kind(leaf.kind, value), []).append(value)
    tests = [
        _member_of_kind(leaf.path, kind, values) for kind, values in by_kind.items()
    ]
    if len(tests) == 1:
        return tests[0]
    return lambda document: any(test(document) for test in tests)


def _member_of_kind(path: tuple[str, ...], kind: Kind, wanted: list[Any]) -> Predicate:
    key = key_function(kind)
    if key is None:
        reach = _scalars if kind in (Kind.DICT, Kind.FREEDICT) else _reach
        return lambda document: any(
            same(one, value) for value in reach(document, path) for one in wanted
        )
    keys = frozenset(found for one in wanted if (found := key(one)) is not None)
    return lambda document: any(
        (found := key(value)) is not None and found in keys
        for value in _scalars(document, path)
    )


_POSITIVE: Mapping[Op, Callable[[Condition], Predicate]] = MappingProxyType(
    {
        Op.EQ: _equal,
        Op.IN: _member,
        Op.LT: _compared(operator.lt),
        Op.LTE: _compared(operator.le),
        Op.GT: _compared(operator.gt),
        Op.GTE: _compared(operator.ge),
        Op.REG: _regular,
        Op.EXISTS: _exists,
        Op.SIZE: _size,
    }
)


# -- which operators a field allows ------------------------------------------------

_EQUALITY = frozenset({Op.EQ, Op.NE, Op.IN, Op.NIN, Op.EXISTS})
_ORDERED = _EQUALITY | {Op.LT, Op.LTE, Op.GT, Op.GTE}
_LISTED = _EQUALITY | {Op.SIZE, Op.CONTAINS, Op.ALL}
_OPERATORS: Mapping[Kind, frozenset[Op]] = MappingProxyType(
    {
        Kind.STRING: _ORDERED | {Op.REG},
        Kind.URL: _ORDERED | {Op.REG},
        Kind.INT: _ORDERED,
        Kind.FLOAT: _ORDERED,
        Kind.DATETIME: _ORDERED,
        Kind.IPADDRESS: _ORDERED,
        Kind.IPNETWORK: _ORDERED,
        Kind.EXTEND: _ORDERED,
        Kind.BOOL: _EQUALITY,
        Kind.BYTES: _EQUALITY,
        Kind.DICT: _EQUALITY,
        Kind.FREEDICT: _EQUALITY,
        Kind.TUPLE: _LISTED,
        Kind.LIST: _LISTED,
    }
)


def operators_for(field: FieldPlan) -> frozenset[Op]:
    """The operators a filter may use on this field."""
    if field.kind is Kind.IN:
        return _EQUALITY.union(*map(operators_for, field.elements))
    allowed = _OPERATORS[field.kind]
    if field.kind is Kind.LIST and field.element is not None:
        if field.element.kind not in (Kind.LIST, Kind.TUPLE):
            return allowed | operators_for(field.element)
    return allowed


# -- sorting -----------------------------------------------------------------------

UNSORTABLE = WHOLE | {Kind.BYTES}
"""The kinds no sort may use."""


_KEYED = frozenset({Kind.BOOL, Kind.DATETIME, Kind.IPADDRESS, Kind.IPNETWORK})


def _scalar_order(value: object) -> Any:
    """Numbers before texts; anything else counts as absent."""
    if isinstance(value, str):
        return (1, value)
    found = number(value)
    return None if found is None else (0, found)


def sort_value(key: SortKey) -> Callable[[Any], tuple[Any, ...]]:
    """What a document is ordered by for one key; the empty tuple stands for absent."""
    convert = key_function(key.kind) if key.kind in _KEYED else None
    convert = convert or _scalar_order
    path = key.path

    def value_of(document: Any) -> tuple[Any, ...]:
        here = document
        for name in path:
            here = here.get(name) if isinstance(here, dict) else None
        found = convert(here)
        return () if found is None else (found,)

    return value_of


def order(
    documents: Iterable[dict[str, Any]],
    keys: Iterable[SortKey],
    value_of: Callable[[SortKey], Callable[[Any], tuple[Any, ...]]] = sort_value,
) -> list[dict[str, Any]]:
    """The documents sorted by ``keys``, then by ``_id`` ascending."""
    ordered = sorted(documents, key=sort_value(SortKey(("_id",))))
    for key in reversed(tuple(keys)):
        ordered.sort(key=value_of(key), reverse=key.descending)
    return ordered
