"""What a collection was declared as: its schema compiled, its rights, its place among
the others of its backoffice."""

import copy
import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol, Self

from backo.connectors.base import DBConnector
from backo.errors import FrozenError, SRightError, SSyntaxError
from backo.item import Item
from backo.references.graph import Graph
from backo.schema.compiler import compile_item
from backo.schema.models import ItemModels, compile_models
from backo.schema.plan import FieldPlan, ItemPlan, Right
from backo.schema.resolving import Answers, Question, questions, resolved
from backo.schema.rights import of_user, verdict
from backo.seen import Seen

__all__ = ["NAME", "RIGHTS", "Declaration", "Lookup", "covers"]

RIGHTS = ("read", "create", "modify", "delete")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""What collections, selections and actions may be called."""
_MOST_SEEN = 256
"""Kinds of users whose plans are kept."""


class Lookup(Protocol):
    """What a Collection needs of its backoffice."""

    name: str
    frozen: bool
    page_size: int
    max_page_size: int
    max_body_size: int
    max_upload_size: int
    max_parts: int

    @property
    def graph(self) -> Graph: ...

    def collection(self, name: str) -> Any: ...


class Declaration:
    """The declaration of one collection.

    :raises SSyntaxError: the name or an option is not valid.
    """

    def __init__(
        self,
        name: str,
        model: Item,
        db_handler: DBConnector,
        *,
        rights: tuple[Right, Right, Right, Right],
        refuse_filter: Callable[[], Any] | None,
        description: str | None,
    ) -> None:
        if not NAME.fullmatch(name):
            raise SSyntaxError(
                '"{0}" is no name for a collection: letters, digits, _ and - only', name
            )
        self.name = name
        self.description = description
        self.model: Item = copy.copy(model)
        self.model.__dict__["_home"] = self
        self.db_handler = db_handler
        self.rights: Mapping[str, Right] = dict(zip(RIGHTS, rights, strict=True))
        self.refuse_filter = refuse_filter
        self._backoffice: Lookup | None = None
        self._compiled: tuple[int, ItemPlan, ItemModels] | None = None
        self._known: dict[tuple[Any, ...], Seen] = {}

    @property
    def plan(self) -> ItemPlan:
        """The compiled schema; it follows ``model`` until routes are built."""
        return self._compile()[1]

    @property
    def models(self) -> ItemModels:
        """The Pydantic models: ``create``, ``update`` and ``views``."""
        return self._compile()[2]

    @property
    def frozen(self) -> bool:
        """Whether routes have been built, so that the schema can no longer change."""
        return self._backoffice is not None and self._backoffice.frozen

    def _compile(self) -> tuple[int, ItemPlan, ItemModels]:
        revision: int = self.model.__dict__["_revision"]
        if self._compiled is None or self._compiled[0] != revision:
            plan = compile_item(self.name, self.model)
            self._compiled = (revision, plan, compile_models(plan))
            for derived in ("_questions", "_events", "has_handlers"):
                self.__dict__.pop(derived, None)
            self._known = {}
            self.db_handler.bind(plan)
        return self._compiled

    def define_view(self, name: str, paths: list[str]) -> None:
        """Make ``name`` a view of exactly these paths (and ``_id``).

        :raises FrozenError: routes have been built.
        :raises SSyntaxError: the name is taken by backo, or a path names no field.
        """
        if self.frozen:
            raise FrozenError(f"{self.name}: its routes are built, the schema is set")
        if not name or name == "save" or name[0] in "+!":
            raise SSyntaxError('{0}: "{1}" cannot name a view', self.name, name)
        taken = [self._field(path).path for path in ["$._id", *paths]]
        for field in self.plan.every_field:
            views = field.node.__dict__["_views"]
            if any(covers(path, field.path) for path in taken):
                views.append(name)
            elif not any(covers(field.path, path) for path in taken):
                views.append(f"!{name}")
        self.model.__dict__["_revision"] += 1

    def _field(self, path: str) -> FieldPlan:
        located = self.plan.locate(path)
        if located is None:
            raise SSyntaxError("{0}: there is no field {1}", self.name, path)
        return located.field

    def bind(self, backoffice: Lookup) -> None:
        """Belong to ``backoffice``; it calls this when the collection is registered.

        :raises SSyntaxError: the collection belongs to another one.
        """
        if self._backoffice not in (None, backoffice):
            raise SSyntaxError("{0}: is in another backoffice", self.name)
        self._backoffice = backoffice
        self._compile()

    def get_other_collection(self, name: str) -> Self:
        """The collection of that name in the same backoffice.

        :raises SSyntaxError: there is none.
        """
        if name == self.name:
            return self
        other: Self = self.backoffice.collection(name)
        return other

    @property
    def backoffice(self) -> Lookup:
        """The backoffice it is registered in.

        :raises SSyntaxError: there is none.
        """
        if self._backoffice is None:
            raise SSyntaxError("{0}: is registered in no backoffice", self.name)
        return self._backoffice

    # --- Rights -------------------------------------------------------------------

    @property
    def page_size(self) -> int:
        """Rows a list answers with when none are asked for."""
        return self.backoffice.page_size

    @property
    def max_page_size(self) -> int:
        """Rows a caller may ask for at most."""
        return self.backoffice.max_page_size

    def forbids(self, right: str) -> bool:
        """Whether that right is refused to everybody for good."""
        return self.rights[right] is False

    def allows(self, right: str, item: Item) -> bool:
        """Whether the current user has that right on ``item``."""
        declared = self.rights[right]
        if callable(declared):
            return verdict(declared, right, item) is True
        return declared is not False

    def judges(self, right: str) -> bool:
        """Whether a function decides about that right."""
        return callable(self.rights[right])

    def require(self, right: str, item: Item) -> None:
        """Pass, or raise.

        :raises SRightError: the current user lacks that right on ``item``.
        """
        if not self.allows(right, item):
            raise SRightError("{0}: you may not {1} this item", self.name, right)

    @property
    def seen(self) -> Seen:
        """The declaration as the current user meets it."""
        self._compile()
        answers = self.answers()
        found = self._known.get(answers)
        if found is None:
            if len(self._known) >= _MOST_SEEN:
                self._known = {}
            found = self._known[answers] = self._seen_with(answers)
        return found

    def _seen_with(self, answers: tuple[Any, ...]) -> Seen:
        said = dict(zip(self._questions, answers, strict=True))
        rights = {
            right: said[one, right] is True if of_user(one) else one
            for right, one in self.rights.items()
        }
        seen = self._seen(rights, said, closed=False)
        if not seen.plan.forbids:
            return seen
        described = self._seen(rights, said, closed=True)
        return dataclasses.replace(seen, described=described)

    def _seen(
        self, rights: Mapping[str, Right], answers: Answers, *, closed: bool
    ) -> Seen:
        plan, models = self._compile()[1:]
        asking = questions(plan)
        if asking:
            plan = resolved(plan, answers, closed=closed)
            models = compile_models(plan)
        return Seen(
            plan=plan,
            models=models,
            rights=rights,
            item_needed=self._needed(plan, rights),
            closed=rights["read"] is False and not self.forbids("read"),
            pruning=bool(asking) and plan.hides,
        )

    @cached_property
    def _questions(self) -> tuple[Question, ...]:
        """What must be asked to know how the current user meets the declaration."""
        of_items = tuple(
            (one, right) for right, one in self.rights.items() if of_user(one)
        )
        return tuple(dict.fromkeys([*of_items, *questions(self._compile()[1])]))

    def answers(self) -> tuple[bool | None, ...]:
        """What the functions of the user alone say of the current one; None: nothing
        that is an answer."""
        said = (verdict(*one, self.model) for one in self._questions)
        return tuple(one if isinstance(one, bool) else None for one in said)

    @property
    def asks(self) -> bool:
        """Whether it is not the same for all users."""
        return bool(self._questions)

    @property
    def item_needed(self) -> Mapping[str, bool]:
        """See :class:`Seen`."""
        return self.seen.item_needed

    def _needed(
        self, plan: ItemPlan, rights: Mapping[str, Right]
    ) -> Mapping[str, bool]:
        reading = callable(rights["read"]) or not plan.read_static
        writing = reading or not plan.write_static
        deleting = reading or self.told_of_delete
        static = {"read": reading, "create": writing, "modify": writing}
        needed = {**static, "delete": deleting}
        return {
            right: need or callable(rights[right]) for right, need in needed.items()
        }

    @property
    def modified_by_items(self) -> bool:
        """Whether a change must go through an Item, whoever makes it."""
        return not self.plan.write_static

    @property
    def told_of_delete(self) -> bool:
        """Whether some handler waits for ``before_delete``."""
        return "before_delete" in self._events

    @cached_property
    def _events(self) -> frozenset[str]:
        """The events that some handler waits for."""
        return frozenset(
            name for field in self._compile()[1].root.walk() for name, _ in field.events
        )

    @cached_property
    def has_handlers(self) -> bool:
        """Whether some handler is called around a write, and may write too."""
        fields = self._compile()[1].root.walk()
        return bool(self._events) or any(field.on_change for field in fields)

    # --- Neighbours ---------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The references of the collections it is registered with."""
        if self._backoffice is None:
            return Graph({self.name: self.plan})
        return self._backoffice.graph

    def mistakes_of(self, path: str) -> list[str]:
        """What is wrong with the reference at ``path``."""
        return [
            str(one)
            for one in self.graph.mistakes
            if one.end.collection == self.name and one.end.field.path == path
        ]


def covers(path: str, below: str) -> bool:
    """Whether ``path`` is ``below`` or one of its parents."""
    return below == path or below.startswith((f"{path}.", f"{path}["))
