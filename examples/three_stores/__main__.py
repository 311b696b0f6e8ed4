"""``python -m examples.three_stores``: serve it, and say what to try."""

import argparse
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from backo import Backoffice, DBError
from examples.three_stores.model import seed, three_stores

HOST = "127.0.0.1"


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser("python -m examples.three_stores")
    parser.add_argument("--flask", action="store_true", help="serve behind Flask")
    parser.add_argument("--port", type=int, default=8000, help="0 is any free one")
    parser.add_argument(
        "--mongo-uri",
        default=os.environ.get(
            "THREE_STORES_MONGO_URI", "mongodb://127.0.0.1:27017/three_stores"
        ),
        help="where MongoDB is, with a database; THREE_STORES_MONGO_URI else",
    )
    asked = parser.parse_args()
    folder = Path(os.environ.get("THREE_STORES_DATA", ".demo/three_stores"))
    try:
        listening = socket.create_server((HOST, asked.port))
        # Or the second half of an answer waits for an acknowledgement of the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        office = three_stores(folder, asked.mongo_uri)
        seed(office)
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{asked.port}: {error.strerror}.")
    except DBError as error:
        sys.exit(f"{error}\nIs there a MongoDB? --mongo-uri says where.")
    run = (_flask if asked.flask else _fastapi)(office, listening)
    print(_invitation(f"http://{HOST}:{listening.getsockname()[1]}"), flush=True)
    print(f"  Files and books    {folder}\n\nStop it with Ctrl-C.", flush=True)
    try:
        run()
    except KeyboardInterrupt:
        return


def _fastapi(office: Backoffice, listening: socket.socket) -> Callable[[], None]:
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI(title=office.name)
    app.include_router(office.router())
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    return lambda: server.run(sockets=[listening])


def _flask(office: Backoffice, listening: socket.socket) -> Callable[[], None]:
    from flask import Flask
    from werkzeug.serving import make_server

    app = Flask(office.name)
    office.build_routes(app)
    port, number = listening.getsockname()[1], listening.fileno()
    server = make_server(HOST, port, app, threaded=True, fd=number)
    return server.serve_forever


def _invitation(url: str) -> str:
    return f"""
  The API's pages    {url}/three_stores/_docs
  French books       {url}/three_stores/books/_selections/french

  curl '{url}/three_stores/books?author.nationality.a2=FR&_sort=-$.author.name'
  curl -X DELETE '{url}/three_stores/nationalities/fr'
"""


if __name__ == "__main__":
    main()
