"""``python -m examples.rest_redirect``: serve both, and say what to try."""

import argparse
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from backo import Backoffice
from examples.rest_redirect.model import archive, branch, seed

HOST = "127.0.0.1"


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser("python -m examples.rest_redirect")
    parser.add_argument(
        "--port", type=int, default=8000, help="the branch's; 0 is any free one"
    )
    parser.add_argument(
        "--archive-port", type=int, default=8001, help="the archive's; likewise"
    )
    asked = parser.parse_args()
    near, far = _listening(asked.port), _listening(asked.archive_port)
    folder = Path(os.environ.get("REST_REDIRECT_DATA", ".demo/rest_redirect"))
    below = archive(folder)
    seed(below)
    above = branch(folder, *far.getsockname())
    with _in_a_thread(_server(below), far), suppress(KeyboardInterrupt):
        print(_invitation(near, far, folder), flush=True)
        _server(above).run(sockets=[near])


def _listening(port: int) -> socket.socket:
    # asyncio sends small answers at once only where it sees that this is TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{port}: {error.strerror}.")
    listening.listen()
    return listening


def _server(office: Backoffice) -> uvicorn.Server:
    app = FastAPI(title=office.name)
    app.include_router(office.router())
    return uvicorn.Server(uvicorn.Config(app, log_level="warning"))


@contextmanager
def _in_a_thread(server: uvicorn.Server, listening: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _invitation(near: socket.socket, far: socket.socket, folder: Path) -> str:
    branch, archive = (f"http://{HOST}:{one.getsockname()[1]}" for one in (near, far))
    return f"""
  The branch's pages   {branch}/branch/_docs
  Its books            {branch}/branch/books
  The archive's pages  {archive}/archive/_docs
  The data             {folder}

  curl '{branch}/branch/books?year.$lt=1850&_sort=-$.year'

examples/rest_redirect/README.md goes on from there.

Stop it with Ctrl-C.
"""


if __name__ == "__main__":
    main()
