"""The compiled form of an Item's schema: frozen values that every other part reads.

The compiler (:mod:`backo.schema.compiler`) makes one :class:`ItemPlan` for each
collection; models, filters, endpoints and the OpenAPI document are made from it and
from nothing else.
"""

import dataclasses
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property
from typing import Any

from backo.schema.file import FilePlan
from backo.schema.reference import Reference

__all__ = [
    "Computed",
    "FieldPlan",
    "ItemPlan",
    "Kind",
    "Located",
    "Right",
    "is_readable",
    "restricted",
]

type Right = bool | Callable[[str, Any], bool] | None
"""A right as declared: a bool, ``f(right_name, item)``, or None (inherited)."""


class Kind(StrEnum):
    """What sort of value a field holds, whatever class the user gave it."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    BYTES = "bytes"
    DATETIME = "datetime"
    IPADDRESS = "ipaddress"
    IPNETWORK = "ipnetwork"
    URL = "url"
    FREEDICT = "freedict"
    EXTEND = "extend"
    DICT = "dict"
    LIST = "list"
    TUPLE = "tuple"
    IN = "in"


@dataclasses.dataclass(frozen=True, slots=True)
class Computed:
    """A ``set=`` function and the paths it listens to (None: every change)."""

    function: Callable[[Any], Any]
    listens: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """One field as declared. ``path`` is RFC 9535: ``$.address.zip``, ``$.tags[*]``."""

    name: str
    path: str
    kind: Kind
    node: Any = dataclasses.field(compare=False, repr=False)
    """The declared stricto node: never handed to a request, only copied."""
    description: str | None = None
    required: bool = False
    minimum: Any = None
    maximum: Any = None
    patterns: tuple[str | Callable[..., str], ...] = ()
    enum: tuple[Any, ...] | Callable[..., list[Any]] | None = None
    uniq: bool = False
    default: Any = None
    """A value in document form, or a callable ``f(root)``, or None."""
    views: tuple[str, ...] = ()
    exists: bool | Callable[..., bool] = True
    computed: Computed | None = None
    transform: Callable[..., Any] | None = None
    constraints: tuple[Callable[..., Any], ...] = ()
    on_change: Callable[..., Any] | None = None
    can_read: Right = None
    can_modify: Right = None
    events: tuple[tuple[str, Callable[..., Any]], ...] = ()
    examples: tuple[Any, ...] = ()
    fields: tuple["FieldPlan", ...] = ()
    """A Dict's fields, in the order of declaration."""
    element: "FieldPlan | None" = None
    """A List's element."""
    elements: tuple["FieldPlan", ...] = ()
    """A Tuple's elements, or an In's alternatives."""
    reference: Reference | None = None
    """Which items a String, or a List of Strings, holds the ids of."""
    file: FilePlan | None = None
    """Where the content is kept of which a Dict tells."""
    custom: bool = False
    """Whether a user's own class decides what is valid or how it is encoded."""
    truncates: bool = False
    """Whether a Datetime drops its microseconds."""
    transformed: bool = False
    """Whether a function changes what is given, its own or that of what it is in."""
    read_only: bool = False
    """Never set by a caller: ``_id``, ``_meta``, ``set=``, ``can_modify=False``."""
    forbidden: bool = False
    """Not to be changed by the one whose plan it is; see ``backo.schema.resolving``."""
    unreadable: bool = False
    """Never shown to anyone: ``can_read=False``, its own or inherited."""
    guarded: bool = False
    """Shown to whom a function allows it: ``can_read=f``, its own or inherited."""

    @property
    def dotted(self) -> str:
        """The path as filters write it: ``address.zip``; list steps are implied."""
        return self.path.removeprefix("$").removeprefix(".").replace("[*]", "")

    @property
    def held(self) -> "FieldPlan":
        """The element of a List.

        :raises TypeError: it is no List.
        """
        if self.element is None:
            raise TypeError(f"{self.path} is no List")
        return self.element

    @property
    def nullable(self) -> bool:
        """Whether null is a value of it: a Dict is never null, nor what is required."""
        return not self.required and not self.grouping

    @property
    def grouping(self) -> bool:
        """Whether it only holds other fields: it is a Dict, and no file."""
        return self.kind is Kind.DICT and self.file is None

    @property
    def unbounded(self) -> "FieldPlan":
        """The field without what restricts its values beyond their type."""
        return dataclasses.replace(
            self, minimum=None, maximum=None, patterns=(), enum=None, uniq=False
        )

    @property
    def conditional(self) -> bool:
        """Whether some items, or some callers, do not see it."""
        return callable(self.exists) or callable(self.can_read)

    @property
    def stored(self) -> bool:
        """Whether stores keep it: computed values are not, unless they say so."""
        return "!save" not in self.views

    @property
    def read_hooks(self) -> bool:
        """Whether showing this field needs an Item (itself only, not its children)."""
        return (
            self.conditional
            or (self.computed is not None and not self.stored)
            or any(name == "loaded" for name, _ in self.events)
        )

    @property
    def write_hooks(self) -> bool:
        """Whether writing this field needs an Item (itself only, not its children)."""
        callables = (self.can_modify, self.default, self.enum, *self.patterns)
        hooks = (self.computed, self.transform, self.on_change)
        containers = (Kind.DICT, Kind.LIST, Kind.TUPLE)
        return (
            self.read_hooks
            or bool(self.constraints or self.events)
            or any(hook is not None for hook in hooks)
            or any(callable(value) for value in callables)
            or (self.custom and self.kind in containers)
        )

    @property
    def children(self) -> tuple["FieldPlan", ...]:
        """All plans directly below this one, of whatever kind."""
        below = (self.element,) if self.element is not None else ()
        return self.fields + below + self.elements

    def walk(self) -> Iterator["FieldPlan"]:
        """This plan and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def field(self, name: str) -> "FieldPlan | None":
        """The Dict field of that name, or None."""
        return next((child for child in self.fields if child.name == name), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """A field found by its dotted path, with every plan on the way to it."""

    field: FieldPlan
    trail: tuple[FieldPlan, ...]
    """From the root's child down to ``field``; list elements that were stepped
    through are in it."""

    @property
    def many(self) -> bool:
        """Whether a List lies on the way, so that one document gives several values."""
        return any(step.kind is Kind.LIST for step in self.trail[:-1])


@dataclasses.dataclass(frozen=True)
class ItemPlan:
    """Everything about one collection's items that does not change with a request."""

    name: str
    """The collection's name."""
    root: FieldPlan

    @property
    def fields(self) -> tuple[FieldPlan, ...]:
        """The top-level fields, ``_id`` and ``_meta`` included."""
        return self.root.fields

    def locate(self, dotted: str) -> Located | None:
        """The field at ``a.b`` or ``$.a.b``, through lists; None when absent."""
        trail: list[FieldPlan] = []
        here = self.root
        for name in dotted.removeprefix("$").removeprefix(".").split("."):
            while here.kind is Kind.LIST and here.element is not None:
                here = here.element
                trail.append(here)
            found = here.field(name)
            if found is None:
                return None
            here = found
            trail.append(here)
        return Located(here, tuple(trail))

    @cached_property
    def every_field(self) -> tuple[FieldPlan, ...]:
        """All fields at any depth, parents first, without the root."""
        return tuple(self.root.walk())[1:]

    @cached_property
    def read_static(self) -> bool:
        """Whether stored documents become answers without building an Item."""
        return not any(field.read_hooks for field in self.root.walk())

    @cached_property
    def write_static(self) -> bool:
        """Whether valid input becomes a stored document without building an Item."""
        return not any(field.write_hooks for field in self.root.walk())

    @cached_property
    def file_root(self) -> FieldPlan | None:
        """The root with just what files are in; None: there are none."""
        if not any(field.file for field in self.every_field):
            return None
        return _only(self.root, _has_files)

    @cached_property
    def hides(self) -> bool:
        """Whether documents hold what is not to be shown."""
        return any(field.unreadable for field in self.every_field)

    @cached_property
    def forbids(self) -> bool:
        """Whether there are fields that the user whose plan it is may not change."""
        return any(field.forbidden for field in self.every_field)

    @cached_property
    def view_names(self) -> tuple[str, ...]:
        """The views a caller may ask for: ``client`` and those that fields name.

        ``save`` is the store's own. ``+name`` is there when some field names ``name``.
        """
        named = {view for field in self.every_field for view in field.views}
        plain = {view.removeprefix("!") for view in named} - {"save", "client"}
        explicit = {f"+{view}" for view in named if not view.startswith("!")}
        return ("client", *sorted(plain), *sorted(explicit - {"+save"}))

    @cached_property
    def _shown(self) -> frozenset[str]:
        views = (self.view(name) for name in self.view_names)
        return frozenset(field.path for view in views for field in view.walk())

    def shows(self, field: FieldPlan) -> bool:
        """Whether some answer may show ``field``: only then may filters, sorts and
        patches of a caller look at it."""
        return not field.unreadable and field.path in self._shown

    @cached_property
    def shown_root(self) -> FieldPlan:
        """The root with just what some answer may show."""
        return _only(self.root, self.shows)

    def view(self, name: str) -> FieldPlan:
        """The root restricted to what the view ``name`` (or ``+name``) shows.

        :raises KeyError: the view shows nothing.
        """
        shown = restricted(self.root, name)
        if shown is None:
            raise KeyError(name)
        # Whatever is shown of an item, its id is.
        if shown.field("_id") is None and self.root.field("_id") is not None:
            _id = next(one for one in self.root.fields if one.name == "_id")
            return dataclasses.replace(shown, fields=(_id, *shown.fields))
        return shown


