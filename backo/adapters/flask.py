"""The table's rows as Flask routes."""

from collections.abc import Callable
from typing import Any

from flask import Flask, request
from flask import Response as FlaskResponse
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from backo.backoffice import Backoffice
from backo.current_user import current_user
from backo.http.dispatch import Dispatcher
from backo.http.endpoints import Endpoint, base_path
from backo.http.messages import Request, Response
from backo.http.problems import BodyTooLargeError
from backo.openapi.ui import ApiPages

__all__ = ["build_routes"]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_EXTENSION = "backo"


def build_routes(
    office: Backoffice, app: Flask, prefix: str, jwt_auth: Callable[..., Any] | None
) -> None:
    """Add every operation of ``office`` to ``app``.

    Each request of the application begins with a user of its own, before the
    application's own ``before_request`` functions.
    """
    if _EXTENSION not in app.extensions:
        app.extensions[_EXTENSION] = True
        app.before_request_funcs.setdefault(None, []).insert(0, current_user.open)
    pages = ApiPages(office, prefix)
    dispatcher = Dispatcher(pages.rows, jwt_auth, passthrough=(HTTPException,))
    base = base_path(office, prefix)
    for row in pages.rows:
        view = _view(dispatcher, row, office.max_body_size)
        _add(app, row.path, f"{base}:{row.operation_id}", view, [row.method])
    _add(
        app,
        f"{base}/{{path:rest}}",
        f"{base}:unmatched",
        _unmatched(dispatcher),
        METHODS,
    )


def _add(
    app: Flask, path: str, endpoint: str, view: Callable[..., Any], methods: list[str]
) -> None:
    app.add_url_rule(
        path.replace("{", "<").replace("}", ">"),
        endpoint=endpoint.replace(".", "_"),
        view_func=view,
        methods=methods,
        provide_automatic_options=False,
        strict_slashes=True,
        merge_slashes=False,
    )


def _view(dispatcher: Dispatcher, row: Endpoint, limit: int) -> Callable[..., Any]:
    def view(**path_params: str) -> FlaskResponse:
        body, refused = _read(limit) if row.consumes else (b"", None)
        neutral = _neutral(path_params, body)
        return _answer(dispatcher.respond(row, neutral, refused))

    return view


def _unmatched(dispatcher: Dispatcher) -> Callable[..., Any]:
    def unmatched(rest: str) -> FlaskResponse:
        neutral = _neutral({"rest": rest}, b"")
        return _answer(dispatcher.unmatched(neutral, request.path))

    return unmatched


def _read(limit: int) -> tuple[bytes, BodyTooLargeError | None]:
    """The body, read no further than ``limit`` bytes; what is wrong with it, if it is
    longer."""
    refused = BodyTooLargeError(f"a body may have {limit} bytes")
    if request.content_length is not None and request.content_length > limit:
        return b"", refused
    body = bytearray()
    while len(body) <= limit:
        chunk = request.stream.read(min(65536, limit + 1 - len(body)))
        if not chunk:
            return bytes(body), None
        body += chunk
    return b"", refused


def _neutral(path_params: dict[str, str], body: bytes) -> Request:
    return Request(
        method=request.method,
        path=request.root_path + request.path,
        query_string=request.environ.get("QUERY_STRING", ""),
        headers=_Lowered(request.headers),
        path_params=path_params,
        body=body,
    )


class _Lowered(dict[str, str]):
    """Header names in lower case; repeated headers joined, as in ASGI's view of them."""

    def __init__(self, headers: Any) -> None:
        super().__init__()
        for name, value in headers:
            self[name.lower()] = value


def _answer(response: Response) -> FlaskResponse:
    return FlaskResponse(
        response.body, response.status, headers=Headers(response.all_headers)
    )
