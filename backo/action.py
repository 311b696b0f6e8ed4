"""Action: something that is done to an item of a collection, in the words of its
business."""

import copy
import dataclasses
import inspect
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Protocol

import pydantic_core

from backo.connectors.texts import same_document
from backo.documents import encode
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    ChangedError,
    ConflictError,
    FrozenError,
    NotFoundError,
    SRightError,
    SSyntaxError,
    UnknownReferenceError,
)
from backo.item import ATTEMPTS, Home, Item, Life
from backo.references.graph import End, Graph, ends_of
from backo.references.maintenance import Neighbour
from backo.references.work import unknown_at
from backo.schema.compiler import compile_item
from backo.schema.meta import item_meta
from backo.schema.models import DocumentModel, component_name, input_model, result_model
from backo.schema.plan import FieldPlan, ItemPlan, Right
from backo.schema.rights import refused, verdict
from backo.schema.types import Dict, GenericType
from backo.transaction import Unit, tried_again
from backo.visible import Document, Visible

__all__ = ["Action", "ActionOwner", "Outcome", "Registered", "absent", "plain"]

type Precondition = Callable[[Document], None]

_GIVEN = frozenset({"transaction_id"})
"""The keywords that a function may count on."""


class Action(Dict):
    """What can be done to an item: the input that it takes, and the function that does
    it.

    ``on_trig(action, item)`` gets a private copy of the action that holds the input,
    and the item. It may also take keywords: ``transaction_id``. An item that it changed
    is saved when it returns; all that it writes is kept, or, when it raises, nothing.
    When others change the item meanwhile it is called again, with the item as it then
    is. What it returns is the answer; None: the item is.

    Being allowed to execute an action is being allowed to save the item in it; the
    rights of fields hold there too (``item.disable_permissions()`` ends that).

    :param schema: the fields of the input.
    :param can_see: whether the action exists, for an item and the current user: a bool
        or ``f("see", item)``.
    :param can_execute: whether the current user may do it, likewise.
    :param result: what ``on_trig`` gives: a type, or a dict of fields. It is then in
        the document, and held to.
    :param kwargs: those of a Dict: ``description``, ``constraint``, …
    :raises SSyntaxError: ``on_trig`` cannot be called with an action and an item.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        on_trig: Callable[..., Any],
        *,
        can_see: Right = None,
        can_execute: Right = None,
        result: Any = None,
        **kwargs: Any,
    ) -> None:
        # Before the fields, so that none of them can have one of these names.
        self.__dict__.update(
            _trig=on_trig,
            _takes=_keywords(on_trig),
            _rights={"see": can_see, "execute": can_execute},
            _result=Dict(result) if isinstance(result, dict) else result,
            _revision=0,
            _owners=(),
        )
        super().__init__(schema, **kwargs)

    def _node_schema_changes(self) -> None:
        for owner in self.__dict__["_owners"]:
            if owner.frozen:
                raise FrozenError(
                    f"{owner.name}: its routes are built, the input of an action is set"
                )
        self.__dict__["_revision"] += 1


def _keywords(on_trig: Any) -> frozenset[str] | None:
    """Which keywords the function takes; None: any.

    :raises SSyntaxError: it cannot be called as actions call it.
    """
    if not callable(on_trig) or inspect.iscoroutinefunction(on_trig):
        raise SSyntaxError("on_trig must be a function, and no coroutine: {0}", on_trig)
    try:
        signature = inspect.signature(on_trig)
    except ValueError:
        return frozenset()
    given = dict.fromkeys(_GIVEN & signature.parameters.keys())
    try:
        signature.bind(None, None, **given)
    except TypeError:
        raise SSyntaxError(
            "on_trig must take an action and an item: {0}", on_trig
        ) from None
    parameters = signature.parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return None
    named = list(parameters)[2:]
    return frozenset(one.name for one in named if one.kind is not one.VAR_POSITIONAL)


class ActionOwner(Home, Protocol):
    """What an action needs of its collection."""

    visible: Visible
    description: str | None

    def allows(self, right: str, item: Item) -> bool: ...

    @property
    def graph(self) -> Graph: ...

    def neighbour(self, name: str) -> Neighbour: ...

    def whole_unit(
        self, transaction_id: int | None = None
    ) -> AbstractContextManager[Unit]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What an action gave, and the item as it is then."""

    result: Any
    item: Item


