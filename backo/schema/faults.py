"""pydantic's errors as ours: every fault, its path a selector, its code stable."""

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

OWN_CODES = frozenset({"enum", "format", "pattern", "uniq", "constraint", "min", "max"})


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
    path, _, message = error.to_string().partition(": ")
    if not path.startswith("$"):
        path, message = "$", error.to_string()
    return Fault(path, message, STRICTO_CODES.get(type(error), "invalid"))


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
