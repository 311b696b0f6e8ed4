"""What each operation does: request in, response out, by way of the collection."""

import copy
import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, TypedDict, cast
from urllib.parse import quote

import pydantic
from pydantic import ConfigDict, Discriminator, Field

from backo.access import Changes
from backo.action import Registered
from backo.asking import expanded, view_asked, wanted
from backo.backoffice import Backoffice
from backo.collection import Collection
from backo.documents import overlay
from backo.errors import (
    Fault,
    FileError,
    FilterError,
    NotFoundError,
    PreconditionError,
    ValidationError,
)
from backo.files.fields import File
from backo.files.structures import resolved
from backo.http.conditions import names_tag
from backo.http.downloads import Download, download
from backo.http.messages import JSON, Request, Response, media_type
from backo.http.patch import (
    MAX_OPERATIONS,
    changed_fields,
    json_patch,
    merge_patch,
    unknown_fields,
)
from backo.http.problems import BadBodyError, parsed_json, to_json
from backo.http.uploads import form_of, put_files, taking
from backo.item import Life
from backo.log import log_system
from backo.query.parse import loads
from backo.schema.faults import CODES, faults_of, selector
from backo.schema.models import DocumentModel
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "JSON_PATCH",
    "MERGE_PATCH",
    "act",
    "check",
    "check_changes",
    "check_input",
    "check_new",
    "create",
    "delete",
    "file",
    "meta",
    "patch",
    "read",
    "search",
    "select",
    "update",
    "whole_meta",
]

_log = log_system.get_or_create_logger("http")

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

type Document = dict[str, Any]


class _WithValue(TypedDict):
    op: Literal["add", "replace", "test"]
    path: str
    value: Any


class _Remove(TypedDict):
    op: Literal["remove"]
    path: str


_From = TypedDict("_From", {"op": Literal["move", "copy"], "path": str, "from": str})
_Operation = Annotated[_WithValue | _From | _Remove, Discriminator("op")]
_OPERATION = pydantic.TypeAdapter(_Operation)
_OPERATIONS = pydantic.TypeAdapter(
    Annotated[list[_Operation], Field(max_length=MAX_OPERATIONS)]
)


