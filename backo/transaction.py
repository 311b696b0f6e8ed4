"""The unit of work: all writes of a request, in whatever stores, or none of them."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from backo.connectors.base import DBConnector
from backo.connectors.ids import new_id
from backo.connectors.transactions import (
    OUT_OF_ORDER,
    PATIENCE,
    DurableTransaction,
    Joinable,
    Participants,
    Transaction,
    Turn,
    activate,
    active,
    deactivate,
)
from backo.errors import (
    BackoError,
    ConflictError,
    DBError,
    DisconnectedError,
    TransientError,
)
from backo.log import log_system

__all__ = [
    "Unit",
    "current_unit",
    "rollback",
    "start",
    "stop",
    "tried_again",
    "unit_of_work",
]

_log = log_system.get_or_create_logger("transaction")
_numbers = itertools.count(1)

_PERSISTENCE = 10.0
_PAUSE, _LONGEST_PAUSE = 0.01, 0.2
"""Seconds: how long to try again what others are in the way of, and between tries."""

_line = Turn()
"""Whose turn it is to try again."""

type Marks = Mapping[str, Any]


class Unit(Participants):
    """The writes of a request, or of an explicit transaction: all are kept, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.id: int = next(_numbers)
        """Unique in the process."""
        self._joined: dict[str, Transaction] = {}
        self._parts = 0
        self._origins: dict[str, Any] = {}
        """Where to go back to in the places that were joined by a part."""
        self._joining = threading.RLock()
        self._spoiled: Exception | None = None
        self._committed = False
        self._in_doubt = False
        """Whether the decider alone knows if it was committed: who comes next asks."""
        self._decision: tuple[DurableTransaction, str] | None = None
        """Who is to forget what, when all is done."""
        self.turn = threading.Lock()
        """Held while one context works in a unit that it named."""

    def join(self, connector: Joinable) -> Transaction:
        """The transaction in the connector's place; begun now if there is none.

        :raises ConflictError: others are writing there. A place that sorts before one
            of the unit's is waited for only briefly, for two units that take two places
            in different orders would wait for each other.
        """
        place = connector.transaction_place()
        with self._joining:
            found = self._joined.get(place)
            return self._begin(place, connector) if found is None else found

    def at(self, place: str) -> Transaction | None:
        return self._joined.get(place)

    def _begin(self, place: str, connector: Joinable) -> Transaction:
        if self.over:
            raise BackoError(f"the transaction {self.id} has ended")
        in_order = all(place > other for other in self._joined)
        token = activate(self)
        try:
            begun = connector.begin(PATIENCE if in_order else OUT_OF_ORDER)
        finally:
            deactivate(token)
        # Known before anything can fail, so that it is released.
        self._joined[place] = begun
        if self._parts:
            self._origins[place] = begun.mark()
        return begun

    # --- Parts of a unit ----------------------------------------------------------

    def begin_part(self) -> Marks:
        """The present state, to go back to; one of the other two must follow."""
        marks = {place: one.mark() for place, one in self._joined.items()}
        self._parts += 1
        return marks

    def keep_part(self, marks: Marks) -> None:
        """What was written since then is as good as the rest."""
        self._parts -= 1
        for place, mark in marks.items():
            self._joined[place].keep(mark)

    def undo_part(self, marks: Marks, error: BaseException) -> None:
        """Undo what was written since then, because of ``error``. If that fails nothing
        of the unit can be kept."""
        self._parts -= 1
        for place, transaction in reversed(self._joined.items()):
            try:
                if place in marks:
                    transaction.go_back(marks[place])
                    transaction.keep(marks[place])
                else:
                    transaction.go_back(self._origins[place])
            except Exception as problem:  # noqa: BLE001 - a user's connector raises it
                self._spoiled = problem
                _tell(error, place, problem)

    # --- The end ------------------------------------------------------------------

    def commit(self) -> None:
        """Keep everything. If that fails nothing is kept.

        :raises BackoError: why it failed.
        """
        if not self.in_progress():
            # Of the parent: a forked child has come to the end of a ``with``.
            return
        try:
            if isinstance(self._spoiled, TransientError):
                raise self._spoiled
            if self._spoiled is not None:
                raise DBError(
                    "the transaction cannot be kept, for a part of it could not be "
                    f"undone: {self._spoiled}"
                ) from self._spoiled
            self._decide()
        except BaseException as error:
            # An interrupt may come when all has been decided.
            if not self._committed and not self._in_doubt:
                self._undo(error)
            self._end()
            raise
        self._end()

    def roll_back(self, error: BaseException | None = None) -> None:
        """Undo everything, because of ``error`` if there is one; what could not be
        undone is logged, and told in the notes of ``error``.

        :raises DBError: something could not be undone, and there is no ``error``.
        """
        if not self.in_progress():
            return
        problem = DBError("the transaction could not be undone completely")
        self._undo(error or problem)
        self._end()
        if error is None and getattr(problem, "__notes__", None):
            raise problem

    def _undo(self, error: BaseException) -> None:
        for place, transaction in reversed(self._joined.items()):
            try:
                transaction.rollback()
            except Exception as problem:  # noqa: BLE001 - a user's connector raises it
                _tell(error, place, problem)

    def _end(self) -> None:
        self.over = True
        decider, name = self._decision or (None, "")
        for place, transaction in self._joined.items():
            if transaction is not decider:
                _quietly(transaction.release, place)
        # Only now: its lock must not be waited for with another one held.
        if decider is not None:
            _quietly(lambda: decider.forget(name), decider.place)
            _quietly(decider.release, decider.place)

    def _decide(self) -> None:
        for transaction in self._joined.values():
            transaction.settle()
        durable = [
            one for one in self._joined.values() if isinstance(one, DurableTransaction)
        ]
        writers = [one for one in durable if one.wrote]
        if len(writers) > 1:
            self._commit_several(writers)
        elif writers:
            self._commit_by(writers[0], writers[0].commit)
        self._committed = True
        for place, transaction in self._joined.items():
            if transaction not in writers:
                _quietly(transaction.commit, place)

    def _commit_several(self, writers: list[DurableTransaction]) -> None:
        """See :mod:`backo.connectors.transactions`."""
        decider, *others = sorted(writers, key=lambda one: (one.rank, one.place))
        name = new_id()
        for other in others:
            other.prepare(name, decider.address())
        addresses = [other.address() for other in others]
        self._commit_by(decider, lambda: decider.decide(name, addresses))
        if all([_quietly(other.commit, other.place) for other in others]):
            self._decision = decider, name

    def _commit_by(
        self, transaction: DurableTransaction, commit: Callable[[], None]
    ) -> None:
        try:
            commit()
        finally:
            self._committed = transaction.committed
            self._in_doubt = transaction.in_doubt


