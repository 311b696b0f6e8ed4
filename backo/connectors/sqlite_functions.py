"""The functions of backo that SQL calls, where SQLite's own differ from the meaning of
filters."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from backo.query.compare import address, instant, network
from backo.schema.patterns import linear_matcher

__all__ = ["FUNCTIONS"]


def _exact(text: object) -> float | None:
    """The number of a JSON text, read to the nearest float.

    SQLite may call it before the tests that stand before it, hence on any value.
    """
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and linear_matcher(pattern)(value)


def _decoded(text: object) -> str | None:
    """The string that a JSON text stands for, U+0000 included."""
    found = json.loads(text) if isinstance(text, str) else None
    return found if isinstance(found, str) else None


def _integer_rank(text: object) -> str | None:
    """A text that orders integers of any length."""
    if not isinstance(text, str) or not re.fullmatch("-?[0-9]+", text):
        return None
    digits = text.removeprefix("-")
    rank = f"{len(digits):05}{digits}"
    if digits == text:
        return "1" + rank
    return "0" + rank.translate(_REVERSED)


_REVERSED = str.maketrans("0123456789", "9876543210")

FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = MappingProxyType(
    {
        "backo_instant": (1, instant),
        "backo_address": (1, address),
        "backo_network": (1, network),
        "backo_matches": (2, _matches),
        "backo_exact": (1, _exact),
        "backo_decoded": (1, _decoded),
        "backo_integer_rank": (1, _integer_rank),
    }
)
"""The deterministic functions each connection must have, with their arity."""
