"""``make demo``: what it says is true, on both frameworks, now and after a restart."""

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from examples.bookcase import seed as seeding
from examples.bookcase.apps import fastapi_app, flask_app
from examples.bookcase.model import bookcase
from examples.bookcase.seed import Row, seed, slug, sources

ROOT = Path(__file__).parents[1]
BOOKS = 430
PATIENCE = 120
"""Seconds after which a demo that says nothing is stopped, and its test fails."""


def environment(folder: Path, port: int = 0) -> dict[str, str]:
    own = {"BOOKCASE_DATA": str(folder), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1", "COLUMNS": "80"}


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[str]:
    """A running demo: all that it said until it served."""
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.bookcase", *arguments],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield _said(process)
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Stop it"):
            return "".join(lines)
    raise AssertionError(f"the demo ended:\n{''.join(lines)}")


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
        thick, one, posted = map(curl, curl_lines(said))
        assert thick.startswith('{"result":[{"_id":"les-miserables"')
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


def test_seeding_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: give()[:5] for name, give in sources().items()}
    given = {name: lambda rows=rows: rows for name, rows in few.items()}
    monkeypatch.setattr(seeding, "sources", lambda: given)

    def interrupted(name: str, rows: list[Row]) -> Iterable[Row]:
        yield from rows[:3]
        if name == "authors":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(bookcase(tmp_path), tmp_path, interrupted)
    office = bookcase(tmp_path)
    assert [len(one.select()) for one in office.collections.values()] == [0, 3, 3]
    seed(office, tmp_path)
    assert [len(one.select()) for one in office.collections.values()] == [5, 5, 3]


def test_what_was_deleted_stays_deleted(folder: Path) -> None:
    office = bookcase(folder)
    office.books.get_by_id("emma").delete()
    assert seed(office, folder) == 0
    assert office.books.select({"_id": "emma"}) == []


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
