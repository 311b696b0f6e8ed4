"""From a request to its row's answer: what every operation has in common."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from backo.current_request import answering
from backo.errors import SessionError, SSyntaxError
from backo.http.auth import JWTAuth
from backo.http.endpoints import Endpoint
from backo.http.messages import Request, Response, media_type
from backo.http.problems import (
    MethodNotAllowedError,
    NoRouteError,
    NotAcceptableError,
    UnsupportedMediaTypeError,
    problem,
)

__all__ = ["Dispatcher"]

SMALL_BODY = 65_536
"""Bytes that are validated in well under a millisecond."""

type Authenticate = Callable[..., Any]


class Dispatcher:
    """Answers requests by the rows of one backoffice.

    :param jwt_auth: a JWTAuth, or called before each answer, with the neutral request
        if it takes an argument. It sets ``current_user``, or refuses: ``False`` and
        ``SessionError`` are a 401, ``SRightError`` is a 403.
    :param passthrough: exceptions of the framework, which it handles itself.
    :raises SSyntaxError: ``jwt_auth`` is a coroutine function: nobody would await it.
    """

    def __init__(
        self,
        rows: Sequence[Endpoint],
        jwt_auth: Authenticate | None = None,
        passthrough: tuple[type[Exception], ...] = (),
    ) -> None:
        self.rows = tuple(rows)
        self._admit = _admitting(jwt_auth)
        self._guarded = jwt_auth is not None
        self._passthrough = passthrough
        self._patterns = [(_pattern(row.path), row) for row in self.rows]

    def respond(
        self, row: Endpoint, request: Request, refused: Exception | None = None
    ) -> Response:
        """The answer of ``row``; ``refused`` is what went wrong while reading."""

        def answer() -> Response:
            _acceptable(row, request)
            _readable(row, request)
            if refused is not None:
                raise refused
            with answering(request):
                return row.handler(request)

        return self._answered(request, answer, public=row.public)

    def refusal(self, row: Endpoint, request: Request) -> Response | None:
        """The answer to an invalid body, where it can be told at once: it is small, and
        nobody must be authenticated first. It is the one ``respond`` would give.

        An event loop asks this before it hands the request to a worker thread, which
        takes longer than validating.
        """
        check = row.check
        if check is None or self._guarded or len(request.body) > SMALL_BODY:
            return None
        try:
            _acceptable(row, request)
            _readable(row, request)
            check(request)
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - what is not ours becomes a 500
            return problem(error, request)
        return None

    def unmatched(self, request: Request, path: str) -> Response:
        """The answer where no route took the request: another method's path (405, or
        the answer to ``HEAD``), or no path at all (404)."""
        found = [
            (row, match)
            for pattern, row in self._patterns
            if (match := pattern.fullmatch(path))
        ]
        if request.method == "HEAD":
            for row, match in found:
                if row.method == "GET":
                    asked = _with_params(request, match.groupdict())
                    return self.respond(row, asked)
        # A fixed path is no item's: what items allow is not allowed there.
        found = [one for one in found if not one[1].groupdict()] or found

        def refuse() -> Response:
            methods = {row.method for row, _ in found}
            if not methods:
                raise NoRouteError("there is nothing at this path")
            raise MethodNotAllowedError(
                sorted(methods | ({"HEAD"} if "GET" in methods else set()))
            )

        return self._answered(request, refuse)

    def _answered(
        self, request: Request, answer: Callable[[], Response], *, public: bool = False
    ) -> Response:
        """What ``answer`` gives to an authenticated caller, or the problem."""
        try:
            self._admit(request, public)
            return answer()
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - what is not ours becomes a 500
            return problem(error, request)


def _admitting(jwt_auth: Authenticate | None) -> Callable[[Request, bool], None]:
    """Refuses those whom ``jwt_auth`` refuses, and else sets ``current_user``."""
    if isinstance(jwt_auth, JWTAuth):
        return jwt_auth.authenticate
    called = _taking_request(jwt_auth)

    def admit(request: Request, _public: bool) -> None:
        if called(request) is False:
            raise SessionError("who you are could not be established")

    return admit


def _taking_request(jwt_auth: Authenticate | None) -> Callable[[Request], Any]:
    """``jwt_auth`` as a function of the request, whether it wants one or not."""
    if jwt_auth is None:
        return lambda _request: None
    called = getattr(jwt_auth, "__call__", jwt_auth)  # noqa: B004 - the method itself
    if inspect.iscoroutinefunction(jwt_auth) or inspect.iscoroutinefunction(called):
        raise SSyntaxError("jwt_auth must not be a coroutine function")
    try:
        inspect.signature(jwt_auth).bind(object())
    except TypeError:
        return lambda _request: jwt_auth()
    except ValueError:
        # Some callables written in C tell no signature.
        return jwt_auth
    return jwt_auth


def _with_params(request: Request, params: dict[str, str]) -> Request:
    return Request(
        request.method, request.path, request.query_string, request.headers, params
    )


def _pattern(path: str) -> re.Pattern[str]:
    steps = re.split(r"\{(\w+)\}", path)
    return re.compile(
        "".join(
            f"(?P<{step}>[^/]+)" if at % 2 else re.escape(step)
            for at, step in enumerate(steps)
        )
    )


def _acceptable(row: Endpoint, request: Request) -> None:
    """Whether the client takes what the row produces (RFC 9110, section 12.5.1)."""
    accept = request.headers.get("accept", "").strip()
    if not accept or accept == "*/*" or row.produces == "*/*" or row.status == 204:
        return
    kind = row.produces.partition("/")[0]
    quality: dict[str, float] = {}
    for wanted in accept.split(","):
        media, _, parameters = wanted.partition(";")
        quality[media.strip().lower()] = _quality(parameters)
    for name in (row.produces, f"{kind}/*", "*/*"):
        if name in quality:
            if quality[name] > 0:
                return
            break
    raise NotAcceptableError(f"this is only to be had as {row.produces}")


def _quality(parameters: str) -> float:
    match = re.search(r"(?:^|;)\s*q\s*=\s*([0-9.]+)", parameters)
    try:
        return float(match.group(1)) if match else 1.0
    except ValueError:
        return 1.0


def _readable(row: Endpoint, request: Request) -> None:
    """Whether the body is of a media type that the row takes."""
    if not row.consumes or (not request.body and not row.body_required):
        return
    media, charset = media_type(request.headers.get("content-type", ""))
    if media not in row.consumes:
        taken = ", ".join(row.consumes)
        raise UnsupportedMediaTypeError(f"this takes {taken}, not {media or 'nothing'}")
    if charset not in (None, "utf-8", "utf8"):
        raise UnsupportedMediaTypeError(f"JSON is read as UTF-8, not as {charset}")
