"""``backo export`` and ``backo import``: items to files, and from files."""

import dataclasses
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import typer
from rich.table import Table
from rich.text import Text

from backo.backoffice import Backoffice
from backo.cli import failures
from backo.cli.console import console, plain, progress, say
from backo.cli.failures import CommandError, UsageError
from backo.cli.output import replacing
from backo.cli.targets import CollectionName, Target, load_collection
from backo.collection import Collection
from backo.errors import BackoError, FilterError, ValidationError
from backo.exchange.exporting import Export
from backo.exchange.importing import ImportReport, Progress, RowFault, import_items
from backo.exchange.rows import Format, Row
from backo.query.parse import loads

__all__ = ["export", "import_"]

_MIB = 1024 * 1024
MOST_SHOWN = 50
"""Faults on the screen."""
ROW_LIMIT = 16
"""How many times as long as the body of a request a row may be."""

FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="JSON lines or CSV; if not given, what the file's name ends with says.",
        show_default=False,
    ),
]


def export(
    target: Target,
    collection: CollectionName,
    *,
    form: FormatOption = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file instead of stdout."),
    ] = None,
    filter: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="Only the items that match, as in a request: "
            '`{"pages": ["$gt", 100]}`.',
        ),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(help="What this view shows, instead of all that is stored."),
    ] = None,
) -> None:
    """Write the items of a collection to a file: JSON lines, or CSV.

    All items are exported, whoever may read them, in the order of their ids.

    Example: `backo export main:office books --output books.csv`
    """
    _, found = load_collection(target, collection)
    chosen = form or (Format.JSONL if output is None else _format_of(output))
    wanted = _export(found, filter, view)
    count = found.db_handler.count()

    def bar(documents: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        return progress(collection, documents, count)

    with _stdout() if output is None else replacing(output) as file:
        written = wanted.write(file, chosen, bar)
    say(f"Items of {collection}: {written}.")


def import_(
    target: Target,
    collection: CollectionName,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The file; - is stdin.", show_default=False
        ),
    ],
    *,
    form: FormatOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check: store nothing.")
    ] = False,
    batch: Annotated[
        int,
        typer.Option(
            min=0,
            help="Rows that are stored together or not at all; 0: all of the file.",
        ),
    ] = 500,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every fault to this file, as JSON lines."
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Rows whose ids are there change these items."),
    ] = False,
    restore: Annotated[
        bool,
        typer.Option(
            "--restore",
            help="Rows are documents of `backo export`, to be stored as they are.",
        ),
    ] = False,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Store the batches without faults even if others have any.",
        ),
    ] = False,
) -> None:
    """Read items from a file of JSON lines or CSV into a collection.

    All rows are checked first: if any has a fault, nothing is stored, and it exits
    with 1.

    Example: `backo import main:office books books.csv --dry-run`
    """
    office, found = load_collection(target, collection)
    chosen = form or (Format.JSONL if source == "-" else _format_of(Path(source)))
    told = _Told()
    with ExitStack() as open_files:
        file = open_files.enter_context(_opened(source))
        if errors is not None:
            told.file = open_files.enter_context(replacing(errors))
        with _explained(source, told):
            report = import_items(
                found,
                file,
                chosen,
                limit=ROW_LIMIT * office.max_body_size,
                tell=told,
                batch=batch,
                update=update,
                whole=restore,
                partial=partial,
                dry_run=dry_run,
                progress=_bar(file),
            )
    _summary(report, dry_run=dry_run)
    if report.faulty:
        told.advise()
        raise typer.Exit(1)
    if restore and not dry_run:
        _warn_of_broken_links(office, target)


# -- what is meant -----------------------------------------------------------------


def _format_of(path: Path) -> Format:
    forms = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}
    form = forms.get(path.suffix.lower())
    if form is None:
        raise UsageError(
            f"The name {path.name} tells no format: add --format jsonl or --format csv."
        )
    return form


def _export(collection: Collection, filter: str | None, view: str | None) -> Export:
    try:
        tree = None if filter is None else loads(filter)
        return Export(collection, filter=tree, view=view)
    except FilterError as error:
        paths = {fault.path for fault in error.faults} - {"$"}
        raise UsageError(": ".join([*paths, str(error)])) from error


# -- files -------------------------------------------------------------------------


@contextmanager
def _stdout() -> Iterator[TextIO]:
    file = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        yield file
        file.flush()
    finally:
        file.detach()


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """The file, to be read twice: what comes from a pipe is kept in a temporary one."""
    with ExitStack() as opened:
        if source == "-":
            file: BinaryIO = sys.stdin.buffer
        else:
            file = opened.enter_context(Path(source).open("rb"))
        if source == "-" or not file.seekable():
            kept = opened.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, kept)
            file = kept
        yield file


# -- what is told ------------------------------------------------------------------


def _bar(file: BinaryIO) -> Progress:
    lines = sum(part.count(b"\n") for part in iter(lambda: file.read(_MIB), b""))

    def show(phase: str, rows: Iterable[Row], total: int | None) -> Iterable[Row]:
        return progress(phase, rows, lines if total is None else total)

    return show


@contextmanager
def _explained(source: str, told: "_Told") -> Iterator[None]:
    """Shows the faults, and what ended the import before its end."""
    try:
        yield
    except ValidationError as error:
        words = "; ".join(fault.message for fault in error.faults)
        raise CommandError(f"{source}: {words}.") from error
    except BackoError as error:
        notes: list[str] = getattr(error, "__notes__", [])
        raise CommandError("\n".join([failures.told(error), *notes])) from error
    finally:
        told.show()


class _Told:
    """Faults as they are found: the first of them for the screen, all for a file."""

    def __init__(self) -> None:
        self.file: TextIO | None = None
        self.first: list[RowFault] = []
        self.count = 0
        self.read_only = False

    def __call__(self, fault: RowFault) -> None:
        self.count += 1
        self.read_only |= fault.code == "read_only"
        if len(self.first) < MOST_SHOWN:
            self.first.append(fault)
        if self.file is not None:
            self.file.write(json.dumps(dataclasses.asdict(fault)) + "\n")

    def show(self) -> None:
        if not self.first:
            return
        table = Table("line", "_id", "path", "what is wrong", box=None, pad_edge=False)
        for one in self.first:
            cells = (str(one.line), one._id or "", one.path, one.message)
            table.add_row(*(_printable(cell) for cell in cells))
        console.print(table)
        if self.count > len(self.first):
            say(
                f"... and {self.count - len(self.first)} more: --errors FILE keeps all."
            )

    def advise(self) -> None:
        if self.read_only:
            say("Rows that backo export wrote come back by --restore.")


def _printable(text: str) -> Text:
    shown = plain(text)
    return Text(shown if len(shown) <= 200 else f"{shown[:200]}…", overflow="fold")


def _summary(report: ImportReport, *, dry_run: bool) -> None:
    faulty = f", with faults: {report.faulty}" if report.faulty else ""
    items = "Items that would be" if dry_run else "Items"
    say(
        f"Rows: {report.rows}{faulty}. {items} created: {report.created},"
        f" updated: {report.updated}."
    )


def _warn_of_broken_links(office: Backoffice, target: str) -> None:
    broken = len(office.check_references())
    if broken:
        say(
            f"Broken links: {broken}. If their other halves come with no other file:"
            f" backo check {target} --repair"
        )
