"""Asks a backoffice without any framework or server."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from backo import Backoffice
from backo.http.dispatch import Dispatcher
from backo.http.messages import JSON, Request, Response
from backo.openapi.ui import ApiPages

__all__ = ["Asking", "asking", "errors"]


@dataclasses.dataclass(frozen=True)
class Asking:
    """Calls operations by their ids."""

    office: Backoffice
    dispatcher: Dispatcher

    def __call__(
        self,
        operation_id: str,
        body: Any = None,
        *,
        _id: str = "1",
        query: str = "",
        media: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """``body`` is sent as JSON when it is not bytes."""
        (row,) = [
            one for one in self.dispatcher.rows if one.operation_id == operation_id
        ]
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
        request = Request(
            method=row.method,
            path=row.path.replace("{id}", _id),
            query_string=query,
            headers={"content-type": media, **(headers or {})},
            path_params={"id": _id},
            body=body,
        )
        return self.dispatcher.respond(row, request)


def asking(office: Backoffice, jwt_auth: Callable[..., Any] | None = None) -> Asking:
    """A way to ask ``office``, whose routes are built now."""
    office.freeze()
    rows = ApiPages(office, "", jwt_auth).rows
    return Asking(office, Dispatcher(rows, jwt_auth))


def errors(response: Response) -> dict[str, str]:
    """The code of each fault, by its path."""
    return {one["path"]: one["code"] for one in json.loads(response.body)["errors"]}
