"""The command as a whole: its help, its version, and itself without its extra."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import backo, environment

COMMANDS = ["serve", "openapi", "check", "files", "migrate", "export", "import", "demo"]
WITHOUT_TYPER = """
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
from backo.cli import main

main(["--version"])
"""


def test_the_help_names_every_command(tmp_path: Path) -> None:
    done = backo(tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^│ (\w+) ", done.stdout, re.MULTILINE) == COMMANDS
    assert "completion" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(
    tmp_path: Path, command: str
) -> None:
    done = backo(tmp_path, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"Example: backo {command}\b", done.stdout)
    assert "--traceback" in done.stdout


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = backo(tmp_path, "--version")
    assert done.stdout == f"backo {importlib.metadata.version('backo')}\n"
    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [["nothing"], ["check"], ["check", "a:b", "c"]])
def test_what_is_no_command_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    done = backo(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: backo" in done.stderr


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_its_extra_it_says_what_to_install(tmp_path: Path, absent: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TYPER, absent],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == 'The command backo needs more: pip install "backo[cli]"\n'
