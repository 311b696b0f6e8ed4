"""Streams in and out through real servers of both frameworks."""

import contextlib
import hashlib
import http.client
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Response
from werkzeug.test import EnvironBuilder

from backo.adapters import flask as flask_adapter
from tests.serving import serving_app, serving_flask
from tests.streaming import CONTENT, LIMITS, ZEROS, Streaming

SERVERS = ["uvicorn", "werkzeug"]
SOON = 20
TYPE = "multipart/form-data; boundary=xYz"


@contextlib.contextmanager
def serving(server: str, made: Streaming) -> Iterator[int]:
    if server == "uvicorn":
        with serving_app(made.fastapi()) as port:
            yield port
    else:
        with serving_flask(made.flask()) as port:
            yield port


@pytest.fixture
def made() -> Streaming:
    return Streaming()


@pytest.fixture(params=SERVERS)
def port(request: pytest.FixtureRequest, made: Streaming) -> Iterator[int]:
    with serving(request.param, made) as found:
        yield found


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def part(name: str, content: bytes = b"", **more: str) -> bytes:
    parameters = "".join(f'; {key}="{value}"' for key, value in more.items())
    head = f'--xYz\r\nContent-Disposition: form-data; name="{name}"{parameters}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--xYz--\r\n"


def head_of(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def posted(path: str, length: int, *headers: str) -> bytes:
    return head_of(path, f"Content-Type: {TYPE}", f"Content-Length: {length}", *headers)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SOON)


def answered(connection: socket.socket) -> tuple[int, Any]:
    """The answer on a connection."""
    found = http.client.HTTPResponse(connection)
    found.begin()
    return found.status, json.loads(found.read())


def asked(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, named)
        found = connection.getresponse()
        return found.status, {k.lower(): v for k, v in found.getheaders()}, found.read()
    finally:
        connection.close()


def upload(port: int, body: Any, path: str = "/up", **headers: str) -> tuple[int, Any]:
    status, _, told = asked(port, "POST", path, body, content_type=TYPE, **headers)
    return status, json.loads(told)


# --- In -----------------------------------------------------------------------------


def test_a_form_arrives_part_by_part(port: int) -> None:
    content = CONTENT * 500
    body = part("_json", b"{}") + part("cover", content, filename="a.png") + END
    found = hashlib.blake2b(content, digest_size=8).hexdigest()
    assert upload(port, body) == (
        200,
        [
            {
                "name": "_json",
                "filename": None,
                "size": 2,
                "hash": hashlib.blake2b(b"{}", digest_size=8).hexdigest(),
            },
            {"name": "cover", "filename": "a.png", "size": len(content), "hash": found},
        ],
    )


def test_a_form_without_a_length_arrives_too(port: int) -> None:
    pieces = iter([part("a", b"1" * 100_000), part("b", b"2"), END])
    status, told = upload(port, pieces)
    assert status == 200
    assert [one["size"] for one in told] == [100_000, 1]


def test_what_is_no_form_is_read_as_ever(port: int) -> None:
    for media, status in (("application/json", 200), ("text/plain", 415)):
        found, _, _ = asked(port, "POST", "/up", b"{}", content_type=media)
        assert found == status


def test_a_part_is_there_before_the_body_has_ended(port: int, made: Streaming) -> None:
    body = part("a", b"1" * 200_000) + END
    with connected(port) as connection:
        # WSGI servers wait until they have as many bytes as are asked for.
        connection.sendall(posted("/up", len(body)) + body[:100_000])
        assert made.uploading.wait(SOON)
        connection.sendall(body[100_000:])
        assert answered(connection)[0] == 200


def bad_form(told: tuple[int, Any]) -> bool:
    return (told[0], told[1]["code"]) == (400, "bad_form")


def test_forms_that_are_none(port: int) -> None:
    assert bad_form(upload(port, b"hello"))
    assert bad_form(upload(port, b""))
    assert bad_form(upload(port, part("a")))
    assert bad_form(upload(port, part("a", b"x" * 300_000)))
    assert bad_form(upload(port, part("a\r\nX-Long: " + "x" * 10**6) + END))
    assert bad_form(upload(port, part("a\nb") + END))
    assert bad_form(upload(port, part("a", filename="a\0b") + END))


@pytest.mark.parametrize("name", ["../../x", "CON", "漢" * 1365, "a%0D%0Ab"])
def test_hostile_names_are_only_texts(port: int, name: str) -> None:
    status, told = upload(port, part("a", filename=name) + END)
    assert (status, told[0]["filename"]) == (200, name)


def test_a_length_that_is_too_long_or_too_short(port: int, made: Streaming) -> None:
    body = part("a", b"1" * 100_000) + END
    with connected(port) as connection:
        connection.sendall(posted("/up", len(body) + 9) + body)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            assert bad_form(answered(connection))
    eventually(lambda: made.errors == ["the body ends early"])
    with connected(port) as connection:
        connection.sendall(posted("/up", len(body) - 9) + body)
        assert bad_form(answered(connection))
    assert upload(port, body)[0] == 200


