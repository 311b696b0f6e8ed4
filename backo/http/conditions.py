"""Preconditions of a request (RFC 9110, section 13): what the client has seen."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

__all__ = ["http_date", "names_tag", "parse_http_date"]


def names_tag(header: str | None, tag: str, *, weak: bool = False) -> bool:
    """Whether an ``If-Match`` or ``If-None-Match`` names ``tag``, or any (``*``)."""
    if header is None:
        return False
    named = [one.strip() for one in header.split(",")]
    if weak:
        named = [one.removeprefix("W/") for one in named]
    return "*" in named or tag in named


def http_date(at: datetime) -> str:
    """A moment as headers say it, in whole seconds; without a zone it is in UTC."""
    moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return format_datetime(moment, usegmt=True)


def parse_http_date(header: str | None) -> datetime | None:
    """The moment a header says; None where it says none: it counts as not there."""
    if header is None:
        return None
    try:
        found = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    # The zone "-0000" is none to Python.
    return found if found.tzinfo else found.replace(tzinfo=UTC)
