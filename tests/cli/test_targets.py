"""``TARGET``: what it may be, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from tests.cli.programs import OFFICE, put
from tests.cli.running import backo

BROKEN = """
def below():
    raise ValueError("no [good]")

below()
"""
PROGRAMS = {
    "main": OFFICE,
    "needy": "import nowhere_to_be_found\n",
    "broken": BROKEN,
    "leaving": "import sys\nsys.exit('goodbye')\n",
    "wrong": "def f(:\n",
    "misdeclared": (
        "from backo import Item, String\n\nthing = Item({'name': String(patern='x')})\n"
    ),
    "things": "office = 12\n\ndef asks(name): ...\n\ndef fails():\n    1 / 0\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("programs"), **PROGRAMS)


@pytest.mark.parametrize(
    ("target", "printed"),
    [
        ("main:office", ["imported"]),
        ("main:Shelf.inside", ["imported"]),
        ("main:make", ["imported", "made"]),
    ],
)
def test_a_target_is_an_attribute_or_what_a_function_gives(
    folder: Path, target: str, printed: list[str]
) -> None:
    done = backo(folder, "openapi", target)
    assert done.returncode == 0, done.stderr
    assert '"/office/books"' in done.stdout
    assert done.stdout.startswith("{")
    assert done.stderr.splitlines() == printed


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("main", "'main' names nothing: write module:attribute, as in main:office."),
        ("main:", "'main:' names nothing"),
        (":office", "':office' names nothing"),
        ("./main.py:office", "'./main.py:office' names nothing"),
        ("mian:office", "No module named 'mian', looked for in "),
        ("main.py:office", "'main' is not a package"),
        (
            "needy:office",
            "needy cannot be imported. needy.py, line 1:"
            " ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        (
            "broken:office",
            "broken cannot be imported. broken.py, line 3: ValueError: no [good]",
        ),
        ("leaving:office", "leaving cannot be imported. leaving.py, line 2: System"),
        ("wrong:office", "wrong cannot be imported. SyntaxError: "),
        (
            "misdeclared:office",
            "misdeclared cannot be imported. misdeclared.py, line 3",
        ),
        ("main:ofice", "main has no ofice. Its backoffices: office."),
        ("main:office.chairs", "main has no office.chairs."),
        ("things:office", "things:office is no Backoffice and no function that gives"),
        ("main:author", "main:author is no Backoffice"),
        ("things:asks", "things:asks cannot be called without arguments: missing"),
        ("things:fails", "things:fails() fails. things.py, line 6: ZeroDivisionError"),
    ],
)
def test_a_wrong_target_is_told_in_two_lines_at_most(
    folder: Path, target: str, words: str
) -> None:
    done = backo(folder, "check", target)
    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr.removeprefix("imported\n")
    assert said.startswith("Error: ")
    assert said.count("\n") <= 2
    assert words in said


def test_the_traceback_is_there_for_who_asks(folder: Path) -> None:
    done = backo(folder, "openapi", "broken:office", "--traceback")
    assert done.returncode != 0
    assert "Traceback (most recent call last)" in done.stderr
    assert "in below" in done.stderr
