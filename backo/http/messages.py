"""Requests and responses as backo sees them, whatever framework carries them."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote

from backo.errors import FilterError

__all__ = [
    "BINARY",
    "JSON",
    "MAX_PARAMETERS",
    "PROBLEM",
    "Request",
    "Response",
    "media_type",
]

JSON = "application/json"
PROBLEM = "application/problem+json"
BINARY = "*/*"
"""What a content may be: anything."""
MAX_PARAMETERS = 1000
"""Query parameters one request may have."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are in lower case, repeated headers are joined by
    commas; ``path`` is decoded and holds whatever the application is mounted below."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    path_params: Mapping[str, str]
    body: bytes = b""
    stream: Iterator[bytes] | None = None
    """The body piece by piece, where it is read while the request is answered; ``body``
    is empty then. It raises a BadFormError when the body ends early."""

    @cached_property
    def uri(self) -> str:
        """``path`` as a URI reference (RFC 3986): what is sent back to the client."""
        return quote(self.path, safe="/:@!$&'()*+,;=", errors="surrogatepass")

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters in order, decoded.

        :raises FilterError: there are too many, or one is not UTF-8.
        """
        try:
            return parse_qsl(
                self.query_string,
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_PARAMETERS,
            )
        except ValueError as error:
            raise FilterError(f"the query string cannot be read: {error}") from error

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What has been made of the request already, so that nothing is made twice."""
        return {}

    def parameter(self, name: str) -> str | None:
        """The one value of a query parameter, or None.

        :raises FilterError: it is given more than once.
        """
        values = [value for key, value in self.query if key == name]
        if len(values) > 1:
            raise FilterError(f"{name} is given more than once", path=name)
        return values[0] if values else None


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes = b""
    media: str | None = JSON
    """What the body is; None without one."""
    headers: tuple[tuple[str, str], ...] = ()
    stream: Iterator[bytes] | None = None
    """The body piece by piece, in the place of ``body``. Whoever sends it calls its
    ``close``, if it has one, whatever happens."""
    length: int | None = None
    """Bytes of the stream, where that is known; without a stream, the length that is
    told of a body that ``HEAD`` does not get."""

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Every header to send, ``Content-Type`` and ``Content-Length`` included."""
        found = list(self.headers)
        if self.media is not None:
            found.append(("content-type", self.media))
        length = self._length()
        if length is not None and self.status not in (204, 304):
            found.append(("content-length", str(length)))
        return found

    def _length(self) -> int | None:
        whole = self.length is None and self.stream is None
        return len(self.body) if whole else self.length


def media_type(header: str) -> tuple[str, str | None]:
    """A ``Content-Type`` as the type in lower case, and its charset in lower case."""
    essence, *parameters = header.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return essence.strip().lower(), value.strip().strip('"').lower()
    return essence.strip().lower(), None
