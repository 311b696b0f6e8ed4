"""stricto schema → :class:`ItemPlan`: all reading of stricto's private attributes."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import stricto
from stricto.extended.date_time import trunk_microseconds

from backo.schema.plan import Computed, FieldPlan, ItemPlan, Kind, Right

__all__ = ["compile_item"]

_KINDS: tuple[tuple[type, Kind], ...] = (
    (stricto.Bytes, Kind.BYTES),
    (stricto.Datetime, Kind.DATETIME),
    (stricto.FreeDict, Kind.FREEDICT),
    (stricto.Ipaddress, Kind.IPADDRESS),
    (stricto.Ipnetwork, Kind.IPNETWORK),
    (stricto.Url, Kind.URL),
    (stricto.Extend, Kind.EXTEND),
    (stricto.Dict, Kind.DICT),
    (stricto.List, Kind.LIST),
    (stricto.Tuple, Kind.TUPLE),
    (stricto.In, Kind.IN),
    (stricto.String, Kind.STRING),
    (stricto.Int, Kind.INT),
    (stricto.Float, Kind.FLOAT),
    (stricto.Bool, Kind.BOOL),
)
"""First match wins: the extended types come before the Extend they are made of."""

_DECIDING = (
    "check_type",
    "check_constraints",
    "check_value",
    "set_value",
    "get_value",
    "get_encoded",
    "__json_encode__",
    "__json_decode__",
)
"""Methods by which a user's subclass changes what is valid or how it is written."""


def compile_item(name: str, model: Any) -> ItemPlan:
    """The plan of the collection ``name`` whose items are declared by ``model``.

    :raises SSyntaxError: a node is of no type backo knows; the message names it.
    """
    if callable(_right(model, "read")):
        raise stricto.SSyntaxError(
            "{0}: can_read of a whole item is that of its collection", name
        )
    root = _compile(model, name="$", path="$", above=_Above())
    # An Item has its id from the moment it is stored; nobody gives it one before.
    fields = tuple(
        dataclasses.replace(field, required=True) if field.name == "_id" else field
        for field in root.fields
    )
    return ItemPlan(name=name, root=dataclasses.replace(root, fields=fields))


class _Above:
    """What a field inherits: whether its parents are read-only, unreadable, guarded,
    transformed."""

    def __init__(
        self,
        *,
        read_only: bool = False,
        unreadable: bool = False,
        guarded: bool = False,
        transformed: bool = False,
    ) -> None:
        self.read_only = read_only
        self.unreadable = unreadable
        self.guarded = guarded
        self.transformed = transformed


def _compile(node: Any, *, name: str, path: str, above: _Above) -> FieldPlan:
    kind = _kind(node, path)
    can_read = _right(node, "read")
    can_modify = _right(node, "modify")
    computed = _computed(node._auto_set)
    truncates = node._transform is trunk_microseconds
    transform = None if truncates else node._transform
    # Not getattr: a node answers for any name, with None.
    own = node.__dict__
    inherited = _Above(
        read_only=_closed(can_modify, above.read_only) or computed is not None,
        unreadable=_closed(can_read, above.unreadable),
        guarded=above.guarded if can_read is None else callable(can_read),
        transformed=above.transformed or transform is not None,
    )
    return FieldPlan(
        name=name,
        path=path,
        kind=kind,
        node=node,
        description=node._description,
        required=bool(node._not_none),
        minimum=own.get("_min"),
        maximum=own.get("_max"),
        patterns=tuple(p for p in own.get("_regexps", ()) if p),
        enum=_enum(node, kind),
        uniq=bool(own.get("_uniq")),
        default=_default(node, kind),
        views=tuple(node._views),
        exists=node._exists,
        computed=computed,
        transform=transform,
        truncates=truncates,
        transformed=inherited.transformed,
        constraints=tuple(node._constraints),
        on_change=node._on_change,
        can_read=can_read,
        can_modify=can_modify,
        events=_events(node),
        examples=tuple(own.get("_examples") or ()),
        reference=own.get("_reference"),
        file=own.get("_file"),
        custom=_custom(node),
        read_only=inherited.read_only,
        unreadable=inherited.unreadable,
        guarded=inherited.guarded,
        **_below(node, kind, path, inherited),
    )