def is_readable(field: FieldPlan) -> bool:
    """Whether somebody may read the field."""
    return not field.unreadable


def _has_files(field: FieldPlan) -> bool:
    return any(one.file is not None for one in field.walk())


def _only(field: FieldPlan, keep: Callable[[FieldPlan], bool]) -> FieldPlan:
    kept = tuple(_only(child, keep) for child in field.fields if keep(child))
    element = None if field.element is None else _only(field.element, keep)
    return dataclasses.replace(field, fields=kept, element=element)


def restricted(field: FieldPlan, view: str) -> FieldPlan | None:
    """``field`` with what ``view`` leaves out removed; None when nothing is left.

    ``view`` leaves out what says ``!view``; ``+view`` takes only what says ``view``.
    What says ``!client`` is in no other view either, unless it names that one: it is
    not to be had by asking for just any other view.
    """
    explicit = view.startswith("+")
    name = view.removeprefix("+")
    if f"!{name}" in field.views:
        return None
    apart = "!client" in field.views and name not in ("client", "save")
    if apart and name not in field.views:
        return None
    if explicit and name in field.views:
        return field
    if field.kind is Kind.DICT:
        kept = [shown for child in field.fields if (shown := restricted(child, view))]
        return dataclasses.replace(field, fields=tuple(kept)) if kept else None
    if field.element is not None:
        element = restricted(field.element, view)
        return dataclasses.replace(field, element=element) if element else None
    return None if explicit else field
