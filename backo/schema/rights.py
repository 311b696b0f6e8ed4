"""Rights that are functions: which of them look at the user alone, and their answers,
asked for once in each request."""

import dis
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType, MethodType
from typing import Any

from backo.schema._whole import whole

__all__ = ["forget_answers", "of_user", "refused", "remembering", "verdict"]

type Function = Callable[[str, Any], Any]

_LOOKS_ANYWHERE = frozenset(
    {"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe", "stack"}
)
"""Names by which a function may see its parameters without naming them."""

_answers: ContextVar[dict[tuple[Function, str], Any] | None] = ContextVar(
    "backo_rights", default=None
)


@contextmanager
def remembering() -> Iterator[None]:
    """Inside, a right that looks at the user alone is asked once."""
    token = _answers.set({})
    try:
        yield
    finally:
        _answers.reset(token)


def forget_answers() -> None:
    """Ask again: the user is another."""
    known = _answers.get()
    if known is not None:
        known.clear()


def verdict(function: Function, right: str, item: Any) -> Any:
    """What the function says of ``right`` on ``item``, of which it sees all."""
    if not of_user(function):
        with whole():
            return function(right, item)
    known = _answers.get()
    if known is None:
        return function(right, item)
    key = function, right
    if key not in known:
        known[key] = function(right, item)
    return known[key]


def refused(declared: Any, right: str) -> bool:
    """Whether the right is refused to the current user, whatever the item."""
    if of_user(declared):
        return verdict(declared, right, None) is not True
    return declared is False


def of_user(function: Any) -> bool:
    """Whether what the function says is the same for every item: it is a plain function
    ``f(right_name, item)`` of which the code never names the item."""
    offset = 1 if isinstance(function, MethodType) else 0
    plain = function.__func__ if isinstance(function, MethodType) else function
    return isinstance(plain, FunctionType) and _ignores(plain, 1 + offset)


@functools.lru_cache(maxsize=4096)
def _ignores(function: FunctionType, index: int) -> bool:
    """Whether the function never looks at its parameter of that index."""
    code = function.__code__
    if index >= code.co_argcount or not code.co_flags & inspect.CO_OPTIMIZED:
        return False
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        return False
    name = code.co_varnames[index]
    if name in code.co_cellvars or not _LOOKS_ANYWHERE.isdisjoint(code.co_names):
        return False
    return not any(_names(step, name) for step in dis.get_instructions(code))


def _names(step: dis.Instruction, name: str) -> bool:
    # From Python 3.13 on, one instruction may load two variables.
    named = step.argval if isinstance(step.argval, tuple) else (step.argval,)
    return "FAST" in step.opname and name in named
