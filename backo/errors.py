"""Every error backo raises, each with the HTTP status, title and code it becomes.

::

    BackoError                      500  the root: also wrong use of an Item's life
    ├── DBError                     503  a store failed or cannot be reached
    │   ├── DuplicateIdError        409  the id is already there
    │   └── UnstorableError         422  the store cannot keep such a document
    ├── NotFoundError               404  no such item, collection, action, ...
    │   └── UnknownReferenceError   422  a reference to an item that is not there
    ├── PathNotFoundError           422  a path names no field
    ├── FileError                   422  a file is missing, or not what a field takes
    │   └── FileTooLargeError       413  it has more bytes than allowed
    ├── BodyTooLargeError           413  a request brings more than is taken
    ├── SessionError                401  who is calling is not known, or no longer
    ├── ConflictError               409  somebody changed it, or its state forbids it
    │   ├── ChangedError            409  somebody else changed it meanwhile
    │   ├── TransientError          409  others wrote the same in a transaction
    │   │   └── DisconnectedError   503  the connection was lost in a transaction
    │   └── ReferencedError         409  it cannot be deleted while items refer to it
    ├── PreconditionError           412  If-Match no longer holds
    ├── FrozenError                 500  the schema was changed after routes were built
    ├── FilterError                 400  a filter, sort or page is not valid
    ├── ValidationError             422  a document breaks its schema; holds all faults
    └── MigrationError              422  some documents cannot be migrated; names all

stricto's own errors (``STypeError``, ``SConstraintError``, ``SRightError``, ...) are
raised as they are: their classes are part of the contract.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from stricto import (
    SAttributeError,
    SConstraintError,
    SError,
    SKeyError,
    SRightError,
    SSyntaxError,
    STypeError,
)

__all__ = [
    "BackoError",
    "BodyTooLargeError",
    "ChangedError",
    "ConflictError",
    "DBError",
    "DisconnectedError",
    "DuplicateIdError",
    "Fault",
    "FileError",
    "FileTooLargeError",
    "FilterError",
    "FrozenError",
    "MigrationError",
    "NotFoundError",
    "PathNotFoundError",
    "PreconditionError",
    "ReferencedError",
    "SAttributeError",
    "SConstraintError",
    "SError",
    "SKeyError",
    "SRightError",
    "SSyntaxError",
    "STypeError",
    "SessionError",
    "TransientError",
    "UnknownReferenceError",
    "UnstorableError",
    "VALUE_ERRORS",
    "ValidationError",
]


VALUE_ERRORS = (
    STypeError,
    SConstraintError,
    SAttributeError,
    SKeyError,
    SRightError,
    SError,
)
"""stricto's errors about a value; SSyntaxError is about the schema. (Their common base,
StrictoError, is no exception and cannot be caught.)"""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: where (``$.address.zip``), what, and a code."""

    path: str
    message: str
    code: str


class BackoError(Exception):
    """The root of backo's errors; raised itself for wrong use of an Item's life."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    code: ClassVar[str] = "internal"


class DBError(BackoError):
    """A store failed, refused, or cannot be reached."""

    status = 503
    title = "Store unavailable"
    code = "store_unavailable"


class DuplicateIdError(DBError):
    """An item with this id is already in the collection."""

    status = 409
    title = "Id already there"
    code = "duplicate_id"


class UnstorableError(DBError):
    """The store cannot keep such a document: a text that is no Unicode, a number or a
    name that it has no place for."""

    status = 422
    title = "Invalid document"
    code = "unstorable"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong: the document as a whole."""
        return (Fault("$", str(self), self.code),)


class NotFoundError(BackoError):
    """No such item, collection, action, selection or file."""

    status = 404
    title = "Not found"
    code = "not_found"


class UnknownReferenceError(NotFoundError):
    """A reference to an item that is not there, or that the user may not read."""

    status = 422
    title = "Invalid document"
    code = "invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{one.path}: {one.message}" for one in faults))
        self.faults: tuple[Fault, ...] = tuple(faults)


