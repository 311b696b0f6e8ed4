"""Bodies that are made while they are sent."""

from collections.abc import Iterator

from backo.errors import BackoError
from backo.log import log_system

__all__ = ["Begun", "Sending"]

_log = log_system.get_or_create_logger("http")


class Begun(Iterator[bytes]):
    """``pieces``, the first of which is there already: an error that comes before it is
    raised at once, while there still can be an answer that says so."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._first = next(pieces, None)

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._pieces) if first is None else first

    def close(self) -> None:
        """Let go of what the pieces come from."""
        self._first = None
        _close(self._pieces)


class Sending(Iterator[bytes]):
    """The pieces of a body on their way: ``length`` bytes of them, if that is known.

    What goes wrong is logged and raised, and so is a body of another length: the
    connection must be cut, or the client would take the body for a whole one.

    :param what: the request, for the log.
    """

    def __init__(
        self, pieces: Iterator[bytes], length: int | None, what: str = "an answer"
    ) -> None:
        self._pieces = pieces
        self._left = length
        self._what = what

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces, None)
            self._count(piece)
        except Exception as error:
            _log.error("%s is cut short", self._what, exc_info=error)
            raise
        if piece is None:
            raise StopIteration
        return piece

    def _count(self, piece: bytes | None) -> None:
        if self._left is None:
            return
        self._left -= len(piece or b"")
        if self._left < 0 or (piece is None and self._left):
            raise BackoError("a stream has another length than was said")

    def gathered(self, size: int) -> bytes:
        """Pieces of about ``size`` bytes together; nothing at the end."""
        found: list[bytes] = []
        while size > 0 and (piece := next(self, None)) is not None:
            found.append(piece)
            size -= len(piece)
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        """Let go of what the pieces come from; that this fails is only logged."""
        try:
            _close(self._pieces)
        except Exception as error:  # noqa: BLE001 - the answer is on its way
            _log.error("%s could not be closed", self._what, exc_info=error)


def _close(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
