"""JWTAuth over HTTP: both frameworks refuse and admit alike."""

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask

from backo import Backoffice, Collection, Item, String
from backo.connectors.memory import DBMemoryConnector
from backo.http.auth import JWTAuth
from tests.conformance.adapters import (
    Answer,
    ask,
    serve_fastapi,
    serve_flask,
)
from tests.conformance.declared import FixedClock
from tests.http.tokens import (
    SECRET,
    b64,
    claims,
    parts,
    private_jwk,
    public_jwk,
    public_pem,
    rsa_pem,
    signed,
    unsigned,
)

SUSPENDED = ["mallory"]


def office(name: str) -> Backoffice:
    made = Backoffice(name)
    thing = Item({"x": String()}, meta_data_handler=FixedClock())
    things = Collection("things", thing, DBMemoryConnector())
    things.db_handler.generate_id = lambda _document: "1"  # type: ignore[method-assign, assignment]
    made.register_collection(things)
    return made


def auths() -> dict[str, JWTAuth]:
    """One for each backoffice."""
    jwks = {"keys": [_published("first"), _published("second")]}
    common: dict[str, Any] = {"is_active": lambda user: user.login not in SUSPENDED}
    strict: dict[str, Any] = {
        "audience": "library",
        "issuer": ["https://a.example", "b"],
    }
    return {
        "hs": JWTAuth(SECRET, algorithms=["HS256"], leeway=2, **common),
        "rs": JWTAuth(jwks, algorithms=["RS256"], **common),
        "pem": JWTAuth(public_pem(rsa_pem()), algorithms=["RS256"]),
        "strict": JWTAuth(SECRET, algorithms="HS256", **strict),
        "cookie": JWTAuth(SECRET, algorithms=["HS256"], cookie="session"),
        "public": JWTAuth(
            SECRET,
            algorithms=["HS256"],
            public=["things_list", "*_check", "_docs", "_openapi"],
        ),
    }


def _published(name: str) -> dict[str, Any]:
    return public_jwk(rsa_pem(name), "RS256", kid=name, use="sig")


@dataclasses.dataclass(frozen=True)
class Both:
    """Asks both servers the same, and answers when they answer the same."""

    ports: tuple[int, int]

    def __call__(
        self, where: str, method: str = "GET", body: Any = None, **headers: str
    ) -> Answer:
        """``where`` is the backoffice, and the path below it if it is not its list."""
        path = f"/{where}" if "/" in where else f"/{where}/things"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        text = None
        if body is not None:
            text, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        first, second = (ask(port, method, path, sent, text) for port in self.ports)
        assert first == second
        return first

    def with_token(self, where: str, token: str, **kwargs: Any) -> Answer:
        return self(where, authorization=f"Bearer {token}", **kwargs)


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    fastapi, flask = FastAPI(), Flask("auth")
    for name, auth in auths().items():
        fastapi.include_router(office(name).router(jwt_auth=auth))
        office(name).build_routes(flask, jwt_auth=auth)
    with serve_fastapi(fastapi) as one, serve_flask(flask) as other:
        yield Both((one, other))


def refused(answer: Answer) -> None:
    """It is a 401 that says it is about the token, and nothing else."""
    assert answer.status == 401
    problem = answer.json
    assert problem["code"] == "not_authenticated"
    assert answer["www-authenticate"] == (
        'Bearer realm="backo", error="invalid_token",'
        f' error_description="{problem["detail"]}"'
    )
    assert problem["detail"] == "the token is malformed, forged, expired or revoked"


# --- Tokens that hold ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "token"),
    [
        ("hs", signed()),
        ("hs", signed(typ="at+jwt")),
        ("hs", signed(typ="application/AT+JWT")),
        ("hs", signed(claims(exp=time.time() + 86_400.5, nbf=time.time() - 1))),
        ("hs", signed(claims(iss="anybody", jti=7))),
        ("hs", signed(claims(login=None, roles=None))),
        ("hs", signed(claims(roles="staff readers"))),
        ("hs", parts({"alg": "HS256"}, claims(), SECRET, "HS256")),
        ("rs", signed(key=rsa_pem("first"), algorithm="RS256", kid="first")),
        ("rs", signed(key=rsa_pem("second"), algorithm="RS256", kid="second")),
        ("pem", signed(key=rsa_pem(), algorithm="RS256", kid="anything")),
        ("strict", signed(claims(aud="library", iss="b"))),
        ("strict", signed(claims(aud=["x", "library"], iss="https://a.example"))),
    ],
)
def test_a_token_that_holds_is_taken(both: Both, where: str, token: str) -> None:
    assert both.with_token(where, token).status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_may_be_written_in_any_case(both: Both, scheme: str) -> None:
    assert both("hs", authorization=f"{scheme} {signed()}").status == 200


