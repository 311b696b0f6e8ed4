"""Servers of the examples in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["running"]

ROOT = Path(__file__).parents[2]


@contextmanager
def running(adapter: str, name: str, folder: Path) -> Iterator[str]:
    """The URL of a server; it ends with the block."""
    command = [sys.executable, "-m", "tests.openapi.serve", adapter, name, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()
