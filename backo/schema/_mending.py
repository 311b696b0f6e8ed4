"""What every field type of backo does otherwise than stricto 0.3.1's, as one mixin.

The methods and attributes named ``_node_…`` are backo's own. The name is long so that
neither a user's subclass nor a field of a Dict takes one of them by accident.
"""

import copy
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, Self

from stricto import (
    GenericType,
    SAttributeError,
    SConstraintError,
    SRightError,
    STypeError,
)
from stricto.change import ChangeHandler

from backo.schema._changes import concerns
from backo.schema._events import Handler, Handlers, notify, registered, take_registered
from backo.schema._operators import Operators, Truth
from backo.schema._whole import Kept, is_whole, whole
from backo.schema.rights import of_user, verdict

__all__ = ["REPLACED", "Mended", "adopt", "class_names", "copied"]

_DECLARING = threading.RLock()
"""Held while a node is constructed: stricto's Kparse keeps its result in its class."""

_IDS = itertools.count(-1, -1)
"""Ids of our nodes; stricto counts upwards, so that no node has the id of another."""

_ATOMS = frozenset({type(None), bool, int, float, str, bytes, datetime})
"""Types of values that copies may share."""

_ENUM = ("enum", "in", "union")
"""The names of the option."""

_OF_UNSET = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""What a function may raise that meets an unset value."""

REPLACED: dict[type, type["Mended"]] = {}
"""stricto's classes and those that replace them; filled by ``backo.schema.types``."""


def class_names(cls: type) -> list[str]:
    """The names stricto gives for the class in ``types``, without those of mixins."""
    mixins = (object, Mended, Operators, Truth)
    names = (base.__name__ for base in cls.__mro__ if base not in mixins)
    return list(dict.fromkeys(name for name in names if not name.startswith("_")))


def copied(node: Any) -> Any:
    """A copy of any node; the global event table does not grow with it."""
    result = copy.copy(node)
    if not isinstance(result, Mended):
        take_registered(result._event_id)
        result.__dict__["_event_id"] = node._event_id
    return result


def adopt(node: Any) -> Any:
    """A node of a schema as a node of our own: a copy, or our type for stricto's.

    A user's subclass of a type of stricto stays what it is.
    """
    ours = REPLACED.get(type(node))
    if ours is None:
        return copied(node)
    result = ours.__new__(ours)
    result._node_convert(node)
    return result


