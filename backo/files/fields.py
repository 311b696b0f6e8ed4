"""The fields that hold files."""

import base64
from collections.abc import Container, Iterable, Iterator
from hashlib import blake2b
from typing import Any

from backo.connectors.ids import new_id
from backo.errors import FileError, SRightError, SSyntaxError, STypeError
from backo.files.blob import FileBlobConnector
from backo.files.connector import BUFFER_SIZE, FileConnector
from backo.files.contents import (
    incoming_of,
    read_whole,
    stage,
    stage_incoming,
    taken,
)
from backo.files.places import chill, fetched, require
from backo.files.staging import Staged, charge, staged_in
from backo.files.structures import Held, Key, files_of
from backo.schema._whole import Kept
from backo.schema.file import FILE_FIELDS, FilePlan
from backo.schema.incoming import Incoming
from backo.schema.types import Bytes, Datetime, Dict, GenericType, Int, String

__all__ = ["BLOB_SIZE", "BlobFile", "File"]

BLOB_SIZE = 1024 * 1024
"""Bytes that a BlobFile may have, if it does not say otherwise."""
_MEMORY_SIZE = 16 * BLOB_SIZE

type Structure = dict[str, Any]


class File(Dict):
    """A file: what is told of it in the document, its content in a FileConnector.

    It is a Dict of ``filename``, ``file_id``, ``content_type`` (of the content's first
    bytes, whatever anybody says of it), ``size`` (in bytes) and ``modified`` (in UTC);
    null while there is no file. It is set to a text, ``base64:`` and base64, bytes, a
    binary file, what a form sent, another File (which is copied) or None.

    A content is written when the field is set, under an id of its own, and becomes the
    item's when that is saved; until then the one before is there.

    :param work: the FileConnector where contents live; without one, in the memory of
        this process, and no more than 16 MiB each.
    :param storage: a FileConnector that gets a copy of each content that is saved, from
        where it is fetched when ``work`` has it no more. Alone, contents live in it.
    :param mime_types: what is taken: media types (``image/png``) or ranges
        (``image/*``).
    :param max_size: bytes that a content may have.
    :param buffer_size: bytes that are read at once.
    :raises SSyntaxError: an option is not valid.
    """

    def __init__(
        self,
        *,
        work: FileConnector | None = None,
        storage: FileConnector | None = None,
        mime_types: Iterable[str] = (),
        max_size: int | None = None,
        buffer_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        default = kwargs.get("default")
        if default is not None and not callable(default):
            # Written for each item that gets it, not at declaration.
            lasting = default
            if not isinstance(default, (dict, GenericType)):
                lasting = read_whole(incoming_of(default))
            kwargs["default"] = lambda _root: lasting
        super().__init__(self._node_parts(), **kwargs)
        types = (mime_types,) if isinstance(mime_types, str) else tuple(mime_types)
        for name, number in (("max_size", max_size), ("buffer_size", buffer_size)):
            if number is not None and number < 1:
                raise SSyntaxError("{0} of a file must be at least 1", name)
        for connector in (work, storage):
            if connector is not None and not isinstance(connector, FileConnector):
                raise SSyntaxError("{0} is no FileConnector", repr(connector))
        self.__dict__["_file"] = self._node_plan(
            work=work,
            storage=storage,
            mime_types=tuple(one.lower() for one in types),
            max_size=max_size,
            buffer_size=buffer_size,
        )
        self.__dict__["_held"] = {}

    def _node_parts(self) -> dict[str, Any]:
        parts = (String(), String(), String(), Int(), Datetime())
        return dict(zip(FILE_FIELDS, parts, strict=True))

    def _node_plan(self, **options: Any) -> FilePlan:
        if options["work"] is None and options["storage"] is not None:
            options.update(work=options["storage"], storage=None)
        if options["work"] is None:
            options["work"] = FileBlobConnector()
            options["max_size"] = options["max_size"] or _MEMORY_SIZE
        return FilePlan(**options, new_id=self._node_new_id())

    def _node_new_id(self) -> Any:
        own = type(self).generate_file_id is not File.generate_file_id
        return self.generate_file_id if own else None

    @property
    def _node_file(self) -> FilePlan:
        plan: FilePlan = self.__dict__["_file"]
        return plan

    # --- What it holds ------------------------------------------------------------

    def _node_told(self, name: str) -> Any:
        """A part of the structure, whoever may read it."""
        return self.__dict__[name].get_encoded()

    def _node_known(self) -> Structure:
        """The whole structure, as documents have it."""
        return {key: node.get_encoded() for key, node in self._node_fields()}

    def has_file(self) -> bool:
        """Whether there is a file."""
        return self._node_told("file_id") is not None

    def is_none(self) -> bool:
        return not self.has_file()

    def get_value(self) -> Any:
        return super().get_value() if self.has_file() else None

    def get_encoded(self) -> Any:
        return super().get_encoded() if self.has_file() else None

    def generate_file_id(self) -> str:
        """The id of a new content."""
        return self._node_file.work.generate_id() if self._node_file.work else new_id()

    def require_content(self) -> None:
        """Pass if the content can be read; nothing of it is.

        :raises FileError: it is no longer there.
        """
        if self._node_unstored() is None:
            require(self._node_file, self._node_told("file_id"))

    def get_content(self) -> bytes | None:
        """The whole content; None when there is no file.

        :raises FileError: the content is no longer there.
        """
        return b"".join(self.read_content_generator()) if self.has_file() else None

    def read_content_generator(self) -> Iterator[bytes]:
        """The content, piece by piece; nothing when there is no file.

        :raises FileError: the content is no longer there.
        """
        return self.read_range(0, self._node_told("size") or 0)

    def read_range(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of the content from ``start`` up to ``stop``, piece by piece.

        :raises FileError: the content is no longer there.
        """
        if not self.has_file():
            return iter(())
        held = self._node_unstored()
        if held is not None:
            return _cut(held.data or b"", start, stop, self._node_buffer())
        return self._node_read(self._node_told("file_id"), start, stop)

    def _node_unstored(self) -> Incoming | None:
        """The content, if it is one that is never stored anywhere."""
        held = self.__dict__["_held"].get(self._node_told("file_id"))
        return held if isinstance(held, Incoming) else None

    def _node_read(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        connector = fetched(self._node_file, file_id)
        if start == 0 and stop >= (self._node_told("size") or 0):
            return connector.read_chunk(file_id)
        return connector.read_range(file_id, start, stop)

    def _node_buffer(self) -> int:
        return self._node_file.buffer_size or BUFFER_SIZE

    # --- Setting ------------------------------------------------------------------

    def set_content(self, content: Any) -> None:
        """Have this content, under the name that the file has already, if it has one.

        :raises FileError: the field does not take it.
        """
        name, given = self._node_told("filename"), incoming_of(content)
        self.set(Incoming(given.data, file=given.file, filename=given.filename or name))

    def delete_content(self) -> None:
        """Have no file; the content goes when the item is saved."""
        self.set(None)

    def set_value(self, value: Any) -> bool:
        """Hold ``value``: see :class:`File`. A dict says which file it is, and what is
        told of it; one without ``file_id`` is for the file that is there.

        :raises FileError: the field does not take it, or there is no such file.
        :raises STypeError, SAttributeError: it is nothing that a file is set to.
        """
        if isinstance(value, Kept):
            return self._node_keep(value.value)
        if self._node_transforms() and callable(self._transform):
            value = self._transform(self.get_root(), value, self.get_value())
        structure = self._node_structure(value)
        with self._node_untransformed():
            return super().set_value(structure)

    def set_default_value(self) -> bool:
        """Apply a default that is still due, which may be whatever a file is set to."""
        default = self._node_due_default()
        if default is None:
            return False
        if not isinstance(default, (dict, GenericType)):
            default = read_whole(incoming_of(default))
            # A few bytes may ask for many elements of a List, each with its default.
            charge(len(default))
        return bool(self._node_take(default))

    def _node_taken(self, value: Any) -> bool:
        """Hold what a default or a computation gave."""
        if value is not None and not isinstance(value, (dict, GenericType)):
            data = read_whole(incoming_of(value))
            size = self._node_told("size")
            if size == len(data) and self.get_content() == data:
                return False
            value = Incoming(data)
            if "!save" in self._views or self._node_is_tried():
                value = self._node_hold_unsaved(value)
        return super()._node_taken(self._node_structure(value))

    def _node_is_tried(self) -> bool:
        """Whether the item is only asked about: nothing of it is ever stored."""
        return bool(self.get_root().__dict__.get("_tried"))

    def _node_tried(self, value: Any) -> Structure:
        if isinstance(value, dict):
            self._node_require_parts(value)
            # Which item has it is not known: what it is made of is nobody's to tell.
            self._node_held(str(value.get("file_id")), Incoming(b""))
            return value
        return self._node_hold_unsaved(incoming_of(value))

    def _node_hold_unsaved(self, incoming: Incoming) -> Structure:
        """The structure of a content that is never stored."""
        # The same content has the same id whenever it is computed.
        digest = blake2b(incoming.data or b"", digest_size=16).hexdigest()
        types = self._node_file.mime_types
        memory = FilePlan(mime_types=types, new_id=lambda: digest)
        staged = stage_incoming(memory, incoming)
        self._node_held(staged.file_id, incoming)
        return {key: staged.structure[key] for key in FILE_FIELDS} | {"modified": None}

    def _node_structure(self, value: Any) -> Structure:
        try:
            return self._node_empty() | self._node_given_as(value)
        except FileError as error:
            raise error.at(self.path_name()) from error

    def _node_empty(self) -> Structure:
        return {key: None for key, _ in self._node_fields()}

    def _node_given_as(self, value: Any) -> Structure:
        tried = self._node_is_tried()
        if isinstance(value, File):
            if not tried:
                return self._node_of(value)
            value = value.get_content()
        elif isinstance(value, GenericType):
            value = value.get_value()
        if value is None:
            return {}
        if tried:
            return self._node_tried(value)
        if isinstance(value, Staged):
            return self._node_staged(value)
        if isinstance(value, dict):
            return self._node_described(value)
        return self._node_staged(stage_incoming(self._node_file, incoming_of(value)))

    def _node_staged(self, staged: Staged) -> Structure:
        self._node_held(staged.file_id, staged)
        return staged.structure

    def _node_held(self, file_id: str, held: Staged | Incoming) -> None:
        """Have this content as long as it may be the item's, or the one before."""
        own = self.__dict__
        before = self._node_told("file_id")
        kept = {key: one for key, one in own["_held"].items() if key == before}
        own["_held"] = {**kept, file_id: held}

    def _node_of(self, other: "File") -> Structure:
        """The file of another field, or a copy if that is another item's."""
        known = other._node_known()
        if other is self or known["file_id"] is None:
            return known
        if other._node_unstored() is None:
            theirs, own = other._node_file, self._node_file
            if not own.inline and theirs.place == own.place:
                return self._node_described(known)
        return self._node_copied(other.read_content_generator(), known["filename"])

    def _node_copied(self, chunks: Iterator[bytes], filename: str | None) -> Structure:
        return self._node_staged(stage(self._node_file, chunks, filename))

    def _node_described(self, value: Structure) -> Structure:
        """What a dict says."""
        self._node_require_parts(value)
        if not self._node_transforms() or self.get_root().__dict__.get("_loading"):
            return value
        own = self._node_known()
        file_id = value.get("file_id", own["file_id"])
        if file_id is None:
            if any(one is not None for one in value.values()):
                raise STypeError("{0}: there is no file to describe", self.path_name())
            return {}
        known = own if file_id == own["file_id"] else self._node_file_of_id(file_id)
        return {**known, "filename": value.get("filename", known["filename"])}

    def _node_require_parts(self, value: Structure) -> None:
        for key in value:
            if key not in self._keys:
                raise self._node_no_field(key)

    def _node_file_of_id(self, file_id: Any) -> Structure:
        """The file of this id, if the item is to have it, else a copy of it."""
        plan = self._node_file
        if not isinstance(file_id, str):
            raise STypeError("{0}: a file_id is a text", self.path_name())
        held = self._node_item_file(file_id)
        if held is not None:
            known = {key: held.structure.get(key) for key, _ in self._node_fields()}
            return known if held.plan is plan else taken(plan, known)
        staged = staged_in(plan, file_id)
        if staged is not None:
            known = self._node_staged(staged)
            return known if staged.plan is plan else taken(plan, known)
        if plan.inline:
            raise FileError(f"there is no file {file_id!r:.100}")
        require(plan, file_id)
        return self._node_copied(fetched(plan, file_id).read_chunk(file_id), None)

    def _node_item_file(self, file_id: str) -> Held | None:
        """This file, if it is one of the item as it is stored."""
        root = self.get_root().__dict__
        home = root.get("_home")
        if home is None or home.plan.file_root is None:
            return None
        files = files_of(root["_document"], home.plan.file_root)
        return files.get(self._node_file.key(file_id))

    def _node_key(self) -> Key:
        """What two files have in common that have one content."""
        return self._node_file.key(self._node_told("file_id"))

    def _node_may_keep(self, own: Container[Key]) -> bool:
        """Whether the item, whose stored files have the keys ``own``, may store the
        content that is there now: no other one has it."""
        plan = self._node_file
        if plan.inline or self._node_unstored() is not None or self._node_key() in own:
            return True
        staged = staged_in(plan, self._node_told("file_id"))
        return staged is not None and staged.is_free

    def separate(self) -> None:
        """Have a copy of the content that is there now.

        :raises FileError: it is no longer there.
        """
        try:
            chunks = self.read_content_generator()
            copy = self._node_copied(chunks, self._node_told("filename"))
        except FileError as error:
            raise error.at(self.path_name()) from error
        self._node_take(copy)

    def _node_check(self) -> None:
        try:
            super()._node_check()
        except SRightError as error:
            # Nobody has set a part of it alone.
            raise SRightError("{0}: cannot modify value", self.path_name()) from error
        self._node_check_presence()

    # --- Cold storage, and the events -----------------------------------------------

    def save(self) -> None:
        """Have a copy of the content in the cold storage; a saved item has it already.

        :raises FileError: the field has no cold storage.
        """
        self._node_cold()
        if self.has_file():
            chill(self._node_file, self._node_known())

    def load(self) -> None:
        """Fetch the content from the cold storage; reading does it, where necessary.

        :raises FileError: the field has no cold storage, or it has not this content.
        """
        storage, file_id = self._node_cold(), self._node_told("file_id")
        if file_id is not None:
            self.copy_file_content(file_id, storage, file_id, self._node_file.work)

    def _node_cold(self) -> FileConnector:
        storage: FileConnector | None = self._node_file.storage
        if storage is None:
            raise FileError("has no storage=", path=self.path_name())
        return storage

    def copy_file_content(
        self, f_id_src: str, src: FileConnector, f_id_dst: str, dst: FileConnector
    ) -> str | None:
        """Copy a content from one connector to another.

        :raises FileError: there is none with that id.
        """
        dst.write(f_id_dst, src.read_chunk(f_id_src))
        return None

    def on_before_save(
        self, event_name: str, root: Any, me: Any, **kwargs: Any
    ) -> None:
        """Have a copy in the cold storage, if there is one. Units of work do it without
        being asked: this is for programs that call it."""
        if self._node_file.storage is not None:
            self.save()

    def on_before_delete(
        self, event_name: str, root: Any, me: Any, **kwargs: Any
    ) -> None:
        """Have no file any more. Units of work remove the contents of deleted items
        without being asked: this is for programs that call it."""
        self.delete_content()


class BlobFile(File):
    """A small file, whose content is in the document itself.

    What is told of it is as of a File; the content is never shown with it. ``work=`` is
    not used.

    :param max_size: bytes that a content may have; 1 MiB if nothing is said.
    """

    def _node_parts(self) -> dict[str, Any]:
        return {**super()._node_parts(), "content": Bytes(can_read=False)}

    def _node_plan(self, **options: Any) -> FilePlan:
        if options["work"] is not None:
            raise SSyntaxError("the content of a BlobFile is in its document: no work=")
        options["max_size"] = options["max_size"] or BLOB_SIZE
        return FilePlan(**options, new_id=self._node_new_id())

    def _node_read(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        if self._node_told("content") is None and self._node_file.storage is not None:
            self.load()
        content = base64.b64decode(self._node_told("content") or "")
        return _cut(content, start, stop, self._node_buffer())

    def read_chunk(self) -> Iterator[bytes]:
        """The content, piece by piece; nothing when there is no file."""
        return self.read_content_generator()

    def copy_file_content(
        self, fsrc: str, src: FileConnector, fsdt: str, dst: FileConnector
    ) -> str | None:
        """Copy a content from one connector to another, and give its id there.

        :raises FileError: there is none with that id.
        """
        super().copy_file_content(fsrc, src, fsdt, dst)
        return fsdt

    def load(self) -> None:
        """Have the content that the cold storage has."""
        storage, file_id = self._node_cold(), self._node_told("file_id")
        if file_id is not None:
            content = b"".join(storage.read_chunk(file_id))
            self.__dict__["content"]._node_take(content)


def _cut(content: bytes, start: int, stop: int, size: int) -> Iterator[bytes]:
    wanted = content[start:stop]
    return (wanted[at : at + size] for at in range(0, len(wanted), size))
