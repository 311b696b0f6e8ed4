"""Counts what is asked of a store."""

import functools
from collections import Counter
from typing import Any

import pytest

from backo.connectors.base import DBConnector

__all__ = ["counted"]

READS = (
    *("find", "find_json", "find_values", "count"),
    *("get_by_id", "get_json", "get_many", "select"),
)


def counted(
    connector: DBConnector, reads: Counter[str], patch: pytest.MonkeyPatch
) -> None:
    """Count each read of ``connector`` in ``reads`` while ``patch`` lasts; what a read
    does by means of others is one."""
    inside = False

    def counting(name: str, read: Any) -> Any:
        @functools.wraps(read)
        def ask(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return read(*args, **kwargs)
            reads[name] += 1
            inside = True
            try:
                return read(*args, **kwargs)
            finally:
                inside = False

        return ask

    for name in READS:
        counting_read = counting(name, getattr(connector, name))
        patch.setitem(connector.__dict__, name, counting_read)
