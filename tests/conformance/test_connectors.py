"""Every connector passes the checks that users have for theirs."""

from pathlib import Path

import pytest

from backo.connectors.testing import ANY_ID, CHECKS, Check, Make
from tests.conformance.conftest import CONNECTORS, KNOWN_GAPS, checked, checks_for


@pytest.mark.parametrize(("store", "check"), checked())
def test_connector(make: Make, check: Check) -> None:
    check(make)


def test_every_known_gap_is_one_of_a_check() -> None:
    for name, check in KNOWN_GAPS:
        assert check in {one.__name__ for one in checks_for(name)}


HOSTILE = [one for one in CHECKS + ANY_ID if "hostile" in one.__name__]


@pytest.mark.parametrize("store", CONNECTORS)
@pytest.mark.parametrize("check", HOSTILE)
def test_hostile_ids_touch_nothing_outside(
    make: Make, check: Check, tmp_path: Path
) -> None:
    for name in ("x", "x.yml", ".yml", "books.yml"):
        (tmp_path / name).write_text("title: secret", encoding="utf-8")
    before = outside(tmp_path)
    check(make)
    assert outside(tmp_path) == before


def outside(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and folder / "store" not in path.parents
    }