class Registered:
    """An action of a collection, under its name there."""

    def __init__(self, name: str, action: Action, owner: ActionOwner) -> None:
        self.name = name
        self.action = action
        self.owner = owner
        self._compiled: tuple[int, ItemPlan, type[DocumentModel]] | None = None
        action.__dict__["_owners"] += (owner,)

    @property
    def plan(self) -> ItemPlan:
        """The compiled input; it follows the action until routes are built."""
        return self._compile()[1]

    @property
    def model(self) -> type[DocumentModel]:
        """The model of the input."""
        return self._compile()[2]

    def _compile(self) -> tuple[int, ItemPlan, type[DocumentModel]]:
        revision: int = self.action.__dict__["_revision"]
        if self._compiled is None or self._compiled[0] != revision:
            plan = compile_item(f"{self.owner.name}_{self.name}", self.action)
            model = input_model(f"{self.component}Input", plan.root)
            self._compiled = revision, plan, model
        return self._compiled

    @cached_property
    def result(self) -> type[DocumentModel] | None:
        """The model of what it gives; None where that is not declared."""
        field = self._result
        return None if field is None else result_model(f"{self.component}Result", field)

    @property
    def takes_nothing(self) -> bool:
        """Whether an input without any field is valid."""
        return not any(map(_needed, self.plan.root.fields))

    @property
    def component(self) -> str:
        """What the names of its schemas begin with."""
        return component_name(self.owner.name) + component_name(self.name)

    @cached_property
    def _result(self) -> FieldPlan | None:
        node = self.action.__dict__["_result"]
        if node is None:
            return None
        return compile_item(self.name, Dict({"result": node})).root.field("result")

    # --- Rights -------------------------------------------------------------------

    def _right(self, right: str) -> Right:
        declared: Right = self.action.__dict__["_rights"][right]
        return declared

    @property
    def forbidden(self) -> bool:
        """Whether nobody can ever see or execute it."""
        return self._right("see") is False or self._right("execute") is False

    @property
    def refused(self) -> bool:
        """Whether the current user can see or execute it on no item."""
        return any(refused(self._right(one), one) for one in ("see", "execute"))

    @property
    def open(self) -> bool:
        """Whether everybody can see and execute it, whatever the item."""
        return not callable(self._right("see")) and not callable(self._right("execute"))

    def allows(self, right: str, item: Item) -> bool:
        """Whether the current user can ``see`` or ``execute`` it, for that item."""
        declared = self._right(right)
        if callable(declared):
            return verdict(declared, right, item) is True
        return declared is not False

    def require(self, item: Item) -> None:
        """Pass, or raise.

        :raises NotFoundError: for this item and user it does not exist.
        :raises SRightError: the current user may not execute it.
        """
        if not self.allows("see", item):
            raise absent(self.owner.name, self.name)
        if not self.allows("execute", item):
            raise SRightError(
                "{0}: you may not execute {1} on this item", self.owner.name, self.name
            )

    def get_meta(self, item: Item) -> Document:
        """What it is, with the rights of the current user for ``item``."""
        return {
            "name": self.name,
            "description": self.plan.root.description,
            "rights": {right: self.allows(right, item) for right in ("see", "execute")},
            "item": item_meta(self.plan.root, self._judging()),
        }

    # --- Doing it -----------------------------------------------------------------

    def run(
        self,
        _id: str,
        input_of: Callable[[], Document],
        precondition: Precondition | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Do it to the item with that id. ``input_of`` is asked for the input when it
        is known that the current user may execute the action.

        :raises NotFoundError: there is no such item, or no such action on it.
        :raises SRightError: the current user may not execute it.
        :raises ConflictError: others changed the item again and again.
        """
        for _ in range(ATTEMPTS):
            try:
                return tried_again(
                    lambda: self._run_in_unit(_id, input_of, precondition, kwargs),
                    kwargs.get("transaction_id"),
                )
            except ChangedError:
                continue
        raise ConflictError(f"{self.owner.name}: the item is being changed by others")

    def _run_in_unit(
        self,
        _id: str,
        input_of: Callable[[], Document],
        precondition: Precondition | None,
        kwargs: dict[str, Any],
    ) -> Outcome:
        with self.owner.whole_unit(kwargs.get("transaction_id")) as unit:
            known = {**kwargs, "transaction_id": unit.id}
            return self._run(_id, input_of, precondition, known)

    def _run(
        self,
        _id: str,
        input_of: Callable[[], Document],
        precondition: Precondition | None,
        kwargs: dict[str, Any],
    ) -> Outcome:
        item = self.owner.visible.readable_item(_id)
        self.require(item)
        filled = self._filled(input_of())
        self._require_targets(filled)
        if precondition is not None:
            precondition(item.view("client"))
        with item.granted():
            result = self.action.__dict__["_trig"](filled, item, **self._taken(kwargs))
            if isinstance(result, Iterator):
                # What it still does is done before the item is saved.
                result = list(result)
            if item.life is Life.UNSAVED:
                item.save_over(self._expected(item), **kwargs)
        # The function may have switched them off: the answer is for the caller.
        item.enable_permissions()
        return Outcome(self._encoded(result), item)

    def _expected(self, item: Item) -> Document | None:
        """What must still be stored when the item is saved. None, to save it beside
        what is: what the function wrote elsewhere has changed it, by a link."""
        store, before = self.owner.db_handler, item.document or {}
        current = store.get_by_id(before["_id"])
        held = store.joined()
        if same_document(current, before) or held is None:
            return before
        return None if held.made(before["_id"], current) else before

    def _filled(self, values: Document) -> Action:
        """A copy of the action of its own, that holds the input. What the caller may
        set is asked; the function reads all of it."""
        filled = self._judging()
        filled.__dict__["_node_fresh"] = True
        filled.set(values)
        filled.disable_permissions()
        return filled

    @property
    def _ends(self) -> tuple[End, ...]:
        return ends_of(self.plan)

    def mistakes(self) -> list[str]:
        """What is wrong with the references in its input."""
        where, known = f"{self.owner.name}: action {self.name}", self.owner.graph.plans
        return [
            f"{where}: {end.path}: there is no collection {end.reference.collection}"
            for end in self._ends
            if end.reference.collection not in known
        ]

    def _require_targets(self, filled: Action) -> None:
        """Pass if every item that the input points to is there.

        :raises UnknownReferenceError: one is not, or not for the current user.
        """
        if not self._ends:
            return
        document = encode(filled, self.plan.root)
        faults = unknown_at(self._ends, None, document, self._readable)
        if faults:
            raise UnknownReferenceError(faults)

    def _readable(self, name: str, ids: Iterable[str]) -> Collection[str]:
        return self.owner.neighbour(name).readable_ids(ids)

    def _judging(self) -> Action:
        """A copy of the action that asks for the rights of its fields."""
        made = copy.copy(self.action)
        made.enable_permissions()
        return made

    def _taken(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        takes: frozenset[str] | None = self.action.__dict__["_takes"]
        if takes is None:
            return kwargs
        return {name: value for name, value in kwargs.items() if name in takes}

    def _encoded(self, result: Any) -> Any:
        """What the action gave, as JSON has it.

        :raises BackoError: it is not what was declared, or JSON has no such values.
        """
        if self._result is None:
            return self._as_json(result)
        node = copy.copy(self._result.node)
        node.__dict__["_parent"] = None
        try:
            node.set(result)
        except VALUE_ERRORS as error:
            raise BackoError(
                f"{self.owner.name}: the result of {self.name} is not what is declared:"
                f" {error}"
            ) from error
        node.enable_permissions()
        return plain(node)

    def _as_json(self, result: Any) -> Any:
        try:
            return pydantic_core.to_jsonable_python(plain(result))
        except ValueError as error:
            wrong = f"{self.owner.name}: the result of {self.name} is no JSON: {error}"
            raise BackoError(wrong) from error


def absent(collection: str, name: str) -> NotFoundError:
    """The one error for an action that is not there and for one that is not seen."""
    return NotFoundError(f"{collection}: there is no action {name!r:.100}")


def _needed(field: FieldPlan) -> bool:
    """Whether an input without the field, or what it holds, is not valid."""
    if field.grouping:
        return any(map(_needed, field.fields))
    return field.required and field.default is None


def plain(value: Any) -> Any:
    """``value`` with plain values in the place of Items, as far as the current user may
    read these, and of other nodes.

    :raises ValueError: there is a number in it that is none.
    """
    if isinstance(value, Item) and value.at_home:
        value.enable_permissions()
        return value.view("client")
    if isinstance(value, GenericType):
        return plain(value.get_encoded())
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | Iterator):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number there")
    return value
