"""Every example's document is what its snapshot says; `make snapshots` updates them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backo import Backoffice
from backo.openapi.snapshots import differences, render, write
from examples.bookcase.model import bookcase
from examples.media_library.model import media_library
from examples.rest_redirect.model import branch
from examples.three_stores.model import three_stores

SNAPSHOTS = Path(__file__).parents[2] / "openapi-snapshots"
UPDATE = os.environ.get("UPDATE_SNAPSHOTS") == "1"


EXAMPLES: dict[str, Callable[[Path], Backoffice]] = {
    "bookcase": bookcase,
    "media_library": media_library,
    # Nobody is asked for anything to describe them.
    "rest_redirect": lambda folder: branch(folder, "127.0.0.1", 1),
    "three_stores": lambda folder: three_stores(folder, "mongodb://127.0.0.1:1/x"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_as_in_its_snapshot(name: str, tmp_path: Path) -> None:
    snapshot = SNAPSHOTS / f"{name}.json"
    document = EXAMPLES[name](tmp_path).get_openapi()
    if UPDATE:
        write(document, snapshot)
    changes = differences(document, snapshot)
    assert not changes, f"The document has changed (`make snapshots`):\n{changes}"


def test_the_document_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = (bookcase(tmp_path).get_openapi() for _ in range(2))
    assert render(first) == render(second)


def test_a_difference_is_shown_as_a_unified_diff(tmp_path: Path) -> None:
    snapshot = tmp_path / "one.json"
    write({"openapi": "3.1.0", "title": "é"}, snapshot)
    assert differences({"openapi": "3.1.0", "title": "é"}, snapshot) == ""
    changes = differences({"openapi": "3.1.0", "title": "e"}, snapshot)
    assert '-  "title": "é"\n+  "title": "e"\n' in changes


def test_a_missing_snapshot_differs(tmp_path: Path) -> None:
    assert differences({"openapi": "3.1.0"}, tmp_path / "none.json")
