"""Collection: the use cases of one kind of item. It knows no HTTP."""

import copy
import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from backo.access import Access
from backo.action import Action, Registered, absent
from backo.asking import Parameters, pairs_of
from backo.connectors.base import DBConnector
from backo.connectors.store import Store
from backo.current_request import current_request
from backo.declaration import NAME, RIGHTS, Declaration, covers
from backo.errors import (
    VALUE_ERRORS,
    Fault,
    FrozenError,
    NotFoundError,
    SSyntaxError,
    ValidationError,
)
from backo.files.items import read_once
from backo.files.keeping import FileStore
from backo.item import Item
from backo.linked import Linked
from backo.migration import (
    Migration,
    MigrationProgress,
    MigrationReport,
    no_progress,
)
from backo.query.parse import loads
from backo.references.maintenance import Links
from backo.schema.faults import faults_in, stricto_faults
from backo.schema.meta import item_meta
from backo.schema.models import component_name
from backo.schema.plan import Right
from backo.schema.types import GenericType
from backo.selection import ALL, CollectionAddon, Selection
from backo.transaction import Unit, unit_of_work
from backo.transformation import MigrationFunction
from backo.visible import Document, Visible

__all__ = ["Collection"]


class Collection(Declaration):
    """A kind of item, and where its items are kept.

    Rights are bools or functions ``f(right_name, item) -> bool``. Statically false, the
    operation does not exist: no route, nothing in the document.

    :param name: in paths and in the document: letters, digits, ``_``, ``-``.
    :param model: the Item every object is made from; the collection keeps a copy.
    :param db_handler: the store.
    :param can_read, can_create, can_modify, can_delete: the rights.
    :param refuse_filter: ``f()`` gives a filter of the items nobody gets; None or
        ``{}``: everybody gets all.
    :raises SSyntaxError: the name or an option is not valid.
    """

    def __init__(
        self,
        name: str,
        model: Item,
        db_handler: DBConnector,
        *,
        can_read: Right = None,
        can_create: Right = None,
        can_modify: Right = None,
        can_delete: Right = None,
        refuse_filter: Callable[[], Any] | None = None,
        description: str | None = None,
    ) -> None:
        super().__init__(
            name,
            model,
            db_handler,
            rights=(can_read, can_create, can_modify, can_delete),
            refuse_filter=refuse_filter,
            description=description,
        )
        self.visible = Visible(self)
        self.access = Access(self)
        self.linked = Linked(self)
        self.links = Links(name, self)
        self.actions: dict[str, Registered] = {}
        whole = Selection()
        CollectionAddon.bind(whole, ALL, self)
        self.selections: dict[str, Selection] = {ALL: whole}

    def __repr__(self) -> str:
        return f"Collection({self.name!r})"

    def get_openapi_routes(self) -> dict[str, Any]:
        """The ``paths`` section of the OpenAPI document for this collection."""
        from backo.openapi.document import collection_paths

        return collection_paths(self)

    def get_openapi_schemas(self) -> dict[str, Any]:
        """The ``schemas`` section of the OpenAPI document for this collection."""
        from backo.openapi.document import collection_components

        return collection_components(self)

    # --- Neighbours ---------------------------------------------------------------

    def neighbour(self, name: str) -> Linked:
        """The documents of a collection, for links."""
        return self.get_other_collection(name).linked

    def store_of(self, name: str) -> DBConnector:
        """Where a collection keeps its items."""
        return self.get_other_collection(name).db_handler

    def mistakes(self) -> list[str]:
        """What is wrong with its selections and actions."""
        found = []
        for selection in self.selections.values():
            try:
                selection.check()
            except SSyntaxError as error:
                found.append(error.to_string())
        for action in self.actions.values():
            found += action.mistakes()
        return found

    def readable_ids(self, ids: Iterable[str]) -> frozenset[str]:
        """Which of these ids are there for the current user."""
        return frozenset(one["_id"] for one in self.visible.readable(ids))

    # --- Writing ------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The connector, written to as part of the unit of work in progress."""
        files = self.plan.file_root
        if files is None:
            return Store(self.db_handler)
        return FileStore(self.db_handler, files)

    def whole_unit(
        self, transaction_id: int | None = None
    ) -> AbstractContextManager[Unit]:
        """Around several operations on the store: the unit of work that makes them all
        or nothing, and that nobody else writes in between."""
        stores = self.links.stores() if self.links.kept else [self.db_handler]
        return unit_of_work(transaction_id, stores)

    def unit(
        self, transaction_id: int | None = None
    ) -> AbstractContextManager[Unit | None]:
        """Around a write: the unit of work that makes it all or nothing, where it may
        be more than one operation of the store."""
        if transaction_id is not None:
            return unit_of_work(transaction_id)
        if self.links.kept:
            return unit_of_work(stores=self.links.stores())
        if self.has_handlers or self.plan.file_root is not None:
            return unit_of_work(stores=[self.db_handler])
        return nullcontext()

    # --- Items, in Python ---------------------------------------------------------

    def new_item(self) -> Item:
        """An empty item of this collection; callable defaults come with ``create``."""
        self._compile()
        item = copy.copy(self.model)
        item.enable_permissions()
        return item

    def stored(self, _id: str) -> Document:
        """The document with that id as it is stored, whatever the current user may see.

        :raises NotFoundError: there is none, or ``refuse_filter`` refuses it.
        """
        return self.visible.stored(_id)

    def create(self, obj: Document, **kwargs: Any) -> Item:
        """Create and store an item; see :meth:`Item.create` for what it may raise."""
        item = self.new_item()
        item.create(obj, **kwargs)
        return item

    def get_by_id(self, _id: str, **kwargs: Any) -> Item:
        """The item with that id.

        :raises NotFoundError: there is none.
        :raises SRightError: the current user may not read it.
        """
        item = self.new_item()
        item.load(_id, **kwargs)
        return item

    def select(
        self,
        filter_for_selection: Any = None,
        *,
        sort: dict[str, int] | str | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> list[Item]:
        """The items that match a filter (a dict, a tuple or an SFilter) and that the
        current user may read, in the order of ``sort``, or else of their ids.

        :raises FilterError: the filter or the sort names an unknown field or operator.
        """
        if self.forbids("read"):
            return []
        return self.selections[ALL].select(filter_for_selection, limit, skip, sort)

    def select_one(self, filter_for_selection: Any) -> Item:
        """The one item that matches.

        :raises NotFoundError: none matches, or more than one does.
        """
        found = self.select(filter_for_selection, limit=2)
        if len(found) != 1:
            wrong = "more than one item matches" if found else "no item matches"
            raise NotFoundError(f"{self.name}: {wrong}")
        return found[0]

    def get_many(self, ids: Iterable[str]) -> list[Item]:
        """The items with these ids that the current user may read, in the order of the
        ids, each once."""
        if self.forbids("read"):
            return []
        return [self.visible.item_of(one) for one in self.visible.readable(ids)]

    def pointing_to(self, path: str, _id: str) -> list[Item]:
        """The items that hold ``_id`` in the reference at ``path``, as far as the
        current user may read them and that."""
        if self.forbids("read"):
            return []
        return [
            self.visible.item_of(one) for one in self.visible.pointing(path, [_id], 0)
        ]

    # --- Selections and actions ---------------------------------------------------

    def register_selection(self, selection_name: str, selection: Selection) -> None:
        """Have ``selection`` under that name.

        :raises FrozenError: routes have been built.
        :raises SSyntaxError: the name is not valid or is taken, or the selection names
            what the items do not have.
        """
        self._check_addition(selection_name, self.selections)
        if not isinstance(selection, Selection):
            raise SSyntaxError("{0}: {1} is no Selection", self.name, selection_name)
        selection.bind(selection_name, self)
        self.selections[selection_name] = selection

    add_selection = register_selection

    def register_action(self, name: str, action: Action) -> None:
        """Have ``action`` under that name.

        :raises FrozenError: routes have been built.
        :raises SSyntaxError: the name is not valid or is taken, or it is no Action.
        """
        self._check_addition(name, self.actions)
        if not isinstance(action, Action):
            raise SSyntaxError("{0}: {1} is no Action", self.name, name)
        self.actions[name] = Registered(name, action, self)

    add_action = register_action

    def _check_addition(self, name: str, there: Iterable[str]) -> None:
        if self.frozen:
            raise FrozenError(f"{self.name}: its routes are built, {name} is too late")
        if not NAME.fullmatch(name):
            wrong = '{0}: "{1}" is no name: letters, digits, _ and - only'
            raise SSyntaxError(wrong, self.name, name)
        # In the names of schemas and of clients' methods they would be the same.
        if component_name(name) in map(component_name, there):
            raise SSyntaxError("{0}: {1} is there already", self.name, name)

    def selection(self, name: str) -> Selection:
        """The selection of that name.

        :raises NotFoundError: there is none.
        """
        try:
            return self.selections[name]
        except KeyError:
            wrong = f"{self.name}: there is no selection {name!r:.100}"
            raise NotFoundError(wrong) from None

    def action(self, name: str) -> Registered:
        """The action of that name.

        :raises NotFoundError: there is none.
        """
        try:
            return self.actions[name]
        except KeyError:
            raise absent(self.name, name) from None

    def do_selection(
        self, _selection_name: str, parameters: Parameters | None = None
    ) -> Document:
        """A page of a selection: ``result`` (its rows), ``total``, ``_skip`` and
        ``_page``, as HTTP answers with.

        :param parameters: as of a query string: ``{"pages.$gt": "100", "_page": "5"}``,
            or pairs; None: those of the request in progress.
        :raises NotFoundError: there is no such selection.
        :raises SRightError: the current user may not read it.
        :raises FilterError: a parameter is not valid.
        """
        pairs = current_request().query if parameters is None else pairs_of(parameters)
        return self.selection(_selection_name).answer(pairs)

    def do_post_selection(
        self,
        _selection_name: str,
        body: Document | None = None,
        parameters: Parameters | None = None,
    ) -> Document:
        """Like :meth:`do_selection`, with a filter besides.

        :param body: the filter, as parsed JSON; None, and no ``parameters`` either:
            both are those of the request in progress.
        """
        if body is None and parameters is None:
            text = current_request().body
            body = loads(text) if text else None
            parameters = current_request().query
        return self.selection(_selection_name).answer(pairs_of(parameters or ()), body)

    def do_action(
        self,
        _action_name: str,
        _id: str,
        values: Document | None = None,
        **kwargs: Any,
    ) -> Any:
        """Do an action to an item; gives what the action gives, as plain values.

        :param values: the input.
        :raises NotFoundError: there is no such action, or no such item.
        :raises SRightError: the current user may not execute it.
        :raises SConstraintError, STypeError, SAttributeError: the input is not valid.
        """
        action = self.action(_action_name)
        # Each try reads it again.
        given = read_once(values or {}, action.plan.file_root)
        return action.run(_id, lambda: given, **kwargs).result

    # --- Migrations ---------------------------------------------------------------

    def migrate(
        self,
        migration_function: MigrationFunction | None = None,
        _ids: Iterable[str] | None = None,
        dry_run: bool = True,
        *,
        journal: str | os.PathLike[str] | None = None,
        progress: MigrationProgress = no_progress,
    ) -> MigrationReport:
        """Bring the documents with these ids, or all, to the present schema; with
        ``dry_run`` only tell what that would change.

        No document is changed before each one was found to be valid afterwards. Rights
        are not asked, and no handlers of events are called.

        :param migration_function: is given a stored document of its own, and gives the
            new one, or changes it in place and gives None. Without it there are only
            the defaults of new fields and the computed values.
        :param journal: a file for what is to be done: when the process is killed, the
            same call finishes what it has begun. It is removed in the end.
        :param progress: is handed each phase (``check``, ``write``), what it goes
            through and how many these are (None: not known), and hands them on.
        :raises MigrationError: it names all documents that cannot be migrated. Nothing
            has been changed; or, if its ``report`` is not None, all others are.
        :raises ConflictError: another process uses the journal, or it is of another
            migration.
        """
        office = "" if self._backoffice is None else self._backoffice.name
        migration = Migration(
            self, migration_function, office=office, progress=progress
        )
        return migration.run(_ids, dry_run=dry_run, journal=journal)

    # --- Questions about the declaration ------------------------------------------

    def get_meta(self, partial: Document | None = None) -> Document:
        """What the collection is: its items' schema, with ``exists`` and ``rights`` as
        they are for the current user; for an item holding ``partial`` when given."""
        item = self.new_item()
        if partial:
            item.fill_in(partial)
        return {
            "name": self.name,
            "description": self.description,
            "rights": {right: self.allows(right, item) for right in RIGHTS},
            "item": item_meta(self.plan.root, item),
            "actions": {
                one.name: one.get_meta(item)
                for one in self.actions.values()
                if one.allows("see", item)
            },
            "selections": {
                name: one.get_schema()
                for name, one in self.selections.items()
                if one.can_read()
            },
        }

    def meeting(self) -> tuple[Any, ...]:
        """How the current user meets the collection: what is told of it is the same for
        all of whom this is the same."""
        selections = (one.can_read() for one in self.selections.values())
        actions = (one.refused for one in self.actions.values())
        return (*self.answers(), *selections, *actions)

    def check(self, partial: Document, path: str) -> str | None:
        """What is wrong with the value at ``path`` in an item that is still being
        written; None when nothing is. Of a file that is only told of, as it was
        answered, the content is not looked at.

        :raises ValidationError: there is no such field.
        """
        plan = self.seen.plan
        located = plan.locate(path)
        if located is None or located.field.unreadable:
            raise ValidationError([Fault("$.path", "names no field", "path_not_found")])
        wanted = located.field.path
        for fault in faults_in(partial, self.seen.models.update, plan):
            if covers(wanted, re.sub(r"\[\d+\]", "[*]", fault.path)):
                return fault.message
        for fault in self.links.unknown(None, partial):
            if fault.path == f"$.{located.field.dotted}":
                return fault.message
        item = self.new_item()
        for fault in item.fill_in(partial):
            if covers(wanted, re.sub(r"\[\d+\]", "[*]", fault.path)):
                return fault.message
        node = item.select(f"$.{located.field.dotted}")
        if not isinstance(node, GenericType):
            return None
        try:
            node.check_value()
        except VALUE_ERRORS as error:
            return stricto_faults(error)[0].message
        return None
