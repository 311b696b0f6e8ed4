"""A content at the places that its field names: where it lives, and cold storage."""

import base64
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from backo.errors import FileError
from backo.files.connector import FileConnector
from backo.log import log_system
from backo.schema.file import FilePlan

__all__ = ["chill", "fetched", "is_there", "remove", "require", "written"]

_log = log_system.get_or_create_logger("files")

type Structure = dict[str, Any]
"""What a document holds of a file: see ``backo.schema.file.FILE_FIELDS``."""

_fetching = tuple(threading.Lock() for _ in range(64))


def chill(plan: FilePlan, structure: Structure) -> None:
    """Have a copy of a content in the cold storage of its field, if it has one."""
    storage, file_id = plan.storage, structure["file_id"]
    if storage is None or storage.has_file(file_id):
        return
    if plan.work is not None:
        written(storage, file_id, plan.work.read_chunk(file_id))
    else:
        written(storage, file_id, [base64.b64decode(structure["content"])])


def fetched(plan: FilePlan, file_id: str) -> FileConnector:
    """Where the content is to be read: where it lives, fetched from the cold storage if
    it is not there.

    :raises FileError: it is nowhere.
    """
    work: FileConnector = plan.work
    if plan.storage is not None:
        # Connectors are promised that nobody else writes or reads what is being
        # written.
        with _fetching[hash(plan.key(file_id)) % len(_fetching)]:
            if not work.has_file(file_id):
                work.write(file_id, plan.storage.read_chunk(file_id))
    return work


def remove(file_id: str, stores: Iterable[FileConnector]) -> None:
    """Remove a content from these; what fails is logged, and left to a sweep."""
    for connector in stores:
        try:
            connector.delete(file_id)
        except Exception:  # noqa: BLE001 - a user's connector raises anything
            _log.exception("the file %s could not be removed", file_id)


def is_there(plan: FilePlan, file_id: str) -> bool:
    """Whether the content is where it lives, or in the cold storage; what is in a
    document is."""
    return plan.inline or any(one.has_file(file_id) for one in plan.stores)


def require(plan: FilePlan, file_id: str, path: str | None = None) -> None:
    """Pass if the content of the file at ``path`` is there.

    :raises FileError: it is nowhere.
    """
    if not is_there(plan, file_id):
        raise FileError(f"there is no file {file_id!r:.100}", path=path)


def written(connector: FileConnector, file_id: str, chunks: Iterable[bytes]) -> None:
    """Have the content there, or nothing: what fails may have had its effect."""
    try:
        connector.write(file_id, chunks)
    except BaseException:
        with suppress(Exception):
            connector.delete(file_id)
        raise
