"""The rows of selections: lists with one value for each selector."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from backo.schema.jsonschema import Use, any_of, notes_of, nullable, value_schema
from backo.schema.models import DocumentModel, annotation_of, document_model
from backo.schema.plan import FieldPlan

__all__ = ["Column", "Selected", "row_model"]

type Schema = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Selected:
    """What a selector gives: a value of ``field``, or a list of ``each``."""

    field: FieldPlan
    each: "Selected | None" = None
    nullable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One place of every row, and the selector that fills it."""

    selector: str
    gives: Selected


def row_model(name: str, columns: Sequence[Column]) -> type[DocumentModel]:
    """The model of a row: as long as there are ``columns``, in their order."""
    kinds = tuple(
        _annotation(f"{name}_{at}", one.gives) for at, one in enumerate(columns)
    )
    from_json = Field(strict=False)
    row = Annotated[tuple[kinds], from_json, AfterValidator(list)]  # type: ignore[valid-type]
    return document_model(name, row, _row(columns))


def _annotation(name: str, gives: Selected) -> Any:
    if gives.each is None:
        found = annotation_of(name, gives.field, Use.READ)
    else:
        found = list[_annotation(name, gives.each)]  # type: ignore[misc]
    return found | None if gives.nullable else found


def _row(columns: Sequence[Column]) -> Schema:
    """``maxItems`` leaves nothing to ``items``: it is there for programs that know no
    ``prefixItems``."""
    values = [_schema(one.gives) for one in columns]
    return {
        "type": "array",
        "description": "A row: " + ", ".join(one.selector for one in columns),
        "prefixItems": [
            {**value, "title": one.selector}
            for one, value in zip(columns, values, strict=True)
        ],
        "items": any_of(values),
        "minItems": len(columns),
        "maxItems": len(columns),
    }


def _schema(gives: Selected) -> Schema:
    if gives.each is None:
        schema = value_schema(gives.field, Use.READ) | notes_of(gives.field)
    else:
        schema = {"type": "array", "items": _schema(gives.each)}
    return nullable(schema) if gives.nullable else schema
