"""``backo files``: contents of files that no item has, and those that are missing."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from backo.cli.console import plain, progress, say
from backo.cli.failures import UsageError
from backo.cli.targets import Target, load_office
from backo.files.sweeping import FileReport

__all__ = ["files"]

_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def files(
    target: Target,
    *,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Find the contents that no item has.")
    ] = False,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Only those written longer ago: seconds, or as `30m`, `24h`, `7d`."
            " What is newer may be an upload in progress.",
        ),
    ] = "24h",
    delete: Annotated[
        bool,
        typer.Option(
            "--delete", help="Remove them, and what is left of uploads cut short."
        ),
    ] = False,
) -> None:
    """Find contents of files that no item has, and files whose contents are missing.

    Each is a line on stdout, an orphan as its store, id, bytes and time. Exits with 1
    when anything is wrong and stays so.

    Example: `backo files main:office --orphans --older-than 7d --delete`
    """
    if not orphans:
        raise UsageError("Say what is to be found: --orphans.")
    age = _time(older_than)
    office = load_office(target)
    _tell(office.check_files(age, delete, progress))


def _time(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text, re.ASCII)
    if found is None:
        raise UsageError(
            f"{text!r} is no time: write seconds, or as in 30m, 24h and 7d."
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _tell(report: FileReport) -> None:
    for one in (*report.orphans, *report.missing):
        typer.echo(plain(str(one)))
    for place in report.unlisted:
        say(f"{plain(place)} cannot tell what it keeps: it is left out.")
    found, size = len(report.orphans), sum(one.size for one in report.orphans)
    removed = found if report.removed else 0
    say(
        f"Orphans: {found} ({size} bytes), removed: {removed}."
        f" Missing: {len(report.missing)}."
    )
    if report.parts:
        say(f"Uploads that were cut short, removed: {report.parts}.")
    if report.missing or removed < found:
        raise typer.Exit(1)