def test_whom_the_token_names_makes_the_item(both: Both) -> None:
    made = both.with_token("hs", signed(), method="POST", body={"x": "a"})
    assert made.status == 201
    assert made.json["_meta"]["created_by"] == {"_id": "7", "login": "ada"}


def test_no_token_is_a_challenge_without_an_error(both: Both) -> None:
    for headers in ({}, {"authorization": ""}, {"authorization": "Basic YTpi"}):
        answer = both("hs", **headers)
        assert (answer.status, answer.json["detail"]) == (401, "a token is needed")
        assert answer["www-authenticate"] == 'Bearer realm="backo"'


def test_a_suspended_user_is_refused_at_the_next_request(both: Both) -> None:
    token = signed(claims(login="eve"))
    assert both.with_token("hs", token).status == 200
    SUSPENDED.append("eve")
    refused(both.with_token("hs", token))
    SUSPENDED.remove("eve")
    assert both.with_token("hs", token).status == 200


# --- Tokens that do not -------------------------------------------------------------


def _header(**members: Any) -> str:
    """Signed rightly, but for its header."""
    return parts({"alg": "HS256", **members}, claims(), SECRET, "HS256")


def _payload(text: bytes) -> str:
    return signed(text)


def _number(name: str, number: str) -> str:
    """``number`` stands in the JSON as it is."""
    return _payload(
        b'{"sub": "7", "exp": 9e9, "%b": %b}' % (name.encode(), number.encode())
    )


def _own_key(**header: Any) -> str:
    """Signed by a key of the attacker's own, which the header offers."""
    return signed(key=rsa_pem("attacker"), algorithm="RS256", **header)


def _attacker_jwk() -> dict[str, Any]:
    return public_jwk(rsa_pem("attacker"), "RS256")


def _hs_by_public_key(**header: Any) -> str:
    """HS256 whose secret is the public key that everybody knows."""
    import hashlib
    import hmac

    text = f"{b64({'alg': 'HS256', **header})}.{b64(claims())}"
    digest = hmac.new(public_pem(rsa_pem()), text.encode(), hashlib.sha256).digest()
    return f"{text}.{b64(digest)}"


GOOD = signed()
HEAD, BODY, SIGNATURE = GOOD.split(".")
RS = signed(key=rsa_pem("first"), algorithm="RS256", kid="first")

