"""Two applications, asked the same in turn."""

import dataclasses
import gc
import itertools
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from benchmarks.asgi import Answer, Call
from benchmarks.cases import CREATE, Case, Request, delete

__all__ = ["Result", "Rival", "Time", "compare"]

type Ask = Callable[[Call], Awaitable[Answer]]


@dataclasses.dataclass
class Rival:
    """An application that holds items with these ids."""

    ask: Ask
    ids: list[str]

    def __post_init__(self) -> None:
        self.turn = itertools.cycle(self.ids)


class Time(NamedTuple):
    """Seconds per request: of the processor, all threads together, and of the clock.

    Other programs on the machine disturb the second more than the first.
    """

    processor: float
    clock: float


class Ratio(NamedTuple):
    """backo's time / the other's, compared round by round; below 1, backo is faster."""

    median: float
    low: float
    high: float
    """Between ``low`` and ``high`` lies the middle half of the rounds."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The times of both applications, one of each per round."""

    case: Case
    backo: list[Time]
    other: list[Time]

    def ratio(self, of: Callable[[Time], float]) -> Ratio:
        """The ratio of either time."""
        pairs = zip(self.backo, self.other, strict=True)
        low, median, high = statistics.quantiles(
            [of(one) / of(two) for one, two in pairs], n=4
        )
        return Ratio(median, low, high)


async def compare(
    case: Case, backo: Rival, other: Rival, rounds: int, requests: int
) -> Result:
    """Ask both in turn, ``requests`` at a time; the first two rounds only warm up."""
    result = Result(case, [], [])
    for number in range(rounds + 2):
        pairs = [
            (backo, case.to_backo, result.backo),
            (other, case.to_other, result.other),
        ]
        for rival, request, times in pairs if number % 2 else reversed(pairs):
            time = await _round(case, rival, request, requests)
            if number >= 2:
                times.append(time)
    return result


async def _round(case: Case, rival: Rival, request: Request, count: int) -> Time:
    """One round; what it creates is deleted after, what it deletes created before."""
    if request is delete:
        ids = await _created(rival, count)
    else:
        ids = list(itertools.islice(rival.turn, count))
    calls = [request(_id) for _id in ids]
    gc.collect()
    begin = _now()
    answers = [await rival.ask(one) for one in calls]
    end = _now()
    wrong = next((one for one in answers if one.status != case.status), None)
    if wrong is not None:
        raise RuntimeError(f"{case.name}: {wrong.status} {wrong.body!r}")
    if case is CREATE:
        for one in answers:
            await rival.ask(delete(json.loads(one.body)["_id"]))
    return Time(
        *((after - before) / count for before, after in zip(begin, end, strict=True))
    )


def _now() -> Time:
    return Time(time.process_time(), time.perf_counter())


async def _created(rival: Rival, count: int) -> list[str]:
    answers = [await rival.ask(CREATE.to_backo("")) for _ in range(count)]
    return [json.loads(one.body)["_id"] for one in answers]
