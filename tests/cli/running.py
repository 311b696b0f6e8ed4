"""Runs the command ``backo`` as a process of its own, in a folder with programs."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "Served", "backo", "environment", "on_a_terminal", "serving"]

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds after which a command that does not end fails its test."""


def environment(**more: str) -> dict[str, str]:
    """An environment in which backo is found from every folder, and 80 columns wide."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {
        "PYTHONPATH": path,
        "COLUMNS": "80",
        "NO_PROXY": "127.0.0.1",
        # Compiled once and not in each of a hundred processes.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(ROOT / ".pytest_cache" / "bytecode"),
    }
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


class Served:
    """A server that has begun: what it said on stdout until a line that begins with
    ``until``, and the last of that."""

    def __init__(self, process: subprocess.Popen[str], until: str) -> None:
        assert process.stdout is not None
        self.process = process
        self.said = ""
        for line in process.stdout:
            self.said += line
            if line.startswith(until):
                return
        raise AssertionError(f"it ended: {self.said}")


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    until: str = "Document",
    stop: signal.Signals = signal.SIGTERM,
    more: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """``backo ARGUMENTS``, which serves; it is then ended by ``stop``, and must exit
    with 0. What it said on stderr is in the file ``stderr`` of the folder."""
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "backo", *arguments],
            cwd=folder,
            env=environment(**(more or {})),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    with process:
        try:
            yield Served(process, until)
            process.send_signal(stop)
            assert process.wait() == 0
        finally:
            watchdog.cancel()
            process.kill()


def on_a_terminal(folder: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """The exit status of ``backo ARGUMENTS`` on a terminal, and all that it shows."""
    terminal, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "backo", *arguments],
            cwd=folder,
            env=environment(TERM="xterm", **more),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
    finally:
        os.close(theirs)
    shown = b"".join(_until_closed(terminal))
    return process.wait(PATIENCE), shown.decode()


def _until_closed(terminal: int) -> Iterator[bytes]:
    try:
        while some := os.read(terminal, 65536):
            yield some
    except OSError:
        # What Linux says when nobody has the other end open any more.
        return
    finally:
        os.close(terminal)