FORGED: dict[str, tuple[str, str]] = {
    "alg none": ("hs", unsigned("none")),
    "alg none, no last part": ("hs", unsigned("none").rstrip(".")),
    "alg None": ("hs", unsigned("None")),
    "alg NONE": ("hs", unsigned("NONE")),
    "alg nOnE": ("hs", unsigned("nOnE")),
    "alg none with a signature": ("hs", unsigned("none", b"x" * 32)),
    "alg empty": ("hs", unsigned("", b"x")),
    "alg null": ("hs", unsigned(None, b"x")),
    "alg a list": ("hs", unsigned(["HS256"], b"x")),
    "alg none for a set of keys": ("rs", unsigned("none", b"x")),
    "no alg": ("hs", parts({"typ": "JWT"}, claims(), SECRET, "HS256")),
    "alg in another case": ("hs", _header(alg="hs256")),
    "HS384": ("hs", signed(algorithm="HS384")),
    "HS by the public key of a set": ("rs", _hs_by_public_key(kid="first")),
    "HS by the public key": ("pem", _hs_by_public_key()),
    "RS for a secret": ("hs", RS),
    "another secret": ("hs", signed(key="x" * 32)),
    "no signature": ("hs", f"{HEAD}.{BODY}."),
    "signature of zeros": ("hs", f"{HEAD}.{BODY}.{b64(bytes(32))}"),
    "signature cut short": ("hs", GOOD[:-4]),
    "signature of another token": (
        "hs",
        f"{signed(claims(sub='8')).rpartition('.')[0]}.{SIGNATURE}",
    ),
    "signature with bits left over": ("hs", GOOD[:-1] + chr(ord(GOOD[-1]) + 1)),
    "payload changed": ("hs", f"{HEAD}.{b64(claims(sub='1'))}.{SIGNATURE}"),
    "kid unknown": ("rs", signed(key=rsa_pem(), algorithm="RS256", kid="third")),
    "kid of another key": (
        "rs",
        signed(key=rsa_pem(), algorithm="RS256", kid="second"),
    ),
    "kid missing among several": ("rs", signed(key=rsa_pem(), algorithm="RS256")),
    "kid a path": ("rs", _own_key(kid="../../../../dev/null")),
    "kid SQL": ("rs", _own_key(kid="x' UNION SELECT 'secret")),
    "kid a command": ("rs", _own_key(kid="|/bin/id")),
    "kid a number": ("rs", _own_key(kid=1)),
    "kid null": ("hs", _header(kid=None)),
    "kid long": ("rs", _own_key(kid="k" * 4000)),
    "jwk of its own": ("rs", _own_key(kid="first", jwk=_attacker_jwk())),
    "jku of its own": ("rs", _own_key(kid="first", jku="http://127.0.0.1:1/jwks")),
    "x5u of its own": ("rs", _own_key(kid="first", x5u="http://127.0.0.1:1/x")),
    "x5c of its own": ("rs", _own_key(kid="first", x5c=["MIIB"])),
    "private JWK as a header": (
        "rs",
        _own_key(jwk=private_jwk(rsa_pem("attacker"), "RS256")),
    ),
    "crit": ("hs", _header(crit=["exp"])),
    "crit empty": ("hs", _header(crit=[])),
    "b64": ("hs", _header(b64=False, crit=["b64"])),
    "zip": ("hs", _header(zip="DEF")),
    "nested": (
        "hs",
        parts({"alg": "HS256", "cty": "JWT"}, GOOD.encode(), SECRET, "HS256"),
    ),
    "of another type": ("hs", _header(typ="logout+jwt")),
    "type a number": ("hs", _header(typ=1)),
    "expired": ("hs", signed(claims(exp=time.time() - 3))),
    "expired in 1969": ("hs", signed(claims(exp=-1))),
    "early": ("hs", signed(claims(nbf=time.time() + 80_000))),
    "issued in the future": ("hs", signed(claims(iat=time.time() + 80_000))),
    "exp missing": ("hs", signed(claims(exp=None))),
    "exp null": ("hs", _number("exp", "null")),
    "exp a text": ("hs", signed(claims(exp="99999999999"))),
    "exp a bool": ("hs", signed(claims(exp=True))),
    "exp a list": ("hs", signed(claims(exp=[9e9]))),
    "exp 1e400": ("hs", _payload(b'{"sub": "7", "exp": 1e400}')),
    "exp NaN": ("hs", _payload(b'{"sub": "7", "exp": NaN}')),
    "exp Infinity": ("hs", _payload(b'{"sub": "7", "exp": Infinity}')),
    "exp of 4,400 digits": ("hs", _payload(b'{"sub": "7", "exp": %b}' % (b"9" * 4400))),
    "exp of 400 digits": ("hs", _payload(b'{"sub": "7", "exp": %b}' % (b"9" * 400))),
    "exp in milliseconds": ("hs", signed(claims(exp=int(time.time() * 1000)))),
    "nbf a text": ("hs", signed(claims(nbf="0"))),
    "nbf a bool": ("hs", signed(claims(nbf=False))),
    "iat 1e400": ("hs", _payload(b'{"sub": "7", "exp": 9e9, "iat": -1e400}')),
    "aud unknown to us": ("hs", signed(claims(aud="library"))),
    "aud empty": ("hs", signed(claims(aud=[]))),
    "aud missing": ("strict", signed(claims(iss="b"))),
    "aud wrong": ("strict", signed(claims(iss="b", aud="museum"))),
    "aud partly": ("strict", signed(claims(iss="b", aud="librar"))),
    "aud a number": ("strict", signed(claims(iss="b", aud=["library", 1]))),
    "aud an object": ("strict", signed(claims(iss="b", aud={"library": 1}))),
    "iss missing": ("strict", signed(claims(aud="library"))),
    "iss wrong": ("strict", signed(claims(aud="library", iss="c"))),
    "iss a list": ("strict", signed(claims(aud="library", iss=["b"]))),
    "sub missing": ("hs", signed(claims(sub=None))),
    "sub null": ("hs", _payload(b'{"sub": null, "exp": 9e9}')),
    "sub empty": ("hs", signed(claims(sub=""))),
    "sub a number": ("hs", signed(claims(sub=7))),
    "sub a list": ("hs", signed(claims(sub=["7"]))),
    "sub of nobody": ("hs", signed(claims(sub="000"))),
    "sub half a surrogate": ("hs", _payload(b'{"sub": "\\ud800", "exp": 9e9}')),
    "login a number": ("hs", signed(claims(login=7))),
    "login an object": ("hs", signed(claims(login={"$ne": ""}))),
    "roles a number": ("hs", signed(claims(roles=7))),
    "roles an object": ("hs", signed(claims(roles={"staff": True}))),
    "roles numbers": ("hs", signed(claims(roles=["staff", 1]))),
    "suspended": ("hs", signed(claims(login="mallory"))),
    "not JSON": ("hs", _payload(b"sub=7")),
    "payload empty text": ("hs", _payload(b'""')),
    "claims a list": ("hs", _payload(b'[{"sub": "7"}]')),
    "claims null": ("hs", _payload(b"null")),
    "claims not UTF-8": ("hs", _payload(b'{"sub": "\xff", "exp": 9e9}')),
    "claims in UTF-16": ("hs", _payload(json.dumps(claims()).encode("utf-16"))),
    "claims with a mark of order": (
        "hs",
        _payload(b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
    ),
    "claims and more": ("hs", _payload(json.dumps(claims()).encode() + b"{}")),
    "claims twice": ("hs", _payload(b'{"sub": "8", "sub": "7", "exp": 9e9}')),
    "claims nested deeply": ("hs", _payload(b"[" * 5000)),
    "header a list": ("hs", parts(["HS256"], claims(), SECRET, "HS256")),
    "header not JSON": ("hs", parts(b"HS256", claims(), SECRET, "HS256")),
    "header twice": (
        "hs",
        parts(b'{"alg": "none", "alg": "HS256"}', claims(), SECRET, "HS256"),
    ),
    "padding": ("hs", f"{HEAD}=.{BODY}=.{SIGNATURE}="),
    "base64 of another alphabet": ("hs", f"{HEAD}.{BODY}.{'+/' * 21}a"),
    "base64 with a stranger": ("hs", f"{HEAD}.{BODY[:-1]}!{BODY[-1]}.{SIGNATURE}"),
    "one letter of base64": ("hs", f"{HEAD}.{BODY}.a"),
    "one part": ("hs", HEAD),
    "two parts": ("hs", f"{HEAD}.{BODY}"),
    "four parts": ("hs", f"{GOOD}.{SIGNATURE}"),
    "five parts": ("hs", ".".join([HEAD, "a" * 20, "b" * 16, BODY, SIGNATURE])),
    "five empty parts": ("hs", "...."),
    "empty parts": ("hs", ".."),
    "empty header": ("hs", f".{BODY}.{SIGNATURE}"),
    "empty payload": ("hs", f"{HEAD}..{SIGNATURE}"),
    "trailing dot": ("hs", f"{GOOD}."),
    "trailing data": ("hs", f"{GOOD}AAAA"),
    "trailing text": ("hs", f"{GOOD} x"),
    "trailing comma": ("hs", f"{GOOD},"),
    "a space within": ("hs", f"{HEAD}. {BODY}.{SIGNATURE}"),
    "a tab within": ("hs", f"{HEAD}.{BODY}\t.{SIGNATURE}"),
    "a header twice, joined": ("hs", f"{GOOD}, Bearer {GOOD}"),
    "a header twice, joined closely": ("hs", f"{GOOD},Bearer {GOOD}"),
    "huge": ("hs", signed(claims(more="x" * 9000))),
    "huge and nothing": ("hs", "a" * 30_000),
    "JSON serialization": ("hs", json.dumps({"payload": BODY, "signature": SIGNATURE})),
    "latin letters": ("hs", "é.é.é"),
    "in quotes": ("hs", f'"{GOOD}"'),
    "null": ("hs", "null"),
    "percent-encoded": ("hs", GOOD.replace(".", "%2E")),
}


def test_there_are_more_than_thirty_forged_tokens() -> None:
    assert len({token for _, token in FORGED.values()}) > 100


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_or_wrong_token_is_refused(both: Both, name: str) -> None:
    where, token = FORGED[name]
    refused(both.with_token(where, token))
