"""What a file field is given, and how it comes to be staged: read, checked and counted
on the way to where contents are kept."""

import base64
import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import PurePath
from typing import Any, BinaryIO

from backo.connectors.ids import new_id
from backo.errors import FileError, FileTooLargeError, STypeError
from backo.files.connector import BUFFER_SIZE
from backo.files.places import Structure, written
from backo.files.sniffing import HEAD, sniffed
from backo.files.staging import Staged, charge, discard_abandoned
from backo.schema.file import FilePlan, allows
from backo.schema.incoming import Incoming, bytes_of

__all__ = ["incoming_of", "judge", "read_whole", "stage", "stage_incoming", "taken"]


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


def stage_incoming(
    plan: FilePlan, incoming: Incoming, *, charged: bool = False
) -> Staged:
    """Stage what was given, once; it stays as long as ``incoming`` does.

    :param charged: whether the request in progress brings it.
    :raises FileError: the field does not take it; or it can be read only once, and what
        was staged of it is an item's by now.
    """
    staged: Staged | None = incoming.staged.get(plan)
    if staged is None or not staged.is_held:
        if staged is not None and incoming.data is None:
            raise FileError("the file has been read already")
        if charged:
            charge(len(incoming.data or b""))
        size = plan.buffer_size or BUFFER_SIZE
        staged = stage(plan, _pieces(incoming, size), incoming.filename)
        incoming.staged[plan] = staged
    return staged


def read_whole(incoming: Incoming) -> bytes:
    """All of what was given; what can be read only once has been read then."""
    return b"".join(_pieces(incoming, BUFFER_SIZE))


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
    _require_type(plan, content_type)
    counted = _Counted(itertools.chain(first, source), plan.max_size)
    structure: Structure = {
        "filename": filename,
        "content_type": content_type,
        "modified": _now(),
    }
    if plan.work is None:
        content = b"".join(counted)
        structure["file_id"] = (plan.new_id or new_id)()
        structure["content"] = base64.b64encode(content).decode()
    else:
        structure["file_id"] = _unused_id(plan)
        written(plan.work, structure["file_id"], counted)
    structure["size"] = counted.size
    return Staged(plan, structure)


def judge(plan: FilePlan, content: bytes) -> None:
    """Pass, or raise what :func:`stage` would; nothing is written.

    :raises FileTooLargeError, FileError: the field does not take it.
    """
    _require_type(plan, sniffed(content[:HEAD]))
    _require_size(plan.max_size, len(content))


def _now() -> str:
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def taken(plan: FilePlan, structure: Structure) -> Structure:
    """What is told of the file of another field, when this one gets it.

    :raises FileTooLargeError, FileError: the field does not take it.
    """
    _require_type(plan, structure["content_type"])
    _require_size(plan.max_size, structure["size"])
    return {**structure, "modified": _now()}


def _require_type(plan: FilePlan, content_type: str) -> None:
    if not allows(plan.mime_types, content_type):
        wanted = ", ".join(plan.mime_types)
        raise FileError(f"must be of type {wanted}, and is {content_type}")


def _require_size(most: int | None, size: int) -> None:
    if most is not None and size > most:
        raise FileTooLargeError(f"a file may have {most} bytes here")


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
            _require_size(self._most, self.size)
            if chunk:
                yield chunk
