"""What a file field is given, and how it comes to where contents are kept.

A content is *staged*: written under a new id, which no document knows yet, while it is
read, checked and counted. A unit of work that stores a document with this id keeps it;
what no unit has kept is discarded when nobody holds it any more, with the next upload
or at the end of the process.
"""

import atexit
import base64
import dataclasses
import itertools
import os
import queue
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from io import BytesIO
from pathlib import PurePath
from typing import Any, BinaryIO

from backo.connectors.ids import new_id
from backo.errors import FileError, FileTooLargeError, STypeError
from backo.files.connector import BUFFER_SIZE, FileConnector
from backo.files.sniffing import HEAD, sniffed
from backo.log import log_system
from backo.schema.file import FilePlan, allows
from backo.schema.incoming import Content, Incoming, bytes_of

__all__ = [
    "Staged",
    "discard_abandoned",
    "fetched",
    "incoming_of",
    "is_there",
    "remove",
    "stage",
    "stage_incoming",
    "staged_ids",
    "staged_in",
    "staging",
]

_log = log_system.get_or_create_logger("files")

type Structure = dict[str, Any]
"""What a document holds of a file: see ``backo.schema.file.FILE_FIELDS``."""


class Staged(Content):
    """A content that has been written, and that no document holds yet."""

    def __init__(self, plan: FilePlan, structure: Structure) -> None:
        self.plan = plan
        self.structure = structure
        self._places = [plan.work]
        left = _Left(os.getpid(), self._places, self.file_id)
        self._abandon = weakref.finalize(self, _abandoned.put, left)
        self._abandon.atexit = False
        _staged[plan.key(self.file_id)] = self
        held = _batch.get()
        if held is not None:
            held.append(self)

    @property
    def file_id(self) -> str:
        """The id of the content."""
        return str(self.structure["file_id"])

    def chill(self, plan: FilePlan) -> None:
        """Have a copy in the cold storage, if there is one, of the field that is to
        have it: another one, maybe, than it was given for."""
        if plan.storage not in self._places:
            # Known before it is there, so that it is discarded.
            self._places.append(plan.storage)
        chill(plan, self.structure)

    def keep(self) -> None:
        """A document holds it now: no other may."""
        self._abandon.detach()
        _staged.pop(self.plan.key(self.file_id), None)

    def discard(self) -> None:
        """Remove it, unless a document holds it."""
        self._abandon()
        discard_abandoned()


@dataclasses.dataclass(frozen=True, slots=True)
class _Left:
    """A content that nobody holds: the process that has written it, and where."""

    process: int
    places: list[FileConnector | None]
    file_id: str

    def discard(self) -> None:
        # A child has a copy of what its parent has staged.
        if os.getpid() == self.process:
            remove(self.file_id, self.places)


_abandoned: queue.SimpleQueue[_Left] = queue.SimpleQueue()
"""What the garbage collector has found. It may run wherever it likes, also while a
connector holds a lock that deleting needs: so that waits for a better moment."""

_staged: weakref.WeakValueDictionary[tuple[str, str], Staged]
_staged = weakref.WeakValueDictionary()
_batch: ContextVar[list[Staged] | None] = ContextVar("backo_staged", default=None)


def staged_in(plan: FilePlan, file_id: str) -> Staged | None:
    """What is staged under this id where ``plan`` keeps contents."""
    return _staged.get(plan.key(file_id))


def staged_ids() -> set[str]:
    """The ids of all that this process has staged and somebody holds."""
    return {one.file_id for one in list(_staged.values())}


@contextmanager
def staging() -> Iterator[None]:
    """Inside, what is staged stays; in the end, what no document holds is discarded."""
    held: list[Staged] = []
    token = _batch.set(held)
    try:
        yield
    finally:
        _batch.reset(token)
        for one in held:
            one.discard()
        discard_abandoned()


def discard_abandoned() -> None:
    """Remove what has been staged and nobody holds any more."""
    with suppress(queue.Empty):
        while True:
            _abandoned.get_nowait().discard()


@atexit.register
def _discard_all() -> None:
    for one in list(_staged.values()):
        one.discard()
    discard_abandoned()


# -- from whatever is given to a staged content ------------------------------------


def incoming_of(value: Any) -> Incoming:
    """What a program gives a file field: text, bytes, a binary file, a werkzeug
    FileStorage, a Starlette UploadFile.

    :raises STypeError: it is nothing of that.
    :raises FileError: what follows ``base64:`` is no base64.
    """
    if isinstance(value, Incoming):
        return value
    if isinstance(value, str):
        try:
            return Incoming(bytes_of(value))
        except ValueError as error:
            raise FileError("what follows base64: is no base64") from error
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Incoming(bytes(value))
    # Both have the file itself as an attribute.
    file = getattr(value, "stream", None) or getattr(value, "file", None) or value
    if not callable(getattr(file, "read", None)):
        raise STypeError("a {0} is no content of a file", type(value).__name__)
    named = getattr(value, "filename", None) or getattr(value, "name", None)
    return Incoming(None, file=file, filename=_base_name(named))


