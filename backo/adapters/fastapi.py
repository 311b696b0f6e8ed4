"""The table's rows as a FastAPI router, and a server of nothing else."""

import inspect
import json
import socket
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from typing import Annotated, Any

import pydantic
from fastapi import APIRouter, FastAPI, Query, Security
from fastapi import Request as FastAPIRequest
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response as StarletteResponse
from starlette.responses import StreamingResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from backo.adapters.streams import Incoming, closed, outgoing, reading
from backo.backoffice import Backoffice
from backo.current_user import current_user
from backo.errors import BackoError, BodyTooLargeError
from backo.http.auth import JWTAuth, security_schemes
from backo.http.dispatch import Dispatcher
from backo.http.endpoints import Endpoint, base_path
from backo.http.messages import Request, Response
from backo.http.multipart import is_form
from backo.http.problems import BadBodyError, BadFormError, problem
from backo.http.streams import Sending
from backo.openapi.document import components
from backo.openapi.routes import operation
from backo.openapi.ui import ApiPages

__all__ = ["build_router", "server"]

type AppEndpoint = Callable[..., Awaitable[StarletteResponse]]


class _Rest(Convertor[str]):
    """What follows the base path: nothing, or everything after another slash."""

    regex = r"(?:/[\s\S]*)?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("backo_rest", _Rest())


class _Route(APIRoute):
    """A route whose requests begin with a user of their own, before any dependency."""

    def get_route_handler(
        self,
    ) -> Callable[[FastAPIRequest], Coroutine[Any, Any, StarletteResponse]]:
        handle = super().get_route_handler()

        async def with_user(request: FastAPIRequest) -> StarletteResponse:
            with current_user.request():
                return await handle(request)

        return with_user

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        # Starlette's patterns end in "$", which a line feed may still follow.
        if match is not Match.NONE and not self.path.endswith("}"):
            if scope["path"].endswith("\n"):
                return Match.NONE, {}
        return match, found


class _Router(APIRouter):
    """A router that tries its routes only on paths that can be theirs: FastAPI tries
    them one after the other, of every collection.

    :param within: what each of its paths begins with, below any other prefix.
    """

    def __init__(self, within: str) -> None:
        super().__init__(route_class=_Route)
        self._within = within

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if self._within not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)


def build_router(
    office: Backoffice, prefix: str, jwt_auth: Callable[..., Any] | None
) -> APIRouter:
    """A router with every operation of ``office``.

    Dependencies given to ``include_router`` run before each of them; the application's
    own ``/openapi.json`` shows the same operations and component schemas as
    ``_openapi``.
    """
    pages = ApiPages(office, prefix, jwt_auth)
    dispatcher = Dispatcher(pages.rows, jwt_auth, passthrough=(HTTPException,))
    base = base_path(office, prefix)
    router, about = _Router(base), _Router(f"{base}/_")
    of_collection = {name: _Router(f"{base}/{name}") for name in office.collections}
    showing = _row_that_shows_components(pages.rows)
    for row in pages.rows:
        endpoint = _endpoint(dispatcher, row, office)
        if row is showing:
            endpoint = _with_components(endpoint, office)
        step = row.path.removeprefix(f"{base}/").partition("/")[0]
        schemes = security_schemes(jwt_auth) if row is showing else {}
        _add(of_collection.get(step, about), row, endpoint, schemes)
    for one in (*of_collection.values(), about):
        router.include_router(one)
    router.add_api_route(
        f"{base}{{rest:backo_rest}}",
        _unmatched(dispatcher, base),
        # None at all: whatever method the request has.
        methods=[],
        operation_id=f"{office.name}_unmatched",
        include_in_schema=False,
    )
    return router