def _quietly(act: Callable[[], None], place: str) -> bool:
    """Whether it could be done: what fails once the unit is decided is only logged, and
    is done by whoever comes next."""
    try:
        act()
    except Exception:  # noqa: BLE001 - a user's connector raises it
        _log.exception("%s: a transaction has ended, but could not be tidied up", place)
        return False
    return True


def _tell(error: BaseException, place: str, problem: Exception) -> None:
    _log.error("%s: not undone: %s", place, problem, exc_info=problem)
    error.add_note(f"{place}: {problem}")


# -- units in progress -------------------------------------------------------------

_named: dict[int, Unit] = {}
"""The explicit transactions, and the units in progress, by id."""
_explicit: set[int] = set()


def current_unit() -> Unit | None:
    """The unit in progress in this context."""
    unit = active()
    return unit if isinstance(unit, Unit) else None


@contextmanager
def unit_of_work(
    transaction_id: int | None = None, stores: Iterable[DBConnector] = ()
) -> Iterator[Unit]:
    """All that is written inside is kept, or, when anything is raised, none of it.

    Inside another unit, or in the one that ``transaction_id`` names, it is a part: when
    it raises, what was written inside is undone and what came before stays. ``stores``
    are begun in first, in an order that keeps units from waiting for each other.

    :raises BackoError: no transaction has this id.
    :raises ConflictError: others were writing for too long.
    """
    here = current_unit()
    if transaction_id is not None and (here is None or here.id != transaction_id):
        with _entered(_unit_named(transaction_id)) as unit, _part(unit, stores):
            yield unit
    elif here is not None:
        with _part(here, stores):
            yield here
    else:
        with _whole(stores) as unit:
            yield unit


