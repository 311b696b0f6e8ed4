"""What another server showed last of some items, each with its ETag."""

import threading
from collections import OrderedDict

__all__ = ["Seen", "SeenItems"]

type Seen = tuple[str, bytes]
"""An ETag, and the body that it is of."""


class SeenItems:
    """The bodies shown last, of ``most`` bytes together.

    Nothing here is taken to be so without being asked for: an ETag goes with each
    request, and the other server says whether it still holds.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, _id: str) -> Seen | None:
        with self._lock:
            found = self._seen.get(_id)
            if found is not None:
                self._seen.move_to_end(_id)
            return found

    def put(self, _id: str, etag: str | None, body: bytes) -> None:
        """Keep what was shown; without an ETag, or too large, nothing is kept."""
        with self._lock:
            self._drop(_id)
            if etag is None or not body or len(body) > self._most:
                return
            self._seen[_id] = (etag, body)
            self._size += len(body)
            while self._size > self._most:
                self._drop(next(iter(self._seen)))

    def forget(self, _id: str) -> None:
        with self._lock:
            self._drop(_id)

    def _drop(self, _id: str) -> None:
        gone = self._seen.pop(_id, None)
        if gone is not None:
            self._size -= len(gone[1])
