"""A store in the memory of the process, for tests: its content ends with it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from backo.connectors.base import Capabilities, Query
from backo.connectors.embedded import EmbeddedConnector
from backo.connectors.recorded import TurnTransaction
from backo.connectors.texts import (
    Document,
    decode_document,
    encode_document,
    encode_replacement,
    not_found,
    same_document,
)
from backo.connectors.transactions import HELD
from backo.errors import DuplicateIdError
from backo.query.filter import predicate

__all__ = ["DBMemoryConnector"]


class DBMemoryConnector(EmbeddedConnector):
    """Keeps documents as JSON text, so that every one handed out is a private copy."""

    capabilities: ClassVar[Capabilities] = Capabilities(compare_and_set=True, json=True)

    def __init__(self, **kwargs: Any) -> None:
        self._texts: dict[str, str] = {}
        super().__init__(**kwargs)

    def create(self, o: Document) -> str:
        _id = self.id_for(o)
        text = encode_document(_id, o)
        with self._writing():
            if _id in self._texts:
                raise DuplicateIdError(f"_id {_id!r:.100} is already there")
            self._put(_id, text)
        return _id

    def get_json(self, _id: str) -> str:
        text = self._texts.get(_id)
        if text is None:
            raise not_found(_id)
        return text

    def get_by_id(self, _id: str) -> Document:
        return decode_document(DBMemoryConnector.get_json(self, _id))

    def save(self, _id: str, o: Document) -> None:
        text = encode_replacement(_id, o)
        with self._writing():
            DBMemoryConnector.get_json(self, _id)
            self._put(_id, text)

    def delete_by_id(self, _id: str) -> bool:
        with self._writing():
            DBMemoryConnector.get_json(self, _id)
            self._put(_id, None)
        return True

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        text = encode_replacement(_id, new)
        with self._writing():
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self._put(_id, text)
            return unchanged

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        with self._writing():
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self._put(_id, None)
            return unchanged

    def drop(self) -> None:
        with self._writing():
            for _id in tuple(self._texts):
                self._put(_id, None)

    def find_pushed(self, query: Query) -> list[Document]:
        """Every document: the whole of a query is answered in Python."""
        return [decode_document(text) for text in tuple(self._texts.values())]

    def scan(self) -> Iterator[Document]:
        test = predicate(self.restriction_filter())
        texts = map(self._texts.get, sorted(self._texts))
        return filter(test, (decode_document(text) for text in texts if text))

    # transactions

    def begin(self, timeout: float) -> "MemoryTransaction":
        """A transaction whose undo restores the very texts."""
        return MemoryTransaction(self, timeout)

    def _writing(self) -> AbstractContextManager[None]:
        return self._turn if self.join() is None else HELD

    def _put(self, _id: str, text: str | None) -> None:
        """Keep the text, or nothing, noted in the transaction if there is one."""
        transaction = self.joined()
        if isinstance(transaction, MemoryTransaction):
            transaction.log.note((_id, self._texts.get(_id)))
        self.put_back(_id, text)

    def put_back(self, _id: str, text: str | None) -> None:
        """Keep the text, or nothing, whatever transaction there is."""
        if text is None:
            self._texts.pop(_id, None)
        else:
            self._texts[_id] = text


class MemoryTransaction(TurnTransaction[tuple[str, str | None]]):
    """Holds the turn, so that nothing comes between a write and its undo."""

    def __init__(self, connector: DBMemoryConnector, timeout: float) -> None:
        super().__init__(connector.transaction_place(), connector._turn, timeout)
        self._connector = connector

    def undo(self, entry: tuple[str, str | None]) -> None:
        self._connector.put_back(*entry)
