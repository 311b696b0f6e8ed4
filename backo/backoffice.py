"""Backoffice: the application itself, a set of collections served together."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from backo.collection import Collection
from backo.connectors.base import DBConnector
from backo.errors import FrozenError, SSyntaxError
from backo.schema.models import component_name

if TYPE_CHECKING:
    from fastapi import APIRouter
    from flask import Flask

__all__ = ["Backoffice"]

MIB = 1024 * 1024


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
    :param max_body_size: bytes a request's body may have.
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
        self.collections: dict[str, Collection] = {}
        self.frozen = False
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

    def get_meta(self) -> dict[str, Any]:
        """What the backoffice is: its name, and the meta structure of each collection
        the current user may see."""
        return {
            "name": self.name,
            "version": self.version,
            "collections": [
                one.get_meta()
                for one in self.collections.values()
                if not one.forbids("read")
            ],
        }

    def freeze(self) -> None:
        """Compile everything and allow no change of any schema from now on."""
        with self._freezing:
            for one in self.collections.values():
                one.item_needed  # noqa: B018 - computed now, so that requests only read
            self.frozen = True

    def router(
        self, prefix: str = "", jwt_auth: Callable[..., Any] | None = None
    ) -> "APIRouter":
        """A FastAPI router with every route, for ``app.include_router(...)``.

        :param prefix: comes before the backoffice's name in every path.
        :param jwt_auth: called before each request is handled: it sets
            ``current_user`` or refuses.
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

    def get_openapi(self, prefix: str = "") -> dict[str, Any]:
        """The OpenAPI 3.1 document of every route, below ``prefix``."""
        from backo.openapi.ui import ApiPages

        return ApiPages(self, prefix).described


def _mixes(one: DBConnector, other: DBConnector) -> bool:
    """Whether both keep all their documents in one place."""
    restricted = one.restriction is not None or other.restriction is not None
    return not restricted and one.place() == other.place()
