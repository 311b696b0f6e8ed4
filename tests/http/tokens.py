"""Tokens, good and bad, and the keys they are signed by."""

import json
import time
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk, jws

__all__ = [
    "SECRET",
    "b64",
    "claims",
    "ec_pem",
    "parts",
    "private_jwk",
    "public_jwk",
    "public_pem",
    "rsa_pem",
    "signed",
    "unsigned",
]

SECRET = "a secret of thirty-two bytes, or more of them than that"


def b64(data: Any) -> str:
    """Bytes, or the JSON of anything else, in base64url."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    """Claims that hold; a change to None leaves the claim out."""
    # Some are made when a module is imported, and sent by the last of many tests.
    exp = time.time() + 86_400
    found = {"sub": "7", "login": "ada", "roles": ["staff"], "exp": exp}
    return {k: v for k, v in {**found, **changed}.items() if v is not None}


def signed(
    payload: Any = None, key: Any = SECRET, algorithm: str = "HS256", **header: Any
) -> str:
    """A token with a right signature; ``payload`` may be bytes."""
    body = claims() if payload is None else payload
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return jws.sign(raw, key, header or None, algorithm)


def parts(header: Any, payload: Any, key: Any, algorithm: str) -> str:
    """A token with a right signature and any header: bytes, or what becomes JSON."""
    text = f"{b64(header)}.{b64(payload)}"
    signature = jwk.construct(key, algorithm).sign(text.encode())
    return f"{text}.{b64(signature)}"


def unsigned(algorithm: Any, signature: bytes = b"") -> str:
    """A token that says it needs no signature, or another one."""
    return f"{b64({'alg': algorithm})}.{b64(claims())}.{b64(signature)}"


def rsa_pem(name: str = "first", bits: int = 2048) -> bytes:
    """A private key, the same for each name."""
    return _rsa_pem(name, bits)


def ec_pem(curve: type[ec.EllipticCurve] = ec.SECP256R1, name: str = "first") -> bytes:
    """A private key, the same for each curve and name."""
    return _ec_pem(curve, name)


@cache
def _rsa_pem(_name: str, bits: int) -> bytes:
    return _pem(rsa.generate_private_key(65537, bits))


@cache
def _ec_pem(curve: type[ec.EllipticCurve], _name: str) -> bytes:
    return _pem(ec.generate_private_key(curve()))


def public_pem(private: bytes) -> bytes:
    """The public half of a private key."""
    key = serialization.load_pem_private_key(private, None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def private_jwk(private: bytes, algorithm: str, **members: Any) -> dict[str, Any]:
    """A private key as a JWK."""
    return {**jwk.construct(private, algorithm).to_dict(), **members}


def public_jwk(private: bytes, algorithm: str, **members: Any) -> dict[str, Any]:
    """The public half of a private key as a JWK."""
    return {**jwk.construct(public_pem(private), algorithm).to_dict(), **members}


def _pem(key: Any) -> bytes:
    found: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return found
