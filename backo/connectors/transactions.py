"""What a store does so that several writes are one: all of them are kept, or none.

A unit of work (:mod:`backo.transaction`) begins one :class:`Transaction` in every place
it writes to. Connectors find theirs by :func:`active`, in reads too: what runs inside a
unit sees what the unit wrote.

Kept by several durable stores, a unit must be committed in all of them even if the
process is killed in the middle:

1. One store is the *decider*. Every other one *prepares*: what it needs to undo its
   part, the unit's name and the address of the decider last there through a crash, and
   so does the part itself.
2. The decider commits, and in the same atomic step notes the unit's name.
3. The others *finish*: they forget how to undo. Then the decider forgets the name.

Whoever finds a prepared part whose process is gone asks the decider (see
:mod:`backo.connectors.decisions`). It knows the name: the unit was committed, so the
part is finished. It does not: the unit can no longer be committed, for its process,
which held the decider's lock from before 1 until after 2, is gone; so the part is
undone, as is one that was not even prepared. At every moment there is exactly one
answer for all the parts, and 2 is the moment in which it changes.
"""

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from backo.connectors.texts import Document
from backo.errors import ConflictError, DBError

if TYPE_CHECKING:
    from backo.connectors.decisions import Address

__all__ = [
    "HELD",
    "OUT_OF_ORDER",
    "PATIENCE",
    "DurableTransaction",
    "Joinable",
    "Participants",
    "Transaction",
    "Turn",
    "UndoLog",
    "activate",
    "active",
    "deactivate",
]

PATIENCE = 30.0
"""Seconds to wait for another writer."""
OUT_OF_ORDER = 2.0
"""Seconds to wait where two units could be waiting for each other."""

HELD = nullcontext()
"""In the place of a lock that is held already."""


# -- one store's part --------------------------------------------------------------


class Transaction(ABC):
    """The writes of one unit to one place: committed or rolled back, then released."""

    def __init__(self, place: str) -> None:
        self.place = place

    @abstractmethod
    def mark(self) -> Any:
        """The present state, to go back to."""

    @abstractmethod
    def go_back(self, mark: Any) -> None:
        """Undo what was written since the mark, which stays good."""

    def keep(self, mark: Any) -> None:
        """There will be no going back to this mark."""
        return None

    def made(self, _id: str, document: Document) -> bool:
        """Whether nobody else can have made the document what it now is, since the
        transaction began."""
        return True

    def settle(self) -> None:
        """Do now what the other side may still refuse: no store has decided anything
        yet, and ``rollback`` may follow. Called once, before any ``commit``."""
        return None

    @abstractmethod
    def commit(self) -> None:
        """Make what was written last."""

    @abstractmethod
    def rollback(self) -> None:
        """Undo all that was written."""

    @abstractmethod
    def release(self) -> None:
        """Let others write; called once, when all is done."""


class DurableTransaction(Transaction):
    """One whose store outlives the process, and that can be a part of a unit over
    several such stores."""

    rank: int = 0
    """The lowest of a unit decides."""
    in_doubt: bool = False
    """Whether it may have decided: others must not undo what they have prepared."""

    @property
    @abstractmethod
    def wrote(self) -> bool:
        """Whether there is anything to commit."""

    def made(self, _id: str, document: Document) -> bool:
        # People may edit what such a store keeps.
        return self.wrote

    @property
    @abstractmethod
    def committed(self) -> bool:
        """Whether the commit was made, even if it was interrupted."""

    @abstractmethod
    def address(self) -> "Address":
        """Where the store is, to be asked after a crash."""

    @abstractmethod
    def prepare(self, unit: str, decider: "Address") -> None:
        """Be ready for both ends, through a crash; ``commit`` then finishes."""

    @abstractmethod
    def decide(self, unit: str, others: Sequence["Address"]) -> None:
        """Commit, and in the same step note that the unit is committed."""

    @abstractmethod
    def forget(self, unit: str) -> None:
        """Nobody will ask after the unit any more."""


