"""One YAML file for each item, to be read and edited by people too.

A reader, or a crash, sees the old file or the new one (:mod:`.yml_folder`); units of
several writes keep a journal in the folder (:mod:`.yml_journal`). Readers take no lock.
"""

import base64
import datetime
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import yaml

from backo.connectors.base import Capabilities, Query
from backo.connectors.decisions import JOURNAL
from backo.connectors.embedded import EmbeddedConnector
from backo.connectors.texts import (
    Document,
    checked_id,
    decode_document,
    encode_document,
    encode_replacement,
    not_found,
    same_document,
)
from backo.connectors.transactions import HELD
from backo.connectors.yml_folder import shared, translated
from backo.connectors.yml_journal import YmlTransaction, locked, mend_now, tidy
from backo.errors import DBError, DuplicateIdError, UnstorableError
from backo.query.filter import predicate
from backo.schema.plan import ItemPlan

__all__ = ["DBYmlConnector"]

_SUFFIX = ".yml"
_SETTLED = 50_000_000
"""Nanoseconds after which a file's time would tell a further change of it."""

type _Stamp = tuple[int, int, int]


class DBYmlConnector(EmbeddedConnector):
    """Keeps each item in ``<_id>.yml`` in the folder ``path``, made on demand.

    An edit from outside is seen by the next request; a file that is no longer YAML is
    a :class:`~backo.errors.DBError` that names it. An id of any shape stays inside the
    folder: what a file name cannot hold is percent-encoded. A file's name decides its
    item's id, whatever the file says.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(compare_and_set=True)

    def __init__(self, *, path: str | os.PathLike[str], **kwargs: Any) -> None:
        self.path = Path(path)
        # The working directory may change later.
        self._folder = shared(self.path)
        self._base = self._folder.path
        self._journal = self._base / JOURNAL
        self._cache: dict[str, tuple[_Stamp, str]] = {}
        super().__init__(**kwargs)

    def place(self) -> object:
        return self._folder.path

    # one document

    def create(self, o: Document) -> str:
        _id = self.id_for(o)
        text = encode_document(_id, o)
        with self._locked(create=True):
            if self._stored(_id) is not None:
                raise DuplicateIdError(f"_id {_id!r:.100} is already there")
            self._write(_id, text)
        return _id

    def get_json(self, _id: str) -> str:
        text = self._stored(_id)
        if text is None:
            raise not_found(_id)
        return text

    def get_by_id(self, _id: str) -> Document:
        return decode_document(DBYmlConnector.get_json(self, _id))

    def save(self, _id: str, o: Document) -> None:
        text = encode_replacement(_id, o)
        with self._locked():
            self._present(_id)
            self._write(_id, text)

    def delete_by_id(self, _id: str) -> bool:
        with self._locked():
            self._present(_id)
            self._remove(_id)
        return True

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        text = encode_replacement(_id, new)
        with self._locked():
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self._write(_id, text)
            return unchanged

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        with self._locked():
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self._remove(_id)
            return unchanged

    def drop(self) -> None:
        with self._locked(), translated(self._base):
            for name in self._names():
                self._note(name)
                (self._base / name).unlink(missing_ok=True)
            self._cache.clear()

    # many documents

    def find_pushed(self, query: Query) -> list[Document]:
        """Every document: the whole of a query is answered in Python."""
        texts = [(name, self._read(name)) for name in self._names()]
        there = {name for name, text in texts if text is not None}
        for gone in self._cache.keys() - there:
            self._cache.pop(gone, None)
        return [decode_document(text) for _, text in texts if text is not None]

    def scan(self) -> Iterator[Document]:
        """Every document, read file by file; none is kept."""
        test = predicate(self.restriction_filter())
        names = {_id_of(name) or name: name for name in self._names()}
        texts = (self._read(names[_id], keep=False) for _id in sorted(names))
        return filter(test, (decode_document(text) for text in texts if text))

    # reading

    def _names(self) -> list[str]:
        """The names of the items' files, in the order of the names."""
        self._mend()
        try:
            names = os.listdir(self._base)  # noqa: PTH208
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DBError(f"{self._base}: {error}") from error
        return sorted(name for name in names if _id_of(name) is not None)

    def _stored(self, _id: str) -> str | None:
        try:
            name = _name_of(checked_id(_id))
        except DBError:
            return None
        self._mend()
        return self._read(name)

    def _present(self, _id: str) -> None:
        """Raise NotFoundError without a file; a broken one may be replaced."""
        try:
            name = _name_of(checked_id(_id))
        except DBError as error:
            raise not_found(_id) from error
        with translated(self._base):
            if not os.path.lexists(self._base / name):
                raise not_found(_id)

    def _read(self, name: str, *, keep: bool = True) -> str | None:
        """The JSON text of a file, from the cache if the file is unchanged; with
        ``keep`` it is kept there."""
        path = self._base / name
        transaction = self.joined()
        unit = transaction.texts if isinstance(transaction, YmlTransaction) else {}
        with translated(path):
            try:
                stamp = _stamp(path.stat())
                for cached in (self._cache.get(name), unit.get(name)):
                    if cached is not None and cached[0] == stamp:
                        return cached[1]
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    content = file.read()
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                    return None
                raise
        text = _encode(path, _id_of(name) or name, _parse(path, content))
        if not keep:
            return text
        # A change in the same tick of the clock would leave the same stamp.
        if time.time_ns() - status.st_mtime_ns > _SETTLED:
            self._cache[name] = (_stamp(status), text)
        unit[name] = (_stamp(status), text)
        return text

    # writing

    def _write(self, _id: str, text: str) -> None:
        name = _name_of(_id)
        content = _dump(json.loads(text))
        self._note(name)
        path = self._base / name
        with translated(path):
            mode = _mode(path)
        self._folder.replace(name, content, mode)
        self._cache.pop(name, None)

    def _remove(self, _id: str) -> None:
        name = _name_of(_id)
        self._note(name)
        self._folder.remove(name)
        self._cache.pop(name, None)

    def _note(self, name: str) -> None:
        transaction = self.joined()
        if isinstance(transaction, YmlTransaction):
            transaction.note(name)

    def _locked(self, *, create: bool = False) -> AbstractContextManager[None]:
        """The turn to write, of all threads and processes."""
        if self.join() is not None:
            return HELD
        with translated(self._base):
            if create:
                self._base.mkdir(parents=True, exist_ok=True)
            elif not self._base.is_dir():
                return HELD
        return locked(self._folder)

    # transactions

    def bind(self, plan: ItemPlan) -> None:
        """Take the plan, and mend what a killed process left in the folder."""
        super().bind(plan)
        self._mend()
        tidy(self._folder)

    def transaction_place(self) -> str:
        return self._folder.place

    def begin(self, timeout: float) -> YmlTransaction:
        """A transaction that holds the folder's lock and keeps a journal in it."""
        return YmlTransaction(self._folder, timeout)

    def _mend(self) -> None:
        """If there is a journal: that of a killed process is not to be seen."""
        if os.path.lexists(self._journal) and self.joined() is None:
            mend_now(self._folder)


