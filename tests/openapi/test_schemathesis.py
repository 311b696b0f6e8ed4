"""Schemathesis finds no server error and no mismatch with the document."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.openapi.running import running

HERE = Path(__file__).parent

# What the kitchen sink serves takes long to make examples of: fewer are enough to see
# what its types do, the bookcase has the full number.
CASES = [("bookcase", 200), ("kitchen", 10)]

# Of all its kinds of operations at once schemathesis makes no example ("does not
# support this part of it"), though of each alone it does: test_schemas.py tries them.
NOT_GENERATED = ["--exclude-operation-id", "composites_patch"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "examples"), CASES)
@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_schemathesis_finds_nothing(
    adapter: str, name: str, examples: int, tmp_path: Path
) -> None:
    path = {"bookcase": "bookcase", "kitchen": "kitchen-sink"}[name]
    with running(adapter, name, tmp_path) as url:
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli"]
            + ["--config-file", str(HERE / "schemathesis.toml")]
            + ["run", f"{url}/{path}/_openapi", "--checks", "all", "--no-color"]
            + ["--phases", "examples,fuzzing", "--continue-on-failure"]
            + ["--max-examples", str(examples), "--warnings", "off"]
            + (NOT_GENERATED if name == "kitchen" else []),
            cwd=tmp_path,
            env=os.environ
            | {
                "SCHEMATHESIS_HOOKS": "tests.openapi.generation",
                "PYTHONPATH": str(HERE.parents[1]),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
