"""Processes that can be started often, and killed.

Where systems can, they are forked from a server that has imported backo and used
nothing of it: what they know of any store they have read themselves.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Child", "running"]

type Child = tuple[Any, Connection]
"""A process, and the end of a pipe to it."""

_FORKED = "forkserver" in multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if _FORKED else "spawn")
if _FORKED:
    _context.set_forkserver_preload(
        ["tests.references.changes", "tests.references.working"]
    )


@contextmanager
def running(target: Callable[..., None], *args: Any) -> Iterator[Child]:
    """``target(*args, pipe)`` in a process, which is killed at the end."""
    mine, its = _context.Pipe()
    child = _context.Process(  # type: ignore[attr-defined]
        target=target, args=(*args, its), daemon=True
    )
    child.start()
    its.close()
    try:
        yield child, mine
    finally:
        child.kill()
        child.join()
        child.close()
        mine.close()
