"""Documents as BSON, in MongoDB's own types, and back exactly.

* An id of 24 lower-case hexadecimal digits is an ObjectId, any other text a string.
* What the plan says is a Datetime is a date, and Bytes are binary data, wherever they
  stand; what is none, or in a place with no such plan, stays the text that it is.
* Integers of more than 64 bits are Decimal128, with up to 34 digits.

A date of BSON has milliseconds and no offset. What it cannot say of a text stands in
the member ``_exact`` of the document, in the same place: ``us``, the microseconds to
add, and ``text``, if isoformat would write it otherwise (with an offset that is not
``+00:00``, or without any). A document that needs none has none.
"""

import base64
import binascii
import decimal
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from bson import Binary, Decimal128, Int64, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from backo.connectors.texts import Document
from backo.errors import UnstorableError
from backo.query.compare import instant
from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "CODEC",
    "EXACT",
    "MICROSECONDS",
    "Moment",
    "bson_id",
    "bson_number",
    "decoded",
    "encoded",
    "encoded_bytes",
    "first_object_id",
    "moment",
    "text_id",
]

EXACT = "_exact"
MICROSECONDS = "us"
_TEXT = "text"

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS
)
"""Dates as milliseconds: some that are stored are none of Python's."""


# -- ids ---------------------------------------------------------------------------

_HEXADECIMAL = "0123456789abcdef"
_is_object_id = re.compile("[0-9a-f]{24}").fullmatch


def bson_id(_id: str) -> Any:
    """How the id is stored."""
    return ObjectId(_id) if _is_object_id(_id) else _id


def text_id(stored: Any) -> str:
    """The id of a stored ``_id``."""
    return str(stored)


def first_object_id(text: str) -> ObjectId | None:
    """The first ObjectId, as text, that does not sort before ``text``."""
    for index, character in enumerate(text[:24]):
        if character in _HEXADECIMAL:
            continue
        greater = [digit for digit in _HEXADECIMAL if digit > character]
        if greater:
            return _object_id(int((text[:index] + greater[0]).ljust(24, "0"), 16))
        return _object_id((int(text[:index] or "0", 16) + 1) << 4 * (24 - index))
    number = int(text[:24].ljust(24, "0") or "0", 16)
    return _object_id(number + 1 if len(text) > 24 else number)


def _object_id(number: int) -> ObjectId | None:
    return ObjectId(f"{number:024x}") if number < 1 << 96 else None


# -- dates -------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (each.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    for each in (datetime.min, datetime.max)
)


class Moment(NamedTuple):
    """An instant as two numbers that order as it does: milliseconds since 1970, of
    the years 1 to 9999, and the microseconds that are missing."""

    date: int
    rest: int

    @property
    def at_an_end(self) -> bool:
        """Whether there are earlier or later ones with the same date."""
        return self.date in (_FIRST, _LAST)

    @property
    def microseconds(self) -> int:
        return self.date * 1000 + self.rest