def server(
    office: Backoffice,
    listening: socket.socket,
    prefix: str = "",
    jwt_auth: Callable[..., Any] | None = None,
) -> Callable[[], None]:
    """What serves ``office`` alone by uvicorn, when it is called and until the process
    is interrupted.

    :param listening: where requests come from.
    :raises SSyntaxError: a reference is wrong.
    """
    import uvicorn

    # FastAPI's own pages would ask other hosts for their scripts.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(office.router(prefix, jwt_auth))
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    return lambda: uvicorn.Server(config).run(sockets=[listening])


def _row_that_shows_components(rows: Sequence[Endpoint]) -> Endpoint:
    """A row that answers 422 by itself: to others FastAPI would add its own 422."""
    return next((row for row in rows if 422 in row.problems), rows[0])


def _add(
    router: APIRouter,
    row: Endpoint,
    endpoint: AppEndpoint,
    schemes: Mapping[str, Any],
) -> None:
    """Add one route; in FastAPI's own document it shows ``schemes``."""
    described = operation(row)
    if schemes:
        # FastAPI adds what is in both.
        described["security"] = [one for one in described["security"] if not one]
    router.add_api_route(
        row.path,
        endpoint,
        methods=[row.method],
        name=row.operation_id,
        operation_id=row.operation_id,
        summary=row.summary,
        description=row.description,
        status_code=row.status,
        response_class=StarletteResponse,
        response_model=None,
        responses=described["responses"],
        openapi_extra=described,
        dependencies=[Security(_Scheme(name, one)) for name, one in schemes.items()],
        include_in_schema=row.documented,
    )


def _endpoint(dispatcher: Dispatcher, row: Endpoint, office: Backoffice) -> AppEndpoint:
    limit = office.max_body_size

    async def with_form(request: FastAPIRequest) -> StarletteResponse:
        chunks = _chunks(request)
        neutral = _neutral(request, b"", Incoming(chunks))
        found = await reading(partial(dispatcher.respond, row, neutral))
        # Not when this is cancelled: the worker thread is still reading then.
        await chunks.aclose()
        return _answer(found, request)

    async def with_body(request: FastAPIRequest) -> StarletteResponse:
        if is_form(row.consumes, request.headers.get("content-type", "")):
            return await with_form(request)
        body, refused = await _read(request, limit)
        neutral = _neutral(request, body)
        found = None if refused else dispatcher.refusal(row, neutral)
        if found is None:
            found = await run_in_threadpool(dispatcher.respond, row, neutral, refused)
        return _answer(found, request)

    async def without_body(request: FastAPIRequest) -> StarletteResponse:
        neutral = _neutral(request, b"")
        found = await run_in_threadpool(dispatcher.respond, row, neutral)
        return _answer(found, request)

    return with_body if row.consumes else without_body


def _with_components(endpoint: AppEndpoint, office: Backoffice) -> AppEndpoint:
    """``endpoint`` with a hidden parameter whose type is made of every component
    schema, so that FastAPI puts them all into its own document."""
    hidden = Annotated[str | None, Query(include_in_schema=False), _Components(office)]

    async def documented(
        request: FastAPIRequest,
        _components: hidden = None,
    ) -> StarletteResponse:
        return await endpoint(request)

    return documented


class _Components:
    """Makes the type it annotates refer to every component schema."""

    def __init__(self, office: Backoffice) -> None:
        schemas = components(office)
        self._models = [_component(name, one) for name, one in schemas.items()]

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.union_schema(
            [handler.generate_schema(model) for model in self._models]
        )


def _component(name: str, schema: dict[str, Any]) -> type[pydantic.BaseModel]:
    def describe(_cls: type, _core: CoreSchema, _handler: Any) -> dict[str, Any]:
        return schema

    return type(
        name,
        (pydantic.RootModel[Any],),
        {
            "__module__": __name__,
            "__get_pydantic_json_schema__": classmethod(describe),
        },
    )


class _Scheme(SecurityBase):
    """Shows a security scheme in FastAPI's own document, and asks for nothing."""

    def __init__(self, name: str, described: Mapping[str, Any]) -> None:
        self.scheme_name = name
        self.model = SecurityModel.model_validate(described)

    async def __call__(self) -> None:
        return None