class Mended(Operators, GenericType):  # type: ignore[misc]
    """What all of backo's types share.

    - stricto 0.3.1 runs constraints, bounds, patterns and ``enum=`` on None; here an
      unset field is only asked whether it is ``required``.
    - stricto calls a callable ``default=`` once, at declaration, and all items share
      the result; here it is called once per item, after the given values are set, for
      a field that was not given. An item whose root has ``__dict__["_loading"]`` true
      (it comes from a store) gets none. No default comes back for a field set to None.
    - stricto tells no handler of a field that the current user may not read; here all
      are told, of fields that exist.
    - stricto keeps event handlers in a global table which every copy adds to; here
      they are in the node's ``_handlers``.
    - stricto checks types after the value is set, and says SError for text that cannot
      be decoded; here ``set_value`` raises STypeError and sets nothing.
    - stricto recomputes ``set=(f, [paths])`` only for a change made at exactly such a
      path; here for any change at or below one, by whichever way it was made. A new
      item, a new element of a List and an item read from a store have it computed
      first, whatever was given: also where defaults alone say what it is.
    - stricto checks everything each time that something was computed; here once, when
      nothing changes any more.
    - stricto says that its Kparse takes no function for ``enum=``; here it may be one.
    - stricto refuses the values it computed itself where ``can_modify`` is false; here
      that right is about values that somebody sets.
    - stricto checks no field that the current user may not read; here one that they
      may modify is checked, and setting one that they may not is the SAttributeError
      of an unknown field.
    - stricto's operators need a node on their left; here ``1 + node`` works too.
    - stricto's ``set`` checks nothing when nothing changed; here it checks the node.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # stricto knows no examples; they stand in the OpenAPI document.
        self.__dict__["_examples"] = tuple(kwargs.pop("examples", ()))
        named = [name for name in _ENUM if callable(kwargs.get(name))]
        union = [kwargs.pop(name) for name in named]
        with self._node_declaration():
            super().__init__(*args, **kwargs)
        if union:
            self.__dict__["_union"] = union[0]

    @contextmanager
    def _node_declaration(self) -> Iterator[None]:
        """Around stricto's constructors: one at a time, and no event left behind."""
        with _DECLARING:
            self._node_begin(_node_declaring=True)
            try:
                yield
            finally:
                self._node_handlers()
                del self.__dict__["_node_declaring"]
            self.__dict__["_event_id"] = next(_IDS)
            self.start_record()

    def _node_begin(self, **state: Any) -> None:
        self.__dict__.update(
            _node_given=False,
            _node_old_given=False,
            _node_touched=False,
            _node_automatic=False,
            _handlers={},
            **state,
        )

    def _node_convert(self, raw: Any) -> None:
        """Become what ``raw``, a node of stricto's own class, declares."""
        own = self.__dict__
        own.update(vars(raw))
        found = registered(raw._event_id)
        self._node_begin(_parent=None, _changes=None, _event_id=next(_IDS))
        own["_handlers"] = {name: list(one) for name, one in found.items()}
        own["_permissions"] = copy.copy(own["_permissions"])
        own["_views"] = list(own["_views"])
        self._node_convert_below(raw)
        self.start_record()

    def _node_convert_below(self, raw: Any) -> None:
        """Take over what ``raw`` holds, read as ours would have."""
        self.__dict__["_value"] = self.__dict__["_old_value"] = None
        value = None if callable(raw._default) else raw.get_value()
        if value is not None:
            with self._node_untransformed():
                self._node_hold(self._node_accept(value, transform=False))

    # Events

    def _node_handlers(self) -> Handlers:
        """The node's handlers, with those that stricto has registered meanwhile."""
        own = self.__dict__
        for name, found in take_registered(own.get("_event_id")).items():
            # Copies share this dict: it is replaced, never changed.
            there = own["_handlers"].get(name, [])
            own["_handlers"] = {**own["_handlers"], name: [*there, *found]}
        handlers: Handlers = own["_handlers"]
        return handlers

    def _listen(self, event_name: str, function: Handler) -> None:
        """Call ``function`` at that event, on this node and on copies made later."""
        there = self._node_handlers()
        added = [*there.get(event_name, []), function]
        self.__dict__["_handlers"] = {**there, event_name: added}

    def trigg(self, event_name: str, **kwargs: Any) -> None:
        """Call the handlers of that event on the root and on every node below it."""
        if not isinstance(event_name, str):
            raise STypeError("{0}: an event's name must be a str", self.path_name())
        root = self.get_root()
        notify(root, event_name, root, kwargs)

    # Rights

    def is_allowed_to(self, right_name: str) -> bool:
        """Whether the current user has that right on the field; a function of the user
        alone is asked once in a request.

        stricto leaves the rights of a node off for good when the function that decides
        raises; here they are on again.
        """
        permissions = self._permissions
        enabled = permissions.get_permissions_status()
        declared = permissions.get(right_name, None)
        if enabled and of_user(declared):
            said = verdict(declared, right_name, None)
            if isinstance(said, bool):
                return said
            return self._parent is None or self._parent.is_allowed_to(right_name)
        try:
            with whole() if callable(declared) else nullcontext():
                return super().is_allowed_to(right_name) is not False
        finally:
            if enabled:
                permissions.enable()

    def exists_or_can_read(self) -> bool:
        """Whether the field is there, for the current user."""
        if self.exists(None) is False:
            return False
        return is_whole() or self.is_allowed_to("read")

    def _get_args_or_execute_them(self, arg: Any, value: Any) -> Any:
        """stricto's way to an option that may be a function."""
        with whole() if callable(arg) else nullcontext():
            return super()._get_args_or_execute_them(arg, value)

    # Copies

    def __copy__(self) -> Self:
        result = self._node_copy()
        own = result.__dict__
        if type(own["_value"]) not in _ATOMS:
            unchanged = own["_old_value"] is own["_value"]
            own["_value"] = copy.deepcopy(own["_value"])
            if unchanged:
                own["_old_value"] = own["_value"]
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copy.copy(self)

    def _node_copy(self) -> Self:
        """A copy that still shares its value."""
        self._node_handlers()
        result = type(self).__new__(type(self))
        own = result.__dict__
        own.update(self.__dict__)
        own.pop("_loading", None)
        own.pop("_node_fresh", None)
        own.pop("_node_as_it_is", None)
        own["_permissions"] = copy.copy(own["_permissions"])
        own["_views"] = own["_views"].copy()
        own["_changes"] = None
        own["_updating_process"] = False
        own["_event_id"] = next(_IDS)
        return result

    # Values

    def _node_accept(self, value: Any, *, transform: bool = True) -> Any:
        """``value`` as the node would hold it.

        :raises STypeError: it is of another type, or text that cannot be decoded.
        """
        value = value.get_value() if isinstance(value, GenericType) else value
        if transform and callable(self._transform):
            with whole():
                value = self._transform(self.get_root(), value, self._old_value)
        if isinstance(value, str):
            value = self._node_decoded(value)
        return None if value is None else self._node_typed(value)

    def _node_decoded(self, text: str) -> Any:
        try:
            return self.__json_decode__(text)
        except (STypeError, SConstraintError):
            raise
        except Exception as error:
            raise STypeError(
                '{0}: Cannot be decoded (value="{value}")', self.path_name(), value=text
            ) from error

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        return value

    @contextmanager
    def _node_untransformed(self) -> Iterator[None]:
        """Around what is set, here and below, as it is: nobody gives it now."""
        before = self.__dict__.get("_node_as_it_is", False)
        self.__dict__["_node_as_it_is"] = True
        try:
            yield
        finally:
            self.__dict__["_node_as_it_is"] = before

    def _node_transforms(self) -> bool:
        """Whether what is set now is given, so that ``transform=`` is for it."""
        node: Any = self
        while node is not None:
            if node.__dict__.get("_node_as_it_is"):
                return False
            node = node._parent
        return True

    def _node_differs(self, accepted: Any) -> bool:
        value = self._value
        return bool(type(accepted) is not type(value) or accepted != value)

    def _node_hold(self, accepted: Any) -> None:
        self.__dict__["_value"] = accepted

    def set_value(self, value: Any) -> bool:
        """Hold ``value``, checked for its type only; tells whether that is a change.

        :raises STypeError: it is of another type; the node is as it was.
        """
        if isinstance(value, Kept):
            return self._node_keep(value.value)
        accepted = self._node_accept(value, transform=self._node_transforms())
        changed = self._node_differs(accepted)
        self._node_hold(accepted)
        self.__dict__.update(
            _node_given=True, _node_touched=True, _node_automatic=False
        )
        return changed

    def _node_keep(self, value: Any) -> bool:
        """Hold what was here before, in what has been replaced around it."""
        self.__dict__["_node_given"] = True
        return self._node_take(value)

    def _node_take(self, value: Any) -> bool:
        """Hold what a default or a computation gave; tells whether that is a change."""
        with self._node_untransformed():
            return self._node_taken(value)

    def _node_taken(self, value: Any) -> bool:
        accepted = self._node_accept(value, transform=False)
        if not self._node_differs(accepted):
            return False
        self._node_hold(accepted)
        self.__dict__["_node_automatic"] = True
        self._node_note_change()
        return True

    def _get_other_value_with_json_decode(self, other: Any) -> Any:
        if isinstance(other, GenericType):
            return other.get_value()
        if not isinstance(other, str):
            return other
        try:
            return self._node_decoded(other)
        except STypeError:
            return other

    # Defaults and computed values

    def set_default_value(self) -> bool:
        """Apply a default that is still due; tells whether that is a change."""
        default = self._node_due_default()
        return default is not None and self._node_take(default)

    def _node_due_default(self) -> Any:
        """The default's value when it is to be applied now, else None.

        A static one is due at declaration, a callable one once in an item's life.
        """
        own = self.__dict__
        default, declaring = self._default, own.get("_node_declaring", False)
        if default is None or own["_node_given"] or callable(default) is declaring:
            return None
        if declaring:
            return copy.deepcopy(default)
        own["_node_given"] = True
        root = self.get_root()
        if root.__dict__.get("_loading"):
            return None
        with whole():
            return default(root)

    def compute_value(self) -> bool:
        """Compute ``set=`` when it is due; tells whether that is a change."""
        function, listens = self._auto_set, None
        if isinstance(function, tuple):
            function, listens = function
        if not callable(function):
            return False
        root, _id = self.get_root(), self._event_id
        before, now = root.__dict__.get("_node_failed") or ({}, None)
        changes = root._changes._changes
        heard = _id in before or concerns(changes, listens, self.path_name())
        if not (heard or self._node_is_fresh()) or self._node_is_kept():
            return False
        try:
            with whole():
                computed = function(root)
        except _OF_UNSET as error:
            if now is None:
                raise
            if heard:
                now[_id] = error
            return False
        return self._node_take(computed)

    def _node_is_fresh(self) -> bool:
        """Whether this, or what it is in, is new, and the value not given with it."""
        node: Any = None if self.__dict__["_node_given"] else self
        while node is not None:
            if node.__dict__.get("_node_fresh"):
                return True
            node = node._parent
        return False

    def _node_is_kept(self) -> bool:
        """Whether the value comes from a store now, which keeps it."""
        if not self.get_root().__dict__.get("_loading"):
            return False
        node: Any = self
        while node is not None:
            if "!save" in node.__dict__["_views"]:
                return False
            # A store has no value where the field did not exist.
            if callable(node._exists) and not self.__dict__["_node_given"]:
                return False
            node = node._parent
        return True

    def _node_note_change(self) -> None:
        """Tell the root that this node has changed, unless it is not yet part of it."""
        node: Any = self
        while node is not None:
            if node.__dict__.get("_node_building"):
                return
            node = node._parent
        self._node_add_changes(self.get_root(), self.path_name())

    def _node_add_changes(self, root: Any, path: str) -> None:
        root._add_change(path)

    # Updates

    def start_record(self) -> None:
        """Record the value, so that a failed update can be undone."""
        own = self.__dict__
        own["_node_old_given"] = own["_node_given"]
        own["_node_automatic"] = own["_node_touched"] = False
        super().start_record()

    def rollback(self) -> None:
        """Be again what was recorded."""
        self.__dict__["_node_given"] = self.__dict__["_node_old_given"]
        super().rollback()

    def _node_remember(self, previous: Any) -> None:
        """Count as recorded with the value of ``previous``, which this replaces."""
        self.__dict__["_old_value"] = previous.__dict__["_value"]

    def _init_update(self) -> None:
        root = self.get_root()
        root._changes = ChangeHandler()
        if root._updating_process is False:
            root._updating_process = self._event_id
            root.start_record()

    def _end_update(self) -> None:
        root = self.get_root()
        if root._updating_process != self._event_id:
            root._changes.roll()
            return
        try:
            self._node_settle(root)
        except Exception:
            root.rollback()
            raise
        root.end_record()
        if root._changes.has_changes_in_session():
            if self._on_change:
                self._on_change(self._old_value, self.get_value(), root)
            notify(root, "changed", root, {})

    def _node_settle(self, root: Any) -> None:
        """Apply defaults, then compute and check until nothing changes any more."""
        if root.set_default_value() or root.__dict__.get("_node_fresh"):
            root._add_change(root.path_name())
        root._changes.roll()
        checked = root if root._changes.has_change() else self
        failed: dict[int, Exception] = {}
        while root._changes.has_change():
            failed = self._node_compute(root, failed)
            root._changes.roll()
        # What was given may be wrong, and that be why a function fails.
        checked.check_value()
        for error in failed.values():
            raise error

    def _node_estimate(self) -> None:
        """Compute in an unfinished item what can be computed; nothing is checked, and
        nothing counts as set."""
        changes = ChangeHandler()
        self.__dict__.update(_changes=changes, _node_fresh=True)
        changes.add(self.path_name())
        changes.roll()
        failed: dict[int, Exception] = {}
        while changes.has_change():
            failed = self._node_compute(self, failed)
            changes.roll()

    def _node_compute(
        self, root: Any, before: dict[int, Exception]
    ) -> dict[int, Exception]:
        """Compute what is concerned, and what failed in the round ``before``; gives the
        errors by the ids of their nodes.

        A function may fail for want of a value that is computed after its own.
        """
        now: dict[int, Exception] = {}
        root.__dict__["_node_failed"] = before, now
        try:
            root.compute_value()
        finally:
            del root.__dict__["_node_failed"]
            root.__dict__.pop("_node_fresh", None)
        return now

    def set(self, value: Any) -> None:
        """Set the value, compute and check the whole item, then call the handlers.

        :raises STypeError, SConstraintError, SAttributeError, SRightError: ``value``
            breaks the schema. All faults are in the error's ``faults`` when there are
            several, and the item is as it was.
        """
        self._init_update()
        try:
            if self.set_value(value):
                self._node_note_change()
        except Exception:
            self.get_root().rollback()
            raise
        self._end_update()

    def check(self, value: Any) -> None:
        """Raise what :meth:`set` would; the item stays as it is."""
        self._init_update()
        root = self.get_root()
        outermost = root._updating_process == self._event_id
        try:
            if self.set_value(value):
                self._node_note_change()
            self.check_value()
            if outermost:
                self._node_settle(root)
        except Exception:
            root.rollback()
            raise
        if outermost:
            root.rollback()

    # Checks

    def check_value(self) -> None:
        """Check rights, presence, type and constraints of the value held."""
        self._node_check()

    def _node_check_hidden(self) -> None:
        """Check a field that the current user may not read.

        One that they may not modify either is no field to them. Of any other they hear
        that it is required, or breaks a constraint; which one would tell of its value.
        """
        if self.can_modify() is not False:
            self._node_check_presence()
            try:
                self._node_check()
            except SConstraintError:
                raise SConstraintError(
                    "{0}: Constraint not validated", self.path_name()
                ) from None
        elif self._node_is_touched() and not self._node_is_automatic():
            raise self._node_unknown()

    def _node_is_closed(self) -> bool:
        """Whether the current user may neither read nor modify the field."""
        return self.is_allowed_to("read") is False and self.can_modify() is False

    def _node_unknown(self) -> SAttributeError:
        """What is said of a field that does not exist."""
        name = self._attribute_name
        return SAttributeError('{0}: "{1}" is no field here', self.path_name(), name)

    def _node_check(self) -> None:
        self._node_check_rights()
        self._node_check_presence()
        if self._value is not None:
            self.check_type(self._value)
            self.check_constraints(self._value)

    def _node_check_rights(self) -> None:
        if not self._permissions.get_permissions_status():
            return
        # What is not given with a new element is left out, not set.
        if not self.__dict__["_node_given"] or self._node_is_automatic():
            return
        if not self._node_was_set():
            return
        if self.can_modify() is False:
            raise SRightError("{0}: cannot modify value", self.path_name())

    def _node_is_touched(self) -> bool:
        """Whether somebody set a value, if only the one that was there."""
        own = self.__dict__
        return own["_node_given"] and (own["_node_touched"] or self._node_was_set())

    def _node_was_set(self) -> bool:
        return bool(self._value != self._old_value)

    def _node_is_automatic(self) -> bool:
        """Whether the value comes from a default or ``set=``, here or above."""
        node: Any = self
        while node is not None:
            if node.__dict__.get("_node_automatic"):
                return True
            node = node._parent
        return False

    def _node_check_presence(self) -> None:
        if self._not_none is True and self.is_none():
            raise SConstraintError("{0}: Cannot be empty", self.path_name())

    def check_constraints(self, value: Any) -> bool:
        """Check ``value`` against enum, bounds, patterns, constraints; never None."""
        if value is not None:
            with whole():
                super().check_constraints(value)
        return True

    # Descriptions

    def get_model(self) -> Any:
        model = super().get_model()
        model.types = (class_names(type(self)),)
        return model

    def get_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = super().get_schema()
        schema["types"] = class_names(type(self))
        return schema

    def get_current_meta(self, parent: dict[str, Any] | None = None) -> dict[str, Any]:
        meta: dict[str, Any] = super().get_current_meta(parent)
        meta["types"] = class_names(type(self))
        return meta
