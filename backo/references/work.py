"""What a change of one item means for others: planned as data, before anything is done.

A link is kept at both of its ends: ``y`` is at the end ``F`` of ``x`` if and only if
``x`` is at the reverse ``G`` of ``y``. Where one end has room for one id only, a new
link takes the place of the old one, and the item that loses it loses its half too.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from backo.connectors.edits import ListEdit
from backo.errors import Fault, ReferencedError
from backo.references.graph import EACH, End, Graph
from backo.references.values import ids_at, with_id, without_id
from backo.schema.reference import DeleteStrategy

__all__ = [
    "Edit",
    "Key",
    "Reads",
    "RefusedEditError",
    "There",
    "Work",
    "contradictions",
    "edited",
    "list_edits",
    "plan_change",
    "plan_deletion",
    "unknown_at",
    "unknown_targets",
]

type Document = dict[str, Any]
type Key = tuple[str, str]
"""A document: its collection and its id."""
type There = Callable[[str, Iterable[str]], Collection[str]]
"""Given a collection's name and ids, which of them are there."""


class Reads(Protocol):
    """What planning must know of the items as they are."""

    def documents(self, name: str, ids: Iterable[str]) -> dict[str, Document]:
        """The stored documents of a collection by their ids, as far as they exist."""

    def holding(self, end: End, _id: str) -> list[Document]:
        """The documents that have that id at that end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """One id to be put at, or taken from, one end."""

    end: End
    _id: str
    add: bool
    cause: str = dataclasses.field(default="$", compare=False)
    """The path of the change that it follows from, in the item that was changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What is to be done besides the change itself."""

    edits: Mapping[Key, tuple[Edit, ...]] = dataclasses.field(default_factory=dict)
    deletions: tuple[Key, ...] = ()


class _Edits:
    """Edits as they are found, each once."""

    def __init__(self) -> None:
        self.found: dict[Key, dict[Edit, None]] = {}

    def add(self, key: Key, edit: Edit) -> None:
        self.found.setdefault(key, {})[edit] = None

    def without(self, going: Iterable[Key]) -> dict[Key, tuple[Edit, ...]]:
        gone = frozenset(going)
        return {
            key: tuple(edits) for key, edits in self.found.items() if key not in gone
        }


def plan_change(
    graph: Graph, key: Key, before: Document | None, after: Document, reads: Reads
) -> Work:
    """What becomes of other items when ``before`` becomes ``after`` (None: it is new).

    :raises SSyntaxError, PathNotFoundError: a reference of the collection is wrong.
    """
    edits = _Edits()
    for end in graph.links(key[0]):
        if not end.reference.filled:
            continue
        old, new = ids_at(before, end), ids_at(after, end)
        if old == new:
            continue
        added = [_id for _id in new if _id not in frozenset(old)]
        removed = [_id for _id in old if _id not in frozenset(new)]
        _relink(graph, key, end, added, removed, reads, edits)
    return Work(edits.without(()))


def unknown_targets(
    graph: Graph, name: str, before: Document | None, after: Document, there: There
) -> list[Fault]:
    """What of all that ``after`` points to and ``before`` did not is not there."""
    return unknown_at(graph.links(name), before, after, there)


def unknown_at(
    ends: Iterable[End], before: Document | None, after: Document, there: There
) -> list[Fault]:
    """The same for these ends of a document, which need not be an item."""
    faults = []
    for end in ends:
        name, target = end.collection, end.reference.collection
        old = frozenset(ids_at(before, end))
        added = [_id for _id in ids_at(after, end) if _id not in old]
        # An item may point to itself before it is stored.
        asked = [_id for _id in added if (target, _id) != (name, after.get("_id"))]
        known = there(target, asked) if asked else ()
        faults += [
            Fault(
                end.path,
                f"there is no item {_id!r:.100} in {target}",
                "unknown_reference",
            )
            for _id in asked
            if _id not in known
        ]
    return faults


def contradictions(
    graph: Graph, name: str, before: Document | None, after: Document
) -> list[Fault]:
    """Where ``after`` newly points to itself at one end of a link, and to another item
    at the other end, which has room for one only."""
    own, faults = after.get("_id"), []
    for end in graph.links(name):
        back = graph.reverse_of(end)
        if back is None or back.collection != name or not back.single:
            continue
        held = ids_at(after, back)
        given = held and held != ids_at(before, back)
        if given and own not in held and own in ids_at(after, end):
            words = f"must be the item itself, as {end.path} is"
            faults.append(Fault(back.path, words, "constraint"))
    return faults


def _relink(
    graph: Graph,
    key: Key,
    end: End,
    added: Sequence[str],
    removed: Sequence[str],
    reads: Reads,
    edits: _Edits,
) -> None:
    """Put the other halves of one item's links right."""
    back = graph.reverse_of(end)
    if back is None:
        return
    edit = partial(Edit, cause=end.path)
    taken = back.single and back.reference.filled and bool(added)
    there = reads.documents(back.collection, added) if taken else {}
    for _id in added:
        for lost in ids_at(there.get(_id), back):
            if lost != key[1]:
                edits.add((end.collection, lost), edit(end, _id, add=False))
    if back.reference.filled:
        for _id in added:
            edits.add((back.collection, _id), edit(back, key[1], add=True))
        for _id in removed:
            edits.add((back.collection, _id), edit(back, key[1], add=False))


