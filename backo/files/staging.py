"""Contents that are written, and no document's yet.

A content is *staged*: written under a new id, which no document knows. A unit of work
that stores a document with this id keeps it; what no unit has kept is discarded when
nobody holds it any more, with the next upload or at the end of the process.
"""

import atexit
import copy
import dataclasses
import os
import queue
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Protocol

from backo.errors import BodyTooLargeError
from backo.files.connector import FileConnector
from backo.files.places import Structure, chill, remove
from backo.schema.file import FilePlan
from backo.schema.incoming import Content

__all__ = [
    "Allowance",
    "Staged",
    "charge",
    "discard_abandoned",
    "staged_ids",
    "staged_in",
    "staging",
]


class Staged(Content):
    """A content that has been written, and that no document holds yet.

    It is *free* until a unit of work is about to keep it, and again if that is undone.
    """

    def __init__(self, plan: FilePlan, structure: Structure) -> None:
        self.plan = plan
        self.structure = structure
        stores = [] if plan.work is None else [plan.work]
        self._left = _Left(os.getpid(), stores, self.file_id)
        self._unit: object = None
        self._abandon = weakref.finalize(self, _abandoned.put, self._left)
        self._abandon.atexit = False
        _staged[plan.key(self.file_id)] = self
        batch = _batch.get()
        if batch is not None:
            batch.held.append(self)

    @property
    def file_id(self) -> str:
        """The id of the content."""
        return str(self.structure["file_id"])

    @property
    def stores(self) -> list[FileConnector]:
        """Where it is."""
        return self._left.stores

    @property
    def is_own(self) -> bool:
        """Whether this process has written it: a child must leave it to its parent."""
        return self._left.is_own

    @property
    def is_held(self) -> bool:
        """Whether it is neither some document's nor discarded."""
        return bool(self._abandon.alive)

    @property
    def is_free(self) -> bool:
        """Whether a document may have it: no two do."""
        return self.is_held and self._unit is None

    def store(self, unit: object) -> bool:
        """Have ``unit`` keep it, unless another one is about to, or it is given up."""
        with _storing:
            if self.is_free:
                self._unit = unit
            return self._unit is unit

    def release(self, unit: object) -> None:
        """``unit``, which was about to keep it, is undone."""
        with _storing:
            if self._unit is unit:
                self._unit = None

    def chill(self, plan: FilePlan) -> None:
        """Have a copy in the cold storage, if there is one, of the field that is to
        have it: another one, maybe, than it was given for."""
        if plan.storage is not None and plan.storage not in self.stores:
            # Known before it is there, so that it is discarded.
            self.stores.append(plan.storage)
        chill(plan, self.structure)

    def end(self) -> bool:
        """Nobody else may have it from now on; whether that is new."""
        _staged.pop(self.plan.key(self.file_id), None)
        return self._abandon.detach() is not None

    def discard(self) -> None:
        """Remove it, unless a document has it, or is about to."""
        with _storing:
            given_up = self.is_free and self.end()
        if given_up:
            self._left.discard()


@dataclasses.dataclass(slots=True)
class _Left:
    """A content that nobody holds: the process that has written it, and where it is."""

    process: int
    stores: list[FileConnector]
    file_id: str

    @property
    def is_own(self) -> bool:
        # A child has a copy of what its parent has staged, and leaves it alone.
        return os.getpid() == self.process

    def discard(self) -> None:
        if self.is_own:
            remove(self.file_id, self.stores)


_abandoned: queue.SimpleQueue[_Left] = queue.SimpleQueue()
"""What the garbage collector has found. It may run wherever it likes, also while a
connector holds a lock that deleting needs: so that waits for a better moment."""

_staged: weakref.WeakValueDictionary[tuple[str, str], Staged]
_staged = weakref.WeakValueDictionary()
_storing = threading.Lock()


class Allowance(Protocol):
    """How many contents one request may bring, and how many bytes they may have."""

    max_upload_size: int
    max_parts: int


@dataclasses.dataclass(slots=True)
class _Budget:
    """What of an allowance is left."""

    allowance: Allowance
    size: int
    count: int

    def charge(self, size: int) -> None:
        self.size -= size
        self.count -= 1
        if self.size < 0:
            most = self.allowance.max_upload_size
            raise BodyTooLargeError(f"the files of a request may have {most} bytes")
        if self.count < 0:
            most = self.allowance.max_parts
            raise BodyTooLargeError(f"a request may bring {most} files")


@dataclasses.dataclass(frozen=True, slots=True)
class _Batch:
    """What is staged inside a block, and what may be charged there; None: anything."""

    budget: _Budget | None
    held: list[Staged] = dataclasses.field(default_factory=list)


_batch: ContextVar[_Batch | None] = ContextVar("backo_staged", default=None)


def staged_in(plan: FilePlan, file_id: str) -> Staged | None:
    """What is staged under this id where ``plan`` keeps contents."""
    found = _staged.get(plan.key(file_id))
    return found if found is not None and found.is_own else None


def staged_ids() -> set[str]:
    """The ids of all that this process has staged and somebody holds."""
    return {one.file_id for one in list(_staged.values())}


@contextmanager
def staging(allowance: Allowance | None = None) -> Iterator[None]:
    """Inside, what is staged stays; in the end, what no document has, or is about to
    have, is discarded.

    :param allowance: what may be charged inside; in a block within, what is left of it.
    """
    outer = _batch.get()
    budget = None if outer is None else copy.copy(outer.budget)
    if allowance is not None:
        budget = _Budget(allowance, allowance.max_upload_size, allowance.max_parts)
    batch = _Batch(budget)
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)
        for one in batch.held:
            one.discard()
        discard_abandoned()


def charge(size: int) -> None:
    """Count a content of so many bytes that the request in progress brings, or has
    copied: a few bytes of it may ask for a thousand copies.

    :raises BodyTooLargeError: these are too many, or too large.
    """
    batch = _batch.get()
    if batch is not None and batch.budget is not None:
        batch.budget.charge(size)


def discard_abandoned() -> None:
    """Remove what has been staged and nobody holds any more."""
    with suppress(queue.Empty):
        while True:
            _abandoned.get_nowait().discard()


@atexit.register
def _discard_all() -> None:
    for one in list(_staged.values()):
        one.discard()
    discard_abandoned()
