"""Random documents: of the shape that the plan says, and of any other."""

import random
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from backo.connectors.base import Document
from backo.connectors.testing.making import chances
from backo.schema.plan import Kind

__all__ = [
    "INTEGERS",
    "NUMBERS",
    "TEXTS",
    "any_documents",
    "any_json",
    "any_text",
    "book",
    "random_documents",
    "value_of",
]

TEXTS = (
    *(
        "",
        "a",
        "b",
        "ab",
        "A",
        "é",
        "😀",
        "a\0b",
        "a\0",
        "a\0a",
        "\\u0000",
        "1",
        "true",
    ),
    *("2020-01-01T00:00:00", "2020-01-01T01:00:00+01:00", "2020-01-01", "::1"),
    *("10.0.0.1", "10.0.0.0/8", '"', "'", "a'b", "[1]", "\n", "ab\ncd", "\uffff"),
    *("%", "_", "$a", "null", "NO", "12:30", "1e5", " a ", "a" * 300),
)
INTEGERS = (0, 1, 2, 3, -1, 2**53, 2**53 + 1, 2**63 - 1, 1 - 2**63)
LARGE = (2**63, 2**63 + 1, -(2**63), -(2**70), 10**30, 10**33 + 1)
"""Integers that no Int field holds, of no more digits than IEEE 754 decimals have."""
FLOATS = (
    *(0.1, 0.30000000000000004, 1.0, -0.0, 0.5, 2.5, -0.25),
    *(1e300, 5e-324, 1e-310, 2.0**63, 2.0**53),
)
NUMBERS = INTEGERS + LARGE + FLOATS
MOMENTS = (
    *("2020-01-01T00:00:00", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00+00:00"),
    *("2020-01-01T00:00:00.000001", "2020-01-01T00:00:00.999999-03:30"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2019-12-31T00:00:00"),
)
_VALUES: Mapping[Kind, tuple[Any, ...]] = MappingProxyType(
    {
        Kind.STRING: TEXTS,
        Kind.INT: INTEGERS,
        Kind.FLOAT: (*FLOATS, 0, 1, 2, -1, 2**53),
        Kind.BOOL: (True, False),
        Kind.DATETIME: MOMENTS,
        Kind.IPADDRESS: ("10.0.0.1", "9.0.0.0", "::1", "fe80::1%x", "255.0.0.0"),
        Kind.IPNETWORK: ("10.0.0.0/8", "10.0.0.0/9", "::/0", "9.0.0.0/8"),
        Kind.URL: ("http://a/", "https://b.example/x?y#z", "http://a/b"),
        Kind.BYTES: ("", "AA==", "AAE=", "YWJj", "/+8="),
        Kind.IN: (*TEXTS[:6], *INTEGERS[:5], "1"),
    }
)


def value_of(chance: random.Random, kind: Kind) -> Any:
    """A value that a field of this kind may have."""
    match kind:
        case Kind.EXTEND:
            return chance.choice((True, False, *NUMBERS, *TEXTS))
        case Kind.LIST:
            return _several(chance, lambda: _scalar(chance))
        case Kind.TUPLE:
            return [value_of(chance, Kind.STRING), value_of(chance, Kind.INT)]
        case Kind.DICT:
            return _some(chance, ("zip", "city", "name"), lambda: _scalar(chance))
        case Kind.FREEDICT:
            return _some(chance, ("b", "c", "a.b"), lambda: _inner(chance, 2))
        case Kind.STRING if chance.random() < 0.1:
            return any_text(chance, printable=True)
        case _:
            return chance.choice(_VALUES[kind])


def any_text(chance: random.Random, *, printable: bool = False) -> str:
    """A short text of any characters of Unicode."""
    most = chance.choice((0x7F, 0x2FF, 0xFFFF, sys.maxunicode))
    drawn = (chr(chance.randint(0, most)) for _ in range(chance.randrange(6)))
    ours = (one for one in drawn if not "\ud800" <= one <= "\udfff")
    return "".join(one for one in ours if one.isprintable() or not printable)


def any_json(chance: random.Random, depth: int = 3) -> Any:
    """Any JSON value, with the names of fields in it."""
    return _inner(chance, depth, scalar=lambda: _scalar(chance))


# -- of the plan's shape -----------------------------------------------------------


def book(**fields: Any) -> Document:
    """A document of the plan's shape: a Dict is always there."""
    return {"address": {}, **fields}


def random_documents(seed: int, count: int) -> list[Document]:
    """Documents without ids, as backo makes them of what the schema lets pass: each
    field is set, null or absent, whatever is in it is of its type. Something is set in
    the Dict, as an empty one means as little as none."""
    chance = chances(seed)
    return [_addressed(chance, _document(chance)) for _ in range(count)]


def _addressed(chance: random.Random, document: Document) -> Document:
    address = document["address"]
    if all(one is None for one in address.values()):
        address["row"] = value_of(chance, Kind.INT)
    return document


_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "title": Kind.STRING,
        "pages": Kind.INT,
        "price": Kind.FLOAT,
        "ok": Kind.BOOL,
        "when": Kind.DATETIME,
        "ip": Kind.IPADDRESS,
        "net": Kind.IPNETWORK,
        "link": Kind.URL,
        "data": Kind.BYTES,
        "either": Kind.IN,
        "pair": Kind.TUPLE,
        "it's odd": Kind.STRING,
        'quo"te': Kind.STRING,
    }
)


