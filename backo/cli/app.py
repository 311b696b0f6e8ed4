"""The command with all its subcommands, in the order of its help."""

import importlib.metadata
from typing import Annotated

import typer

from backo.cli import (
    checking,
    demonstrating,
    describing,
    exchanging,
    filing,
    migrating,
    serving,
)
from backo.cli.failures import guarded

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"backo {importlib.metadata.version('backo')}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Serve, describe, check and change a backoffice.

    TARGET says where it is: `module:attribute`, such as `main:office`. The attribute is
    a Backoffice, or a function without arguments that gives one. Modules of the current
    folder are found.

    Results go to stdout, everything else to stderr. What fails exits with 1, what was
    asked wrongly with 2.

    Example: `backo serve main:office`
    """


for command in (
    serving.serve,
    describing.openapi,
    checking.check,
    filing.files,
    migrating.migrate,
    exchanging.export,
    exchanging.import_,
    demonstrating.demo,
):
    app.command(command.__name__.rstrip("_"))(guarded(command))
