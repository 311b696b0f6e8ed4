"""Finds links of which a half is missing or leads nowhere, and how to mend them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from backo.references.graph import End, Graph
from backo.references.values import ids_at
from backo.references.work import Edit, Key

__all__ = ["BrokenLink", "Problem", "Progress", "broken_links"]

type Document = dict[str, Any]
type Progress = Callable[[str, Iterable[Document]], Iterable[Document]]
"""Given a collection's name and documents, hands these on and shows how far it is."""


class Problem(StrEnum):
    """What is wrong with a link."""

    DANGLING = "dangling"
    """The item it leads to is not there."""
    ONE_HALF = "one_half"
    """The item it leads to does not point back."""


@dataclasses.dataclass(frozen=True, slots=True)
class BrokenLink:
    """One link that is not right, where it was seen."""

    collection: str
    _id: str
    path: str
    """The field, as ``$.rent.books``."""
    target: str
    """The collection it points to."""
    target_id: str
    problem: Problem
    mend: tuple[Key, Edit] = dataclasses.field(compare=False, repr=False)
    """The document to be changed, and how."""
    repaired: bool = False

    def __str__(self) -> str:
        what = {
            Problem.DANGLING: "is not there",
            Problem.ONE_HALF: "does not point back",
        }
        here = f"{self.collection}/{self._id} {self.path}"
        there = f"{self.target}/{self.target_id}"
        mended = ", repaired" if self.repaired else ""
        return f"{here}: {there} {what[self.problem]}{mended}"


def broken_links(
    graph: Graph, documents: Mapping[str, Iterable[Document]]
) -> list[BrokenLink]:
    """The links that are not right among ``documents``, by collection."""
    return list(_Search(graph, documents).broken())


class _Search:
    def __init__(
        self, graph: Graph, documents: Mapping[str, Iterable[Document]]
    ) -> None:
        self.graph = graph
        self.there: dict[str, set[str]] = {}
        self.held: dict[End, dict[str, tuple[str, ...]]] = {}
        for name, some in documents.items():
            self._note(name, some)

    def _note(self, name: str, documents: Iterable[Document]) -> None:
        """Keep the ids, and of each document what it points to."""
        ids = self.there.setdefault(name, set())
        ends = [end for end in self.graph.ends.get(name, ()) if end.reference.filled]
        for end in ends:
            self.held[end] = {}
        for document in documents:
            _id = document["_id"]
            ids.add(_id)
            for end in ends:
                if found := ids_at(document, end):
                    self.held[end][_id] = found

    def broken(self) -> Iterator[BrokenLink]:
        # Where one end has room for one id, that end is believed.
        for end in sorted(self.held, key=lambda end: not end.single):
            if end.reference.collection in self.there:
                yield from self._broken_at(end)

    def _broken_at(self, end: End) -> Iterator[BrokenLink]:
        back = self.graph.reverse_of(end)
        kept = back if back is not None and back.reference.filled else None
        for _id, others in list(self.held[end].items()):
            for other in others:
                if other not in self.there[end.reference.collection]:
                    mend = (end.collection, _id), Edit(end, other, add=False)
                    yield self._link(end, _id, other, Problem.DANGLING, mend)
                elif kept is not None and _id not in self._at(kept, other):
                    mend = self._mend(end, kept, _id, other)
                    yield self._link(end, _id, other, Problem.ONE_HALF, mend)

    def _at(self, end: End, _id: str) -> tuple[str, ...]:
        return self.held[end].get(_id, ())

    def _mend(self, end: End, back: End, _id: str, other: str) -> tuple[Key, Edit]:
        """Make the other half; where another item has its place already, undo this
        one."""
        if back.single and self._stands(back, other):
            return (end.collection, _id), Edit(end, other, add=False)
        self.held[back][other] = (*self._at(back, other), _id)
        return (back.collection, other), Edit(back, _id, add=True)

    def _stands(self, back: End, other: str) -> bool:
        there = self.there[back.reference.collection]
        return any(_id in there for _id in self._at(back, other))

    def _link(
        self, end: End, _id: str, other: str, problem: Problem, mend: tuple[Key, Edit]
    ) -> BrokenLink:
        name = end.reference.collection
        return BrokenLink(
            end.collection, _id, end.path, name, other, problem, mend=mend
        )
