"""Filters, sorts and pages as clients and developers write them, typed by the plan.

::

    parse_query   [("pages.$gt", "100"), ("_page", "5")]     a query string
    parse_json    {"pages": ["$gt", 100], "$or": [...]}      strict JSON types
    parse_python  {"pages": ("$gt", 100)}, SFilter(...)      Python objects

Whatever is unknown, or hidden from the caller by ``readable``, is one and the same
:class:`~backo.errors.FilterError`, whose path names the field. All siblings of an
object are and-ed.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from stricto import GenericType, Operator, SFilter

from backo.errors import FilterError
from backo.query.filter import (
    ALWAYS,
    UNSORTABLE,
    Always,
    And,
    Condition,
    Element,
    Filter,
    Never,
    Not,
    Op,
    Or,
    Page,
    SortKey,
    all_of,
    any_of,
    comparison_kind,
    negate,
    operators_for,
)
from backo.query.values import (
    ANYTHING,
    TEXT_ALTERNATIVES,
    alternatives,
    from_python,
    read_json,
    read_text,
)
from backo.schema.patterns import linear_matcher
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "PAGE_PARAMETERS",
    "UNTYPED",
    "Readable",
    "everything",
    "parse_json",
    "parse_page",
    "parse_python",
    "parse_query",
    "parse_sort",
]

MAX_DEPTH = 50
"""Levels of objects and lists a filter may have."""
MAX_CONDITIONS = 1000
"""Conditions (values of ``$in`` included) a client's filter may have."""
MAX_SORT_KEYS = 32
PAGE_PARAMETERS = frozenset({"_page", "_skip", "_sort", "_view", "_total", "_expand"})
"""Keys of a query string that are no filter; ``$._page`` still names such a field."""
UNTYPED = ItemPlan(
    name="", root=FieldPlan(name="", path="$", kind=Kind.FREEDICT, node=None)
)
"""The plan of documents of which nothing is known: any field, any JSON value."""

type Readable = Callable[[FieldPlan], bool]
"""Whether the caller may read, hence filter and sort by, a field."""


_WITHOUT_ORDER = frozenset({Kind.BOOL, Kind.LIST, Kind.DICT})


def everything(field: FieldPlan) -> bool:
    """A ``readable`` that hides nothing."""
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class _Scope:
    """A field, the path to it from the document or element, and its name in errors."""

    field: FieldPlan
    path: tuple[str, ...]
    label: str

    def fail(self, message: str) -> NoReturn:
        raise FilterError(message, path=self.label)

    def element(self) -> "_Scope":
        """Any one element of the list this is, as the start of its own paths."""
        if self.field.kind is Kind.TUPLE:
            element = dataclasses.replace(self.field, kind=Kind.IN)
        else:
            element = self.field.element or ANYTHING
        return _Scope(element, (), self.label)


