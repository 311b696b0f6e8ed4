"""Collecting the faults of a value, instead of stopping at the first."""

from collections.abc import Iterator
from contextlib import contextmanager

from stricto import (
    SAttributeError,
    SConstraintError,
    SError,
    SKeyError,
    SRightError,
    STypeError,
)

__all__ = ["FAULTS", "Faults", "faults_of"]

FAULTS = (
    STypeError,
    SAttributeError,
    SKeyError,
    SConstraintError,
    SRightError,
    SError,
)
"""Errors about a value. SSyntaxError is about the schema, and stops everything."""


def faults_of(error: Exception) -> list[Exception]:
    """All faults found together with ``error``, itself included."""
    found: list[Exception] = getattr(error, "faults", None) or [error]
    return found


class Faults:
    """Collects the faults raised in its ``with`` blocks; anything else passes."""

    def __init__(self) -> None:
        self.found: list[Exception] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except FAULTS as error:
            self.found += faults_of(error)

    def raise_first(self) -> None:
        """Raise the first fault, all of them in its ``faults``; nothing when none."""
        if self.found:
            first = self.found[0]
            first.__dict__["faults"] = list(self.found)
            raise first
