"""Stores that fail once, at a call that the test chooses."""

import functools
from typing import Any

import pytest

from backo import Backoffice
from backo.connectors.transactions import Transaction

__all__ = ["Failing", "TAKES_EFFECT"]

_METHODS = (
    *("create", "save", "delete_by_id", "compare_and_set", "compare_and_delete"),
    *("get_by_id", "get_json", "get_many", "select"),
    *("find", "find_pushed", "find_json", "find_values", "count", "count_pushed"),
)
_OF_TRANSACTIONS = ("mark", "keep", "prepare", "decide", "commit", "forget")

TAKES_EFFECT = ("decide", "commit")
"""When one of these has taken effect, there is nothing to be undone any more."""


class Failing:
    """Makes the ``k``-th call to the stores raise ``error``: instead of what it does,
    or, with ``after``, when it has done it. What a call calls is counted, too."""

    def __init__(
        self, office: Backoffice, k: int, error: Exception, *, after: bool
    ) -> None:
        self.office = office
        self.k = k
        self.error = error
        self.after = after
        self.calls: list[str] = []

    @property
    def failed(self) -> str | None:
        """The call that failed; None if there were not so many."""
        return self.calls[self.k - 1] if len(self.calls) >= self.k else None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Fail for as long as ``patch`` lasts."""
        for collection in self.office.collections.values():
            connector = collection.db_handler
            for name in _METHODS:
                method = functools.partial(self._call, name, getattr(connector, name))
                patch.setitem(connector.__dict__, name, method)
            begin = functools.partial(self._begin, connector.begin)
            patch.setitem(connector.__dict__, "begin", begin)

    def _call(self, name: str, method: Any, *args: Any) -> Any:
        self.calls.append(name)
        chosen = len(self.calls) == self.k
        if chosen and not self.after:
            raise self.error
        result = method(*args)
        if chosen:
            raise self.error
        return result

    def _begin(self, begin: Any, timeout: float) -> Transaction:
        if not self.after:
            # To fail with the lock in hand would be no failure of a store.
            self._call("begin", lambda: None)
        transaction: Transaction = begin(timeout)
        for name in _OF_TRANSACTIONS:
            method = getattr(transaction, name, None)
            if method is not None:
                wrapped = functools.partial(self._call, name, method)
                transaction.__dict__[name] = wrapped
        return transaction
