"""``backo serve``: a backoffice alone on a port, behind either framework."""

import importlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from backo.backoffice import Backoffice
from backo.cli.console import say
from backo.cli.describing import Prefix
from backo.cli.failures import CommandError
from backo.cli.targets import Target, load_callable, load_office
from backo.http.endpoints import base_path

__all__ = [
    "HOST",
    "Flask",
    "Port",
    "listen",
    "prepare",
    "serve",
    "until_stopped",
    "url",
]

HOST = "127.0.0.1"
EXTRAS = {
    "fastapi": ("fastapi", "starlette", "uvicorn"),
    "flask": ("flask", "werkzeug"),
}
"""For each adapter, which has the name of its extra, the packages it needs."""

Port = Annotated[
    int,
    typer.Option(min=0, max=65535, help="The port to listen on; 0 is any free one."),
]
Flask = Annotated[
    bool,
    typer.Option("--flask", help="Serve behind Flask instead of FastAPI."),
]


def serve(
    target: Target,
    *,
    flask: Flask = False,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; 0.0.0.0 is all of this machine."),
    ] = HOST,
    port: Port = 8000,
    prefix: Prefix = "",
    jwt_auth: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="Called before each request: sets current_user, or refuses.",
        ),
    ] = None,
) -> None:
    """Serve it until Ctrl-C, and print its URLs.

    Example: `backo serve main:office --port 8001 --prefix api`
    """
    # Before what may take long: a port that is in use is known at once.
    with listen(host, port) as listening, until_stopped():
        office = load_office(target)
        auth = load_callable(jwt_auth) if jwt_auth else None
        run = prepare(office, listening, flask=flask, prefix=prefix, jwt_auth=auth)
        _log_requests()
        _announce(url(listening, office, prefix), flask=flask)
        run()


def listen(
    host: str, port: int, hint: str = "Choose another one by --port."
) -> socket.socket:
    """A socket that listens there.

    :raises CommandError: somebody else does, or nobody may; ``hint`` says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = _reason(error)
        raise CommandError(
            f"Cannot listen on {host}:{port}: {reason}.\n{hint}"
        ) from error
    # Or the second half of an answer waits 40 ms for an acknowledgement of the first:
    # asyncio sees no TCP in sockets that it is handed.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno or 0)


@contextmanager
def until_stopped() -> Iterator[None]:
    """A context that Ctrl-C and SIGTERM end, as if all in it were done."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare(
    office: Backoffice,
    listening: socket.socket,
    *,
    flask: bool,
    prefix: str = "",
    jwt_auth: Callable[..., Any] | None = None,
) -> Callable[[], None]:
    """What serves ``office`` when it is called.

    :raises CommandError: the framework is not installed.
    """
    adapter = "flask" if flask else "fastapi"
    try:
        server = importlib.import_module(f"backo.adapters.{adapter}").server
        run: Callable[[], None] = server(office, listening, prefix, jwt_auth)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS[adapter]:
            raise
        raise CommandError(
            f'Serving needs {error.name}: pip install "backo[{adapter}]"'
        ) from error
    return run


def url(listening: socket.socket, office: Backoffice, prefix: str = "") -> str:
    """Where ``office`` is to be found."""
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{base_path(office, prefix)}"


def _log_requests() -> None:
    """Show requests and whatever is logged as a warning or worse, on stderr; what the
    program has set up for its logs stays."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    for name in ("uvicorn.access", "werkzeug"):
        logging.getLogger(name).setLevel(logging.INFO)


def _announce(address: str, *, flask: bool) -> None:
    for what, where in (
        ("API", address),
        ("Pages", f"{address}/_docs"),
        ("Document", f"{address}/_openapi"),
    ):
        typer.echo(f"{what:10}{where}")
    if flask:
        say(
            "This server is for development. In production, add the routes to a Flask"
            " application of your own by office.build_routes(app), and serve that by a"
            " WSGI server, as in: gunicorn main:app"
        )
    else:
        say(
            "This is one process, without TLS. In production, add the routes to an"
            " application of your own by app.include_router(office.router()), and serve"
            " that, as in: uvicorn main:app --workers 4"
        )
    say("Stop it with Ctrl-C.")
