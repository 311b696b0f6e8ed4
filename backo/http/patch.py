"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) on plain documents."""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from backo.errors import ConflictError, Fault, ValidationError
from backo.http.problems import to_json
from backo.schema.plan import FieldPlan, Kind

__all__ = ["changed_fields", "json_patch", "merge_patch", "unknown_fields"]

type Document = dict[str, Any]
type Steps = list[str]

MAX_OPERATIONS = 1000
"""Operations one patch may have."""
MAX_DEPTH = 200
"""Levels of what a patch makes: as many as JSON of a body may have."""
MAX_COPIED = 1_000_000
"""Values and characters that the ``copy`` operations of one patch may add: each may
double the document."""

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|-)\]")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def json_patch(
    document: Document, operations: list[Document], root: FieldPlan
) -> Document:
    """``document`` after every operation, or none: ``document`` itself stays as it is.

    A path is a JSON Pointer (RFC 6901) or a selector (``$.tags[0]``). ``add`` to a
    selector that names a List appends to it, as stricto does, unset or not.

    :raises ConflictError: an operation cannot be applied to what is there (RFC 5789,
        section 2.2), or a ``test`` fails.
    :raises ValidationError: a path or an operation is not well-formed, or what comes
        out is larger or deeper than a body could be.
    """
    try:
        patched = _all_applied(document, operations, root)
        deep = _deeper_than(MAX_DEPTH, patched)
    except RecursionError:
        deep = True
    if deep:
        raise ValidationError([Fault("$", "would be nested too deeply", "patch")])
    return patched


def _all_applied(
    document: Document, operations: list[Document], root: FieldPlan
) -> Document:
    patched = copy.deepcopy(document)
    copied = 0
    for number, operation in enumerate(operations):
        where = f"$[{number}]"
        if operation["op"] == "copy":
            copied += _weight(_get(patched, _steps(operation["from"], where), where))
            if copied > MAX_COPIED:
                raise ValidationError([Fault(where, "copies too much", "patch")])
        patched = _apply(patched, operation, where, root)
    return patched


def _deeper_than(depth: int, value: Any) -> bool:
    """Whether ``value`` has more than ``depth`` levels of lists and objects."""
    if not isinstance(value, (dict, list)):
        return False
    below = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_deeper_than(depth - 1, one) for one in below)


def _weight(value: Any) -> int:
    """How many values and characters ``value`` is made of."""
    if isinstance(value, dict):
        return 1 + sum(len(key) + _weight(below) for key, below in value.items())
    if isinstance(value, list):
        return 1 + sum(map(_weight, value))
    return 1 + len(value) if isinstance(value, str) else 1