class PathNotFoundError(BackoError):
    """A path (a selector, a reverse field) names no field of the schema."""

    status = 422
    title = "Path not found"
    code = "path_not_found"


class FileError(BackoError):
    """A file is missing, or not what the field takes.

    :param path: of the field; None: it is not known.
    """

    status = 422
    title = "File refused"
    code = "file"

    def __init__(self, message: str = "", *, path: str | None = None) -> None:
        super().__init__(message if path is None else f"{path}: {message}")
        self.message = message
        self.faults: tuple[Fault, ...] = ()
        if path is not None:
            self.faults = (Fault(path, message, self.code),)

    def at(self, path: str) -> "FileError":
        """The same of the field at ``path``, unless it names one already."""
        return self if self.faults else type(self)(self.message, path=path)


class FileTooLargeError(FileError):
    """A file has more bytes than the field takes; it has not been read further."""

    status = 413
    title = "File too large"
    code = "file_too_large"


class BodyTooLargeError(BackoError):
    """A request brings more than the backoffice takes."""

    status = 413
    title = "Body too large"
    code = "body_too_large"


class SessionError(BackoError):
    """Who is calling is not known, or no longer.

    :param challenge: the value of the answer's ``WWW-Authenticate`` (RFC 9110, section
        11.6.1).
    """

    status = 401
    title = "Not authenticated"
    code = "not_authenticated"

    def __init__(self, message: str = "", *, challenge: str = "Bearer") -> None:
        super().__init__(message)
        self.challenge = challenge


class ConflictError(BackoError):
    """The item's present state forbids the request, or somebody else changed it."""

    status = 409
    title = "Conflict"
    code = "conflict"


class ChangedError(ConflictError):
    """Somebody else changed the item meanwhile."""


class TransientError(ConflictError):
    """Others wrote the same in a transaction of the store, which has undone this one:
    the whole may be tried again."""

    code = "transient_conflict"


class DisconnectedError(TransientError):
    """The connection to a store was lost in a transaction of it, which is not kept: the
    whole may be tried again, there or at the server that has taken over."""

    status = DBError.status
    title = DBError.title
    code = DBError.code


class ReferencedError(ConflictError):
    """The item cannot be deleted while a reference of it is not empty."""

    code = "referenced"


class PreconditionError(BackoError):
    """The item is no longer the one named by ``If-Match``."""

    status = 412
    title = "Precondition failed"
    code = "precondition_failed"


class FrozenError(BackoError):
    """The schema was changed after the routes had been built."""

    code = "frozen"


class FilterError(BackoError):
    """A filter, sort key or page parameter is not valid for this collection."""

    status = 400
    title = "Bad query"
    code = "bad_query"

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.faults: tuple[Fault, ...] = (Fault(path, message, self.code),)


class ValidationError(BackoError):
    """A document breaks its schema; ``faults`` holds every fault, not the first."""

    status = 422
    title = "Invalid document"
    code = "invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{f.path}: {f.message}" for f in self.faults))


class MigrationError(BackoError):
    """Some documents cannot be migrated."""

    status = 422
    title = "Migration failed"
    code = "migration_failed"

    def __init__(
        self, outcome: str, ids: Sequence[str], faults: Sequence[Fault]
    ) -> None:
        self.ids = tuple(ids)
        """All of them."""
        self.faults = tuple(faults)
        """What is wrong, as ``<id>: $.path``; of the first thousand faults."""
        self.report: Any = None
        """The MigrationReport of what was done all the same; None: nothing was."""
        told = {fault.path.rpartition(": ")[0] for fault in self.faults}
        rest = [_id for _id in self.ids if _id not in told]
        words = [*(f"{one.path}: {one.message}" for one in self.faults), *rest]
        some = "1 document" if len(self.ids) == 1 else f"{len(self.ids)} documents"
        super().__init__(f"{some} cannot be migrated, {outcome}: {'; '.join(words)}")
