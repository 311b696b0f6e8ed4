"""Filters and sort keys in MongoDB's language, with the exact meaning of
:func:`backo.query.filter.matches` on documents of the schema's shape.

A leaf that has no such translation is residual: IP addresses in order, dates inside
lists to the microsecond, whole lists and objects, patterns that a backtracking engine
could stumble over, names that MongoDB takes for something else.

Every condition is a member of its own, joined by ``$and``: two on one path merged into
one object would mean the same, but be read as one interval where a list is indexed.
"""

import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from bson.datetime_ms import DatetimeMS

from backo.connectors.mongo_documents import (
    EXACT,
    MICROSECONDS,
    Moment,
    bson_id,
    bson_number,
    encoded_bytes,
    first_object_id,
    moment,
)
from backo.connectors.mongo_patterns import translated
from backo.connectors.mongo_places import Place, is_text, nameable, placed
from backo.errors import DBError
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
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = ["OwnIds", "Translator", "is_small"]

type Bson = dict[str, Any]

_ALWAYS: Bson = {}
_NEVER: Bson = {"$nor": [_ALWAYS]}

_NUMBERS = frozenset({Kind.INT, Kind.FLOAT})
_TEXTS = frozenset({Kind.STRING, Kind.URL})
_NATIVE = frozenset({Kind.DATETIME, Kind.BYTES})
_SORTABLE = _NUMBERS | _TEXTS | {Kind.BOOL, Kind.DATETIME}
_SYMBOL: Mapping[Op, str] = MappingProxyType(
    {Op.EQ: "$eq", Op.LT: "$lt", Op.LTE: "$lte", Op.GT: "$gt", Op.GTE: "$gte"}
)
_PYTHON: Mapping[Op, Any] = MappingProxyType(
    {
        Op.EQ: operator.eq,
        Op.LT: operator.lt,
        Op.LTE: operator.le,
        Op.GT: operator.gt,
        Op.GTE: operator.ge,
    }
)
_PRESENT = [
    *("double", "string", "object", "array", "binData", "objectId", "bool", "date"),
    *("regex", "javascript", "int", "timestamp", "long", "decimal"),
]
"""Every type but null. A list is of the type ``array`` whatever its elements are."""


class OwnIds(Sequence[str]):
    """The ids of what a filter in MongoDB's language finds, read only when somebody
    else than MongoDB is to know them."""

    def __init__(self, native: Bson, read: Callable[[], Iterable[str]]) -> None:
        self.native = native
        self._read = read

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return tuple(self._read())

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: Any) -> Any:
        return self._ids[index]


@dataclasses.dataclass(frozen=True)
class Translator:
    """Writes filters and sorts of one collection."""

    plan: ItemPlan

    def can_push(self, leaf: Condition | Element) -> bool:
        """Whether the leaf can be written with exactly its meaning."""
        return self._tree(leaf, self.plan.root) is not None

    def where(self, tree: Filter) -> Bson:
        """The filter; all its leaves must be such that ``can_push``."""
        made = self._tree(tree, self.plan.root)
        if made is None:
            raise TypeError(f"not to be pushed: {tree!r}")
        return made

    def can_sort(self, key: SortKey) -> bool:
        """Whether MongoDB sorts by the key with exactly its meaning."""
        if key.path == ("_id",):
            return key.kind in _TEXTS
        found = placed(self.plan.root, key.path) if nameable(key.path) else None
        return (
            found is not None
            and not found.many
            and found.kind is key.kind
            and key.kind in _SORTABLE
        )

    def sort(self, keys: Iterable[SortKey]) -> list[tuple[str, int]]:
        """The keys, with ``_id`` as the last."""
        made: dict[str, int] = {}
        for key in keys:
            way = -1 if key.descending else 1
            made.setdefault(".".join(key.path), way)
            if key.kind is Kind.DATETIME:
                made.setdefault(_rest_of(key.path), way)
        return [*(made | {"_id": made.get("_id", 1)}).items()]

    def index(self, path: tuple[str, ...]) -> list[tuple[str, int]] | None:
        """The index that serves filters and sorts of the field, or None."""
        found = placed(self.plan.root, path) if nameable(path) else None
        if found is None:
            return None
        name = ".".join(path)
        dated = found.kind is Kind.DATETIME and not found.many
        rest = [(_rest_of(path), 1)] if dated else []
        return [(name, 1), *rest, ("_id", 1)] if name != "_id" else [("_id", 1)]

    def is_list(self, path: tuple[str, ...]) -> bool:
        """Whether the path leads through plain objects to a List of plain values."""
        here: FieldPlan | None = self.plan.root
        for name in path:
            here = here.field(name) if here and here.kind is Kind.DICT else None
        if here is None or here.kind is not Kind.LIST or not nameable(path):
            return False
        return here.held.kind not in _NATIVE

    # -- translation -------------------------------------------------------------

    def _tree(self, tree: Filter, base: FieldPlan | None) -> Bson | None:
        """The filter on a document, or on an element that ``base`` describes."""
        match tree:
            case Always():
                return _ALWAYS
            case Never():
                return _NEVER
            case And(children):
                return _joined("$and", [self._tree(one, base) for one in children])
            case Or(children):
                return _joined("$or", [self._tree(one, base) for one in children])
            case Not(child):
                return _joined("$nor", [self._tree(child, base)])
            case Element(path, condition, every):
                return None if every else self._element(path, condition, base)
            case Condition():
                return self._condition(tree, base)
            case Linked():
                raise TypeError(f"not joined yet: {tree!r}")

    def _condition(self, leaf: Condition, base: FieldPlan | None) -> Bson | None:
        if isinstance(leaf.value, OwnIds):
            return leaf.value.native
        simple = canonical(leaf)
        if simple is not leaf:
            return self._tree(simple, base)
        whole = base is self.plan.root
        if leaf.path == ("_id",) and whole:
            return _of_id(leaf)
        place = placed(base, leaf.path) if nameable(leaf.path) else None
        if place is None:
            return None
        # What is kept about dates has no place for those of elements.
        return _tested(leaf, place if whole else Place(place.field, True))

    def _element(
        self, path: tuple[str, ...], condition: Filter, base: FieldPlan | None
    ) -> Bson | None:
        """An element that meets all of some conditions, or that is itself a list whose
        elements meet them."""
        place = placed(base, path) if nameable(path) else None
        leaves = condition.children if isinstance(condition, And) else (condition,)
        if place is None or not leaves:
            return None
        tests = [_element_test(one, place, self) for one in leaves]
        wanted = [one for one in tests if one is not None]
        if len(wanted) < len(tests):
            return None
        if _NEVER in wanted:
            return _NEVER
        together = _merged(wanted)
        if together is None:
            return None
        deeper = {"$all": [{"$elemMatch": one} for one in wanted]}
        name = ".".join(path)
        return {
            "$or": [
                {name: {"$elemMatch": together}},
                {name: {"$elemMatch": deeper}},
            ]
        }


