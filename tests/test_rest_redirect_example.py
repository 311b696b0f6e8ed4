"""The example of two servers does what its README says."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.running_example import running_example, walk_through

ROOT = Path(__file__).parents[1]
README = ROOT / "examples" / "rest_redirect" / "README.md"


def environment(folder: Path) -> dict[str, str]:
    own = {"REST_REDIRECT_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1"}


def test_every_command_of_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    own, ports = environment(tmp_path / "data"), ("--port", "0", "--archive-port", "0")
    with running_example("rest_redirect", own, *ports) as said:
        places = dict.fromkeys(re.findall(r"http://127\.0\.0\.1:\d+", said))
        named = ("http://127.0.0.1:8000", "http://127.0.0.1:8001")
        addresses = dict(zip(named, places, strict=True))
        assert walk_through(README, tmp_path, own, addresses) >= 10


def test_it_can_be_started_again(tmp_path: Path) -> None:
    own, ports = environment(tmp_path / "data"), ("--port", "0", "--archive-port", "0")
    for _ in range(2):
        with running_example("rest_redirect", own, *ports) as said:
            assert "/branch/_docs" in said


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "examples.rest_redirect", "--archive-port", port]
            + ["--port", "0"],
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
    assert len(links) >= 2
    assert all((README.parent / one).exists() for one in links)
