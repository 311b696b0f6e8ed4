"""The request in progress, as far as the core looks at it: its query parameters and its
body. It knows no HTTP: adapters say what the request is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from backo.errors import BackoError

__all__ = ["Asking", "answering", "current_request"]


class Asking(Protocol):
    """What a request asks."""

    @property
    def query(self) -> Sequence[tuple[str, str]]:
        """The query parameters in order, decoded."""
        ...

    @property
    def body(self) -> bytes: ...


_request: ContextVar[Asking | None] = ContextVar("backo_current_request", default=None)


@contextmanager
def answering(request: Asking) -> Iterator[None]:
    """Inside, ``request`` is the one in progress."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_request() -> Asking:
    """The request in progress.

    :raises BackoError: there is none.
    """
    request = _request.get()
    if request is None:
        raise BackoError("there is no request in progress: give its parameters")
    return request
