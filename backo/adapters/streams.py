"""Bodies between an event loop and the worker threads that handlers run in."""

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Callable, Iterator

from anyio import CancelScope, CapacityLimiter, from_thread, to_thread
from anyio.lowlevel import RunVar

from backo.http.problems import BadFormError
from backo.http.streams import Sending

__all__ = ["Incoming", "closed", "outgoing", "reading"]

MOST_READING = 16
"""Requests of one event loop whose bodies are read while they are answered; the others
wait."""
_GATHERED = 262_144

_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)

_limiter: RunVar[CapacityLimiter] = RunVar("backo_reading")


class Incoming(Iterator[bytes]):
    """A body that arrives in an event loop, for the worker thread that answers: nothing
    of it is read that is not asked for.

    :raises BadFormError: the server stops before the end.
    """

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __next__(self) -> bytes:
        try:
            chunk = from_thread.run(self._next)
        except _CANCELLED as error:
            # The server stops; whoever reads must still be able to undo what it did.
            raise BadFormError("the body ends early") from error
        if not chunk:
            raise StopIteration
        return chunk

    async def _next(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""


async def reading[R](answer: Callable[[], R]) -> R:
    """What ``answer`` gives in a worker thread that waits for a client: such threads
    are counted apart, so that slow clients keep no thread from the others."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(MOST_READING)
        _limiter.set(limiter)
    return await to_thread.run_sync(answer, limiter=limiter)


async def outgoing(sending: Sending) -> AsyncIterator[bytes]:
    """The pieces of a body; between them no thread waits."""
    while piece := await to_thread.run_sync(sending.gathered, _GATHERED):
        yield piece


async def closed(sending: Sending) -> None:
    """Let go of what a body comes from, also when the request was cancelled."""
    with CancelScope(shield=True):
        await to_thread.run_sync(sending.close)
