"""``backo migrate``: the documents of a collection, brought to its present schema."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backo.cli.console import plain, progress, say
from backo.cli.targets import CollectionName, Target, load_callable, load_collection
from backo.collection import Collection
from backo.errors import MigrationError
from backo.migration import MigrationReport

__all__ = ["migrate"]

SHOWN = 20
"""Differences that are shown; the totals count all."""
LONGEST = 60
"""Characters of a value that are shown."""


def migrate(
    target: Target,
    collection: CollectionName,
    function: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:CALLABLE",
            help="Given each stored document as a dict, it gives the new one, or"
            " changes it in place. Without it: defaults and computed values only.",
            show_default=False,
        ),
    ] = None,
    *,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Only this item; may be repeated."),
    ] = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Store what has changed; else it is only shown."),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What is to be done is kept here until it is done, so that an"
            " interrupted migration goes on when it is started again. Usually"
            " `.backo-<backoffice>-<collection>.journal`.",
        ),
    ] = None,
) -> None:
    """Show what the present schema changes in stored documents; with `--write`, do it.

    Every document is checked before the first is written: if one fails, all that fail
    are named, and nothing is changed.

    Example: `backo migrate main:office books changes:split_title --write`
    """
    office, kept = load_collection(target, collection)
    change = load_callable(function) if function else None
    file = journal or Path(f".backo-{office.name}-{kept.name}.journal")
    if file.exists():
        say(f"{file} holds a migration that was not finished: it goes on.")
    try:
        report = kept.migrate(
            change,
            ids,
            not write,
            # Whoever only looks leaves no file behind.
            journal=file if write or file.exists() else None,
            progress=_bar,
        )
    except MigrationError as error:
        _tell_failures(error, kept)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        if file.exists():
            say("Interrupted: the same command goes on from here.")
        raise
    _show(report, kept, done=write)


def _bar(phase: str, rows: Iterable[Any], total: int | None) -> Iterable[Any]:
    return progress(phase, rows, total)


def _tell_failures(error: MigrationError, kept: Collection) -> None:
    """Every document that fails on a line of its own, by each of its faults where these
    are known."""
    summary = str(error).partition(": ")[0]
    say(f"Error: {kept.name}: {summary}.")
    told = set()
    for fault in error.faults:
        told.add(fault.path.rpartition(": ")[0])
        say(f"  {plain(fault.path)}: {plain(fault.message)}")
    for _id in error.ids:
        if _id not in told:
            say(f"  {plain(_id)}")
    if error.report is not None:
        _show(error.report, kept, done=True)


def _show(report: MigrationReport, kept: Collection, *, done: bool) -> None:
    """Print the report, and of the differences the first."""
    differences = list(islice(_differences(report), SHOWN))
    if differences:
        table = Table("id", "path", "before", "after")
        for row in differences:
            # Not the texts themselves: brackets in them would be markup.
            table.add_row(*map(Text, row))
        Console(highlight=False).print(table)
    changed, same = report.changes.total, report.no_changes.total
    verb = "changed" if done else "to be changed"
    typer.echo(f"{kept.name}: {changed} {verb}, {same} as they are.")
    if sum(map(len, report.changes.diff.values())) > len(differences):
        say(f"Only the first {len(differences)} differences are shown.")
    if changed and not done:
        say("Nothing is written: --write does it.")


def _differences(report: MigrationReport) -> Iterator[tuple[str, str, str, str]]:
    for _id, changes in report.changes.diff.items():
        for one in changes:
            yield plain(_id), plain(one.path), _value(one.before), _value(one.after)


def _value(value: Any) -> str:
    text = plain(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
