"""Forms with files: one part for each, under its path, and ``_json`` for the rest."""

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, Protocol

from pydantic_core import PydanticCustomError

from backo.errors import (
    BodyTooLargeError,
    Fault,
    FileError,
    SRightError,
    ValidationError,
)
from backo.files.contents import stage
from backo.files.staging import Staged, staging
from backo.http.messages import Request, media_type
from backo.http.multipart import FormLimits, Part, parts
from backo.http.problems import BadFormError, parsed_json
from backo.schema.checks import given_file
from backo.schema.incoming import Content
from backo.schema.plan import FieldPlan, Kind

__all__ = ["JSON_PART", "Form", "Limits", "form_of", "put_files", "taking"]

JSON_PART = "_json"
"""The part that is not a file."""
_FORM, _UNSAID = object(), object()
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d{1,9})?\]")
_MAX_NAME = 255

type Steps = tuple[str | int | None, ...]


class Limits(Protocol):
    """What a backoffice takes."""

    max_body_size: int
    max_upload_size: int
    max_parts: int


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A form that has been read: what its ``_json`` says, if there is one, of which
    media type that is said to be, and files that are staged, each with the way to its
    field."""

    files: tuple[tuple[Steps, Staged], ...]
    json: Any = _UNSAID
    media: str = ""

    def said(self, otherwise: Any) -> Any:
        """What ``_json`` says; ``otherwise`` if there is none."""
        return otherwise if self.json is _UNSAID else self.json


def form_of(request: Request) -> Form | None:
    """The form of a request; None: its body is none."""
    form: Form | None = request.kept.get(_FORM)
    return form


@contextmanager
def taking(
    request: Request, root: FieldPlan, limits: Limits, admit: Callable[[], object]
) -> Iterator[None]:
    """Inside, files that come with the request may be used; what is then the content of
    no item is discarded. A form is read first, if ``admit`` does not raise.

    :raises BadFormError, BodyTooLargeError, FileError, ValidationError: it is not what
        is taken; no more of it is read.
    """
    with staging(limits):
        if request.stream is not None:
            admit()
            request.kept[_FORM] = _read(request, root, limits)
        yield


def _read(request: Request, root: FieldPlan, limits: Limits) -> Form:
    bounds = FormLimits(max_size=limits.max_upload_size, max_parts=limits.max_parts)
    declared = request.headers.get("content-length", "")
    length = int(declared[:20]) if declared.isdecimal() else None
    json, json_media = _UNSAID, ""
    files: list[tuple[Steps, Staged]] = []
    media = request.headers.get("content-type", "")
    for part in parts(request.stream or (), media, bounds, length):
        if part.name == JSON_PART:
            if json is not _UNSAID:
                raise BadFormError(f"{JSON_PART} is there twice")
            json = parsed_json(_bounded(part, limits.max_body_size))
            json_media = media_type(part.headers.get("content-type", ""))[0]
        elif part.filename != "" or _has_content(part):
            files.append(_file(part, root, [steps for steps, _ in files]))
    return Form(tuple(files), json, json_media)


def _has_content(part: Part) -> bool:
    """Whether there is a byte in it; of its content nothing is lost by asking."""
    first = next(filter(None, part.chunks), b"")
    part.chunks = itertools.chain([first], part.chunks)
    return first != b""


def _bounded(part: Part, most: int) -> bytes:
    found = bytearray()
    for chunk in part.chunks:
        found += chunk
        if len(found) > most:
            raise BodyTooLargeError(f"{part.name} may have {most} bytes")
    return bytes(found)


def _file(part: Part, root: FieldPlan, taken: Sequence[Steps]) -> tuple[Steps, Staged]:
    steps = _steps(part.name)
    field = _located(root, steps)
    if field is not None and field.kind is Kind.LIST:
        # Under the name of a List of files: one more of them.
        field = field.element
    elif steps in taken and steps[-1] is not None:
        raise BadFormError(f"{part.name!r:.100} is there twice")
    path = _path(steps)
    if field is None or field.file is None or field.unreadable and field.read_only:
        raise ValidationError([Fault(path, "is no file here", "unknown_field")])
    if field.forbidden:
        raise SRightError("{0}: cannot modify value", path)
    if field.read_only:
        raise ValidationError([Fault(path, "is read-only", "read_only")])
    try:
        return steps, stage(field.file, part.chunks, _plain_name(part.filename))
    except FileError as error:
        raise error.at(path) from error


def _steps(name: str) -> Steps:
    """``pages[0].scan`` as steps; a last ``[]`` adds to a List."""
    text = name.removeprefix("$").removeprefix(".")
    found = list(_STEP.finditer(text))
    if not text or "".join(one.group(0) for one in found) != text:
        raise ValidationError([Fault("$", f"{name!r:.100} is no path", "path")])
    return tuple(
        one.group(1) or (None if one.group(2) is None else int(one.group(2)))
        for one in found
    )


def _path(steps: Steps) -> str:
    return "$" + "".join(
        f".{step}" if isinstance(step, str) else f"[{'' if step is None else step}]"
        for step in steps
    )


def _located(root: FieldPlan, steps: Steps) -> FieldPlan | None:
    here: FieldPlan | None = root
    for step in steps:
        if here is None:
            return None
        here = here.field(step) if isinstance(step, str) else here.element
    return here


def _plain_name(name: str | None) -> str | None:
    """The last step of a name: some clients send whole paths of theirs."""
    if not name:
        return None
    plain = PurePosixPath(name.replace("\\", "/")).name[:_MAX_NAME]
    return plain if plain not in ("", ".", "..") else None


def put_files(
    document: Any,
    root: FieldPlan,
    form: Form | None,
    *,
    whole: bool = True,
    given: bool = False,
) -> Any:
    """``document``, which is changed, with the files of a form in their fields; unless
    it is ``whole``, only Lists that it has can have more of them. ``given``: it is what
    the caller said, and nothing of it may be wrong.

    :raises ValidationError: there is no place for one.
    """
    for steps, staged in () if form is None else form.files:
        if given:
            _require_file(_held(document, steps), steps)
        _put(document, root, steps, staged, whole=whole)
    return document


def _put(
    document: Any, root: FieldPlan, steps: Steps, staged: Staged, *, whole: bool
) -> None:
    here, field = document, _located(root, steps[:-1]) or root
    for at, step in enumerate(steps[:-1]):
        empty: Any = {} if isinstance(steps[at + 1], str) else []
        if empty == [] and not whole:
            _require_list(here, step, steps)
        here = _below(here, step, empty)
    last = steps[-1]
    if isinstance(last, str) and isinstance(here, dict):
        below = field.field(last)
        if below is not None and below.kind is Kind.LIST:
            if not whole:
                _require_list(here, last, steps)
            held = [] if here.get(last) is None else here[last]
            if not isinstance(held, list):
                raise _nowhere(steps)
            here[last] = [*held, staged]
        else:
            here[last] = staged
    elif not isinstance(last, str) and isinstance(here, list):
        if last is None or last == len(here):
            here.append(staged)
        elif last < len(here):
            here[last] = staged
        else:
            raise _nowhere(steps)
    else:
        raise _nowhere(steps)


def _held(document: Any, steps: Steps) -> Any:
    """What stands where a file is to be put; a List of files is none."""
    here = document
    for step in steps:
        if isinstance(step, str) and isinstance(here, dict):
            here = here.get(step)
        elif isinstance(step, int) and isinstance(here, list) and step < len(here):
            here = here[step]
        else:
            return None
    return None if isinstance(here, list | Content) else here


def _require_file(value: Any, steps: Steps) -> None:
    """Whether what is replaced is what a file can be set to: it is not looked at any
    more."""
    try:
        if value is not None:
            given_file(value)
    except PydanticCustomError as error:
        fault = Fault(_path(steps), error.message(), "type")
        raise ValidationError([fault]) from error


def _require_list(here: Any, step: str | int | None, steps: Steps) -> None:
    if isinstance(here, dict) and not isinstance(here.get(str(step)), list):
        raise _nowhere(steps)


def _below(here: Any, step: str | int | None, empty: Any) -> Any:
    """What stands below ``here``; ``empty`` is put there if nothing does."""
    if isinstance(step, str) and isinstance(here, dict):
        if here.get(step) is None:
            here[step] = empty
        return here[step]
    if isinstance(step, int) and isinstance(here, list):
        if step == len(here):
            here.append(empty)
        if step < len(here):
            return here[step]
    raise _nowhere((step,))


def _nowhere(steps: Steps) -> ValidationError:
    words = f"has no place for a file (at {steps[-1]!r:.100})"
    return ValidationError([Fault("$", words, "path")])
