"""backo: declare a collection once, get a data layer and a validated REST API.

Everything public is a name of this package.
"""

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
    DuplicateIdError,
    FileError,
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
    UnknownReferenceError,
    ValidationError,
)
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

__all__ = [
    "Action",
    "BackoError",
    "Backoffice",
    "Bool",
    "BrokenLink",
    "Bytes",
    "Collection",
    "Complex",
    "ConflictError",
    "CurrentUser",
    "DBConnector",
    "DBError",
    "DBRedirect",
    "DBRestfullConnector",
    "DBSqliteConnector",
    "DBYmlConnector",
    "Datetime",
    "DeleteStrategy",
    "Dict",
    "DuplicateIdError",
    "Extend",
    "FileError",
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
    "Tuple",
    "UnknownReferenceError",
    "Url",
    "ValidationError",
    "current_user",
    "log_system",
]
