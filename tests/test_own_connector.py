"""The connector of docs/connectors.md that users may begin theirs with."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backo.connectors.testing import ANY_ID, ANY_SHAPE, CHECKS, GIVEN_IDS, Check
from tests.snippets import code_blocks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "connectors.md"


def blocks() -> dict[str, str]:
    """The files of the page, by their names."""
    found = {}
    for language, text in code_blocks(PAGE):
        named = re.match(r"# (\w+\.py)\n", text) if language == "python" else None
        if named is not None:
            found[named[1]] = text
    return found


def shared() -> Any:
    """Its connector that several processes may use."""
    (last,) = (
        text for _, text in code_blocks(PAGE) if "class SharedJsonFolder" in text
    )
    module = ModuleType("json_folder")
    exec(blocks()["json_folder.py"] + last, module.__dict__)  # noqa: S102 - our own page
    return module.__dict__["SharedJsonFolder"]


def test_it_is_written_and_checked_in_under_100_lines() -> None:
    written = blocks()
    assert set(written) == {"json_folder.py", "test_json_folder.py"}
    assert sum(len(text.splitlines()) for text in written.values()) < 100


@pytest.mark.slow
def test_it_passes_the_checks_as_the_page_runs_them(tmp_path: Path) -> None:
    for name, text in blocks().items():
        (tmp_path / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, "test_json_folder.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    count = len([*CHECKS, *GIVEN_IDS, *ANY_ID, *ANY_SHAPE])
    assert ran.returncode == 0, ran.stdout[-5_000:]
    assert f"{count} passed" in ran.stdout


QUICK = [one for one in [*CHECKS, *GIVEN_IDS] if "random_queries" not in one.__name__]


@pytest.mark.parametrize("check", QUICK)
def test_with_a_capability_it_passes_them_too(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    connector = shared()
    check(lambda **options: connector(path=tmp_path / "notes", **options))
