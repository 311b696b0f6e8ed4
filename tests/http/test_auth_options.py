"""What the options of JWTAuth change, through the dispatcher."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backo import (
    CurrentUser,
    NotFoundError,
    SessionError,
    SSyntaxError,
    String,
    current_user,
)
from backo.http.auth import JWTAuth
from backo.http.messages import Request, Response
from tests.http.asking import Asking
from tests.http.asking import asking as asking_anyhow
from tests.http.tokens import SECRET, claims, signed
from tests.offices import office


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    with current_user.request():
        yield


def auth(**options: Any) -> JWTAuth:
    return JWTAuth(SECRET, **{"algorithms": ["HS256"], **options})


def asking(**options: Any) -> Asking:
    return guarded(auth(**options))


def guarded(jwt_auth: Callable[..., Any] | None) -> Asking:
    return asking_anyhow(office(), jwt_auth)


def bearer(*payload: Any, **header: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {signed(*payload, **header)}"}


def code(answer: Response) -> str:
    return str(json.loads(answer.body)["code"])


# --- Where the token is -------------------------------------------------------------

GOOD = signed()
OTHER = signed(claims(sub="8"))


@pytest.mark.parametrize(
    ("cookie", "status"),
    [
        (f"session={GOOD}", 200),
        (f"a=b; session={GOOD}; c=d", 200),
        (f"session={GOOD}; session={GOOD}", 200),
        (f"a=session={GOOD}", 401),
        (f"Session={GOOD}", 401),
        (f"xsession={GOOD}", 401),
        ("session=", 401),
        ("session", 401),
        ("", 401),
        (f"session={GOOD}; session={OTHER}", 401),
        (f"session={GOOD},session={GOOD}", 401),
        (f'session="{GOOD}"', 401),
        (f"session=Bearer {GOOD}", 401),
    ],
)
def test_the_token_in_a_cookie(cookie: str, status: int) -> None:
    ask = asking(cookie="session")
    assert ask("things_list", headers={"cookie": cookie}).status == status


@pytest.mark.parametrize(
    ("header", "cookie", "status"),
    [
        (GOOD, GOOD, 200),
        (GOOD, OTHER, 401),
        (GOOD, "x", 401),
        ("x", GOOD, 401),
    ],
)
def test_header_and_cookie_must_be_the_same(
    header: str, cookie: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {header}", "cookie": f"session={cookie}"}
    assert asking(cookie="session")("things_list", headers=headers).status == status


def test_another_scheme_beside_the_cookie_is_not_ours() -> None:
    headers = {"authorization": "Basic YTpi", "cookie": f"session={GOOD}"}
    assert asking(cookie="session")("things_list", headers=headers).status == 200


def test_a_cookie_that_is_not_asked_for_is_not_read() -> None:
    headers = {"cookie": f"session={GOOD}"}
    assert asking()("things_list", headers=headers).status == 401


def every_operation(ask: Asking) -> list[tuple[str, str]]:
    return [(row.method, row.operation_id) for row in ask.dispatcher.rows]


def test_a_write_by_cookie_needs_the_header() -> None:
    ask = asking(cookie="session")
    for method, operation in every_operation(ask):
        for more in ({}, {"x-csrf-token": ""}):
            answer = ask(operation, {}, headers={"cookie": f"session={GOOD}", **more})
            if method == "GET":
                assert answer.status != 403
            else:
                assert (answer.status, code(answer)) == (403, "csrf"), operation
        for more in ({"x-csrf-token": "1"}, {"authorization": f"Bearer {GOOD}"}):
            answer = ask(operation, {}, headers={"cookie": f"session={GOOD}", **more})
            assert answer.status not in (401, 403), operation


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "BREW"])
def test_only_safe_methods_need_no_header_where_nothing_is(method: str) -> None:
    request = Request(method, "/nowhere", "", {"cookie": f"session={GOOD}"}, {})
    answer = asking(cookie="session").dispatcher.unmatched(request, "/nowhere")
    assert answer.status == (404 if method in ("GET", "HEAD", "OPTIONS") else 403)


def test_the_name_of_the_csrf_header_is_chosen() -> None:
    ask = asking(cookie="session", csrf_header="X-Requested-With")
    headers = {"cookie": f"session={GOOD}", "x-csrf-token": "1"}
    assert ask("things_create", {"x": "a"}, headers=headers).status == 403
    headers["x-requested-with"] = "fetch"
    assert ask("things_create", {"x": "a"}, headers=headers).status == 201


@pytest.mark.parametrize("value", [GOOD, f"Bearer {GOOD}", f"bearer {GOOD}"])
def test_the_token_in_another_header(value: str) -> None:
    ask = asking(header="X-Token")
    assert ask("things_list", headers={"x-token": value}).status == 200
    assert ask("things_list", headers={"x-token": value + "x"}).status == 401
    assert ask("things_list", headers={"x-token": f"{value},{value}"}).status == 401
    assert ask("things_list", headers=bearer()).status == 401


def test_only_the_cookie() -> None:
    ask = asking(header=None, cookie="session")
    assert ask("things_list", headers=bearer()).status == 401
    assert ask("things_list", headers={"cookie": f"session={GOOD}"}).status == 200


def test_long_tokens_are_refused_unread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "backo")
    size = len(GOOD)
    assert asking(max_size=size)("things_list", headers=bearer_of(GOOD)).status == 200
    assert (
        asking(max_size=size - 1)("things_list", headers=bearer_of(GOOD)).status == 401
    )
    assert "it is too long" in caplog.text


def bearer_of(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# --- Options that cannot be ---------------------------------------------------------


async def nobody_waits(_given: Any) -> bool:
    return False


class NobodyWaits:
    async def __call__(self, _given: Any) -> bool:
        return False


@pytest.mark.parametrize(
    "options",
    [
        {"header": None},
        {"header": ""},
        {"header": "X Token"},
        {"header": "X-Token\r\n"},
        {"cookie": ""},
        {"cookie": "a=b"},
        {"cookie": "a;b"},
        {"cookie": "session", "csrf_header": "Content-Type"},
        {"cookie": "session", "csrf_header": "accept"},
        {"cookie": "session", "csrf_header": ""},
        {"leeway": -1},
        {"leeway": float("nan")},
        {"leeway": float("inf")},
        {"max_size": 0},
        {"jwks_timeout": 0},
        {"jwks_max_age": -1},
        {"jwks_cooldown": 0},
        {"audience": ""},
        {"audience": []},
        {"issuer": ["a", ""]},
        {"realm": ""},
        {"realm": 'a"b'},
        {"realm": "a\\b"},
        {"realm": "a\r\nSet-Cookie: b"},
        {"claims": {"login": ""}},
        {"claims": {"login": 7}},
        {"claims": {"login": nobody_waits}},
        {"is_active": nobody_waits},
        {"is_active": NobodyWaits()},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SSyntaxError):
        auth(**options)


def test_the_realm_is_named() -> None:
    answer = asking(realm="the library")("things_list")
    assert ("www-authenticate", 'Bearer realm="the library"') in answer.headers


# --- Time and parties ---------------------------------------------------------------


def test_leeway_is_for_all_times() -> None:
    now = time.time()
    tokens = [claims(exp=now - 5), claims(nbf=now + 5), claims(iat=now + 5)]
    for payload in tokens:
        assert asking()("things_list", headers=bearer(payload)).status == 401
        assert asking(leeway=8.5)("things_list", headers=bearer(payload)).status == 200
        assert asking(leeway=2)("things_list", headers=bearer(payload)).status == 401


def test_tokens_may_be_for_ever_where_that_is_told() -> None:
    ask = asking(require_exp=False)
    assert ask("things_list", headers=bearer(claims(exp=None))).status == 200
    for exp in (time.time() - 5, "9", True):
        assert ask("things_list", headers=bearer(claims(exp=exp))).status == 401
    null = b'{"sub": "7", "exp": null}'
    assert ask("things_list", headers=bearer(null)).status == 401


def test_any_of_the_audiences() -> None:
    ask = asking(audience=["a", "b"])
    for aud, status in (("a", 200), (["b", "c"], 200), ("c", 401), ("ab", 401)):
        assert ask("things_list", headers=bearer(claims(aud=aud))).status == status


# --- Whom the claims name -----------------------------------------------------------


def who(payload: dict[str, Any], **options: Any) -> tuple[Any, Any, Any]:
    """Id, login and roles of the user of a request with such a token."""
    headers = {"authorization": f"Bearer {signed(payload)}"}
    auth(**options).authenticate(Request("GET", "/", "", headers, {}))
    names = ("_id", "login", "roles")
    found = tuple(current_user[name].get_value() for name in names)
    return found[0], found[1], found[2]


def test_claims_are_mapped() -> None:
    assert who(claims()) == ("7", "ada", ["staff"])
    assert who(claims(login=None, roles=None)) == ("7", "7", [])
    assert who(claims(roles="a b  c")) == ("7", "ada", ["a", "b", "c"])
    assert who(claims(roles="")) == ("7", "ada", [])


def test_claims_are_mapped_as_told() -> None:
    payload = claims(
        preferred_username="ann",
        realm_access={"roles": ["x", "y"]},
        **{"https://a.example/roles": ["z"], "uid": 12},
    )
    mapping = {"login": "preferred_username", "roles": "realm_access.roles"}
    assert who(payload, claims=mapping) == ("7", "ann", ["x", "y"])
    mapping = {"roles": "https://a.example/roles"}
    assert who(payload, claims=mapping) == ("7", "ada", ["z"])
    functions = {
        "_id": lambda found: f"user-{found['uid']}",
        "roles": lambda found: {
            one.upper() for one in found["realm_access"]["roles"][:1]
        },
    }
    assert who(payload, claims=functions) == ("user-12", "ada", ["X"])


@pytest.mark.parametrize(
    "mapping",
    [
        {"roles": "login.roles"},
        {"roles": "nowhere.at.all"},
        {"roles": lambda found: found.get("nothing")},
    ],
)
def test_roles_that_are_not_there_are_none(mapping: dict[str, Any]) -> None:
    assert who(claims(), claims=mapping) == ("7", "ada", [])


@pytest.mark.parametrize(
    "mapping",
    [
        {"_id": "nowhere"},
        {"_id": lambda found: found["nowhere"]},
        {"_id": lambda found: found["login"]["deep"]},
        {"_id": lambda found: int(found["login"])},
        {"_id": lambda found: "000"},
        {"_id": lambda found: b"7"},
        {"roles": lambda found: 7},
        {"roles": lambda found: found["nowhere"]},
    ],
)
def test_claims_that_name_nobody_are_refused(mapping: dict[str, Any]) -> None:
    answer = asking(claims=mapping)("things_list", headers=bearer())
    assert answer.status == 401
    assert current_user.is_anonymous()


class Member(CurrentUser):
    """A user with a field more."""

    def __init__(self) -> None:
        super().__init__()
        self.add_to_model("card", String(pattern="^.{1,4}$"))


@pytest.fixture
def members() -> Iterator[None]:
    prototype = current_user._prototype
    current_user._prototype = Member()
    yield
    current_user._prototype = prototype


@pytest.mark.usefixtures("members")
def test_fields_of_a_user_of_ones_own() -> None:
    ask = asking(claims={"card": "card"})
    assert ask("things_list", headers=bearer(claims(card="c7"))).status == 200
    assert current_user.card == "c7"
    assert ask("things_list", headers=bearer()).status == 200
    assert current_user.card.get_value() is None
    for card in (7, "too long", ["c7"]):
        assert ask("things_list", headers=bearer(claims(card=card))).status == 401


def test_a_field_that_the_user_has_not_is_our_mistake(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = asking(claims={"card": "card"})(
        "things_list", headers=bearer(claims(card="c7"))
    )
    assert answer.status == 500
    assert "card" in caplog.text


# --- is_active ----------------------------------------------------------------------


def test_is_active_gets_the_user() -> None:
    asked: list[tuple[Any, ...]] = []

    def is_active(user: CurrentUser) -> bool:
        asked.append((user._id.get_value(), user.has_role("staff")))
        return True

    ask = asking(is_active=is_active)
    assert ask("things_list", headers=bearer()).status == 200
    assert ask("things_list", headers=bearer(claims(exp=1))).status == 401
    assert asked == [("7", True)]


@pytest.mark.parametrize("answer", [False, None, 0, ""])
def test_who_is_not_active_is_nobody(answer: Any) -> None:
    assert (
        asking(is_active=lambda _user: answer)("things_list", headers=bearer()).status
        == 401
    )
    assert current_user.is_anonymous()


def test_a_failure_of_is_active_lets_nobody_in() -> None:
    def fails(_user: CurrentUser) -> bool:
        raise RuntimeError("the list of users is gone")

    def unknown(_user: CurrentUser) -> bool:
        raise NotFoundError("no such user")

    assert asking(is_active=fails)("things_list", headers=bearer()).status == 500
    assert current_user.is_anonymous()
    assert asking(is_active=unknown)("things_list", headers=bearer()).status == 401
    assert current_user.is_anonymous()


# --- What is told -------------------------------------------------------------------


def test_only_the_log_is_told_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "backo.http.auth")
    token = signed(claims(exp=1))
    answer = asking()("things_list", headers=bearer_of(token))
    assert "GET /office/things: token refused: it has expired" in caplog.text
    told = str(answer) + caplog.text
    assert not any(part in told for part in token.split("."))


# --- Public operations --------------------------------------------------------------

PUBLIC = ["things_list", "*_get_meta", "_docs"]


@pytest.mark.parametrize(
    ("operation", "public"),
    [
        ("things_list", True),
        ("things_create", False),
        ("things_get", False),
        ("things_meta", False),
        ("office_get_meta", True),
        ("office_get_docs", True),
        ("office_get_openapi", False),
    ],
)
def test_public_operations_need_no_token(operation: str, public: bool) -> None:
    ask = asking(public=PUBLIC)
    assert (ask(operation, {}).status != 401) == public
    assert current_user.is_anonymous()
    assert ask(operation, {}, headers=bearer(claims(exp=1))).status == 401
    assert ask(operation, {}, headers=bearer()).status != 401
    assert current_user.login == "ada"


def test_the_page_comes_with_its_parts() -> None:
    ask = asking(public="_docs")
    request = Request("GET", "", "", {}, {"asset": "start.js"})
    (asset,) = (one for one in ask.dispatcher.rows if one.path.endswith("{asset}"))
    assert ask.dispatcher.respond(asset, request).status == 200


def test_head_is_as_public_as_get() -> None:
    dispatcher = asking(public=["things_list"]).dispatcher
    for path, status in (("/office/things", 200), ("/office/_meta", 401)):
        request = Request("HEAD", path, "", {}, {})
        assert dispatcher.unmatched(request, path).status == status


def test_what_is_nowhere_is_never_public() -> None:
    dispatcher = asking(public=["*"]).dispatcher
    for method, path in (("GET", "/office/nowhere"), ("PUT", "/office/things")):
        request = Request(method, path, "", {}, {})
        assert dispatcher.unmatched(request, path).status == 401


def test_a_cookie_on_a_public_write_needs_the_header() -> None:
    ask = asking(cookie="session", public=["things_create"])
    assert ask("things_create", {"x": "a"}).status == 201
    answer = ask("things_create", {"x": "a"}, headers={"cookie": f"session={GOOD}"})
    assert answer.status == 403


@pytest.mark.parametrize("name", ["book_list", "things_", "_meta_", "", "_doc"])
def test_a_public_name_that_fits_nothing_is_refused(name: str) -> None:
    with pytest.raises(SSyntaxError, match="public"):
        asking(public=["things_list", name])
    with pytest.raises(SSyntaxError, match="public"):
        office().router(jwt_auth=auth(public=[name]))
    from flask import Flask

    with pytest.raises(SSyntaxError, match="public"):
        office().build_routes(Flask("x"), jwt_auth=auth(public=[name]))


# --- The document -------------------------------------------------------------------


def test_the_document_names_the_scheme() -> None:
    found = office().get_openapi(jwt_auth=auth(public=["things_list"]))
    assert found["security"] == [{"bearerAuth": []}]
    assert found["components"]["securitySchemes"] == {
        "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    things = found["paths"]["/office/things"]
    assert things["get"]["security"] == [{"bearerAuth": []}, {}]
    assert things["post"]["security"] == [{"bearerAuth": []}]
    for path in found["paths"].values():
        for operation in path.values():
            assert "401" in operation["responses"]


def test_the_document_names_the_cookie_and_what_it_needs() -> None:
    found = office().get_openapi(jwt_auth=auth(cookie="session"))
    assert found["components"]["securitySchemes"]["cookieAuth"] == {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
    }
    both: list[dict[str, list[str]]] = [{"bearerAuth": []}, {"cookieAuth": []}]
    assert found["security"] == both
    for path in found["paths"].values():
        for method, operation in path.items():
            names = [one["name"] for one in operation.get("parameters", [])]
            assert operation["security"] == both
            assert ("X-CSRF-Token" in names) == (method != "get")
            assert "403" in operation["responses"] or method == "get"


def test_the_document_names_another_header() -> None:
    found = office().get_openapi(jwt_auth=auth(header="X-Token"))
    scheme = {"type": "apiKey", "in": "header", "name": "X-Token"}
    assert found["components"]["securitySchemes"] == {"bearerAuth": scheme}


def test_the_document_of_any_function_says_401() -> None:
    found = office().get_openapi(jwt_auth=lambda: True)
    assert found["security"] == []
    assert "securitySchemes" not in found["components"]
    listed = found["paths"]["/office/things"]["get"]
    assert "401" in listed["responses"] and "security" not in listed


def test_any_function_may_name_schemes() -> None:
    def keyed() -> bool:
        return True

    scheme = {"type": "apiKey", "in": "header", "name": "X-Key"}
    keyed.security_schemes = {"key": scheme}  # type: ignore[attr-defined]
    found = office().get_openapi(jwt_auth=keyed)
    assert found["components"]["securitySchemes"] == {"key": scheme}
    assert found["paths"]["/office/things"]["get"]["security"] == [{"key": []}]


def test_without_authentication_the_document_says_nothing_of_it() -> None:
    text = json.dumps(office().get_openapi())
    assert "securitySchemes" not in text and '"401"' not in text


def test_the_document_as_it_is_served_is_valid_and_the_same() -> None:
    from openapi_spec_validator import validate

    options = {"cookie": "session", "public": ["things_*", "_meta"]}
    ask = asking(**options)
    served = json.loads(ask("office_get_openapi", headers=bearer()).body)
    validate(served)
    assert served == office().get_openapi(jwt_auth=auth(**options))


# --- Anything at all ----------------------------------------------------------------

LETTERS = 'abcXYZ019-_.=+/ ,;\t"{}é\x00\u0130'


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(GOOD)),
    cut=st.integers(0, 5),
    put=st.text(LETTERS, max_size=5),
    scheme=st.sampled_from(["Bearer ", "bearer", "", "Bearer Bearer "]),
)
def test_a_token_that_is_changed_anywhere_is_refused(
    at: int, cut: int, put: str, scheme: str
) -> None:
    changed = scheme + GOOD[:at] + put + GOOD[at + cut :]
    request = Request("GET", "/", "", {"authorization": changed}, {})
    with current_user.request():
        try:
            auth().authenticate(request)
        except SessionError:
            assert current_user.is_anonymous()
        else:
            # Nothing was changed, or only the space before it.
            scheme, _, token = changed.partition(" ")
            assert (scheme.lower(), token.lstrip(" ")) == ("bearer", GOOD)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "roles", "login"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)
def test_a_claim_may_be_anything(name: str, value: Any) -> None:
    payload = {**claims(), name: value}
    request = Request("GET", "/", "", bearer(payload), {})
    with current_user.request():
        try:
            auth(issuer="b" if name == "iss" else None).authenticate(request)
        except SessionError:
            assert current_user.is_anonymous()
        else:
            assert current_user.identity()[0] not in ("", "000")
