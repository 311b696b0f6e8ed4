"""Which filters and sort keys can be SQL with exactly their meaning, within SQLite's
limits.

Keys that SQLite's JSON paths cannot name in every version (with quotes, backslashes
or control characters, or empty) are not pushed.
"""

import re
from typing import Any

from backo.connectors.sqlite_columns import NUMBERS, nameable
from backo.query.compare import comparison_kind, key_function
from backo.query.filter import (
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
)
from backo.schema.plan import Kind

__all__ = ["MANY", "is_small", "pushable", "sortable"]

MANY = 100
"""Values that are bound one by one; those of longer lists go as one JSON text."""

_ORDER = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_LIMIT = 2**63
_LONGEST_PATH = 3


def pushable(leaf: Condition | Element) -> bool:
    """Whether the leaf can be SQL with exactly its meaning."""
    return _cost(leaf) <= _LONGEST_PATH + 1 and _leaf_pushable(leaf)


def _leaf_pushable(leaf: Filter) -> bool:
    match leaf:
        case Element(path, condition):
            return nameable(path) and all(map(_leaf_pushable, _leaves(condition)))
        case Condition(path):
            return nameable(path) and _value_pushable(leaf)
        case _:
            return True


def _value_pushable(leaf: Condition) -> bool:
    if leaf.operator in (Op.EXISTS, Op.SIZE):
        return leaf.operator is Op.EXISTS or 0 <= leaf.value < _LIMIT
    if leaf.operator is Op.REG:
        return _comparable(leaf.operator, Kind.STRING, leaf.value)
    many = leaf.operator in (Op.IN, Op.NIN)
    values = [v for v in (leaf.value if many else (leaf.value,)) if v is not None]
    return _few(values) and all(
        _comparable(leaf.operator, comparison_kind(leaf.kind, one), one)
        for one in values
    )


def _few(values: list[Any]) -> bool:
    """Long lists are bound as JSON text, in which floats may be read inexactly."""
    return len(values) <= MANY or not any(isinstance(one, float) for one in values)


def _comparable(operator: Op, kind: Kind, value: Any) -> bool:
    if kind in NUMBERS:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and -_LIMIT < value < _LIMIT
    if kind is Kind.BOOL:
        return operator not in _ORDER
    key = key_function(kind)
    return (
        key is not None
        and key(value) is not None
        and not re.search("[\ud800-\udfff]", value)
    )


def _leaves(tree: Filter) -> list[Filter]:
    match tree:
        case And(children) | Or(children):
            return [leaf for child in children for leaf in _leaves(child)]
        case Not(child):
            return _leaves(child)
        case _:
            return [tree]


def _cost(tree: Filter) -> int:
    """How deep the SQL of the filter nests: one for each step and each quantifier."""
    match tree:
        case And(children) | Or(children):
            return 1 + max(map(_cost, children), default=0)
        case Not(child):
            return 1 + _cost(child)
        case Element(path, condition):
            return len(path) + 1 + _cost(condition)
        case Condition(path):
            return max(len(path), 1)
        case _:
            return 0


def is_small(tree: Filter) -> bool:
    """Whether the filter's SQL keeps to SQLite's limits: 100 entries on its parser's
    stack, 1000 levels of an expression, 32,766 bound values."""
    leaves = _leaves(tree)
    return (
        _cost(tree) <= 8 and len(leaves) <= 100 and sum(map(_bound, leaves)) <= 30_000
    )


def _bound(leaf: Filter) -> int:
    """How many values the SQL of a leaf binds, at most."""
    match leaf:
        case Element(path, condition):
            return sum(map(_bound, _leaves(condition))) << len(path) + 1
        case Condition(path, Op.IN | Op.NIN, values):
            each = len(values) if len(values) <= MANY else 1
            return (each * 4) << len(path)
        case Condition(path):
            return 4 << len(path)
        case _:
            return 0


def sortable(key: SortKey) -> bool:
    """Whether SQLite can sort by the key with exactly its meaning."""
    return nameable(key.path)
