"""The media library as a process of its own."""

import os
import re
from contextlib import AbstractContextManager
from pathlib import Path

from tests.running_example import running_example

__all__ = ["address", "environment", "served"]


def environment(folder: Path) -> dict[str, str]:
    """The variables of a process whose library is in ``folder``."""
    own = {"MEDIA_LIBRARY_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1"}


def served(folder: Path, *arguments: str) -> AbstractContextManager[str]:
    """A running library: all that it said until it served."""
    return running_example("media_library", environment(folder), *arguments)


def address(said: str) -> str:
    """Where it is served."""
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert found is not None
    return found[0]
