"""Filters and sort keys as SQL over a column of JSON text, with the exact meaning of
:func:`backo.query.filter.matches`.

SQLite's JSON functions differ from that meaning in three rare cases, which are called
*odd* here: they cut a string at U+0000, they give integers beyond 64 bits as rounded
floats, and an indexed path may hold a list where the schema has none. The connector
knows whether its table holds an odd document; only then is the SQL *careful*: it looks
closer at each value and leaves the indexes of filters alone. Floats are compared by
SQLite with a margin and inside the margin exactly, because not every version of SQLite
reads decimal text to the nearest float.
"""

# ruff: noqa: S608
# What is put into the text is JSON paths quoted by json_path and names made here; every
# value is bound.

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from backo.connectors.sqlite_columns import (
    FUNCTION_OF,
    NUMBERS,
    OPEN,
    TEXTS,
    column,
    is_id,
    json_path,
)
from backo.connectors.sqlite_pushing import MANY
from backo.query.compare import comparison_kind, key_function
from backo.query.filter import (
    Always,
    And,
    Condition,
    Element,
    Filter,
    Linked,
    Never,
    Not,
    Op,
    Or,
    SortKey,
    canonical,
)
from backo.schema.plan import Kind

__all__ = ["Sql", "Translator"]


@dataclasses.dataclass(frozen=True, slots=True)
class Sql:
    """SQL text with its bound values in order; joined with ``+``."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: "Sql | str") -> "Sql":
        if isinstance(other, str):
            return Sql(self.text + other, self.values)
        return Sql(self.text + other.text, self.values + other.values)

    def __radd__(self, other: str) -> "Sql":
        return Sql(other + self.text, self.values)


_TRUE, _FALSE = Sql("1"), Sql("0")

_SYMBOL: Mapping[Op, str] = MappingProxyType(
    {Op.EQ: "=", Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
)


# -- places ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """A value inside a document, as the SQL expressions that look at it."""

    json: str
    """JSON text that holds the value, or the name of a ``json_each`` row."""
    names: tuple[str, ...]
    row: bool
    text: str
    """The value's own JSON text."""
    depth: int

    @property
    def type(self) -> str:
        if self.row:
            return f"{self.json}.type"
        return f"json_type({self.json}, {json_path(self.names)})"

    @property
    def value(self) -> str:
        if self.row:
            return f"{self.json}.value"
        return f"json_extract({self.json}, {json_path(self.names)})"

    @property
    def arguments(self) -> str:
        """What ``json_each`` and ``json_array_length`` are called with."""
        if self.row:
            return f"{self.json}.value"
        return f"{self.json}, {json_path(self.names)}"

    def child(self, name: str) -> "_Place":
        holder = f"{self.json}.value" if self.row else self.json
        return _field(holder, (*self.names, name), self.depth)

    def element(self) -> "_Place":
        """Any element of the list: the row of a ``json_each`` over it."""
        row = f"e{self.depth + 1}"
        holder = f"{self.json}.value" if self.row else self.json
        path = f"{json_path(self.names)} || '[' || {row}.key || ']'"
        return _Place(row, (), True, f"({holder} -> ({path}))", self.depth + 1)


def _field(holder: str, names: tuple[str, ...], depth: int) -> _Place:
    return _Place(holder, names, False, f"({holder} -> {json_path(names)})", depth)


_DOCUMENT = _field("document", (), 0)


