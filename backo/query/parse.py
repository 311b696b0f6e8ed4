"""Filters, sorts and pages as clients and developers write them, typed by the plan.

::

    parse_query   [("pages.$gt", "100"), ("_page", "5")]     a query string
    parse_json    {"pages": ["$gt", 100], "$or": [...]}      strict JSON types
    parse_python  {"pages": ("$gt", 100)}, SFilter(...)      Python objects

Whatever is unknown, or hidden from the caller by ``readable``, is one and the same
:class:`~backo.errors.FilterError`, whose path names the field. All siblings of an
object are and-ed. Fields of the items that references point to can be named where
``neighbours`` knows their collections.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from stricto import GenericType, Operator, SFilter

from backo.errors import BackoError, FilterError
from backo.query.builder import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    FilterBuilder,
    Neighbours,
    Readable,
    Scope,
    everything,
    is_operator,
)
from backo.query.filter import (
    ALWAYS,
    Always,
    And,
    Condition,
    Element,
    Filter,
    Linked,
    Never,
    Not,
    Or,
    all_of,
    any_of,
    negate,
)
from backo.query.paging import (
    MAX_SORT_KEYS,
    PAGE_PARAMETERS,
    parse_page,
    parse_sort,
)
from backo.query.strict import strict_loads
from backo.query.values import from_python, read_text
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "MAX_SORT_KEYS",
    "PAGE_PARAMETERS",
    "UNTYPED",
    "Neighbours",
    "Readable",
    "developers_own",
    "everything",
    "loads",
    "parse_json",
    "parse_page",
    "parse_python",
    "parse_query",
    "parse_sort",
]

UNTYPED = ItemPlan(
    name="", root=FieldPlan(name="", path="$", kind=Kind.FREEDICT, node=None)
)
"""The plan of documents of which nothing is known: any field, any JSON value."""


# -- JSON --------------------------------------------------------------------------


def parse_json(
    value: Any,
    plan: ItemPlan,
    readable: Readable = everything,
    neighbours: Neighbours | None = None,
) -> Filter:
    """The filter of a parsed JSON object."""
    _check_depth(value)
    parser = FilterBuilder(readable, neighbours=neighbours)
    return parser.tree(value, Scope(plan.root, (), "$"))


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            below
            for one in level
            if isinstance(one, dict | list | tuple)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise FilterError(f"a filter may have {MAX_DEPTH} levels at most")


def loads(text: str | bytes) -> Any:
    """A filter's JSON text, parsed; an object with a name twice is refused.

    :raises FilterError: it is not JSON.
    """
    try:
        return strict_loads(text)
    except ValueError as error:
        raise FilterError(f"not valid JSON: {error}", path="filter") from error


# -- query strings -----------------------------------------------------------------


def parse_query(
    pairs: Sequence[tuple[str, str]],
    plan: ItemPlan,
    readable: Readable = everything,
    neighbours: Neighbours | None = None,
) -> Filter:
    """The filter of a query string's decoded pairs; page parameters are skipped.

    A key given several times makes a list. ``filter`` holds a filter in JSON.
    """
    parser = FilterBuilder(readable, read=read_text, texts=True, neighbours=neighbours)
    root = Scope(plan.root, (), "$")
    found: list[Filter] = []
    given: dict[tuple[str, str], tuple[Scope, list[str]]] = {}
    for key, text in pairs:
        if key == "filter":
            found.append(parse_json(loads(text), plan, readable, neighbours))
        elif key not in PAGE_PARAMETERS:
            scope, operator = _split_key(parser, root, key)
            given.setdefault((scope.label, operator), (scope, []))[1].append(text)
    for (_, operator), (scope, texts) in given.items():
        found.append(_given(parser, operator, texts, scope))
    return all_of(found)


def _split_key(parser: FilterBuilder, root: Scope, key: str) -> tuple[Scope, str]:
    """The field and the operator of ``a.b.$op``; ``$eq`` when none is written."""
    dotted, _, operator = key.rpartition(".")
    if is_operator(operator) and dotted not in ("", "$"):
        return parser.step(root, dotted), operator
    return parser.step(root, key), "$eq"


def _given(
    parser: FilterBuilder, operator: str, texts: list[str], scope: Scope
) -> Filter:
    if operator in ("$and", "$or", "$not"):
        scope.fail(f"unknown operator {operator}")
    if operator in ("$in", "$nin", "$all"):
        return parser.operator(operator, texts, scope)
    if operator in ("$eq", "$ne") and len(texts) > 1:
        if scope.field.kind in (Kind.LIST, Kind.TUPLE):
            return parser.operator(operator, texts, scope)
        several = "$in" if operator == "$eq" else "$nin"
        return parser.operator(several, texts, scope)
    convert = _ARGUMENTS.get(operator, _as_written)
    return all_of(
        [parser.operator(operator, convert(text, scope), scope) for text in texts]
    )


def _as_written(text: str, scope: Scope) -> str:
    return text


def _flag(text: str, scope: Scope) -> bool:
    if text not in ("true", "false"):
        scope.fail("must be true or false")
    return text == "true"


def _count(text: str, scope: Scope) -> int:
    if not _NUMBER.fullmatch(text):
        scope.fail("must be a number of elements")
    return int(text)


_ARGUMENTS: Mapping[str, Callable[[str, Scope], Any]] = MappingProxyType(
    {"$exists": _flag, "$size": _count}
)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


# -- Python ------------------------------------------------------------------------

_NODES = (Always, Never, And, Or, Not, Condition, Element, Linked)


class _PythonParser(FilterBuilder):
    """Takes SFilter objects and filter trees wherever a filter or a value may stand."""

    def tree(self, value: Any, scope: Scope) -> Filter:
        if value is None:
            return ALWAYS
        if isinstance(value, _NODES):
            return value
        if isinstance(value, SFilter):
            return self.sfilter(value, scope)
        if isinstance(value, tuple):
            value = _members_of(value, scope)
        return super().tree(value, scope)

    def value(self, value: Any, scope: Scope) -> Filter:
        if isinstance(value, (SFilter, *_NODES)):
            return self.tree(value, scope)
        return super().value(_plain(value), scope)

    def operator(self, name: str, value: Any, scope: Scope) -> Filter:
        return super().operator(name, _plain(value), scope)

    def sfilter(self, given: SFilter, scope: Scope) -> Filter:
        operator, value = given._operator, given._value
        if operator is Operator.TRUE:
            return ALWAYS
        if operator is Operator.NOT:
            return negate(self.sfilter(value, scope))
        if operator in (Operator.AND, Operator.OR):
            join = all_of if operator is Operator.AND else any_of
            return join([self.sfilter(one, scope) for one in value])
        return self.operator(operator.value, value, self._target(given, scope))

    def _target(self, given: SFilter, scope: Scope) -> Scope:
        """The field of an SFilter: ``$.a``, or ``@.a`` below the element in hand."""
        path = str(given._path)
        if path.startswith("$") and scope.label != "$":
            scope.fail("paths of an element's condition start with @")
        dotted = path[1:].removeprefix(".") if path[:1] in ("$", "@") else path
        return self.step(scope, dotted) if dotted else scope


def _members_of(given: tuple[Any, ...], scope: Scope) -> dict[str, Any]:
    """``("$or", [...])`` and ``("$.pages", "$gt", 100)``, as stricto takes them, as an
    object."""
    match given:
        case ("$and" | "$or" | "$not" as name, operand):
            return {name: operand}
        case (str() as path, Operator() | str() as operator, operand):
            name = operator.value if isinstance(operator, Operator) else operator
            return {path: (name, operand)}
    scope.fail("must be (operator, filters) or (path, operator, value)")


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return list(value)
    return from_python(value) if isinstance(value, GenericType) else value


def parse_python(
    value: Any,
    plan: ItemPlan,
    readable: Readable = everything,
    neighbours: Neighbours | None = None,
) -> Filter:
    """The filter a developer wrote: a dict with tuples, an SFilter, a tree, or None.

    It may have any number of conditions.
    """
    _check_depth(value)
    parser = _PythonParser(readable, most=None, neighbours=neighbours)
    return parser.tree(value, Scope(plan.root, (), "$"))


@contextmanager
def developers_own(what: str) -> Iterator[None]:
    """Inside, a filter that is not valid is no fault of the caller, who is told nothing
    of it."""
    try:
        yield
    except FilterError as error:
        raise BackoError(f"{what} is not valid: {error}") from error
