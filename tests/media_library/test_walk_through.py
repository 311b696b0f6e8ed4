"""The README of the media library is true, under both frameworks."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media_library.serving import address, environment, served
from tests.running_example import walk_through

ROOT = Path(__file__).parents[2]
README = ROOT / "examples" / "media_library" / "README.md"


@pytest.mark.parametrize("flask", [[], ["--flask"]], ids=["fastapi", "flask"])
def test_every_command_of_the_readme_prints_what_it_says(
    tmp_path: Path, flask: list[str]
) -> None:
    with served(tmp_path / "data", *flask, "--port", "0") as said:
        addresses = {"http://127.0.0.1:8000": address(said)}
        told = walk_through(README, tmp_path, environment(tmp_path), addresses)
    assert told > 30


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "examples.media_library", "--port", port],
            cwd=ROOT,
            env=environment(tmp_path / "data"),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert not (tmp_path / "data").exists()


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text("utf-8"))
    assert len(links) > 5
    assert all((README.parent / one).exists() for one in links)
