"""Errors → ``application/problem+json`` (RFC 9457): the one place that does it."""

import json
from http import HTTPStatus
from typing import Any

import pydantic_core
from stricto import (
    SAttributeError,
    SConstraintError,
    SError,
    SKeyError,
    SRightError,
    STypeError,
)

from backo.errors import BackoError, Fault
from backo.http.messages import PROBLEM, Request, Response
from backo.log import log_system
from backo.schema.faults import stricto_faults

__all__ = [
    "BadBodyError",
    "BadFormError",
    "CsrfError",
    "HTTP_ERRORS",
    "KeysUnavailableError",
    "MethodNotAllowedError",
    "NoRouteError",
    "NotAcceptableError",
    "RETRY_AFTER",
    "RangeError",
    "UnsupportedMediaTypeError",
    "parsed_json",
    "problem",
    "to_json",
]

RETRY_AFTER = 5
"""Seconds a client is asked to wait when a store cannot be reached."""

_log = log_system.get_or_create_logger("http")


class BadBodyError(BackoError):
    """The body is not JSON."""

    status = 400
    title = "Not JSON"
    code = "not_json"


class BadFormError(BackoError):
    """The body is no form (``multipart/form-data``), or not all of one."""

    status = 400
    title = "Not a form"
    code = "bad_form"


class CsrfError(BackoError):
    """A cookie alone does not show that the caller wants to write."""

    status = 403
    title = "Forbidden"
    code = "csrf"


class KeysUnavailableError(BackoError):
    """The keys that tokens are checked by cannot be fetched."""

    status = 503
    title = "Keys unavailable"
    code = "keys_unavailable"


class NoRouteError(BackoError):
    """No operation has this path."""

    status = 404
    title = "No such path"
    code = "no_route"


class MethodNotAllowedError(BackoError):
    """The path is there, but not with this method."""

    status = 405
    title = "Method not allowed"
    code = "method_not_allowed"

    def __init__(self, allowed: list[str]) -> None:
        self.allow = ", ".join(allowed)
        super().__init__(f"this path allows {self.allow}")


class NotAcceptableError(BackoError):
    """None of the media types wanted can be given."""

    status = 406
    title = "Not acceptable"
    code = "not_acceptable"


class RangeError(BackoError):
    """None of the bytes that ``Range`` names are there.

    :param size: bytes that are.
    """

    status = 416
    title = "Range not satisfiable"
    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"there are {size} bytes")


class UnsupportedMediaTypeError(BackoError):
    """The body is of a media type that the operation does not take."""

    status = 415
    title = "Unsupported media type"
    code = "unsupported_media_type"


HTTP_ERRORS: tuple[type[BackoError], ...] = (
    BadBodyError,
    BadFormError,
    CsrfError,
    KeysUnavailableError,
    NoRouteError,
    MethodNotAllowedError,
    NotAcceptableError,
    RangeError,
    UnsupportedMediaTypeError,
)
"""The errors that only HTTP knows."""

_STRICTO = (STypeError, SConstraintError, SAttributeError, SKeyError, SError)


def problem(error: Exception, request: Request) -> Response:
    """The answer to a request that failed with ``error``.

    An error that is not ours is a 500: the log gets its trace, the client nothing.
    """
    if isinstance(error, SRightError):
        fault = stricto_faults(error)[0]
        return _response(
            403, "Forbidden", "forbidden", fault.message, request, (fault,)
        )
    if isinstance(error, _STRICTO):
        faults = stricto_faults(error)
        detail = "; ".join(f"{one.path}: {one.message}" for one in faults)
        return _response(422, "Invalid document", "invalid", detail, request, faults)
    if (
        not isinstance(error, BackoError)
        or error.status == HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        _log.error("%s %s failed", request.method, request.uri, exc_info=error)
        title = BackoError.title
        return _response(500, title, BackoError.code, None, request)
    headers: tuple[tuple[str, str], ...] = ()
    detail = str(error)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        _log.error("%s %s: %s", request.method, request.uri, error, exc_info=error)
        headers, detail = (("retry-after", str(RETRY_AFTER)),), "try again later"
    if isinstance(error, MethodNotAllowedError):
        headers = (("allow", error.allow),)
    if isinstance(error, RangeError):
        headers = (("content-range", f"bytes */{error.size}"),)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers = (("www-authenticate", getattr(error, "challenge", "Bearer")),)
    faults = getattr(error, "faults", ())
    return _response(
        error.status, error.title, error.code, detail, request, faults, headers
    )


def _response(
    status: int,
    title: str,
    code: str,
    detail: str | None,
    request: Request,
    faults: tuple[Fault, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:backo:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": request.uri,
        "code": code,
    }
    if faults:
        body["errors"] = [
            {"path": one.path, "message": one.message, "code": one.code}
            for one in faults
        ]
    return Response(status, to_json(body), PROBLEM, headers)


def to_json(value: Any) -> bytes:
    """JSON text of a plain value, compact, in UTF-8."""
    # Half a surrogate pair cannot be written in UTF-8; a path or an id may hold one.
    try:
        return pydantic_core.to_json(value)
    except pydantic_core.PydanticSerializationError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def parsed_json(body: bytes) -> Any:
    """What the JSON ``body`` says.

    :raises BadBodyError: it is none.
    """
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadBodyError(str(error)) from error