def _document(chance: random.Random) -> Document:
    drawn = {name: _or_null(chance, kind) for name, kind in _FIELDS.items()}
    drawn["tags"] = _list_or_null(chance, lambda: value_of(chance, Kind.STRING))
    drawn["numbers"] = _list_or_null(chance, lambda: value_of(chance, Kind.INT))
    drawn["authors"] = _list_or_null(chance, lambda: _author(chance))
    drawn["extra"] = chance.choice((None, {}, _free(chance), _free(chance)))
    drawn["address"] = {
        "zip": _or_null(chance, Kind.STRING),
        "city": _or_null(chance, Kind.STRING),
        "row": _or_null(chance, Kind.INT),
    }
    absent = chance.sample(sorted(drawn), chance.randrange(4))
    return {
        name: value
        for name, value in drawn.items()
        if value is not None or name not in absent
    }


def _author(chance: random.Random) -> Document:
    author = {
        "name": _or_null(chance, Kind.STRING),
        "age": _or_null(chance, Kind.INT),
        "langs": _list_or_null(chance, lambda: value_of(chance, Kind.STRING)),
    }
    return {name: value for name, value in author.items() if chance.random() < 0.8}


def _free(chance: random.Random) -> Document:
    """What a FreeDict may hold: JSON, with integers of 64 bits."""
    return _some(chance, ("a.b", "b", "", "$c", "é"), lambda: _inner(chance, 2))


def _inner(
    chance: random.Random, depth: int, scalar: Callable[[], Any] | None = None
) -> Any:
    plain = scalar or (lambda: _plain(chance))
    below: Callable[[], Any] = lambda: _inner(chance, depth - 1, scalar)  # noqa: E731
    form = chance.randrange(4) if depth else 0
    if form == 2:
        return _several(chance, below)
    if form == 3:
        return _some(chance, ("name", "age", "zip", "b"), below)
    return plain()


def _plain(chance: random.Random) -> Any:
    return chance.choice((None, True, False, *INTEGERS, *FLOATS, *TEXTS))


def _or_null(chance: random.Random, kind: Kind) -> Any:
    return None if chance.random() < 0.25 else value_of(chance, kind)


def _list_or_null(chance: random.Random, draw: Callable[[], Any]) -> Any:
    return None if chance.random() < 0.25 else _several(chance, draw)


def _several(chance: random.Random, draw: Callable[[], Any]) -> list[Any]:
    return [draw() for _ in range(chance.randrange(4))]


def _some(
    chance: random.Random, names: tuple[str, ...], draw: Callable[[], Any]
) -> Document:
    return {name: draw() for name in names if chance.random() < 0.4}


# -- of any shape ------------------------------------------------------------------


def any_documents(seed: int, count: int) -> list[Document]:
    """Documents without ids as other programs may have left them: of the plan's shape
    for the most part, with any JSON value now and then."""
    chance = chances(seed)
    return [_spoiled(chance, _document(chance)) for _ in range(count)]


def _spoiled(chance: random.Random, document: Document) -> Document:
    document["pages"] = chance.choice((None, *INTEGERS, *LARGE))
    document["price"] = chance.choice((None, *NUMBERS))
    document[""] = chance.choice((None, *INTEGERS))
    document = {name: one for name, one in document.items() if chance.random() < 0.6}
    for name in document:
        if chance.random() < 0.15:
            document[name] = any_json(chance)
    return document


def _scalar(chance: random.Random) -> Any:
    return chance.choice((None, True, False, *NUMBERS, *TEXTS))