# -- translation -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Translator:
    """Writes filters and sorts as SQL; ``indexed`` paths through their indexes."""

    indexed: frozenset[tuple[str, ...]] = frozenset()
    careful: bool = False

    def where(self, tree: Filter) -> Sql:
        """The filter as an SQL condition; all its leaves must be pushable."""
        return self._tree(tree, _DOCUMENT)

    def order_by(self, keys: Iterable[SortKey]) -> str:
        """The terms of ORDER BY, with ``id`` as the last."""
        terms: list[str] = []
        for key in keys:
            if is_id(key.path, key.kind):
                return ", ".join([*terms, "id DESC" if key.descending else "id"])
            way = " DESC" if key.descending else ""
            terms.append(f"({column(key.path, key.kind)}){way}")
            if self.careful or key.path not in self.indexed:
                terms += [f"{tie}{way}" for tie in self._ties(key)]
        return ", ".join([*terms, "id"])

    def _ties(self, key: SortKey) -> list[str]:
        """What tells values apart that SQLite takes for the same."""
        if key.kind in {*FUNCTION_OF, Kind.BOOL}:
            return []
        place = _field("document", key.path, 0)
        ties = []
        if key.kind not in TEXTS:
            rank = f"backo_integer_rank({place.text})"
            ties.append(
                f"CASE {place.type} WHEN 'integer' THEN"
                f" CASE typeof({place.value}) WHEN 'real' THEN {rank} END END"
            )
        if self.careful:
            ties.append(
                f"CASE {place.type} WHEN 'text' THEN CASE WHEN {_has_nul(place)}"
                f" THEN backo_decoded({place.text}) END END"
            )
        return ties

    def _tree(self, tree: Filter, place: _Place) -> Sql:
        match tree:
            case Always():
                return _TRUE
            case Never():
                return _FALSE
            case And(children):
                return _joined(" AND ", _TRUE, [self._tree(c, place) for c in children])
            case Or(children):
                return _joined(" OR ", _FALSE, [self._tree(c, place) for c in children])
            case Not(child):
                return "NOT coalesce(" + self._tree(child, place) + ", 0)"
            case Element(path, condition, every):
                test = self._quantified(condition, every)
                return self._reach(place, path, test)
            case Condition():
                return self._condition(tree, place)
            case Linked():
                raise TypeError(f"not joined yet: {tree!r}")

    def _condition(self, leaf: Condition, place: _Place) -> Sql:
        simple = canonical(leaf)
        if simple is not leaf:
            return self._tree(simple, place)
        if place is _DOCUMENT and not self.careful:
            if leaf.path in self.indexed or is_id(leaf.path, leaf.kind):
                through_index = _indexed(leaf)
                if through_index is not None:
                    return through_index
        return self._reach(place, leaf.path, self._test(leaf))

    def _reach(
        self, place: _Place, path: tuple[str, ...], test: Callable[[_Place], Sql]
    ) -> Sql:
        """``test`` on any value at ``path``, stepping through lists on the way."""
        if not path:
            return test(place)
        below = self._reach(place.child(path[0]), path[1:], test)
        if place is _DOCUMENT:
            return below
        row = place.element()
        inside = self._reach(row.child(path[0]), path[1:], test)
        return (
            f"CASE {place.type} WHEN 'object' THEN "
            + below
            + f" WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each({place.arguments})"
            + f" AS {row.json} WHERE CASE {row.type} WHEN 'object' THEN "
            + inside
            + " ELSE 0 END) ELSE 0 END"
        )

    def _quantified(self, condition: Filter, every: bool) -> Callable[[_Place], Sql]:
        def test(place: _Place) -> Sql:
            row = place.element()
            inside = self._tree(condition, row)
            rows = f"(SELECT 1 FROM json_each({place.arguments}) AS {row.json} WHERE "
            if every:
                found = f"NOT EXISTS {rows}NOT coalesce(" + inside + ", 0))"
            else:
                found = f"EXISTS {rows}" + inside + ")"
            return f"CASE {place.type} WHEN 'array' THEN " + found + " ELSE 0 END"

        return test

    def _test(self, leaf: Condition) -> Callable[[_Place], Sql]:
        match leaf.operator:
            case Op.EXISTS:
                return lambda place: Sql(f"coalesce({place.type}, 'null') <> 'null'")
            case Op.SIZE:
                return lambda place: (
                    f"CASE {place.type} WHEN 'array' THEN"
                    f" json_array_length({place.arguments}) = "
                    + Sql("? ELSE 0 END", (leaf.value,))
                )
            case _:
                return lambda place: self._scalar(leaf, place)

    def _scalar(self, leaf: Condition, place: _Place) -> Sql:
        """The comparison with the value, or when it is a list with any element."""
        row = place.element()
        here, inside = self._arms(leaf, place), self._arms(leaf, row)
        if not here.text:
            return _FALSE
        return (
            f"CASE {place.type}"
            + here
            + f" WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each({place.arguments})"
            + f" AS {row.json} WHERE CASE {row.type}"
            + inside
            + " ELSE 0 END) ELSE 0 END"
        )

    def _arms(self, leaf: Condition, place: _Place) -> Sql:
        """``WHEN type THEN comparison`` for each JSON type a value may have."""
        arms = Sql("")
        for json_type, test in self._comparisons(leaf, place):
            arms = arms + f" WHEN '{json_type}' THEN " + test
        return arms

    def _comparisons(self, leaf: Condition, place: _Place) -> Iterable[tuple[str, Sql]]:
        if leaf.operator is Op.REG:
            test = Sql("backo_matches(?, ", (leaf.value,)) + f"{self._text(place)})"
            return [("text", test)]
        found: dict[str, list[Sql]] = {}
        for kind, bound in _bounds(leaf):
            for json_type, test in self._compare(leaf.operator, kind, bound, place):
                found.setdefault(json_type, []).append(test)
        return [(name, _joined(" OR ", _FALSE, some)) for name, some in found.items()]

    def _compare(
        self, operator: Op, kind: Kind, bound: list[Any], place: _Place
    ) -> Iterable[tuple[str, Sql]]:
        if kind is Kind.BOOL:
            yield "true", _TRUE if True in bound else _FALSE
            yield "false", _TRUE if False in bound else _FALSE
        elif kind in NUMBERS:
            yield "integer", _among(operator, place.value, bound)
            yield "real", _near_any(operator, place.value, place.text, bound)
        elif kind in TEXTS:
            yield "text", _among(operator, self._text(place), bound)
        else:
            value = f"{FUNCTION_OF[kind]}({place.value})"
            yield "text", _among(operator, value, bound)

    def _text(self, place: _Place) -> str:
        if not self.careful:
            return place.value
        decoded = f"backo_decoded({place.text})"
        return f"CASE WHEN {_has_nul(place)} THEN {decoded} ELSE {place.value} END"


