"""The files in plain documents."""

import base64
import dataclasses
from collections.abc import Iterator
from typing import Any

from backo.errors import Fault, FileError, ValidationError
from backo.files.contents import Staged, fetched, stage, stage_incoming
from backo.schema._whole import Kept
from backo.schema.file import FilePlan
from backo.schema.incoming import Incoming
from backo.schema.plan import FieldPlan, Kind

__all__ = ["Held", "files_of", "resolved", "separated"]

type Document = dict[str, Any]
type Key = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A file in a document."""

    plan: FilePlan
    path: str
    structure: Document

    @property
    def file_id(self) -> str:
        """The id of its content."""
        return str(self.structure["file_id"])

    @property
    def key(self) -> Key:
        """What two files have in common that have one content."""
        return self.plan.key(self.file_id)


def files_of(document: Document | None, files: FieldPlan) -> dict[Key, Held]:
    """The files of a document; ``files`` is its schema, as far as there are any."""
    return {one.key: one for one in _files(document, files)}


def _files(value: Any, field: FieldPlan, *, shown: bool = False) -> Iterator[Held]:
    """``shown``: only those that may be read."""
    if shown and field.unreadable:
        return
    if field.file is not None:
        if isinstance(value, dict) and isinstance(value.get("file_id"), str):
            yield Held(field.file, field.path, value)
    elif field.element is not None:
        for one in value if isinstance(value, list) else ():
            yield from _files(one, field.element, shown=shown)
    elif isinstance(value, dict):
        for child in field.fields:
            yield from _files(value.get(child.name), child, shown=shown)


# -- what callers give ---------------------------------------------------------------


def resolved(values: Document, before: Document | None, files: FieldPlan) -> Document:
    """``values``, new or to be changed in the item that is ``before``, with the
    structure of a file wherever a content is given, which is staged, or a file of the
    item is named.

    :raises ValidationError: a file that is named is none of the item, or may not be
        read.
    :raises FileError: a field does not take what is given.
    """
    faults: list[Fault] = []
    known = {one.file_id: one for one in _files(before, files, shown=True)}
    after: Document = _Resolver(known, faults).below(values, before, files, "$")
    if faults:
        raise ValidationError(faults)
    return after


class _Resolver:
    """:param known: the files of the item, by the ids of their contents."""

    def __init__(self, known: dict[str, Held], faults: list[Fault]) -> None:
        self._known = known
        self._faults = faults

    def below(self, value: Any, before: Any, field: FieldPlan, path: str) -> Any:
        if field.file is not None:
            return self._file(value, before, field, path)
        if field.element is not None and isinstance(value, list):
            return [
                self.below(one, None, field.element, f"{path}[{at}]")
                for at, one in enumerate(value)
            ]
        if field.kind is not Kind.DICT or not isinstance(value, dict):
            return value
        held = before if isinstance(before, dict) else {}
        return value | {
            child.name: self.below(
                value[child.name], held.get(child.name), child, f"{path}.{child.name}"
            )
            for child in field.fields
            if child.name in value
        }

    def _file(self, value: Any, before: Any, field: FieldPlan, path: str) -> Any:
        plan = field.file
        if plan is None or value is None or isinstance(value, Kept):
            return value
        try:
            if isinstance(value, Incoming):
                return dict(stage_incoming(plan, value).structure)
            if isinstance(value, Staged):
                return dict(value.structure)
            return self._described(value, before, plan, path)
        except FileError as error:
            raise error.at(path) from error

    def _described(
        self, value: Document, before: Any, plan: FilePlan, path: str
    ) -> Document | None:
        own = before.get("file_id") if isinstance(before, dict) else None
        file_id = value.get("file_id", own)
        if isinstance(file_id, Kept):
            file_id = file_id.value
        if file_id is None and all(one is None for one in value.values()):
            return None
        held = self._known.get(str(file_id))
        if held is None:
            self._faults.append(Fault(path, "names no file of this item", "file"))
            return None
        name = value.get("filename", held.structure.get("filename"))
        name = name.value if isinstance(name, Kept) else name
        if held.plan.place != plan.place:
            copy = stage(plan, _content(held), name)
            return dict(copy.structure)
        return {**held.structure, "filename": name}


def _content(held: Held) -> Iterator[bytes]:
    if held.plan.work is None:
        return iter([base64.b64decode(held.structure.get("content") or "")])
    return fetched(held.plan, held.file_id).read_chunk(held.file_id)


def separated(document: Document, files: FieldPlan) -> Document:
    """``document`` with a copy, which is staged, of each content that it has twice."""
    seen: set[Key] = set()
    if not any(_again(one, seen) for one in _files(document, files)):
        return document
    after: Document = _separated(document, files, set())
    return after


def _again(held: Held, seen: set[Key]) -> bool:
    again = held.key in seen
    seen.add(held.key)
    return again


def _separated(value: Any, field: FieldPlan, seen: set[Key]) -> Any:
    if field.file is not None:
        for held in _files(value, field):
            if _again(held, seen):
                name = held.structure.get("filename")
                return dict(stage(held.plan, _content(held), name).structure)
        return value
    if field.element is not None and isinstance(value, list):
        return [_separated(one, field.element, seen) for one in value]
    if not isinstance(value, dict):
        return value
    return value | {
        child.name: _separated(value[child.name], child, seen)
        for child in field.fields
        if child.name in value
    }
