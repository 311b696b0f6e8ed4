"""The SQL expressions of fields, which filters, sorts and indexes share: SQLite uses an
index only where the expression is written the same."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from backo.schema.plan import Kind

__all__ = [
    "FUNCTION_OF",
    "NUMBERS",
    "OPEN",
    "TEXTS",
    "column",
    "index_expression",
    "is_id",
    "json_path",
    "nameable",
    "odd_expression",
]

TEXTS = frozenset({Kind.STRING, Kind.URL, Kind.BYTES})
NUMBERS = frozenset({Kind.INT, Kind.FLOAT})
FUNCTION_OF: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.DATETIME: "backo_instant",
        Kind.IPADDRESS: "backo_address",
        Kind.IPNETWORK: "backo_network",
    }
)
OPEN = frozenset({Kind.EXTEND, Kind.IN})

_NAMEABLE = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')


def json_path(names: Iterable[str]) -> str:
    """A JSON path as an SQL string literal: ``'$."a"."b"'``."""
    path = "$" + "".join(f'."{name}"' for name in names)
    return "'" + path.replace("'", "''") + "'"


def nameable(path: tuple[str, ...]) -> bool:
    return all(_NAMEABLE.fullmatch(name) for name in path)


def is_id(path: tuple[str, ...], kind: Kind) -> bool:
    """Whether the column ``id``, always a text, holds what is compared."""
    return path == ("_id",) and kind in TEXTS | OPEN


def column(path: tuple[str, ...], kind: Kind) -> str:
    """What a document is compared or ordered by; NULL when absent or of another type.

    It is the expression that indexes are made of, so its text must not vary.
    """
    if is_id(path, kind):
        return "id"
    place = json_path(path)
    value = f"json_extract(document, {place})"
    if kind in FUNCTION_OF:
        return f"{FUNCTION_OF[kind]}({value})"
    kind_of = f"json_type(document, {place})"
    if kind is Kind.BOOL:
        return f"CASE {kind_of} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
    return f"CASE WHEN {kind_of} IN ('text', 'integer', 'real') THEN {value} END"


def index_expression(path: tuple[str, ...], kind: Kind) -> str | None:
    """The expression to index a field by, or None when no index would help."""
    if kind not in TEXTS | NUMBERS | OPEN | {*FUNCTION_OF, Kind.BOOL}:
        return None
    return f"({column(path, kind)})" if nameable(path) else None


def odd_expression(indexed: Iterable[tuple[str, ...]]) -> str:
    """Whether a document is odd, as sqlite_query says."""
    terms = ["instr(document, '\\u0000') > 0"]
    for path in indexed:
        for end in range(1, len(path) + 1):
            terms.append(f"json_type(document, {json_path(path[:end])}) = 'array'")
        place = json_path(path)
        terms.append(
            f"(json_type(document, {place}) = 'integer'"
            f" AND typeof(json_extract(document, {place})) = 'real')"
        )
    return " OR ".join(terms)