# -- the unit that is in progress --------------------------------------------------


class Joinable(Protocol):
    """Where a unit can take part: a connector is."""

    def transaction_place(self) -> str: ...

    def begin(self, timeout: float) -> Transaction: ...


class Participants(ABC):
    """The transactions of a unit in progress, as connectors see them."""

    def __init__(self) -> None:
        self.over = False
        self._pid = os.getpid()

    @abstractmethod
    def join(self, connector: Joinable) -> Transaction:
        """The transaction in the connector's place; begun now if there is none."""

    @abstractmethod
    def at(self, place: str) -> Transaction | None:
        """The transaction in this place, if there is one."""

    def in_progress(self) -> bool:
        """Whether it has not ended, and is of this process: not of one it forked."""
        return not self.over and self._pid == os.getpid()


_active: ContextVar[Participants | None] = ContextVar("backo_unit", default=None)


def active() -> Participants | None:
    """The unit in progress here, if there is one."""
    unit = _active.get()
    return unit if unit is not None and unit.in_progress() else None


def activate(unit: Participants) -> Token[Participants | None]:
    """Make it the one in progress in this context."""
    return _active.set(unit)


def deactivate(token: Token[Participants | None]) -> None:
    """Go back to what was in progress before."""
    _active.reset(token)


# -- locks -------------------------------------------------------------------------


class Turn:
    """A lock in the process, held by an owner: a thread, which may take it again, or a
    transaction, whatever thread it is used from."""

    def __init__(self) -> None:
        self._reset()
        _turns.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._owner: object = None
        self._depth = 0

    def acquire(self, owner: object, timeout: float) -> bool:
        """Whether it was had within ``timeout`` seconds."""
        # Nobody but the owner can have put its name there.
        if self._owner is not owner and self._owner != owner:
            if not self._lock.acquire(timeout=max(timeout, 0)):
                return False
            self._owner = owner
        self._depth += 1
        return True

    def release(self) -> None:
        """Give back one acquisition."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._lock.release()

    @contextmanager
    def taken(self, timeout: float) -> Iterator[None]:
        """The turn, as this thread's.

        :raises ConflictError: it was not to be had within ``timeout`` seconds.
        """
        self._wait(timeout)
        try:
            yield
        finally:
            self.release()

    def __enter__(self) -> None:
        self._wait(PATIENCE)

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _wait(self, timeout: float) -> None:
        if not self.acquire(threading.get_ident(), timeout):
            raise ConflictError("a transaction in progress keeps others from writing")


_turns: weakref.WeakSet[Turn] = weakref.WeakSet()


def _new_turns() -> None:
    for turn in list(_turns):
        turn._reset()


if hasattr(os, "register_at_fork"):
    # A child forked while another thread held one would wait for ever.
    os.register_at_fork(after_in_child=_new_turns)


# -- undoing by a record -----------------------------------------------------------


class UndoLog[Entry]:
    """What to do, newest first, to be back at an earlier moment."""

    def __init__(self, undo: Callable[[Entry], None]) -> None:
        self._entries: list[Entry] = []
        self._undo = undo

    def __len__(self) -> int:
        return len(self._entries)

    def __reversed__(self) -> Iterator[Entry]:
        return reversed(self._entries)

    def note(self, entry: Entry) -> None:
        """Note a change before it is made."""
        self._entries.append(entry)

    def forget_last(self) -> None:
        """The change noted last was not made."""
        self._entries.pop()

    def clear(self) -> None:
        self._entries.clear()

    def go_back(self, length: int) -> None:
        """Undo all but the first ``length`` changes.

        :raises DBError: some could not be undone; the others are.
        """
        problems: list[Exception] = []
        while len(self._entries) > length:
            try:
                self._undo(self._entries.pop())
            except Exception as error:  # noqa: BLE001 - a user's connector raises it
                problems.append(error)
        if problems:
            told = "; ".join(str(problem) for problem in problems)
            raise DBError(f"could not be undone: {told}") from problems[0]
