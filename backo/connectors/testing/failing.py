"""Connectors, of documents or of contents, one call of which fails."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backo.errors import DBError

__all__ = ["Failing"]


class Failing:
    """Makes the ``number``-th call fail with a DBError, before or ``after`` it took
    effect."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after = number, after
        self.calls: list[str] = []
        self.failed = ""

    @contextmanager
    def within(self, connector: Any, *methods: str) -> Iterator[None]:
        """Inside, calls of these methods of ``connector`` are counted."""
        own = {name: connector.__dict__.get(name) for name in methods}
        for name in methods:
            method = getattr(connector, name)
            connector.__dict__[name] = functools.partial(self._call, method, name)
        try:
            yield
        finally:
            for name, one in own.items():
                if one is None:
                    del connector.__dict__[name]
                else:
                    connector.__dict__[name] = one

    def _call(self, method: Any, name: str, *args: Any, **options: Any) -> Any:
        self.calls.append(name)
        # A connector may call itself.
        failing = len(self.calls) == self.number
        if failing:
            self.failed = name
        if failing and not self.after:
            raise DBError("injected")
        try:
            return method(*args, **options)
        finally:
            if failing:
                raise DBError("injected")
