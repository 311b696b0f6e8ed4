"""Dict: named fields, whatever their names."""

from collections.abc import Iterator
from typing import Any, Self

import stricto
from stricto import (
    GenericType,
    SAttributeError,
    SKeyError,
    SSyntaxError,
    STypeError,
    ViewType,
)

from backo.schema._collecting import FAULTS, Faults
from backo.schema._mending import Mended, adopt, class_names, copied
from backo.schema._whole import Kept, whole

__all__ = ["Dict"]

_WRITABLE = frozenset(
    {
        "root",
        "_parent",
        "_attribute_name",
        "_changes",
        "_event_id",
        "_default",
        "_old_value",
        "_updating_process",
    }
)
"""Attributes, fields aside, that may be written once the Dict is declared."""

_MISSING = object()


def _own_names() -> frozenset[str]:
    """Attributes that stricto and backo keep in the nodes themselves."""
    samples = (
        stricto.Dict({}),
        stricto.List(stricto.String()),
        stricto.Tuple((stricto.Int(),)),
        stricto.In([stricto.Int()]),
    )
    names = {name for sample in samples for name in vars(sample)}
    return frozenset(names | {"_regexps", "_loading", "_handlers", "_listen"})


_OWN_NAMES = _own_names()


class Dict(Mended, stricto.Dict):  # type: ignore[misc]
    """A field of named fields; an Item is one.

    - stricto 0.3.1 refuses fields named as one of its methods (``copy``, ``get``, …);
      here they work: ``d["copy"]`` is the field, ``d.copy`` the method, and both
      ``d["copy"] = v`` and ``d.copy = v`` set the field.
    - stricto lets a declared copy share its fields' views and roots with the original;
      here every field of a copy, and of a view, has the copy as its root.
    - stricto stops at the first fault; here the error raised holds all in ``faults``.
    - stricto applies a Dict's own ``default=`` again at each update; here once.
    - stricto's ``set=`` of a Dict takes no paths and never settles what depends on it;
      here it does both.
    - ``in`` and iteration work on the names (stricto's never end).

    :raises SSyntaxError: a name no field may have, or a field that is no type.
    """

    def __init__(self, schema: dict[str, Any], **kwargs: Any) -> None:
        if not isinstance(schema, dict):
            raise SSyntaxError("a Dict's schema must be a dict of fields")
        self.__dict__["_examples"] = tuple(kwargs.pop("examples", ()))
        with self._node_declaration():
            self.__dict__.update(_locked=False, _keys=[])
            for key, node in schema.items():
                self._node_add(key, node)
            GenericType.__init__(self, **kwargs)
            self.__dict__["_locked"] = True

    def _node_add(self, key: Any, node: Any) -> None:
        self._node_check_name(key)
        if not isinstance(node, GenericType):
            raise SSyntaxError(
                'Field "{0}": {1} is no field type', key, type(node).__name__
            )
        if key not in self._keys:
            self._keys.append(key)
        self._node_attach(key, adopt(node))

    def _node_check_name(self, key: Any) -> None:
        if not isinstance(key, str) or not key:
            raise SSyntaxError("Field {0}: its name must be a non-empty str", repr(key))
        if key.startswith("$") or any(sign in key for sign in ".[]\0"):
            raise SSyntaxError(
                'Field "{0}": a name has no "." "[" "]" or NUL, and no "$" first', key
            )
        taken = key in _OWN_NAMES or (key in self.__dict__ and key not in self._keys)
        private = key.startswith("_") and hasattr(type(self), key)
        if taken or private or key.startswith("_node_"):
            raise SSyntaxError('Field "{0}": the name is used by backo itself', key)

    def _node_attach(self, key: str, node: Any) -> None:
        node.__dict__["_parent"] = self
        node.__dict__["_attribute_name"] = key
        self.__dict__[key] = node

    def _node_fields(self) -> list[tuple[str, Any]]:
        own = self.__dict__
        return [(key, own[key]) for key in own["_keys"]]

    def _node_existing(self) -> list[Any]:
        return [node for _, node in self._node_fields() if node.exists(None)]

    def _node_visible(self) -> list[tuple[str, Any]]:
        """The fields that exist and that the current user may read."""
        return [
            (k, node) for k, node in self._node_fields() if node.exists_or_can_read()
        ]

    def _node_convert_below(self, raw: Any) -> None:
        self.__dict__["_keys"] = []
        for key in raw._keys:
            del self.__dict__[key]
        for key in raw._keys:
            self._node_add(key, vars(raw)[key])

    def add_to_model(self, key: str, model: Any) -> None:
        """Add a field, or replace the one of that name."""
        self._node_schema_changes()
        self._node_add(key, model)

    def remove_model(self, key: str) -> None:
        """Take a field out.

        :raises SAttributeError: there is none of that name.
        """
        if key not in self._keys:
            raise self._node_no_field(key)
        self._node_schema_changes()
        self._keys.remove(key)
        del self.__dict__[key]

    def _node_schema_changes(self) -> None:
        """Called before a field is added or removed; an Item takes note of it."""
        root = self.get_root()
        if root is not self and isinstance(root, Dict):
            root._node_schema_changes()

    def _node_no_field(self, key: str) -> SAttributeError:
        path = self.path_name()
        return SAttributeError('{0}.{k}: "{k}" is no field here', path, k=key)

    # Access

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if name == "_parent" or not isinstance(found, GenericType):
            return found
        if name not in object.__getattribute__(self, "_keys"):
            return found
        method = getattr(type(self), name, _MISSING)
        if method is not _MISSING:
            bind = getattr(method, "__get__", None)
            return bind(self, type(self)) if bind else method
        if found.exists_or_can_read() is False:
            raise self._node_no_field(name)
        return found

    def __getattr__(self, name: str) -> Any:
        raise SAttributeError(
            '{0}: {1} has no attribute "{k}"',
            self.__dict__.get("_attribute_name", "$"),
            type(self).__name__,
            k=name,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name in own.get("_keys", ()):
            if own[name].exists_or_can_read() is False:
                raise self._node_no_field(name)
            own[name].set(value)
        elif own.get("_locked") and name not in _WRITABLE:
            raise self._node_no_field(name)
        else:
            own[name] = value

    def __getitem__(self, key: str) -> Any:
        node = self.__dict__[key] if key in self._keys else None
        if node is not None and node.exists_or_can_read() is False:
            raise KeyError(key)
        return node

    def __setitem__(self, key: str, value: Any) -> None:
        node = self.__dict__[key] if key in self._keys else None
        if node is None or node.exists_or_can_read() is False:
            raise SKeyError('{0}.{k}: "{k}" is no field here', self.path_name(), k=key)
        node.set(value)

    def __contains__(self, key: object) -> bool:
        return key in self._keys and self.__dict__[str(key)].exists_or_can_read()

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _ in self._node_visible()])

    def get(self, key: str, default: Any = None) -> Any:
        """The field of that name; ``default`` when there is none, None when hidden."""
        if key not in self._keys:
            return default
        node = self.__dict__[key]
        return node if node.exists_or_can_read() else None

    def get_childs(self) -> list[Any]:
        return [node for _, node in self._node_visible()]

    def get_value(self) -> dict[str, Any]:
        return {key: node.get_value() for key, node in self._node_visible()}

    def get_encoded(self) -> dict[str, Any]:
        return {key: node.get_encoded() for key, node in self._node_visible()}

    def __json_encode__(self) -> dict[str, Any]:
        return dict(self._node_visible())

    def __repr__(self) -> str:
        return repr(dict(self._node_visible()))

    # Copies and views

    def __copy__(self) -> Self:
        result = self._node_copy()
        for key, node in self._node_fields():
            result._node_attach(key, copied(node))
        return result

    def _node_copy(self) -> Self:
        result = super()._node_copy()
        own = result.__dict__
        for name, value in self.__dict__.items():
            if type(value) in (list, dict, set):
                own[name] = value.copy()
        return result

    def get_view(self, view_name: str | None, final: bool = True) -> Any:
        """The part of this Dict that belongs to the view, None when nothing does."""
        wanted = self._belongs_to_view(view_name)
        shown = self._node_in_view(wanted, view_name)
        if final:
            return shown
        return (ViewType.NO, None) if shown is None else (ViewType.YES, shown)

    def _node_in_view(self, wanted: ViewType, view_name: str | None) -> Any:
        if wanted is ViewType.YES:
            return self.copy()
        if wanted is ViewType.NO:
            return None
        result = self._node_copy()
        result._keys.clear()
        for key, node in self._node_fields():
            del result.__dict__[key]
            if node.exists_or_can_read() is False:
                continue
            answer, part = node.get_view(view_name, False)
            if answer is ViewType.YES:
                result._keys.append(key)
                result._node_attach(key, part)
        return result if result._keys else None

    # Values

    def _node_accept(self, value: Any, *, transform: bool = True) -> Any:
        accepted = super()._node_accept(value, transform=transform)
        if accepted is None:
            raise STypeError("{0}: A Dict cannot be None", self.path_name())
        return accepted

    def set_value(self, value: Any) -> bool:
        """Set the fields that ``value`` names; the others stay.

        :raises STypeError, SAttributeError: fields of other types, or unknown ones. The
            fields before them may be set: only :meth:`set` undoes that.
        """
        if isinstance(value, Kept):
            return self._node_keep(value.value)
        accepted = self._node_accept(value, transform=self._node_transforms())
        self.__dict__.update(
            _node_given=True, _node_touched=True, _node_automatic=False
        )
        faults = Faults()
        changed = self._node_set_fields(accepted, faults)
        for key in accepted:
            if key not in self._keys:
                with faults():
                    raise self._node_no_field(key)
        faults.raise_first()
        return changed

    def _node_set_fields(self, values: Any, faults: Faults) -> bool:
        changed = False
        for key, node in self._node_fields():
            if key in values:
                with faults():
                    changed = _set(node, values[key]) or changed
        return changed

    def _node_taken(self, value: Any) -> bool:
        if value is None:
            return False
        accepted = self._node_accept(value, transform=False)
        for key in accepted:
            if key not in self._keys:
                raise self._node_no_field(key)
        faults = Faults()
        changed = self._node_set_fields(accepted, faults)
        faults.raise_first()
        if changed:
            self.__dict__["_node_automatic"] = True
            self._node_note_change()
        return changed

    def set_default_value(self) -> bool:
        """Apply the defaults that are still due; tells whether that is a change.

        A default of the Dict itself leaves fields alone that were given.
        """
        default = self._node_due_default()
        if default is not None and not self.__dict__.get("_node_declaring"):
            self.check_type(default)
            default = {
                key: default[key] for key in default if not self._node_is_given(key)
            }
        changed = default is not None and self._node_take(default)
        if self.__dict__.get("_node_declaring"):
            return changed
        for _, node in self._node_fields():
            changed = bool(node.set_default_value()) or changed
        return changed

    def _node_is_given(self, key: str) -> bool:
        return key in self._keys and bool(
            self.__dict__[key].__dict__.get("_node_given")
        )

    def compute_value(self) -> bool:
        changed = super().compute_value()
        for _, node in self._node_fields():
            changed = bool(node.compute_value()) or changed
        return changed

    def rollback(self) -> None:
        self.__dict__["_node_given"] = self.__dict__["_node_old_given"]
        self.__dict__["_updating_process"] = False
        for _, node in self._node_fields():
            node.rollback()

    def _node_remember(self, previous: Any) -> None:
        for key, node in self._node_fields():
            if isinstance(node, Mended) and key in previous.__dict__:
                node._node_remember(previous.__dict__[key])

    # Checks

    def check_value(self) -> None:
        """Check every field that exists, then the constraints on the whole."""
        if self.exists_or_can_read() is False:
            raise SAttributeError("{0}: Locked", self.path_name())
        self._node_check()

    def _node_check_hidden(self) -> None:
        if self._node_is_touched() and self._node_is_closed():
            if not self._node_is_automatic():
                raise self._node_unknown()
        try:
            for _, node in self._node_fields():
                if isinstance(node, Mended) and node.exists(None):
                    node._node_check_hidden()
        except SAttributeError:
            raise self._node_unknown() from None

    def _node_check(self) -> None:
        faults = Faults()
        for _, node in self._node_fields():
            with faults():
                if node.exists_or_can_read():
                    node.check_value()
                elif isinstance(node, Mended) and node.exists(None):
                    node._node_check_hidden()
        faults.raise_first()
        with whole():
            value = self.get_value()
        self.check_constraints(value)

    # Rights and descriptions

    def enable_permissions(self) -> None:
        GenericType.enable_permissions(self)
        for _, node in self._node_fields():
            node.enable_permissions()

    def disable_permissions(self) -> None:
        GenericType.disable_permissions(self)
        for _, node in self._node_fields():
            node.disable_permissions()

    def get_model(self) -> Any:
        model = GenericType.get_model(self)
        model.types = (class_names(type(self)),)
        model.add_dict_model(
            {key: node.get_model() for key, node in self._node_fields()}
        )
        return model

    def get_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = GenericType.get_schema(self)
        schema["types"] = class_names(type(self))
        schema["sub_scheme"] = {k: node.get_schema() for k, node in self._node_fields()}
        return schema

    def get_current_meta(self, parent: dict[str, Any] | None = None) -> dict[str, Any]:
        meta: dict[str, Any] = GenericType.get_current_meta(self, parent)
        meta["types"] = class_names(type(self))
        meta["sub_scheme"] = {
            key: node.get_current_meta(meta) for key, node in self._node_fields()
        }
        return meta


def _set(node: Any, value: Any) -> bool:
    """Set a field's value as part of its Dict; tells whether that is a change."""
    try:
        changed = bool(node.set_value(value))
    except FAULTS:
        if isinstance(node, Mended) and node._node_is_closed():
            raise node._node_unknown() from None
        raise
    if changed:
        _note_change(node)
    return changed


def _note_change(node: Any) -> None:
    if isinstance(node, Mended):
        node._node_note_change()
    else:
        node.get_root()._add_change(node.path_name())
