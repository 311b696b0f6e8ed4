"""Keeps both halves of each link right: plans what a change means, and does it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

from backo.connectors.base import DBConnector
from backo.errors import (
    VALUE_ERRORS,
    Fault,
    SConstraintError,
    UnknownReferenceError,
)
from backo.references.graph import End, Graph
from backo.references.work import (
    Edit,
    RefusedEditError,
    Work,
    contradictions,
    edited,
    plan_change,
    plan_deletion,
    unknown_targets,
)

__all__ = ["Links", "Neighbour", "Neighbourhood"]

type Document = dict[str, Any]


class Neighbour(Protocol):
    """The documents of a collection, as the links to them need them."""

    def stored_documents(self, ids: Iterable[str]) -> dict[str, Document]: ...

    def readable_ids(self, ids: Iterable[str]) -> Collection[str]: ...

    def holding(self, path: str, _id: str) -> list[Document]: ...

    def relink(self, _id: str, edits: Sequence[Edit], **kwargs: Any) -> None: ...

    def remove_linked(self, _id: str, **kwargs: Any) -> None: ...


class Neighbourhood(Protocol):
    """The collections that references lead to."""

    @property
    def graph(self) -> Graph: ...

    def neighbour(self, name: str) -> Neighbour: ...

    def store_of(self, name: str) -> DBConnector: ...


class Links:
    """The links of one collection's items."""

    def __init__(self, name: str, around: Neighbourhood) -> None:
        self.name = name
        self.around = around

    @property
    def kept(self) -> bool:
        """Whether a change of an item can mean something for another."""
        return self.around.graph.concerned(self.name)

    def stores(self) -> list[DBConnector]:
        """Every store that a change can reach."""
        return [
            self.around.store_of(name)
            for name in sorted(self.around.graph.neighbours(self.name))
        ]

    def require(
        self, before: Document | None, after: Document, *, unasked: bool = False
    ) -> None:
        """Pass if every item that ``after`` newly points to is there; ``unasked``: for
        whomever.

        :raises UnknownReferenceError: one is not, or not for the current user.
        :raises SConstraintError: both ends of a link of the item with itself are given,
            and do not agree.
        """
        for one in self._contradictions(before, after):
            raise SConstraintError("{0}: {1}", one.path, one.message)
        faults = self.unknown(before, after, unasked=unasked)
        if faults:
            raise UnknownReferenceError(faults)

    def unknown(
        self, before: Document | None, after: Document, *, unasked: bool = False
    ) -> list[Fault]:
        """What of all that ``after`` newly points to is not there for the current
        user; ``unasked``: for nobody."""
        if not self.kept:
            return []
        reads = _Unasked(self) if unasked else self
        graph, there = self.around.graph, reads.readable
        return unknown_targets(graph, self.name, before, after, there)

    def _contradictions(self, before: Document | None, after: Document) -> list[Fault]:
        if not self.kept:
            return []
        return contradictions(self.around.graph, self.name, before, after)

    def impossible(self, before: Document, after: Document) -> list[Fault]:
        """Why ``before`` cannot become ``after``, whatever the current user may read:
        what it newly points to is not there, or items of other collections, as they
        are now, do not allow their half."""
        if not self.kept:
            return []
        graph, reads = self.around.graph, _Unasked(self)
        faults = self._contradictions(before, after)
        faults += unknown_targets(graph, self.name, before, after, reads.readable)
        work = plan_change(graph, (self.name, after["_id"]), before, after, reads)
        for (name, _id), edits in work.edits.items():
            # Those of the same collection may be about to change themselves.
            if name != self.name:
                held = self.documents(name, [_id]).values()
                faults += [one for each in held for one in _refused(each, edits)]
        return faults

    @property
    def inward(self) -> bool:
        """Whether items point to others of the same collection."""
        ends = self.around.graph.ends.get(self.name, ())
        return any(end.reference.collection == self.name for end in ends)

    def impossible_here(
        self,
        before: Document,
        after: Document,
        becoming: Callable[[str], Document | None],
    ) -> list[Fault]:
        """Why ``before`` cannot become ``after`` because of items of the same
        collection, which are ``becoming`` others (None: they stay as they are)."""
        graph, key, faults = self.around.graph, (self.name, after["_id"]), []
        work = plan_change(graph, key, before, after, _Unasked(self))
        for (name, _id), edits in work.edits.items():
            if name == self.name:
                planned = becoming(_id)
                held = [planned] if planned else self.documents(name, [_id]).values()
                faults += [one for each in held for one in _refused(each, edits)]
        return faults

    def follow(
        self, before: Document | None, after: Document, **kwargs: Any
    ) -> Document:
        """Do what it means that ``before`` (None: nothing) has become ``after``; gives
        the document as it is then.

        :raises SConstraintError: another item would break its schema.
        """
        if not self.kept:
            return after
        key = (self.name, after["_id"])
        work = plan_change(self.around.graph, key, before, after, self)
        self.execute(work, **kwargs)
        if key not in work.edits:
            return after
        return self.documents(self.name, [key[1]])[key[1]]

    def of_deletion(self, document: Document) -> Work:
        """What it means that ``document`` goes.

        :raises ReferencedError: a field that must be empty is not.
        """
        if not self.kept:
            return Work()
        key = (self.name, document["_id"])
        return plan_deletion(self.around.graph, key, document, self)

    def execute(self, work: Work, **kwargs: Any) -> None:
        """Do what was planned.

        :raises SConstraintError: another item would break its schema.
        """
        for (name, _id), edits in work.edits.items():
            try:
                self.around.neighbour(name).relink(_id, edits, **kwargs)
            except RefusedEditError as error:
                cause = edits[0].cause
                raise SConstraintError("{0}: {1}", cause, str(error)) from error
            except VALUE_ERRORS as error:
                raise SConstraintError(
                    "{0}: an item of {1} does not allow it", edits[0].cause, name
                ) from error
        for name, _id in work.deletions:
            self.around.neighbour(name).remove_linked(_id, **kwargs)

    # What planning reads.

    def documents(self, name: str, ids: Iterable[str]) -> dict[str, Document]:
        return self.around.neighbour(name).stored_documents(ids)

    def readable(self, name: str, ids: Iterable[str]) -> Collection[str]:
        return self.around.neighbour(name).readable_ids(ids)

    def holding(self, end: End, _id: str) -> list[Document]:
        return self.around.neighbour(end.collection).holding(end.path, _id)


class _Unasked:
    """What planning reads, whatever the current user may read."""

    def __init__(self, links: Links) -> None:
        self.documents = links.documents
        self.holding = links.holding

    def readable(self, name: str, ids: Iterable[str]) -> Collection[str]:
        return self.documents(name, ids).keys()


def _refused(document: Document, edits: Sequence[Edit]) -> list[Fault]:
    """What is wrong with ``document`` after these edits."""
    try:
        edited(document, edits)
    except RefusedEditError as error:
        return [Fault(edits[0].cause, str(error), "constraint")]
    return []