class _Question(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    item: dict[str, Any]
    path: str


_QUESTION = pydantic.TypeAdapter(_Question)


def select(name: str, collection: Collection, request: Request) -> Response:
    """A page of a selection."""
    return _json(collection.do_selection(name, request.query))


def search(name: str, collection: Collection, request: Request) -> Response:
    """A page of a selection, by a filter in the body."""
    body = _filter(request.body) if request.body else None
    return _json(collection.do_post_selection(name, body, request.query))


def _filter(body: bytes) -> Any:
    try:
        return loads(body)
    except FilterError as error:
        raise BadBodyError(str(error)) from error


def act(name: str, collection: Collection, request: Request) -> Response:
    """Do an action to one item."""
    action = collection.action(name)
    _id = request.path_params["id"]

    def admit() -> None:
        action.require(collection.visible.readable_item(_id))

    with taking(request, action.plan.root, collection.backoffice, admit):
        if action.open:
            check_input(name, collection, request)
        outcome = action.run(
            _id, lambda: _files_staged(action, request), _precondition(request)
        )
    if outcome.result is not None or action.result is not None:
        return _json(outcome.result)
    item = outcome.item
    if item.life is Life.UNSET or not collection.allows("read", item):
        return Response(204, b"", None)
    return _json(item.view("client"))


def check_input(name: str, collection: Collection, request: Request) -> None:
    """Whether the body is a valid input of an action."""
    _input(collection.action(name), request)


def _input(action: Registered, request: Request) -> Document:
    if not request.body and request.stream is None and action.takes_nothing:
        return {}
    return _valid(action.model, request, action.plan)


def _files_staged(action: Registered, request: Request) -> Document:
    """The valid input, with its files where actions find them."""
    values, files = _input(action, request), action.plan.file_root
    return values if files is None else resolved(values, None, files)


def create(collection: Collection, request: Request) -> Response:
    """Store a new item."""
    seen = collection.seen
    admit = collection.access.admit_new
    with taking(request, seen.plan.root, collection.backoffice, admit):
        document = _valid(seen.models.create, request, seen.plan)
        _id, item = collection.access.insert(document, _view(request, seen.plan))
    place = ("location", f"{request.uri}/{_quoted(_id)}")
    if item is None:
        return Response(204, b"", None, (place,))
    body = to_json(item)
    return Response(201, body, JSON, (place, ("etag", _etag(body))))


def read(collection: Collection, request: Request) -> Response:
    """One item, or 304 when the client has it already."""
    view = _view(request, collection.seen.plan)
    into = wanted(collection, request.query, view)
    item = collection.access.read(request.path_params["id"], view)
    if into:
        # A tag of other items, too, would be no good for If-Match.
        expanded(collection, [item], into)
        return _json(item)
    body = to_json(item)
    tag = _etag(body)
    if names_tag(request.headers.get("if-none-match"), tag, weak=True):
        return Response(304, b"", None, (("etag", tag),))
    return Response(200, body, JSON, (("etag", tag),))


def update(collection: Collection, request: Request) -> Response:
    """Change the fields that the body gives."""
    seen = collection.seen
    with _taking_changes(collection, request):
        changes = _valid(seen.models.update, request, seen.plan)
        blind = Changes(lambda _before: changes, blind=True)
        return _modify(collection, request, blind)


def _taking_changes(
    collection: Collection, request: Request
) -> AbstractContextManager[None]:
    admit = partial(collection.access.admit_changes, request.path_params["id"])
    root = collection.seen.plan.root
    return taking(request, root, collection.backoffice, admit)


def patch(collection: Collection, request: Request) -> Response:
    """Change an item by JSON Patch or JSON Merge Patch; a form has either in its
    ``_json``, and files that are then put in their places."""
    with _taking_changes(collection, request):
        return _patched(collection, request)


def _patched(collection: Collection, request: Request) -> Response:
    seen = collection.seen
    plan, models = seen.plan, seen.models
    form, body = form_of(request), _body(request)
    if _is_merge(request, body):
        merge = body
        unknown = unknown_fields(merge, plan.root)

        def after(before: Document) -> Any:
            merged = merge_patch(before, merge)
            merged = overlay(merged, unknown, plan.root) if unknown else merged
            return put_files(copy.deepcopy(merged), plan.root, form)

        replay = None
    else:
        operations = _operations(body)

        def after(before: Document) -> Any:
            patched = json_patch(before, operations, plan.root)
            return put_files(patched, plan.root, form)

        def replay(complete: Document) -> Document:
            untested = [one for one in operations if one["op"] != "test"]
            patched = json_patch(complete, untested, plan.root)
            return cast(Document, put_files(patched, plan.root, form))

    def changes(stored: Document) -> Document:
        before = _addressable(stored, plan.root, plan.shows)
        patched = after(before)
        if not isinstance(patched, dict):
            raise ValidationError([Fault("$", "must be an object", "type")])
        changed = changed_fields(before, patched, plan.root)
        return _checked(models.update.document, changed, plan)

    return _modify(collection, request, Changes(changes, replay=replay))


def _body(request: Request) -> Any:
    """The JSON of the request: no operation, where a form says nothing."""
    form = form_of(request)
    return parsed_json(request.body) if form is None else form.said([])


def _is_merge(request: Request, body: Any) -> bool:
    form = form_of(request)
    if form is None:
        return media_type(request.headers.get("content-type", ""))[0] == MERGE_PATCH
    if form.media in (MERGE_PATCH, JSON_PATCH):
        return form.media == MERGE_PATCH
    # Every operation has both.
    return isinstance(body, dict) and not {"op", "path"} <= body.keys()


def file(collection: Collection, request: Request) -> Response:
    """The content of a file of one item."""
    params, missing = request.path_params, None
    while True:
        node = collection.access.file(params["id"], params["path"])
        found = _download(node)
        try:
            answer = download(request, found)
            if request.method == "HEAD" and answer.status == 200:
                # It reads nothing, and promises what GET gives.
                node.require_content()
            return answer
        except FileError as error:
            if found.etag == missing:
                # The item tells of it: its keeper must know.
                _log.error("%s/%s: %s", collection.name, params["id"], error)
                raise NotFoundError("the content is missing") from error
        # Others may have replaced it since the item was read.
        missing = found.etag


def _download(node: File) -> Download:
    told = node.get_encoded()
    return Download(
        filename=told["filename"],
        content_type=told["content_type"],
        size=told["size"],
        modified=told["modified"] and datetime.fromisoformat(told["modified"]),
        etag=told["file_id"],
        read=node.read_range,
    )


def delete(collection: Collection, request: Request) -> Response:
    """Delete one item."""
    collection.access.remove(
        request.path_params["id"],
        _view(request, collection.seen.plan),
        _precondition(request),
    )
    return Response(204, b"", None)


def check(collection: Collection, request: Request) -> Response:
    """What is wrong with one value of an item that is still being written."""
    question = _shaped(_QUESTION, parsed_json(request.body))
    return _json({"error": collection.check(question["item"], question["path"])})


def meta(collection: Collection, request: Request) -> Response:
    """The collection's schema, as it is for a partial item and the current user."""
    partial = parsed_json(request.body) if request.body else {}
    if not isinstance(partial, dict):
        raise ValidationError([Fault("$", "must be an object", "type")])
    return _json(collection.get_meta(partial))


def whole_meta(office: Backoffice, _request: Request) -> Response:
    """The meta structure of every collection."""
    return _json(office.get_meta())


def _json(value: Any) -> Response:
    return Response(200, to_json(value))


def _modify(collection: Collection, request: Request, changes: Changes) -> Response:
    item = collection.access.modify(
        request.path_params["id"],
        changes,
        _view(request, collection.seen.plan),
        _precondition(request),
    )
    if item is None:
        return Response(204, b"", None)
    body = to_json(item)
    return Response(200, body, JSON, (("etag", _etag(body)),))


def _addressable(
    value: Any, field: FieldPlan, shows: Callable[[FieldPlan], bool]
) -> Any:
    """What a patch may speak of: every field at any depth that the caller may read or
    change, null where it is unset or where no answer shows it."""
    if not shows(field):
        return None
    if field.kind is Kind.DICT and (value is not None or field.file is None):
        held = value if isinstance(value, dict) else {}
        return {
            below.name: _addressable(held.get(below.name), below, shows)
            for below in field.fields
            # The content of a file is no field of it.
            if not (below.unreadable and (below.read_only or field.file is not None))
        }
    if field.element is not None and isinstance(value, list):
        return [_addressable(one, field.element, shows) for one in value]
    return value


def _view(request: Request, plan: ItemPlan) -> str:
    return view_asked(request.query, plan)


def check_new(collection: Collection, request: Request) -> None:
    """Whether the body is a valid new item."""
    seen = collection.seen
    _valid(seen.models.create, request, seen.plan)


def check_changes(collection: Collection, request: Request) -> None:
    """Whether the body holds valid changes."""
    seen = collection.seen
    _valid(seen.models.update, request, seen.plan)


def _valid(model: type[DocumentModel], request: Request, plan: ItemPlan) -> Document:
    if model not in request.kept:
        request.kept[model] = _validated(model, request, plan)
    document: Document = request.kept[model]
    return document


def _validated(
    model: type[DocumentModel], request: Request, plan: ItemPlan
) -> Document:
    form = form_of(request)
    if form is not None:
        values = form.said({})
        if not isinstance(values, dict):
            raise ValidationError([Fault("$", "must be an object", "type")])
        # In what is only changed, a List that is not given stays as it is.
        whole = request.method != "PUT"
        filled = put_files(values, plan.root, form, whole=whole, given=True)
        return _checked(model.document, filled, plan)
    if b"NaN" in request.body or b"Infinity" in request.body:
        # pydantic reads these as numbers; they are no JSON (RFC 8259, section 6).
        parsed_json(request.body)
    return _checked(model.document_json, request.body, plan)


def _checked(
    validate: Callable[[Any], Document], value: Any, plan: ItemPlan
) -> Document:
    try:
        return validate(value)
    except pydantic.ValidationError as error:
        raise _body_error(error, plan) from error


def _body_error(
    error: pydantic.ValidationError, plan: ItemPlan
) -> BadBodyError | ValidationError:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return BadBodyError(first["msg"])
    return faults_of(error, plan)


def _operations(parsed: Any) -> list[Document]:
    if isinstance(parsed, list):
        return list(_shaped(_OPERATIONS, parsed))
    return [_shaped(_OPERATION, parsed)]


def _shaped(shape: pydantic.TypeAdapter[Any], value: Any) -> Any:
    """``value`` when it has that shape, which is not the shape of an item."""
    try:
        return shape.validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        raise ValidationError(
            [
                Fault(
                    selector(_without_tag(one["loc"])), one["msg"], _code(one["type"])
                )
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from error


def _code(kind: str) -> str:
    return CODES.get(kind, "type")


def _without_tag(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """pydantic puts the chosen ``op`` into the path of a discriminated union."""
    return tuple(
        part
        for at, part in enumerate(loc)
        if not (
            at <= 1 and part in ("add", "replace", "test", "move", "copy", "remove")
        )
    )


def _etag(body: bytes) -> str:
    """A strong validator (RFC 9110, section 8.8.3) of what the caller was shown."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _precondition(request: Request) -> Callable[[Document], None] | None:
    header = request.headers.get("if-match")
    if header is None:
        return None

    def hold(item: Document) -> None:
        if not names_tag(header, _etag(to_json(item))):
            raise PreconditionError("the item is not the one that If-Match names")

    return hold


def _quoted(_id: str) -> str:
    return quote(_id, safe="", errors="surrogatepass")
