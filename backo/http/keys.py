"""Keys that signatures are checked by, each for the algorithms that fit it.

The one module that needs python-jose, when the first key is made.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from backo.errors import BackoError, SSyntaxError
from backo.http.tokens import Token, TokenError, base64url
from backo.log import log_system

if TYPE_CHECKING:
    from jose.backends.base import Key

__all__ = ["KeySet", "VerifyingKey", "check_algorithms", "key_set", "static_keys"]

_log = log_system.get_or_create_logger("http.auth")

type Jwk = Mapping[str, Any]

KINDS = {
    **dict.fromkeys(("HS256", "HS384", "HS512"), "oct"),
    **dict.fromkeys(("RS256", "RS384", "RS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The type of key (``kty``) of each algorithm."""

_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The least that a secret should have (RFC 7518, section 3.2): shorter ones are taken,
for there are such servers of tokens, and the log warns of them."""

_RSA_BITS = 2048
"""The least that an RSA key may have (RFC 7518, section 3.3)."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
"""The members of a JWK that are its public half."""


@dataclasses.dataclass(frozen=True, slots=True)
class VerifyingKey:
    """One key, prepared for each algorithm it may be used with."""

    kid: str | None
    prepared: Mapping[str, "Key"]

    def verifies(self, token: Token) -> bool:
        """Whether the token was signed by it."""
        try:
            key = self.prepared[token.algorithm]
            return key.verify(token.signed, token.signature) is True
        except Exception:  # noqa: BLE001 - backends raise what they like on bad ones
            return False


@dataclasses.dataclass(frozen=True, slots=True)
class KeySet:
    """All keys that may have signed a token."""

    keys: tuple[VerifyingKey, ...]

    def find(self, algorithm: str, kid: str | None) -> VerifyingKey:
        """The one key for ``algorithm`` and ``kid``; a key without a kid has any.

        :raises TokenError: there is none, or no telling which.
        """
        fitting = [one for one in self.keys if algorithm in one.prepared]
        if kid is not None:
            named = [one for one in fitting if one.kid == kid]
            fitting = named or [one for one in fitting if one.kid is None]
        if len(fitting) != 1:
            raise TokenError("its kid names no key")
        return fitting[0]


def check_algorithms(algorithms: Iterable[str]) -> frozenset[str]:
    """``algorithms``, if they can be used together.

    :raises SSyntaxError: there are none, one cannot be used, or secrets are mixed with
        public keys.
    :raises BackoError: python-jose is not installed.
    """
    names = [algorithms] if isinstance(algorithms, str) else list(algorithms)
    if not names:
        raise SSyntaxError("algorithms: at least one is needed")
    jwk = _jwk()
    for name in names:
        if name not in KINDS or jwk.get_key(name) is None:
            raise SSyntaxError("algorithms: {0} cannot be used", repr(name))
    if len({KINDS[name] == "oct" for name in names}) > 1:
        # Or whoever knows the public key could use it as the secret.
        raise SSyntaxError("algorithms: HS... cannot be mixed with others")
    return frozenset(names)


def static_keys(key: Any, algorithms: frozenset[str]) -> KeySet:
    """The keys that ``key`` is: a secret, a PEM, a JWK, or a set of them.

    :raises SSyntaxError: it is no key, or does not fit the algorithms.
    """
    if isinstance(key, Mapping) and "keys" in key:
        found = key_set(key, algorithms)
        if not found.keys:
            raise SSyntaxError("key: no key of the set fits {0}", _list(algorithms))
        return found
    if isinstance(key, Mapping):
        return KeySet((_whole(key, algorithms),))
    if not isinstance(key, str | bytes) or not key:
        raise SSyntaxError("key: a secret, a PEM, a JWK, a JWKS or its URL is needed")
    return KeySet((VerifyingKey(None, {a: _prepared(key, a) for a in algorithms}),))


def _whole(jwk: Jwk, algorithms: frozenset[str]) -> VerifyingKey:
    """The key that a single JWK is, for all the algorithms."""
    found = _from_jwk(jwk, algorithms)
    if found is None or found.prepared.keys() != algorithms:
        for algorithm in sorted(algorithms):
            _from_members(jwk, algorithm)
        raise SSyntaxError("key: the JWK is not for {0}", _list(algorithms))
    return found


def key_set(jwks: Any, algorithms: frozenset[str]) -> KeySet:
    """The keys of a JWKS document that fit any of the algorithms; others are left out
    (RFC 7517, section 5).

    :raises SSyntaxError: it is no JWKS document.
    """
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not all(isinstance(k, Mapping) for k in keys):
        raise SSyntaxError("key: it is no JWKS document")
    made = (_from_jwk(jwk, algorithms) for jwk in keys)
    return KeySet(tuple(one for one in made if one is not None))


def _from_jwk(jwk: Jwk, algorithms: frozenset[str]) -> VerifyingKey | None:
    """The key for those of the algorithms that it fits; None when it fits none."""
    kid, operations = jwk.get("kid"), jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    prepared = {}
    for algorithm in algorithms:
        if jwk.get("alg", algorithm) == algorithm:
            try:
                prepared[algorithm] = _from_members(jwk, algorithm)
            except SSyntaxError:
                continue
    return VerifyingKey(kid, prepared) if prepared else None


def _from_members(jwk: Jwk, algorithm: str) -> "Key":
    kind = KINDS[algorithm]
    if jwk.get("kty") != kind:
        raise SSyntaxError("key: {0} needs a JWK of kty {1}", algorithm, kind)
    if kind == "oct":
        try:
            return _prepared(base64url(jwk["k"]), algorithm)
        except (KeyError, TypeError, ValueError) as error:
            raise SSyntaxError("key: the JWK has no valid k") from error
    public = {name: jwk[name] for name in _PUBLIC.get(kind, jwk) if name in jwk}
    return _prepared(public, algorithm)


def _prepared(material: str | bytes | dict[str, Any], algorithm: str) -> "Key":
    """The public half, or the secret, made ready for one algorithm.

    :raises SSyntaxError: it does not fit.
    """
    try:
        key = _jwk().construct(material, algorithm)
        public: Key = key if KINDS[algorithm] == "oct" else key.public_key()
        described = public.to_dict()
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        # Not their words: some would tell the key.
        raise SSyntaxError("key: it is no key for {0}", algorithm) from error
    _check_strength(described, algorithm)
    return public


def _check_strength(described: dict[str, Any], algorithm: str) -> None:
    kind = KINDS[algorithm]
    if kind == "oct":
        size, least = len(base64url(described["k"])), _SECRET_BYTES[algorithm]
        if size < least:
            told = (
                "key: a secret for %s should have %s bytes, not %s: it can be guessed"
            )
            _log.warning(told, algorithm, least, size)
    if kind == "RSA" and _bits(described["n"]) < _RSA_BITS:
        raise SSyntaxError("key: an RSA key needs {0} bits", _RSA_BITS)
    if kind == "EC" and described["crv"] != _CURVES[algorithm]:
        raise SSyntaxError(
            "key: {0} needs the curve {1}", algorithm, _CURVES[algorithm]
        )


def _bits(number: str) -> int:
    return int.from_bytes(base64url(number)).bit_length()


def _list(algorithms: Iterable[str]) -> str:
    return ", ".join(sorted(algorithms))


def _jwk() -> Any:
    """python-jose's keys.

    :raises BackoError: it is not installed.
    """
    try:
        from jose import jwk
    except ModuleNotFoundError as error:
        raise BackoError(
            'JWTAuth needs python-jose: pip install "backo[jwt]"'
        ) from error
    return jwk
