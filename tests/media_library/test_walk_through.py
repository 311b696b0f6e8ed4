"""The README of the media library is true, under both frameworks."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media_library.serving import address, environment, served
from tests.running_example import PATIENCE
from tests.snippets import code_blocks, commands, is_like

ROOT = Path(__file__).parents[2]
README = ROOT / "examples" / "media_library" / "README.md"
END = "=== the end of it ==="


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


@pytest.mark.parametrize("flask", [[], ["--flask"]], ids=["fastapi", "flask"])
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
