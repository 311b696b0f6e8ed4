"""Backoffices behind real HTTP servers, on ports of their own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from flask import Flask
from werkzeug.serving import make_server

from backo import Backoffice

__all__ = ["listening_socket", "serving", "serving_app", "serving_flask"]


@contextmanager
def serving(
    office: Backoffice, adapter: str = "fastapi", **options: Any
) -> Iterator[int]:
    """The port at which ``office`` is served, without a prefix."""
    if adapter == "flask":
        app = Flask(office.name)
        office.build_routes(app, **options)
        with serving_flask(app) as port:
            yield port
        return
    fast = FastAPI()
    fast.include_router(office.router(**options))
    with serving_app(fast) as port:
        yield port


@contextmanager
def serving_flask(app: Flask) -> Iterator[int]:
    """The port at which Werkzeug's server serves a Flask application."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listening_socket() -> socket.socket:
    """A socket that listens on a free port, to be handed to a server."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    # Or the second half of an answer waits 40 ms for an acknowledgement of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextmanager
def serving_app(app: Any) -> Iterator[int]:
    """The port at which uvicorn serves an ASGI application."""
    with listening_socket() as listening:
        config = uvicorn.Config(
            app, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        thread.start()
        try:
            # The socket listens already: what is asked too early waits in its queue.
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
