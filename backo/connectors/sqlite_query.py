"""Filters and sort keys as SQL over a column of JSON text, with the exact meaning of
:func:`backo.query.filter.matches`.

SQLite's JSON functions differ from that meaning in three rare cases, which are called
*odd* here: they cut a string at U+0000, they give integers beyond 64 bits as rounded
floats, and an indexed path may hold a list where the schema has none. The connector
knows whether its table holds an odd document; only then is the SQL *careful*: it looks
closer at each value and leaves the indexes of filters alone. Floats are compared by
SQLite with a margin and inside the margin exactly, because not every version of SQLite
reads decimal text to the nearest float.

Keys that SQLite's JSON paths cannot name in every version (with quotes, backslashes
or control characters, or empty) are not pushed.
"""

# ruff: noqa: S608
# What is put into the text is JSON paths quoted by _json_path and names made here;
# every value is bound.

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from backo.query.compare import (
    address,
    comparison_kind,
    instant,
    key_function,
    network,
)
from backo.query.filter import (
    Always,
    And,
    Condition,
    Element,
    Filter,
    Never,
    Not,
    Op,
    Or,
    SortKey,
    canonical,
)
from backo.schema.patterns import linear_matcher
from backo.schema.plan import Kind

__all__ = [
    "FUNCTIONS",
    "Sql",
    "Translator",
    "index_expression",
    "is_small",
    "odd_expression",
    "pushable",
    "sortable",
]


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

