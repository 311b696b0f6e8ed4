"""Keys that another server publishes: rotation, floods, ways to be unreachable."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backo import SSyntaxError
from backo.http.auth import JWTAuth
from backo.http.key_server import MAX_ANSWER, RemoteKeys
from backo.http.problems import KeysUnavailableError
from backo.http.tokens import TokenError
from tests.http.asking import asking
from tests.http.tokens import public_jwk, rsa_pem, signed
from tests.offices import office

RS = frozenset({"RS256"})


class Publisher:
    """A server of keys, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.publish
        self.kids = ["first"]
        self.url = ""

    def publish(self, request: BaseHTTPRequestHandler) -> None:
        keys = [public_jwk(rsa_pem(kid), "RS256", kid=kid) for kid in self.kids]
        reply(request, 200, json.dumps({"keys": keys}).encode())


def reply(
    request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str
) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def publishing(host: str = "127.0.0.1") -> Iterator[Publisher]:
    publisher = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            publisher.asked.append(self.path)
            # Who asked may not have waited.
            with suppress(OSError):
                publisher.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    publisher.url = f"http://{host}:{server.server_port}/jwks"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as one:
        yield one


def remote(url: str, **waits: float) -> RemoteKeys:
    usual = {"timeout": 5.0, "max_age": 60.0, "cooldown": 60.0}
    return RemoteKeys(url, RS, **{**usual, **waits})