def _has_nul(place: _Place) -> str:
    return f"instr({place.text}, '\\u0000')"


def _joined(word: str, neutral: Sql, parts: list[Sql]) -> Sql:
    if len(parts) < 2:
        return parts[0] if parts else neutral
    values = tuple(value for part in parts for value in part.values)
    return Sql(f"({word.join(part.text for part in parts)})", values)


def _bounds(leaf: Condition) -> Iterable[tuple[Kind, list[Any]]]:
    """What values are compared with, by kind: numbers, texts, or keys of functions."""
    found: dict[Kind, list[Any]] = {}
    for value in leaf.value if leaf.operator is Op.IN else (leaf.value,):
        kind = comparison_kind(leaf.kind, value)
        key = key_function(kind)
        found.setdefault(kind, []).append(value if key is None else key(value))
    return found.items()


def _among(operator: Op, value: str, bound: list[Any]) -> Sql:
    if operator is not Op.IN:
        return f"{value} {_SYMBOL[operator]} " + Sql("?", tuple(bound))
    if len(bound) <= MANY:
        marks = ", ".join("?" * len(bound))
        return f"{value} IN (" + Sql(f"{marks})", tuple(bound))
    # json_each would cut these at their U+0000.
    cut = [one for one in bound if isinstance(one, str) and "\0" in one]
    rest = json.dumps([one for one in bound if one not in cut] if cut else bound)
    listed = f"{value} IN (SELECT value FROM json_each(" + Sql("?))", (rest,))
    return _joined(" OR ", _FALSE, [listed, *(_among(Op.EQ, value, [c]) for c in cut)])


def _near(operator: Op, value: str, text: str, bound: float) -> Sql:
    """A float compared by SQLite outside a margin around ``bound``, exactly inside."""
    margin = abs(bound) * 1e-12 + 1e-300
    low, high = Sql("?", (bound - margin,)), Sql("?", (bound + margin,))
    symbol = _SYMBOL.get(operator, "=")
    exact = f"backo_exact({text}) {symbol} " + Sql("?", (bound,))
    if symbol == "=":
        return (
            f"({value} >= " + low + f" AND {value} <= " + high + " AND " + exact + ")"
        )
    if operator in (Op.LT, Op.LTE):
        clear = f"({value} <= " + high + f" AND ({value} < " + low
    else:
        clear = f"({value} >= " + low + f" AND ({value} > " + high
    return clear + " OR " + exact + "))"


def _near_any(operator: Op, value: str, text: str, bound: list[Any]) -> Sql:
    if len(bound) > 8:
        return _among(operator, f"backo_exact({text})", bound)
    near = [_near(operator, value, text, one) for one in bound]
    return _joined(" OR ", _FALSE, near)


def _indexed(leaf: Condition) -> Sql | None:
    """The condition on an index's expression, or None when the index is no help.

    Numbers stand before texts in an index, hence the second bounds. They are hidden
    from SQLite's planner, which would take a range with two ends for narrower than one
    value.
    """
    if leaf.operator in (Op.EXISTS, Op.SIZE, Op.REG) or leaf.kind in OPEN:
        return None
    value = f"({column(leaf.path, leaf.kind)})"
    ((kind, bound),) = _bounds(leaf) or [(leaf.kind, [])]
    if kind is Kind.FLOAT:
        text = _field("document", leaf.path, 0).text
        test = _near_any(leaf.operator, value, text, bound)
    else:
        test = _among(leaf.operator, value, bound)
    if kind in NUMBERS and leaf.operator in (Op.GT, Op.GTE):
        test = "(" + test + f" AND likely({value} < ''))"
    if kind in TEXTS and leaf.operator in (Op.LT, Op.LTE):
        test = "(" + test + f" AND likely({value} >= ''))"
    return test