STOPPED = [
    posted("/up", 10**6) + part("a", b"1" * 100_000),
    posted("/up", 10**6),
    posted("/up", 10**6) + b"--xY",
    posted("/up", 10**6).replace(
        b"Content-Length: 1000000", b"Transfer-Encoding: chunked"
    )
    + b"fffff\r\n"
    + part("a", b"1" * 100_000),
]


@pytest.mark.parametrize("sent", STOPPED, ids=["part", "nothing", "boundary", "chunk"])
def test_a_client_that_stops_in_the_middle(
    port: int, made: Streaming, sent: bytes
) -> None:
    with connected(port) as connection:
        connection.sendall(sent)
        if len(sent) > 200:
            assert made.uploading.wait(SOON)
    eventually(lambda: made.errors == ["the body ends early"])
    assert asked(port, "GET", "/ping")[0] == 200


@pytest.mark.parametrize("server", SERVERS)
def test_a_client_that_stops_in_a_chunk_of_json(server: str, made: Streaming) -> None:
    """Werkzeug's server would read past the end of its buffer."""
    asked = head_of(
        "/up", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    with serving(server, made) as port:
        for _ in range(3):
            with connected(port) as connection:
                connection.sendall(asked + b"ffff\r\n" + b"1" * 100)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError, http.client.HTTPException):
                    status, told = answered(connection)
                    assert (status, told["code"]) == (400, "not_json")


def test_slow_clients_do_not_keep_others_waiting(made: Streaming) -> None:
    body = part("a", b"1") + END
    with serving("uvicorn", made) as port, contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connected(port)) for _ in range(60)]
        for connection in slow:
            connection.sendall(posted("/up", len(body)) + body[:60])
        assert made.uploading.wait(SOON)
        for _ in range(5):
            assert asked(port, "GET", "/ping")[0] == 200
        for connection in slow:
            connection.sendall(body[60:])
        assert {answered(connection)[0] for connection in slow} == {200}


def test_nothing_is_read_that_nobody_asks_for(made: Streaming) -> None:
    """What a client sends, and nobody reads, waits at the client."""
    asking, sent = threading.Event(), 0

    class Waiting(Streaming):
        def up(self, request: Any) -> Any:
            assert asking.wait(SOON)
            return super().up(request)

    size = 100_000_000
    waiting = Waiting()
    with serving("uvicorn", waiting) as port, connected(port) as connection:
        connection.sendall(posted("/up", size))
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while sent < size:
                sent += connection.send(ZEROS)
        assert sent < size / 2
        asking.set()
        assert bad_form(answered(connection))


def test_a_server_that_stops_does_not_wait_for_clients(made: Streaming) -> None:
    with contextlib.ExitStack() as opened:
        with serving("uvicorn", made) as port:
            connection = opened.enter_context(connected(port))
            connection.sendall(posted("/up", 10**6) + part("a", b"1" * 1000))
            assert made.uploading.wait(SOON)
            begun = time.monotonic()
        assert time.monotonic() - begun < SOON
        eventually(lambda: made.errors == ["the body ends early"])


# --- An answer before all is read ---------------------------------------------------


def sent_on(connection: socket.socket, size: int) -> None:
    """Send so much, as clients do that look for an answer only then."""
    for _ in range(size // len(ZEROS)):
        connection.sendall(ZEROS)


@pytest.mark.parametrize("path", ["/refused", "/half", "/nowhere"])
@pytest.mark.parametrize("size", [200_000, 30_000_000])
def test_an_early_answer_reaches_a_client_that_sends_on(
    port: int, path: str, size: int
) -> None:
    with connected(port) as connection:
        connection.sendall(posted(path, 10**9) + part("a")[:-2])
        sent_on(connection, size)
        found = http.client.HTTPResponse(connection)
        found.begin()
        assert found.status in ((404, 405) if path == "/nowhere" else (403,))
        assert found.read()


def test_what_is_announced_as_too_large_is_refused_at_once(
    port: int, made: Streaming
) -> None:
    with connected(port) as connection:
        connection.sendall(posted("/up", LIMITS.max_size + 1))
        assert answered(connection)[0] == 413
    assert made.happened["read"] == 0


def test_ten_thousand_parts(port: int, made: Streaming) -> None:
    status, told = upload(port, part("a") * 10_000 + END)
    assert (status, told["code"]) == (413, "body_too_large")
    assert upload(port, part("a") * 100 + END)[0] == 200


def test_the_connection_goes_on_after_an_early_answer(made: Streaming) -> None:
    """Only where the server keeps connections: the rest of the body is no request."""
    with serving("uvicorn", made) as port, connected(port) as connection:
        body = part("a", b"x" * 100_000) + END
        connection.sendall(posted("/refused", len(body)) + body)
        assert answered(connection)[0] == 403
        connection.sendall(head_of("/ping", method="GET"))
        assert answered(connection) == (200, "pong")


class Endless(io.RawIOBase):
    """A body that goes on, and knows how much of it was read."""

    def __init__(self) -> None:
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self.count += len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    ("seconds", "read"), [(30.0, 100_000_000), (-1.0, 0)], ids=["bytes", "seconds"]
)
def test_what_is_sent_after_an_answer_is_read_within_bounds(
    made: Streaming, monkeypatch: pytest.MonkeyPatch, seconds: float, read: int
) -> None:
    """Gunicorn closes a connection with unread bytes, and the answer is lost."""
    monkeypatch.setattr(flask_adapter, "_LINGERING", seconds)
    body = Endless()
    environ = EnvironBuilder("/refused", method="POST").get_environ() | {
        "wsgi.input": body,
        "CONTENT_TYPE": TYPE,
        "CONTENT_LENGTH": "1000000000",
    }
    answer = made.flask()(environ, lambda *_: lambda _: None)
    assert b"you may not" in b"".join(answer)
    assert body.count == 0
    answer.close()  # type: ignore[attr-defined]
    assert read <= body.count <= read + 65_536


