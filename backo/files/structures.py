"""The files in plain documents."""

import base64
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from backo.files.staging import Staged, charge, staged_in
from backo.schema._whole import Kept
from backo.schema.file import FilePlan
from backo.schema.incoming import Incoming
from backo.schema.plan import FieldPlan, Kind

__all__ = [
    "Held",
    "Key",
    "again",
    "charge_copies",
    "doubled",
    "file_ids",
    "files_of",
    "holders",
    "judged",
    "misplaced",
    "resolved",
    "separated",
]

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


def files_of(document: Document | None, files: FieldPlan) -> dict[Key, Held]:
    """The files of a document; ``files`` is its schema, as far as there are any."""
    return {one.key: one for one in _files(document, files)}


def holders(document: Document | None, files: FieldPlan) -> dict[Key, list[Held]]:
    """The files of a document, together those that have one content: as they should
    not, and may all the same when other programs write."""
    found: dict[Key, list[Held]] = {}
    for one in _files(document, files):
        found.setdefault(one.key, []).append(one)
    return found


def doubled(document: Document, files: FieldPlan) -> list[Fault]:
    """What has the content of another file of the document."""
    return [
        _double(one, first)
        for first, *others in holders(document, files).values()
        for one in others
        if not one.plan.inline
    ]


def _double(one: Held, first: Held) -> Fault:
    return Fault(one.path, f"has the content of {first.path}", "file")


def misplaced(before: Document, after: Document, files: FieldPlan) -> list[Fault]:
    """What may not be in ``after``, which is to be stored in the place of ``before``: a
    content of another document, or one that it has twice, and had not before."""
    known, faults = Counter(file_ids(before)), list[Fault]()
    for first, *others in holders(after, files).values():
        if first.plan.inline:
            continue
        if not known[first.file_id] and staged_in(first.plan, first.file_id) is None:
            faults.append(Fault(first.path, "names no file of this item", "file"))
        if known[first.file_id] < 2:
            faults += [_double(one, first) for one in others]
    return faults


def file_ids(value: Any) -> Iterator[str]:
    """Every id of a content in a document, also where no field is: one may have been
    renamed."""
    if isinstance(value, dict):
        if isinstance(file_id := value.get("file_id"), str):
            yield file_id
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from file_ids(one)


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

type Change = Callable[[Any, Any, FieldPlan, str], Any]
"""From a value, the one before, its field and its path to another value."""


def _mapped(
    value: Any, before: Any, field: FieldPlan, change: Change, path: str = "$"
) -> Any:
    """``value`` with each of its files as ``change`` makes it."""
    if field.file is not None:
        return value if value is None else change(value, before, field, path)
    if field.element is not None and isinstance(value, list):
        return [
            _mapped(one, None, field.element, change, f"{path}[{at}]")
            for at, one in enumerate(value)
        ]
    if field.kind is not Kind.DICT or not isinstance(value, dict):
        return value
    held = before if isinstance(before, dict) else {}
    return value | {
        name: _mapped(value[name], held.get(name), child, change, f"{path}.{name}")
        for child in field.fields
        if (name := child.name) in value
    }


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
    after: Document = _mapped(values, before, files, resolver.file)
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

    def file(self, value: Any, before: Any, field: FieldPlan, path: str) -> Any:
        """What is stored of a file."""
        if isinstance(value, Kept):
            return value
        if isinstance(value, Staged):
            return dict(value.structure)
        try:
            found = self._given(value, before, field)
            if found is None and path.endswith("]"):
                raise _refused("must be the content, or tell of a file", "type")
            return found
        except FileError as error:
            self._errors.append(error.at(path))
        except ValidationError as error:
            self._errors.append(_at(error, path))
        return None

    def _given(self, value: Any, before: Any, field: FieldPlan) -> Document | None:
        plan = _plan_of(field)
        if isinstance(value, Incoming):
            return dict(stage_incoming(plan, value, charged=True).structure)
        own = before.get("file_id") if isinstance(before, dict) else None
        file_id = value.get("file_id", own)
        if isinstance(file_id, Kept):
            file_id = file_id.value
        if file_id is None and all(one is None for one in value.values()):
            return None
        held = self._known.get(str(file_id))
        if held is None:
            raise _refused("names no file of this item", "file")
        name = value.get("filename", held.structure.get("filename"))
        name = name.value if isinstance(name, Kept) else name
        if held.plan.place != plan.place:
            charge(_size(held))
            return _copy(held, plan, name)
        structure = {**held.structure, "filename": name}
        return structure if held.plan is plan else taken(plan, structure)


