"""THE table: one row per operation, from which routes and document are both made.

A route that is not a row here does not exist: in neither framework, nor in the
document.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Protocol

from backo.backoffice import Backoffice
from backo.errors import SSyntaxError
from backo.http import handlers
from backo.http.described import Tell, declared
from backo.http.endpoint import Answer, Endpoint, Follow, base_path, method_name
from backo.http.messages import Request, Response
from backo.http.rows import collection_rows

__all__ = [
    "Answer",
    "Endpoint",
    "Follow",
    "Pages",
    "base_path",
    "collection_rows",
    "table",
]


class Pages(Protocol):
    """The pages about the API itself; made from this table, so given to it."""

    def openapi(self, request: Request) -> Response: ...

    def docs(self, request: Request) -> Response: ...

    def asset(self, request: Request) -> Response: ...


def table(
    office: Backoffice, prefix: str, pages: Pages, tell: Tell = declared
) -> tuple[Endpoint, ...]:
    """Every operation of a backoffice, those with fixed paths before the others; of its
    collections those of what ``tell`` tells.

    :raises SSyntaxError: two operations would have one name.
    """
    rows = list(_office_rows(office, base_path(office, prefix), pages))
    for collection in office.collections.values():
        rows.extend(collection_rows(tell(collection), office, prefix))
    _refuse_repeated(rows)
    return tuple(rows)


def _refuse_repeated(rows: Iterable[Endpoint]) -> None:
    known: dict[str, Endpoint] = {}
    for row in rows:
        other = known.setdefault(row.operation_id, row)
        if other is not row:
            wrong = "{0}: {1} and {2} would both be the operation {3}"
            raise SSyntaxError(wrong, row.tag, other.path, row.path, row.operation_id)


def _office_rows(office: Backoffice, base: str, pages: Pages) -> Iterator[Endpoint]:
    common: dict[str, Any] = {"method": "GET", "tag": office.name, "problems": (406,)}
    yield Endpoint(
        path=f"{base}/_meta",
        page="_meta",
        operation_id=method_name(f"{office.name}_get_meta"),
        summary="Describe every collection",
        description="The schema of every collection, with the rights of the caller.",
        handler=partial(handlers.whole_meta, office),
        success={200: Answer("The meta structure", ("Meta",))},
        **common,
    )
    yield Endpoint(
        path=f"{base}/_openapi",
        page="_openapi",
        operation_id=method_name(f"{office.name}_get_openapi"),
        summary="Get the OpenAPI document",
        description="The OpenAPI 3.1 document of this API, as far as the caller may "
        "use it.",
        handler=pages.openapi,
        success={200: Answer("The document", ("OpenAPI",))},
        **common,
    )
    yield Endpoint(
        path=f"{base}/_docs",
        page="_docs",
        operation_id=method_name(f"{office.name}_get_docs"),
        summary="Read the documentation",
        description="Swagger UI with the OpenAPI document, without outside hosts.",
        handler=pages.docs,
        success={200: Answer("The page", (), "text/html")},
        produces="text/html",
        **common,
    )
    yield Endpoint(
        path=f"{base}/_docs/{{asset}}",
        page="_docs",
        operation_id=method_name(f"{office.name}_get_docs_asset"),
        summary="Get a part of the documentation's page",
        description="The scripts and styles of Swagger UI.",
        handler=pages.asset,
        success={200: Answer("The file", (), "*/*")},
        produces="*/*",
        documented=False,
        method="GET",
        tag=office.name,
    )
