"""Clients of MongoDB deployments: one for each connection string in a process."""

import os
import threading
import time
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from bson.errors import BSONError, InvalidDocument, InvalidStringData
from pymongo import MongoClient
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from backo.errors import (
    ConflictError,
    DBError,
    DisconnectedError,
    DuplicateIdError,
    TransientError,
    UnstorableError,
)

__all__ = ["Deployment", "database_of", "shared", "translated"]

DEFAULTS: Mapping[str, Any] = {
    "appname": "backo",
    "connectTimeoutMS": 5_000,
    "serverSelectionTimeoutMS": 5_000,
}
"""What the driver would wait for longer."""
ENDLESS: Mapping[str, Any] = {"socketTimeoutMS": 20_000, "waitQueueTimeoutMS": 10_000}
"""What it would wait for without end, unless it is given ``timeoutMS``."""

_PAUSE = 1.0
"""Seconds for which a deployment that did not answer is left alone."""

type Client = MongoClient[dict[str, Any]]

_inherited: list[Client | None] = []


class Deployment:
    """A client, shared by connectors that ask for the same; none after a fork."""

    def __init__(self, connection_string: str, options: dict[str, Any]) -> None:
        self.connection_string = connection_string
        self._options = options
        self._number = len(_deployments)
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._client: Client | None = None
        self._users: set[int] = set()
        self.connectors: weakref.WeakSet[Any] = weakref.WeakSet()
        """All that were made for it, used or not."""
        self._transactions: bool | None = None
        self._missed = -_PAUSE

    @property
    def hosts(self) -> str:
        """Where it is, without credentials."""
        return urlsplit(self.connection_string).netloc.rpartition("@")[2]

    @property
    def place(self) -> str:
        """What tells it from others in the process."""
        return f"mongo:{self.hosts}:{self._number}"

    @property
    def client(self) -> Client:
        """Connected on demand, in the background.

        :raises DBError: the connection string or an option is wrong.
        """
        if self._pid != os.getpid():
            # What the parent has open is the parent's, and must not be closed here.
            _inherited.append(self._client)
            self.__dict__.update(
                _lock=threading.RLock(), _client=None, _pid=os.getpid()
            )
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            client = self._client
        if self._missed + _PAUSE > time.monotonic() and not _knows_any(client):
            raise DBError("MongoDB: no server answered a moment ago")
        return client

    def missed(self) -> None:
        """Somebody has waited in vain: for a moment nobody else waits, one after the
        other, for the same."""
        if self._client is not None and not _knows_any(self._client):
            self._missed = time.monotonic()

    def _connected(self) -> Client:
        asked = {key.lower() for key in self._options}
        asked |= {
            part.partition("=")[0].lower()
            for part in urlsplit(self.connection_string).query.split("&")
        }
        limits = DEFAULTS if "timeoutms" in asked else {**DEFAULTS, **ENDLESS}
        given = {key: one for key, one in limits.items() if key.lower() not in asked}
        try:
            with warnings.catch_warnings(action="error", category=UserWarning):
                return MongoClient(self.connection_string, **given, **self._options)
        except (PyMongoError, ValueError, TypeError, UserWarning) as error:
            # Its text may have the password in it.
            problem = f"MongoDB: {type(error).__name__}: the connection is not declared"
            raise DBError(f"{problem} as pymongo takes it") from None

    @property
    def transactions(self) -> bool:
        """Whether it is a replica set or a sharded cluster: one server alone has none,
        even if it accepts them."""
        if self._transactions is None:
            with translated():
                hello = self.client.admin.command("hello")
            self._transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
        return self._transactions

    def use(self, user: object) -> None:
        """``user`` is a connector to it, until it leaves or is no more."""
        if id(user) not in self._users:
            self._users.add(id(user))
            weakref.finalize(user, self._left, id(user))

    def leave(self, user: object) -> None:
        """``user`` is none any more; after the last one the client is closed."""
        self._left(id(user))

    def _left(self, user: int) -> None:
        with self._lock:
            self._users.discard(user)
            if self._users:
                return
            client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()


def _knows_any(client: Client) -> bool:
    return client.topology_description.has_known_servers


_deployments: dict[str, Deployment] = {}
_registering = threading.Lock()


def shared(connection_string: str, options: dict[str, Any]) -> Deployment:
    """The one for all connectors with this connection string and these options."""
    key = repr((connection_string, sorted(options.items(), key=lambda each: each[0])))
    with _registering:
        if key not in _deployments:
            _deployments[key] = Deployment(connection_string, options)
        return _deployments[key]


def database_of(connection_string: str) -> str:
    """The database that the connection string names.

    :raises DBError: it names none, or is none.
    """
    try:
        parts = urlsplit(connection_string)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("mongodb", "mongodb+srv"):
        raise DBError("connection_string must begin with mongodb:// or mongodb+srv://")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise DBError("connection_string names no database, as in mongodb://host/shop")
    return name


# -- errors ------------------------------------------------------------------------


@contextmanager
def translated() -> Iterator[None]:
    """pymongo's errors as backo's."""
    try:
        yield
    except DuplicateKeyError as error:
        raise _duplicate(error) from error
    except DocumentTooLarge as error:
        raise UnstorableError(f"a document cannot be stored: {error}") from error
    except PyMongoError as error:
        raise _ended(error) from error
    except (InvalidDocument, InvalidStringData, OverflowError, UnicodeError) as error:
        raise UnstorableError(f"a document cannot be stored: {error}") from error
    except BSONError as error:
        raise DBError(f"MongoDB: {error}") from error


def _ended(error: PyMongoError) -> Exception:
    if isinstance(error, ServerSelectionTimeoutError):
        for deployment in tuple(_deployments.values()):
            deployment.missed()
    # Who has waited for a server, or for its answer, does not wait for it again.
    if error.timeout or not error.has_error_label("TransientTransactionError"):
        return DBError(f"MongoDB: {_told(error)}")
    if isinstance(error, ConnectionFailure):
        return DisconnectedError(f"MongoDB: {_told(error)}")
    return TransientError("MongoDB: others write the same")


def _told(error: PyMongoError) -> str:
    """The error without what it quotes of documents."""
    if isinstance(error, OperationFailure):
        return str((error.details or {}).get("errmsg", error))[:500]
    return str(error)[:500]


def _duplicate(error: DuplicateKeyError) -> Exception:
    keys = (error.details or {}).get("keyPattern") or {"_id": 1}
    if set(keys) == {"_id"}:
        return DuplicateIdError("the _id is already there")
    names = ", ".join(keys)
    return ConflictError(f"another item has the same {names}, which are unique")
