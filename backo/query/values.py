"""Values of a filter, read by the type of the field they are compared with.

Each reader gives the value in document form and raises ValueError with words for the
client. JSON types are not coerced: ``"12"`` is no Int, ``true`` is no number, ``1`` is
a Float. Texts of a query string are read by the field's type, never guessed.
"""

import base64
import binascii
import datetime
import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from stricto import GenericType

from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "ANYTHING",
    "TEXT_ALTERNATIVES",
    "alternatives",
    "from_python",
    "read_json",
    "read_text",
]

ANYTHING = FieldPlan(name="", path="$", kind=Kind.EXTEND, node=None)
"""What stands below a FreeDict: any JSON value."""

TEXT_ALTERNATIVES = tuple(
    FieldPlan(name="", path="$", kind=kind, node=None)
    for kind in (Kind.STRING, Kind.FLOAT, Kind.BOOL)
)
"""What a text of a query string may mean where any JSON value may stand."""

_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def alternatives(field: FieldPlan) -> tuple[FieldPlan, ...]:
    """The types a field's value may have: itself, or the alternatives of an In."""
    if field.kind is not Kind.IN:
        return (field,)
    return tuple(one for below in field.elements for one in alternatives(below))


# -- JSON --------------------------------------------------------------------------


def read_json(field: FieldPlan, value: Any) -> Any:
    """The JSON value in document form. ValueError: it is none of the field's type."""
    return _JSON[field.kind](field, value)


def _string(field: FieldPlan, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _int(field: FieldPlan, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be an integer")
    return value


def _float(field: FieldPlan, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _bool(field: FieldPlan, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _bytes(field: FieldPlan, value: Any) -> str:
    try:
        content = base64.b64decode(_string(field, value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64") from error
    return base64.b64encode(content).decode("ascii")


def _datetime(field: FieldPlan, value: Any) -> str:
    try:
        return datetime.datetime.fromisoformat(_string(field, value)).isoformat()
    except ValueError as error:
        raise ValueError("must be a date and time of ISO 8601") from error


def _ipaddress(field: FieldPlan, value: Any) -> str:
    try:
        return str(ipaddress.ip_address(_string(field, value)))
    except ValueError as error:
        raise ValueError("must be an IP address") from error


def _ipnetwork(field: FieldPlan, value: Any) -> str:
    try:
        return str(ipaddress.ip_network(_string(field, value)))
    except ValueError as error:
        raise ValueError("must be an IP network") from error


def _anything(field: FieldPlan, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _freedict(field: FieldPlan, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def _dict(field: FieldPlan, value: Any) -> dict[str, Any]:
    members = {}
    for name, member in _freedict(field, value).items():
        below = field.field(name)
        if below is None:
            raise ValueError(f"has no field {name!r}")
        members[name] = _member(below, member)
    return members


def _list(field: FieldPlan, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    element = field.element or ANYTHING
    return [_member(element, one) for one in value]


def _tuple(field: FieldPlan, value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) != len(field.elements):
        raise ValueError(f"must be a list of {len(field.elements)} values")
    return [_member(*pair) for pair in zip(field.elements, value, strict=True)]


def _member(field: FieldPlan, value: Any) -> Any:
    return None if value is None else read_json(field, value)


def _in(field: FieldPlan, value: Any) -> Any:
    for one in alternatives(field):
        try:
            return read_json(one, value)
        except ValueError:
            continue
    raise ValueError("has none of the field's types")


_JSON: Mapping[Kind, Callable[[FieldPlan, Any], Any]] = MappingProxyType(
    {
        Kind.STRING: _string,
        Kind.URL: _string,
        Kind.INT: _int,
        Kind.FLOAT: _float,
        Kind.BOOL: _bool,
        Kind.BYTES: _bytes,
        Kind.DATETIME: _datetime,
        Kind.IPADDRESS: _ipaddress,
        Kind.IPNETWORK: _ipnetwork,
        Kind.FREEDICT: _freedict,
        Kind.EXTEND: _anything,
        Kind.DICT: _dict,
        Kind.LIST: _list,
        Kind.TUPLE: _tuple,
        Kind.IN: _in,
    }
)


# -- query strings -----------------------------------------------------------------


def read_text(field: FieldPlan, value: Any) -> Any:
    """The text (a list of texts for a List) of a query string in document form.

    ValueError: it is none of the field's type.
    """
    if isinstance(value, list):
        return _texts(field, value)
    convert = _TEXT.get(field.kind)
    return read_json(field, value if convert is None else convert(value))


def _texts(field: FieldPlan, values: list[str]) -> list[Any]:
    if field.kind is Kind.TUPLE and len(field.elements) == len(values):
        return [read_text(*pair) for pair in zip(field.elements, values, strict=True)]
    if field.kind is not Kind.LIST or field.element is None:
        raise ValueError("takes one value")
    return [_first_text(field.element, one) for one in values]


def _first_text(field: FieldPlan, text: str) -> Any:
    for one in alternatives(field):
        try:
            return read_text(one, text)
        except ValueError:
            continue
    raise ValueError("has an element of a wrong type")


def _int_of(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be an integer")
    try:
        return int(text)
    except ValueError as error:
        raise ValueError("must be a shorter integer") from error


def _float_of(text: str) -> int | float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a number")
    return _int_of(text) if _INTEGER.fullmatch(text) else float(text)


def _bool_of(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


_TEXT: Mapping[Kind, Callable[[str], Any]] = MappingProxyType(
    {Kind.INT: _int_of, Kind.FLOAT: _float_of, Kind.BOOL: _bool_of}
)


# -- Python ------------------------------------------------------------------------

_FLAGS = (
    (re.IGNORECASE, "i"),
    (re.MULTILINE, "m"),
    (re.DOTALL, "s"),
    (re.VERBOSE, "x"),
)


def from_python(value: Any) -> Any:
    """A Python value as JSON writes it: datetimes, bytes, addresses, stricto nodes."""
    match value:
        case GenericType():
            return from_python(value.get_value())
        case datetime.date():
            return value.isoformat()
        case bytes() | bytearray():
            return base64.b64encode(value).decode("ascii")
        case complex():
            return {"real": value.real, "imag": value.imag}
        case re.Pattern():
            return _pattern(value)
        case list() | tuple():
            return [from_python(one) for one in value]
        case dict():
            return {name: from_python(member) for name, member in value.items()}
        case _:
            return str(value) if type(value) in _ADDRESSES else value


def _pattern(compiled: re.Pattern[str]) -> str:
    letters = "".join(letter for flag, letter in _FLAGS if compiled.flags & flag)
    return f"(?{letters}){compiled.pattern}" if letters else compiled.pattern


_ADDRESSES = frozenset(
    {
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    }
)
