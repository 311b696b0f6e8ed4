"""Builds filters from parsed objects, typed by the plan: what all notations share."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from backo.errors import FilterError
from backo.query.compare import comparison_kind
from backo.query.filter import (
    Condition,
    Element,
    Filter,
    Hop,
    Op,
    all_of,
    any_of,
    negate,
    operators_for,
)
from backo.query.linking import linked, through
from backo.query.values import (
    ANYTHING,
    TEXT_ALTERNATIVES,
    alternatives,
    from_python,
    read_json,
)
from backo.schema.patterns import check_weight, linear_matcher
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "MAX_HOPS",
    "MAX_PATTERNS",
    "FilterBuilder",
    "Neighbour",
    "Neighbours",
    "Readable",
    "Scope",
    "everything",
    "is_operator",
]

MAX_DEPTH = 50
"""Levels of objects and lists a filter may have."""
MAX_CONDITIONS = 1000
"""Conditions (values of ``$in`` included) a client's filter may have."""
MAX_SIZE = 10**18
"""Elements that a filter may ask for are less than this."""
MAX_PATTERNS = 8
"""``$reg`` that a client's filter may have."""
MAX_HOPS = 100
"""Steps to other items that the conditions of a client's filter may take together."""
type Readable = Callable[[FieldPlan], bool]
"""Whether the caller may read, hence filter and sort by, a field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Neighbour:
    """Another collection, as far as filters may look into it through references."""

    plan: ItemPlan
    readable: Readable


type Neighbours = Callable[[str], Neighbour | None]
"""The collection of that name; None: there is none that the caller may read."""

_WITHOUT_ORDER = frozenset({Kind.BOOL, Kind.LIST, Kind.DICT})


def everything(field: FieldPlan) -> bool:
    """A ``readable`` that hides nothing."""
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """A field, the path to it from the document or element, and its name in errors."""

    field: FieldPlan
    path: tuple[str, ...]
    label: str
    hops: tuple[Hop, ...] = ()
    """The references stepped through: ``path`` starts in the last item."""
    holder: tuple[str, ...] | None = None
    """The innermost List on ``path``, if there is one."""
    conditional: bool = False
    """Whether the field, or what it is in, is hidden at times."""
    readable: Readable | None = None
    """Which fields the caller may read, where these are another collection's."""

    def fail(self, message: str) -> NoReturn:
        raise FilterError(message, path=self.label)

    def element(self) -> "Scope":
        """Any one element of the list this is, as the start of its own paths."""
        if self.field.kind is Kind.TUPLE:
            element = dataclasses.replace(self.field, kind=Kind.IN)
        else:
            element = self.field.element or ANYTHING
        if self.field.reference is not None:
            one = dataclasses.replace(self.field.reference, many=False)
            element = dataclasses.replace(element, reference=one)
        return Scope(
            element,
            (),
            self.label,
            conditional=self.conditional,
            readable=self.readable,
        )

    def there(self, neighbour: Neighbour | None) -> "Scope":
        """Any one item that the reference this is points to, as the start of its own
        paths; where the caller may not look, an item without fields."""
        root = _NOTHING if neighbour is None else neighbour.plan.root
        readable = None if neighbour is None else neighbour.readable
        return Scope(root, (), self.label, readable=readable)

    @property
    def depth(self) -> int:
        """The steps from the start of the paths, through other items too."""
        return len(self.path) + sum(len(hop.path) for hop in self.hops)


