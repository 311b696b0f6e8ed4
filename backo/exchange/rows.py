"""Files read row by row: what cannot be read is a fault of its row, not the end."""

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, BinaryIO

from backo.errors import Fault, ValidationError
from backo.exchange.cells import Column, columns_of
from backo.query.strict import strict_loads
from backo.schema.plan import FieldPlan

__all__ = ["Format", "Row", "read_rows"]

type Document = dict[str, Any]

_BOM = b"\xef\xbb\xbf"


class Format(StrEnum):
    """How documents are written down."""

    JSONL = "jsonl"
    """JSON lines: one object in each line."""
    CSV = "csv"
    """RFC 4180: a header, and one column for each field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One document as a file has it."""

    line: int
    """Where it begins; the first line is 1."""
    document: Document
    """As far as it could be read."""
    faults: tuple[Fault, ...] = ()
    """What could not be read."""
    sparse: bool = False
    """Whether null in ``document`` is no more than an empty cell."""

    @property
    def unreadable(self) -> bool:
        """Whether nothing could be read of it."""
        return bool(self.faults) and not self.document


def read_rows(
    file: BinaryIO, form: Format, root: FieldPlan, limit: int
) -> Iterator[Row]:
    """The rows of a file from its beginning, in UTF-8; blank lines are none.

    :param root: says which columns CSV may have.
    :param limit: bytes a row may have.
    :raises ValidationError: the header of a CSV file cannot be read, or names columns
        that there are not.
    """
    file.seek(0)
    lines = _Lines(file, limit, quoted=form is Format.CSV)
    return _csv_rows(lines, root) if form is Format.CSV else _json_rows(lines)


class _RowError(Exception):
    """Why a row cannot be read."""

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


class _Lines:
    """The lines of a file as text, as long as one row has no more bytes of them than
    allowed. The lines of one row are counted from ``begin_row`` on; with ``quoted``, it
    goes on as long as a quotation mark is open."""

    def __init__(self, file: BinaryIO, limit: int, *, quoted: bool) -> None:
        self.file = file
        self.limit = limit
        self.quoted = quoted
        self.number = 0
        self.first = 0
        self._taken = 0
        self._marks = 0

    def begin_row(self) -> None:
        self.first = self.number + 1
        self._taken = 0
        self._marks = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        room = self.limit - self._taken
        line = self.file.readline(room + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken += len(line)
        self._marks += line.count(b'"')
        if self._taken > self.limit:
            self._skip(line)
            raise _RowError(f"is longer than {self.limit} bytes")
        if self.number == 1:
            line = line.removeprefix(_BOM)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise _RowError("is not UTF-8") from error

    def _skip(self, line: bytes) -> None:
        """Go on to the next row, holding no more than a part of this one."""
        while line and not self._ends(line):
            self.number += line.endswith(b"\n")
            line = self.file.readline(self.limit)
            self._marks += line.count(b'"')

    def _ends(self, line: bytes) -> bool:
        is_open = self.quoted and self._marks % 2 == 1
        return line.endswith(b"\n") and not is_open


# -- JSON lines --------------------------------------------------------------------


def _json_rows(lines: _Lines) -> Iterator[Row]:
    while True:
        lines.begin_row()
        try:
            text = next(lines, None)
            if text is None:
                return
            if text.strip():
                yield Row(lines.first, _object(text))
        except _RowError as error:
            yield _unreadable(lines, str(error), error.code)


def _object(text: str) -> Document:
    try:
        value = strict_loads(text)
    except ValueError as error:
        raise _RowError(f"is no JSON: {error}", "not_json") from error
    if not isinstance(value, dict):
        raise _RowError("is no JSON object", "not_json")
    return value


def _unreadable(lines: _Lines, message: str, code: str = "invalid") -> Row:
    return Row(lines.first, {}, (Fault("$", message, code),))


# -- CSV ---------------------------------------------------------------------------


def _csv_rows(lines: _Lines, root: FieldPlan) -> Iterator[Row]:
    # The module's own limit is one of the process; here, rows are limited as a whole.
    csv.field_size_limit(max(csv.field_size_limit(), lines.limit))
    reader = csv.reader(lines, strict=True)
    columns = _header(lines, reader, columns_of(root))
    return _records(lines, reader, columns)


def _header(
    lines: _Lines, reader: Iterator[list[str]], known: tuple[Column, ...]
) -> list[Column]:
    lines.begin_row()
    try:
        names = next(reader, [])
    except (csv.Error, _RowError) as error:
        raise ValidationError(
            [Fault("$", f"the header cannot be read: {error}", "invalid")]
        ) from error
    by_name = {column.name: column for column in known}
    faults = list(_header_faults(names, by_name))
    if faults:
        raise ValidationError(faults)
    return [by_name[name] for name in names]


def _header_faults(names: Sequence[str], known: dict[str, Column]) -> Iterator[Fault]:
    if not names:
        yield Fault("$", "the first line must name the columns", "invalid")
    for at, name in enumerate(names):
        if name not in known:
            listed = ", ".join(known)
            message = f"there is no column {name!r:.100}; there are {listed}"
            yield Fault("$", message, "unknown_field")
        elif name in names[:at]:
            yield Fault("$", f"the column {name} is there twice", "invalid")


def _records(
    lines: _Lines, reader: Iterator[list[str]], columns: list[Column]
) -> Iterator[Row]:
    while True:
        lines.begin_row()
        try:
            cells = next(reader, None)
        except _RowError as error:
            yield _unreadable(lines, str(error), error.code)
        except csv.Error as error:
            yield _unreadable(lines, f"is no CSV: {error}")
        else:
            if cells is None:
                return
            if cells:
                yield _record(lines, cells, columns)


def _record(lines: _Lines, cells: list[str], columns: list[Column]) -> Row:
    if len(cells) != len(columns):
        has = f"has {len(cells)} cells, and the header {len(columns)}"
        return _unreadable(lines, has)
    document: Document = {}
    faults = []
    for column, text in zip(columns, cells, strict=True):
        if text == "" and column.field.read_only:
            continue
        try:
            column.put(column.value(text), document)
        except ValueError as error:
            faults.append(Fault(column.path, str(error), "type"))
            column.put(text, document)
    return Row(lines.first, document, tuple(faults), sparse=True)
