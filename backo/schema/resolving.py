"""A plan as one user meets it: rights that are functions of the user alone become what
they say, so that all that is made from the plan needs to ask nothing."""

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

from backo.schema.plan import FieldPlan, ItemPlan, Right
from backo.schema.rights import of_user

__all__ = ["Answers", "Question", "questions", "resolved"]

type Question = tuple[Any, str]
"""A function, and the right that it is asked for."""
type Answers = Mapping[Question, bool | None]


class _Changing(Enum):
    """Whether a field may be changed."""

    MAY = "may"
    NEVER = "never"
    """By nobody: it is read-only."""
    FORBIDDEN = "forbidden"
    """By others."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Above:
    """What a field inherits."""

    unreadable: bool = False
    guarded: bool = False
    changing: _Changing = _Changing.MAY


def questions(plan: ItemPlan) -> tuple[Question, ...]:
    """The functions of the user alone among the rights of its fields, each once."""
    found = (
        (function, right)
        for field in plan.root.walk()
        for function, right in ((field.can_read, "read"), (field.can_modify, "modify"))
        if of_user(function)
    )
    return tuple(dict.fromkeys(found))


def resolved(plan: ItemPlan, answers: Answers, *, closed: bool = False) -> ItemPlan:
    """The plan with ``answers`` in the place of the functions.

    :param closed: what the user may not modify is read-only, as if nobody might: so it
        is in what the user is told.
    """
    root = _resolved(plan.root, answers, _Above(), closed)
    return dataclasses.replace(plan, root=root)


def _resolved(
    field: FieldPlan, answers: Answers, above: _Above, closed: bool
) -> FieldPlan:
    can_read = _said(field.can_read, "read", answers)
    can_modify = _said(field.can_modify, "modify", answers)
    unreadable = above.unreadable if can_read is None else can_read is False
    changing = _changing(field, can_modify, above.changing)
    # What may neither be read nor changed is no field to them at all.
    if changing is _Changing.FORBIDDEN and (closed or unreadable):
        changing = _Changing.NEVER
    guarded = above.guarded if can_read is None else callable(can_read)
    here = _Above(unreadable, guarded, changing)
    element = field.element
    return dataclasses.replace(
        field,
        can_read=can_read,
        can_modify=can_modify,
        unreadable=here.unreadable,
        guarded=here.guarded,
        read_only=changing is _Changing.NEVER,
        forbidden=changing is _Changing.FORBIDDEN,
        fields=tuple(_resolved(one, answers, here, closed) for one in field.fields),
        element=None if element is None else _resolved(element, answers, here, closed),
        elements=tuple(_resolved(one, answers, here, closed) for one in field.elements),
    )


def _said(declared: Right, right: str, answers: Answers) -> Right:
    return answers[declared, right] if of_user(declared) else declared


def _changing(field: FieldPlan, said: Right, above: _Changing) -> _Changing:
    if field.computed is not None or field.can_modify is False:
        return _Changing.NEVER
    if said is None:
        return above
    return _Changing.FORBIDDEN if said is False else _Changing.MAY
