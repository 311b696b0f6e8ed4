"""In: a value of one of several types."""

from typing import Any, Self

import stricto
from stricto import (
    GenericType,
    SAttributeError,
    SConstraintError,
    SSyntaxError,
    STypeError,
    ViewType,
)

from backo.schema._collecting import FAULTS
from backo.schema._mending import Mended, adopt, copied

__all__ = ["In"]


class In(Mended, stricto.In):  # type: ignore[misc]
    """A value that at least one of the alternatives accepts; the first one holds it.

    - stricto 0.3.1 wants every alternative of the right type to accept the constraints;
      here one alternative must accept both, and the next is tried when it does not.
    - stricto compares the type only, and keeps JSON text as it is; here Dicts, Lists,
      Tuples and extended types are validated in depth, and the alternative that
      accepts a value decodes and encodes it.
    - stricto leaves out ``required=``, ``enum=``, ``constraints=`` and ``can_modify=``
      of the In itself; here they apply.

    Rights of fields inside an alternative are not looked at: the In's own decide.
    """

    def __init__(self, models: list[Any], **kwargs: Any) -> None:
        if not isinstance(models, list):
            raise SSyntaxError("an In needs a list of types")
        alternatives = [model for model in models if model is not None]
        for model in alternatives:
            if not isinstance(model, GenericType):
                raise SSyntaxError("an In: {0} is no field type", type(model).__name__)
        super().__init__([adopt(model) for model in alternatives], **kwargs)
        self._json_path_separator = ""

    def _node_begin(self, **state: Any) -> None:
        super()._node_begin(_node_chosen=None, _node_old_chosen=None, **state)

    def _node_convert_below(self, raw: Any) -> None:
        models = [model for model in raw._models if model is not None]
        self.__dict__["_models"] = [adopt(model) for model in models]
        self.__dict__["_json_path_separator"] = ""
        super()._node_convert_below(raw)

    # What is accepted is a node: a copy of the alternative that took the value.

    def _node_decoded(self, text: str) -> str:
        return text

    def _node_typed(self, value: Any) -> Any:
        broken: Exception | None = None
        for model in self._models:
            try:
                return self._node_tried(model, value)
            except SConstraintError as error:
                broken = broken or error
            except FAULTS:
                continue
        raise broken or STypeError(
            '{0}: Matches none of the alternatives (value="{value}")',
            self.path_name(),
            value=value,
        )

    def _node_tried(self, model: Any, value: Any) -> Any:
        node = self._node_own(copied(model))
        node.set_value(value)
        if not self.__dict__.get("_node_declaring"):
            node.set_default_value()
        node.check_value()
        return node

    def _node_own(self, node: Any) -> Any:
        """``node`` as one that stands in this one's place, with its path."""
        node.__dict__.update(_parent=self, _attribute_name="", _node_building=True)
        return node

    def _node_differs(self, accepted: Any) -> bool:
        return super()._node_differs(_value_of(accepted))

    def _node_hold(self, accepted: Any) -> None:
        self.__dict__["_node_chosen"] = accepted
        self.__dict__["_value"] = _value_of(accepted)

    def check_type(self, value: Any) -> bool:
        """Whether an alternative takes the value's type.

        :raises STypeError: none does.
        """
        try:
            self._node_typed(value)
        except SConstraintError:
            pass
        return True

    def check_value(self) -> None:
        """Check rights and presence, then what the alternative and the In ask."""
        if self.exists_or_can_read() is False:
            raise SAttributeError("{0}: Locked", self.path_name())
        self._node_check()

    def _node_check(self) -> None:
        self._node_check_rights()
        self._node_check_presence()
        if self._node_chosen is not None:
            self._node_chosen.check_value()
            self.check_constraints(self.get_value())

    def get_value(self) -> Any:
        return _value_of(self.__dict__["_node_chosen"])

    def get_encoded(self) -> Any:
        chosen = self.__dict__["_node_chosen"]
        return None if chosen is None else chosen.get_encoded()

    def __json_encode__(self) -> Any:
        return self.get_encoded()

    def set_default_value(self) -> bool:
        changed = super().set_default_value()
        chosen = self.__dict__["_node_chosen"]
        if chosen is None or self.__dict__.get("_node_declaring"):
            return changed
        return self._node_refresh(chosen.set_default_value()) or changed

    def compute_value(self) -> bool:
        changed = super().compute_value()
        chosen = self.__dict__["_node_chosen"]
        if chosen is None:
            return changed
        return self._node_refresh(chosen.compute_value()) or changed

    def _node_refresh(self, changed: Any) -> bool:
        """Hold what the chosen alternative made of its value."""
        if changed:
            self._node_hold(self.__dict__["_node_chosen"])
            self._node_note_change()
        return bool(changed)

    # Copies, views and updates

    def __copy__(self) -> Self:
        result = super().__copy__()
        chosen = self.__dict__["_node_chosen"]
        if chosen is not None:
            result.__dict__["_node_chosen"] = result._node_own(copied(chosen))
        return result

    def get_view(self, view_name: str | None, final: bool = True) -> Any:
        """The part that belongs to the view of what the alternative holds."""
        answer, shown = super().get_view(view_name, False)
        chosen = self.__dict__["_node_chosen"]
        own_view = self._belongs_to_view(view_name)
        if chosen is not None and own_view not in (ViewType.YES, ViewType.NO):
            answer, part = chosen.get_view(view_name, False)
            shown = self.copy() if answer is ViewType.YES else None
            if shown is not None:
                shown._node_hold(shown._node_own(part))
        return shown if final else (answer, shown)

    def start_record(self) -> None:
        super().start_record()
        chosen = self.__dict__["_node_old_chosen"] = self.__dict__["_node_chosen"]
        if chosen is not None:
            chosen.start_record()

    def rollback(self) -> None:
        super().rollback()
        chosen = self.__dict__["_node_chosen"] = self.__dict__["_node_old_chosen"]
        if chosen is not None:
            chosen.rollback()


def _value_of(node: Any) -> Any:
    return None if node is None else node.get_value()
