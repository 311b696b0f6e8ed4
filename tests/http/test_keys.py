"""Which keys fit which algorithms: all else is refused before anything is served."""

import datetime
import subprocess
import sys
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from backo import SSyntaxError
from backo.http.auth import JWTAuth
from backo.http.keys import check_algorithms, key_set, static_keys
from backo.http.tokens import TokenError, read_token
from tests.http.tokens import (
    SECRET,
    b64,
    ec_pem,
    private_jwk,
    public_jwk,
    public_pem,
    rsa_pem,
    signed,
)


def verified(key: Any, algorithm: str, token: str) -> bool:
    """Whether ``key`` verifies it."""
    names = check_algorithms([algorithm])
    read = read_token(token, 8192)
    return static_keys(key, names).find(read.algorithm, read.kid).verifies(read)


def certificate(private: bytes) -> bytes:
    key: Any = serialization.load_pem_private_key(private, None)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "us")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def ed25519_pem() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form)


RSA = rsa_pem()
P256, P384, P521 = (ec_pem(c) for c in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
LONG = "s" * 64


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize(
    "key", [LONG, LONG.encode(), {"kty": "oct", "k": b64(LONG.encode())}]
)
def test_secrets(algorithm: str, key: Any) -> None:
    assert verified(key, algorithm, signed(key=LONG, algorithm=algorithm))
    assert not verified(key, algorithm, signed(key=LONG + "s", algorithm=algorithm))


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ("a-secret", ["HS256"]),
        ("s" * 31, ["HS256"]),
        ("s" * 32, ["HS384"]),
        ("s" * 48, ["HS256", "HS512"]),
        ({"kty": "oct", "k": b64(b"secret")}, ["HS256"]),
    ],
)
def test_the_log_warns_of_secrets_that_can_be_guessed(
    key: Any, algorithms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    JWTAuth(LONG, algorithms=["HS512"])
    assert not caplog.text
    JWTAuth(key, algorithms=algorithms)
    assert "it can be guessed" in caplog.text
    assert "secret for" in caplog.text


@pytest.mark.parametrize(
    ("algorithm", "private", "other"),
    [
        *((name, RSA, rsa_pem("second")) for name in ("RS256", "RS384", "RS512")),
        ("ES256", P256, ec_pem(ec.SECP256R1, "second")),
        ("ES384", P384, ec_pem(ec.SECP384R1, "second")),
        ("ES512", P521, ec_pem(ec.SECP521R1, "second")),
    ],
)
def test_key_pairs_in_all_forms(algorithm: str, private: bytes, other: bytes) -> None:
    good = signed(key=private, algorithm=algorithm)
    bad = signed(key=other, algorithm=algorithm)
    jwk = public_jwk(private, algorithm)
    for key in (
        private,
        public_pem(private),
        public_pem(private).decode(),
        jwk,
        private_jwk(private, algorithm),
        {"keys": [jwk]},
    ):
        assert verified(key, algorithm, good)
        assert not verified(key, algorithm, bad)


def test_a_certificate_is_a_key() -> None:
    assert verified(certificate(RSA), "RS256", signed(key=RSA, algorithm="RS256"))


@pytest.mark.parametrize(
    "algorithms",
    [
        [],
        "",
        "none",
        ["none"],
        ["HS256", "none"],
        ["None"],
        ["NONE"],
        ["hs256"],
        ["HS256", "RS256"],
        ["HS256", "ES256"],
        ["EdDSA"],
        ["PS256"],
        ["dir"],
        ["RSA-OAEP"],
        ["A256GCM"],
        [""],
        [None],
    ],
)
def test_algorithms_that_cannot_be_used(algorithms: Any) -> None:
    with pytest.raises(SSyntaxError, match="algorithms"):
        JWTAuth(SECRET, algorithms=algorithms)


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (None, ["HS256"]),
        ("", ["HS256"]),
        (b"", ["HS256"]),
        (7, ["HS256"]),
        ([SECRET], ["HS256"]),
        ({}, ["HS256"]),
        ({"kty": "oct", "k": "*"}, ["HS256"]),
        ({"kty": "oct", "k": 1}, ["HS256"]),
        ({"kty": "oct"}, ["HS256"]),
        (rsa_pem("weak", 1024), ["RS256"]),
        (public_jwk(rsa_pem("weak", 1024), "RS256"), ["RS256"]),
        # The secret that everybody knows.
        (public_pem(RSA), ["HS256"]),
        (public_pem(RSA).decode(), ["HS256"]),
        (RSA, ["HS256"]),
        (certificate(RSA), ["HS256"]),
        (public_jwk(RSA, "RS256"), ["HS256"]),
        ({"keys": [public_jwk(RSA, "RS256")]}, ["HS256"]),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 somebody@somewhere", ["HS256"]),
        # Of another kind.
        (SECRET, ["RS256"]),
        (SECRET, ["ES256"]),
        (P256, ["RS256"]),
        (RSA, ["ES256"]),
        (RSA, ["RS256", "ES256"]),
        (P256, ["ES384"]),
        (P384, ["ES256"]),
        (P256, ["ES256", "ES512"]),
        (ec_pem(ec.SECP256K1), ["ES256"]),
        (ed25519_pem(), ["RS256"]),
        (ed25519_pem(), ["ES256"]),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ["RS256"]),
        ({"kty": "oct", "k": b64(LONG.encode())}, ["RS256"]),
        ({"kty": "RSA"}, ["RS256"]),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, ["RS256"]),
        ({"kty": "RSA", "n": 1, "e": 2}, ["RS256"]),
        ({"kty": "EC", "crv": "P-999", "x": "AQ", "y": "AQ"}, ["ES256"]),
        ({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}, ["ES256"]),
        ({"kty": ["RSA"]}, ["RS256"]),
        # Meant for something else.
        (public_jwk(RSA, "RS256", use="enc"), ["RS256"]),
        (public_jwk(RSA, "RS256", key_ops=["encrypt"]), ["RS256"]),
        (public_jwk(RSA, "RS256", key_ops="verify"), ["RS256"]),
        (public_jwk(RSA, "RS512"), ["RS256"]),
        (public_jwk(RSA, "RS256"), ["RS256", "RS512"]),
        # No sets.
        ({"keys": []}, ["RS256"]),
        ({"keys": {}}, ["RS256"]),
        ({"keys": [SECRET]}, ["HS256"]),
        ({"keys": [public_jwk(P256, "ES256")]}, ["RS256"]),
    ],
)
def test_keys_that_do_not_fit(key: Any, algorithms: list[str]) -> None:
    with pytest.raises(SSyntaxError, match="key") as refused:
        JWTAuth(key, algorithms=algorithms)
    # Who sees the message need not see the key.
    assert "BEGIN" not in str(refused.value) and SECRET not in str(refused.value)