def _kind(node: Any, path: str) -> Kind:
    for declared, kind in _KINDS:
        if isinstance(node, declared):
            return kind
    raise stricto.SSyntaxError(
        "{0}: {1} is no type of field", path, type(node).__name__
    )


def _below(node: Any, kind: Kind, path: str, above: _Above) -> dict[str, Any]:
    """The plans of what ``node`` holds, under the FieldPlan attribute for its kind."""
    if kind is Kind.DICT:
        own = node.__dict__
        fields = (
            _compile(node.__dict__[key], name=key, path=f"{path}.{key}", above=above)
            for key in node._keys
            if node.__dict__[key]._exists is not False
        )
        return {"fields": tuple(map(_of_file, fields) if "_file" in own else fields)}
    if kind is Kind.LIST:
        element = _compile(node._type, name="[*]", path=f"{path}[*]", above=above)
        _refuse_rights(element)
        return {"element": element}
    if kind in (Kind.TUPLE, Kind.IN):
        nodes = node._schema if kind is Kind.TUPLE else node._models
        elements = tuple(
            _compile(
                one,
                name=f"[{index}]",
                path=f"{path}[{index}]" if kind is Kind.TUPLE else path,
                above=above,
            )
            for index, one in enumerate(nodes)
        )
        for element in elements:
            _refuse_rights(element)
            _refuse_files(element)
        return {"elements": elements}
    return {}


def _of_file(field: FieldPlan) -> FieldPlan:
    """What is told of a file, which is there wherever something is told of it."""
    there = field.name in ("file_id", "content_type", "size")
    return dataclasses.replace(field, required=there)


def _refuse_files(element: FieldPlan) -> None:
    if any(one.file is not None for one in element.walk()):
        wrong = "{0}: a file stands in a Dict or in a List"
        raise stricto.SSyntaxError(wrong, element.path)


def _refuse_rights(element: FieldPlan) -> None:
    """An element is read and changed with all that it is in, or not at all."""
    if element.can_read is not None or element.can_modify is not None:
        raise stricto.SSyntaxError(
            "{0}: an element has no rights of its own; give them to what holds it, or "
            "to the fields of a Dict",
            element.path,
        )


def _right(node: Any, name: str) -> Right:
    right: Right = node._permissions._permissions.get(name)
    return right


def _closed(right: Right, inherited: bool) -> bool:
    """Whether a right is refused for good: its own word first, then its parent's."""
    return inherited if right is None else right is False


def _computed(auto_set: Any) -> Computed | None:
    if auto_set is None:
        return None
    if not isinstance(auto_set, tuple):
        return Computed(auto_set)
    function, paths = auto_set
    return Computed(function, (paths,) if isinstance(paths, str) else tuple(paths))


def _enum(node: Any, kind: Kind) -> tuple[Any, ...] | Callable[..., Any] | None:
    """The values allowed, in document form; a callable as it is."""
    union: Any = node._union
    if union is None or callable(union):
        return union  # type: ignore[no-any-return]
    if kind in (Kind.DICT, Kind.LIST, Kind.TUPLE, Kind.IN):
        return tuple(union)
    return tuple(_encoded(node, value) for value in union)


def _encoded(node: Any, value: Any) -> Any:
    probe = copy.copy(node)
    probe._value = value
    return probe.get_encoded()


def _default(node: Any, kind: Kind) -> Any:
    """The value a new item starts with, in document form, or the callable for it.

    stricto puts a static default into the declared node's value; a Dict's default is
    spread over its fields, so only those carry it.
    """
    if callable(node._default):
        return node._default
    if kind is Kind.DICT or node._value is None:
        return None
    return copy.copy(node).get_encoded()


def _events(node: Any) -> tuple[tuple[str, Callable[..., Any]], ...]:
    handlers = node.__dict__.get("_handlers")
    if handlers is None:
        table = stricto.EVENT_MANAGER._events_per_object
        handlers = table.get(node._event_id, {})
    return tuple((name, f) for name, found in handlers.items() for f in found)


def _custom(node: Any) -> bool:
    """Whether a class that is neither stricto's nor backo's redefines what decides."""
    for cls in type(node).__mro__:
        if cls.__module__.partition(".")[0] in ("stricto", "backo"):
            return False
        if any(name in cls.__dict__ for name in _DECIDING):
            return True
    return False
