"""A server that answers just what a test says, byte for byte."""

import contextlib
import dataclasses
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["Asked", "RawServer", "answer", "raw_server"]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request, as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


type Script = Callable[[Asked], bytes | Iterable[bytes] | None]


def answer(status: int, body: Any = b"", **headers: str) -> bytes:
    """A whole answer; what is no bytes is sent as JSON."""
    media = {} if isinstance(body, bytes) else {"content-type": "application/json"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"content-length": str(len(content)), **media, **given}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


class RawServer:
    """Answers by a script; None closes the connection without an answer."""

    def __init__(self, script: Script, secure: ssl.SSLContext | None = None) -> None:
        self.script = script
        self._secure = secure
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self.over.is_set():
            connection, _ = self._listening.accept()
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._secure is not None:
                connection = self._secure.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while not self.over.is_set() and (asked := _request(stream)):
                    self.asked.append(asked)
                    said = self.script(asked)
                    if said is None:
                        return
                    for piece in [said] if isinstance(said, bytes) else said:
                        connection.sendall(piece)
                    if not isinstance(said, bytes):
                        return

    def close(self) -> None:
        """Stop; everything is closed when it returns."""
        self.over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a connection is still open"
        self._listening.close()


def _request(stream: Any) -> Asked | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Asked(first[0], first[1], headers, body)


@contextlib.contextmanager
def raw_server(
    script: Script, secure: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """A server of its own, which is closed in the end."""
    server = RawServer(script, secure)
    try:
        yield server
    finally:
        server.close()