def moment(text: object) -> Moment | None:
    """The instant of an ISO 8601 text, or None if it is none."""
    found = instant(text)
    if found is None:
        return None
    # The first and last hours of the calendar may be none of it in UTC.
    date = min(max(found // 1000, _FIRST), _LAST)
    return Moment(date, found - date * 1000)


def _written(found: int) -> str | None:
    """The instant in UTC, if it is of the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=found)).isoformat()
    except OverflowError:
        return None


# -- from documents ----------------------------------------------------------------


class _Stored(NamedTuple):
    """A value as BSON, and what must stand in ``_exact`` for it."""

    value: Any
    exact: dict[str, Any] | None = None


def _date(value: Any, field: FieldPlan) -> _Stored:
    found = moment(value)
    if found is None:
        return _Stored(_plain(value))
    exact: dict[str, Any] = {}
    if found.rest or found.at_an_end:
        exact[MICROSECONDS] = found.rest
    if value != _written(found.microseconds):
        exact[_TEXT] = value
    return _Stored(DatetimeMS(found.date), exact or None)


def encoded_bytes(value: Any) -> Any:
    """Binary data of its base64; as it is if it is not the base64 of anything."""
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return _plain(value)
    # Spare bits would be lost.
    same = base64.b64encode(data).decode("ascii") == value
    return Binary(data) if same else value


def _dict(value: Any, field: FieldPlan) -> _Stored:
    if not isinstance(value, dict):
        return _Stored(_plain(value))
    known = {each.name: each for each in field.fields}
    return _members(value, {name: known.get(name) for name in value})


def _members(value: dict[str, Any], fields: dict[str, FieldPlan | None]) -> _Stored:
    made, exact = {}, {}
    for name, below in value.items():
        made[name], told = _stored(below, fields[name])
        if told:
            exact[name] = told
    return _Stored(made, exact or None)


def _list(value: Any, field: FieldPlan) -> _Stored:
    return _elements(value, lambda index: field.element)


def _tuple(value: Any, field: FieldPlan) -> _Stored:
    fields = dict(enumerate(field.elements))
    return _elements(value, fields.get)


def _elements(value: Any, field_of: Callable[[int], FieldPlan | None]) -> _Stored:
    if not isinstance(value, list | tuple):
        return _Stored(_plain(value))
    each = [_stored(one, field_of(index)) for index, one in enumerate(value)]
    exact = {str(index): one.exact for index, one in enumerate(each) if one.exact}
    return _Stored([one.value for one in each], exact or None)


_OF_KIND: Mapping[Kind, Callable[[Any, FieldPlan], _Stored]] = MappingProxyType(
    {
        Kind.DATETIME: _date,
        Kind.BYTES: lambda value, field: _Stored(encoded_bytes(value)),
        Kind.DICT: _dict,
        Kind.LIST: _list,
        Kind.TUPLE: _tuple,
    }
)


def _stored(value: Any, field: FieldPlan | None) -> _Stored:
    encode = None if field is None else _OF_KIND.get(field.kind)
    if field is None or encode is None or value is None:
        return _Stored(_plain(value))
    return encode(value, field)


def _plain(value: Any) -> Any:
    """A value of no special type."""
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return bson_number(value)
        case dict():
            return {name: _plain(below) for name, below in value.items()}
        case list() | tuple():
            return [_plain(below) for below in value]
        case _:
            raise UnstorableError(f"a {type(value).__name__} is no JSON value")


def bson_number(value: int | float) -> Any:
    """How a number is stored.

    :raises UnstorableError: MongoDB cannot keep it exactly.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstorableError(f"{value} is no JSON value")
        return value
    if -(2**63) <= value < 2**63:
        return value
    with decimal.localcontext(decimal.Context(prec=10**4, Emax=10**4, Emin=-(10**4))):
        exact = decimal.Decimal(value)
    if len(exact.normalize(decimal.Context(prec=10**4)).as_tuple().digits) > 34:
        raise UnstorableError("MongoDB keeps no integer of more than 34 digits")
    return Decimal128(decimal.Context(prec=34).create_decimal(exact))


def encoded(_id: str, document: Document, root: FieldPlan) -> dict[str, Any]:
    """The document as it is stored, ``_id`` first.

    :raises UnstorableError: MongoDB cannot keep it.
    """
    rest = {name: value for name, value in document.items() if name != "_id"}
    if EXACT in rest:
        raise UnstorableError(f"a document in MongoDB has no member {EXACT}")
    try:
        made, exact = _dict(rest, root)
    except RecursionError as error:
        raise UnstorableError("a document nests too deeply to be stored") from error
    told = {EXACT: exact} if exact else {}
    return {"_id": bson_id(_id), **made, **told}


# -- to documents ------------------------------------------------------------------


def decoded(stored: dict[str, Any]) -> Document:
    """The document of a stored one."""
    exact = stored.pop(EXACT, None)
    document = {name: _value(below) for name, below in stored.items()}
    document["_id"] = text_id(stored["_id"])
    if isinstance(exact, dict):
        for name, told in exact.items():
            _restore(document, name, told)
    return document


def _value(value: Any) -> Any:
    return _READ.get(type(value), str)(value)


def _decimal(value: Decimal128) -> Any:
    number = value.to_decimal()
    if not number.is_finite():
        return None
    return int(number) if number == number.to_integral_value() else float(number)


_READ: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        dict: lambda value: {name: _value(below) for name, below in value.items()},
        list: lambda value: [_value(below) for below in value],
        DatetimeMS: lambda value: _written(int(value) * 1000),
        bytes: lambda value: base64.b64encode(value).decode("ascii"),
        Binary: lambda value: base64.b64encode(value).decode("ascii"),
        Int64: int,
        Decimal128: _decimal,
        ObjectId: str,
        bool: lambda value: value,
        int: lambda value: value,
        float: lambda value: value if value - value == 0 else None,
        str: lambda value: value,
        type(None): lambda value: value,
    }
)
"""What other programs have left in types of their own is read as text."""


def _restore(holder: Any, name: str, told: Any) -> None:
    """Say exactly what ``told`` knows of the dates at ``name``."""
    key: Any = name
    if isinstance(holder, list):
        key = int(name) if name.isdecimal() else -1
        if not 0 <= key < len(holder):
            return
    elif not isinstance(holder, dict) or name not in holder:
        return
    if not isinstance(told, dict):
        return
    value = holder[key]
    if isinstance(value, dict | list):
        for below, more in told.items():
            _restore(value, below, more)
    elif isinstance(value, str) or value is None:
        holder[key] = _exactly(value, told)


def _exactly(text: str | None, told: dict[str, Any]) -> Any:
    """The date that was stored as ``text``, unless another program has changed it."""
    rest, written = told.get(MICROSECONDS, 0), told.get(_TEXT)
    found = moment(text)
    if found is None or not isinstance(rest, int):
        return text
    whole = found.microseconds + rest
    if isinstance(written, str):
        return written if instant(written) == whole else _written(whole)
    return _written(whole)
