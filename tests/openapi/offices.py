"""The documents that the tools are run on, and the rows they are made of."""

from pathlib import Path

from backo import Backoffice
from backo.http.endpoints import Endpoint
from backo.openapi.ui import ApiPages
from examples.bookcase.model import bookcase
from tests.openapi.kitchen import kitchen

__all__ = ["NAMES", "office", "rows"]

NAMES = ("bookcase", "kitchen")


def office(name: str, folder: Path) -> Backoffice:
    """The backoffice of that name; what it stores is in ``folder``."""
    return bookcase(folder) if name == "bookcase" else kitchen()


def rows(made: Backoffice, prefix: str = "") -> tuple[Endpoint, ...]:
    """The table of ``made``."""
    return ApiPages(made, prefix).rows