def tried_again[T](once: Callable[[], T], transaction_id: int | None = None) -> T:
    """What ``once`` gives, which makes a unit of work and writes in it; tried again, as
    a whole, while a store says that others write the same in their transactions. Inside
    another unit, it is that one which is to be tried again.

    :raises TransientError: they did for all of ten seconds.
    """
    if transaction_id is not None or current_unit() is not None:
        return once()
    try:
        return once()
    except DisconnectedError:
        return _persistently(once)
    except TransientError:
        pass
    # Those of this process stand in line, else the more they are the more are undone.
    with _line.taken(PATIENCE):
        return _persistently(once)


def _persistently[T](once: Callable[[], T]) -> T:
    end, pause = time.monotonic() + _PERSISTENCE, _PAUSE
    while True:
        # At random, so that those of several processes do not meet again.
        time.sleep(pause * random.random())  # noqa: S311 - nothing is to be guessed
        try:
            return once()
        except TransientError:
            if time.monotonic() > end:
                raise
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def _whole(stores: Iterable[DBConnector]) -> Iterator[Unit]:
    unit = Unit()
    _named[unit.id] = unit
    token = activate(unit)
    try:
        try:
            _join_in_order(unit, stores)
            yield unit
        except BaseException as error:
            unit.roll_back(error)
            raise
        unit.commit()
    finally:
        deactivate(token)
        del _named[unit.id]


@contextmanager
def _part(unit: Unit, stores: Iterable[DBConnector]) -> Iterator[None]:
    marks = unit.begin_part()
    try:
        _join_in_order(unit, stores)
        yield
    except BaseException as error:
        unit.undo_part(marks, error)
        raise
    unit.keep_part(marks)


@contextmanager
def _entered(unit: Unit) -> Iterator[Unit]:
    """The unit as the one in progress here, and in no other context that named it."""
    if not unit.turn.acquire(timeout=PATIENCE):
        raise ConflictError(f"the transaction {unit.id} is being used elsewhere")
    token = activate(unit)
    try:
        if unit.over:
            raise _unknown(unit.id)
        yield unit
    finally:
        deactivate(token)
        unit.turn.release()


def _join_in_order(unit: Unit, stores: Iterable[DBConnector]) -> None:
    for connector in sorted(stores, key=lambda one: one.transaction_place()):
        unit.join(connector)


def _unit_named(transaction_id: int) -> Unit:
    unit = _named.get(transaction_id)
    if unit is None or not unit.in_progress():
        raise _unknown(transaction_id)
    return unit


def _unknown(transaction_id: object) -> BackoError:
    return BackoError(
        f"there is no transaction {transaction_id!r:.50}, or it has ended"
    )


# -- explicit transactions ---------------------------------------------------------


def start() -> int:
    """Open a transaction and give its id; others wait for what it has written until
    :func:`stop` or :func:`rollback`."""
    unit = Unit()
    _named[unit.id] = unit
    _explicit.add(unit.id)
    return unit.id


def stop(transaction_id: int) -> None:
    """Keep what was written in an explicit transaction.

    :raises BackoError: there is none with this id, or it cannot be kept: then nothing
        of it is.
    """
    with _ended(transaction_id) as unit:
        unit.commit()


def rollback(transaction_id: int) -> None:
    """Undo what was written in an explicit transaction.

    :raises BackoError: there is none with this id.
    :raises DBError: something could not be undone.
    """
    with _ended(transaction_id) as unit:
        unit.roll_back()


@contextmanager
def _ended(transaction_id: int) -> Iterator[Unit]:
    unit = _unit_named(transaction_id)
    if transaction_id not in _explicit:
        raise BackoError(
            f"the transaction {transaction_id} ends by itself; to undo it, raise"
        )
    if current_unit() is unit:
        raise BackoError(f"the transaction {transaction_id} is being used here")
    with _entered(unit):
        try:
            yield unit
        finally:
            _explicit.discard(transaction_id)
            _named.pop(transaction_id, None)
