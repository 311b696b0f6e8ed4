"""Clients that openapi-python-client makes of a backoffice's document."""

import json
import os
import subprocess
import sys
from pathlib import Path

from backo import Backoffice

__all__ = ["generate", "use"]


def generate(office: Backoffice, folder: Path) -> Path:
    """The folder of the client, in ``folder``; no warning may come with it."""
    document, client = folder / "document.json", folder / "client"
    document.write_text(json.dumps(office.get_openapi()))
    said = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate"]
        + ["--path", str(document), "--output-path", str(client)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    words = (said.stdout + said.stderr).lower()
    assert "warning" not in words and "error" not in words, words
    return client


def use(client: Path, program: str, url: str) -> None:
    """Run a program that uses the client of a server at ``url``, its one argument."""
    subprocess.run([sys.executable, "-c", program, url], cwd=client, check=True)
