"""pydantic's errors as ours: every fault, its path a selector, its code stable."""

import re
from collections.abc import Mapping
from typing import Any

import pydantic
from stricto import (
    SAttributeError,
    SConstraintError,
    SRightError,
    STypeError,
)

from backo.errors import Fault, ValidationError
from backo.schema.plan import ItemPlan

__all__ = ["faults_in", "faults_of", "selector", "stricto_faults"]

CODES: Mapping[str, str] = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "json_invalid": "not_json",
    "greater_than_equal": "min",
    "less_than_equal": "max",
    "too_short": "min_items",
    "too_long": "max_items",
    "string_pattern_mismatch": "pattern",
}
"""pydantic's error types under our stable codes; any other is ``type``."""

STRICTO_CODES: Mapping[type, str] = {
    STypeError: "type",
    SConstraintError: "constraint",
    SAttributeError: "unknown_field",
    SRightError: "forbidden",
}
"""stricto's errors under our stable codes."""

WORDS: Mapping[str, str] = {
    "Constraint not validated": "breaks a constraint",
    "Not in union list": "is not one of the allowed values",
    "Must be above Minimal": "is less than the minimum",
    "Must be below Maximal": "is more than the maximum",
    "Dont match regexp": "does not match the pattern",
    "Cannot be empty": "is required",
    "duplicate value in list": "must not hold a value twice",
}
"""Our words for stricto's."""

_VALUE = re.compile(r'\s*\([^()]*\{value\}[^()]*\)?|\s*"?\{value\}"?')
"""The value in stricto's messages: ``(value="{value}")``, ``"{value}"``."""

OWN_CODES = frozenset(
    {"unknown_field", "enum", "format", "pattern", "uniq", "constraint", "min", "max"}
)


def faults_in(
    document: Any, model: type[pydantic.BaseModel], plan: ItemPlan
) -> tuple[Fault, ...]:
    """Every fault that ``model`` finds in ``document``."""
    try:
        model.model_validate(document)
    except pydantic.ValidationError as error:
        return faults_of(error, plan).faults
    return ()


def stricto_faults(error: Exception) -> tuple[Fault, ...]:
    """The faults that stricto's checks found: all, where they were collected."""
    found: list[Any] = getattr(error, "faults", None) or [error]
    return tuple(_stricto_fault(one) for one in found)


def _stricto_fault(error: Any) -> Fault:
    """stricto puts the path before its message: ``$.pages: Must be above Minimal``."""
    template = error.string_format
    words = next((ours for theirs, ours in WORDS.items() if theirs in template), None)
    path, _, message = _without_value(error).partition(": ")
    if not path.startswith("$"):
        path, message = "$", _without_value(error)
    classes = (cls for cls in type(error).__mro__ if cls in STRICTO_CODES)
    code = next((STRICTO_CODES[cls] for cls in classes), "invalid")
    return Fault(path, words or message, code)


def _without_value(error: Any) -> str:
    """What ``error`` says but for the value: the caller may be shown other fields than
    the one that it was stored in."""
    template = _VALUE.sub("", error.string_format)
    return str(template.format(*error._my_args, **error._my_kwargs | {"value": ""}))


def faults_of(error: pydantic.ValidationError, plan: ItemPlan) -> ValidationError:
    """pydantic's error as ours: paths as selectors, stable codes."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return ValidationError([_fault(one["loc"], one, plan) for one in found])


def _fault(loc: tuple[int | str, ...], detail: Any, plan: ItemPlan) -> Fault:
    path = selector(loc)
    kind = detail["type"]
    code = CODES.get(kind, kind if kind in OWN_CODES else "type")
    message = detail["msg"]
    if code == "unknown_field":
        located = plan.locate(
            ".".join(str(part) for part in loc if isinstance(part, str))
        )
        known = located is not None and not located.field.unreadable
        code, message = (
            ("read_only", "is read-only") if known else (code, "is no field here")
        )
    return Fault(path, message, code)


def selector(loc: tuple[int | str, ...]) -> str:
    """``("a", 0, "b")`` → ``$.a[0].b``."""
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "$" + "".join(steps)
