"""JWTAuth: a signed token of each request → its current user, in both frameworks."""

import dataclasses
import fnmatch
import inspect
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from backo.current_user import CurrentUser, CurrentUserProxy, current_user
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    NotFoundError,
    SAttributeError,
    SessionError,
    SSyntaxError,
)
from backo.http.bearing import Bearing
from backo.http.claims import CLAIMS, Claim, Rules, user_values
from backo.http.endpoint import Endpoint
from backo.http.key_server import RemoteKeys, is_url
from backo.http.keys import KeySet, check_algorithms, static_keys
from backo.http.messages import Request
from backo.http.tokens import TokenError, read_claims, read_token
from backo.log import log_system

__all__ = ["JWTAuth", "secured", "security_schemes"]

_REFUSAL = "the token is malformed, forged, expired or revoked"
"""All that a client is told: more would help whoever tries."""

_log = log_system.get_or_create_logger("http.auth")


class _RequestSignature:
    """What FastAPI is told of the parameters of a JWTAuth as a dependency."""

    def __get__(self, auth: "JWTAuth | None", _owner: type) -> inspect.Signature:
        if auth is None:
            raise AttributeError("__signature__")
        try:
            from backo.adapters.fastapi import dependency_signature
        except ModuleNotFoundError as error:
            raise AttributeError("__signature__") from error
        return dependency_signature(auth.security_schemes)


