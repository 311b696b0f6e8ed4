"""While functions of the developer run, items show them all that they hold: what they
say of an item must not depend on who is asking."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Kept", "is_whole", "whole"]

_whole: ContextVar[bool] = ContextVar("backo_whole", default=False)


def is_whole() -> bool:
    """Whether items show all that they hold at this moment."""
    return _whole.get()


@contextmanager
def whole() -> Iterator[None]:
    """Inside, fields are there whoever may read them. Rights that are asked for say
    what they always say, and nothing more may be changed."""
    token = _whole.set(True)
    try:
        yield
    finally:
        _whole.reset(token)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A value that a field has had before: nobody sets it, it stays."""

    value: Any
