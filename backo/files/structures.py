"""The files in plain documents."""

import base64
import dataclasses
from collections.abc import Iterator, Sequence, Set
from typing import Any

from backo.errors import Fault, FileError, STypeError, ValidationError
from backo.files.contents import (
    incoming_of,
    judge,
    read_whole,
    stage,
    stage_incoming,
    taken,
)
from backo.files.places import fetched
from backo.files.staging import Staged, charge
from backo.schema._whole import Kept
from backo.schema.file import FilePlan
from backo.schema.incoming import Incoming
from backo.schema.plan import FieldPlan, Kind

__all__ = ["Held", "Key", "again", "files_of", "judged", "resolved", "separated"]

type Document = dict[str, Any]
type Key = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A file in a document."""

    plan: FilePlan
    path: str
    """Where in the document: ``$.pages[0].scan``."""
    structure: Document

    @property
    def file_id(self) -> str:
        """The id of its content."""
        return str(self.structure["file_id"])

    @property
    def key(self) -> Key:
        """What two files have in common that have one content."""
        return self.plan.key(self.file_id)

    def kept_like(self, other: "Held | None") -> bool:
        """Whether the other one, of the same content, has it kept at the same
        places."""
        return other is not None and self.plan.keeps_like(other.plan)


def files_of(document: Document | None, files: FieldPlan) -> dict[Key, Held]:
    """The files of a document; ``files`` is its schema, as far as there are any."""
    return {one.key: one for one in _files(document, files)}


def _files(
    value: Any, field: FieldPlan, path: str = "$", *, shown: bool = False
) -> Iterator[Held]:
    """``shown``: only those that may be read."""
    if shown and field.unreadable:
        return
    if field.file is not None:
        if isinstance(value, dict) and isinstance(value.get("file_id"), str):
            yield Held(field.file, path, value)
    elif field.element is not None:
        for at, one in enumerate(value if isinstance(value, list) else ()):
            yield from _files(one, field.element, f"{path}[{at}]", shown=shown)
    elif isinstance(value, dict):
        for child in field.fields:
            below = f"{path}.{child.name}"
            yield from _files(value.get(child.name), child, below, shown=shown)


# -- what callers give ---------------------------------------------------------------


def resolved(values: Document, before: Document | None, files: FieldPlan) -> Document:
    """``values``, new or to be changed in the item that is ``before``, with the
    structure of a file wherever a content is given, which is staged, or a file of the
    item is named.

    :raises ValidationError: a file that is named is none of the item, or may not be
        read; or several are not as they should be.
    :raises FileError: a field does not take what is given.
    :raises BodyTooLargeError: the request brings too much.
    """
    known = {one.file_id: one for one in _files(before, files, shown=True)}
    resolver = _Resolver(known)
    after: Document = resolver.below(values, before, files, "$")
    resolver.finish()
    return after


class _Resolver:
    """:param known: the files of the item, by the ids of their contents."""

    def __init__(self, known: dict[str, Held]) -> None:
        self._known = known
        self._errors: list[FileError | ValidationError] = []

    def finish(self) -> None:
        """Pass, or raise what is wrong."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ValidationError([one.faults[0] for one in self._errors])

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
        if isinstance(value, Staged):
            return dict(value.structure)
        try:
            if isinstance(value, Incoming):
                if plan not in value.staged:
                    charge(len(value.data or b""))
                return dict(stage_incoming(plan, value).structure)
            return self._described(value, before, plan, path)
        except FileError as error:
            self._errors.append(error.at(path))
        except ValidationError as error:
            self._errors.append(error)
        return None

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
            fault = Fault(path, "names no file of this item", "file")
            raise ValidationError([fault])
        name = value.get("filename", held.structure.get("filename"))
        name = name.value if isinstance(name, Kept) else name
        if held.plan.place != plan.place:
            return _copy(held, plan, name)
        structure = {**held.structure, "filename": name}
        return structure if held.plan is plan else taken(plan, structure)


def judged(values: Document, files: FieldPlan) -> tuple[Document, list[Fault]]:
    """``values`` with the bytes of each content that is given, and without those that
    their fields do not take; and what is wrong with these. Nothing is staged."""
    faults: list[Fault] = []
    after: Document = _judged(values, files, "$", faults)
    return after, faults


def _judged(value: Any, field: FieldPlan, path: str, faults: list[Fault]) -> Any:
    if field.file is not None:
        return _judged_file(value, field.file, path, faults)
    if field.element is not None and isinstance(value, list):
        return [
            _judged(one, field.element, f"{path}[{at}]", faults)
            for at, one in enumerate(value)
        ]
    if field.kind is not Kind.DICT or not isinstance(value, dict):
        return value
    return value | {
        child.name: _judged(value[child.name], child, f"{path}.{child.name}", faults)
        for child in field.fields
        if child.name in value
    }


def _judged_file(value: Any, plan: FilePlan, path: str, faults: list[Fault]) -> Any:
    if value is None or isinstance(value, dict):
        return value
    try:
        content = read_whole(incoming_of(value))
        judge(plan, content)
    except FileError as error:
        faults += error.at(path).faults
        return None
    except STypeError:
        # The field itself says so.
        return value
    return Incoming(content)


def _copy(held: Held, plan: FilePlan, name: str | None) -> Document:
    """A copy of a content, which is staged, for a field that has ``plan``."""
    charge(held.structure.get("size") or 0)
    return dict(stage(plan, _content(held), name).structure)


def _content(held: Held) -> Iterator[bytes]:
    if held.plan.work is None:
        return iter([base64.b64decode(held.structure.get("content") or "")])
    return fetched(held.plan, held.file_id).read_chunk(held.file_id)


def separated(
    document: Document, before: Document | None, files: FieldPlan
) -> Document:
    """``document`` with a copy, which is staged, of each content that it has twice;
    ``before`` is what it is to replace."""
    found = list(_files(document, files))
    copies = again([(one.key, one.path) for one in found], before, files)
    if not copies:
        return document
    after: Document = _separated(document, files, "$", copies)
    return after


def again(
    found: Sequence[tuple[Key, str]], before: Document | None, files: FieldPlan
) -> set[str]:
    """At which paths a content is that is elsewhere too. It stays where it is in
    ``before``: there nobody changes anything."""
    if len({key for key, _ in found}) == len(found):
        return set()
    own = {one.path: one.key for one in _files(before, files)}
    stays: dict[Key, str] = {}
    for key, path in sorted(found, key=lambda one: own.get(one[1]) != one[0]):
        stays.setdefault(key, path)
    return {path for key, path in found if stays[key] != path}


def _separated(value: Any, field: FieldPlan, path: str, copies: Set[str]) -> Any:
    if path in copies:
        for held in _files(value, field):
            return _copy(held, held.plan, held.structure.get("filename"))
    if field.element is not None and isinstance(value, list):
        return [
            _separated(one, field.element, f"{path}[{at}]", copies)
            for at, one in enumerate(value)
        ]
    if field.file is not None or not isinstance(value, dict):
        return value
    return value | {
        child.name: _separated(value[child.name], child, f"{path}.{child.name}", copies)
        for child in field.fields
        if child.name in value
    }
