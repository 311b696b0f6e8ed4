"""``backo check``: the bookcase's links, and mistakes in a schema."""

import re
from pathlib import Path

import pytest

from examples.bookcase.model import bookcase
from tests.cli.programs import OFFICE, put
from tests.cli.running import backo, on_a_terminal

MISTAKEN = OFFICE.replace('field="$.books"', 'field="$.boks"')
STAYS = OFFICE.replace('Ref(coll="authors"', 'Ref(required=True, coll="authors"')
BOOKCASE = "examples.bookcase.apps:office"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bookcase with one author, who has a book that is not there."""
    author = {"_id": "zola", "name": "Zola", "books": ["nowhere", "nana"]}
    office = bookcase(tmp_path)
    office.authors.db_handler.create(author)
    office.books.db_handler.create({"_id": "nana", "title": "Nana", "author": "zola"})
    return tmp_path


def test_broken_links_are_found_and_mended(folder: Path) -> None:
    line = "authors/zola $.books: books/nowhere is not there"
    for options, status, listed, words in (
        ([], 1, f"{line}\n", "Broken links: 1, repaired: 0."),
        (["--repair"], 0, f"{line}, repaired\n", "Broken links: 1, repaired: 1."),
        ([], 0, "", "Broken links: 0, repaired: 0."),
    ):
        done = backo(folder, "check", BOOKCASE, *options, BOOKCASE_DATA=str(folder))
        assert (done.returncode, done.stdout) == (status, listed)
        assert done.stderr == f"{words}\n"
    assert bookcase(folder).authors.db_handler.get_by_id("zola")["books"] == ["nana"]


def test_a_bar_shows_how_far_it_is_on_a_terminal(folder: Path) -> None:
    status, shown = on_a_terminal(folder, "check", BOOKCASE, BOOKCASE_DATA=str(folder))
    assert status == 1
    for name in ("books", "authors"):
        assert re.search(rf"{name} .*100%", shown)
    assert "\x1b[" in shown


def test_colours_can_be_left_out(folder: Path) -> None:
    _, shown = on_a_terminal(
        folder, "check", BOOKCASE, BOOKCASE_DATA=str(folder), NO_COLOR="1"
    )
    assert re.search(r"books .*100%", shown)
    assert not re.search(r"\x1b\[[\d;]*3\d", shown)


def test_mistakes_in_the_schema_are_listed_and_nothing_else_is_done(
    tmp_path: Path,
) -> None:
    put(tmp_path, main=MISTAKEN)
    done = backo(tmp_path, "check", "main:office", "--repair")
    assert done.returncode == 1
    assert "books $.author: authors has no field $.boks" in done.stdout
    assert "Error: mistakes in the schema: " in done.stderr
    assert "Broken links" not in done.stderr


def test_a_link_that_cannot_be_mended_stays_an_error(tmp_path: Path) -> None:
    put(tmp_path, main=STAYS)
    put(
        tmp_path,
        lost="import main\n\n"
        "main.office.books.db_handler.create({'_id': 'nana', 'author': 'nobody'})\n"
        "office = main.office\n",
    )
    done = backo(tmp_path, "check", "lost:office", "--repair")
    assert done.returncode == 1
    assert done.stdout == "books/nana $.author: authors/nobody is not there\n"
    assert "Broken links: 1, repaired: 0." in done.stderr
