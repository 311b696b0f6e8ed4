"""The table's rows as Flask routes, and a server of nothing else."""

import functools
import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from typing import IO, Any

from flask import Flask, current_app, request
from flask import Response as FlaskResponse
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected, HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.serving import DechunkedInput, make_server

from backo.backoffice import Backoffice
from backo.current_request import answering
from backo.current_user import current_user
from backo.errors import BackoError, BodyTooLargeError
from backo.http.auth import JWTAuth
from backo.http.dispatch import Dispatcher
from backo.http.endpoints import Endpoint, base_path
from backo.http.messages import Request, Response
from backo.http.multipart import is_form
from backo.http.problems import BadBodyError, BadFormError, problem
from backo.http.streams import Sending
from backo.openapi.ui import ApiPages

__all__ = ["build_routes", "server"]

_EXTENSION = "backo"
_CHUNK = 65536
_LINGERING = 30.0
"""Seconds for which a client may send on after its answer."""


class _Rest(BaseConverter):
    """What follows the base path: nothing, or everything after another slash."""

    regex = r"(?:/[\s\S]*)?"
    part_isolating = False


def build_routes(
    office: Backoffice, app: Flask, prefix: str, jwt_auth: Callable[..., Any] | None
) -> None:
    """Add every operation of ``office`` to ``app``.

    Each request of the application begins with a user of its own, before the
    application's own ``before_request`` functions.
    """
    if _EXTENSION not in app.extensions:
        app.extensions[_EXTENSION] = True
        app.url_map.converters[_EXTENSION] = _Rest
        app.before_request_funcs.setdefault(None, []).insert(0, _open_request)
        app.teardown_request(_close_request)
    pages = ApiPages(office, prefix, jwt_auth)
    dispatcher = Dispatcher(pages.rows, jwt_auth, passthrough=(HTTPException,))
    base = base_path(office, prefix)
    for row in pages.rows:
        view = _view(dispatcher, row, office)
        path = row.path.replace("{", "<").replace("}", ">")
        app.add_url_rule(
            path,
            endpoint=_endpoint(base, row.operation_id),
            view_func=view,
            methods=[row.method],
            provide_automatic_options=False,
            strict_slashes=True,
            merge_slashes=False,
        )
    # Not add_url_rule(): it makes no rule for every method there may be.
    rest = f"{base}<{_EXTENSION}:rest>"
    unmatched = _endpoint(base, "unmatched")
    app.url_map.add(app.url_rule_class(rest, endpoint=unmatched, merge_slashes=False))
    app.view_functions[unmatched] = _unmatched(dispatcher)


def server(
    office: Backoffice,
    listening: socket.socket,
    prefix: str = "",
    jwt_auth: Callable[..., Any] | None = None,
) -> Callable[[], None]:
    """What serves ``office`` alone by Werkzeug's server for development, when it is
    called and until the process is interrupted.

    :param listening: where requests come from.
    :raises SSyntaxError: a reference is wrong.
    """
    # A folder `static` that happens to be there is nobody's to read.
    app = Flask(office.name, static_folder=None)
    office.build_routes(app, prefix, jwt_auth)
    host, port = listening.getsockname()[:2]
    made = make_server(host, port, app, threaded=True, fd=listening.fileno())
    return made.serve_forever


def _endpoint(base: str, name: str) -> str:
    """A name for Flask, where dots would name a blueprint."""
    return f"{base}:{name}".replace(".", "_")


class _Asking:
    """What the request asks, for routes of the application itself."""

    @property
    def query(self) -> list[tuple[str, str]]:
        return _neutral({}, b"").query

    @property
    def body(self) -> bytes:
        return request.get_data()


def _open_request() -> None:
    """Give the request a user of its own, and say what it asks."""
    opened = request.environ[_EXTENSION] = ExitStack()
    opened.enter_context(current_user.request())
    opened.enter_context(answering(_Asking()))


def _close_request(_error: BaseException | None) -> None:
    """Forget the request's user: what the thread does next is somebody else's."""
    if _EXTENSION in request.environ:
        request.environ.pop(_EXTENSION).close()


