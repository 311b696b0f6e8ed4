"""``backo demo``: the bookcase, filled with real books and served."""

import importlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from backo.backoffice import Backoffice
from backo.cli.failures import CommandError
from backo.cli.serving import HOST, Flask, listen, prepare, until_stopped, url

__all__ = ["demo"]

INSTALLED = "backo.bookcase"
"""The example as a wheel has it; in the project itself it is among the others."""
IN_TREE = "examples.bookcase"


def demo(
    *,
    flask: Flask = False,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="PORT",
            help="The port to listen on; 0 is any free one.",
        ),
    ] = 8000,
) -> None:
    """Serve a bookcase of real books, authors and countries, and say what to try.

    Its data is kept in the folder `.demo`, or in `BOOKCASE_DATA`.

    Example: `backo demo --port 8001`
    """
    apps, seed = _module("apps"), _module("seed")
    in_tree = apps.__name__.startswith(IN_TREE)
    again = "PORT=8001 make demo" if in_tree else "backo demo --port 8001"
    # Taken before the folder is made: a port that is in use is known at once.
    hint = f"Choose another port, as in: {again}"
    with listen(HOST, port, hint) as listening, until_stopped():
        office, folder = apps.office(), apps.data_folder()
        run = prepare(office, listening, flask=flask)
        # This is for people to read: it is the command's result.
        console = Console(highlight=False, soft_wrap=True)
        _fill(seed, office, folder, console)
        console.print(_invitation(url(listening, office)), markup=False)
        run()


def _module(name: str) -> ModuleType:
    for package in (INSTALLED, IN_TREE):
        with suppress(_AbsentError):
            return _imported(package, name)
    raise CommandError("The bookcase is not there: backo was not installed whole.")


class _AbsentError(Exception):
    pass


def _imported(package: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if f"{package}.".startswith(f"{error.name}."):
            raise _AbsentError from None
        raise CommandError(
            f'The demo needs {error.name}: pip install "backo[demo]"'
        ) from error


def _fill(seed: ModuleType, office: Backoffice, folder: Path, console: Console) -> None:
    def bar(name: str, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        return track(rows, description=f"{name:14}", console=console)

    created = seed.seed(office, folder, bar)
    if created:
        console.print(f"{created} items are new in the bookcase.")
    else:
        console.print(f"The bookcase in {folder} has its data already.")


def _invitation(url: str) -> str:
    return f"""
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
"""
