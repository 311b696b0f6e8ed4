"""JSON without what Python's reader lets pass."""

import json
from typing import Any, NoReturn

__all__ = ["strict_loads"]


def strict_loads(text: str | bytes) -> Any:
    """What the JSON ``text`` says.

    :raises ValueError: it is no JSON: ``NaN`` is none; or it has the same name twice in
        an object, or is nested too deeply.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_members, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name given twice is refused, for one of the two would be lost."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same name twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
