"""How values of each extended type are written in JSON, and what text is one of them.

Each function takes the text of a request or a store and gives the one text backo
keeps for that value, or raises ``ValueError``.
"""

import base64
import binascii
import functools
import ipaddress
import math
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "canonical_base64",
    "canonical_datetime",
    "canonical_ipaddress",
    "canonical_ipnetwork",
    "canonical_url",
    "check_json",
    "microseconds",
]

INT_MIN, INT_MAX = 1 - 2**63, 2**63 - 1
"""What every store and every client language holds exactly in one integer, but for
-2**63: pydantic takes it from JSON as -9223372036854775808, and not as -9.2…e18."""


_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC; without an offset the moment is taken to be in UTC.

    A number, as the first and last hours of the calendar may be none of it in UTC.
    """
    offset = moment.utcoffset() or timedelta()
    local = moment.replace(tzinfo=None) - _EPOCH
    return local // _MICROSECOND - offset // _MICROSECOND


@functools.lru_cache(maxsize=1024)
def canonical_datetime(text: str, *, truncate: bool = False) -> str:
    """ISO 8601 text as :meth:`datetime.isoformat` writes it; offsets are kept."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(microsecond=0) if truncate else moment).isoformat()


def canonical_base64(text: str) -> str:
    """Standard base64 (RFC 4648, section 4) without spare bits or characters."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def canonical_ipaddress(text: str) -> str:
    """An IPv4 or IPv6 address, compressed as RFC 5952 says."""
    return str(ipaddress.ip_address(text))


def canonical_ipnetwork(text: str) -> str:
    """A network in CIDR notation without host bits."""
    return str(ipaddress.ip_network(text))


def canonical_url(text: str) -> str:
    """A URL with a scheme and an authority."""
    parts = urlsplit(text)
    if not parts.scheme or not parts.netloc:
        raise ValueError("a URL needs a scheme and a host")
    return parts.geturl()


def check_json(value: Any) -> Any:
    """``value`` when all of it is JSON that every store holds exactly.

    :raises ValueError: a number is not finite or has more than 64 bits, a key is no
        string, or a value is of no JSON type.
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys must be strings")
        for below in value.values():
            check_json(below)
    elif isinstance(value, list):
        for below in value:
            check_json(below)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif type(value) is int and not INT_MIN <= value <= INT_MAX:
        raise ValueError("integers must fit in 64 bits")
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise ValueError(f"{type(value).__name__} is no JSON value")
    return value