class JWTAuth:
    """Makes whoever a signed token names the ``current_user`` of the request.

    It is a ``jwt_auth`` for ``router()`` and ``build_routes()``, a dependency of
    FastAPI for routes of one's own, and has a decorator for Flask's: :meth:`required`.
    A bad token is a 401, with ``WWW-Authenticate`` as RFC 6750 says.

    :param key: a secret or a PEM (text or bytes), a JWK or JWKS (dicts), or the URL of
        a JWKS.
    :param algorithms: those that tokens may be signed by: ``HS256``, ``RS256``,
        ``ES256`` and their kin, all of which must fit the key.
    :param audience: who this server is; tokens must be for one of these.
    :param issuer: whose tokens these must be.
    :param leeway: by how many seconds clocks may differ.
    :param require_exp: whether each token must expire.
    :param header: the header with the token; None when only the cookie has it. In
        ``Authorization`` it stands after ``Bearer``.
    :param cookie: the cookie with the token, if it may come in one.
    :param csrf_header: a header that must come with such a cookie on writes, with any
        value: a foreign page cannot send it without being asked about (CORS).
    :param claims: where the fields of the user are: a claim's name, its dotted path, or
        a function of all claims; ``sub``, ``login`` and ``roles`` unless told.
    :param is_active: asked on each request, with the user; false, or a
        ``NotFoundError``, refuses the token.
    :param public: operations that need no token, by their ids or patterns of these
        (``books_*``), and the pages ``_meta``, ``_openapi`` and ``_docs``.
    :param realm: named in ``WWW-Authenticate``.
    :param max_size: characters a token may have.
    :param jwks_timeout: seconds to wait for the keys at a URL.
    :param jwks_max_age: seconds after which they are fetched again.
    :param jwks_cooldown: seconds between two attempts to do so.
    :raises SSyntaxError: any of these cannot be used.
    :raises BackoError: python-jose is not installed.
    """

    def __init__(
        self,
        key: str | bytes | Mapping[str, Any] | None = None,
        *,
        algorithms: str | Iterable[str],
        audience: str | Iterable[str] | None = None,
        issuer: str | Iterable[str] | None = None,
        leeway: float = 0,
        require_exp: bool = True,
        header: str | None = "Authorization",
        cookie: str | None = None,
        csrf_header: str = "X-CSRF-Token",
        claims: Mapping[str, Claim] | None = None,
        is_active: Callable[[CurrentUser], bool] | None = None,
        public: Iterable[str] = (),
        realm: str = "backo",
        max_size: int = 8192,
        jwks_timeout: float = 5,
        jwks_max_age: float = 600,
        jwks_cooldown: float = 30,
    ) -> None:
        limits = (("leeway", leeway, 0), ("max_size", max_size, 1))
        waits = {"timeout": jwks_timeout, "max_age": jwks_max_age}
        waits["cooldown"] = jwks_cooldown
        _check_numbers(limits, waits)
        self._algorithms = check_algorithms(algorithms)
        self._keys = _keys(key, self._algorithms, waits)
        self._rules = Rules(
            _names("audience", audience), _names("issuer", issuer), leeway, require_exp
        )
        self._bearing = Bearing(header, cookie, csrf_header)
        self._claims = _mapping(claims)
        self._is_active = _plain_function(is_active)
        self._public = (public,) if isinstance(public, str) else tuple(public)
        self._challenge = f'Bearer realm="{_quotable(realm)}"'
        self._max_size = max_size

    def authenticate(self, request: Request, public: bool = False) -> None:
        """Set ``current_user`` to whom the request's token names.

        :param public: a request without a token is let through.
        :raises SessionError: there is no token, or it is not valid.
        :raises CsrfError: it is a write whose token came in a cookie alone.
        :raises KeysUnavailableError: the keys cannot be fetched.
        """
        try:
            token = self._bearing.token(request)
            if token is not None:
                self._sign_in(token)
        except TokenError as error:
            _log.info("%s %s: token refused: %s", request.method, request.uri, error)
            raise self._refusal() from None
        if token is None and not public:
            raise SessionError("a token is needed", challenge=self._challenge)

    def _sign_in(self, text: str) -> None:
        """Make whom the token names the current user, if they are active."""
        token = read_token(text, self._max_size)
        if token.algorithm not in self._algorithms:
            raise TokenError("its algorithm is not ours")
        key = self._keys.find(token.algorithm, token.kid)
        if not key.verifies(token):
            raise TokenError("its signature is not by our key")
        claims = read_claims(token)
        self._rules.check(claims, time.time())
        _become(user_values(claims, self._claims))
        if not self._lets_in():
            raise TokenError("its user is not active")

    def _lets_in(self) -> bool:
        """Whether the current user is active; who is not is nobody from then on."""
        active = False
        try:
            active = self._is_active is None or self._is_active(current_user._own())
        except NotFoundError as error:
            # Who is not in the store of users has been deleted there.
            _log.info("is_active: %s", error)
        finally:
            if not active:
                current_user.logout()
        return active

    def _refusal(self) -> SessionError:
        described = f'error="invalid_token", error_description="{_REFUSAL}"'
        return SessionError(_REFUSAL, challenge=f"{self._challenge}, {described}")

    @property
    def security_schemes(self) -> dict[str, dict[str, str]]:
        """What the OpenAPI document says of how to authenticate."""
        return self._bearing.security_schemes

    def secured(
        self, rows: Iterable[Endpoint], *, partly: bool = False
    ) -> tuple[Endpoint, ...]:
        """The rows as this guards them: which are public, and what they may answer.

        :param partly: there are others.
        :raises SSyntaxError: a name in ``public`` fits none of them.
        """
        rows = tuple(rows)
        for name in self._public:
            if not partly and not any(_fits(row, name) for row in rows):
                raise SSyntaxError("public: {0} fits no operation", repr(name))
        return tuple(self._secured(row) for row in rows)

    def _secured(self, row: Endpoint) -> Endpoint:
        by_cookie = self._bearing.needs_csrf_header(row.method)
        more = {401, 403} if by_cookie else {401}
        return dataclasses.replace(
            row,
            public=any(_fits(row, name) for name in self._public),
            security=tuple(self.security_schemes),
            problems=tuple(sorted({*row.problems, *more})),
            parameters=(
                *row.parameters,
                *([self._bearing.csrf_parameter] if by_cookie else ()),
            ),
        )

    __signature__ = _RequestSignature()

    async def __call__(
        self, request: Any, **_schemes: Any
    ) -> AsyncIterator[CurrentUserProxy]:
        """``Depends(auth)`` gives the current user of FastAPI's ``request``."""
        from backo.adapters.fastapi import authenticated

        # Here, and not in a function that FastAPI or we would run in a copied context:
        # the request's own routes would not see it.
        with current_user.request():
            await authenticated(self, request)
            yield current_user

    def required[**P](self, view: Callable[P, Any]) -> Callable[P, Any]:
        """``view``, a view of Flask's, for whoever has a valid token."""
        from backo.adapters.flask import authenticated

        return authenticated(self, view)


