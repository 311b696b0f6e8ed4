"""backo: declare a collection once, get a data layer and a validated REST API.

Everything public is a name of this package. ``DBMongoConnector`` needs the extra
``backo[mongo]``, ``FileS3Connector`` needs ``backo[s3]``: they are imported when they
are first used.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from backo.action import Action
from backo.backoffice import Backoffice
from backo.collection import Collection
from backo.connectors.base import DBConnector
from backo.connectors.redirect import DBRedirect
from backo.connectors.restfull import DBRestfullConnector
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.yml import DBYmlConnector
from backo.current_user import CurrentUser, current_user
from backo.errors import (
    BackoError,
    ConflictError,
    DBError,
    DisconnectedError,
    DuplicateIdError,
    FileError,
    FileTooLargeError,
    FilterError,
    FrozenError,
    MigrationError,
    NotFoundError,
    PathNotFoundError,
    PreconditionError,
    ReferencedError,
    SAttributeError,
    SConstraintError,
    SError,
    SessionError,
    SKeyError,
    SRightError,
    SSyntaxError,
    STypeError,
    TransientError,
    UnknownReferenceError,
    UnstorableError,
    ValidationError,
)
from backo.files.blob import FileBlobConnector
from backo.files.connector import FileConnector
from backo.files.fields import BlobFile, File
from backo.files.filesystem import FileSystemConnector
from backo.item import Item
from backo.log import LogLevel, log_system
from backo.metadata import GenericMetaDataHandler, StandardMetaDataHandler
from backo.migration import MigrationReport
from backo.references.checking import BrokenLink
from backo.references.fields import Ref, RefsList
from backo.schema.reference import DeleteStrategy, FillStrategy
from backo.schema.types import (
    Bool,
    Bytes,
    Complex,
    Datetime,
    Dict,
    Extend,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    List,
    Operator,
    SFilter,
    String,
    Tuple,
    Url,
)
from backo.selection import Selection

if TYPE_CHECKING:
    from backo.connectors.mongo import DBMongoConnector
    from backo.files.s3 import FileS3Connector

__all__ = [
    "Action",
    "BackoError",
    "Backoffice",
    "BlobFile",
    "Bool",
    "BrokenLink",
    "Bytes",
    "Collection",
    "Complex",
    "ConflictError",
    "CurrentUser",
    "DBConnector",
    "DBError",
    "DBMongoConnector",
    "DBRedirect",
    "DBRestfullConnector",
    "DBSqliteConnector",
    "DBYmlConnector",
    "Datetime",
    "DeleteStrategy",
    "Dict",
    "DisconnectedError",
    "DuplicateIdError",
    "Extend",
    "File",
    "FileBlobConnector",
    "FileConnector",
    "FileError",
    "FileS3Connector",
    "FileSystemConnector",
    "FileTooLargeError",
    "FillStrategy",
    "FilterError",
    "Float",
    "FreeDict",
    "FrozenError",
    "GenericMetaDataHandler",
    "In",
    "Int",
    "Ipaddress",
    "Ipnetwork",
    "Item",
    "List",
    "LogLevel",
    "MigrationError",
    "MigrationReport",
    "NotFoundError",
    "Operator",
    "PathNotFoundError",
    "PreconditionError",
    "Ref",
    "ReferencedError",
    "RefsList",
    "SAttributeError",
    "SConstraintError",
    "SError",
    "SFilter",
    "SKeyError",
    "SRightError",
    "SSyntaxError",
    "STypeError",
    "Selection",
    "SessionError",
    "StandardMetaDataHandler",
    "String",
    "TransientError",
    "Tuple",
    "UnknownReferenceError",
    "UnstorableError",
    "Url",
    "ValidationError",
    "current_user",
    "log_system",
]

_ON_DEMAND = {
    "DBMongoConnector": ("backo.connectors.mongo", "pymongo", "mongo"),
    "FileS3Connector": ("backo.files.s3", "boto3", "s3"),
}
"""Names that need an extra: their module, the package that it needs, and the extra."""


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


for _name, (_, _package, _) in _ON_DEMAND.items():
    if not _is_there(_package):
        # For those who import everything.
        __all__.remove(_name)


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'backo' has no attribute {name!r}")
    module, package, extra = _ON_DEMAND[name]
    if not _is_there(package):
        raise ImportError(f"{name} needs {package}: pip install 'backo[{extra}]'")
    return getattr(importlib.import_module(module), name)