_TEXTS = frozenset({Kind.STRING, Kind.URL, Kind.BYTES})
_NUMBERS = frozenset({Kind.INT, Kind.FLOAT})
_FUNCTION_OF: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.DATETIME: "backo_instant",
        Kind.IPADDRESS: "backo_address",
        Kind.IPNETWORK: "backo_network",
    }
)
_OPEN = frozenset({Kind.EXTEND, Kind.IN})
_SYMBOL: Mapping[Op, str] = MappingProxyType(
    {Op.EQ: "=", Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
)
_ORDER = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_LIMIT = 2**63
_MANY = 100


# -- functions of the connection ---------------------------------------------------


def _exact(text: object) -> float | None:
    """The number of a JSON text, read to the nearest float.

    SQLite may call it before the tests that stand before it, hence on any value.
    """
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and linear_matcher(pattern)(value)


def _decoded(text: object) -> str | None:
    """The string that a JSON text stands for, U+0000 included."""
    found = json.loads(text) if isinstance(text, str) else None
    return found if isinstance(found, str) else None


def _integer_rank(text: object) -> str | None:
    """A text that orders integers of any length."""
    if not isinstance(text, str) or not re.fullmatch("-?[0-9]+", text):
        return None
    digits = text.removeprefix("-")
    rank = f"{len(digits):05}{digits}"
    if digits == text:
        return "1" + rank
    return "0" + rank.translate(_REVERSED)


_REVERSED = str.maketrans("0123456789", "9876543210")

FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = MappingProxyType(
    {
        "backo_instant": (1, instant),
        "backo_address": (1, address),
        "backo_network": (1, network),
        "backo_matches": (2, _matches),
        "backo_exact": (1, _exact),
        "backo_decoded": (1, _decoded),
        "backo_integer_rank": (1, _integer_rank),
    }
)
"""The deterministic functions each connection must have, with their arity."""


# -- paths -------------------------------------------------------------------------

_NAMEABLE = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
_LONGEST_PATH = 3


def _json_path(names: Iterable[str]) -> str:
    """A JSON path as an SQL string literal: ``'$."a"."b"'``."""
    path = "$" + "".join(f'."{name}"' for name in names)
    return "'" + path.replace("'", "''") + "'"


def _nameable(path: tuple[str, ...]) -> bool:
    return all(_NAMEABLE.fullmatch(name) for name in path)


def _is_id(path: tuple[str, ...], kind: Kind) -> bool:
    """Whether the column ``id``, always a text, holds what is compared."""
    return path == ("_id",) and kind in _TEXTS | _OPEN


def _column(path: tuple[str, ...], kind: Kind) -> str:
    """What a document is compared or ordered by; NULL when absent or of another type.

    It is the expression that indexes are made of, so its text must not vary.
    """
    if _is_id(path, kind):
        return "id"
    place = _json_path(path)
    value = f"json_extract(document, {place})"
    if kind in _FUNCTION_OF:
        return f"{_FUNCTION_OF[kind]}({value})"
    kind_of = f"json_type(document, {place})"
    if kind is Kind.BOOL:
        return f"CASE {kind_of} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
    return f"CASE WHEN {kind_of} IN ('text', 'integer', 'real') THEN {value} END"


def index_expression(path: tuple[str, ...], kind: Kind) -> str | None:
    """The expression to index a field by, or None when no index would help."""
    if kind not in _TEXTS | _NUMBERS | _OPEN | {*_FUNCTION_OF, Kind.BOOL}:
        return None
    return f"({_column(path, kind)})" if _nameable(path) else None


def odd_expression(indexed: Iterable[tuple[str, ...]]) -> str:
    """Whether a document is odd, as the module says."""
    terms = ["instr(document, '\\u0000') > 0"]
    for path in indexed:
        for end in range(1, len(path) + 1):
            terms.append(f"json_type(document, {_json_path(path[:end])}) = 'array'")
        place = _json_path(path)
        terms.append(
            f"(json_type(document, {place}) = 'integer'"
            f" AND typeof(json_extract(document, {place})) = 'real')"
        )
    return " OR ".join(terms)


# -- what can be pushed ------------------------------------------------------------


def pushable(leaf: Condition | Element) -> bool:
    """Whether the leaf can be SQL with exactly its meaning."""
    return _cost(leaf) <= _LONGEST_PATH + 1 and _leaf_pushable(leaf)


def _leaf_pushable(leaf: Filter) -> bool:
    match leaf:
        case Element(path, condition):
            return _nameable(path) and all(map(_leaf_pushable, _leaves(condition)))
        case Condition(path):
            return _nameable(path) and _value_pushable(leaf)
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
    return len(values) <= _MANY or not any(isinstance(one, float) for one in values)


def _comparable(operator: Op, kind: Kind, value: Any) -> bool:
    if kind in _NUMBERS:
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
            each = len(values) if len(values) <= _MANY else 1
            return (each * 4) << len(path)
        case Condition(path):
            return 4 << len(path)
        case _:
            return 0


def sortable(key: SortKey) -> bool:
    """Whether SQLite can sort by the key with exactly its meaning."""
    return _nameable(key.path)


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
        return f"json_type({self.json}, {_json_path(self.names)})"

    @property
    def value(self) -> str:
        if self.row:
            return f"{self.json}.value"
        return f"json_extract({self.json}, {_json_path(self.names)})"

    @property
    def arguments(self) -> str:
        """What ``json_each`` and ``json_array_length`` are called with."""
        if self.row:
            return f"{self.json}.value"
        return f"{self.json}, {_json_path(self.names)}"

    def child(self, name: str) -> "_Place":
        holder = f"{self.json}.value" if self.row else self.json
        return _field(holder, (*self.names, name), self.depth)

    def element(self) -> "_Place":
        """Any element of the list: the row of a ``json_each`` over it."""
        row = f"e{self.depth + 1}"
        holder = f"{self.json}.value" if self.row else self.json
        path = f"{_json_path(self.names)} || '[' || {row}.key || ']'"
        return _Place(row, (), True, f"({holder} -> ({path}))", self.depth + 1)


def _field(holder: str, names: tuple[str, ...], depth: int) -> _Place:
    return _Place(holder, names, False, f"({holder} -> {_json_path(names)})", depth)


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
            if _is_id(key.path, key.kind):
                return ", ".join([*terms, "id DESC" if key.descending else "id"])
            way = " DESC" if key.descending else ""
            terms.append(f"({_column(key.path, key.kind)}){way}")
            if self.careful or key.path not in self.indexed:
                terms += [f"{tie}{way}" for tie in self._ties(key)]
        return ", ".join([*terms, "id"])

    def _ties(self, key: SortKey) -> list[str]:
        """What tells values apart that SQLite takes for the same."""
        if key.kind in {*_FUNCTION_OF, Kind.BOOL}:
            return []
        place = _field("document", key.path, 0)
        ties = []
        if key.kind not in _TEXTS:
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

    def _condition(self, leaf: Condition, place: _Place) -> Sql:
        simple = canonical(leaf)
        if simple is not leaf:
            return self._tree(simple, place)
        if place is _DOCUMENT and not self.careful:
            if leaf.path in self.indexed or _is_id(leaf.path, leaf.kind):
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
        elif kind in _NUMBERS:
            yield "integer", _among(operator, place.value, bound)
            yield "real", _near_any(operator, place.value, place.text, bound)
        elif kind in _TEXTS:
            yield "text", _among(operator, self._text(place), bound)
        else:
            value = f"{_FUNCTION_OF[kind]}({place.value})"
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
    if len(bound) <= _MANY:
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
    if leaf.operator in (Op.EXISTS, Op.SIZE, Op.REG) or leaf.kind in _OPEN:
        return None
    column = f"({_column(leaf.path, leaf.kind)})"
    ((kind, bound),) = _bounds(leaf) or [(leaf.kind, [])]
    if kind is Kind.FLOAT:
        text = _field("document", leaf.path, 0).text
        test = _near_any(leaf.operator, column, text, bound)
    else:
        test = _among(leaf.operator, column, bound)
    if kind in _NUMBERS and leaf.operator in (Op.GT, Op.GTE):
        test = "(" + test + f" AND likely({column} < ''))"
    if kind in _TEXTS and leaf.operator in (Op.LT, Op.LTE):
        test = "(" + test + f" AND likely({column} >= ''))"
    return test
