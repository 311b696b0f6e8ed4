"""Checks of a connector: that it does what every connector of backo does.

Each check is a function of one argument, ``make``: ``make(**options)`` gives a
connector, each time over the same store, which is empty when the check begins. It
raises AssertionError where the connector does something else. With pytest::

    @pytest.mark.parametrize("check", [*CHECKS, *GIVEN_IDS, *ANY_ID, *ANY_SHAPE])
    def test_shelf(check, tmp_path):
        check(functools.partial(Shelf, path=tmp_path))

The connectors are bound to :data:`PLAN`, the plan of the schema that :func:`fields`
gives: a store that knows the schema of what it keeps is made with it.
"""

from backo.connectors.testing import changing, many, meaning, naming, single, units
from backo.connectors.testing.documents import any_documents, random_documents
from backo.connectors.testing.fields import PLAN, fields
from backo.connectors.testing.making import Check, Make
from backo.connectors.testing.meaning import finds_what_they_mean
from backo.connectors.testing.queries import any_queries, random_queries

__all__ = [
    "ANY_ID",
    "ANY_SHAPE",
    "CHECKS",
    "GIVEN_IDS",
    "PLAN",
    "Check",
    "Make",
    "any_documents",
    "any_queries",
    "fields",
    "finds_what_they_mean",
    "random_documents",
    "random_queries",
]

_PARTS = tuple(part.checks for part in (single, naming, changing, many, meaning, units))

CHECKS: tuple[Check, ...] = tuple(one for part in _PARTS for one in part.always)
"""What every connector must pass."""
GIVEN_IDS: tuple[Check, ...] = tuple(one for part in _PARTS for one in part.given_ids)
"""Documents that bring their ids: for all connectors but those with ``makes_ids``."""
ANY_ID: tuple[Check, ...] = tuple(one for part in _PARTS for one in part.any_id)
"""Any text as an id: for stores whose ids are not of one form."""
ANY_SHAPE: tuple[Check, ...] = tuple(one for part in _PARTS for one in part.any_shape)
"""Documents of any shape, which other programs may have left: for stores that do not
know the schema."""
