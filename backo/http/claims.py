"""What a token claims: whether it holds here and now, and whom it names."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from backo.http.tokens import TokenError

__all__ = ["ANONYMOUS", "CLAIMS", "Claim", "Rules", "user_values"]

type Claims = dict[str, Any]
type Claim = str | Callable[[Claims], Any]
"""A claim by its name or dotted path, or a function of all claims."""

ANONYMOUS = "000"

CLAIMS: Mapping[str, Claim] = {"_id": "sub", "login": "login", "roles": "roles"}
"""Where a user's fields are found, unless told otherwise."""

_LAST_MOMENT = 253_402_300_799
"""The end of the year 9999, in seconds since 1970: later ones are milliseconds, or
tokens for ever."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """When a token holds (RFC 7519, section 4.1); ``leeway`` is in seconds."""

    audience: frozenset[str]
    issuer: frozenset[str]
    leeway: float
    require_exp: bool

    def check(self, claims: Claims, now: float) -> None:
        """Whether the token holds at ``now``, in seconds since 1970.

        :raises TokenError: it does not.
        """
        expires, begins, issued = (_moment(claims, n) for n in ("exp", "nbf", "iat"))
        if expires is None and self.require_exp:
            raise TokenError("it never expires")
        if expires is not None and expires <= now - self.leeway:
            raise TokenError("it has expired")
        if begins is not None and begins > now + self.leeway:
            raise TokenError("it does not hold yet")
        if issued is not None and issued > now + self.leeway:
            raise TokenError("it was issued in the future")
        self._check_parties(claims)

    def _check_parties(self, claims: Claims) -> None:
        # One that names an audience is for nobody else (RFC 7519, section 4.1.3).
        if (self.audience or "aud" in claims) and not self.audience & _audience(claims):
            raise TokenError("it is for another audience")
        issuer = claims.get("iss")
        if self.issuer and not (isinstance(issuer, str) and issuer in self.issuer):
            raise TokenError("it is of another issuer")


def _moment(claims: Claims, name: str) -> float | None:
    """A NumericDate (RFC 7519, section 2), if there is one."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(f"its {name} is no number")
    # NaN is not less either.
    if not abs(value) <= _LAST_MOMENT:
        raise TokenError(f"its {name} is no moment")
    return value


def _audience(claims: Claims) -> frozenset[str]:
    told = claims.get("aud")
    names = told if isinstance(told, list) else [told]
    if not all(isinstance(name, str) for name in names):
        raise TokenError("its aud is neither a text nor a list of texts")
    return frozenset(names)


def user_values(claims: Claims, mapping: Mapping[str, Claim]) -> dict[str, Any]:
    """The fields of the user whom the claims name. Claims that are not there leave
    their fields out; the login is then the ``_id``.

    :raises TokenError: they name nobody, or roles that are no list of texts.
    """
    found = {name: _value(claims, claim) for name, claim in mapping.items()}
    values = {name: value for name, value in found.items() if value is not None}
    _id = values.get("_id")
    if not isinstance(_id, str) or not _id or _id == ANONYMOUS:
        raise TokenError("it names nobody")
    values.setdefault("login", _id)
    values["roles"] = _roles(values.get("roles", []))
    _check_text(values)
    return values


def _value(claims: Claims, claim: Claim) -> Any:
    if isinstance(claim, str):
        return _at(claims, claim)
    try:
        return claim(claims)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # What it wanted is not there: `lambda claims: claims["realm"]["name"]`.
        raise TokenError(f"its claims cannot be read: {error!r}") from error


def _at(claims: Claims, path: str) -> Any:
    """The claim of that whole name (``https://example.com/roles`` is one), or else at
    that dotted path."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _roles(told: Any) -> list[str]:
    """Roles as a list, or as a text with spaces (RFC 6749, section 3.3)."""
    roles = told.split() if isinstance(told, str) else told
    if not isinstance(roles, list | tuple | set | frozenset) or not all(
        isinstance(role, str) for role in roles
    ):
        raise TokenError("its roles are no list of texts")
    return list(roles)


def _check_text(values: dict[str, Any]) -> None:
    """No store takes half a surrogate pair."""
    try:
        json.dumps(values, ensure_ascii=False, default=repr).encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenError("a text in it is no Unicode") from error
