"""The tools from the npm registry, installed when they are first needed."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["npm_tool"]

HERE = Path(__file__).parent


def npm_tool(name: str) -> str:
    """The program of that name, to be run by path. Skips the test without Node.js."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs Node.js and npm")
    # Tests may run in several processes; one of them installs, the others wait.
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = HERE / "node_modules" / ".installed"
        wanted = (HERE / "package.json").read_text()
        if not installed.exists() or installed.read_text() != wanted:
            subprocess.run([npm, "install", "--silent"], cwd=HERE, check=True)
            installed.write_text(wanted)
    return str(HERE / "node_modules" / ".bin" / name)