def dependency_signature(schemes: Mapping[str, Any]) -> inspect.Signature:
    """The parameters of a dependency that takes the request and shows ``schemes``."""
    by_name = inspect.Parameter.KEYWORD_ONLY
    shown = [
        inspect.Parameter(name, by_name, default=Security(_Scheme(name, one)))
        for name, one in schemes.items()
    ]
    request = inspect.Parameter("request", by_name, annotation=FastAPIRequest)
    return inspect.Signature([request, *shown])


async def authenticated(auth: JWTAuth, request: FastAPIRequest) -> None:
    """Make the caller of a route of the application the current user.

    :raises HTTPException: ``auth`` refuses them.
    """
    neutral = _neutral(request, b"")
    try:
        # What it waits for (a store, keys of another server) must not stop the others.
        await run_in_threadpool(auth.authenticate, neutral)
    except BackoError as error:
        refusal = problem(error, neutral)
        detail = json.loads(refusal.body)["detail"]
        headers = dict(refusal.headers)
        raise HTTPException(refusal.status, detail, headers) from error


def _unmatched(dispatcher: Dispatcher, base: str) -> AppEndpoint:
    async def unmatched(request: FastAPIRequest) -> StarletteResponse:
        path = base + request.path_params["rest"]
        neutral = _neutral(request, b"")
        found = await run_in_threadpool(dispatcher.unmatched, neutral, path)
        return _answer(found, request)

    return unmatched


async def _read(request: FastAPIRequest, limit: int) -> tuple[bytes, BackoError | None]:
    """The body, read no further than ``limit`` bytes; what is wrong with it, if it is
    longer or ends early."""
    declared = request.headers.get("content-length", "")
    refused = BodyTooLargeError(f"a body may have {limit} bytes")
    if declared.isdecimal() and int(declared[:20]) > limit:
        return b"", refused
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return b"", refused
    except ClientDisconnect:
        return b"", BadBodyError("the body ends early")
    return bytes(body), None


async def _chunks(request: FastAPIRequest) -> AsyncGenerator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise BadFormError("the body ends early") from error


def _neutral(
    request: FastAPIRequest, body: bytes, stream: Iterator[bytes] | None = None
) -> Request:
    return Request(
        method=request.method,
        path=_whole_path(request.scope),
        query_string=request.scope["query_string"].decode("latin-1"),
        headers=_joined(request.headers),
        path_params=request.path_params,
        body=body,
        stream=stream,
    )


def _whole_path(scope: Scope) -> str:
    """The path that the client asked for: proxies may have taken ``root_path`` off."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path if f"{path}/".startswith(f"{root}/") else root + path


def _joined(headers: Headers) -> dict[str, str]:
    """Repeated headers as one (RFC 9110, section 5.3), as WSGI gives them; HTTP/2 sends
    cookies one by one (RFC 9113, section 8.2.3)."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        between = "; " if name == "cookie" else ","
        joined[name] = f"{joined[name]}{between}{value}" if name in joined else value
    return joined


class _Streaming(StreamingResponse):
    """A body that is made while it is sent."""

    def __init__(self, sending: Sending, status: int) -> None:
        super().__init__(outgoing(sending), status)
        self._sending = sending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await closed(self._sending)


def _answer(response: Response, request: FastAPIRequest) -> StarletteResponse:
    # A body after HEAD would break the framing; not every server takes it off.
    body = b"" if request.method == "HEAD" else response.body
    answer = StarletteResponse(body, response.status)
    if response.stream is not None:
        what = f"{request.method} {request.url.path}"
        sending = Sending(response.stream, response.length, what)
        if request.method == "HEAD":
            sending.close()
        else:
            answer = _Streaming(sending, response.status)
    answer.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.all_headers
    ]
    return answer
