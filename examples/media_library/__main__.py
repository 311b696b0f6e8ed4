"""``python -m examples.media_library``: serve it, and say what to try."""

import argparse
import socket
import sys
from collections.abc import Callable

from examples.media_library.apps import data_folder, fastapi_app, flask_app
from examples.media_library.seed import PASSWORDS

HOST = "127.0.0.1"


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser("python -m examples.media_library")
    parser.add_argument("--flask", action="store_true", help="serve behind Flask")
    parser.add_argument("--port", type=int, default=8000, help="0 is any free one")
    asked = parser.parse_args()
    try:
        listening = socket.create_server((HOST, asked.port))
        # Or the second half of an answer waits for an acknowledgement of the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        sys.exit(f"Cannot listen on {HOST}:{asked.port}: {error.strerror}.")
    run = (_flask if asked.flask else _fastapi)(listening)
    print(_invitation(f"http://{HOST}:{listening.getsockname()[1]}"), flush=True)
    try:
        run()
    except KeyboardInterrupt:
        return


def _fastapi(listening: socket.socket) -> Callable[[], None]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(fastapi_app(), log_level="warning"))
    return lambda: server.run(sockets=[listening])


def _flask(listening: socket.socket) -> Callable[[], None]:
    from werkzeug.serving import make_server

    port, number = listening.getsockname()[1], listening.fileno()
    server = make_server(HOST, port, flask_app(), threaded=True, fd=number)
    return server.serve_forever


def _invitation(url: str) -> str:
    people = "\n".join(f"  {one:6}{word}" for one, word in PASSWORDS.items())
    return f"""
  The API's pages    {url}/media_library/_docs
  What can be lent   {url}/media_library/media/_selections/on_shelf
  The data           {data_folder()}

Log in as one of these; their passwords are in the code, so this is for trying alone:
{people}

  curl --json '{{"login": "mia", "password": "{PASSWORDS["mia"]}"}}' {url}/login

examples/media_library/README.md goes on from there.

Stop it with Ctrl-C.
"""


if __name__ == "__main__":
    main()
