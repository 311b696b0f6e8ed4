"""Selectors of many documents at once, through references too: what other items they
need is read in one batch for each reference that they step through.

The meaning is that of ``Item.select``: a List on the way gives a list, in which items
that are not there, or that the current user may not read, leave no gap.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from stricto.selector import Selector

from backo.errors import FilterError, SSyntaxError
from backo.query.builder import Neighbours
from backo.query.filter import texts_at
from backo.schema.plan import FieldPlan, Kind, restricted
from backo.schema.reference import Reference
from backo.schema.rows import Column, Selected
from backo.schema.selectors import index_of

__all__ = ["Selecting", "Source", "compile_selector", "values_of"]

type Document = dict[str, Any]

MAX_ITEMS = 10_000
"""Items of other collections that a reference without ids may lead one page to."""

_MISSING: Any = object()


class Source(Protocol):
    """The items of one collection, as far as the current user may read them."""

    def documents(self, ids: Iterable[str]) -> Mapping[str, Document]: ...

    def pointing(self, path: str, ids: Iterable[str], most: int) -> list[Document]: ...

    def names(self, path: str) -> tuple[str, ...]: ...


# -- steps -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Name:
    """Into a field of a Dict; absent, a ``conditional`` one is hidden, and another is
    what ``absent`` says."""

    name: str
    conditional: bool
    absent: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class _At:
    """To one element."""

    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Each:
    """To each element of a part of a list."""

    part: slice


@dataclasses.dataclass(frozen=True, slots=True)
class _Pointing:
    """From a document to the ids of the items that point to it."""

    reference: Reference


@dataclasses.dataclass(frozen=True, slots=True)
class _Hop:
    """From an id to that item of the collection."""

    collection: str


type _Step = _Name | _At | _Each | _Pointing | _Hop
_ALL = slice(None)


@dataclasses.dataclass(frozen=True, slots=True)
class Selecting:
    """A selector, ready for documents of its collection."""

    column: Column
    steps: tuple[_Step, ...]


# -- compiling ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Way:
    """The rest of a selector: its steps, what it gives, and whether that may be
    missing."""

    steps: tuple[_Step, ...]
    gives: Selected
    missing: bool = False

    def after(self, *steps: _Step, missing: bool = False) -> "_Way":
        return _Way((*steps, *self.steps), self.gives, self.missing or missing)

    def of_each(self, part: slice) -> "_Way":
        """The same for each element: what is missing leaves no gap."""
        field = self.gives.field
        return _Way((_Each(part), *self.steps), Selected(field, self.gives), True)


type _Part = tuple[str, str | None]
"""``books[0:2]`` as its name and what stands in the brackets."""


def compile_selector(text: str, root: FieldPlan, look: Neighbours) -> Selecting:
    """The selector ``$.author.nationality.a2`` for documents of the Dict ``root``.

    :raises SSyntaxError: it is no selector, or names no field that anybody may read.
    """
    if any("[" in one and not one.endswith("]") for one in text.split(".")):
        raise SSyntaxError('"{0}" is no selector: nothing may follow a "]"', text)
    start, *parts = Selector(text).selector
    if start != ("$", None) or not parts:
        raise SSyntaxError('"{0}" is no selector: these start with "$."', text)
    way = _Compiler(text, look).named(root, parts)
    gives = way.gives
    if way.missing:
        gives = dataclasses.replace(gives, nullable=True)
    return Selecting(Column(text, gives), way.steps)


class _Compiler:
    """Compiles one selector."""

    def __init__(self, text: str, look: Neighbours) -> None:
        self.text = text
        self.look = look

    def named(self, holder: FieldPlan, parts: Sequence[_Part]) -> _Way:
        (name, inside), *rest = parts
        field = holder.field(name)
        if field is None or field.unreadable:
            raise self._wrong(f'there is no field "{name}" that somebody may read')
        hidden = field.conditional or field.guarded
        way = self._indexed(field, inside, rest)
        return way.after(_Name(name, hidden, _absent(field)), missing=hidden)

    def _indexed(
        self, field: FieldPlan, inside: str | None, rest: Sequence[_Part]
    ) -> _Way:
        reference = field.reference
        if reference is not None and (rest or inside is not None):
            return self._through(field, reference, inside, rest)
        if field.kind is Kind.LIST and (rest or inside not in (None, "*")):
            return self._element(field.held, inside, rest)
        if field.kind is Kind.TUPLE and inside is not None:
            return self._of_tuple(field, inside, rest)
        if inside is not None and field.kind is not Kind.LIST:
            raise self._wrong(f"{field.path} is no list")
        if not rest:
            return self._value(field)
        if field.kind is Kind.DICT:
            return self.named(field, rest)
        raise self._wrong(f"{field.path} has no fields")

    def _value(self, field: FieldPlan) -> _Way:
        shown = restricted(field, "client") or field
        return _Way((), Selected(shown, nullable=field.nullable))

    def _element(
        self, element: FieldPlan, inside: str | None, rest: Sequence[_Part]
    ) -> _Way:
        way = self._indexed(element, None, rest)
        if not way.steps:
            # An element is never null.
            gives = dataclasses.replace(way.gives, nullable=False)
            way = dataclasses.replace(way, gives=gives)
        chosen = self._chosen(inside)
        if isinstance(chosen, slice):
            return way.of_each(chosen)
        return way.after(_At(chosen), missing=True)

    def _of_tuple(self, field: FieldPlan, inside: str, rest: Sequence[_Part]) -> _Way:
        chosen = self._chosen(inside)
        if isinstance(chosen, slice):
            raise self._wrong(f"{field.path} is a Tuple: only [0], [1], … are possible")
        try:
            element = field.elements[chosen]
        except IndexError:
            raise self._wrong(f"{field.path} has no element [{inside}]") from None
        return self._element(element, inside, rest)

    def _through(
        self,
        field: FieldPlan,
        reference: Reference,
        inside: str | None,
        rest: Sequence[_Part],
    ) -> _Way:
        """From ids on: to the items, where the selector goes further."""
        if not reference.many:
            if inside is not None:
                raise self._wrong(f"{field.path} is no list")
            return self._item(reference, rest)
        listed: tuple[_Step, ...] = () if reference.filled else (_Pointing(reference),)
        if rest:
            way, chosen = self._item(reference, rest), self._chosen(inside)
            on = (
                way.of_each(chosen)
                if isinstance(chosen, slice)
                else way.after(_At(chosen), missing=True)
            )
        elif inside in (None, "*"):
            return self._value(field)
        else:
            on = self._element(field.held, inside, ())
        return on.after(*listed)

    def _item(self, reference: Reference, rest: Sequence[_Part]) -> _Way:
        neighbour = self.look(reference.collection)
        if neighbour is None:
            name = reference.collection
            raise self._wrong(f"there is no collection {name} that somebody may read")
        way = self.named(neighbour.plan.root, rest)
        return way.after(_Hop(reference.collection), missing=True)

    def _chosen(self, inside: str | None) -> int | slice:
        if inside in (None, "*"):
            return _ALL
        chosen = index_of(inside or "")
        if chosen is None:
            raise self._wrong(f"[{inside}] is neither an index nor a slice")
        return chosen

    def _wrong(self, why: str) -> SSyntaxError:
        return SSyntaxError('"{0}": {1}', self.text, why)


# -- selecting ---------------------------------------------------------------------


def values_of(
    selecting: Sequence[Selecting],
    documents: Sequence[Document],
    source_of: Callable[[str], Source],
) -> list[list[Any]]:
    """For each document, what each selector gives in it; null where there is nothing.

    :raises FilterError: a reference that keeps no ids leads to too many items.
    """
    known = _Known(source_of)
    while True:
        rows = [[known.value(one, doc) for one in selecting] for doc in documents]
        if not known.fetch():
            return rows


class _Known:
    """What has been read of other collections, and what is still missing."""

    def __init__(self, source_of: Callable[[str], Source]) -> None:
        self.source_of = source_of
        self.items: dict[str, dict[str, Document | None]] = {}
        self.pointing: dict[Reference, dict[str, list[str]]] = {}

    def value(self, selecting: Selecting, document: Document) -> Any:
        found = self._walk(selecting.steps, document, document)
        return None if found is _MISSING else found

    def fetch(self) -> bool:
        """Read what was found missing, a batch for each collection; whether there was
        anything."""
        asked = False
        for name, items in self.items.items():
            wanted = [_id for _id, one in items.items() if one is _WANTED]
            if wanted:
                asked = True
                found = self.source_of(name).documents(wanted)
                items.update({_id: found.get(_id) for _id in wanted})
        for reference, pointing in self.pointing.items():
            ids = [_id for _id, found in pointing.items() if found is _UNKNOWN]
            if ids:
                asked = True
                pointing.update(self._pointing(reference, ids))
        return asked

    def _pointing(
        self, reference: Reference, ids: Sequence[str]
    ) -> dict[str, list[str]]:
        source, back = self.source_of(reference.collection), reference.reverse or ""
        found = source.pointing(back, ids, MAX_ITEMS + 1)
        if len(found) > MAX_ITEMS:
            raise FilterError(
                f"would look at more than {MAX_ITEMS} items of {reference.collection}; "
                "ask for fewer rows",
                path="_page",
            )
        names = source.names(back)
        by_id: dict[str, list[str]] = {_id: [] for _id in ids}
        for one in found:
            for _id in set(texts_at(one, names)) & by_id.keys():
                by_id[_id].append(one["_id"])
        return by_id

    def _walk(self, steps: Sequence[_Step], value: Any, document: Document) -> Any:
        for at, step in enumerate(steps):
            match step:
                case _Name():
                    value = _named(value, step)
                case _At():
                    value = _element(value, step.index)
                case _Pointing():
                    known = self.pointing.setdefault(step.reference, {})
                    value = known.setdefault(document["_id"], _UNKNOWN)
                case _Hop():
                    value = document = self._item(step.collection, value)
                case _Each():
                    return self._each(steps[at + 1 :], value, step.part, document)
            if value is _MISSING:
                return _MISSING
        return value

    def _each(
        self, steps: Sequence[_Step], value: Any, part: slice, document: Document
    ) -> Any:
        if not isinstance(value, list):
            return _MISSING
        found = [self._walk(steps, one, document) for one in value[part]]
        return [one for one in found if one is not _MISSING]

    def _item(self, collection: str, _id: Any) -> Any:
        if not isinstance(_id, str):
            return _MISSING
        found = self.items.setdefault(collection, {}).setdefault(_id, _WANTED)
        return _MISSING if found is None or found is _WANTED else found


_WANTED: Document = {}
_UNKNOWN: list[str] = []
"""What stands in the place of what is still to be read."""


def _absent(field: FieldPlan) -> Any:
    """What a field is in an item that was stored before there was one: as in answers
    that show whole items."""
    if field.grouping:
        return {}
    return None if callable(field.default) else field.default


def _named(value: Any, step: _Name) -> Any:
    # A Dict of which nothing is set may be null, or not there.
    holder = {} if value is None else value
    if not isinstance(holder, dict):
        return _MISSING
    found = holder.get(step.name)
    # A Dict is never null: what is stored so is one of which nothing is set.
    if step.name in holder and (found is not None or step.absent != {}):
        return found
    if step.name in holder:
        return {}
    return _MISSING if step.conditional else copy.deepcopy(step.absent)


def _element(value: Any, index: int) -> Any:
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        return _MISSING
    return value[index]
