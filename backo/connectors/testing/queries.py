"""Random queries: trees of conditions, sorts and pages over the fields of the plan."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from backo.connectors.base import Query
from backo.connectors.testing.documents import value_of
from backo.connectors.testing.fields import PLAN
from backo.connectors.testing.making import chances
from backo.query.filter import (
    ALWAYS,
    NEVER,
    UNSORTABLE,
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
    operators_for,
)
from backo.schema.plan import FieldPlan, Kind

__all__ = ["any_queries", "random_queries"]

PATTERNS = ("a", ".", "a$", "", "[a-z]?$", "(?s).*b", "[a-é]+$", ".*[^a]$", "(?i)A")
_ELEMENTWISE = frozenset({Op.CONTAINS, Op.ALL})
_ORDERED = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_SCALARS = frozenset({Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL})

type Path = tuple[str, ...]
type Draw = Callable[[], Filter]


def random_queries(seed: int, count: int, ids: Sequence[str] = ()) -> Iterator[Query]:
    """Queries such as callers may ask, typed by the plan; some ask for the ``ids``."""
    drawing = _Drawing(chances(seed), ids)
    return (drawing.query() for _ in range(count))


def any_queries(seed: int, count: int, ids: Sequence[str] = ()) -> Iterator[Query]:
    """Queries of any types at any path, also where the plan has others or no field."""
    drawing = _AnyDrawing(chances(seed), ids)
    return (drawing.query() for _ in range(count))


class _Drawing:
    """Draws queries that the plan allows."""

    def __init__(self, chance: random.Random, ids: Sequence[str]) -> None:
        self.chance = chance
        self.ids = ids

    def query(self) -> Query:
        """A filter, up to three keys, and a page."""
        return Query(
            self.tree(3, self.leaf),
            tuple(self.key() for _ in range(self.chance.randrange(4))),
            self.chance.randrange(4),
            self.chance.randrange(5),
        )

    def tree(self, depth: int, leaf: Draw) -> Filter:
        """A filter of that depth at most."""
        form = self.chance.randrange(7) if depth else 0
        if form == 6:
            return Not(self.tree(depth - 1, leaf))
        if form < 4:
            return leaf()
        several = range(self.chance.choice((0, 1, 2, 2, 3)))
        below = tuple(self.tree(depth - 1, leaf) for _ in several)
        return And(below) if form == 4 else Or(below)

    def leaf(self) -> Filter:
        form = self.chance.randrange(20)
        if form == 0:
            return self.chance.choice((ALWAYS, NEVER))
        return self.element() if form < 5 else self.condition()

    def condition(self) -> Condition:
        """One on a field of the plan, or on something in its FreeDict."""
        path, field = self.chance.choice(_FIELDS)
        kind = field.kind
        operators = operators_for(field) - _ELEMENTWISE
        operator = self.chance.choice(sorted(operators))
        if kind is Kind.LIST and self._of_elements(operator):
            kind = field.held.kind
        return Condition(path, operator, self.operand(path, operator, kind), kind)

    def _of_elements(self, operator: Op) -> bool:
        by_element = operator in _ORDERED or operator is Op.REG
        return by_element or (operator is not Op.SIZE and self.chance.random() < 0.5)

    def element(self) -> Element:
        """One on the elements of a List."""
        path, field = self.chance.choice(_LISTS)
        draw = self._member if field.held.fields else lambda: self._itself(field.held)
        every = self.chance.random() < 0.3
        return Element(path, self.tree(2, draw), every)

    def _member(self) -> Filter:
        path, field = self.chance.choice(_AUTHOR)
        operator = self.chance.choice(sorted(operators_for(field) - _ELEMENTWISE))
        return Condition(
            path, operator, self.operand(path, operator, field.kind), field.kind
        )

    def _itself(self, field: FieldPlan) -> Filter:
        operator = self.chance.choice(sorted(operators_for(field)))
        return Condition(
            (), operator, self.operand((), operator, field.kind), field.kind
        )

    def key(self) -> SortKey:
        path, kind = self.chance.choice(_SORTABLE)
        return SortKey(path, self.chance.random() < 0.5, kind)

    def operand(self, path: Path, operator: Op, kind: Kind) -> Any:
        """What the operator takes, in document form."""
        match operator:
            case Op.EXISTS:
                return self.chance.random() < 0.5
            case Op.SIZE:
                return self.chance.randrange(4)
            case Op.REG:
                return self.chance.choice(PATTERNS)
            case Op.IN | Op.NIN:
                several = range(self.chance.randrange(4))
                return tuple(self._value_or_null(path, kind) for _ in several)
            case Op.EQ | Op.NE:
                return self._value_or_null(path, kind)
            case _:
                return self.value(path, kind)

    def _value_or_null(self, path: Path, kind: Kind) -> Any:
        return None if self.chance.random() < 0.15 else self.value(path, kind)

    def value(self, path: Path, kind: Kind) -> Any:
        if path == ("_id",) and self.ids and self.chance.random() < 0.9:
            return self.chance.choice(self.ids)
        if kind is Kind.INT and self.chance.random() < 0.1:
            # No Int is so large, but callers may ask for it.
            return self.chance.choice((2**63, -(2**70), 10**30))
        if path == ("tags",) and kind is Kind.LIST:
            return [value_of(self.chance, Kind.STRING)]
        if path == ("numbers",) and kind is Kind.LIST:
            return [value_of(self.chance, Kind.INT)]
        return value_of(self.chance, kind)


class _AnyDrawing(_Drawing):
    """Draws queries that no caller can ask, for what is stored may be anything."""

    def condition(self) -> Condition:
        path, kind = self.chance.choice(_ANY_FIELDS)
        return self._any_condition(path, kind if self.chance.random() < 0.8 else None)

    def _any_condition(self, path: Path, kind: Kind | None) -> Condition:
        kind = kind or self.chance.choice(_ANY_KINDS)
        operator = self.chance.choice(sorted(set(Op) - _ELEMENTWISE))
        return Condition(path, operator, self.operand(path, operator, kind), kind)

    def element(self) -> Element:
        path = self.chance.choice((("tags",), ("authors",), ("title",), _DEEP))
        every = self.chance.random() < 0.5
        return Element(path, self.tree(2, self._member), every)

    def _member(self) -> Filter:
        path = self.chance.choice(((), ("name",), ("age",)))
        kind = self.chance.choice((Kind.STRING, Kind.INT, Kind.EXTEND, Kind.LIST))
        return self._any_condition(path, kind)

    def key(self) -> SortKey:
        path, kind = self.chance.choice(_ANY_FIELDS)
        kind = Kind.EXTEND if self.chance.random() < 0.3 else kind
        return SortKey(path, self.chance.random() < 0.5, kind)


# -- where there is something to ask -----------------------------------------------


def _named(dotted: str) -> tuple[Path, FieldPlan]:
    located = PLAN.locate(dotted)
    if located is None:
        raise KeyError(dotted)
    return tuple(dotted.split(".")), located.field


_BELOW = FieldPlan(name="", path="$", kind=Kind.EXTEND, node=None)
_DEEP = ("extra", "b", "b")
_FREE = [(path, _BELOW) for path in (("extra", "b"), _DEEP, ("extra", "é"))]
_INNER = ("address.zip", "address.row", "authors.name", "authors.age", "authors.langs")
_FIELDS = [
    *(((field.name,), field) for field in PLAN.fields),
    *map(_named, _INNER),
    *_FREE,
]
_LISTS = list(map(_named, ("tags", "numbers", "authors", "authors.langs")))
_AUTHOR = [
    (("name",), _named("authors.name")[1]),
    (("age",), _named("authors.age")[1]),
]
_SORTABLE = [
    (path, field.kind)
    for path, field in _FIELDS
    if field.kind not in UNSORTABLE and path[0] != "authors"
]

_KINDS: Mapping[Path, Kind] = MappingProxyType(
    {
        **{path: field.kind for path, field in _FIELDS if field.kind in _SCALARS},
        ("when",): Kind.DATETIME,
        ("ip",): Kind.IPADDRESS,
        ("net",): Kind.IPNETWORK,
        ("tags",): Kind.STRING,
        ("",): Kind.INT,
        ("extra", "a.b", "b"): Kind.EXTEND,
    }
)
_ANY_FIELDS = sorted(_KINDS.items())
_ANY_KINDS = (
    *(Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.DATETIME, Kind.IPADDRESS),
    *(Kind.IPNETWORK, Kind.EXTEND, Kind.LIST, Kind.DICT),
)
