"""The media library served: its README is true, under both frameworks."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.snippets import code_blocks, commands, is_like

ROOT = Path(__file__).parents[1]
README = ROOT / "examples" / "media_library" / "README.md"
SERVERS = pytest.mark.parametrize("flask", [[], ["--flask"]], ids=["fastapi", "flask"])
END = "=== the end of it ==="
PATIENCE = 120
"""Seconds after which a server or a shell that says nothing is stopped."""


def environment(folder: Path) -> dict[str, str]:
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
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert found is not None
    return found[0]


# --- The README -------------------------------------------------------------------


def shell(folder: Path, script: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


@SERVERS
def test_every_command_of_the_readme_prints_what_it_says(
    tmp_path: Path, flask: list[str]
) -> None:
    pages = [text for language, text in code_blocks(README) if language == "console"]
    told = [one for page in pages for one in commands(page)]
    assert len(told) > 30
    with served(tmp_path / "data", *flask, "--port", "0") as said:
        script = "".join(f"{command}\necho '{END}'\n" for command, _ in told)
        script = script.replace("http://127.0.0.1:8000", address(said))
        printed = shell(tmp_path, script).split(END)
    for (command, expected), actual in zip(told, printed, strict=False):
        assert is_like(actual, expected), f"$ {command}\n{actual}"
    assert printed[len(told) :] == ["\n"]