def _plan_of(field: FieldPlan) -> FilePlan:
    if field.file is None:
        raise TypeError(f"{field.path} holds no file")
    return field.file


def _refused(message: str, code: str) -> ValidationError:
    return ValidationError([Fault("$", message, code)])


def _at(error: ValidationError, path: str) -> ValidationError:
    return ValidationError([dataclasses.replace(error.faults[0], path=path)])


def judged(values: Document, files: FieldPlan) -> tuple[Document, list[Fault]]:
    """``values`` with the bytes of each content that is given, and without those that
    their fields do not take; and what is wrong with these. Nothing is staged."""
    faults: list[Fault] = []

    def judge_file(value: Any, _before: Any, field: FieldPlan, path: str) -> Any:
        if isinstance(value, dict):
            return value
        try:
            content = read_whole(incoming_of(value))
            judge(_plan_of(field), content)
        except FileError as error:
            faults.extend(error.at(path).faults)
            return None
        except STypeError:
            # The field itself says so.
            return value
        return Incoming(content)

    after: Document = _mapped(values, None, files, judge_file)
    return after, faults


# -- copies --------------------------------------------------------------------------


def charge_copies(
    document: Document, before: Document | None, files: FieldPlan
) -> None:
    """Count the copies that :func:`separated` makes: the request in progress asks for
    them.

    :raises BodyTooLargeError: these are too many, or too large.
    """
    _charge(_to_copy(document, before, files))


def separated(
    document: Document,
    before: Document | None,
    files: FieldPlan,
    *,
    charged: bool = False,
) -> Document:
    """``document`` with a copy, which is staged, of each content that it has twice;
    ``before`` is what it is to replace.

    :param charged: whether the request in progress asks for the copies.
    :raises FileError: a content is no longer there.
    :raises BodyTooLargeError: the request asks for too many, or too large ones.
    """
    copies = _to_copy(document, before, files)
    if not copies:
        return document
    if charged:
        _charge(copies)

    def separate(value: Any, _before: Any, _field: FieldPlan, path: str) -> Any:
        held = copies.get(path)
        if held is None:
            return value
        try:
            return _copy(held, held.plan, held.structure.get("filename"))
        except FileError as error:
            raise error.at(path) from error

    after: Document = _mapped(document, None, files, separate)
    return after


def _to_copy(
    document: Document, before: Document | None, files: FieldPlan
) -> dict[str, Held]:
    """The files of which there is to be a copy, by their paths."""
    found = {one.path: one for one in _files(document, files)}
    keys = [(one.key, path) for path, one in found.items()]
    return {path: found[path] for path in again(keys, before, files)}


def _charge(copies: Mapping[str, Held]) -> None:
    for one in copies.values():
        charge(_size(one))


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


def _size(held: Held) -> int:
    return held.structure.get("size") or 0


def _copy(held: Held, plan: FilePlan, name: str | None) -> Document:
    """A copy of a content, which is staged, for a field that has ``plan``."""
    return dict(stage(plan, _content(held), name).structure)


def _content(held: Held) -> Iterator[bytes]:
    if held.plan.work is None:
        return iter([base64.b64decode(held.structure.get("content") or "")])
    return fetched(held.plan, held.file_id).read_chunk(held.file_id)