def plan_deletion(graph: Graph, key: Key, document: Document, reads: Reads) -> Work:
    """What becomes of other items when this one is deleted.

    :raises ReferencedError: a field that must be empty is not.
    :raises SSyntaxError, PathNotFoundError: a reference of the collection is wrong.
    """
    planned = _Deletion(graph, reads)
    planned.take({key: document})
    planned.check()
    others = tuple(other for other in planned.going if other != key)
    return Work(planned.edits.without(planned.going), others)


class _Deletion:
    """The items that go, and what that means for those that stay."""

    def __init__(self, graph: Graph, reads: Reads) -> None:
        self.graph = graph
        self.reads = reads
        self.going: dict[Key, Document] = {}
        self.edits = _Edits()
        self.to_be_empty: list[tuple[Key, End, list[Key]]] = []

    def take(self, found: dict[Key, Document]) -> None:
        """Let these go, and what goes with them."""
        waiting = list(found)
        self.going |= found
        while waiting:
            key = waiting.pop()
            for end in self.graph.links(key[0]):
                waiting += self._end(key, end)
            for end in self.graph.pointing_to(key[0]):
                for holder in self.reads.holding(end, key[1]):
                    other = (end.collection, holder["_id"])
                    self.edits.add(other, Edit(end, key[1], add=False))

    def _end(self, key: Key, end: End) -> list[Key]:
        """Do as one end of an item that goes says; gives what newly goes with it."""
        others = _existing(self.graph, key, self.going[key], end, self.reads)
        match end.reference.on_delete:
            case DeleteStrategy.DELETE_REFERENCED_ITEMS:
                fresh = {one: others[one] for one in others if one not in self.going}
                self.going |= fresh
                return list(fresh)
            case DeleteStrategy.MUST_BE_EMPTY:
                self.to_be_empty.append((key, end, list(others)))
            case DeleteStrategy.UNLINK_REFERENCED_ITEMS:
                back = self.graph.reverse_of(end)
                if back is not None and back.reference.filled:
                    for one in others:
                        self.edits.add(one, Edit(back, key[1], add=False))
        return []

    def check(self) -> None:
        for key, end, others in self.to_be_empty:
            if any(other not in self.going for other in others):
                raise ReferencedError(f"{end.path} of {key[0]} is not empty")


def _existing(
    graph: Graph, key: Key, document: Document, end: End, reads: Reads
) -> dict[Key, Document]:
    """The items at that end of a document, as far as they are there."""
    name = end.reference.collection
    if end.reference.filled:
        found = reads.documents(name, ids_at(document, end))
        return {(name, _id): held for _id, held in found.items()}
    back = graph.reverse_of(end)
    holders = [] if back is None else reads.holding(back, key[1])
    return {(name, one["_id"]): one for one in holders}


def list_edits(edits: Iterable[Edit]) -> tuple[ListEdit, ...]:
    """The same as edits that a store can do by itself; none where one of them is not
    of a plain list, or where the length of the list is bounded."""
    found = []
    for edit in edits:
        steps = [step for step in edit.end.steps if step is not None]
        field = edit.end.field
        bounded = field.minimum is not None or field.maximum is not None
        plain = len(steps) == len(edit.end.steps) > 0
        if bounded or not plain or not edit.end.reference.many:
            return ()
        change = {"add": (edit._id,)} if edit.add else {"remove": (edit._id,)}
        found.append(ListEdit(tuple(steps), **change))
    paths = {one.path for one in found}
    return tuple(found) if len(paths) == len(found) else ()


class RefusedEditError(Exception):
    """The other half of a link is not what its field allows."""


def edited(document: Document, edits: Iterable[Edit]) -> Document:
    """The document after these edits.

    :raises RefusedEditError: a field would break what it was declared with. The error
        names no item: the current user may not know of it.
    """
    for edit in edits:
        change: Callable[..., Document] = with_id if edit.add else without_id
        after = change(document, edit.end, edit._id)
        if after != document:
            _check(after, edit)
        document = after
    return document


def _check(document: Document, edit: Edit) -> None:
    """What the plan says about the field itself; constraints of users need an Item."""
    end, field = edit.end, edit.end.field
    emptied = not edit.add and not end.reference.many
    if emptied and field.required and end.steps[-1] is not EACH:
        raise _refused(edit, "is required")
    size = len(ids_at(document, end))
    if end.reference.many and not _in_bounds(size, field.minimum, field.maximum):
        raise _refused(edit, "would have too few items, or too many")


def _refused(edit: Edit, what: str) -> RefusedEditError:
    return RefusedEditError(f"{edit.end.path} of {edit.end.collection} {what}")


def _in_bounds(size: int, least: int | None, most: int | None) -> bool:
    return (least is None or size >= least) and (most is None or size <= most)
