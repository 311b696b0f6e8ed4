"""``backo openapi``: the document, printed, written or compared."""

from pathlib import Path
from typing import Annotated

import typer

from backo.cli.console import say
from backo.cli.failures import CommandError, UsageError
from backo.cli.output import replacing
from backo.cli.targets import Target, load_office
from backo.openapi.snapshots import differences, render

__all__ = ["Prefix", "openapi"]

Prefix = Annotated[
    str,
    typer.Option(help="What comes before the backoffice's name in every path."),
]


def openapi(
    target: Target,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it to this file instead of stdout."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only compare it with this file: differences are printed and exit 1.",
        ),
    ] = None,
    prefix: Prefix = "",
) -> None:
    """Print the OpenAPI document.

    Example: `backo openapi main:office --output openapi.json`
    """
    if output is not None and check is not None:
        raise UsageError("--output and --check cannot be given together.")
    document = load_office(target).get_openapi(prefix)
    if check is not None:
        _compare(document, check, target)
    elif output is None:
        typer.echo(render(document).encode(), nl=False)
    else:
        with replacing(output) as file:
            file.write(render(document))
        say(f"{output} is written.")


def _compare(document: dict[str, object], snapshot: Path, target: str) -> None:
    if not snapshot.exists():
        raise CommandError(
            f"{snapshot} is not there: backo openapi {target} --output {snapshot}"
        )
    changes = differences(document, snapshot)
    if changes:
        typer.echo(changes.encode(), nl=False)
        raise CommandError(
            f"{snapshot} differs from the document: backo openapi {target}"
            f" --output {snapshot} writes it anew."
        )
    say(f"{snapshot} is the document as it is now.")
