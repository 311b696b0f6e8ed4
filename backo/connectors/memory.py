"""A store in the memory of the process, for tests: its content ends with it."""

import threading
from typing import Any, ClassVar

from backo.connectors.base import Capabilities, Query
from backo.connectors.embedded import EmbeddedConnector
from backo.connectors.texts import (
    Document,
    decode_document,
    encode_document,
    encode_replacement,
    not_found,
    same_document,
)
from backo.errors import DuplicateIdError

__all__ = ["DBMemoryConnector"]


class DBMemoryConnector(EmbeddedConnector):
    """Keeps documents as JSON text, so that every one handed out is a private copy."""

    capabilities: ClassVar[Capabilities] = Capabilities(compare_and_set=True, json=True)

    def __init__(self, **kwargs: Any) -> None:
        self._texts: dict[str, str] = {}
        self._writing = threading.RLock()
        super().__init__(**kwargs)

    def create(self, o: Document) -> str:
        _id = self.id_for(o)
        text = encode_document(_id, o)
        with self._writing:
            if _id in self._texts:
                raise DuplicateIdError(f"_id {_id!r:.100} is already there")
            self._texts[_id] = text
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
        with self._writing:
            DBMemoryConnector.get_json(self, _id)
            self._texts[_id] = text

    def delete_by_id(self, _id: str) -> bool:
        with self._writing:
            if self._texts.pop(_id, None) is None:
                raise not_found(_id)
        return True

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        text = encode_replacement(_id, new)
        with self._writing:
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                self._texts[_id] = text
            return unchanged

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        with self._writing:
            unchanged = same_document(self.get_by_id(_id), expected)
            if unchanged:
                del self._texts[_id]
            return unchanged

    def drop(self) -> None:
        with self._writing:
            self._texts.clear()

    def find_pushed(self, query: Query) -> list[Document]:
        """Every document: the whole of a query is answered in Python."""
        return [decode_document(text) for text in tuple(self._texts.values())]
