"""The documents that the tools are run on, and the rows they are made of."""

from pathlib import Path

from backo import Backoffice
from backo.http.endpoints import Endpoint
from backo.openapi.ui import ApiPages
from examples.bookcase.model import bookcase
from examples.media_library.model import media_library
from tests.openapi.kitchen import kitchen

__all__ = ["NAMES", "office", "rows"]

NAMES = ("bookcase", "kitchen", "media_library")


def office(name: str, folder: Path) -> Backoffice:
    """The backoffice of that name; what it stores is in ``folder``."""
    kept = {"bookcase": bookcase, "media_library": media_library}
    return kept[name](folder) if name in kept else kitchen()


def rows(made: Backoffice, prefix: str = "") -> tuple[Endpoint, ...]:
    """The table of ``made``."""
    return ApiPages(made, prefix).rows
