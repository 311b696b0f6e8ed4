"""The part of a declared default that may be told."""

from collections.abc import Callable
from typing import Any

from backo.schema.plan import FieldPlan, Kind

__all__ = ["shown_default"]

type Hidden = Callable[[FieldPlan], bool]


def shown_default(field: FieldPlan, hidden: Hidden) -> Any:
    """The field's default without what is ``hidden`` in it; None when that is all of
    it. A callable is given as it is."""
    return _shown(field, field.default, hidden)


def _shown(field: FieldPlan, value: Any, hidden: Hidden) -> Any:
    if value is None or hidden(field):
        return None
    if field.kind in (Kind.TUPLE, Kind.IN):
        # A Tuple is nothing without one of its values; of an In's value it is not known
        # which alternative took it.
        return None if any(map(hidden, field.walk())) else value
    if isinstance(value, dict) and field.kind is Kind.DICT:
        return _shown_fields(field, value, hidden)
    if isinstance(value, list) and field.element is not None:
        parts = [_shown(field.element, one, hidden) for one in value]
        return None if None in parts else parts
    return value


def _shown_fields(
    field: FieldPlan, value: dict[str, Any], hidden: Hidden
) -> dict[str, Any]:
    return {
        one.name: _shown(one, value[one.name], hidden)
        for one in field.fields
        if one.name in value and not hidden(one)
    }