# --- Out ----------------------------------------------------------------------------


def test_a_download(port: int, made: Streaming) -> None:
    status, headers, body = asked(port, "GET", "/file")
    assert (status, body) == (200, CONTENT)
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == (
        "inline; filename=\"ete.bin\"; filename*=UTF-8''%C3%A9t%C3%A9.bin"
    )
    status, headers, body = asked(port, "GET", "/file", range="bytes=5-2004")
    assert (status, body) == (206, CONTENT[5:2005])
    assert headers["content-range"] == f"bytes 5-2004/{len(CONTENT)}"
    status, headers, body = asked(port, "GET", "/file", range="bytes=0-4,-4")
    assert status == 206 and headers["content-length"] == str(len(body))
    status, headers, body = asked(port, "GET", "/file", range="bytes=99999-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    status, headers, body = asked(port, "GET", "/file", if_none_match='"t1"')
    assert (status, body) == (304, b"")
    assert "content-length" not in headers
    assert asked(port, "GET", "/file", if_match='"t2"')[0] == 412
    eventually(lambda: made.happened["closed"] == made.happened["opened"] == 4)


def test_head_has_the_same_headers_and_reads_nothing(
    port: int, made: Streaming
) -> None:
    for path in ("/file", "/down?size=100000"):
        _, get, _ = asked(port, "GET", path)
        happened = made.happened.copy()
        status, head, body = asked(port, "HEAD", path)
        get.pop("date"), head.pop("date")
        assert (status, head, body) == (200, get, b"")
        assert happened["sent"] == made.happened["sent"]
        assert happened["opened"] == made.happened["opened"]
    eventually(lambda: made.happened["closed"] == made.happened["opened"] + 2)


@pytest.mark.parametrize("path", ["/unknown", "/down?size=100000"])
def test_a_stream_is_sent_whole_and_closed(
    port: int, made: Streaming, path: str
) -> None:
    assert asked(port, "GET", path)[2] == bytes(100_000)
    eventually(lambda: made.happened["closed"] == 1)


@pytest.mark.parametrize("path", ["/broken?length=100000", "/broken", "/short"])
def test_what_breaks_off_does_not_look_complete(
    port: int, made: Streaming, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            asked(port, "GET", path)
        eventually(lambda: made.happened["closed"] == 1)
    assert f"GET {path.partition('?')[0]} is cut short" in caplog.text
    assert asked(port, "GET", "/ping")[2] == b'"pong"'


def test_a_client_that_goes_away_ends_the_stream(port: int, made: Streaming) -> None:
    with connected(port) as connection:
        connection.sendall(head_of("/down?size=1000000000", method="GET"))
        assert connection.recv(1000)
    eventually(lambda: made.happened["closed"] == 1)
    assert made.happened["sent"] < 10_000


def test_slow_readers_keep_no_thread(made: Streaming) -> None:
    with serving("uvicorn", made) as port, contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connected(port)) for _ in range(60)]
        for connection in slow:
            connection.sendall(head_of("/down?size=20000000", method="GET"))
        for connection in slow:
            assert connection.recv(1)
        for _ in range(5):
            assert asked(port, "GET", "/ping")[0] == 200
    eventually(lambda: made.happened["closed"] == 60)


def test_functions_after_a_request_see_that_a_body_is_a_stream(made: Streaming) -> None:
    """Those of Flask extensions look for it: they would read all of it."""
    app, seen = made.flask(), []

    @app.after_request
    def look(response: Response) -> Response:
        seen.append(response.direct_passthrough)
        return response

    http = app.test_client()
    assert http.get("/down?size=100").data == bytes(100)
    assert http.get("/ping").data == b'"pong"'
    assert seen == [True, False]