def in_time(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` holds before so many seconds have passed."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        threading.Event().wait(0.01)
    return condition()


def test_keys_are_fetched_once(publisher: Publisher) -> None:
    keys = remote(publisher.url)
    assert publisher.asked == []
    for _ in range(5):
        assert keys.find("RS256", "first").kid == "first"
    assert publisher.asked == ["/jwks"]


def test_a_new_key_is_found_when_a_token_names_it(publisher: Publisher) -> None:
    keys = remote(publisher.url, cooldown=0.01)
    keys.find("RS256", "first")
    publisher.kids = ["second"]
    time.sleep(0.02)
    assert keys.find("RS256", "second").kid == "second"
    with pytest.raises(TokenError):
        keys.find("RS256", "first")


def test_a_key_that_is_withdrawn_is_forgotten(publisher: Publisher) -> None:
    keys = remote(publisher.url, max_age=0.05, cooldown=0.01)
    keys.find("RS256", "first")
    publisher.kids = ["second"]
    time.sleep(0.06)
    with pytest.raises(TokenError):
        keys.find("RS256", "first")


def test_a_flood_of_unknown_keys_is_one_fetch(publisher: Publisher) -> None:
    keys = remote(publisher.url)
    keys.find("RS256", "first")

    def unknown(number: int) -> None:
        with pytest.raises(TokenError):
            keys.find("RS256", f"unknown {number}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(unknown, range(500)))
    # The very first fetch was an attempt too: the next is a minute away.
    assert publisher.asked == ["/jwks"]


def test_many_at_once_share_the_first_fetch(publisher: Publisher) -> None:
    begun = threading.Barrier(20)

    def slowly(request: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        publisher.publish(request)

    publisher.answer = slowly
    keys = remote(publisher.url)

    def find(_number: int) -> str | None:
        begun.wait()
        return keys.find("RS256", "first").kid

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(find, range(20))) == {"first"}
    assert publisher.asked == ["/jwks"]


def test_many_at_once_share_the_fetch_of_a_new_key(publisher: Publisher) -> None:
    keys = remote(publisher.url, cooldown=0.3)
    keys.find("RS256", "first")
    publisher.kids = ["first", "second"]
    time.sleep(0.31)
    begun = threading.Barrier(20)

    def find(_number: int) -> str | None:
        begun.wait()
        return keys.find("RS256", "second").kid

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(find, range(20))) == {"second"}
    assert publisher.asked == ["/jwks", "/jwks"]


def _wrong_answers() -> dict[str, Callable[[BaseHTTPRequestHandler], None]]:
    huge = b'{"keys": [%b]}' % (b" " * MAX_ANSWER)
    return {
        "an error": lambda r: reply(r, 500, b'{"keys": []}'),
        "not there": lambda r: reply(r, 404),
        "no content": lambda r: reply(r, 204),
        "not JSON": lambda r: reply(r, 200, b"<html>"),
        "no set": lambda r: reply(r, 200, b"[]"),
        "keys of no form": lambda r: reply(r, 200, b'{"keys": [1]}'),
        "nested deeply": lambda r: reply(r, 200, b"[" * 200_000),
        "too long": lambda r: reply(r, 200, huge),
        "no HTTP": lambda r: r.wfile.write(b"hello\r\n\r\n") and None,
        "cut off": lambda r: _cut_off(r),
        "in a circle": lambda r: reply(r, 302, Location="/jwks"),
        "to a file": lambda r: reply(r, 302, Location="file:///etc/passwd"),
    }


def _cut_off(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "5000")
    request.end_headers()
    request.wfile.write(b'{"keys": []}')


@pytest.mark.parametrize("name", _wrong_answers())
def test_a_wrong_answer_leaves_what_was_known(publisher: Publisher, name: str) -> None:
    wrong = _wrong_answers()[name]
    publisher.answer = wrong
    with pytest.raises(KeysUnavailableError):
        remote(publisher.url).find("RS256", "first")
    publisher.answer = publisher.publish
    keys = remote(publisher.url, max_age=0.01, cooldown=0.01)
    keys.find("RS256", "first")
    publisher.answer = wrong
    time.sleep(0.02)
    before = len(publisher.asked)
    assert keys.find("RS256", "first").kid == "first"
    assert len(publisher.asked) > before


def test_redirects_stay_on_the_server(publisher: Publisher) -> None:
    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/jwks":
            reply(request, 302, Location="/moved")
        else:
            publisher.publish(request)

    publisher.answer = elsewhere
    assert remote(publisher.url).find("RS256", "first").kid == "first"
    assert publisher.asked == ["/jwks", "/moved"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_redirects_to_another_server_are_not_followed(
    publisher: Publisher, host: str
) -> None:
    with publishing(host) as other:
        publisher.answer = lambda request: reply(request, 302, Location=other.url)
        with pytest.raises(KeysUnavailableError):
            remote(publisher.url).find("RS256", "first")
        assert other.asked == []


def test_a_server_that_is_down_is_a_503_and_heals() -> None:
    with publishing() as gone:
        url = gone.url
    keys = remote(url, cooldown=0.01)
    with pytest.raises(KeysUnavailableError):
        keys.find("RS256", "first")
    with ExitStack() as stack:
        back = stack.enter_context(publishing())
        keys._url = back.url
        time.sleep(0.02)
        assert keys.find("RS256", "first").kid == "first"


def test_a_server_that_is_down_is_not_asked_by_every_request(
    publisher: Publisher,
) -> None:
    publisher.answer = lambda request: reply(request, 500)
    keys = remote(publisher.url)
    for _ in range(50):
        with pytest.raises(KeysUnavailableError):
            keys.find("RS256", "first")
    assert publisher.asked == ["/jwks"]


def _never(request: BaseHTTPRequestHandler) -> None:
    request.connection.settimeout(1)
    request.rfile.read(1)


def _drop_by_drop(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


def _header_by_header(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(20):
        request.wfile.write(b"X: y\r\n")
        request.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [_never, _drop_by_drop, _header_by_header])
def test_nobody_waits_long_for_a_slow_server(
    publisher: Publisher, slow: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    keys = remote(publisher.url, timeout=0.2, max_age=0.01, cooldown=60)
    publisher.answer = slow
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(keys.find, "RS256", "first") for _ in range(8)]:
            with pytest.raises(KeysUnavailableError):
                one.result()
    assert time.monotonic() - begun < 0.8
    assert publisher.asked == ["/jwks"]


def test_a_slow_server_gives_up_its_thread(publisher: Publisher) -> None:
    before = set(threading.enumerate())
    keys = remote(publisher.url, timeout=0.1)
    publisher.answer = _drop_by_drop
    with pytest.raises(KeysUnavailableError):
        keys.find("RS256", "first")
    assert in_time(5, lambda: not set(threading.enumerate()) - before)


def test_a_url_needs_a_host() -> None:
    with pytest.raises(SSyntaxError, match="no URL"):
        remote("https:///jwks")


def test_secrets_are_not_fetched() -> None:
    with pytest.raises(SSyntaxError, match="HS"):
        JWTAuth("https://x.example/jwks", algorithms=["HS256"])


def test_over_http_a_server_that_is_down_is_a_503(publisher: Publisher) -> None:
    publisher.answer = lambda request: reply(request, 500)
    auth = JWTAuth(publisher.url, algorithms="RS256", jwks_cooldown=0.01)
    ask = asking(office(), auth)
    token = signed(key=rsa_pem("first"), algorithm="RS256", kid="first")
    headers = {"authorization": f"Bearer {token}"}
    answer = ask("office_get_meta", headers=headers)
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "keys_unavailable")
    assert ("retry-after", "5") in answer.headers
    publisher.answer = publisher.publish
    time.sleep(0.02)
    assert ask("office_get_meta", headers=headers).status == 200


def test_what_is_no_token_asks_no_server(publisher: Publisher) -> None:
    ask = asking(office(), JWTAuth(publisher.url, algorithms="RS256"))
    for token in ("x", "a.b.c", signed()):
        answer = ask("office_get_meta", headers={"authorization": f"Bearer {token}"})
        assert answer.status == 401
    assert ask("office_get_meta").status == 401
    assert publisher.asked == []
