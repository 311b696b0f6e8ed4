"""Runs the command ``backo`` as a process of its own, in a folder with programs."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "backo", "environment"]

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds after which a command that does not end fails its test."""


def environment(**more: str) -> dict[str, str]:
    """An environment in which backo is found from every folder, and 80 columns wide."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": path, "COLUMNS": "80", "NO_PROXY": "127.0.0.1"}
    return {**os.environ, **own, **more}


def backo(
    folder: Path, *arguments: str | Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """What ``backo ARGUMENTS`` does in ``folder``; ``more`` is its environment's."""
    return subprocess.run(
        [sys.executable, "-m", "backo", *map(str, arguments)],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
