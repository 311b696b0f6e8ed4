"""Documents as rows of cells, for CSV: one column for each field, Dicts taken apart.

An empty cell is an unset field. Texts stand as they are; one that is empty, or that
begins with what would be read as something else (a quotation mark, or what a
spreadsheet takes for a formula), stands as a JSON string. Numbers and bools stand as in
JSON; whatever has parts, or may be of several types, is JSON.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from backo.errors import BackoError
from backo.query.strict import strict_loads
from backo.query.values import read_text
from backo.schema.plan import FieldPlan, Kind

__all__ = ["Column", "columns_of"]

type Document = dict[str, Any]

_TEXTS = frozenset(
    {
        *(Kind.STRING, Kind.URL, Kind.DATETIME),
        *(Kind.BYTES, Kind.IPADDRESS, Kind.IPNETWORK),
    }
)
_MISREAD = ('"', "=", "+", "-", "@", "\t", "\r")
"""First characters: ours for JSON, and those that start a formula in spreadsheets."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One field that is no Dict, wherever in the document it stands."""

    steps: tuple[str, ...]
    field: FieldPlan

    @property
    def name(self) -> str:
        """As it stands in the header: ``shelf.room``."""
        return ".".join(self.steps)

    @property
    def path(self) -> str:
        """As it stands in faults: ``$.shelf.room``."""
        return f"$.{self.name}"

    def cell(self, document: Document) -> str:
        """The text of the field's value in ``document``.

        :raises BackoError: the value is not of the field's type.
        """
        value: Any = document
        for step in self.steps:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return ""
        try:
            return self._writer(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise BackoError(
                f"{document.get('_id')}: {self.path}: {error}, and cannot stand in a "
                "CSV file; JSON lines hold any document"
            ) from error

    def value(self, text: str) -> Any:
        """What a cell says; None for an unset field. ValueError: it says nothing that
        could be of the field's type."""
        return None if text == "" else self._reader(text)

    def put(self, value: Any, document: Document) -> None:
        """Put the field's value into ``document``, with the Dicts around it."""
        here = document
        for step in self.steps[:-1]:
            here = here.setdefault(step, {})
        here[self.steps[-1]] = value

    @property
    def _writer(self) -> Callable[[Any], str]:
        return _json if self.field.custom else _WRITERS.get(self.field.kind, _json)

    def _reader(self, text: str) -> Any:
        if self.field.custom or self.field.kind not in _WRITERS:
            return _read_json(text)
        if self.field.kind in _TEXTS:
            return _read_text(text)
        return read_text(self.field, text)


def columns_of(root: FieldPlan) -> tuple[Column, ...]:
    """The columns of the documents that ``root`` describes, in the schema's order."""
    return tuple(_columns(root, ()))


def _columns(field: FieldPlan, steps: tuple[str, ...]) -> Iterator[Column]:
    for child in field.fields:
        below = (*steps, child.name)
        if child.kind is Kind.DICT:
            yield from _columns(child, below)
        else:
            yield Column(below, child)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("is no text")
    return _json(value) if value == "" or value.startswith(_MISREAD) else value


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("is no number")
    if not math.isfinite(value):
        raise ValueError("is not finite")
    return json.dumps(value)


def _bool(value: Any) -> str:
    if not isinstance(value, bool):
        raise TypeError("is neither true nor false")
    return json.dumps(value)


_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode

_WRITERS: Mapping[Kind, Callable[[Any], str]] = MappingProxyType(
    {
        **dict.fromkeys(_TEXTS, _text),
        **dict.fromkeys((Kind.INT, Kind.FLOAT), _number),
        Kind.BOOL: _bool,
    }
)


def _read_text(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        value = strict_loads(text)
    except ValueError:
        value = None
    if not isinstance(value, str):
        raise ValueError('begins with ", so it must be a JSON string')
    return value


def _read_json(text: str) -> Any:
    try:
        return strict_loads(text)
    except ValueError as error:
        raise ValueError(f"must be JSON: {error}") from error
