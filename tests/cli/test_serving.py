"""``backo serve``: real requests to a server that says where it is."""

import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from backo.cli.serving import listen
from tests.cli.programs import OFFICE, put
from tests.cli.running import backo, serving

ADAPTERS = {"fastapi": [], "flask": ["--flask"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path, main=OFFICE)


def urls(said: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) +(http\S+)$", said, re.MULTILINE))


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname()):
            connection, _ = listening.accept()
            with connection:
                option = socket.IPPROTO_TCP, socket.TCP_NODELAY
                assert connection.getsockopt(*option) != 0


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_office_is_served_where_it_says_until_it_is_ended(
    folder: Path, adapter: str
) -> None:
    options = ["serve", "main:office", "--port", "0", *ADAPTERS[adapter]]
    with serving(folder, *options) as served, httpx.Client(trust_env=False) as client:
        found = urls(served.said)
        assert found["API"].endswith("/office")
        created = client.post(f"{found['API']}/books", json={"title": "Emma"})
        assert created.status_code == 201
        assert "swagger-ui" in client.get(found["Pages"]).text
        document = client.get(found["Document"]).json()
    with serving(folder, *options, stop=signal.SIGINT) as served:
        answer = httpx.get(f"{urls(served.said)['API']}/books", trust_env=False)
        assert answer.json()["total"] == 1
    assert document["openapi"].startswith("3.1")
    said = (folder / "stderr").read_text()
    assert ("gunicorn" in said) == (adapter == "flask")
    assert "/office/books" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_nothing_but_the_office_is_served(folder: Path, adapter: str) -> None:
    (folder / "static").mkdir()
    (folder / "static" / "secret").write_text("secret")
    with serving(
        folder, "serve", "main:office", "--port=0", *ADAPTERS[adapter]
    ) as served:
        root = urls(served.said)["API"].removesuffix("/office")
        for path in ("/static/secret", "/docs", "/openapi.json", "/"):
            assert httpx.get(root + path, trust_env=False).status_code == 404


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_path_has_the_prefix_and_every_request_the_user(
    folder: Path, adapter: str
) -> None:
    options = ["--prefix", "api/v1", "--jwt-auth", "main:everybody_is_ada"]
    with serving(
        folder, "serve", "main:office", "--port=0", *options, *ADAPTERS[adapter]
    ) as served:
        where = urls(served.said)["API"]
        assert where.endswith("/api/v1/office")
        created = httpx.post(f"{where}/authors", json={"name": "A"}, trust_env=False)
        assert created.json()["_meta"]["created_by"]["login"] == "ADA"


def test_a_server_for_ipv6_says_its_address(folder: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(folder, "serve", "main:office", "--port=0", "--host=::1") as served:
        where = urls(served.said)["API"]
        assert where.startswith("http://[::1]:")
        assert httpx.get(f"{where}/books", trust_env=False).status_code == 200


def test_a_port_in_use_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = backo(folder, "serve", "main:office", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (
            ["--host", "no.such.host.invalid"],
            1,
            "Cannot listen on no.such.host.invalid",
        ),
        (["--port", "70000"], 2, "70000"),
        (["--jwt-auth", "main:nobody"], 2, "main has no nobody."),
        (["--jwt-auth", "main:office"], 2, "main:office cannot be called"),
    ],
)
def test_wrong_options_are_told(
    folder: Path, options: list[str], status: int, words: str
) -> None:
    done = backo(folder, "serve", "main:office", "--port=0", *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_in_the_schema_are_told_before_anything_is_served(
    folder: Path,
) -> None:
    put(folder, main=OFFICE.replace('field="$.books"', 'field="$.boks"'))
    done = backo(folder, "serve", "main:office", "--port=0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "authors has no field $.boks" in done.stderr
