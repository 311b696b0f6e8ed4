"""``backo check``: the schema's mistakes, and the links that are broken."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from backo.cli.console import plain, progress, say
from backo.cli.failures import CommandError
from backo.cli.targets import Target, load_office

__all__ = ["check"]


def check(
    target: Target,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend broken links, in one transaction.")
    ] = False,
) -> None:
    """Find mistakes in the schema, and links between items that are broken.

    Each is a line on stdout. Exits with 1 when anything is wrong and stays so.

    Example: `backo check main:office --repair`
    """
    office = load_office(target)
    mistakes = office.check_syntax()
    _list(mistakes)
    if mistakes:
        raise CommandError(
            f"mistakes in the schema: {len(mistakes)}."
            " The items are not looked at before they are mended."
        )
    broken = office.check_references(repair, _bar)
    _list(broken)
    repaired = sum(link.repaired for link in broken)
    say(f"Broken links: {len(broken)}, repaired: {repaired}.")
    if repaired < len(broken):
        raise typer.Exit(1)


def _bar(name: str, documents: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return progress(name, documents)


def _list(found: Iterable[object]) -> None:
    for one in found:
        typer.echo(plain(str(one)))
