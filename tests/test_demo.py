"""``make demo``: what it says is true, on both frameworks, now and after a restart."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from backo import ReferencedError, UnknownReferenceError
from examples.bookcase import seed as seeding
from examples.bookcase.apps import fastapi_app, flask_app
from examples.bookcase.model import bookcase, store
from examples.bookcase.seed import Row, seed, slug, sources
from tests.inprocess import ADAPTERS, Ask, asking
from tests.running_example import running_example

ROOT = Path(__file__).parents[1]
BOOKS = 430


def environment(folder: Path, port: int = 0) -> dict[str, str]:
    own = {"BOOKCASE_DATA": str(folder), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1", "COLUMNS": "80"}


def demo(folder: Path, *arguments: str) -> AbstractContextManager[str]:
    """A running demo: all that it said until it served."""
    return running_example("bookcase", environment(folder), *arguments)


def urls(said: str) -> list[str]:
    return re.findall(r"^  (?!curl)\S.*?\s(http\S+)$", said, re.MULTILINE)


def curl_lines(said: str) -> list[str]:
    return re.findall(r"^  (curl (?:.*\\\n)*.*)$", said, re.MULTILINE)


def curl(command: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    done = subprocess.run(
        ["bash", "-c", command],
        env=environment(Path()),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demo that ran once, and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    with demo(folder) as said:
        return folder, said


@pytest.fixture
def folder(first_run: tuple[Path, str], tmp_path: Path) -> Path:
    """A seeded folder of the test's own."""
    return Path(shutil.copytree(first_run[0], tmp_path / "data"))


def test_the_first_run_fills_the_bookcase(first_run: tuple[Path, str]) -> None:
    _, said = first_run
    rows = sum(len(give()) for give in sources().values())
    assert f"{rows} items are new in the bookcase." in said
    for name in sources():
        assert re.search(rf"{name} .*100%", said)


@pytest.mark.parametrize("arguments", [[], ["--flask"]], ids=["fastapi", "flask"])
def test_what_the_demo_says_is_true(folder: Path, arguments: list[str]) -> None:
    with demo(folder, *arguments) as said:
        assert "has its data already" in said
        page, document, books = (
            httpx.get(url, trust_env=False).raise_for_status() for url in urls(said)
        )
        assert "swagger-ui" in page.text
        assert document.json()["openapi"].startswith("3.1")
        assert books.json()["total"] == BOOKS
        thick, french, one, posted = map(curl, curl_lines(said))
        assert thick.startswith('{"result":[{"_id":"les-miserables"')
        assert french.count('"official_name":"French Republic"') == 2
        assert one.startswith("HTTP/1.1 200")
        assert '"title":"War and Peace"' in one
        assert '"title":"La Terre"' in posted
    with demo(folder, *arguments) as said:
        address = urls(said)[2]
        found = httpx.get(f"{address}?title=La Terre", trust_env=False).json()
        assert found["result"][0]["pages"] == 540
        assert httpx.get(address, trust_env=False).json()["total"] == BOOKS + 1


def test_a_port_in_use_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "examples.bookcase"],
            cwd=ROOT,
            env=environment(tmp_path / "data", port),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in done.stderr
    assert "PORT=8001 make demo" in done.stderr
    assert not (tmp_path / "data").exists()


def few() -> dict[str, list[Row]]:
    """The rows of five books, of their authors and of these authors' countries."""
    rows = {name: give() for name, give in sources().items()}
    books = rows["books"][::99]
    authors = _named(rows["authors"], {one["author"] for one in books})
    countries = _named(rows["nationalities"], {one["nationality"] for one in authors})
    return {"nationalities": countries, "authors": authors, "books": books}


def _named(rows: list[Row], ids: set[str]) -> list[Row]:
    return [row for row in rows if row["_id"] in ids]


def giving(rows: Mapping[str, list[Row]]) -> Callable[[], Mapping[str, Any]]:
    """In the place of ``sources``."""
    return lambda: {name: partial(list, some) for name, some in rows.items()}


def sizes(folder: Path) -> list[int]:
    office = bookcase(folder)
    return [len(office.collection(name).select()) for name in sources()]


def test_a_collection_is_seeded_to_its_end_or_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = few()
    monkeypatch.setattr(seeding, "sources", giving(rows))

    countries = len(rows["nationalities"])

    def interrupted(name: str, some: list[Row]) -> Iterable[Row]:
        for at, row in enumerate(some):
            if name == "authors" and at == 3:
                raise KeyboardInterrupt
            yield row

    with pytest.raises(KeyboardInterrupt):
        seed(bookcase(tmp_path), tmp_path, interrupted)
    assert sizes(tmp_path) == [countries, 0, 0]
    rows["nationalities"].append({"_id": "XX"})  # Not looked at: it is complete.
    assert seed(bookcase(tmp_path), tmp_path) == 10
    assert sizes(tmp_path) == [countries, 5, 5]
    assert bookcase(tmp_path).check_references() == []
    assert seed(bookcase(tmp_path), tmp_path) == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from examples.bookcase.model import bookcase
from examples.bookcase.seed import seed

def killing(name, rows):
    for at, row in enumerate(rows):
        if name == "authors" and at == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row

