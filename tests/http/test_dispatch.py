"""What all operations have in common."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from backo import SessionError, SRightError, SSyntaxError, String, current_user
from backo.http.dispatch import Dispatcher
from backo.http.messages import Request
from tests.http.asking import Asking, asking
from tests.offices import one


def ask_with(jwt_auth: Callable[..., Any] | None) -> Asking:
    return asking(one({"x": String()}).backoffice, jwt_auth)  # type: ignore[arg-type]


class Guard:
    """A callable object, as JWTAuth is one."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    def __call__(self, request: Request) -> bool:
        return not self.strict or request.headers.get("token") == "1"


def test_jwt_auth_may_take_the_request() -> None:
    ask = ask_with(Guard(strict=True))
    assert ask("things_list").status == 401
    assert ask("things_list", headers={"token": "1"}).status == 200


def test_jwt_auth_may_take_nothing() -> None:
    calls = []

    def auth() -> None:
        calls.append(1)

    assert ask_with(auth)("things_list").status == 200
    assert calls == [1]


@pytest.mark.parametrize(
    "auth",
    [
        lambda request=None: request is not None,
        lambda *args: len(args) == 1,
        functools.partial(lambda flag, request: flag and request, True),
        bool,
    ],
)
def test_jwt_auth_of_any_shape_gets_the_request(auth: Callable[..., Any]) -> None:
    assert ask_with(auth)("things_list").status == 200


def _refuse(error: Exception) -> Callable[[], None]:
    def auth() -> None:
        raise error

    return auth


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (lambda: False, 401),
        (lambda: None, 200),
        (lambda: True, 200),
        (_refuse(SessionError("late")), 401),
        (_refuse(SRightError("no")), 403),
        (_refuse(ValueError("bug")), 500),
    ],
)
@pytest.mark.parametrize(
    "operation",
    ["things_list", "office_get_meta", "office_get_openapi", "office_get_docs"],
)
def test_jwt_auth_guards_every_route(
    operation: str, auth: Callable[..., Any], status: int
) -> None:
    answer = ask_with(auth)(operation)
    assert answer.status == status
    assert ("www-authenticate", "Bearer") in answer.headers or status != 401


def test_jwt_auth_comes_before_anything_is_said_about_the_path() -> None:
    dispatcher = ask_with(lambda: False).dispatcher
    for path in ("/office/things", "/nowhere"):
        request = Request("PUT", path, "", {}, {})
        assert dispatcher.unmatched(request, path).status == 401


def test_jwt_auth_that_nobody_would_await_is_refused_at_once() -> None:
    async def auth() -> bool:
        return False

    class Auth:
        async def __call__(self, _request: Request) -> bool:
            return False

    for one_ in (auth, Auth(), functools.partial(auth)):
        with pytest.raises(SSyntaxError):
            ask_with(one_)


def test_what_the_framework_raises_goes_through() -> None:
    class FrameworksOwnError(Exception):
        pass

    ask = ask_with(None)
    dispatcher = Dispatcher(
        ask.dispatcher.rows,
        _refuse(FrameworksOwnError()),
        passthrough=(FrameworksOwnError,),
    )
    request = Request("GET", "/office/things", "", {}, {})
    with pytest.raises(FrameworksOwnError):
        dispatcher.respond(dispatcher.rows[0], request)
    with pytest.raises(FrameworksOwnError):
        dispatcher.unmatched(request, request.path)


def test_the_user_that_jwt_auth_sets_is_the_user() -> None:
    def auth() -> None:
        current_user.set({"_id": "1", "login": "ada"})

    ask_with(auth)("things_list")
    assert current_user.login == "ada"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("application/json;q=0.001", 200),
        ("text/html;q=1, application/json;q=0", 406),
        ("application/*;q=0, */*", 406),
        ("application/json;q=x", 200),
        (",", 406),
    ],
)
def test_accept(accept: str, status: int) -> None:
    assert ask_with(None)("things_list", headers={"accept": accept}).status == status


def test_what_has_no_body_is_of_no_media_type() -> None:
    ask = ask_with(None)
    ask("things_create", {"x": "a"})
    _id = ask.office.things.select()[0]["_id"].get_value()
    answer = ask("things_delete", _id=_id, headers={"accept": "text/html"})
    assert answer.status == 204
