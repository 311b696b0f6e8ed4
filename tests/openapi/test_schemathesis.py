"""Schemathesis finds no server error and no mismatch with the document."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.openapi.running import running

HERE = Path(__file__).parent

# What the kitchen sink serves takes long to make examples of: fewer are enough to see
# what its types do, the bookcase has the full number. So do selections, whose hundred
# parameters, or filter in the body, are those of the list.
ONLY_SELECTIONS = ["--include-operation-id-regex", "_(select|search)_"]
NO_SELECTIONS = ["--exclude-operation-id-regex", "_(select|search)_"]

# Of all its kinds of operations at once schemathesis makes no example ("does not
# support this part of it"), though of each alone it does: test_schemas.py tries them.
NOT_GENERATED = ["--exclude-operation-id", "composites_patch"]
# Of Lists of Lists, of Tuples and of FreeDicts the document allows filters in JSON that
# are not taken: null among their elements, names that begin with "$".
NOT_GENERATED += ["--exclude-operation-id-regex", "_(select|search)_"]

CASES = [
    ("bookcase", 200, NO_SELECTIONS),
    ("bookcase", 10, ONLY_SELECTIONS),
    ("kitchen", 10, NOT_GENERATED),
    ("shelf", 25, NO_SELECTIONS),
]


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize(
    ("name", "examples", "which"),
    CASES,
    ids=["bookcase", "selections", "kitchen", "files"],
)
def test_schemathesis_finds_nothing(
    name: str, examples: int, which: list[str], tmp_path: Path
) -> None:
    """Of both adapters at once: making an example takes far longer than asking it, so
    that each one is asked twice."""
    with ExitStack() as stack:
        urls = []
        for adapter in ("fastapi", "flask"):
            folder = tmp_path / adapter
            folder.mkdir()
            urls.append(stack.enter_context(running(adapter, name, folder)))
        run = _schemathesis(urls, name, examples, which, tmp_path)
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


def _schemathesis(
    urls: list[str], name: str, examples: int, which: list[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    url, other = urls
    path = {"kitchen": "kitchen-sink"}.get(name, name)
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli"]
        + ["--config-file", str(HERE / "schemathesis.toml")]
        + ["run", f"{url}/{path}/_openapi", "--checks", "all", "--no-color"]
        + ["--phases", "examples,fuzzing", "--continue-on-failure"]
        + ["--max-examples", str(examples), "--warnings", "off"]
        + (["--generation-deterministic"] if "CI" in os.environ else [])
        + which,
        cwd=folder,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "tests.openapi.generation",
            "OTHER_SERVER": other,
            "PYTHONPATH": str(HERE.parents[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
