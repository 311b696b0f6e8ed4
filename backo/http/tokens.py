"""Signed tokens in their compact form (RFC 7515, section 3.1), read strictly."""

import binascii
import dataclasses
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from backo.query.strict import strict_loads

__all__ = ["Token", "TokenError", "base64url", "read_claims", "read_token"]

_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")

_TYPES = frozenset({"jwt", "at+jwt"})

_NOT_UNDERSTOOD = ("crit", "b64", "cty", "enc", "zip")
"""Parameters that change what the token means: extensions, unencoded or nested content,
encryption."""


class TokenError(Exception):
    """The token is not valid; what it says is for the log, never for the client."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature nobody has checked yet."""

    algorithm: str
    """What it claims to be signed by; only ever compared."""
    kid: str | None
    signed: bytes
    payload: bytes
    signature: bytes


def read_token(text: str, max_size: int) -> Token:
    """The parts of a token of ``max_size`` characters at most.

    :raises TokenError: it has another form, or a header that is not understood.
    """
    if len(text) > max_size:
        raise TokenError("it is too long")
    match = _FORM.fullmatch(text)
    if match is None:
        raise TokenError("it is not three parts in base64url")
    header, payload, signature = (_decoded(part) for part in match.groups())
    signed = text.rpartition(".")[0].encode("ascii")
    algorithm, kid = _understood(_object(header, "header"))
    return Token(algorithm, kid, signed, payload, signature)


def read_claims(token: Token) -> dict[str, Any]:
    """What the token claims.

    :raises TokenError: it is not a JSON object.
    """
    return _object(token.payload, "payload")


def base64url(text: str) -> bytes:
    """The bytes of ``text``, which has no padding (RFC 7515, section 2).

    :raises ValueError: it is not how these bytes are written.
    """
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Python ignores foreign characters and bits that are left over, so that one
    # signature would have many forms.
    if urlsafe_b64encode(found).rstrip(b"=") != text.encode("ascii"):
        raise ValueError("it is not in base64url")
    return found


def _decoded(part: str) -> bytes:
    try:
        return base64url(part)
    except (binascii.Error, ValueError) as error:
        raise TokenError("a part is not in base64url") from error


def _object(text: bytes, name: str) -> dict[str, Any]:
    try:
        found = strict_loads(text.decode("utf-8"))
    except ValueError as error:
        raise TokenError(f"its {name} is not JSON") from error
    if not isinstance(found, dict):
        raise TokenError(f"its {name} is not a JSON object")
    return found


def _understood(header: dict[str, Any]) -> tuple[str, str | None]:
    """The algorithm and the id of the key.

    :raises TokenError: the header says something that would have to be understood.
    """
    for name in _NOT_UNDERSTOOD:
        if name in header:
            raise TokenError(f"its header has {name}")
    algorithm, kid, kind = (header.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(algorithm, str):
        raise TokenError("its header names no algorithm")
    if "kid" in header and not isinstance(kid, str):
        raise TokenError("its kid is no text")
    if "typ" in header and not _is_access_token(kind):
        raise TokenError("it is a token of another type")
    return algorithm, kid


def _is_access_token(kind: Any) -> bool:
    """Whether ``typ`` is what access tokens have (RFC 8725, section 3.11)."""
    if not isinstance(kind, str):
        return False
    return kind.lower().removeprefix("application/") in _TYPES
