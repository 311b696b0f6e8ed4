"""``python -m examples.bookcase``: seed the bookcase and serve it.

``--flask`` serves it behind Flask instead of FastAPI; ``--check`` and ``--repair`` look
for broken links instead of serving, and mend them. ``PORT`` (0: any free one) and
``BOOKCASE_DATA`` (a folder) are read from the environment.
"""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import track

from backo import Backoffice
from backo.connectors.base import Document
from examples.bookcase.apps import data_folder, fastapi_app, flask_app
from examples.bookcase.model import bookcase
from examples.bookcase.seed import Row, seed

HOST = "127.0.0.1"


def main() -> None:
    """Seed and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.bookcase")
    parser.add_argument("--flask", action="store_true", help="serve behind Flask")
    parser.add_argument("--check", action="store_true", help="find broken links")
    parser.add_argument("--repair", action="store_true", help="mend broken links")
    arguments = parser.parse_args()
    serve = _serve_flask if arguments.flask else _serve_fastapi
    console = Console(highlight=False, soft_wrap=True)
    if arguments.check or arguments.repair:
        sys.exit(_check(bookcase(data_folder()), console, repair=arguments.repair))
    # Taken before seeding: a port that is in use is known at once.
    listening = _listen(os.environ.get("PORT", "8000"))
    folder = data_folder()
    office = bookcase(folder)
    with suppress(KeyboardInterrupt):
        _fill(office, folder, console)
        port = listening.getsockname()[1]
        _invite(f"http://{HOST}:{port}/{office.name}", console)
        serve(office, listening)


def _listen(port: str) -> socket.socket:
    if not port.isdecimal() or int(port) > 65535:
        sys.exit(f"PORT must be a number from 0 to 65535, not {port!r}.")
    try:
        return socket.create_server((HOST, int(port)))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        sys.exit(
            f"Cannot listen on {HOST}:{port}: {reason}.\n"
            f"Choose another port, as in: PORT=8001 make demo"
        )


def _fill(office: Backoffice, folder: Path, console: Console) -> None:
    def bar(name: str, rows: list[Row]) -> Iterable[Row]:
        return track(rows, description=f"{name:14}", console=console)

    created = seed(office, folder, bar)
    if created:
        console.print(f"{created} items are new in the bookcase.")
    else:
        console.print(f"The bookcase in {folder} has its data already.")


def _check(office: Backoffice, console: Console, *, repair: bool) -> int:
    """Look through all items; gives 1 when links are broken and stay so, else 0."""

    def bar(name: str, documents: Iterable[Document]) -> Iterable[Document]:
        return track(list(documents), description=f"{name:14}", console=console)

    broken = office.check_references(repair, bar)
    for link in broken:
        console.print(str(link), markup=False)
    left = sum(not link.repaired for link in broken)
    console.print(f"{len(broken)} broken links, {len(broken) - left} repaired.")
    return min(left, 1)


def _invite(url: str, console: Console) -> None:
    console.print(
        f"""
  The API's pages    {url}/_docs
  Its document       {url}/_openapi
  The books          {url}/books

Try:
  curl '{url}/books?pages.$gt=1000&_sort=-$.pages&_page=3'
  curl '{url}/books?author.nationality.a2=FR&_expand=author,author.nationality&_page=2'
  curl -i '{url}/books/war-and-peace'
  curl -X POST -H 'Content-Type: application/json' \\
       -d '{{"title": "La Terre", "author": "emile-zola", "pages": 540}}' '{url}/books'

Stop it with Ctrl-C.
""",
        markup=False,
    )


def _serve_fastapi(office: Backoffice, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(fastapi_app(office), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


def _serve_flask(office: Backoffice, listening: socket.socket) -> None:
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    port = listening.getsockname()[1]
    app = flask_app(office)
    make_server(HOST, port, app, threaded=True, fd=listening.fileno()).serve_forever()


if __name__ == "__main__":
    main()
