"""Which indexes a collection of MongoDB has."""

from collections.abc import Iterable
from typing import Any

from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from backo.connectors.mongo_filters import Translator
from backo.errors import PathNotFoundError
from backo.schema.plan import ItemPlan

__all__ = ["Index", "make_indexes", "wanted_indexes"]

type Index = list[tuple[str, int]]

_ALREADY_THERE = 48
"""MongoDB's NamespaceExists."""


def wanted_indexes(
    translator: Translator, plan: ItemPlan, named: Iterable[str]
) -> list[Index]:
    """Those of the references, and of the fields that are named, each once.

    :raises PathNotFoundError: one of the names is that of no field, or of one that
        cannot be indexed.
    """
    wanted = [
        translator.index(tuple(field.dotted.split(".")))
        for field in plan.every_field
        if field.reference is not None and field.reference.filled
    ]
    wanted += [_named(translator, plan, dotted) for dotted in named]
    there = [one for one in wanted if one is not None]
    return [one for at, one in enumerate(there) if one not in there[:at]]


def _named(translator: Translator, plan: ItemPlan, dotted: str) -> Index:
    found = plan.locate(dotted)
    if found is None:
        raise PathNotFoundError(f"no field {dotted} to index in {plan.name}")
    index = translator.index(tuple(found.field.dotted.split(".")))
    if index is None:
        raise PathNotFoundError(f"{dotted} of {plan.name} cannot be indexed")
    return index


def make_indexes(collection: Collection[dict[str, Any]], wanted: list[Index]) -> None:
    """Make the collection and its indexes, as far as they are not there: a transaction
    should not have to."""
    try:
        collection.database.create_collection(collection.name, check_exists=False)
    except OperationFailure as error:
        if error.code != _ALREADY_THERE:
            raise
    if wanted:
        collection.create_indexes([IndexModel(one) for one in wanted])
