"""What a check says when a connector does something else."""

from collections.abc import Callable, Sequence

from backo.connectors.testing.fields import PLAN
from backo.connectors.texts import Document
from backo.query.compare import same
from backo.schema.plan import Kind

__all__ = ["agree", "all_agree", "equal", "expect", "refused"]

_EMPTY: Document = {one.name: {} for one in PLAN.fields if one.kind is Kind.DICT}
_SHOWN = 2_000
"""Characters of a value that a message shows."""


def expect(holds: object, about: str) -> None:
    """:raises AssertionError: it does not hold."""
    if not holds:
        # Raised, as an assert statement is gone in optimised Python.
        raise AssertionError(about)


def equal(found: object, wanted: object, about: str) -> None:
    """:raises AssertionError: both are not equal; it shows them."""
    expect(found == wanted, f"{about}: {_shown(found)} is not {_shown(wanted)}")


def agree(found: Document, wanted: Document, about: str) -> None:
    """:raises AssertionError: the documents differ in more than what means the same:
    null and absent, and for a Dict of the schema empty and absent."""
    alike = same({**_EMPTY, **wanted}, {**_EMPTY, **found})
    expect(alike, f"{about}: {_shown(found)} is not {_shown(wanted)}")


def all_agree(
    found: Sequence[Document], wanted: Sequence[Document], about: str
) -> None:
    """Like :func:`agree`, for documents one by one."""
    equal([one["_id"] for one in found], [one["_id"] for one in wanted], about)
    for one, other in zip(found, wanted, strict=True):
        agree(one, other, about)


def refused(error: type[Exception], act: Callable[[], object], about: str) -> None:
    """:raises AssertionError: ``act`` raises no ``error``."""
    try:
        given = act()
    except error:
        return
    raise AssertionError(f"{about}: {_shown(given)}, and no {error.__name__}")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
