"""List and Tuple: values in an order."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import stricto
from stricto import (
    GenericType,
    SAttributeError,
    SConstraintError,
    Selector,
    SSyntaxError,
    STypeError,
    ViewType,
)
from stricto.list_and_tuple import ListAndTuple

from backo.schema._collecting import Faults
from backo.schema._mending import Mended, adopt, copied
from backo.schema.selectors import index_of

__all__ = ["List", "Tuple"]


class _Sequence(Mended, ListAndTuple):  # type: ignore[misc]
    """What List and Tuple share; ``_value`` is a list of nodes, or None.

    stricto 0.3.1 takes None for an element; here STypeError.
    """

    def _node_types(self) -> Sequence[Any]:
        """The declared types of the elements."""
        raise NotImplementedError

    def _node_begin(self, **state: Any) -> None:
        super()._node_begin(_node_old_nodes=[], **state)

    def _node_existing(self) -> list[Any]:
        return [node for node in self._value or () if node.exists(None)]

    # Copies and views

    def __copy__(self) -> Self:
        result = self._node_copy()
        own = result.__dict__
        if own["_value"] is not None:
            result._node_hold([copied(node) for node in own["_value"]])
            own["_old_value"] = own["_node_old_nodes"] = list(own["_value"])
        return result

    def _node_hold(self, accepted: Any) -> None:
        for index, node in enumerate(accepted or ()):
            node.__dict__["_parent"] = self
            node.__dict__["_attribute_name"] = f"[{index}]"
        self.__dict__["_value"] = accepted

    def get_view(self, view_name: str | None, final: bool = True) -> Any:
        """The elements that belong to the view; None when the whole does not."""
        shown = self._node_in_view(self._belongs_to_view(view_name), view_name)
        if final:
            return shown
        return (ViewType.NO, None) if shown is None else (ViewType.YES, shown)

    def _node_in_view(self, wanted: ViewType, view_name: str | None) -> Any:
        if wanted is ViewType.NO:
            return None
        if wanted is ViewType.EXPLICIT_UNKNOWN:
            named = str(view_name).removeprefix("+").rstrip()
            if not any(_names_view(node, named) for node in self._node_types()):
                return None
        if wanted is ViewType.YES or self._value is None:
            return self.copy()
        result = self._node_copy()
        result._node_hold([*self._node_parts(view_name)])
        return result

    def _node_parts(self, view_name: str | None) -> Iterator[Any]:
        for node in self.get_childs():
            answer, part = node.get_view(view_name, False)
            if answer is ViewType.YES:
                yield part

    # Values

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        faults = Faults()
        nodes = []
        for index, one in enumerate(value):
            with faults():
                nodes.append(self._set_element_value(one, index))
        faults.raise_first()
        return nodes

    def _node_element(self, declared: Any, value: Any, index: int) -> Any:
        """A new element holding ``value``, with the rights of this sequence."""
        node = copied(declared)
        node.__dict__.update(
            _parent=self,
            _attribute_name=f"[{index}]",
            _node_building=True,
            _node_fresh=True,
        )
        node.set_value(value)
        if node.is_none():
            raise STypeError("{0}: An element cannot be None", node.path_name())
        del node.__dict__["_node_building"]
        if self._permissions.get_permissions_status():
            node.enable_permissions()
            previous = self._node_counterpart(node, index)
            if previous is not None and isinstance(node, Mended):
                node._node_remember(previous)
        return node

    def _node_counterpart(self, node: Any, index: int) -> Any:
        """What stood here before: the same value wherever it was, else this place."""
        before = self._value or []
        at_index = before[index] if index < len(before) else None
        return next((one for one in before if one == node), at_index)

    def _node_differs(self, accepted: Any) -> bool:
        before = self._value
        if accepted is None or before is None or len(accepted) != len(before):
            return accepted is not before
        return any(now != was for now, was in zip(accepted, before, strict=True))

    def _node_add_changes(self, root: Any, path: str) -> None:
        root._add_change(path)
        root._add_change(f"{path}[*]")

    def set_default_value(self) -> bool:
        changed = super().set_default_value()
        if self.__dict__.get("_node_declaring"):
            return changed
        for node in self._value or ():
            changed = bool(node.set_default_value()) or changed
        return changed

    def compute_value(self) -> bool:
        changed = super().compute_value()
        for node in self._value or ():
            changed = bool(node.compute_value()) or changed
            node.__dict__.pop("_node_fresh", None)
        return changed

    def start_record(self) -> None:
        self.__dict__["_node_old_nodes"] = list(self._value or ())
        super().start_record()

    def _node_remember(self, previous: Any) -> None:
        super()._node_remember(previous)
        before = self.__dict__["_old_value"] or []
        self.__dict__["_node_old_nodes"] = before
        for node, was in zip(self._value or (), before, strict=False):
            if isinstance(node, Mended):
                node._node_remember(was)

    def _node_was_set(self) -> bool:
        """Whether other elements are held than before; those that were changed where
        they stand answer for themselves."""
        now, was = self._value, self._old_value
        if now is None or was is None or len(now) != len(was):
            return now is not was
        nodes = self.__dict__["_node_old_nodes"]
        return any(
            new is not node and new != old
            for new, node, old in zip(now, nodes, was, strict=True)
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._value or ())

    def __json_decode__(self, value: str) -> Any:
        return json.loads(value)

    # Checks

    def check_value(self) -> None:
        """Check every element that exists, then rights, presence and constraints."""
        if self.exists_or_can_read() is False:
            raise SAttributeError("{0}: Locked", self.path_name())
        self._node_check()

    def _node_check(self) -> None:
        self._node_check_rights()
        self._node_check_presence()
        if self._value is None:
            return
        faults = Faults()
        for node in self.get_childs():
            with faults():
                node.check_value()
        faults.raise_first()
        self.check_constraints(self.get_value())


class List(_Sequence, stricto.List):  # type: ignore[misc]
    """Any number of values of one type.

    - stricto 0.3.1 makes an unset list of None an empty one; here it stays unset, and
      ``append``, ``insert`` and ``extend`` work on it.
    - stricto never enforces ``required=`` nor ``can_modify=`` on a list; here both are.
      New elements have the rights of their list.
    - stricto's copies leave the elements with the original as their root; here with
      the copy.
    - stricto drops an unset list from views, and shows an empty one in an explicit view
      that neither the list nor its elements name; here it is the other way round.
    - stricto leaves out checks when a slice is set, and after ``sort``; here not.
    - stricto's ``uniq=`` takes quadratic time; here linear.
    - ``$.list[*]`` selects as ``$.list`` does, and slices may leave out a bound
      (``[1:]``).
    """

    def __init__(self, class_type: Any, **kwargs: Any) -> None:
        if not isinstance(class_type, GenericType):
            raise SSyntaxError("a List needs the type of its elements")
        super().__init__(adopt(class_type), **kwargs)

    def _node_types(self) -> Sequence[Any]:
        return (self._type,)

    def _node_convert_below(self, raw: Any) -> None:
        self.__dict__["_type"] = adopt(raw._type)
        super()._node_convert_below(raw)

    def _set_element_value(self, value: Any, index: int = 0) -> Any:
        return self._node_element(self._type, value, index)

    def get_encoded(self) -> list[Any] | None:
        if self._value is None:
            return None
        return [node.get_encoded() for node in self.get_childs()]

    def check_constraints(self, value: Any) -> bool:
        if value is None:
            return True
        GenericType.check_constraints(self, value)
        if self._min is not None and len(value) < self._min:
            raise self._node_broken("Must have {n} elements at least", self._min)
        if self._max is not None and len(value) > self._max:
            raise self._node_broken("Must have {n} elements at most", self._max)
        if self._uniq is True and _has_duplicate(value):
            raise self._node_broken("duplicate value in list")
        return True

    def _node_broken(self, what: str, n: int | None = None) -> SConstraintError:
        return SConstraintError(f"{{0}}: {what}", self.path_name(), n=n)

    def get_selectors(self, index_or_slice: str | None, sel: Selector) -> Any:
        if index_or_slice in (None, "*"):
            return super().get_selectors(None, sel)
        chosen = index_of(index_or_slice or "")
        held = self._value or []
        if isinstance(chosen, int):
            inside = -len(held) <= chosen < len(held)
            return held[chosen].get_selectors(None, sel) if inside else None
        if chosen is None or self._value is None:
            return None
        visible = [one for one in held[chosen] if one.exists_or_can_read()]
        found = [one.get_selectors(None, sel.copy()) for one in visible]
        return [one for one in found if one is not None]

    @contextmanager
    def _node_updating(self) -> Iterator[list[Any]]:
        """Around a change to the elements; all of it is undone when a check fails."""
        self._init_update()
        try:
            if self._value is None:
                self.__dict__["_value"] = []
            yield self.__dict__["_value"]
            self.reset_attribute_name()
            self.__dict__.update(_node_given=True, _node_touched=True)
            self._node_note_change()
        except Exception:
            self.get_root().rollback()
            raise
        self._end_update()

    def append(self, value: Any) -> None:
        with self._node_updating() as nodes:
            nodes.append(self._set_element_value(value, len(nodes)))

    def extend(self, second_list: Any) -> None:
        with self._node_updating() as nodes:
            for value in list(second_list):
                nodes.append(self._set_element_value(value, len(nodes)))

    def insert(self, key: int, value: Any) -> None:
        with self._node_updating() as nodes:
            nodes.insert(key, self._set_element_value(value, key))

    def pop(self, key: int = -1) -> Any:
        with self._node_updating() as nodes:
            return nodes.pop(key)

    def remove(self, value: Any) -> None:
        with self._node_updating() as nodes:
            nodes.remove(value)

    def sort(self, **kwargs: Any) -> None:
        with self._node_updating() as nodes:
            nodes.sort(**kwargs)

    def clear(self) -> None:
        if self._value:
            with self._node_updating() as nodes:
                nodes.clear()

    def __delitem__(self, key: int | slice) -> None:
        with self._node_updating() as nodes:
            del nodes[key]

    def __setitem__(self, key: int | slice, value: Any) -> None:
        if isinstance(key, slice):
            self._node_set_slice(key, value)
            return
        self._init_update()
        try:
            node = (self._value or [])[key]
            if node.set_value(value):
                self.get_root()._add_change(node.path_name())
        except Exception:
            self.get_root().rollback()
            raise
        self._end_update()

    def _node_set_slice(self, key: slice, value: Any) -> None:
        if not isinstance(value, (list, stricto.List)):
            raise STypeError("{0}: a slice can only be set to a list", self.path_name())
        with self._node_updating() as nodes:
            places = range(*key.indices(len(nodes)))
            start = places[0] if places else len(nodes)
            nodes[key] = [
                self._set_element_value(one, start + index)
                for index, one in enumerate(value)
            ]


class Tuple(_Sequence, stricto.Tuple):  # type: ignore[misc]
    """A fixed number of values, each of its own type.

    - stricto 0.3.1 takes fewer values than declared; here STypeError.
    - stricto fails on ``default=``, on selectors of an unset tuple and does not copy
      the values with the tuple; here all of that works, as List's mends do.
    - stricto's ``get_encoded()`` is a tuple; here a list, as JSON has it.
    """

    def __init__(self, schema: tuple[Any, ...], **kwargs: Any) -> None:
        if not isinstance(schema, tuple):
            raise SSyntaxError("a Tuple's schema must be a tuple of types")
        self.__dict__["_examples"] = tuple(kwargs.pop("examples", ()))
        with self._node_declaration():
            self._node_declare(schema)
            ListAndTuple.__init__(self, **kwargs)
            self._json_path_separator = ""
            self._locked = True

    def _node_declare(self, schema: Sequence[Any]) -> None:
        for node in schema:
            if not isinstance(node, GenericType):
                raise SSyntaxError("a Tuple: {0} is no field type", type(node).__name__)
        self.__dict__["_schema"] = [adopt(node) for node in schema]
        self._node_own_types()

    def _node_own_types(self) -> None:
        for index, node in enumerate(self._schema):
            node.__dict__["_parent"] = self
            node.__dict__["_attribute_name"] = f"[{index}]"

    def _node_types(self) -> Sequence[Any]:
        types: list[Any] = self._schema
        return types

    def _node_convert_below(self, raw: Any) -> None:
        self._node_declare(raw._schema)
        super()._node_convert_below(raw)

    def _node_copy(self) -> Self:
        result = super()._node_copy()
        result.__dict__["_schema"] = [copied(node) for node in self._schema]
        result._node_own_types()
        return result

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        if len(value) != len(self._schema):
            raise STypeError(
                "{0}: Must have {n} values", self.path_name(), n=len(self._schema)
            )
        return super()._node_typed(value)

    def _set_element_value(self, value: Any, index: int = 0) -> Any:
        return self._node_element(self._schema[index], value, index)

    def get_encoded(self) -> list[Any] | None:
        if self._value is None:
            return None
        return [node.get_encoded() for node in self._value]

    def get_current_meta(self, parent: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._value is not None:
            return super().get_current_meta(parent)
        probe = self._node_copy()
        probe.__dict__["_value"] = []
        return probe.get_current_meta(parent)

    def get_selectors(self, index_or_slice: str | None, sel: Selector) -> Any:
        index = None if index_or_slice == "*" else index_or_slice
        if self._value is None and not (index is None and sel.empty()):
            return None
        return super().get_selectors(index, sel)


def _names_view(node: Any, view: str) -> bool:
    """Whether the declared type, or one below it, is named to be in the view."""
    if view in node._views:
        return True
    below: Sequence[Any] = ()
    if isinstance(node, stricto.Dict):
        below = [node.__dict__[key] for key in node._keys]
    elif isinstance(node, stricto.List):
        below = (node._type,)
    elif isinstance(node, stricto.Tuple):
        below = node._schema
    return any(_names_view(one, view) for one in below)


def _has_duplicate(values: list[Any]) -> bool:
    try:
        return len({_frozen(value) for value in values}) < len(values)
    except TypeError:
        return any(value in values[:index] for index, value in enumerate(values))


def _frozen(value: Any) -> Any:
    """A hashable value, equal for values that are equal."""
    if isinstance(value, dict):
        return dict, frozenset((key, _frozen(below)) for key, below in value.items())
    if isinstance(value, list):
        return list, tuple(_frozen(below) for below in value)
    if isinstance(value, tuple):
        return tuple, tuple(_frozen(below) for below in value)
    return value
