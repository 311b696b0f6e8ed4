"""The checks that Pydantic runs on values beyond their JSON type."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pydantic
from pydantic_core import PydanticCustomError

from backo.schema.file import FILE_FIELDS
from backo.schema.incoming import Content, Incoming, bytes_of
from backo.schema.wire import microseconds

__all__ = [
    "enum",
    "given_file",
    "in_format",
    "moment_within",
    "one_alternative",
    "pattern",
    "uniq",
]


def in_format(canonical: Callable[[Any], Any], wanted: str, value: Any) -> Any:
    """``value`` in its canonical form; ``wanted`` is said when it has none."""
    try:
        return canonical(value)
    except ValueError as error:
        raise PydanticCustomError("format", f"must be {wanted}") from error


def moment_within(low: datetime | None, high: datetime | None, text: str) -> str:
    """``text``, an ISO 8601 moment, when it is between the bounds."""
    moment = microseconds(datetime.fromisoformat(text))
    if low is not None and moment < microseconds(low):
        raise PydanticCustomError("min", "must be {it} or later", {"it": str(low)})
    if high is not None and moment > microseconds(high):
        raise PydanticCustomError("max", "must be {it} or earlier", {"it": str(high)})
    return text


def pattern(wanted: str, matches: Callable[[object], bool], value: str) -> str:
    """``value`` when it matches the pattern ``wanted``."""
    if not matches(value):
        raise PydanticCustomError(
            "pattern", "must match {pattern}", {"pattern": wanted}
        )
    return value


def enum(allowed: tuple[Any, ...], value: Any) -> Any:
    """``value`` when it is one of those allowed."""
    # True == 1 in Python, never in JSON.
    for one in allowed:
        if value == one and type(value) is type(one):
            return value
    listed = ", ".join(repr(one) for one in allowed)
    raise PydanticCustomError("enum", "must be one of {allowed}", {"allowed": listed})


def uniq(values: list[Any]) -> list[Any]:
    """``values`` when none is there twice."""
    try:
        repeated = len(set(values)) < len(values)
    except TypeError:
        repeated = any(one in values[:at] for at, one in enumerate(values))
    if repeated:
        raise PydanticCustomError("uniq", "must not hold a value twice")
    return values


def one_alternative(value: Any, accept: Callable[[Any], Any]) -> Any:
    """``value`` as the first alternative that accepts it has it."""
    try:
        return accept(value)
    except pydantic.ValidationError as error:
        raise PydanticCustomError("type", "matches none of the alternatives") from error


def given_file(value: Any) -> Any:
    """What a file is set to: its content, or what is told of a file of the item."""
    if isinstance(value, Content):
        return value
    if isinstance(value, str):
        try:
            return Incoming(bytes_of(value))
        except ValueError as error:
            wrong = "what follows base64: must be base64"
            raise PydanticCustomError("format", wrong) from error
    if not isinstance(value, dict):
        raise PydanticCustomError("type", "must be the content, or tell of a file")
    for key, told in value.items():
        if key not in FILE_FIELDS:
            raise PydanticCustomError("unknown_field", "has no such field")
        wanted = int if key == "size" else str
        if told is not None and type(told) is not wanted:
            wrong = "must tell of a file as it was answered"
            raise PydanticCustomError("type", wrong)
    return value
