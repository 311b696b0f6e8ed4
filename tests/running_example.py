"""An example of ours as a process of its own."""

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.snippets import code_blocks, commands, is_like

__all__ = ["PATIENCE", "running_example", "walk_through"]

ROOT = Path(__file__).parents[1]
PATIENCE = 120
"""Seconds after which a process that says nothing is stopped, and its test fails."""
END = "=== the end of it ==="


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


def walk_through(
    readme: Path,
    folder: Path,
    environment: Mapping[str, str],
    addresses: Mapping[str, str],
) -> int:
    """Run every command of the page in one shell, with other addresses in the place of
    those it names; gives how many there are.

    :raises AssertionError: one of them does not print what the page says.
    """
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    pages = [text for language, text in code_blocks(readme) if language == "console"]
    told = [one for page in pages for one in commands(page)]
    script = "".join(f"{command}\necho '{END}'\n" for command, _ in told)
    for named, served in addresses.items():
        script = script.replace(named, served)
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    printed = done.stdout.split(END)
    for (command, expected), actual in zip(told, printed, strict=False):
        assert is_like(actual, expected), f"$ {command}\n{actual}"
    assert printed[len(told) :] == ["\n"]
    return len(told)
