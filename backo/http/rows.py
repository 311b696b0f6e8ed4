"""The rows of one collection."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from backo.action import Registered
from backo.collection import Collection
from backo.declaration import Lookup
from backo.http import handlers
from backo.http.across import expanded_component
from backo.http.described import Described
from backo.http.endpoint import Answer, Endpoint, Follow, base_path, method_name
from backo.http.forms import encodings, file_paths, given_files
from backo.http.handlers import JSON_PATCH, MERGE_PATCH
from backo.http.messages import BINARY, JSON, Request, Response
from backo.http.multipart import FORM
from backo.http.parameters import (
    FILTER,
    Parameter,
    expand_parameter,
    filter_parameter,
    filter_parameters,
    page_parameters,
    view_parameter,
)
from backo.references.expanding import expandable
from backo.schema.jsonschema import literal
from backo.schema.models import component_name, shown_component
from backo.schema.plan import FieldPlan, ItemPlan
from backo.selection import ALL, Selection

__all__ = ["collection_rows"]

_AT = r"(?:\[[0-9]+\]|\.[0-9]+)"
"""An index in the path of a file."""
_TEXT = {"type": "string"}
_OF_FILES = tuple(
    Parameter(name, "header", _TEXT, what)
    for name, what in {
        "If-None-Match": "Answer 304 when the content still has this ETag",
        "If-Match": "Answer 412 when the content has another ETag",
        "If-Modified-Since": "Answer 304 when the content is not newer",
        "If-Unmodified-Since": "Answer 412 when the content is newer",
        "Range": "Which bytes are wanted: bytes=0-1023",
        "If-Range": "Answer with all of it unless this is its ETag",
    }.items()
)


def collection_rows(
    described: Described, office: Lookup, prefix: str
) -> tuple[Endpoint, ...]:
    """The operations of one collection; what is forbidden is not there."""
    return tuple(_Rows(described, office, prefix).rows())


def _escaped(name: str) -> str:
    """A name as a step of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


