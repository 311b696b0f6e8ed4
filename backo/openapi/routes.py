"""Rows of the table → the ``paths`` of an OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from backo.http.endpoints import Answer, Endpoint, Follow
from backo.http.messages import BINARY, PROBLEM
from backo.http.multipart import FORM
from backo.http.parameters import Parameter
from backo.openapi.forms import CONTENT
from backo.openapi.schemas import one_of, reference

__all__ = ["HEADERS", "operation", "paths", "security"]

type Schema = dict[str, Any]

HEADERS: dict[str, Schema] = {
    "ETag": {
        "description": "What names this state of it (RFC 9110, section 8.8.3)",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the new item is",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Last-Modified": {
        "description": "When the content was set (RFC 9110, section 8.8.2)",
        "required": True,
        "schema": {"type": "string"},
    },
    "Accept-Ranges": {
        "description": "That parts of it may be asked for by Range",
        "required": True,
        "schema": {"type": "string", "const": "bytes"},
    },
    "Content-Range": {
        "description": "Which bytes these are, and how many there are in all",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "Whether browsers show it, and its name (RFC 6266)",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Length": {
        "description": "Its bytes",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "Cache-Control": {
        "description": "That it is asked for again each time, with its ETag",
        "required": True,
        "schema": {"type": "string", "const": "private, no-cache"},
    },
    "X-Content-Type-Options": {
        "description": "That it is of this media type, whatever it looks like",
        "required": True,
        "schema": {"type": "string", "const": "nosniff"},
    },
    "Retry-After": {
        "description": "Seconds to wait before another try",
        "schema": {"type": "integer"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate",
        "schema": {"type": "string"},
    },
}

_PROBLEMS = {
    400: "The request cannot be understood",
    401: "Who is calling is not known",
    403: "The caller may not do this",
    404: "There is no such item",
    406: "None of the media types wanted can be given",
    409: "The present state does not allow it",
    412: "The item is no longer the one named by If-Match",
    413: "The body is too large",
    415: "The body is of another media type",
    416: "There are no such bytes",
    422: "The document is not valid",
    500: "The server failed",
    503: "The store cannot be reached",
}

_PROBLEMS_OF_CONTENTS = {
    404: "The item has no such file, or there is no such item",
    412: "The content is no longer the one that If-Match or If-Unmodified-Since means",
}

_ALWAYS = (500, 503)


def paths(rows: Iterable[Endpoint]) -> dict[str, Schema]:
    """Every documented row, by path and method."""
    found: dict[str, Schema] = {}
    for row in rows:
        if row.documented:
            found.setdefault(row.path, {})[row.method.lower()] = operation(row)
    return found


def operation(row: Endpoint) -> Schema:
    """The operation object of one row."""
    described: Schema = {
        "tags": [row.tag],
        "summary": row.summary,
        "description": row.description,
        "operationId": row.operation_id,
    }
    if row.parameters:
        described["parameters"] = [_parameter(one) for one in row.parameters]
    if row.consumes:
        described["requestBody"] = {
            "required": row.body_required,
            "content": {
                media: {"schema": reference(name), **_encoding(media, row)}
                for media, name in row.consumes.items()
            },
        }
    described["responses"] = {
        str(status): _answer(answer) for status, answer in row.success.items()
    } | {str(status): _problem(status, row) for status in (*row.problems, *_ALWAYS)}
    if row.security is not None:
        described["security"] = security(row)
    return described


def _encoding(media: str, row: Endpoint) -> Schema:
    """How the parts of a form are written."""
    if media != FORM:
        return {}
    types = {name: {"contentType": kind} for name, kind in row.encodings.items()}
    return {"encoding": types}


def security(row: Endpoint) -> list[dict[str, list[str]]]:
    """Any of its schemes is enough; where it is public, none is."""
    needed: list[dict[str, list[str]]] = [{name: []} for name in row.security or ()]
    return [*needed, {}] if row.public else needed


def _parameter(parameter: Parameter) -> Schema:
    described = {
        "name": parameter.name,
        "in": parameter.location,
        "description": parameter.description,
        "required": parameter.required,
        "schema": parameter.schema,
    }
    if parameter.comma_separated:
        described |= {"style": "form", "explode": False}
    return described


def _answer(answer: Answer) -> Schema:
    described: Schema = {"description": answer.description}
    if answer.headers:
        described["headers"] = {name: _header(answer, name) for name in answer.headers}
    if answer.components:
        described["content"] = {answer.media: {"schema": one_of(answer.components)}}
    elif answer.media == BINARY:
        # Makers of clients know the first, the second is the whole truth.
        media = ("application/octet-stream", BINARY)
        described["content"] = {one: {"schema": CONTENT} for one in media}
    elif answer.media is not None:
        described["content"] = {answer.media: {"schema": {"type": "string"}}}
    if answer.links:
        described["links"] = {name: _link(one) for name, one in answer.links.items()}
    return described


def _header(answer: Answer, name: str) -> Schema:
    header = HEADERS[name]
    if name not in answer.optional:
        return header
    return {key: value for key, value in header.items() if key != "required"}


def _link(follow: Follow) -> Schema:
    return {
        "operationId": follow.operation_id,
        "parameters": {"id": f"$response.body#{follow.pointer}"},
        "description": follow.description,
    }


def _problem(status: int, row: Endpoint) -> Schema:
    own = _PROBLEMS_OF_CONTENTS if row.produces == BINARY else {}
    described: Schema = {"description": own.get(status) or _PROBLEMS[status]}
    headers = {503: "Retry-After", 401: "WWW-Authenticate", 416: "Content-Range"}
    if status in headers:
        described["headers"] = {headers[status]: HEADERS[headers[status]]}
    described["content"] = {PROBLEM: {"schema": reference("Problem")}}
    return described
