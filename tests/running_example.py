"""An example of ours as a process of its own."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PATIENCE", "running_example"]

ROOT = Path(__file__).parents[1]
PATIENCE = 120
"""Seconds after which a process that says nothing is stopped, and its test fails."""


@contextmanager
def running_example(
    name: str, environment: Mapping[str, str], *arguments: str
) -> Iterator[str]:
    """``python -m examples.{name}``: all that it said until it served."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"examples.{name}", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
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
    raise AssertionError(f"the example ended:\n{''.join(lines)}")
