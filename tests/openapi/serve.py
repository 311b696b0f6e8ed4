"""``python -m tests.openapi.serve fastapi kitchen FOLDER``: serve an example on a free
port, which is printed first."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from werkzeug.serving import make_server

from backo import Backoffice
from examples.bookcase.apps import fastapi_app, flask_app
from examples.bookcase.model import bookcase
from examples.bookcase.seed import seed
from tests.openapi.kitchen import kitchen
from tests.openapi.shelf import shelf
from tests.serving import listening_socket

__all__ = ["OFFICES", "SERVERS"]

HOST = "127.0.0.1"


def _seeded_bookcase(folder: Path) -> Backoffice:
    office = bookcase(folder)
    seed(office, folder)
    return office


def _serve_fastapi(office: Backoffice) -> None:
    listening = listening_socket()
    _announce(listening.getsockname()[1])
    config = uvicorn.Config(fastapi_app(office), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


def _serve_flask(office: Backoffice) -> None:
    server = make_server(HOST, 0, flask_app(office), threaded=True)
    _announce(server.server_port)
    server.serve_forever()


def _announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


OFFICES: Mapping[str, Callable[[Path], Backoffice]] = {
    "bookcase": _seeded_bookcase,
    "kitchen": lambda _folder: kitchen(),
    "shelf": shelf,
}
SERVERS: Mapping[str, Callable[[Backoffice], None]] = {
    "fastapi": _serve_fastapi,
    "flask": _serve_flask,
}

if __name__ == "__main__":
    adapter, name, folder = sys.argv[1:]
    SERVERS[adapter](OFFICES[name](Path(folder)))
