"""Where the token of a request stands: in a header, in a cookie, or in both."""

import re

from backo.errors import SSyntaxError
from backo.http.messages import Request
from backo.http.parameters import Parameter
from backo.http.problems import CsrfError
from backo.http.tokens import TokenError

__all__ = ["Bearing", "SAFE_METHODS"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token in the sense of RFC 9110, section 5.6.2."""

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_BEARER_ANYWHERE = re.compile(r"(?:^|,)\s*bearer(?:\s|,|$)", re.IGNORECASE)

# What pages of other sites send without being asked about: "CORS-safelisted
# request-headers" of Fetch, and what browsers add.
_NO_CSRF_HEADERS = frozenset(
    "accept accept-encoding accept-language connection content-language content-length"
    " content-type cookie dnt host origin range referer user-agent".split()
)


class Bearing:
    """How requests carry their tokens.

    A write whose token comes in a cookie alone needs the header ``csrf_header``, with
    any value: browsers send cookies with forms of other sites too, but no such header
    before they have asked by CORS whether they may (OWASP, Cross-Site Request Forgery
    Prevention, "Employing Custom Request Headers"). Nothing has to be stored or
    compared, and no subdomain can plant it, as it could a second cookie.

    :raises SSyntaxError: a name is not valid, or there is neither header nor cookie.
    """

    def __init__(
        self, header: str | None, cookie: str | None, csrf_header: str
    ) -> None:
        if header is None and cookie is None:
            raise SSyntaxError("header, cookie: one of them is needed")
        for name in (header, cookie, csrf_header):
            if name is not None and not _NAME.fullmatch(name):
                raise SSyntaxError("{0} is no name of a header or cookie", repr(name))
        if csrf_header.lower() in _NO_CSRF_HEADERS:
            raise SSyntaxError("csrf_header: every page may send {0}", csrf_header)
        self.header = header
        self.cookie = cookie
        self.csrf_header = csrf_header

    @property
    def is_bearer(self) -> bool:
        """Whether the header is that of RFC 6750."""
        return self.header is not None and self.header.lower() == "authorization"

    @property
    def security_schemes(self) -> dict[str, dict[str, str]]:
        """What the OpenAPI document says of where the token is."""
        found: dict[str, dict[str, str]] = {}
        if self.is_bearer:
            found["bearerAuth"] = {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
            }
        elif self.header is not None:
            found["bearerAuth"] = {
                "type": "apiKey",
                "in": "header",
                "name": self.header,
            }
        if self.cookie is not None:
            found["cookieAuth"] = {
                "type": "apiKey",
                "in": "cookie",
                "name": self.cookie,
            }
        return found

    def needs_csrf_header(self, method: str) -> bool:
        """Whether a token in a cookie is not enough for requests of that method."""
        return self.cookie is not None and method not in SAFE_METHODS

    @property
    def csrf_parameter(self) -> Parameter:
        """The header that such requests need."""
        return Parameter(
            self.csrf_header,
            "header",
            {"type": "string"},
            "With any value; needed when the token comes in a cookie",
        )

    def token(self, request: Request) -> str | None:
        """The request's token, if it has one.

        :raises TokenError: it has more than one, or something else in its place.
        :raises CsrfError: it is a write whose token came in a cookie alone.
        """
        sent, kept = self._in_header(request), self._in_cookie(request)
        if sent is not None and kept is not None and sent != kept:
            raise TokenError("header and cookie have different ones")
        if sent is not None or kept is None:
            return sent
        if self.needs_csrf_header(request.method):
            if not request.headers.get(self.csrf_header.lower()):
                raise CsrfError(
                    f"a write by cookie needs the header {self.csrf_header}"
                )
        return kept

    def _in_header(self, request: Request) -> str | None:
        value = request.headers.get(self.header.lower()) if self.header else None
        if not value:
            return None
        match = _BEARER.fullmatch(value)
        if match is not None:
            return match[1]
        if not self.is_bearer:
            return value
        if _BEARER_ANYWHERE.search(value):
            raise TokenError("the header has no token, or several")
        # Basic and others are no tokens, and not for us.
        return None

    def _in_cookie(self, request: Request) -> str | None:
        if self.cookie is None:
            return None
        pairs = (
            one.partition("=") for one in request.headers.get("cookie", "").split(";")
        )
        found = {
            value.strip() for name, _, value in pairs if name.strip() == self.cookie
        }
        if len(found) > 1:
            raise TokenError("there are several cookies of that name")
        return next(iter(found), None) or None
