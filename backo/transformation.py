"""One stored document, brought to the present schema by a migration."""

import copy
from collections.abc import Callable
from typing import Any, Protocol

import pydantic

from backo.connectors.texts import decode_document, encode_document
from backo.documents import carry_unknown, differences, encode, known_values
from backo.errors import (
    VALUE_ERRORS,
    BackoError,
    DBError,
    Fault,
    ValidationError,
)
from backo.files.items import staged_of
from backo.files.staging import Staged
from backo.files.structures import misplaced
from backo.item import Home, Item
from backo.schema.faults import faults_of, stricto_faults
from backo.schema.models import stored_model

__all__ = ["MigrationFunction", "MigrationOwner", "Transformation"]

type Document = dict[str, Any]
type MigrationFunction = Callable[[Document], Document | None]
"""Gives what a document becomes, or changes it in place and gives None."""


class MigrationOwner(Home, Protocol):
    """What a migration needs of the collection."""

    model: Item

    @property
    def modified_by_items(self) -> bool: ...


class Transformation:
    """From stored documents to those of the present schema."""

    def __init__(
        self, owner: MigrationOwner, function: MigrationFunction | None
    ) -> None:
        self._owner = owner
        self._function = function
        self._root = owner.plan.root
        self._stored = owner.plan.view("save")
        self._model = None if owner.modified_by_items else stored_model(owner.plan)
        self._added = tuple(owner.model.meta_data_handler.fields())
        self._computed: list[Staged] = []
        """The files of documents that are not stored yet."""

    def __call__(self, before: Document) -> Document:
        """What ``before`` becomes.

        :raises ValidationError: it cannot be migrated.
        """
        given = self._given(before)
        after = carry_unknown(given, self._valid(given), self._root)
        faults = self._owner.links.impossible(before, after)
        files = self._owner.plan.file_root
        if files is not None:
            faults = [*faults, *misplaced(before, after, files)]
        if faults:
            raise ValidationError(faults)
        return after

    def close(self) -> None:
        """Discard what was computed and is in no stored document."""
        for one in self._computed:
            one.discard()

    def changes(self, before: Document, after: Document) -> bool:
        """Whether the two are not the same document."""
        return any(differences(before, after, self._root))

    def _given(self, before: Document) -> Document:
        """What the migration function makes of it, with all that is to be filled in."""
        _id = before["_id"]
        document = decode_document(encode_document(_id, before))
        if self._function is not None:
            document = _called(self._function, document)
            if document.get("_id", _id) != _id:
                raise _fault("$._id", "may not be changed", "read_only")
            document = _plain(_id, document)
        handler = self._owner.model.meta_data_handler
        missing = [name for name in self._added if not document.get(name)]
        if missing:
            stamped = dict(document)
            handler.stamp(stamped, created=True)
            document |= {name: stamped.get(name) for name in missing}
        return document

    def _valid(self, given: Document) -> Document:
        """What the schema makes of it: with defaults and computed values."""
        known = known_values(given, self._root)
        if self._model is None:
            return self._through_item(known)
        try:
            return self._model.document(known)
        except pydantic.ValidationError as error:
            raise faults_of(error, self._owner.plan) from error

    def _through_item(self, known: Document) -> Document:
        # A copy of the model itself has no rights switched on.
        item = copy.copy(self._owner.model)
        try:
            item.restore(known)
            document: Document = encode(item, self._stored)
            self._computed += staged_of(item, self._owner.plan.file_root)
        except VALUE_ERRORS as error:
            raise ValidationError(stricto_faults(error)) from error
        except BackoError:
            raise
        except Exception as error:
            raise _fault("$", f"the schema raised {_name(error)}", "invalid") from error
        return document


def _called(function: MigrationFunction, document: Document) -> Document:
    try:
        result: Any = function(document)
    except Exception as error:
        words = f"the migration function raised {_name(error)}"
        raise _fault("$", words, "migration_function") from error
    given = document if result is None else result
    if not isinstance(given, dict):
        words = f"the migration function gave a {type(given).__name__}, no dict"
        raise _fault("$", words, "migration_function")
    return given


def _plain(_id: str, document: Document) -> Document:
    """A copy of its own, which is JSON and nothing else."""
    try:
        return decode_document(encode_document(_id, document))
    except DBError as error:
        raise _fault("$", str(error), "not_json") from error


def _fault(path: str, message: str, code: str) -> ValidationError:
    return ValidationError([Fault(path, message, code)])


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
