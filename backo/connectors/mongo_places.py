"""What the plan of a collection knows of the paths of filters."""

import dataclasses
import re

from backo.connectors.mongo_documents import EXACT
from backo.schema.plan import FieldPlan, Kind

__all__ = ["Place", "is_text", "nameable", "placed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What the plan knows of a path: what it leads to, a List giving its element."""

    field: FieldPlan | None
    many: bool

    @property
    def kind(self) -> Kind:
        return Kind.EXTEND if self.field is None else self.field.kind


def nameable(path: tuple[str, ...]) -> bool:
    """Whether MongoDB takes the path's names for names of members only."""
    return bool(path) and all(map(_is_name, path)) and path[0] != EXACT


def _is_name(name: str) -> bool:
    odd = name.startswith("$") or "." in name or "\0" in name
    return bool(name) and not odd and not name.isdecimal() and is_text(name)


def is_text(value: str) -> bool:
    return not re.search("[\ud800-\udfff]", value)


def placed(base: FieldPlan | None, path: tuple[str, ...]) -> Place | None:
    """What is at the path; None where the elements of a Tuple are on the way."""
    here, many = base, False
    for name in path:
        here, through = _unlisted(here)
        if here is not None and here.kind is Kind.TUPLE:
            return None
        below = here.field(name) if here and here.kind is Kind.DICT else None
        # Of what the schema does not know, any may be a list.
        here, many = below, many or through or below is None
    here, through = _unlisted(here)
    return Place(here, many or through)


def _unlisted(field: FieldPlan | None) -> tuple[FieldPlan | None, bool]:
    if field is None or field.kind is not Kind.LIST:
        return field, False
    inner, _ = _unlisted(field.element)
    return inner, True
