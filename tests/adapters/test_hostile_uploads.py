"""Uploads to a File field that nobody means well: each leaves nothing behind."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import serving
from tests.streaming import filmed

SOON = 20
TYPE = "multipart/form-data; boundary=xYz"
END = b"--xYz--\r\n"


@pytest.fixture(params=["fastapi", "flask"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    with serving(filmed(str(tmp_path)), request.param) as found:
        yield found


def part(filename: str, content: bytes = b"hello") -> bytes:
    head = f'Content-Disposition: form-data; name="content"; filename="{filename}"'
    return b"--xYz\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def asked(
    port: int, method: str, path: str, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    try:
        connection.request(method, path, body, {"Content-Type": TYPE} if body else {})
        found = connection.getresponse()
        return found.status, {k.lower(): v for k, v in found.getheaders()}, found.read()
    finally:
        connection.close()


def upload(port: int, body: bytes) -> tuple[int, Any]:
    status, _, told = asked(port, "POST", "/office/films", body)
    return status, json.loads(told)


def kept(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


@pytest.mark.parametrize(
    ("filename", "under"),
    [
        ("../../x", "x"),
        ("CON", "_CON"),
        ("a%0D%0Ab", "a_0D_0Ab"),
        (".htaccess", "htaccess"),
        ("漢" * 1365, "_" * 66),
    ],
)
def test_a_hostile_name_does_no_harm(
    port: int, tmp_path: Path, filename: str, under: str
) -> None:
    status, made = upload(port, part(filename) + END)
    assert status == 201, made
    assert len(kept(tmp_path)) == 1
    status, headers, body = asked(port, "GET", f"/office/films/{made['_id']}/content")
    assert (status, body) == (200, b"hello")
    assert f'filename="{under}"' in headers["content-disposition"]
    assert headers["x-content-type-options"] == "nosniff"
    assert not (tmp_path.parent / "x").exists()


def test_what_is_no_form_leaves_nothing(port: int, tmp_path: Path) -> None:
    for body in (
        part("a", b"x" * 300_000),
        part("a") + part("b").replace(b'"content"', b'"nothing"') + END,
        part("a") + b"--xYz\r\nX: " + b"x" * 10**6 + b"\r\n\r\n\r\n" + END,
        part("a") * 10_000 + END,
        part("a\nb") + END,
        part("a") + b"--xYz\r\nContent-Disposition: form-data\r\n\r\n\r\n" + END,
    ):
        assert 400 <= upload(port, body)[0] < 500
        assert kept(tmp_path) == []
    assert json.loads(asked(port, "GET", "/office/films")[2])["total"] == 0


def test_a_field_that_is_there_twice_is_refused(port: int, tmp_path: Path) -> None:
    status, told = upload(port, part("a") + part("b", b"other") + END)
    assert (status, told["code"]) == (400, "bad_form")
    assert kept(tmp_path) == []


def test_a_client_that_goes_away_leaves_nothing(port: int, tmp_path: Path) -> None:
    head = f"POST /office/films HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=SOON) as connection:
        connection.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode())
        connection.sendall(part("a", b"x" * 1_000_000))
        _wait(lambda: bool(kept(tmp_path)))
    _wait(lambda: not kept(tmp_path))
    assert json.loads(asked(port, "GET", "/office/films")[2])["total"] == 0


def _wait(holds: Any) -> None:
    end = time.monotonic() + SOON
    while True:
        # A file may go while the folder is looked at.
        with contextlib.suppress(FileNotFoundError):
            if holds():
                return
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
