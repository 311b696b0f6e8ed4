"""The table's rows as a FastAPI router."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Annotated, Any

import pydantic
from fastapi import APIRouter, Query
from fastapi import Request as FastAPIRequest
from fastapi.routing import APIRoute
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response as StarletteResponse

from backo.backoffice import Backoffice
from backo.current_user import current_user
from backo.http.dispatch import Dispatcher
from backo.http.endpoints import Endpoint, base_path
from backo.http.messages import Request, Response
from backo.http.problems import BodyTooLargeError
from backo.openapi.document import components
from backo.openapi.routes import operation
from backo.openapi.ui import ApiPages

__all__ = ["build_router"]

type AppEndpoint = Callable[..., Awaitable[StarletteResponse]]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


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


def build_router(
    office: Backoffice, prefix: str, jwt_auth: Callable[..., Any] | None
) -> APIRouter:
    """A router with every operation of ``office``.

    Dependencies given to ``include_router`` run before each of them; the application's
    own ``/openapi.json`` shows the same operations and component schemas as
    ``_openapi``.
    """
    pages = ApiPages(office, prefix)
    dispatcher = Dispatcher(pages.rows, jwt_auth, passthrough=(HTTPException,))
    router = APIRouter(route_class=_Route)
    showing = _row_that_shows_components(pages.rows)
    for row in pages.rows:
        endpoint = _endpoint(dispatcher, row, office)
        if row is showing:
            endpoint = _with_components(endpoint, office)
        _add(router, row, endpoint)
    base = base_path(office, prefix)
    router.add_api_route(
        f"{base}/{{rest:path}}",
        _unmatched(dispatcher, base),
        methods=METHODS,
        include_in_schema=False,
    )
    return router


def _row_that_shows_components(rows: Sequence[Endpoint]) -> Endpoint:
    """A row that answers 422 by itself: to others FastAPI would add its own 422."""
    return next((row for row in rows if 422 in row.problems), rows[0])


def _add(router: APIRouter, row: Endpoint, endpoint: AppEndpoint) -> None:
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
        responses=operation(row)["responses"],
        openapi_extra=operation(row),
        include_in_schema=row.documented,
    )


def _endpoint(dispatcher: Dispatcher, row: Endpoint, office: Backoffice) -> AppEndpoint:
    limit = office.max_body_size

    async def with_body(request: FastAPIRequest) -> StarletteResponse:
        body, refused = await _read(request, limit)
        neutral = _neutral(request, body)
        found = await run_in_threadpool(dispatcher.respond, row, neutral, refused)
        return _answer(found)

    async def without_body(request: FastAPIRequest) -> StarletteResponse:
        neutral = _neutral(request, b"")
        return _answer(await run_in_threadpool(dispatcher.respond, row, neutral))

    return with_body if row.consumes else without_body


def _with_components(endpoint: AppEndpoint, office: Backoffice) -> AppEndpoint:
    """``endpoint`` with a hidden parameter whose type is made of every component
    schema, so that FastAPI puts them all into its own document."""
    hidden = Annotated[str | None, Query(include_in_schema=False), _Components(office)]

    async def documented(
        request: FastAPIRequest,
        _components: hidden = None,  # type: ignore[valid-type]
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


def _unmatched(dispatcher: Dispatcher, base: str) -> AppEndpoint:
    async def unmatched(request: FastAPIRequest) -> StarletteResponse:
        path = f"{base}/{request.path_params['rest']}"
        neutral = _neutral(request, b"")
        return _answer(await run_in_threadpool(dispatcher.unmatched, neutral, path))

    return unmatched


async def _read(
    request: FastAPIRequest, limit: int
) -> tuple[bytes, BodyTooLargeError | None]:
    """The body, read no further than ``limit`` bytes; what is wrong with it, if it is
    longer."""
    declared = request.headers.get("content-length", "")
    refused = BodyTooLargeError(f"a body may have {limit} bytes")
    if declared.isdigit() and int(declared) > limit:
        return b"", refused
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return b"", refused
    return bytes(body), None


def _neutral(request: FastAPIRequest, body: bytes) -> Request:
    return Request(
        method=request.method,
        path=request.scope["path"],
        query_string=request.scope["query_string"].decode("latin-1"),
        headers=request.headers,
        path_params=request.path_params,
        body=body,
    )


def _answer(response: Response) -> StarletteResponse:
    answer = StarletteResponse(response.body, response.status)
    answer.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.all_headers
    ]
    return answer