class _Parser:
    """Parses one filter. ``read`` reads values; ``texts``: no operator among them."""

    def __init__(
        self,
        readable: Readable,
        *,
        read: Callable[[FieldPlan, Any], Any] = read_json,
        texts: bool = False,
        most: int | None = MAX_CONDITIONS,
    ) -> None:
        self.readable = readable
        self.read = read
        self.texts = texts
        self.left = most

    # fields

    def step(self, scope: _Scope, dotted: str) -> _Scope:
        """The field at ``dotted`` below ``scope``; unknown and unreadable are one."""
        plain = dotted.removeprefix("$.")
        found = self._descend(scope.field, plain.split(".")[: MAX_DEPTH + 1])
        label = f"{scope.label}.{plain}"
        if found is None or len(found[1]) > MAX_DEPTH:
            raise FilterError("unknown field", path=label)
        return _Scope(found[0], scope.path + found[1], label)

    def _descend(
        self, field: FieldPlan, names: list[str]
    ) -> tuple[FieldPlan, tuple[str, ...]] | None:
        if not names:
            return field, ()
        if field.kind is Kind.LIST and field.element is not None:
            field = field.element
            if not self.readable(field):
                return None
        if field is ANYTHING or field.kind is Kind.FREEDICT:
            return ANYTHING, tuple(names)
        return self._descend_into(field, names)

    def _descend_into(
        self, field: FieldPlan, names: list[str]
    ) -> tuple[FieldPlan, tuple[str, ...]] | None:
        """A field's own name may hold dots, so longer and longer names are tried."""
        for end in range(1, len(names) + 1):
            name = ".".join(names[:end])
            child = field.field(name)
            if child is not None and self.readable(child):
                found = self._descend(child, names[end:])
                if found is not None:
                    return found[0], (name, *found[1])
        return None

    # structure

    def tree(self, value: Any, scope: _Scope) -> Filter:
        """A whole filter: an object, or in Python an SFilter, a tree or None."""
        if not isinstance(value, dict):
            scope.fail("a filter must be an object")
        return all_of([self.member(name, one, scope) for name, one in value.items()])

    def member(self, name: Any, value: Any, scope: _Scope) -> Filter:
        if not isinstance(name, str):
            scope.fail("a field's name must be a string")
        if name in ("$and", "$or"):
            join = all_of if name == "$and" else any_of
            return join([self.tree(one, scope) for one in self._list(value, scope)])
        if name == "$not":
            return negate(self.tree(value, scope))
        if _is_operator(name):
            scope.fail(f"unknown operator {name}")
        return self.value(value, self.step(scope, name))

    def value(self, value: Any, scope: _Scope) -> Filter:
        """What stands beside a field: a value, ``["$op", v]``, or an object."""
        if not self.texts:
            if _is_pair(value):
                return self.operator(value[0], value[1], scope)
            if isinstance(value, dict):
                return self.members(value, scope)
        return self.operator("$eq", value, scope)

    def members(self, value: dict[Any, Any], scope: _Scope) -> Filter:
        if value and all(_is_operator(name) for name in value):
            return all_of(
                [self.operator(name, one, scope) for name, one in value.items()]
            )
        if scope.field is ANYTHING or scope.field.kind in (Kind.DICT, Kind.FREEDICT):
            return self.tree(value, scope)
        if scope.field.kind is Kind.LIST:
            element = scope.element()
            if element.field.kind in (Kind.DICT, Kind.FREEDICT, Kind.EXTEND):
                return Element(scope.path, self.tree(value, element))
        return self.operator("$eq", value, scope)

    def operator(self, name: str, value: Any, scope: _Scope) -> Filter:
        if name in ("$and", "$or"):
            join = all_of if name == "$and" else any_of
            return join([self.value(one, scope) for one in self._list(value, scope)])
        if name == "$not":
            return negate(self.value(value, scope))
        try:
            operator = Op(name)
        except ValueError:
            scope.fail(f"unknown operator {name}")
        if operator not in operators_for(scope.field):
            scope.fail(f"{operator} cannot be used on this field")
        self.spend(1, scope)
        return _OPERATORS[operator](self, operator, value, scope)

    def spend(self, conditions: int, scope: _Scope) -> None:
        if self.left is not None:
            self.left -= conditions
            if self.left < 0:
                scope.fail(f"a filter may have {MAX_CONDITIONS} conditions at most")

    def _list(self, value: Any, scope: _Scope) -> Sequence[Any]:
        if not isinstance(value, list | tuple):
            scope.fail("must be a list")
        return value

    # conditions

    def typed(self, operator: Op, value: Any, scope: _Scope) -> list[tuple[Kind, Any]]:
        """The value in document form, once for each type of the field it may be of."""
        found: list[tuple[Kind, Any]] = []
        reason = "has none of the field's types"
        for field in self._comparable(scope.field, value):
            if operator not in operators_for(field):
                continue
            self._whole(field, scope)
            try:
                read = self.read(field, from_python(value))
            except ValueError as error:
                reason = str(error)
            else:
                found.append((comparison_kind(field.kind, read), read))
        if not found:
            scope.fail(reason)
        return list({kind: (kind, read) for kind, read in found}.values())

    def _comparable(self, field: FieldPlan, value: Any) -> Iterator[FieldPlan]:
        """The types to read a value as: on a List, the list's or an element's."""
        if field.kind is Kind.LIST and not isinstance(value, list | tuple):
            field = field.element or ANYTHING
        for one in alternatives(field):
            if self.texts and one.kind is Kind.EXTEND:
                yield from TEXT_ALTERNATIVES
            else:
                yield one

    def _whole(self, field: FieldPlan, scope: _Scope) -> None:
        """A whole value must not tell anything about a part that may not be read."""
        if not all(self.readable(below) for below in field.walk()):
            scope.fail("cannot be compared as a whole")

    def compare(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        if value is None:
            scope.fail("null has no order")
        typed = self.typed(operator, value, scope)
        ordered = [pair for pair in typed if pair[0] not in _WITHOUT_ORDER]
        if not ordered:
            scope.fail("has no order")
        return any_of(
            Condition(scope.path, operator, read, kind) for kind, read in ordered
        )

    def equal(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        if value is None:
            present = operator is Op.NE
            return Condition(scope.path, Op.EXISTS, present, scope.field.kind)
        typed = self.typed(Op.EQ, value, scope)
        if len(typed) == 1:
            return Condition(scope.path, operator, typed[0][1], typed[0][0])
        found = any_of(Condition(scope.path, Op.EQ, read, kind) for kind, read in typed)
        return found if operator is Op.EQ else negate(found)

    def member_of(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        values = self._list(value, scope)
        self.spend(len(values), scope)
        by_kind: dict[Kind, list[Any]] = {}
        for one in values:
            if one is not None:
                for kind, read in self.typed(Op.IN, one, scope):
                    by_kind.setdefault(kind, []).append(read)
        choices: list[Filter] = [
            Condition(scope.path, Op.IN, tuple(some), kind)
            for kind, some in by_kind.items()
        ]
        if any(one is None for one in values):
            choices.append(self.equal(Op.EQ, None, scope))
        found = any_of(choices)
        if operator is Op.IN:
            return found
        if isinstance(found, Condition) and found.operator is Op.IN:
            return dataclasses.replace(found, operator=Op.NIN)
        return negate(found)

    def exists(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        if not isinstance(value, bool):
            scope.fail("$exists takes true or false")
        return Condition(scope.path, operator, value, scope.field.kind)

    def size(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            scope.fail("$size takes a number of elements")
        return Condition(scope.path, operator, value, scope.field.kind)

    def regular(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        pattern = from_python(value)
        if not isinstance(pattern, str):
            scope.fail("$reg takes a pattern")
        try:
            linear_matcher(pattern)
        except ValueError as error:
            raise FilterError(str(error), path=scope.label) from error
        return Condition(scope.path, operator, pattern, Kind.STRING)

    def contains(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        return Element(scope.path, self.value(value, scope.element()))

    def all(self, operator: Op, value: Any, scope: _Scope) -> Filter:
        """A list: each of its values is there; a condition: every element matches."""
        if isinstance(value, list | tuple) and (self.texts or not _is_pair(value)):
            self.spend(len(value), scope)
            each = [self.contains(operator, one, scope) for one in value]
            return all_of([self.exists(Op.EXISTS, True, scope), *each])
        return Element(scope.path, self.value(value, scope.element()), every=True)


_OPERATORS: Mapping[Op, Callable[[_Parser, Op, Any, _Scope], Filter]] = (
    MappingProxyType(
        {
            Op.EQ: _Parser.equal,
            Op.NE: _Parser.equal,
            Op.LT: _Parser.compare,
            Op.LTE: _Parser.compare,
            Op.GT: _Parser.compare,
            Op.GTE: _Parser.compare,
            Op.IN: _Parser.member_of,
            Op.NIN: _Parser.member_of,
            Op.REG: _Parser.regular,
            Op.EXISTS: _Parser.exists,
            Op.SIZE: _Parser.size,
            Op.CONTAINS: _Parser.contains,
            Op.ALL: _Parser.all,
        }
    )
)


def _is_operator(name: Any) -> bool:
    return isinstance(name, str) and name[:1] == "$" and name[:2] != "$."


def _is_pair(value: Any) -> bool:
    """Whether it is ``["$op", v]``; a literal list like it is written under ``$eq``."""
    return (
        isinstance(value, list | tuple) and len(value) == 2 and _is_operator(value[0])
    )


# -- JSON --------------------------------------------------------------------------


def parse_json(value: Any, plan: ItemPlan, readable: Readable = everything) -> Filter:
    """The filter of a parsed JSON object."""
    _check_depth(value)
    return _Parser(readable).tree(value, _Scope(plan.root, (), "$"))


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


def _loads(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_members, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise FilterError(f"not valid JSON: {error}", path="filter") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name given twice is refused, for one of the two would be lost."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same name twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


# -- query strings -----------------------------------------------------------------


def parse_query(
    pairs: Sequence[tuple[str, str]],
    plan: ItemPlan,
    readable: Readable = everything,
) -> Filter:
    """The filter of a query string's decoded pairs; page parameters are skipped.

    A key given several times makes a list. ``filter`` holds a filter in JSON.
    """
    parser = _Parser(readable, read=read_text, texts=True)
    root = _Scope(plan.root, (), "$")
    found: list[Filter] = []
    given: dict[tuple[str, str], tuple[_Scope, list[str]]] = {}
    for key, text in pairs:
        if key == "filter":
            found.append(parse_json(_loads(text), plan, readable))
        elif key not in PAGE_PARAMETERS:
            scope, operator = _split_key(parser, root, key)
            given.setdefault((scope.label, operator), (scope, []))[1].append(text)
    for (_, operator), (scope, texts) in given.items():
        found.append(_given(parser, operator, texts, scope))
    return all_of(found)


def _split_key(parser: _Parser, root: _Scope, key: str) -> tuple[_Scope, str]:
    """The field and the operator of ``a.b.$op``; ``$eq`` when none is written."""
    dotted, _, operator = key.rpartition(".")
    if _is_operator(operator) and dotted not in ("", "$"):
        return parser.step(root, dotted), operator
    return parser.step(root, key), "$eq"


def _given(parser: _Parser, operator: str, texts: list[str], scope: _Scope) -> Filter:
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


def _as_written(text: str, scope: _Scope) -> str:
    return text


def _flag(text: str, scope: _Scope) -> bool:
    if text not in ("true", "false"):
        scope.fail("must be true or false")
    return text == "true"


def _count(text: str, scope: _Scope) -> int:
    if not _NUMBER.fullmatch(text):
        scope.fail("must be a number of elements")
    return int(text)


_ARGUMENTS: Mapping[str, Callable[[str, _Scope], Any]] = MappingProxyType(
    {"$exists": _flag, "$size": _count}
)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


# -- Python ------------------------------------------------------------------------

_NODES = (Always, Never, And, Or, Not, Condition, Element)


class _PythonParser(_Parser):
    """Takes SFilter objects and filter trees wherever a filter or a value may stand."""

    def tree(self, value: Any, scope: _Scope) -> Filter:
        if value is None:
            return ALWAYS
        if isinstance(value, _NODES):
            return value
        if isinstance(value, SFilter):
            return self.sfilter(value, scope)
        return super().tree(value, scope)

    def value(self, value: Any, scope: _Scope) -> Filter:
        if isinstance(value, (SFilter, *_NODES)):
            return self.tree(value, scope)
        return super().value(_plain(value), scope)

    def operator(self, name: str, value: Any, scope: _Scope) -> Filter:
        return super().operator(name, _plain(value), scope)

    def sfilter(self, given: SFilter, scope: _Scope) -> Filter:
        operator, value = given._operator, given._value
        if operator is Operator.TRUE:
            return ALWAYS
        if operator is Operator.NOT:
            return negate(self.sfilter(value, scope))
        if operator in (Operator.AND, Operator.OR):
            join = all_of if operator is Operator.AND else any_of
            return join([self.sfilter(one, scope) for one in value])
        return self.operator(operator.value, value, self._target(given, scope))

    def _target(self, given: SFilter, scope: _Scope) -> _Scope:
        """The field of an SFilter: ``$.a``, or ``@.a`` below the element in hand."""
        path = str(given._path)
        if path.startswith("$") and scope.label != "$":
            scope.fail("paths of an element's condition start with @")
        dotted = path[1:].removeprefix(".") if path[:1] in ("$", "@") else path
        return self.step(scope, dotted) if dotted else scope


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return list(value)
    return from_python(value) if isinstance(value, GenericType) else value


def parse_python(value: Any, plan: ItemPlan, readable: Readable = everything) -> Filter:
    """The filter a developer wrote: a dict with tuples, an SFilter, a tree, or None.

    It may have any number of conditions.
    """
    _check_depth(value)
    parser = _PythonParser(readable, most=None)
    return parser.tree(value, _Scope(plan.root, (), "$"))


# -- sort and page -----------------------------------------------------------------


def parse_sort(
    given: str | Mapping[str, int] | None,
    plan: ItemPlan,
    readable: Readable = everything,
) -> tuple[SortKey, ...]:
    """The keys of ``-$.pages,$.title`` or ``{"pages": -1, "title": 1}``."""
    if not given:
        return ()
    wanted = _sort_texts(given) if isinstance(given, str) else list(given.items())
    if len(wanted) > MAX_SORT_KEYS:
        raise FilterError(f"a sort may have {MAX_SORT_KEYS} keys", path="_sort")
    parser, root = _Parser(readable), _Scope(plan.root, (), "$")
    return tuple(_sort_key(parser, root, *one) for one in wanted)


def _sort_texts(text: str) -> list[tuple[str, int]]:
    return [
        (one.removeprefix("-"), -1 if one.startswith("-") else 1)
        for one in text.split(",")
    ]


def _sort_key(parser: _Parser, root: _Scope, dotted: str, direction: Any) -> SortKey:
    scope = parser.step(root, dotted)
    if isinstance(direction, bool) or direction not in (1, -1):
        scope.fail("the direction of a sort is 1 or -1")
    if scope.field.kind in UNSORTABLE or _in_a_list(root.field, scope.path):
        scope.fail("cannot be sorted by")
    return SortKey(scope.path, direction == -1, scope.field.kind)


def _in_a_list(field: FieldPlan, path: tuple[str, ...]) -> bool:
    for name in path:
        if field.kind is Kind.LIST:
            return True
        below = field.field(name)
        if below is None:
            return False
        field = below
    return False


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
