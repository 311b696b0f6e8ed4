"""The files of a whole Item, field by field."""

from collections.abc import Iterator
from typing import Any

from backo.files.contents import incoming_of
from backo.files.fields import File
from backo.files.staging import Staged
from backo.files.structures import again, files_of
from backo.schema.incoming import Content
from backo.schema.plan import FieldPlan
from backo.schema.types import GenericType

__all__ = ["read_once", "separate", "staged_of"]

type Values = dict[str, Any]


def read_once(values: Values, files: FieldPlan | None) -> Values:
    """``values``, for a new item, with each content that can be read only once such
    that it can be read again."""
    if files is None:
        return values
    return {key: _again(value, files.field(key)) for key, value in values.items()}


def _again(value: Any, field: FieldPlan | None) -> Any:
    if field is None or isinstance(value, GenericType):
        return value
    if field.file is not None:
        plain = value is None or isinstance(value, (str, bytes, dict, Content))
        return value if plain else incoming_of(value)
    if isinstance(value, dict):
        return read_once(value, field)
    if field.element is not None and isinstance(value, list):
        return [_again(one, field.element) for one in value]
    return value


def staged_of(item: Any, files: FieldPlan | None) -> list[Staged]:
    """What is staged for the item's fields outside its document, to be held in their
    place."""
    nodes = () if files is None else _nodes(item, files)
    return [
        held
        for node in nodes
        for held in node.__dict__["_held"].values()
        if isinstance(held, Staged) and not held.plan.inline
    ]


def separate(item: Any, files: FieldPlan) -> None:
    """Have a copy of each content that the item holds twice, or that is another's.

    :raises FileError: a content is no longer there.
    """
    nodes = {one.path_name(): one for one in _nodes(item, files) if one.has_file()}
    found = [(one._node_key(), path) for path, one in nodes.items()]
    own = files_of(item.document, files)
    others = {path for path, one in nodes.items() if not one._node_may_keep(own)}
    for path in sorted(others | again(found, item.document, files)):
        nodes[path].separate()


def _nodes(node: Any, field: FieldPlan) -> Iterator[File]:
    if isinstance(node, File):
        yield node
    elif field.element is not None:
        for one in node.__dict__["_value"] or ():
            yield from _nodes(one, field.element)
    else:
        for child in field.fields:
            yield from _nodes(node.__dict__[child.name], child)
