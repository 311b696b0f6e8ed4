"""Which fields point to which: the references of all collections of a backoffice."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cached_property

from backo.errors import PathNotFoundError, SSyntaxError
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.schema.reference import Reference

__all__ = ["EACH", "End", "Graph", "Mistake", "Step", "ends_of"]

EACH = None
"""The step of a path that goes into every element of a List."""

type Step = str | None


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """One end of a link: a field that holds ids, or (not ``filled``) would."""

    collection: str
    field: FieldPlan
    steps: tuple[Step, ...]
    """From the document to the value: names, and :data:`EACH` for a List's elements."""
    reference: Reference

    @property
    def path(self) -> str:
        """As in errors and in ``field=``: ``$.rent.books``, without ``[*]``."""
        return f"$.{self.field.dotted}"

    @property
    def single(self) -> bool:
        """Whether an item has room for one id only."""
        return not self.reference.many and EACH not in self.steps

    def __str__(self) -> str:
        return f"{self.collection} {self.path}"


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one reference."""

    end: End
    words: str
    no_field: bool = False
    """Whether the reverse path names no field."""

    @property
    def error(self) -> SSyntaxError | PathNotFoundError:
        """What using the reference raises."""
        if self.no_field:
            return PathNotFoundError(str(self))
        return SSyntaxError("{0}: {1}", str(self.end), self.words)

    def __str__(self) -> str:
        return f"{self.end}: {self.words}"


def ends_of(plan: ItemPlan) -> tuple[End, ...]:
    """The reference fields of a collection, at any depth."""
    return tuple(_ends(plan.name, plan.root, ()))


def _ends(name: str, field: FieldPlan, steps: tuple[Step, ...]) -> Iterator[End]:
    if field.reference is not None:
        yield End(name, field, steps, field.reference)
        return
    for child in field.fields:
        yield from _ends(name, child, (*steps, child.name))
    if field.element is not None:
        yield from _ends(name, field.element, (*steps, EACH))
    for alternative in field.elements:
        # Of a Tuple or an In: read, but no link can be kept there.
        yield from (
            dataclasses.replace(end, steps=())
            for end in _ends(name, alternative, steps)
        )


class Graph:
    """All references between some collections."""

    def __init__(self, plans: Mapping[str, ItemPlan]) -> None:
        self.plans = plans
        self.ends: Mapping[str, tuple[End, ...]] = {
            name: ends_of(plan) for name, plan in plans.items()
        }

    @cached_property
    def complete(self) -> bool:
        """Whether every collection that a reference names is there."""
        ends = (end for ends in self.ends.values() for end in ends)
        return all(end.reference.collection in self.plans for end in ends)

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What is wrong with the references, in the order of declaration."""
        found = (self._mistake(end) for ends in self.ends.values() for end in ends)
        return tuple(mistake for mistake in found if mistake is not None)

    @cached_property
    def _wrong(self) -> Mapping[tuple[str, str], Mistake]:
        return {(one.end.collection, one.end.path): one for one in self.mistakes}

    def links(self, name: str) -> tuple[End, ...]:
        """The reference fields of a collection.

        :raises SSyntaxError, PathNotFoundError: one of them is wrong.
        """
        ends = self.ends.get(name, ())
        for end in ends:
            mistake = self._wrong.get((name, end.path))
            if mistake is not None:
                raise mistake.error
        return ends

    def reverse_of(self, end: End) -> End | None:
        """The other end; None when there is none."""
        reference = end.reference
        if reference.reverse is None:
            return None
        return self._end(reference.collection, reference.reverse)

    def pointing_to(self, name: str) -> tuple[End, ...]:
        """The one-sided references to a collection."""
        return self._one_sided.get(name, ())

    def neighbours(self, name: str) -> frozenset[str]:
        """The collections that a change in this one can reach, itself included."""
        return self._components.get(name, frozenset({name}))

    def concerned(self, name: str) -> bool:
        """Whether a change in this collection can need one in some item."""
        return bool(self.ends.get(name)) or bool(self.pointing_to(name))

    @cached_property
    def _one_sided(self) -> Mapping[str, tuple[End, ...]]:
        found: dict[str, tuple[End, ...]] = {}
        for ends in self.ends.values():
            for end in ends:
                if end.reference.reverse is None and end.steps:
                    there = found.get(end.reference.collection, ())
                    found[end.reference.collection] = (*there, end)
        return found

    @cached_property
    def _components(self) -> Mapping[str, frozenset[str]]:
        groups = {name: frozenset({name}) for name in self.plans}
        for name, ends in self.ends.items():
            for end in ends:
                other = groups.get(end.reference.collection)
                if other is not None:
                    merged = groups[name] | other
                    groups.update(dict.fromkeys(merged, merged))
        return groups

    def _end(self, name: str, path: str) -> End | None:
        return next((one for one in self.ends[name] if one.path == path), None)

    def _mistake(self, end: End) -> Mistake | None:
        reference = end.reference
        if reference.collection not in self.plans:
            return Mistake(end, f"there is no collection {reference.collection}")
        if reference.reverse is None:
            return None
        if self.plans[reference.collection].locate(reference.reverse) is None:
            words = f"{reference.collection} has no field {reference.reverse}"
            return Mistake(end, words, no_field=True)
        wrong = self._wrong_reverse(end, self.reverse_of(end))
        return None if wrong is None else Mistake(end, wrong)

    def _wrong_reverse(self, end: End, other: End | None) -> str | None:
        if other is None:
            return (
                f"{end.reference.reverse} of {end.reference.collection} points nowhere"
            )
        back = other.reference
        if (back.collection, back.reverse) != (end.collection, end.path):
            return f"{other} does not point back"
        if not end.reference.filled and not back.filled:
            return "neither side keeps ids"
        if not end.steps or end.field.kind is Kind.IN:
            return "a link can be kept neither in a Tuple nor in an In"
        if end.field.computed is not None or not end.field.stored:
            return "a computed value, or one that is not stored, can keep no link"
        return None
