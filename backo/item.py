"""Item: the declaration of a collection's objects, and each of those objects."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import Enum
from typing import Any, Protocol

from backo.connectors.store import Store
from backo.documents import carry_unknown, encode, known_values, merge_changes
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    ChangedError,
    Fault,
    FrozenError,
    SSyntaxError,
)
from backo.files.items import read_once, separate, staged_of
from backo.files.structures import judged
from backo.metadata import GenericMetaDataHandler, StandardMetaDataHandler
from backo.references.maintenance import Links
from backo.references.reading import reading_once
from backo.schema.meta import item_meta
from backo.schema.plan import ItemPlan
from backo.schema.types import Dict, GenericType, String
from backo.transaction import Unit, current_unit, tried_again

__all__ = ["ATTEMPTS", "Home", "Item", "Life"]

ATTEMPTS = 50
"""How often a change is tried again when others change the same item meanwhile."""


class Life(Enum):
    """Where an Item is in its life."""

    UNSET = "unset"
    SAVED = "saved"
    UNSAVED = "unsaved"


class Home(Protocol):
    """What an Item needs of its collection."""

    name: str
    db_handler: Any

    @property
    def plan(self) -> ItemPlan: ...

    @property
    def frozen(self) -> bool: ...

    def new_item(self) -> "Item": ...

    def stored(self, _id: str) -> dict[str, Any]: ...

    def judges(self, right: str) -> bool: ...

    def require(self, right: str, item: "Item") -> None: ...

    @property
    def store(self) -> Store: ...

    @property
    def links(self) -> Links: ...

    def unit(
        self, transaction_id: int | None = None
    ) -> AbstractContextManager[Unit | None]: ...


class Item(Dict):
    """An object of a collection: typed fields, and a life in the collection's store.

    ``_id`` is added to every Item, and what ``meta_data_handler`` adds (``_meta``;
    ``None``: nothing). Other options are those of a Dict. Once in a collection:
    UNSET → ``create`` or ``load`` → SAVED → any change → UNSAVED → ``save`` → SAVED.

    :raises SSyntaxError: the schema has a field of a name that backo adds itself.
    """

    meta_data_handler: GenericMetaDataHandler

    def __init__(
        self,
        schema: dict[str, Any],
        *,
        meta_data_handler: GenericMetaDataHandler | None = StandardMetaDataHandler(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        handler = meta_data_handler or GenericMetaDataHandler()
        _id = String(can_modify=False, description="The item's id")
        added = {"_id": _id, **handler.fields()}
        for name in added:
            if name in schema:
                raise SSyntaxError("$.{0}: backo adds this field itself", name)
        added_last = {name: node for name, node in added.items() if name != "_id"}
        super().__init__({"_id": _id, **schema, **added_last}, **kwargs)
        self.__dict__.update(
            meta_data_handler=handler,
            _life=Life.UNSET,
            _home=None,
            _document=None,
            _revision=0,
            _granted=False,
            _staged=[],
            _added=tuple(added),
        )

    def _node_schema_changes(self) -> None:
        home = self.__dict__.get("_home")
        if home is not None and home.model is self:
            if home.frozen:
                raise FrozenError(
                    f"{home.name}: its routes are built, the schema is set"
                )
            self.__dict__["_revision"] += 1

    @property
    def life(self) -> Life:
        """Where the item is in its life."""
        life: Life = self.__dict__["_life"]
        return life

    @property
    def document(self) -> dict[str, Any] | None:
        """The stored document as it was read or written last; None while unset."""
        document: dict[str, Any] | None = self.__dict__["_document"]
        return document

    def create(
        self, obj: dict[str, Any], *, unasked: bool = False, **kwargs: Any
    ) -> None:
        """Fill the item with ``obj`` and store it as a new one.

        ``kwargs`` (``transaction_id``, ``m_path``, …) reach the event handlers.
        ``unasked``: whoever the current user is, no right is asked for.

        :raises BackoError: the item is set already.
        :raises DBError: the id is already there, or the store failed.
        :raises SRightError: the current user may not create it, or not set a field.
        :raises SConstraintError, STypeError, SAttributeError: it breaks the schema.
        """
        self._expect(Life.UNSET, "create")
        obj = read_once(obj, self._at_home().plan.file_root)
        rights = self._rights_off() if unasked else nullcontext()
        with rights:
            self._write(kwargs, lambda known: self._create(obj, known, unasked=unasked))

    def _create(
        self, obj: dict[str, Any], kwargs: dict[str, Any], *, unasked: bool
    ) -> None:
        home = self._at_home()
        given = {key: value for key, value in obj.items() if key != "_id"}
        self.__dict__["_node_fresh"] = True
        self.set(given)
        if not unasked:
            home.require("create", self)
        self.trigg("before_save", **kwargs)
        document = self._to_store(created=True)
        if obj.get("_id") is not None:
            document["_id"] = _id_of(obj["_id"])
        home.links.require(None, document, unasked=unasked)
        document = {"_id": home.store.create(document), **document}
        self._accept(document)
        self._follow(None, document, kwargs)
        self.trigg("saved", **kwargs)
        self.trigg("created", **kwargs)

    def load(self, _id: str, **kwargs: Any) -> None:
        """Read the item with that id from the store.

        :raises BackoError: the item is set already.
        :raises NotFoundError: there is none.
        :raises SRightError: the current user may not read it.
        """
        self._expect(Life.UNSET, "load")
        home = self._at_home()
        transaction_id = kwargs.get("transaction_id")
        inside = nullcontext() if transaction_id is None else home.unit(transaction_id)
        try:
            with inside:
                self.arrive(home.stored(_id_of(_id)), **kwargs)
                home.require("read", self)
        except Exception:
            self._take_over(home.new_item())
            raise

    def reload(self, **kwargs: Any) -> None:
        """Read the item again from the store; unsaved changes are lost.

        :raises BackoError: the item is unset.
        :raises NotFoundError: it is no longer there.
        """
        self._expect_set("reload")
        fresh = self._at_home().new_item()
        fresh.load(self.__dict__["_document"]["_id"], **kwargs)
        self._take_over(fresh)

    def save(self, **kwargs: Any) -> None:
        """Store the item. What others changed meanwhile, in other fields, stays.

        :raises BackoError: the item is unset.
        :raises SRightError: the current user may not modify it.
        :raises ConflictError: others changed it again and again.
        """
        self.save_over(None, **kwargs)

    def save_over(
        self,
        expected: dict[str, Any] | None,
        *,
        unasked: bool = False,
        settled: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Like :meth:`save`; with ``expected``, only while the stored document is that.
        ``unasked``: a link is kept right, whoever the current user is. ``settled``: the
        links of this document have their other halves; only those that handlers change
        besides are to be followed.

        :raises ChangedError: it is another.
        """
        self._expect_set("save")
        home = self._at_home()

        def save(known: dict[str, Any]) -> None:
            if not unasked and not self.__dict__["_granted"]:
                home.require("modify", self)
                if home.judges("modify"):
                    home.require("modify", self._as_stored())
            self._save(expected, known, unasked=unasked, settled=settled)

        self._write(kwargs, save)

    def _save(
        self,
        expected: dict[str, Any] | None,
        kwargs: dict[str, Any],
        *,
        unasked: bool,
        settled: dict[str, Any] | None,
    ) -> None:
        home = self._at_home()
        self.trigg("before_save", **kwargs)
        before = self.__dict__["_document"]
        after = self._to_store(created=False)
        if expected is not None and expected != before:
            raise ChangedError(f"{home.name}: the item has been changed meanwhile")
        if not unasked:
            home.links.require(before, after)
        before, after = self._replace(before, after, once=expected is not None)
        self._accept(after)
        self._follow(before if settled is None else settled, after, kwargs)
        self.trigg("saved", **kwargs)

    @contextmanager
    def granted(self) -> Iterator[None]:
        """Inside, the current user may save the item whatever the collection's
        ``can_modify`` says: something else has allowed the change."""
        self.__dict__["_granted"] = True
        try:
            yield
        finally:
            self.__dict__["_granted"] = False

    def delete(self, **kwargs: Any) -> None:
        """Delete the item from the store; afterwards it is unset.

        :raises BackoError: the item is unset.
        :raises NotFoundError: it is no longer there.
        :raises SRightError: the current user may not delete it.
        """
        self.delete_over(None, **kwargs)

    def delete_over(self, expected: dict[str, Any] | None, **kwargs: Any) -> None:
        """Like :meth:`delete`; with ``expected``, only while that is what is stored.

        :raises ChangedError: it is another.
        """
        self._expect_set("delete")
        home = self._at_home()
        home.require("delete", self._as_stored() if home.judges("delete") else self)
        self._write(kwargs, lambda known: self._delete(expected, known))

    def _delete(self, expected: dict[str, Any] | None, kwargs: dict[str, Any]) -> None:
        home = self._at_home()
        self.trigg("before_delete", **kwargs)
        document = self.__dict__["_document"]
        _id = document["_id"]
        if expected is None:
            document = home.stored(_id)
        work = home.links.of_deletion(document)
        if expected is None:
            home.store.delete_by_id(_id)
        elif not home.store.compare_and_delete(_id, expected):
            raise ChangedError(f"{home.name}: the item has been changed meanwhile")
        self.__dict__["_life"] = Life.UNSET
        self.__dict__["_document"] = None
        home.links.execute(work, **kwargs)

    def _write(
        self, kwargs: dict[str, Any], write: Callable[[dict[str, Any]], None]
    ) -> None:
        def once() -> None:
            with self._writing(kwargs) as known:
                write(known)

        tried_again(once, kwargs.get("transaction_id"))
        self.__dict__["_staged"] = []

    @contextmanager
    def _writing(self, kwargs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Around a write: a unit of work where one is needed. When it fails, the item
        is as before; what the caller set stays."""
        document, life = self.document, self.life
        try:
            with self._at_home().unit(kwargs.get("transaction_id")) as unit:
                yield kwargs if unit is None else {**kwargs, "transaction_id": unit.id}
        except Exception:
            if self.__dict__["_document"] is not document:
                self._go_back(document, life)
            raise

    def _follow(
        self,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        kwargs: dict[str, Any],
    ) -> None:
        """Keep the other halves of the item's links right."""
        settled = self._at_home().links.follow(before, after, **kwargs)
        if settled is not after:
            self.read_from(settled)

    def select(self, selector_as_string: str) -> Any:
        """What an RFC 9535 path selects, through references too: a node, a list of
        nodes, or None."""
        with reading_once():
            return super().select(selector_as_string)

    def multi_select(self, selector_as_list_of_string: list[str]) -> Any:
        """What each of several paths selects; no other item is read twice for it."""
        with reading_once():
            return super().multi_select(selector_as_list_of_string)

    def get_current_meta(self, parent: dict[str, Any] | None = None) -> dict[str, Any]:
        """The schema with ``exists`` and ``rights`` as they are for this item and the
        current user; what the user may not read is not in it."""
        home: Home | None = self.__dict__["_home"]
        if home is None:
            without: dict[str, Any] = super().get_current_meta(parent)
            return without
        return item_meta(home.plan.root, self)

    def view(self, name: str) -> dict[str, Any]:
        """The document that the view shows of this item, for the current user.

        :raises KeyError: the view shows nothing at all.
        """
        shown: dict[str, Any] = encode(self, self._at_home().plan.view(name))
        return shown

    def whole(self) -> dict[str, Any]:
        """The document of all that there is, computed values included, whoever may read
        what of it."""
        with self._rights_off():
            document: dict[str, Any] = encode(self, self._at_home().plan.root)
        return document

    def end_record(self) -> bool:
        """stricto's end of an update: from here on, changes wait to be saved."""
        changed = self._changes is not None and self._changes.has_changes_in_session()
        if changed and self.life is Life.SAVED:
            self.__dict__["_life"] = Life.UNSAVED
        return bool(super().end_record())

    def check_value(self) -> None:
        """stricto's check of every field. List elements made since the rights were
        switched on get them first. What comes from a store is not checked."""
        if self.__dict__.get("_loading"):
            return
        if self._permissions.get_permissions_status():
            self.enable_permissions()
        super().check_value()

    def _expect(self, life: Life, doing: str) -> None:
        if self.life is not life:
            raise BackoError(f"cannot {doing}: the item is {self.life.value}")

    def _expect_set(self, doing: str) -> None:
        if self.life is Life.UNSET:
            raise BackoError(f"cannot {doing}: the item is unset")

    @property
    def at_home(self) -> bool:
        """Whether it belongs to a collection."""
        return self.__dict__["_home"] is not None

    def _at_home(self) -> Home:
        home: Home | None = self.__dict__["_home"]
        if home is None:
            raise BackoError(
                "the item belongs to no collection; use collection.new_item()"
            )
        return home

    def arrive(self, document: dict[str, Any], **kwargs: Any) -> None:
        """Become what ``document`` says, and tell the handlers of ``loaded``; of the
        unit of work in progress too, if there is one."""
        self.read_from(document)
        unit = current_unit()
        known = {} if unit is None else {"transaction_id": unit.id}
        self.trigg("loaded", **{**known, **kwargs})

    def read_from(self, document: dict[str, Any]) -> None:
        """Become what ``document``, already read from the store, says; rights and
        events are left to the caller.

        Only types are checked: what breaks a bound or a constraint that came later can
        be read, and mended.

        :raises BackoError: a value is of the wrong type.
        """
        home = self._at_home()
        with self._rights_off():
            self.__dict__.update(_loading=True, _node_fresh=True)
            try:
                self._restore(document)
            except VALUE_ERRORS as error:
                raise BackoError(
                    f"{home.name}/{document.get('_id')}: what is stored breaks the "
                    f"schema: {error}"
                ) from error
            finally:
                self.__dict__["_loading"] = False
        self.start_record()
        self.__dict__["_document"] = document
        self.__dict__["_life"] = Life.SAVED

    def overwrite(self, document: dict[str, Any]) -> None:
        """Be what ``document`` says from now on, to be saved; rights are not asked.

        :raises SConstraintError: it breaks the schema.
        """
        with self._rights_off():
            self._restore(document)

    def _restore(self, document: dict[str, Any]) -> None:
        """Set what a document says, which has been transformed already."""
        with self._node_untransformed():
            self.set(known_values(document, self._at_home().plan.root))

    def restore(self, values: dict[str, Any]) -> None:
        """Hold what a document says, with defaults and computed values; it has been
        transformed already.

        :raises SConstraintError, STypeError, SAttributeError: it breaks the schema.
        """
        self.__dict__["_node_fresh"] = True
        with self._node_untransformed():
            self.set(values)

    def check_stored(self) -> None:
        """Check all of the item, whoever may read what of it.

        :raises SConstraintError, STypeError: it breaks the schema.
        """
        with self._rights_off():
            self.check_value()

    def fill_in(self, values: dict[str, Any]) -> list[Fault]:
        """Hold ``values`` as far as they go, unchecked, and what can be computed of
        them: for questions about an item that is still being written. Gives what is
        wrong with the contents of its files; none of them is written anywhere."""
        files, faults = self._at_home().plan.file_root, list[Fault]()
        if files is not None:
            values, faults = judged(values, files)
        self.__dict__["_tried"] = True
        with self._rights_off():
            _hold(self, known_values(values, self._at_home().plan.root))
            with suppress(*VALUE_ERRORS):
                self._node_estimate()
        return faults

    def _to_store(self, *, created: bool) -> dict[str, Any]:
        root, files = self._at_home().plan.view("save"), self._at_home().plan.file_root
        with self._rights_off():
            if files is not None:
                separate(self, files)
            document: dict[str, Any] = encode(self, root)
        before = self.__dict__["_document"]
        if before is not None:
            document = carry_unknown(before, document, self._at_home().plan.root)
        elif document.get("_id") is None:
            document.pop("_id", None)
        self.meta_data_handler.stamp(document, created=created)
        return document

    def _replace(
        self, before: dict[str, Any], after: dict[str, Any], *, once: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Store ``after`` over ``before``, merging what others stored meanwhile; gives
        both as they were when it succeeded."""
        home = self._at_home()
        _id = before["_id"]
        for _ in range(ATTEMPTS):
            if home.store.compare_and_set(_id, before, after):
                return before, after
            if once:
                break
            current = home.stored(_id)
            merged = home.new_item()
            merged.read_from(merge_changes(before, after, current, home.plan.root))
            merged.check_stored()
            # What is staged is wanted again, if the unit of work is tried again.
            self.__dict__["_staged"] += staged_of(self, home.plan.file_root)
            self._take_over(merged)
            before, after = current, self._to_store(created=False)
        raise ChangedError(f"{home.name}: the item has been changed meanwhile")

    def _accept(self, document: dict[str, Any]) -> None:
        """Be saved as ``document``: take over what the store and the handler added."""
        with self._rights_off():
            for name in self.__dict__["_added"]:
                self.__dict__[name].set_value(document[name])
        self.__dict__["_document"] = document
        self.__dict__["_life"] = Life.SAVED

    def _as_stored(self) -> "Item":
        """The item as it was read or written last."""
        item = self._at_home().new_item()
        item.read_from(self.__dict__["_document"])
        return item

    def _go_back(self, document: dict[str, Any] | None, life: Life) -> None:
        """Be as before a write that was undone; what the caller set stays."""
        self.__dict__["_document"] = document
        model = self._at_home().new_item() if document is None else self._as_stored()
        for name in self.__dict__["_added"]:
            self._put(name, model.__dict__[name])
        self.__dict__["_life"] = life

    def _take_over(self, other: "Item") -> None:
        """Become what ``other`` is."""
        for key in self.keys():
            self._put(key, other.__dict__[key])
        self.__dict__["_document"] = other.__dict__["_document"]
        self.__dict__["_life"] = other.life

    def _put(self, key: str, node: Any) -> None:
        """Have a copy of ``node`` as the field ``key``."""
        mine = copy.copy(node)
        mine.__dict__["_parent"] = self
        self.__dict__[key] = mine

    @contextmanager
    def _rights_off(self) -> Iterator[None]:
        enabled = self._permissions.get_permissions_status()
        self.disable_permissions()
        try:
            yield
        finally:
            if enabled:
                self.enable_permissions()


def _id_of(given: Any) -> Any:
    """An id as stores know it, given as text or as the ``_id`` of an item."""
    return given.get_value() if isinstance(given, GenericType) else given


def _hold(node: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        below = node.__dict__[key]
        try:
            below.set_value(value)
        except VALUE_ERRORS:
            if isinstance(value, dict) and isinstance(below, Dict):
                _hold(below, value)