def _base_name(name: Any) -> str | None:
    if not isinstance(name, (str, PurePath)):
        return None
    return PurePath(name).name or None


def stage_incoming(plan: FilePlan, incoming: Incoming) -> Staged:
    """Stage what was given, once; it stays as long as ``incoming`` does.

    :raises FileError: the field does not take it.
    """
    staged: Staged | None = incoming.staged.get(plan)
    if staged is None:
        size = plan.buffer_size or BUFFER_SIZE
        staged = stage(plan, _pieces(incoming, size), incoming.filename)
        incoming.staged[plan] = staged
    return staged


def _pieces(incoming: Incoming, size: int) -> Iterator[bytes]:
    file: BinaryIO = incoming.file or BytesIO(incoming.data or b"")
    while piece := file.read(size):
        if not isinstance(piece, bytes):
            raise STypeError("a file is to be opened in binary mode")
        yield piece


def stage(plan: FilePlan, chunks: Iterable[bytes], filename: str | None) -> Staged:
    """Write what ``chunks`` give under a new id.

    :raises FileTooLargeError: it has more bytes than the field takes; it is read no
        further.
    :raises FileError: it is of a type that the field does not take; nothing has been
        written.
    """
    discard_abandoned()
    source = iter(chunks)
    head, first = b"", []
    while len(head) < HEAD and (chunk := next(source, None)) is not None:
        first.append(chunk)
        head += chunk
    content_type = sniffed(head[:HEAD])
    if not allows(plan.mime_types, content_type):
        wanted = ", ".join(plan.mime_types)
        raise FileError(f"must be of type {wanted}, and is {content_type}")
    counted = _Counted(itertools.chain(first, source), plan.max_size)
    structure: Structure = {
        "filename": filename,
        "content_type": content_type,
        "modified": datetime.now(UTC).replace(microsecond=0).isoformat(),
    }
    if plan.work is None:
        content = b"".join(counted)
        structure["file_id"] = (plan.new_id or new_id)()
        structure["content"] = base64.b64encode(content).decode()
    else:
        structure["file_id"] = _unused_id(plan)
        _written(plan.work, structure["file_id"], counted)
    structure["size"] = counted.size
    return Staged(plan, structure)


def _written(connector: FileConnector, file_id: str, chunks: Iterable[bytes]) -> None:
    """Have the content there, or nothing: what fails may have had its effect."""
    try:
        connector.write(file_id, chunks)
    except BaseException:
        with suppress(Exception):
            connector.delete(file_id)
        raise


def _unused_id(plan: FilePlan) -> str:
    if plan.new_id is None:
        return str(plan.work.generate_id())
    file_id = plan.new_id()
    if plan.work.has_file(file_id):
        raise FileError(f"the id {file_id!r:.100} is another file's")
    return file_id


class _Counted:
    """Pieces, counted on the way, and no more bytes of them than are allowed."""

    def __init__(self, chunks: Iterable[bytes], most: int | None) -> None:
        self.size = 0
        self._chunks = chunks
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self._most is not None and self.size > self._most:
                raise FileTooLargeError(f"a file may have {self._most} bytes here")
            if chunk:
                yield chunk


# -- cold storage ------------------------------------------------------------------


def chill(plan: FilePlan, structure: Structure) -> None:
    """Have a copy of a content in the cold storage of its field, if it has one."""
    storage, file_id = plan.storage, structure["file_id"]
    if storage is None or storage.has_file(file_id):
        return
    if plan.work is not None:
        _written(storage, file_id, plan.work.read_chunk(file_id))
    else:
        _written(storage, file_id, [base64.b64decode(structure["content"])])


def fetched(plan: FilePlan, file_id: str) -> FileConnector:
    """Where the content is to be read: where it lives, fetched from the cold storage if
    it is not there.

    :raises FileError: it is nowhere.
    """
    work: FileConnector = plan.work
    if plan.storage is not None and not work.has_file(file_id):
        work.write(file_id, plan.storage.read_chunk(file_id))
    return work


def remove(file_id: str, places: Iterable[FileConnector | None]) -> None:
    """Remove a content wherever it is; what fails is logged, and left to a sweep."""
    for connector in places:
        if connector is not None:
            try:
                connector.delete(file_id)
            except Exception:  # noqa: BLE001 - a user's connector raises anything
                _log.exception("the file %s could not be removed", file_id)


def is_there(plan: FilePlan, file_id: str) -> bool:
    """Whether the content is where it lives, or in the cold storage."""
    if plan.work.has_file(file_id):
        return True
    return plan.storage is not None and bool(plan.storage.has_file(file_id))