class FilterBuilder:
    """Parses one filter. ``read`` reads values; ``texts``: no operator among them."""

    def __init__(
        self,
        readable: Readable,
        *,
        read: Callable[[FieldPlan, Any], Any] = read_json,
        texts: bool = False,
        most: int | None = MAX_CONDITIONS,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.readable = readable
        self.read = read
        self.texts = texts
        self.left = most
        self.patterns = 0
        self.hops = 0
        self.neighbours = neighbours

    # fields

    def step(self, scope: Scope, dotted: str) -> Scope:
        """The field at ``dotted`` below ``scope``; unknown and unreadable are one."""
        plain = dotted.removeprefix("$.")
        found = self._descend(scope, plain.split(".")[: MAX_DEPTH + 1])
        label = f"{scope.label}.{plain}"
        if found is None or found.depth - scope.depth > MAX_DEPTH:
            raise FilterError("unknown field", path=label)
        return dataclasses.replace(found, label=label)

    def _descend(self, scope: Scope, names: list[str]) -> Scope | None:
        if not names:
            return scope
        if self._leads(scope.field):
            return self._descend_through(scope, names)
        field = scope.field
        if field.kind is Kind.LIST and field.element is not None:
            field = field.element
            if not self._may(scope, field):
                return None
            scope = _below(scope, field, scope.path, holder=scope.path)
            if self._leads(field):
                return self._descend_through(scope, names)
        if field is ANYTHING or field.kind is Kind.FREEDICT:
            path = (*scope.path, *names)
            return dataclasses.replace(scope, field=ANYTHING, path=path)
        return self._descend_into(scope, names)

    def _descend_into(self, scope: Scope, names: list[str]) -> Scope | None:
        """A field's own name may hold dots, so longer and longer names are tried."""
        for end in range(1, len(names) + 1):
            name = ".".join(names[:end])
            child = scope.field.field(name)
            if child is not None and self._may(scope, child):
                below = _below(scope, child, (*scope.path, name), holder=scope.holder)
                found = self._descend(below, names[end:])
                if found is not None:
                    return found
        return None

    def _may(self, scope: Scope, field: FieldPlan) -> bool:
        """Whether the caller may read ``field``, which is where ``scope`` is."""
        return (scope.readable or self.readable)(field)

    # other items

    def _leads(self, field: FieldPlan) -> bool:
        """Whether fields of other items can be named through this one."""
        return field.reference is not None and self.neighbours is not None

    def _descend_through(self, scope: Scope, names: list[str]) -> Scope | None:
        there, hop = self._there(scope), _hop(scope)
        return self._descend_into(
            dataclasses.replace(there, hops=(*scope.hops, hop)), names
        )

    def _there(self, scope: Scope) -> Scope:
        reference = scope.field.reference
        if reference is None or self.neighbours is None:
            return scope.there(None)
        return scope.there(self.neighbours(reference.collection))

    def _back(self, tree: Filter, scope: Scope) -> Filter:
        """What ``tree``, a condition on one field, says of the document that the
        references of ``scope`` start from."""
        if self.left is not None:
            self.hops += len(scope.hops)
            if self.hops > MAX_HOPS:
                scope.fail(f"a filter may look into {MAX_HOPS} other items at most")
        for hop in reversed(scope.hops):
            tree = through(hop, tree)
        return tree

    def _of_items(self, value: dict[Any, Any], scope: Scope) -> Filter:
        """Conditions on the item that a Ref points to, as on a Dict, or on one and the
        same item of a RefsList, as on an element."""
        there, hop = self._there(scope), _hop(scope)
        if not hop.reference.many:
            through_it = dataclasses.replace(there, hops=(*scope.hops, hop))
            return self.tree(value, through_it)
        self.spend(1, scope)
        return self._back(self._of_any(value, scope), scope)

    def _of_any(self, value: dict[Any, Any], scope: Scope) -> Filter:
        """Conditions on one and the same item that a reference points to."""
        return linked(_hop(scope), self.tree(value, self._there(scope)))

    # structure

    def tree(self, value: Any, scope: Scope) -> Filter:
        """A whole filter: an object, or in Python an SFilter, a tree or None."""
        if not isinstance(value, dict):
            scope.fail("a filter must be an object")
        return all_of([self.member(name, one, scope) for name, one in value.items()])

    def member(self, name: Any, value: Any, scope: Scope) -> Filter:
        if not isinstance(name, str):
            scope.fail("a field's name must be a string")
        if name in ("$and", "$or"):
            join = all_of if name == "$and" else any_of
            return join([self.tree(one, scope) for one in self._list(value, scope)])
        if name == "$not":
            return negate(self.tree(value, scope))
        if is_operator(name):
            scope.fail(f"unknown operator {name}")
        return self.value(value, self.step(scope, name))

    def value(self, value: Any, scope: Scope) -> Filter:
        """What stands beside a field: a value, ``["$op", v]``, or an object."""
        if not self.texts:
            if _is_pair(value):
                return self.operator(value[0], value[1], scope)
            if isinstance(value, dict):
                return self.members(value, scope)
        return self.operator("$eq", value, scope)

    def members(self, value: dict[Any, Any], scope: Scope) -> Filter:
        if value and all(is_operator(name) for name in value):
            return all_of(
                [self.operator(name, one, scope) for name, one in value.items()]
            )
        if self._leads(scope.field):
            return self._of_items(value, scope)
        if scope.field is ANYTHING or scope.field.kind in (Kind.DICT, Kind.FREEDICT):
            return self.tree(value, scope)
        if scope.field.kind is Kind.LIST:
            element = scope.element()
            if element.field.kind in (Kind.DICT, Kind.FREEDICT, Kind.EXTEND):
                below = self.tree(value, element)
                return self._back(Element(scope.path, below), scope)
            if self._leads(element.field):
                below = self._of_items(value, element)
                return self._back(Element(scope.path, below), scope)
        return self.operator("$eq", value, scope)

    def operator(self, name: str, value: Any, scope: Scope) -> Filter:
        if name in ("$and", "$or"):
            join = all_of if name == "$and" else any_of
            return join([self.value(one, scope) for one in self._list(value, scope)])
        if name == "$not":
            return negate(self.value(value, scope))
        try:
            operator = Op(name)
        except ValueError:
            scope.fail(f"unknown operator {name}")
        if scope.field.reference is not None and not scope.field.reference.filled:
            scope.fail("keeps no ids; its items can be found by their own fields")
        if operator not in operators_for(scope.field):
            scope.fail(f"{operator} cannot be used on this field")
        self.spend(1, scope)
        found = _OPERATORS[operator](self, operator, value, scope)
        return self._back(found, scope)

    def spend(self, conditions: int, scope: Scope) -> None:
        if self.left is not None:
            self.left -= conditions
            if self.left < 0:
                scope.fail(f"a filter may have {MAX_CONDITIONS} conditions at most")

    def _weigh(self, pattern: str, scope: Scope) -> None:
        """Refuse a request's pattern that would cost too much, or one too many."""
        if self.left is None:
            return
        check_weight(pattern)
        self.patterns += 1
        if self.patterns > MAX_PATTERNS:
            scope.fail(f"a filter may have {MAX_PATTERNS} patterns at most")

    def _list(self, value: Any, scope: Scope) -> Sequence[Any]:
        if not isinstance(value, list | tuple):
            scope.fail("must be a list")
        return value

    # conditions

    def typed(self, operator: Op, value: Any, scope: Scope) -> list[tuple[Kind, Any]]:
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

    def _whole(self, field: FieldPlan, scope: Scope) -> None:
        """A whole value must not tell anything about a part that may not be read."""
        if not all(self._may(scope, below) for below in field.walk()):
            scope.fail("cannot be compared as a whole")

    def compare(self, operator: Op, value: Any, scope: Scope) -> Filter:
        if value is None:
            scope.fail("null has no order")
        typed = self.typed(operator, value, scope)
        ordered = [pair for pair in typed if pair[0] not in _WITHOUT_ORDER]
        if not ordered:
            scope.fail("has no order")
        return any_of(
            Condition(scope.path, operator, read, kind) for kind, read in ordered
        )

    def equal(self, operator: Op, value: Any, scope: Scope) -> Filter:
        if value is None:
            present = operator is Op.NE
            return Condition(scope.path, Op.EXISTS, present, scope.field.kind)
        typed = self.typed(Op.EQ, value, scope)
        if len(typed) == 1:
            return Condition(scope.path, operator, typed[0][1], typed[0][0])
        found = any_of(Condition(scope.path, Op.EQ, read, kind) for kind, read in typed)
        return found if operator is Op.EQ else negate(found)

    def member_of(self, operator: Op, value: Any, scope: Scope) -> Filter:
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

    def exists(self, operator: Op, value: Any, scope: Scope) -> Filter:
        if not isinstance(value, bool):
            scope.fail("$exists takes true or false")
        return Condition(scope.path, operator, value, scope.field.kind)

    def size(self, operator: Op, value: Any, scope: Scope) -> Filter:
        number = isinstance(value, int) and not isinstance(value, bool)
        if not number or not 0 <= value < MAX_SIZE:
            scope.fail("$size takes a number of elements")
        return Condition(scope.path, operator, value, scope.field.kind)

    def regular(self, operator: Op, value: Any, scope: Scope) -> Filter:
        pattern = from_python(value)
        if not isinstance(pattern, str):
            scope.fail("$reg takes a pattern")
        try:
            self._weigh(pattern, scope)
            linear_matcher(pattern)
        except ValueError as error:
            raise FilterError(str(error), path=scope.label) from error
        return Condition(scope.path, operator, pattern, Kind.STRING)

    def contains(self, operator: Op, value: Any, scope: Scope) -> Filter:
        if self._leads(scope.field) and _of_fields(value):
            # An id that leads nowhere is no item, whatever is said of it.
            return self._of_any(value, scope)
        return Element(scope.path, self.value(value, scope.element()))

    def all(self, operator: Op, value: Any, scope: Scope) -> Filter:
        """A list: each of its values is there; a condition: every element matches."""
        if isinstance(value, list | tuple) and (self.texts or not _is_pair(value)):
            self.spend(len(value), scope)
            each = [self.contains(operator, one, scope) for one in value]
            return all_of([self.exists(Op.EXISTS, True, scope), *each])
        return Element(scope.path, self.value(value, scope.element()), every=True)


_OPERATORS: Mapping[Op, Callable[[FilterBuilder, Op, Any, Scope], Filter]] = (
    MappingProxyType(
        {
            Op.EQ: FilterBuilder.equal,
            Op.NE: FilterBuilder.equal,
            Op.LT: FilterBuilder.compare,
            Op.LTE: FilterBuilder.compare,
            Op.GT: FilterBuilder.compare,
            Op.GTE: FilterBuilder.compare,
            Op.IN: FilterBuilder.member_of,
            Op.NIN: FilterBuilder.member_of,
            Op.REG: FilterBuilder.regular,
            Op.EXISTS: FilterBuilder.exists,
            Op.SIZE: FilterBuilder.size,
            Op.CONTAINS: FilterBuilder.contains,
            Op.ALL: FilterBuilder.all,
        }
    )
)


_NOTHING = FieldPlan(name="", path="$", kind=Kind.DICT, node=None)
"""The root of items of which nothing may be known."""


def _below(
    scope: Scope,
    field: FieldPlan,
    path: tuple[str, ...],
    *,
    holder: tuple[str, ...] | None,
) -> Scope:
    return Scope(
        field,
        path,
        scope.label,
        scope.hops,
        holder,
        scope.conditional or field.conditional,
        scope.readable,
    )


def _hop(scope: Scope) -> Hop:
    """The step through the reference that ``scope`` is."""
    reference = scope.field.reference
    if reference is None:
        raise TypeError(f"{scope.label} is no reference")
    return Hop(scope.path, reference, scope.holder, scope.conditional)


def is_operator(name: Any) -> bool:
    return isinstance(name, str) and name[:1] == "$" and name[:2] != "$."


def _of_fields(value: Any) -> bool:
    """Whether all conditions in it are on fields, none on the value itself."""
    if not isinstance(value, dict):
        return False
    joined = [one for name, one in value.items() if name in ("$and", "$or")]
    within = [value["$not"]] if "$not" in value else []
    for some in joined:
        within += some if isinstance(some, list | tuple) else [some]
    others = value.keys() - {"$and", "$or", "$not"}
    return not any(map(is_operator, others)) and all(map(_of_fields, within))


def _is_pair(value: Any) -> bool:
    """Whether it is ``["$op", v]``; a literal list like it is written under ``$eq``."""
    return isinstance(value, list | tuple) and len(value) == 2 and is_operator(value[0])