def merge_patch(document: Any, patch: Any) -> Any:
    """``document`` with ``patch`` merged into it as RFC 7396 says."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def unknown_fields(patch: Any, field: FieldPlan) -> Document:
    """The part of a merge patch that the schema does not know, at any depth: removing
    it would go unnoticed."""
    found: Document = {}
    for key, value in patch.items() if isinstance(patch, dict) else ():
        child = field.field(key)
        if child is None:
            found[key] = value
        elif child.kind is Kind.DICT and (below := unknown_fields(value, child)):
            found[key] = below
    return found


def changed_fields(before: Document, after: Document, field: FieldPlan) -> Document:
    """What must be changed to come from ``before``, whose keys are fields, to
    ``after``: a key that is gone is null, in Dicts at any depth."""
    changes: Document = {}
    for key in (*before, *(key for key in after if key not in before)):
        child = field.field(key)
        old, new = before.get(key), after.get(key)
        if child is not None and _same(old, new):
            continue
        if child is not None and child.grouping and key not in after:
            new = {}
        if child is not None and child.kind is Kind.DICT and isinstance(new, dict):
            new = changed_fields(old if isinstance(old, dict) else {}, new, child)
        elif child is not None:
            _drop_repeated([new], [old], child)
        changes[key] = new
    return changes


def _drop_repeated(values: list[Any], known: list[Any], field: FieldPlan) -> None:
    """Take out of ``values`` the read-only fields that only repeat what is ``known``:
    a List is changed as a whole, with what its elements hold besides."""
    if field.element is not None:
        after, before = _elements(values), _elements(known)
        if after:
            _drop_repeated(after, before, field.element)
    for child in field.fields:
        before = [one.get(child.name) for one in known if isinstance(one, dict)]
        holders = [one for one in values if isinstance(one, dict) and child.name in one]
        if child.read_only:
            seen = {to_json(value) for value in before}
            for one in holders:
                if to_json(one[child.name]) in seen:
                    del one[child.name]
        elif child.children:
            _drop_repeated([one[child.name] for one in holders], before, child)


def _elements(values: list[Any]) -> list[Any]:
    return [one for value in values if isinstance(value, list) for one in value]


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _same(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _apply(document: Any, operation: Document, where: str, root: FieldPlan) -> Any:
    do = _OPERATIONS[operation["op"]]
    steps = _steps(operation["path"], where)
    appends = operation["op"] == "add" and operation["path"].startswith("$")
    if appends and _is_list(root, steps):
        if _get(document, steps, where, missing=None) is None:
            document = _put(document, steps, [], where)
        steps = [*steps, "-"]
    return do(document, steps, operation, where)


def _is_list(field: FieldPlan, steps: Steps) -> bool:
    """Whether a List stands where ``steps`` lead."""
    here: FieldPlan | None = field
    for step in steps:
        if here is None:
            return False
        here = here.element if here.kind is Kind.LIST else here.field(step)
    return here is not None and here.kind is Kind.LIST


def _steps(path: str, where: str) -> Steps:
    """A pointer or a selector as its steps."""
    if path.startswith("$"):
        return _selector_steps(path, where)
    if path == "":
        return []
    if not path.startswith("/") or re.search(r"~(?![01])", path):
        raise ValidationError([Fault(f"{where}.path", "is no JSON Pointer", "path")])
    parts = path[1:].split("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _selector_steps(path: str, where: str) -> Steps:
    found = list(_STEP.finditer(path, 1))
    if "".join(step.group(0) for step in found) != path[1:]:
        raise ValidationError([Fault(f"{where}.path", "is no selector", "path")])
    return [step.group(1) or step.group(2) for step in found]


_ABSENT: Any = object()


def _get(document: Any, steps: Steps, where: str, *, missing: Any = _ABSENT) -> Any:
    here = document
    for step in steps:
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif (
            isinstance(here, list) and _INDEX.fullmatch(step) and int(step) < len(here)
        ):
            here = here[int(step)]
        elif missing is not _ABSENT:
            return missing
        else:
            raise ConflictError(f"{where}: there is nothing at /{'/'.join(steps)}")
    return here


def _add(document: Any, steps: Steps, operation: Document, where: str) -> Any:
    return _put(document, steps, copy.deepcopy(operation["value"]), where)


def _put(document: Any, steps: Steps, value: Any, where: str) -> Any:
    if not steps:
        return value
    parent, last = _get(document, steps[:-1], where), steps[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and last == "-":
        parent.append(value)
    elif (
        isinstance(parent, list) and _INDEX.fullmatch(last) and int(last) <= len(parent)
    ):
        parent.insert(int(last), value)
    else:
        raise ConflictError(f"{where}: nothing can be added at /{'/'.join(steps)}")
    return document


def _remove(document: Any, steps: Steps, _operation: Document, where: str) -> Any:
    _get(document, steps, where)
    if not steps:
        return {}
    parent = _get(document, steps[:-1], where)
    del parent[steps[-1] if isinstance(parent, dict) else int(steps[-1])]
    return document


def _replace(document: Any, steps: Steps, operation: Document, where: str) -> Any:
    _get(document, steps, where)
    value = copy.deepcopy(operation["value"])
    if not steps:
        return value
    parent = _get(document, steps[:-1], where)
    parent[steps[-1] if isinstance(parent, dict) else int(steps[-1])] = value
    return document


def _test(document: Any, steps: Steps, operation: Document, where: str) -> Any:
    held, wanted = _get(document, steps, where), operation["value"]
    if not _same(held, wanted):
        raise ConflictError(f"{where}: the test failed")
    return document


def _copy(document: Any, steps: Steps, operation: Document, where: str) -> Any:
    value = copy.deepcopy(_get(document, _steps(operation["from"], where), where))
    return _put(document, steps, value, where)


def _move(document: Any, steps: Steps, operation: Document, where: str) -> Any:
    source = _steps(operation["from"], where)
    if len(source) < len(steps) and steps[: len(source)] == source:
        raise ValidationError([Fault(f"{where}.path", "lies inside from", "path")])
    value = _get(document, source, where)
    return _put(_remove(document, source, operation, where), steps, value, where)


_OPERATIONS: Mapping[str, Callable[[Any, Steps, Document, str], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
    "move": _move,
    "copy": _copy,
}
