"""The proxy of the tests does what it is told, and leaves nothing behind."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy import Proxy, proxied

SOON = 5
"""Seconds that nothing here may take."""


@pytest.fixture
def echoing() -> Iterator[tuple[str, int]]:
    """A server that says each thing again, in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener,))
        thread.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SOON)


def _serve(listener: socket.socket) -> None:
    threads = []
    try:
        while True:
            connection, _ = listener.accept()
            threads.append(threading.Thread(target=_echo, args=(connection,)))
            threads[-1].start()
    except OSError:
        for thread in threads:
            thread.join(SOON)


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while some := connection.recv(65536):
                connection.sendall(some.upper())
        except OSError:
            return


@pytest.fixture
def proxy(echoing: tuple[str, int]) -> Iterator[Proxy]:
    with proxied(echoing) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        assert said(client, b"hello") == b"HELLO"
        yield client


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON)


def said(client: socket.socket, words: bytes) -> bytes:
    """What is answered to ``words``, in one piece; nothing when the connection ends."""
    try:
        client.sendall(words)
        return client.recv(65536)
    except ConnectionError:
        return b""


def test_it_passes_on_a_megabyte(client: socket.socket) -> None:
    sending = threading.Thread(target=client.sendall, args=(b"a" * 1_000_000,))
    sending.start()
    received = 0
    while received < 1_000_000:
        received += len(client.recv(65536))
    sending.join(SOON)
    assert received == 1_000_000


def test_it_passes_on_late(proxy: Proxy, client: socket.socket) -> None:
    proxy.delays(0.2)
    began = time.monotonic()
    assert said(client, b"late") == b"LATE"
    assert time.monotonic() - began >= 0.2
    proxy.passes()
    began = time.monotonic()
    assert said(client, b"now") == b"NOW"
    assert time.monotonic() - began < 0.2


def test_it_cuts_what_is_open(proxy: Proxy, client: socket.socket) -> None:
    proxy.cuts_now()
    assert said(client, b"a") == b""
    with connected(proxy) as other:
        assert said(other, b"b") == b"B"
    assert proxy.accepted == 2


def test_it_cuts_after_so_many_bytes(proxy: Proxy, client: socket.socket) -> None:
    proxy.cuts_after(3)
    assert said(client, b"two") == b"TWO"
    assert said(client, b"more") == b""
    with connected(proxy) as other:
        assert said(other, b"four") == b"FOU"
        assert other.recv(1) == b""


def test_it_sends_garbage(proxy: Proxy, client: socket.socket) -> None:
    proxy.sends_garbage()
    found = said(client, b"a" * 100)
    assert len(found) == 100
    assert len(set(found)) > 20
    proxy.sends_garbage(after=10)
    found = said(client, b"a" * 100)
    assert (len(found), found[:10]) == (100, b"A" * 10)
    assert len(set(found)) > 20


def test_it_says_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.says_nothing()
    with connected(proxy) as other:
        for one in (client, other):
            one.settimeout(0.2)
            with pytest.raises(TimeoutError):
                said(one, b"a")


def test_it_refuses_until_told_otherwise(proxy: Proxy, client: socket.socket) -> None:
    proxy.refuses()
    assert said(client, b"a") == b""
    with pytest.raises(ConnectionError):
        connected(proxy)
    proxy.passes()
    with connected(proxy) as other:
        assert said(other, b"b") == b"B"


def test_a_server_that_is_not_there_ends_the_connection(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        proxy.server = free.getsockname()
    with connected(proxy) as client:
        assert said(client, b"a") == b""


def test_it_leaves_no_thread_and_no_connection(echoing: tuple[str, int]) -> None:
    before = threading.enumerate()
    with proxied(echoing) as proxy:
        clients = [connected(proxy) for _ in range(5)]
        assert all(said(one, b"a") == b"A" for one in clients)
        proxy.delays(60)
        for one in clients:
            one.sendall(b"b")
    assert [one for one in threading.enumerate() if one.name == "proxy"] == []
    assert len(threading.enumerate()) <= len(before) + len(clients)
    for one in clients:
        with one:
            assert said(one, b"c") == b""
