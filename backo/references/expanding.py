"""Other items put into documents, in the place of the ids that point to them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from backo.errors import FilterError
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.schema.reference import Reference

__all__ = [
    "MAX_EXPANSION",
    "MAX_PATHS",
    "Expansion",
    "PlanOf",
    "Source",
    "expand",
    "expandable",
    "expandable_paths",
    "expansion",
]

type Document = dict[str, Any]
type PlanOf = Callable[[str], ItemPlan | None]
"""The plan of the collection of that name; None: nobody may read it."""

MAX_EXPANSION = 3
"""References that one path may step through."""
MAX_PATHS = 50
"""Paths that one request may name."""
_VIEW = "client"


class Source(Protocol):
    """The items of one collection, as far as the current user may read them."""

    def shown(self, ids: Iterable[str], view: str) -> Mapping[str, Document]: ...

    def pointing(
        self, path: str, ids: list[str], view: str, most: int
    ) -> list[tuple[list[str], Document]]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Expansion:
    """What is to be put in the place of the ids at ``path``, and into that."""

    path: tuple[str, ...]
    reference: Reference
    many: bool = False
    """Whether several ids may stand there, in one list or more."""
    below: tuple["Expansion", ...] = ()


# -- which -------------------------------------------------------------------------


def _references(field: FieldPlan) -> Iterator[Expansion]:
    """Every reference in what is shown; those in Lists of Dicts too."""
    for child in field.fields:
        if not child.unreadable:
            for one in _at(child):
                yield dataclasses.replace(one, path=(child.name, *one.path))


def _at(field: FieldPlan) -> Iterator[Expansion]:
    if field.reference is not None:
        yield Expansion((), field.reference, field.reference.many)
    elif field.kind is Kind.DICT:
        yield from _references(field)
    elif field.kind is Kind.LIST and field.held.kind is not Kind.LIST:
        for one in _at(field.held):
            yield dataclasses.replace(one, many=True)


def expandable(shown: FieldPlan, plan_of: PlanOf) -> Mapping[str, Expansion]:
    """What of ``shown``, a view, can be expanded, by its dotted path: in a list of
    paths commas stand between them, so none may be in one."""
    return {
        dotted: one
        for one in _references(shown)
        for dotted in [".".join(one.path)]
        if "," not in dotted and plan_of(one.reference.collection) is not None
    }


def expandable_paths(
    shown: FieldPlan, plan_of: PlanOf, depth: int = MAX_EXPANSION
) -> Iterator[str]:
    """Every path that :func:`expansion` takes, through ``depth`` references at most,
    the shorter ones first."""
    level = [("", shown)]
    for _ in range(depth):
        below = []
        for prefix, root in level:
            for dotted, one in expandable(root, plan_of).items():
                yield prefix + dotted
                plan = plan_of(one.reference.collection)
                if plan is not None:
                    below.append((f"{prefix}{dotted}.", plan.view(_VIEW)))
        level = below


def expansion(
    wanted: Sequence[str], shown: FieldPlan, plan_of: PlanOf
) -> tuple[Expansion, ...]:
    """What the paths ``author``, ``author.nationality`` ask for in ``shown``, a view.

    :raises FilterError: a path names no reference that the view shows to somebody, or
        steps through more than three; or there are too many paths.
    """
    if len(wanted) > MAX_PATHS:
        raise FilterError(f"takes {MAX_PATHS} paths at most", path="_expand")
    tree: dict[str, Any] = {}
    for path in wanted:
        here = tree
        for dotted in _steps(path, shown, plan_of):
            here = here.setdefault(dotted, {})
    return _expansions(tree, shown, plan_of)


def _steps(path: str, shown: FieldPlan, plan_of: PlanOf) -> list[str]:
    """The references that a path steps through, each with its path in its item."""
    root: FieldPlan | None = shown
    steps: list[str] = []
    rest = path.removeprefix("$.")
    while root is not None and rest:
        known = expandable(root, plan_of)
        found = [one for one in known if f"{rest}.".startswith(f"{one}.")]
        if not found:
            break
        steps.append(max(found, key=len))
        rest = rest[len(steps[-1]) + 1 :]
        plan = plan_of(known[steps[-1]].reference.collection)
        root = None if plan is None else plan.view(_VIEW)
        if len(steps) == MAX_EXPANSION and rest:
            raise FilterError(
                f"{path:.200} steps through more than {MAX_EXPANSION} references",
                path="_expand",
            )
    if rest or not steps or path.endswith("."):
        raise FilterError(f"{path:.200} names no reference here", path="_expand")
    return steps


def _expansions(
    tree: Mapping[str, Any], shown: FieldPlan, plan_of: PlanOf
) -> tuple[Expansion, ...]:
    known = expandable(shown, plan_of)
    found = []
    for dotted, below in tree.items():
        one, plan = known[dotted], plan_of(known[dotted].reference.collection)
        if below and plan is not None:
            under = _expansions(below, plan.view(_VIEW), plan_of)
            one = dataclasses.replace(one, below=under)
        found.append(one)
    return tuple(found)


# -- doing it ----------------------------------------------------------------------


def expand(
    documents: Sequence[Document],
    wanted: Iterable[Expansion],
    source_of: Callable[[str], Source],
    most: int,
) -> None:
    """Put the items that are ``wanted`` into ``documents``, each as its view ``client``
    shows it; the ids of those that the current user may not read, or that are not
    there, stay. All items of one path are read at once.

    A list that keeps no ids gets the items that are found, ``most`` at most.

    :raises FilterError: that would be more than ten times ``most`` items.
    """
    work = _Work(source_of, most)
    work.fill([(one, 1) for one in documents], wanted)


type _Weighed = tuple[Document, int]
"""A document, and in how many places of the answer it stands."""
type _Place = tuple[Document | list[Any], Any]
"""What holds a value, and its key there."""


class _Work:
    def __init__(self, source_of: Callable[[str], Source], most: int) -> None:
        self.source_of = source_of
        self.most = most
        self.left = most * 10

    def fill(self, documents: Sequence[_Weighed], wanted: Iterable[Expansion]) -> None:
        for one in wanted:
            by_id = self._by_ids if one.reference.filled else self._by_query
            found = by_id(documents, one)
            if found and one.below:
                self.fill(found, one.below)

    def _by_ids(
        self, documents: Sequence[_Weighed], wanted: Expansion
    ) -> list[_Weighed]:
        places = [
            (place, weight)
            for document, weight in documents
            for holder in _places(document, wanted.path)
            for place in _ids_in(holder)
        ]
        ids = dict.fromkeys(holder[key] for (holder, key), _ in places)
        source = self.source_of(wanted.reference.collection)
        found = source.shown(ids, _VIEW) if ids else {}
        weights: dict[str, int] = {}
        for (holder, key), weight in places:
            _id = holder[key]
            if _id in found:
                holder[key] = found[_id]
                self._spend(weight)
                weights[_id] = weights.get(_id, 0) + weight
        return [(found[_id], weight) for _id, weight in weights.items()]

    def _by_query(
        self, documents: Sequence[_Weighed], wanted: Expansion
    ) -> list[_Weighed]:
        pointed: dict[str, list[Document]] = {}
        ids = [one["_id"] for one, _ in documents]
        for held, shown in self._pointing(ids, wanted) if ids else ():
            for _id in held:
                pointed.setdefault(_id, []).append(shown)
        weights: dict[int, tuple[Document, int]] = {}
        for document, weight in documents:
            for holder, key in _places(document, wanted.path):
                found = pointed.get(document["_id"], [])[: self.most]
                holder[key] = found
                for one in found:
                    self._spend(weight)
                    before = weights.get(id(one), (one, 0))[1]
                    weights[id(one)] = (one, before + weight)
        return list(weights.values())

    def _pointing(
        self, ids: list[str], wanted: Expansion
    ) -> list[tuple[list[str], Document]]:
        source = self.source_of(wanted.reference.collection)
        back, most = wanted.reference.reverse or "", self.most
        if len(ids) > 1:
            found = source.pointing(back, ids, _VIEW, self.left + 1)
            if len(found) <= self.left:
                return found
        # Those of one document could leave none for the others.
        return [
            ([_id], shown)
            for _id in ids
            for _, shown in source.pointing(back, [_id], _VIEW, most)
        ]

    def _spend(self, items: int) -> None:
        self.left -= items
        if self.left < 0:
            raise FilterError(
                f"would put more than {self.most * 10} items into one answer; ask for "
                "fewer rows or fewer references",
                path="_expand",
            )


def _places(value: Any, path: tuple[str, ...]) -> Iterator[_Place]:
    """Where the values at ``path`` stand, through lists."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and path[0] in one:
            if len(path) == 1:
                yield one, path[0]
            else:
                yield from _places(one[path[0]], path[1:])


def _ids_in(place: _Place) -> Iterator[_Place]:
    """The id that stands in a place, or each of the list that stands there."""
    holder, key = place
    value = holder[key]
    if isinstance(value, str):
        yield place
    elif isinstance(value, list):
        yield from ((value, at) for at, one in enumerate(value) if isinstance(one, str))