def test_the_fitting_keys_of_a_set_are_kept() -> None:
    jwks = {
        "keys": [
            public_jwk(RSA, "RS256", kid="a"),
            public_jwk(RSA, "RS512", kid="b"),
            public_jwk(P256, "ES256", kid="c"),
            public_jwk(RSA, "RS256", kid="d", use="enc"),
            {"kty": "oct", "k": b64(LONG.encode()), "kid": "e"},
            {"kty": "OKP", "crv": "Ed25519", "x": "AQ", "kid": "f"},
            {"kty": "RSA", "kid": "g"},
            {**public_jwk(RSA, "RS256"), "kid": 8},
            {},
        ]
    }
    found = key_set(jwks, frozenset({"RS256", "ES256"}))
    assert [(one.kid, set(one.prepared)) for one in found.keys] == [
        ("a", {"RS256"}),
        ("c", {"ES256"}),
    ]


def test_a_key_is_found_by_its_kid_and_algorithm() -> None:
    plain = {
        k: v for k, v in public_jwk(rsa_pem("third"), "RS256").items() if k != "alg"
    }
    jwks = {
        "keys": [
            public_jwk(RSA, "RS256", kid="a"),
            public_jwk(P256, "ES256", kid="a"),
            public_jwk(rsa_pem("second"), "RS256", kid="b"),
            plain,
        ]
    }
    found = static_keys(jwks, frozenset({"RS256", "ES256"}))
    assert found.find("RS256", "a") is found.keys[0]
    assert found.find("ES256", "a") is found.keys[1]
    assert found.find("RS256", "unknown") is found.keys[3]
    assert found.find("ES256", None) is found.keys[1]
    for algorithm, kid in (("RS256", None), ("ES256", "b"), ("HS256", "a")):
        with pytest.raises(TokenError):
            found.find(algorithm, kid)


def test_keys_that_cannot_be_told_apart_are_not_tried() -> None:
    twice = [
        public_jwk(rsa_pem(name), "RS256", kid="a") for name in ("first", "second")
    ]
    found = static_keys({"keys": twice}, frozenset({"RS256"}))
    with pytest.raises(TokenError):
        found.find("RS256", "a")


def test_a_key_of_another_kid_is_not_meant() -> None:
    found = static_keys(public_jwk(RSA, "RS256", kid="a"), frozenset({"RS256"}))
    with pytest.raises(TokenError):
        found.find("RS256", "b")


WITHOUT_JOSE = """
import sys

sys.modules["jose"] = None
from backo import BackoError
from backo.http.auth import JWTAuth

try:
    JWTAuth("s" * 32, algorithms=["HS256"])
except BackoError as error:
    print(error)
"""


def test_without_the_extra_the_error_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JOSE], capture_output=True, text=True, check=True
    )
    assert done.stdout == 'JWTAuth needs python-jose: pip install "backo[jwt]"\n'
