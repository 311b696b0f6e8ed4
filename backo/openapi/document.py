"""The whole OpenAPI 3.1 document of a backoffice."""

from collections.abc import Mapping
from typing import Any

from backo.backoffice import Backoffice
from backo.collection import Collection
from backo.errors import SSyntaxError
from backo.http.described import Tell, declared
from backo.http.endpoints import Endpoint, collection_rows
from backo.openapi.routes import paths
from backo.openapi.schemas import collection_schemas, common_schemas

__all__ = ["collection_components", "collection_paths", "components", "document"]

type Schema = dict[str, Any]


def document(
    office: Backoffice,
    rows: tuple[Endpoint, ...],
    schemes: Mapping[str, Schema] | None = None,
    tell: Tell = declared,
) -> Schema:
    """The document of these rows of ``office``, which are those of what ``tell`` tells
    of each collection.

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
        "components": {"schemas": components(office, tell), **described},
    }


def _tags(office: Backoffice, rows: tuple[Endpoint, ...]) -> list[Schema]:
    """A tag for the backoffice, and one for each collection that has operations."""
    described = {office.name: f"About {office.name} itself"}
    for one in office.collections.values():
        if any(row.tag == one.name for row in rows):
            described[one.name] = one.description or f"The items of {one.name}"
    return [{"name": name, "description": text} for name, text in described.items()]


def components(office: Backoffice, tell: Tell = declared) -> dict[str, Schema]:
    """Every component schema of what ``tell`` tells of, sorted by name.

    :raises SSyntaxError: two collections would have schemas of one name.
    """
    told = [tell(one) for one in office.collections.values()]
    used = [one for one in told if one.used]
    results = any(action.result is None for one in used for action in one.actions)
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
    return paths(collection_rows(declared(collection), collection.backoffice, ""))


def collection_components(collection: Collection) -> dict[str, Schema]:
    """The component schemas of one collection."""
    return collection_schemas(declared(collection))
