"""The operations that are compared, each as a request to either application."""

import dataclasses
import itertools
import json
from collections.abc import Callable

from benchmarks.asgi import Call
from benchmarks.catalogue import made_up

__all__ = ["CASES", "CREATE", "Case", "delete"]

BOOKS = "/shop/books"
_numbers = itertools.count(10**6)

type Request = Callable[[str], Call]
"""Makes a request; it is given the id of an item that is there."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One operation: the status it answers with, and the request to make each time,
    to backo and to the hand-written application."""

    name: str
    status: int
    to_backo: Request
    to_other: Request


def _same(name: str, status: int, request: Request) -> Case:
    return Case(name, status, request, request)


def _get(_id: str) -> Call:
    return Call("GET", f"{BOOKS}/{_id}")


def _list(query: str = "") -> Request:
    return lambda _id: Call("GET", BOOKS, query)


def _create(_id: str) -> Call:
    return Call("POST", BOOKS, body=json.dumps(made_up(next(_numbers))).encode())


def _invalid(_id: str) -> Call:
    wrong = {**made_up(1), "pages": 0, "language": "xx", "isbn": "12", "colour": "red"}
    return Call("POST", BOOKS, body=json.dumps(wrong).encode())


def _update(_id: str) -> Call:
    number = next(_numbers)
    changes = {"price": number % 90 + 0.5, "tags": ["sea", f"n{number % 100}"]}
    return Call("PUT", f"{BOOKS}/{_id}", body=json.dumps(changes).encode())


def delete(_id: str) -> Call:
    """Delete an item."""
    return Call("DELETE", f"{BOOKS}/{_id}")


CREATE = _same("create", 201, _create)
CASES = (
    _same("get", 200, _get),
    _same("list of 10", 200, _list()),
    Case(
        "filtered list",
        200,
        _list("language=fr&pages.$gte=800"),
        _list("language=fr&pages_gte=800"),
    ),
    Case("sorted list", 200, _list("_sort=-$.pages"), _list("sort=-pages")),
    CREATE,
    _same("invalid create", 422, _invalid),
    _same("update", 200, _update),
    _same("delete", 204, delete),
)
