"""Items read through references: each once, and many at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["items_of", "reading_once"]

_read: ContextVar[dict[tuple[Any, str], dict[str, Any]] | None] = ContextVar(
    "backo_read", default=None
)
"""What has been read so far, by backoffice and collection, then by id."""


@contextmanager
def reading_once() -> Iterator[None]:
    """Inside, no item is read twice through references."""
    if _read.get() is not None:
        yield
        return
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def items_of(home: Any, name: str, ids: Sequence[str]) -> list[Any]:
    """The items of the collection ``name``, a neighbour of ``home``, with these ids, in
    their order, in one read of the store: those that the current user may read.

    :raises SSyntaxError: there is no such collection.
    """
    other = home.get_other_collection(name)
    kept = _read.get()
    known = {} if kept is None else kept.setdefault((id(other), name), {})
    missing = [_id for _id in ids if _id not in known]
    if missing:
        known |= dict.fromkeys(missing)
        known |= {one["_id"].get_value(): one for one in other.get_many(missing)}
        if kept is not None:
            kept[id(other), name] = known
    return [known[_id] for _id in ids if known[_id] is not None]