def _element_test(leaf: Filter, place: Place, translator: Translator) -> Bson | None:
    """What ``$elemMatch`` takes for one condition on an element."""
    if not isinstance(leaf, Condition) or canonical(leaf) is not leaf:
        return None
    if leaf.path:
        return translator._condition(leaf, place.field or _ANYTHING)
    if leaf.operator in (Op.EXISTS, Op.SIZE):
        return None
    made = _tested(dataclasses.replace(leaf, path=("",)), Place(place.field, True))
    test: Bson | None = None if made is None else made.get("")
    return test


def _merged(tests: list[Bson]) -> Bson | None:
    """All of them at once on one element; None if some are about the element and some
    about its members, or two use one operator on the same."""
    keys = [key for one in tests for key in one]
    about_it = [key.startswith("$") for key in keys]
    if any(key in _JOINTS for key in keys) or (any(about_it) and not all(about_it)):
        return None
    together: Bson = {}
    for key, test in (pair for one in tests for pair in one.items()):
        if key not in together:
            together[key] = test
        elif any(about_it) or together[key].keys() & test.keys():
            return None
        else:
            together[key] = together[key] | test
    return together


_JOINTS = frozenset({"$and", "$or", "$nor"})
_ANYTHING = FieldPlan(name="", path="$", kind=Kind.FREEDICT, node=None)


def _joined(word: str, parts: list[Bson | None]) -> Bson | None:
    made = [one for one in parts if one is not None]
    if len(made) < len(parts):
        return None
    if not made:
        return _ALWAYS if word == "$and" else _NEVER
    return made[0] if len(made) == 1 and word != "$nor" else {word: made}


# -- leaves ------------------------------------------------------------------------


def _tested(leaf: Condition, place: Place) -> Bson | None:
    name = ".".join(leaf.path)
    match leaf.operator:
        case Op.EXISTS:
            return {name: {"$type": _PRESENT}}
        case Op.SIZE:
            possible = 0 <= leaf.value < 2**31
            return {name: {"$size": leaf.value}} if possible else _NEVER
        case Op.REG:
            pattern = None if place.kind in _NATIVE else translated(leaf.value)
            return None if pattern is None else {name: {"$regex": pattern}}
        case _:
            return _compared(leaf, place, name)


def _compared(leaf: Condition, place: Place, name: str) -> Bson | None:
    values = leaf.value if leaf.operator is Op.IN else (leaf.value,)
    kinds = {comparison_kind(leaf.kind, one) for one in values}
    native = (kinds | {place.kind}) & _NATIVE
    if place.kind is Kind.TUPLE or (native and kinds | {place.kind} != native):
        return None
    if not values:
        return _NEVER
    if Kind.DATETIME in native:
        return _dated(leaf, values, place, name)
    try:
        made = [_bound(comparison_kind(leaf.kind, one), one) for one in values]
    except (_Unsaid, DBError):
        return None
    wanted = [one for one in made if one is not None]
    if not wanted:
        return _NEVER
    if leaf.operator is Op.IN:
        return {name: {"$in": wanted}}
    return {name: {_SYMBOL[leaf.operator]: wanted[0]}}


