"""Every example's document is what its snapshot says; `make snapshots` updates them."""

import os
from pathlib import Path

import pytest

from backo.openapi.snapshots import differences, render, write
from examples.bookcase.model import bookcase
from tests.openapi.offices import office

SNAPSHOTS = Path(__file__).parents[2] / "openapi-snapshots"
UPDATE = os.environ.get("UPDATE_SNAPSHOTS") == "1"


@pytest.mark.parametrize("name", ["bookcase", "media_library"])
def test_an_example_is_as_in_its_snapshot(name: str, tmp_path: Path) -> None:
    snapshot, document = (
        SNAPSHOTS / f"{name}.json",
        office(name, tmp_path).get_openapi(),
    )
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