def security_schemes(jwt_auth: Callable[..., Any] | None) -> dict[str, Any]:
    """The security schemes of the OpenAPI document, by their names: what ``jwt_auth``
    has as ``security_schemes``."""
    return dict(getattr(jwt_auth, "security_schemes", {}))


def secured(
    rows: Iterable[Endpoint],
    jwt_auth: Callable[..., Any] | None,
    *,
    partly: bool = False,
) -> tuple[Endpoint, ...]:
    """The rows as ``jwt_auth`` guards them.

    :param partly: there are others.
    :raises SSyntaxError: it names an operation that is not there.
    """
    if jwt_auth is None:
        return tuple(rows)
    if isinstance(jwt_auth, JWTAuth):
        return jwt_auth.secured(rows, partly=partly)
    security = tuple(security_schemes(jwt_auth)) or None
    return tuple(
        dataclasses.replace(
            row, security=security, problems=tuple(sorted({*row.problems, 401}))
        )
        for row in rows
    )


def _fits(row: Endpoint, name: str) -> bool:
    return name == row.page or fnmatch.fnmatchcase(row.operation_id, name)


def _keys(
    key: Any, algorithms: frozenset[str], waits: Mapping[str, float]
) -> KeySet | RemoteKeys:
    if not is_url(key):
        return static_keys(key, algorithms)
    if any(name.startswith("HS") for name in algorithms):
        raise SSyntaxError("algorithms: HS... needs a secret, and no URL of keys")
    return RemoteKeys(key, algorithms, **waits)


def _become(values: dict[str, Any]) -> None:
    """Make them the current user.

    :raises TokenError: a value is of the wrong type.
    :raises BackoError: ``claims`` names a field that the user has not.
    """
    try:
        current_user.set(values)
    except SAttributeError as error:
        raise BackoError(f"claims: the current user: {error}") from error
    except VALUE_ERRORS as error:
        raise TokenError(f"it makes no user: {error}") from error


def _names(option: str, given: str | Iterable[str] | None) -> frozenset[str]:
    """One text, several, or none at all."""
    if given is None:
        return frozenset()
    names = [given] if isinstance(given, str) else list(given)
    if not names or not all(names):
        raise SSyntaxError("{0}: a text or some texts are needed", option)
    return frozenset(names)


def _mapping(claims: Mapping[str, Claim] | None) -> dict[str, Claim]:
    mapping = {**CLAIMS, **(claims or {})}
    for name, claim in mapping.items():
        if not claim or not isinstance(claim, str | Callable):
            raise SSyntaxError("claims: {0} needs a claim's name or a function", name)
        if not isinstance(claim, str):
            _plain_function(claim)
    return mapping


def _plain_function[F: Callable[..., Any]](function: F | None) -> F | None:
    """``function``, if somebody will wait for what it gives."""
    called = getattr(function, "__call__", None)  # noqa: B004 - the method itself
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        # The coroutine itself would count as true.
        raise SSyntaxError("{0} must not be a coroutine function", repr(function))
    return function


def _check_numbers(
    limits: Iterable[tuple[str, float, float]], waits: Mapping[str, float]
) -> None:
    for name, value, least in limits:
        if not (math.isfinite(value) and value >= least):
            raise SSyntaxError("{0}: {1} or more is needed", name, least)
    for name, value in waits.items():
        if not (math.isfinite(value) and value > 0):
            raise SSyntaxError("jwks_{0}: a number of seconds is needed", name)


def _quotable(realm: str) -> str:
    if not re.fullmatch(r"[ !#-\[\]-~]+", realm):
        raise SSyntaxError("realm: {0} cannot stand in a header", repr(realm))
    return realm
