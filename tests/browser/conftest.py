"""A headless Chromium without network, and servers for it to visit."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from backo import Backoffice
from examples.bookcase.apps import fastapi_app, flask_app
from examples.bookcase.model import bookcase
from tests.serving import listening_socket

HOST = "127.0.0.1"
# Nothing but this machine has a name or an address, for the browser's own wishes too.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
]


# Not for the session: as long as it lives, no other test can run an event loop.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        pytest.skip("needs Chromium: apt-get install chromium, or CHROMIUM=path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=["fastapi", "flask"])
def bookcase_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a bookcase of three books is served."""
    office = bookcase(tmp_path)
    office.authors.create({"_id": "somebody", "name": "Somebody"})
    for title, pages in (("Emma", 420), ("Germinal", 590), ("Walden", 290)):
        office.books.create({"title": title, "author": "somebody", "pages": pages})
    serve = {"fastapi": _by_uvicorn, "flask": _by_werkzeug}[request.param]
    with listening_socket() as listening, serve(office, listening):
        port = listening.getsockname()[1]
        yield f"http://{HOST}:{port}/{office.name}"


@contextmanager
def _by_uvicorn(office: Backoffice, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(fastapi_app(office), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield
    server.should_exit = True
    thread.join()


@contextmanager
def _by_werkzeug(office: Backoffice, listening: socket.socket) -> Iterator[None]:
    server = make_server(
        HOST, 0, flask_app(office), threaded=True, fd=listening.fileno()
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()
