"""The whole OpenAPI 3.1 document of a backoffice."""

from collections.abc import Mapping
from typing import Any

from backo.backoffice import Backoffice
from backo.collection import Collection
from backo.errors import SSyntaxError
from backo.http.endpoints import Endpoint, collection_rows
from backo.openapi.routes import paths
from backo.openapi.schemas import collection_schemas, common_schemas

__all__ = ["collection_paths", "components", "document"]

type Schema = dict[str, Any]


def document(
    office: Backoffice,
    rows: tuple[Endpoint, ...],
    schemes: Mapping[str, Schema] | None = None,
) -> Schema:
    """The document of these rows of ``office``.

    :param schemes: the security schemes that rows name.
    """
    described = {"securitySchemes": dict(schemes)} if schemes else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": office.name,
            "version": office.version,
            "description": f"The API of {office.name}",
            **office.info,
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "security": [{name: []} for name in schemes or ()],
        "tags": _tags(office, rows),
        "paths": paths(rows),
        "components": {"schemas": components(office), **described},
    }


def _tags(office: Backoffice, rows: tuple[Endpoint, ...]) -> list[Schema]:
    """A tag for the backoffice, and one for each collection that has operations."""
    described = {office.name: f"About {office.name} itself"}
    for one in office.collections.values():
        if any(row.tag == one.name for row in rows):
            described[one.name] = one.description or f"The items of {one.name}"
    return [{"name": name, "description": text} for name, text in described.items()]


def components(office: Backoffice) -> dict[str, Schema]:
    """Every component schema, sorted by name.

    :raises SSyntaxError: two collections would have schemas of one name.
    """
    used = [one for one in office.collections.values() if collection_paths(one)]
    results = any(
        action.result is None and not action.forbidden
        for collection in used
        for action in collection.actions.values()
    )
    schemas = common_schemas(empty=not used, results=results)
    for collection in used:
        added = collection_schemas(collection)
        for name in added.keys() & schemas.keys():
            raise SSyntaxError(
                "{0}: another collection has the schema {1} too", collection.name, name
            )
        schemas |= added
    return dict(sorted(schemas.items()))


def collection_paths(collection: Collection) -> dict[str, Schema]:
    """The paths of one collection, without any prefix."""
    return paths(collection_rows(collection, collection.backoffice, ""))
