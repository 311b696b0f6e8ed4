"""The media library as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PATIENCE", "address", "environment", "served"]

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds after which a server or a shell that says nothing is stopped."""


def environment(folder: Path) -> dict[str, str]:
    """The variables of a process whose library is in ``folder``."""
    own = {"MEDIA_LIBRARY_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1"}


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[str]:
    """A running library: all that it said until it served."""
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.media_library", *arguments],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield _said(process)
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Stop it"):
            return "".join(lines)
    raise AssertionError(f"the library ended:\n{''.join(lines)}")


def address(said: str) -> str:
    """Where it is served."""
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert found is not None
    return found[0]
