"""How two values of a document are compared, kind by kind."""

from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Any

from backo.schema.plan import Kind
from backo.schema.wire import microseconds

__all__ = [
    "WHOLE",
    "Key",
    "address",
    "comparison_kind",
    "instant",
    "key_function",
    "network",
    "number",
    "same",
]

type Key = Callable[[object], Any]
"""Gives what stands for a value in comparisons, or None when it is of another type."""

WHOLE = frozenset({Kind.LIST, Kind.TUPLE, Kind.DICT, Kind.FREEDICT})
"""The kinds compared as a whole, by :func:`same`."""


def number(value: object) -> Any:
    """The value if it is a number: no bool, and not NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if value != value else value


def _text(value: object) -> Any:
    return value if isinstance(value, str) else None


def _bool(value: object) -> Any:
    return value if isinstance(value, bool) else None


def instant(value: object) -> int | None:
    """Microseconds since 1970 UTC of an ISO 8601 text; without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        return microseconds(datetime.fromisoformat(value))
    except ValueError:
        return None


def address(value: object) -> str | None:
    """A text that orders IP addresses by version, then number, then scope."""
    if not isinstance(value, str):
        return None
    try:
        ip = ip_address(value)
    except ValueError:
        return None
    return f"{ip.version}{int(ip):032x}{getattr(ip, 'scope_id', None) or ''}"


def network(value: object) -> str | None:
    """A text that orders IP networks by version, then number, then prefix length."""
    if not isinstance(value, str):
        return None
    try:
        net = ip_network(value)
    except ValueError:
        return None
    start = int(net.network_address)
    return f"{net.version}{start:032x}{net.prefixlen:03}"


_KEYS: Mapping[Kind, Key] = MappingProxyType(
    {
        Kind.STRING: _text,
        Kind.URL: _text,
        Kind.BYTES: _text,
        Kind.INT: number,
        Kind.FLOAT: number,
        Kind.BOOL: _bool,
        Kind.DATETIME: instant,
        Kind.IPADDRESS: address,
        Kind.IPNETWORK: network,
    }
)


def comparison_kind(kind: Kind, value: object) -> Kind:
    """``kind``, or the JSON type of ``value`` where the kind leaves the type open."""
    if kind not in (Kind.EXTEND, Kind.IN, Kind.FREEDICT):
        return kind
    match value:
        case bool():
            return Kind.BOOL
        case int() | float():
            return Kind.FLOAT
        case list() | tuple():
            return Kind.LIST
        case dict():
            return Kind.DICT
        case _:
            return Kind.STRING


def key_function(kind: Kind) -> Key | None:
    """How values of this kind are compared; None: as a whole, by :func:`same`."""
    return _KEYS.get(kind)


def same(expected: object, actual: object) -> bool:
    """Equality of JSON values: ``1 == 1.0``, ``True != 1``, null members are absent.

    It goes no deeper than ``expected``, so no document can exhaust the stack.
    """
    match expected:
        case dict():
            return isinstance(actual, dict) and _same_members(expected, actual)
        case list() | tuple():
            return (
                isinstance(actual, list)
                and len(expected) == len(actual)
                and all(map(same, expected, actual))
            )
        case bool() | None:
            return expected is actual
        case _:
            return not isinstance(actual, bool) and expected == actual


def _same_members(expected: dict[Any, Any], actual: dict[Any, Any]) -> bool:
    wanted = {name: value for name, value in expected.items() if value is not None}
    present = sum(value is not None for value in actual.values())
    return present == len(wanted) and all(
        same(value, actual.get(name)) for name, value in wanted.items()
    )