folder = Path(sys.argv[1])
seed(bookcase(folder), folder, killing)
"""


def test_a_killed_seed_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    countries = len(sources()["nationalities"]())
    assert sizes(tmp_path) == [countries, 0, 0]
    monkeypatch.setattr(seeding, "sources", giving(few()))
    seed(bookcase(tmp_path), tmp_path)
    assert sizes(tmp_path) == [countries, 5, 5]
    assert bookcase(tmp_path).check_references() == []


def test_what_was_deleted_stays_deleted(folder: Path) -> None:
    office = bookcase(folder)
    office.books.get_by_id("emma").delete()
    assert seed(office, folder) == 0
    assert office.books.select({"_id": "emma"}) == []
    assert "emma" not in office.authors.get_by_id("jane-austen").books


def test_a_bookcase_of_before_there_were_references_gets_its_other_halves(
    folder: Path,
) -> None:
    before = links(folder)
    hers = before.pop("jane-austen")
    office = bookcase(folder)
    for author in office.authors.db_handler.select({}):
        del author["books"]
        office.authors.db_handler.save(author["_id"], author)
    # The author of a book could be anything, and an author who had books could go.
    office.authors.db_handler.delete_by_id("jane-austen")
    store(folder, "seeded").delete_by_id("references")
    assert seed(office, folder) == 0
    assert links(folder) == before
    assert {one._id for one in office.check_references()} == hers
    emma = office.books.get_by_id("emma")
    emma.pages = 421
    emma.save()
    assert office.books.get_by_id("emma").pages == 421


def links(folder: Path) -> dict[str, set[str]]:
    """The books of each author."""
    held = bookcase(folder).authors.db_handler.select({})
    return {author["_id"]: set(author["books"] or ()) for author in held}


def test_no_row_is_lost_to_an_id_of_another() -> None:
    for name in ("books", "authors"):
        with (ROOT / "examples/bookcase" / f"{name}.csv").open(
            encoding="utf-8"
        ) as file:
            rows = list(csv.DictReader(file))
        assert len({row["_id"] for row in sources()[name]()}) == len(rows)
    titles = [row["_id"] for row in sources()["books"]() if row["title"] == "Poems"]
    assert titles == ["poems-emily-dickinson", "poems-constantine-p-cavafy"]


def test_every_reference_leads_to_a_row() -> None:
    ids = {name: {row["_id"] for row in give()} for name, give in sources().items()}
    assert {book["author"] for book in sources()["books"]()} <= ids["authors"]
    countries = {one.get("nationality") for one in sources()["authors"]()}
    assert countries - {None} <= ids["nationalities"]


# --- Two hops ---------------------------------------------------------------------


@pytest.fixture(params=ADAPTERS)
def ask(request: pytest.FixtureRequest, folder: Path) -> Iterator[Ask]:
    with asking(request.param, bookcase(folder)) as ask:
        yield ask


def found(ask: Ask, query: str) -> Any:
    answer = ask("GET", f"/bookcase/books?{query}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def of_country(code: str) -> set[str]:
    rows = {name: give() for name, give in sources().items()}
    authors = {one["_id"] for one in rows["authors"] if one.get("nationality") == code}
    return {one["_id"] for one in rows["books"] if one["author"] in authors}


def test_books_are_found_by_the_country_of_their_author(ask: Ask) -> None:
    wanted = of_country("FR")
    assert len(wanted) > 10
    in_json = quote('{"author.nationality.a2": "FR"}')
    for query in (f"filter={in_json}", "author.nationality.a2=FR"):
        answer = found(ask, f"{query}&_page=1000")
        assert {one["_id"] for one in answer["result"]} == wanted
        assert answer["total"] == len(wanted)
    unwanted = found(ask, "author.nationality.a2.$ne=FR&_page=1")["total"]
    assert unwanted == BOOKS - len(wanted)


def test_books_are_sorted_by_the_country_of_their_author(ask: Ask) -> None:
    rows = found(
        ask, "_sort=author.nationality.name,title&_page=1000&_expand=author.nationality"
    )["result"]
    names = [
        (country["name"] if (country := one["author"]["nationality"]) else "")
        for one in rows
    ]
    assert names == sorted(names)
    assert len(set(names)) > 50


def test_authors_and_their_countries_stand_in_the_answer(ask: Ask) -> None:
    answer = ask("GET", "/bookcase/books/nana?_expand=author,author.nationality")
    author = json.loads(answer.body)["author"]
    assert (author["name"], author["nationality"]["a2"]) == ("Émile Zola", "FR")
    assert "nana" in author["books"]
    plain = json.loads(ask("GET", "/bookcase/books/nana").body)
    assert plain["author"] == "emile-zola"
    country = json.loads(ask("GET", "/bookcase/nationalities/FR?_expand=authors").body)
    assert "Émile Zola" in [one["name"] for one in country["authors"]]


def test_links_of_the_bookcase_are_kept(folder: Path) -> None:
    office = bookcase(folder)
    with pytest.raises(ReferencedError):
        office.authors.get_by_id("emile-zola").delete()
    with pytest.raises(ReferencedError):
        office.nationalities.get_by_id("FR").delete()
    with pytest.raises(UnknownReferenceError):
        office.books.create({"title": "La Terre", "author": "nobody"})
    office.books.create(
        {"_id": "la-terre", "title": "La Terre", "author": "honore-de-balzac"}
    )
    assert "la-terre" in office.authors.get_by_id("honore-de-balzac").books


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Les Misérables", "les-miserables"),
        ("Bolesław Prus", "boleslaw-prus"),
        ("Die Räuber", "die-rauber"),
        ("L'Œuvre", "l-oeuvre"),
    ],
)
def test_a_slug_can_be_read(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_application_servers_can_start_both_applications(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKCASE_DATA", str(folder))
    with TestClient(fastapi_app()) as client:
        assert client.get("/bookcase/books").json()["total"] == BOOKS
        shown, own = client.get("/openapi.json").json(), bookcase(folder).get_openapi()
        assert shown["paths"].keys() == own["paths"].keys()
        assert (
            shown["components"]["schemas"].keys() >= own["components"]["schemas"].keys()
        )
    found = flask_app().test_client().get("/bookcase/books").get_json()
    assert found["total"] == BOOKS
