"""Documents as JSON text, and what an id must be to stand in one."""

import json
from typing import Any

import pydantic_core

from backo.errors import DBError, NotFoundError, UnstorableError

__all__ = [
    "Document",
    "checked_id",
    "decode_document",
    "encode_document",
    "encode_replacement",
    "not_found",
    "same_document",
]

type Document = dict[str, Any]

_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
_encode_sorted = json.JSONEncoder(sort_keys=True, default=repr).encode


def not_found(_id: object) -> NotFoundError:
    """The error for an id nothing has; of a long one, only the beginning."""
    return NotFoundError(f"no item with _id {_id!r:.100}")


def checked_id(_id: object) -> str:
    """The id if a store of documents can hold it. :raises DBError: it cannot."""
    if not isinstance(_id, str) or not _id:
        raise DBError("an _id must be a string and not empty")
    try:
        _id.encode()
    except UnicodeEncodeError as error:
        raise DBError("an _id must be valid Unicode") from error
    return _id


def encode_document(_id: str, document: Document) -> str:
    """The document's JSON text, ``_id`` first.

    :raises UnstorableError: it is no JSON.
    """
    whole = {"_id": _id} | {k: v for k, v in document.items() if k != "_id"}
    try:
        text = _encode(whole)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableError(f"a document cannot be stored: {error}") from error
    return text


def encode_replacement(_id: str, document: Document) -> str:
    """Like :func:`encode_document`, for an id that should be there.

    :raises NotFoundError: no store of documents could hold the id.
    """
    try:
        checked_id(_id)
    except DBError as error:
        raise not_found(_id) from error
    return encode_document(_id, document)


def decode_document(text: str) -> Document:
    """The document of a JSON text. :raises DBError: it is none."""
    try:
        document = pydantic_core.from_json(text)
    except ValueError:
        document = _decoded_slowly(text)
    if not isinstance(document, dict):
        raise DBError("a stored document is no object")
    return document


def _decoded_slowly(text: str) -> Any:
    # It takes what the faster one does not: half a surrogate pair, deep nesting.
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DBError(f"a stored document cannot be read: {error}") from error


def same_document(one: Document, other: Document) -> bool:
    """Whether both are the same JSON; members may stand in another order."""
    return one == other and _encode_sorted(one) == _encode_sorted(other)