def authenticated[**P](auth: JWTAuth, view: Callable[P, Any]) -> Callable[P, Any]:
    """``view`` of the application, for those whom ``auth`` does not refuse: they are
    its current user."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
        opened = _EXTENSION in request.environ
        with nullcontext() if opened else current_user.request():
            neutral = _neutral({}, b"")
            try:
                auth.authenticate(neutral)
            except BackoError as error:
                return _answer(problem(error, neutral))
            return current_app.ensure_sync(view)(*args, **kwargs)

    return guarded


def _view(
    dispatcher: Dispatcher, row: Endpoint, office: Backoffice
) -> Callable[..., Any]:
    def view(**path_params: str) -> FlaskResponse:
        if is_form(row.consumes, request.headers.get("content-type", "")):
            chunks = _chunks(_stream())
            neutral = _neutral(path_params, b"", chunks)
            answer = _answer(dispatcher.respond(row, neutral))
            answer.call_on_close(functools.partial(_linger, chunks, office))
            return answer
        body, refused = _read(office.max_body_size) if row.consumes else (b"", None)
        neutral = _neutral(path_params, body)
        return _answer(dispatcher.respond(row, neutral, refused))

    return view


def _unmatched(dispatcher: Dispatcher) -> Callable[..., Any]:
    def unmatched(rest: str) -> FlaskResponse:
        neutral = _neutral({"rest": rest}, b"")
        return _answer(dispatcher.unmatched(neutral, request.path))

    return unmatched


def _read(limit: int) -> tuple[bytes, BackoError | None]:
    """The body, read no further than ``limit`` bytes; what is wrong with it, if it is
    longer or ends early."""
    refused = BodyTooLargeError(f"a body may have {limit} bytes")
    if request.content_length is not None and request.content_length > limit:
        return b"", refused
    stream, body = _stream(), bytearray()
    while len(body) <= limit:
        try:
            chunk = stream.read(min(_CHUNK, limit + 1 - len(body)))
        except (ClientDisconnected, OSError):
            return b"", BadBodyError("the body ends early")
        if not chunk:
            return bytes(body), None
        body += chunk
    return b"", refused


class _Uncut(io.RawIOBase):
    """Chunks as Werkzeug's server reads them, into a buffer that keeps its size.

    It puts less into the buffer than it says when the client goes away, and cuts the
    buffer, past the end of which Python then reads.
    """

    def __init__(self, chunks: DechunkedInput) -> None:
        self._chunks = chunks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        try:
            return self._chunks.readinto(memoryview(buffer))  # type: ignore[arg-type]
        except ValueError as error:
            raise OSError("a chunk ends early") from error


def _stream() -> IO[bytes]:
    """The body of the request, still unread."""
    source = request.environ.get("wsgi.input")
    if isinstance(source, DechunkedInput):
        request.environ["wsgi.input"] = _Uncut(source)
    return request.stream


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except (ClientDisconnected, OSError) as error:
            raise BadFormError("the body ends early") from error
        if not chunk:
            return
        yield chunk


def _linger(chunks: Iterator[bytes], office: Backoffice) -> None:
    """Read what a client still sends after its answer, within bounds: servers that
    close a connection with unread bytes may cut off the answer that is on its way."""
    end, left = time.monotonic() + _LINGERING, office.max_upload_size
    with suppress(BackoError, HTTPException):
        for chunk in chunks:
            left -= len(chunk)
            if left <= 0 or time.monotonic() > end:
                return


def _neutral(
    path_params: dict[str, str], body: bytes, stream: Iterator[bytes] | None = None
) -> Request:
    return Request(
        method=request.method,
        path=request.root_path + request.path,
        query_string=request.environ.get("QUERY_STRING", ""),
        # WSGI has joined repeated headers already.
        headers={name.lower(): value for name, value in request.headers},
        path_params=path_params,
        body=body,
        stream=stream,
    )


def _answer(response: Response) -> FlaskResponse:
    answer = FlaskResponse(response.body, response.status)
    if response.stream is not None:
        # The server closes it, after HEAD too.
        what = f"{request.method} {request.path}"
        answer.response = Sending(response.stream, response.length, what)
        answer.direct_passthrough = True
    answer.headers = Headers(response.all_headers)
    return answer