# -- names -------------------------------------------------------------------------

_UNSAFE = re.compile(r'[\x00-\x1f\x7f%/\\:*?"<>|]|^\.|[. ]$')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE
)


def _name_of(_id: str) -> str:
    """The file name of an id: safe on every system, and inside the folder."""
    name = _UNSAFE.sub(lambda found: _percent(found[0]), _id)
    if _RESERVED.match(name):
        name = _percent(name[0]) + name[1:]
    return name + _SUFFIX


def _id_of(name: str) -> str | None:
    """The id of a file name; None when it is no item's."""
    if not name.endswith(_SUFFIX):
        return None
    try:
        _id = checked_id(unquote(name.removesuffix(_SUFFIX), errors="strict"))
    except (DBError, UnicodeDecodeError):
        return None
    return _id if _name_of(_id) == name else None


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _mode(path: Path) -> int | None:
    """Who may read and write the file; None when there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


# -- YAML --------------------------------------------------------------------------

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


_TAG = "tag:yaml.org,2002:"
_JSON_SCALARS = (
    (_TAG + "bool", re.compile("^(?:true|false)$"), "tf"),
    (_TAG + "int", re.compile("^-?(?:0|[1-9][0-9]*)$"), "-0123456789"),
    (
        _TAG + "float",
        re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"),
        "-0123456789",
    ),
)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Reads numbers and bools as JSON writes them. The country ``NO``, the zip code
    ``01234`` and the hour ``12:30``, which YAML 1.1 takes for others, stay texts."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [
            (tag, pattern)
            for tag, pattern in pairs
            if tag not in (_TAG + "bool", _TAG + "int", _TAG + "float")
        ]
        for first, pairs in _BaseLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(_BaseDumper):  # type: ignore[misc]
    """Writes texts of several lines as blocks, and quotes all that would be no text
    to this loader or to one of YAML 1.1."""


for _tag, _pattern, _first in _JSON_SCALARS:
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))
    _Dumper.add_implicit_resolver(_tag, _pattern, list(_first))


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _dump(document: Document) -> bytes:
    try:
        text: bytes = yaml.dump(
            document,
            Dumper=_Dumper,
            allow_unicode=True,
            default_flow_style=False,
            encoding="utf-8",
            sort_keys=False,
        )
    except (yaml.YAMLError, RecursionError) as error:
        raise UnstorableError(f"a document cannot be stored: {error}") from error
    return text


def _parse(path: Path, content: bytes) -> Document:
    try:
        document = yaml.load(content, Loader=_Loader)  # noqa: S506
        plain = _plain(document)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DBError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(plain, dict):
        raise DBError(f"{path}: not an item, for it is no mapping")
    return plain


def _encode(path: Path, _id: str, document: Document) -> str:
    try:
        return encode_document(_id, document)
    except DBError as error:
        raise DBError(f"{path}: {error}") from error


def _plain(value: Any) -> Any:
    """What YAML reads as dates, bytes or sets, as JSON has it."""
    match value:
        case dict():
            return {_key(name): _plain(member) for name, member in value.items()}
        case list() | set():
            return [_plain(one) for one in value]
        case datetime.date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return value


def _key(name: Any) -> str:
    plain = _plain(name)
    return plain if isinstance(plain, str) else json.dumps(plain)
