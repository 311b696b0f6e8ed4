"""Backoffice: the application itself, a set of collections served together."""

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from backo import transaction
from backo.collection import Collection
from backo.connectors.base import DBConnector, Document, Query
from backo.current_user import CurrentUser, current_user
from backo.errors import VALUE_ERRORS, FrozenError, SSyntaxError
from backo.files.sweeping import GRACE, FileReport, swept
from backo.log import log_system
from backo.migration import (
    MigrationProgress,
    MigrationReport,
    no_progress,
)
from backo.references.checking import BrokenLink, Progress, broken_links
from backo.references.graph import Graph
from backo.references.work import RefusedEditError
from backo.schema.models import component_name
from backo.schema.plan import ItemPlan
from backo.transformation import MigrationFunction

if TYPE_CHECKING:
    from fastapi import APIRouter
    from flask import Flask

__all__ = ["Backoffice"]

_logger = log_system.get_or_create_logger("backoffice")

MIB = 1024 * 1024


def _silent(_name: str, documents: Iterable[Document]) -> Iterable[Document]:
    return documents


class Backoffice:
    """Collections under one name, one set of routes and one OpenAPI document.

    A collection is an attribute: ``backoffice.users``. All of it works without any
    route, as a data layer.

    :param name: the first step of every path: letters, digits, ``_`` and ``-``.
    :param version: of the API, in its document.
    :param info: more of the document's ``info``: ``description``, ``contact``,
        ``license``, … as OpenAPI names them.
    :param page_size: rows a list answers with when none are asked for.
    :param max_page_size: rows a caller may ask for at most.
    :param max_body_size: bytes a request's body may have that is no form.
    :param max_upload_size: bytes a form (``multipart/form-data``) may have in all.
    :param max_parts: parts it may have.
    :raises SSyntaxError: the name is not valid.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "1.0.0",
        info: Mapping[str, Any] | None = None,
        page_size: int = 10,
        max_page_size: int = 1000,
        max_body_size: int = MIB,
        max_upload_size: int = 100 * MIB,
        max_parts: int = 100,
    ) -> None:
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise SSyntaxError(
                '"{0}" is no name for a backoffice: letters, digits, _ and - only', name
            )
        self.name = name
        self.version = version
        self.info = dict(info or {})
        self.page_size = page_size
        self.max_page_size = max_page_size
        self.max_body_size = max_body_size
        self.max_upload_size = max_upload_size
        self.max_parts = max_parts
        self.collections: dict[str, Collection] = {}
        self.frozen = False
        self._graph: Graph | None = None
        self._freezing = threading.Lock()

    def __repr__(self) -> str:
        return f"Backoffice({self.name!r})"

    def __getattr__(self, name: str) -> Collection:
        try:
            return self.__dict__["collections"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(
                f'"{name}" is no attribute and no collection of this backoffice'
            ) from None

    def register_collection(self, coll: Collection) -> None:
        """Add a collection.

        :raises FrozenError: the routes have been built.
        :raises SSyntaxError: the name, or its form in the document, is taken already,
            or another collection keeps its items in the same place and neither has a
            ``restriction``.
        """
        if self.frozen:
            raise FrozenError(
                f"{coll.name}: the routes of {self.name} are built already"
            )
        if coll.name in self.__dict__ or hasattr(type(self), coll.name):
            raise SSyntaxError(
                "{0}: no collection can have the name of an attribute of Backoffice",
                coll.name,
            )
        for other in self.collections.values():
            if component_name(other.name) == component_name(coll.name):
                raise SSyntaxError(
                    "{0}: {1} has a collection {2} already",
                    coll.name,
                    self.name,
                    other.name,
                )
            if _mixes(coll.db_handler, other.db_handler):
                raise SSyntaxError(
                    "{0}: would mix its items with those of {1}, which are kept in the"
                    " same place",
                    coll.name,
                    other.name,
                )
        coll.bind(self)
        self.collections[coll.name] = coll

    add_collection = register_collection

    def collection(self, name: str) -> Collection:
        """The collection of that name.

        :raises SSyntaxError: there is none.
        """
        try:
            return self.collections[name]
        except KeyError:
            raise SSyntaxError("{0} has no collection {1}", self.name, name) from None

    @property
    def graph(self) -> Graph:
        """Which fields of its collections point to which; it follows the schemas."""
        plans = {name: one.plan for name, one in self.collections.items()}
        known = self._graph
        if known is None or not _same(known.plans, plans):
            known = self._graph = Graph(plans)
        return known

    def check_syntax(self) -> list[str]:
        """Find all mistakes in the references and selections of all collections, before
        any request: each is logged as a warning and is in the list. Handlers of
        ``check_syntax`` in the schemas are called too."""
        for one in self.collections.values():
            one.model.trigg("check_syntax")
        mistakes = self._mistakes()
        for mistake in mistakes:
            _logger.warning(mistake)
        return mistakes

    def _mistakes(self) -> list[str]:
        wrong = [str(mistake) for mistake in self.graph.mistakes]
        for one in self.collections.values():
            wrong.extend(one.mistakes())
        return wrong

    def check_references(
        self, repair: bool = False, progress: Progress = _silent
    ) -> list[BrokenLink]:
        """Find the links of which a half is missing or leads nowhere; with ``repair``,
        mend them.

        A missing half is made; where another item has its place already, and where an
        item is not there, the half that is left is taken away. Nobody else writes
        meanwhile. What a schema does not allow to be mended stays, and is in the list
        with ``repaired`` false.

        :param progress: is handed each collection's name and documents, and hands them
            on: for a progress bar.
        """
        graph = self.graph
        stores = [one.db_handler for one in self.collections.values()]
        with transaction.unit_of_work(stores=stores) if repair else nullcontext():
            found = broken_links(
                graph,
                {
                    name: progress(name, one.db_handler.find(Query()))
                    for name, one in self.collections.items()
                },
            )
            return [self._mended(link) for link in found] if repair else found

    def _mended(self, link: BrokenLink) -> BrokenLink:
        (name, _id), edit = link.mend
        try:
            with transaction.unit_of_work():
                self.collections[name].linked.relink(_id, [edit])
        except (RefusedEditError, *VALUE_ERRORS) as error:
            _logger.warning("%s, and cannot be repaired: %s", link, error)
            return link
        return dataclasses.replace(link, repaired=True)

    def check_files(
        self,
        older_than: timedelta = GRACE,
        delete: bool = False,
        progress: Progress = _silent,
    ) -> FileReport:
        """Find contents of files that no item has, and files of items whose content is
        missing. Nothing else may keep contents in the stores that the file fields name.

        :param older_than: what was written later is no orphan: it may be an upload in
            progress.
        :param delete: remove the orphans, and uploads that were cut short; before that
            the documents are read once more, while nobody writes.
        :param progress: as of :meth:`check_references`.
        :raises BackoError: the store of a collection hides items.
        """
        return swept(self.collections, older_than, progress, delete=delete)

    def migrate(
        self,
        collection_name: str,
        migration_function: MigrationFunction | None = None,
        *,
        _id: str | Iterable[str] | None = None,
        _ids: Iterable[str] | None = None,
        dry_run: bool = True,
        journal: str | os.PathLike[str] | None = None,
        progress: MigrationProgress = no_progress,
    ) -> MigrationReport:
        """Bring the documents of a collection to its present schema: all, or those that
        ``_id`` or ``_ids`` name. See :meth:`Collection.migrate`.

        :raises SSyntaxError: there is no such collection.
        """
        asked = _ids if _id is None else [_id] if isinstance(_id, str) else _id
        if _id is not None and _ids is not None:
            raise SSyntaxError("migrate takes _id or _ids, not both")
        return self.collection(collection_name).migrate(
            migration_function, asked, dry_run, journal=journal, progress=progress
        )

    def start_transaction(self) -> int:
        """Begin a transaction; what is given its id as ``transaction_id=`` belongs to
        it, until :meth:`stop_transaction` or :meth:`rollback_transaction`."""
        return transaction.start()

    def stop_transaction(self, transaction_id: int) -> None:
        """Make everything that was done in the transaction hold.

        :raises BackoError: there is no such transaction, or it has ended.
        """
        transaction.stop(transaction_id)

    def rollback_transaction(self, transaction_id: int) -> None:
        """Undo everything that was done in the transaction.

        :raises BackoError: there is no such transaction, or it has ended.
        """
        transaction.rollback(transaction_id)

    def transaction(self) -> AbstractContextManager[transaction.Unit]:
        """A context in which all writes hold, or, when anything is raised, none."""
        return transaction.unit_of_work()

    def get_meta(self) -> dict[str, Any]:
        """What the backoffice is: its name, and the meta structure of each collection
        the current user may see."""
        return {
            "name": self.name,
            "version": self.version,
            "collections": [
                one.get_meta()
                for one in self.collections.values()
                if not one.seen.closed and not one.forbids("read")
            ],
        }

    def freeze(self) -> None:
        """Compile everything and allow no change of any schema from now on.

        :raises SSyntaxError: a reference or a selection is wrong.
        """
        mistakes = self._mistakes()
        if mistakes:
            raise SSyntaxError("{0}", "; ".join(mistakes))
        with self._freezing:
            for one in self.collections.values():
                _ = one.asks  # Computed now, so that requests only read.
            self.frozen = True

    def router(
        self, prefix: str = "", jwt_auth: Callable[..., Any] | None = None
    ) -> "APIRouter":
        """A FastAPI router with every route, for ``app.include_router(...)``.

        :param prefix: comes before the backoffice's name in every path.
        :param jwt_auth: a ``JWTAuth``, or called before each request is handled: it
            sets ``current_user`` or refuses.
        """
        from backo.adapters.fastapi import build_router

        self.freeze()
        return build_router(self, prefix, jwt_auth)

    def build_routes(
        self,
        flask_app: "Flask",
        prefix: str = "",
        jwt_auth: Callable[..., Any] | None = None,
    ) -> None:
        """Add every route to a Flask application; parameters as in :meth:`router`."""
        from backo.adapters.flask import build_routes

        self.freeze()
        build_routes(self, flask_app, prefix, jwt_auth)

    def get_openapi(
        self,
        prefix: str = "",
        jwt_auth: Callable[..., Any] | None = None,
        *,
        user: CurrentUser | dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The OpenAPI 3.1 document of every route, below ``prefix``, as ``jwt_auth``
        guards them.

        :param user: only of what this one may use and read, as ``_openapi`` answers
            with: a CurrentUser, or a dict for ``current_user.set``.
        """
        from backo.openapi.ui import ApiPages

        pages = ApiPages(self, prefix, jwt_auth)
        if user is None:
            return pages.described
        with current_user.acting_as(user):
            return pages.for_user()


def _same(one: Mapping[str, ItemPlan], other: Mapping[str, ItemPlan]) -> bool:
    return list(one) == list(other) and all(one[name] is other[name] for name in one)


def _mixes(one: DBConnector, other: DBConnector) -> bool:
    """Whether both keep all their documents in one place."""
    restricted = one.restriction is not None or other.restriction is not None
    return not restricted and one.place() == other.place()