class _Rows:
    """Makes one collection's rows."""

    def __init__(self, described: Described, office: Lookup, prefix: str) -> None:
        self.described = described
        self.collection = described.collection
        self.office = office
        self.plan: ItemPlan = described.plan
        self.path = f"{base_path(office, prefix)}/{described.name}"
        self.component = component_name(described.name)
        self.shown = (shown_component(self.component, self.plan.view_names),)
        self.view = (view_parameter(self.plan),)
        self.look = described.neighbours
        self.expand = expand_parameter(self.plan, described.plan_of)
        self.id = Parameter(
            "id",
            "path",
            {"type": "string", "minLength": 1},
            "The item's id",
            required=True,
        )
        self.if_match = Parameter(
            "If-Match",
            "header",
            {"type": "string"},
            "Do it only while the item has this ETag",
        )
        self.if_none_match = Parameter(
            "If-None-Match",
            "header",
            {"type": "string"},
            "Answer 304 when the item still has this ETag",
        )

    def rows(self) -> Iterator[Endpoint]:
        """The operations that somebody may use, those asked for most first: FastAPI
        tries one after the other. No two of them have method and path in common."""
        refused = {
            right: self.described.forbids(right)
            for right in ("read", "create", "modify", "delete")
        }
        if not refused["read"]:
            yield from (self._list(), self._read())
        if not refused["create"]:
            yield self._create()
        if not refused["modify"]:
            yield from (self._update(), self._patch())
        if not refused["delete"]:
            yield self._delete()
        for action in self.described.actions:
            yield self._act(action)
        for selection in self.described.selections:
            yield from self._select(selection)
        # Selections have such paths, too.
        if not refused["read"] and file_paths(self.plan.shown_root):
            yield self._file()
        if all(refused.values()):
            return
        yield from (self._check(), self._meta())

    def _row(self, verb: str, handler: Callable[..., Response], **row: Any) -> Endpoint:
        path = self.path + row.pop("below", "")
        return Endpoint(
            path=path,
            operation_id=self._operation(verb),
            tag=self.collection.name,
            handler=partial(handler, self.collection),
            **row,
        )

    def _checked(
        self, check: Callable[[Collection, Request], None]
    ) -> Callable[[Request], None] | None:
        """``check``, where it asks nobody for rights."""
        return None if self.collection.asks else partial(check, self.collection)

    def _own_links(self) -> Mapping[str, Follow]:
        """What can be done next with the item that an answer shows."""
        verbs = {"get": "read", "update": "modify", "patch": "modify"}
        return {
            verb: Follow(self._operation(verb), "/_id", f"{verb.capitalize()} the item")
            for verb, right in {**verbs, "delete": "delete"}.items()
            if not self.described.forbids(right)
        }

    def _links(self) -> Mapping[str, Follow]:
        """The items that an item points to, each by the one id at its place."""
        found = {}
        for dotted, one in expandable(
            self.plan.view("client"), self.described.plan_of
        ).items():
            name = re.sub("[^A-Za-z0-9._-]", "_", dotted)
            if not one.many and name not in found:
                pointer = "".join(f"/{_escaped(step)}" for step in one.path)
                operation = method_name(f"{one.reference.collection}_get")
                about = (
                    f"The item of {one.reference.collection} that {dotted} points to"
                )
                found[name] = Follow(operation, pointer, about)
        return found

    def _operation(self, verb: str) -> str:
        return method_name(f"{self.collection.name}_{verb}")

    def _item(self, description: str) -> Answer:
        return Answer(description, self.shown, headers=("ETag",))

    def _stored(
        self, status: int, description: str, *headers: str
    ) -> Mapping[int, Answer]:
        """What a write answers with: the item, if the caller may read it."""
        read = self.described.rights["read"]
        shown = self._item(description)
        links = self._own_links() if status == 201 else {}
        answers = {
            status: dataclasses.replace(shown, headers=(*headers, "ETag"), links=links)
        }
        silent = Answer("It is stored; the caller may not read it", (), None, headers)
        if read is False:
            return {204: silent}
        return {**answers, 204: silent} if callable(read) else answers

    def _list(self) -> Endpoint:
        filters = filter_parameters(self.plan, self.look)
        return self._row(
            "list",
            partial(handlers.select, ALL),
            method="GET",
            summary=f"List {self.collection.name}",
            description="A page of the items that match every condition. "
            "A field's name as a parameter is a condition on it.",
            parameters=(*self._pages(), *self.expand, *filters),
            success={200: Answer("A page of items", (f"{self.component}Page",))},
            problems=(400, 406),
        )

    def _pages(self, *, whole: bool = True) -> tuple[Parameter, ...]:
        """The parameters of a page; ``whole``: its rows are whole items."""
        office, name = self.office, f"{self.component}Filter"
        as_json = (filter_parameter(name),) if self.plan.shown_root.fields else ()
        pages = page_parameters(
            self.plan, office.page_size, office.max_page_size, self.look
        )
        return (*as_json, *(one for one in pages if whole or one.name != "_view"))

    def _select(self, selection: Selection) -> Iterator[Endpoint]:
        """One selection, by query parameters and by a filter in the body."""
        name, whole = selection.name or "", selection.row_is_item
        component = self.component + ("" if whole else component_name(name))
        guarded = () if selection.right is None else (403,)
        about = selection.description or (
            f"All of {self.collection.name}" if whole else f"The selection {name}"
        )
        pages = self._pages(whole=whole)
        expand = self.expand if whole else ()
        common: dict[str, Any] = {
            "below": f"/_selections/{name}",
            "success": {200: Answer("A page of rows", (f"{component}Page",))},
        }
        yield self._row(
            f"select_{name}",
            partial(handlers.select, name),
            method="GET",
            summary=f"Select {name} of {self.collection.name}",
            description=f"{about}. A field's name as a parameter is a condition on it.",
            parameters=(*pages, *expand, *filter_parameters(self.plan)),
            problems=(400, *guarded, 406),
            **common,
        )
        if pages[0].name != FILTER:
            return
        yield self._row(
            f"search_{name}",
            partial(handlers.search, name),
            method="POST",
            summary=f"Search {name} of {self.collection.name}",
            description=f"{about}. The body is a filter.",
            parameters=(*pages[1:], *expand),
            consumes={JSON: f"{self.component}Filter"},
            body_required=False,
            problems=(400, *guarded, 406, 413, 415),
            **common,
        )

    def _act(self, action: Registered) -> Endpoint:
        name, component = action.name, f"{action.component}Input"
        return self._row(
            f"do_{name}",
            partial(handlers.act, name),
            below=f"/_actions/{name}/{{id}}",
            method="POST",
            summary=f"{name} on one item of {self.collection.name}",
            description=action.plan.root.description or f"Do {name} to an item.",
            parameters=(self.id, self.if_match),
            **_body(action.plan.root, {JSON: component}, f"{component}Form"),
            body_required=not action.takes_nothing,
            check=partial(handlers.check_input, name, self.collection)
            if action.open
            else None,
            success=self._done(action),
            problems=(400, 403, 404, 406, 409, 412, 413, 415, 422),
        )

    def _done(self, action: Registered) -> Mapping[int, Answer]:
        """What an action answers with."""
        if action.result is not None:
            return {200: Answer("Its result", (f"{action.component}Result",))}
        silent = Answer("It is done; there is nothing to show", (), None)
        return {200: Answer("What it gives, or the item", ("Result",)), 204: silent}

    def _create(self) -> Endpoint:
        return self._row(
            "create",
            handlers.create,
            method="POST",
            summary=f"Create an item in {self.collection.name}",
            description="Store a new item. Fields left out get their defaults.",
            parameters=self.view,
            **self._item_body("Create"),
            check=self._checked(handlers.check_new),
            success=self._stored(201, "The new item", "Location"),
            problems=(400, 403, 406, 409, 413, 415, 422),
        )

    def _read(self) -> Endpoint:
        return self._row(
            "get",
            handlers.read,
            below="/{id}",
            method="GET",
            summary=f"Get one item of {self.collection.name}",
            description="One item, or 304 when the client has it already.",
            parameters=(self.id, self.if_none_match, *self.view, *self.expand),
            success={
                200: dataclasses.replace(
                    self._item("The item"),
                    components=(expanded_component(self.described),),
                    optional=("ETag",) if self.expand else (),
                    links=self._links(),
                ),
                304: Answer("The client has it", (), None, ("ETag",)),
            },
            problems=(400, 404, 406),
        )

    def _item_body(
        self, verb: str, others: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """What a write of an item takes; ``others``: besides JSON, by media types."""
        taken = {**(others or {}), JSON: verb}
        consumes = {media: f"{self.component}{end}" for media, end in taken.items()}
        return _body(self.plan.root, consumes, f"{self.component}{verb}Form")

    def _file(self) -> Endpoint:
        where = file_paths(self.plan.shown_root)
        fixed = [one for one in where if "[" not in one]
        patterns = [literal(one).replace(literal("[*]"), _AT) for one in where]
        within: dict[str, Any] = {"type": "string", "enum": fixed}
        if len(fixed) < len(where):
            within = {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}
        path = Parameter("path", "path", within, "The path of the file", required=True)
        cached, changing = ("Cache-Control", "ETag"), ("Last-Modified",)
        about = (
            "Accept-Ranges",
            *("Content-Disposition", "Content-Length", "X-Content-Type-Options"),
            *(*cached, *changing),
        )
        # Several ranges have theirs each, in the parts of multipart/byteranges.
        part = (*about, "Content-Range"), (*changing, "Content-Range")
        return self._row(
            "get_file",
            handlers.file,
            below="/{id}/{path}",
            method="GET",
            summary=f"Get a file of one item of {self.collection.name}",
            description="The content of a file, or a part of it.",
            parameters=(self.id, path, *_OF_FILES),
            success={
                200: Answer("The content", (), BINARY, about, changing),
                206: Answer("A part of it", (), BINARY, *part),
                304: Answer("The client has it", (), None, cached),
            },
            produces=BINARY,
            problems=(404, 412, 416),
        )

    def _update(self) -> Endpoint:
        return self._row(
            "update",
            handlers.update,
            below="/{id}",
            method="PUT",
            summary=f"Change one item of {self.collection.name}",
            description="Change the fields that are given; the others stay the same.",
            parameters=(self.id, self.if_match, *self.view),
            **self._item_body("Update"),
            check=self._checked(handlers.check_changes),
            success=self._stored(200, "The changed item"),
            problems=(400, 403, 404, 406, 409, 412, 413, 415, 422),
        )

    def _patch(self) -> Endpoint:
        return self._row(
            "patch",
            handlers.patch,
            below="/{id}",
            method="PATCH",
            summary=f"Patch one item of {self.collection.name}",
            description="Change an item by JSON Patch (RFC 6902; one operation or a "
            "list of them) or by JSON Merge Patch (RFC 7396). All of a patch is "
            "applied, or none of it.",
            parameters=(self.id, self.if_match, *self.view),
            **self._item_body("Patch", {JSON_PATCH: "Patch", MERGE_PATCH: "Update"}),
            success=self._stored(200, "The changed item"),
            problems=(400, 403, 404, 406, 409, 412, 413, 415, 422),
        )

    def _delete(self) -> Endpoint:
        return self._row(
            "delete",
            handlers.delete,
            below="/{id}",
            method="DELETE",
            summary=f"Delete one item of {self.collection.name}",
            description="Delete an item for good.",
            parameters=(self.id, self.if_match),
            success={204: Answer("It is gone", (), None)},
            problems=(400, 403, 404, 409, 412, 422),
        )

    def _check(self) -> Endpoint:
        return self._row(
            "check",
            handlers.check,
            below="/_check",
            method="POST",
            summary=f"Check one value of an item of {self.collection.name}",
            description="What is wrong with one value of an item that is still being "
            "written. Nothing is stored.",
            consumes={JSON: f"{self.component}Question"},
            success={200: Answer("What is wrong, or null", ("Verdict",))},
            problems=(400, 406, 413, 415, 422),
        )

    def _meta(self) -> Endpoint:
        return self._row(
            "meta",
            handlers.meta,
            below="/_meta",
            method="POST",
            summary=f"Describe {self.collection.name}",
            description="The schema of the collection, with what exists and what the "
            "caller may do, for an item that is still being written.",
            consumes={JSON: "Partial"},
            body_required=False,
            success={200: Answer("The meta structure", ("CollectionMeta",))},
            problems=(400, 406, 413, 415, 422),
        )


def _body(root: FieldPlan, consumes: Mapping[str, str], form: str) -> dict[str, Any]:
    """What an operation takes: a form too, where there are files to be set."""
    if not given_files(root):
        return {"consumes": consumes}
    parts = encodings(root, ", ".join(consumes))
    return {"consumes": {**consumes, FORM: form}, "encodings": parts}
