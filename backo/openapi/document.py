"""The whole OpenAPI 3.1 document of a backoffice."""

from typing import Any

from backo.backoffice import Backoffice
from backo.collection import Collection
from backo.http.endpoints import Endpoint, collection_rows
from backo.openapi.routes import paths
from backo.openapi.schemas import collection_schemas, common_schemas

__all__ = ["collection_paths", "components", "document"]

type Schema = dict[str, Any]


def document(office: Backoffice, rows: tuple[Endpoint, ...]) -> Schema:
    """The document of these rows of ``office``."""
    tags = [{"name": office.name, "description": f"About {office.name} itself"}]
    tags += [
        {"name": one.name, "description": one.description or f"The items of {one.name}"}
        for one in office.collections.values()
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": office.name,
            "version": office.version,
            "description": f"The API of {office.name}",
            **office.info,
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "security": [],
        "tags": tags,
        "paths": paths(rows),
        "components": {"schemas": components(office)},
    }


def components(office: Backoffice) -> dict[str, Schema]:
    """Every component schema, sorted by name."""
    schemas = common_schemas(empty=not office.collections)
    for collection in office.collections.values():
        schemas |= collection_schemas(collection)
    return dict(sorted(schemas.items()))


def collection_paths(collection: Collection) -> dict[str, Schema]:
    """The paths of one collection, without any prefix."""
    return paths(collection_rows(collection, collection.backoffice, ""))