class _Unsaid(Exception):
    """MongoDB cannot compare with this value."""


def _bound(kind: Kind, value: Any) -> Any:
    """What a value is compared with; None: nothing is comparable with it.

    :raises _Unsaid: it cannot be said.
    """
    key = key_function(kind)
    if key is None or kind in (Kind.IPADDRESS, Kind.IPNETWORK):
        raise _Unsaid
    if key(value) is None:
        return None
    if kind in _NUMBERS:
        return bson_number(value)
    if isinstance(value, str) and not is_text(value):
        raise _Unsaid
    return encoded_bytes(value) if kind is Kind.BYTES else value


# -- ids ---------------------------------------------------------------------------


def _of_id(leaf: Condition) -> Bson | None:
    """A condition on the document's own id, which is a text for others."""
    values = leaf.value if leaf.operator is Op.IN else (leaf.value,)
    if leaf.operator is Op.EXISTS:
        return _ALWAYS
    if leaf.operator is Op.SIZE:
        return _NEVER
    if leaf.operator is Op.REG:
        return None
    texts = [one for one in values if isinstance(one, str)]
    if not texts:
        return _NEVER
    if not all(map(is_text, texts)) or leaf.kind not in _TEXTS:
        return None
    if leaf.operator in (Op.EQ, Op.IN):
        return {"_id": {"$in": [bson_id(one) for one in texts]}}
    return _id_range(leaf.operator, texts[0])


def _id_range(operator: Op, text: str) -> Bson:
    first = first_object_id(text + "\0" if operator in (Op.GT, Op.LTE) else text)
    object_ids: Bson
    if operator in (Op.GT, Op.GTE):
        object_ids = {"_id": {"$gte": first}} if first else _NEVER
    else:
        object_ids = {"_id": {"$lt": first} if first else {"$type": "objectId"}}
    return {"$or": [{"_id": {_SYMBOL[operator]: text}}, object_ids]}


# -- dates -------------------------------------------------------------------------


def _rest_of(path: tuple[str, ...]) -> str:
    """Where the microseconds of the date at ``path`` are."""
    return ".".join((EXACT, *path, MICROSECONDS))


def _dated(
    leaf: Condition, values: Iterable[Any], place: Place, name: str
) -> Bson | None:
    bounds = [found for one in values if (found := moment(one)) is not None]
    if leaf.operator is Op.IN:
        leaf = dataclasses.replace(leaf, operator=Op.EQ)
    tests = [_date_test(leaf, one, place, name) for one in bounds]
    return _joined("$or", tests)


def _date_test(leaf: Condition, bound: Moment, place: Place, name: str) -> Bson | None:
    date, sign = DatetimeMS(bound.date), _SYMBOL[leaf.operator]
    whole = bound.rest == 0 and not bound.at_an_end
    if whole and leaf.operator in (Op.LT, Op.GTE):
        return {name: {sign: date}}
    if place.many:
        return None
    same = {"$and": [{name: {"$eq": date}}, _rest_test(leaf, bound.rest)]}
    if leaf.operator is Op.EQ:
        return same
    return {"$or": [{name: {sign.removesuffix("e"): date}}, same]}


def _rest_test(leaf: Condition, bound: int) -> Bson:
    """The microseconds compared; where there are none they are 0."""
    rest = _rest_of(leaf.path)
    test = {rest: {_SYMBOL[leaf.operator]: bound}}
    if not _PYTHON[leaf.operator](0, bound):
        return test
    return {"$or": [test, {rest: None}]}


# -- limits ------------------------------------------------------------------------


def is_small(tree: Filter) -> bool:
    """Whether the filter keeps to MongoDB's limits: 48 MB a message, 100 levels."""
    return _depth(tree) <= 20 and _weight(tree) <= 4_000_000


def _depth(tree: Filter) -> int:
    match tree:
        case And(children) | Or(children):
            return 1 + max(map(_depth, children), default=0)
        case Not(child):
            return 1 + _depth(child)
        case Element(_, condition):
            return 2 + _depth(condition)
        case _:
            return 1


def _weight(tree: Filter) -> int:
    """Bytes, about."""
    match tree:
        case And(children) | Or(children):
            return sum(map(_weight, children))
        case Not(child):
            return _weight(child)
        case Element(_, condition):
            return 100 + 2 * _weight(condition)
        case Condition(value=OwnIds()):
            return 1000
        case Condition(_, Op.IN | Op.NIN, values):
            return 100 + sum(20 + _length(one) for one in values)
        case Condition(_, _, value):
            return 100 + _length(value)
        case _:
            return 50


def _length(value: Any) -> int:
    return 4 * len(value) if isinstance(value, str) else 40
