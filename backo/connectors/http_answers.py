"""What another server answered, and what its errors are here.

An answer that says what is wrong with a document (422, 409, …) becomes the error that a
store in the process would have raised, so that clients are told the same. Everything
else that is no success is a :class:`~backo.errors.DBError`.
"""

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pydantic_core
from stricto import SConstraintError, SRightError, STypeError

from backo.errors import (
    ConflictError,
    DBError,
    DuplicateIdError,
    Fault,
    NotFoundError,
    PreconditionError,
    ReferencedError,
    UnknownReferenceError,
    ValidationError,
)
from backo.query.strict import strict_loads

__all__ = [
    "Answer",
    "TooLargeError",
    "code_of",
    "decompressed",
    "faulty_paths",
    "gathered",
    "refusal",
]

_MOST_FAULTS = 1000
_MOST_TEXT = 500
"""Characters of another server's words that are passed on."""


class TooLargeError(DBError):
    """The answer has more bytes than are read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    doubtful: bool = False
    """Whether the request was sent before, and nobody knows what became of that."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, parsed. :raises DBError: it is no JSON."""
        try:
            return pydantic_core.from_json(self.body, allow_inf_nan=False)
        except ValueError:
            return self._read_slowly()

    def _read_slowly(self) -> Any:
        # It takes half a surrogate pair, which the faster one does not.
        try:
            return strict_loads(self.body)
        except ValueError as error:
            raise DBError("the other server's answer is no JSON") from error

    def document(self) -> dict[str, Any]:
        """The body, an object. :raises DBError: it is none."""
        found = self.json()
        if not isinstance(found, dict):
            raise DBError("the other server's answer is no object")
        return found


# -- bodies ------------------------------------------------------------------------


def gathered(chunks: Iterable[bytes], most: int) -> bytes:
    """The chunks joined. :raises TooLargeError: as soon as they have more bytes."""
    text = bytearray()
    for chunk in chunks:
        text += chunk
        if len(text) > most:
            raise TooLargeError(
                f"the other server's answer has more than {most:,} bytes"
            )
    return bytes(text)


def decompressed(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its content coding.

    :raises TooLargeError: it would have more than ``most`` bytes; no more are made.
    :raises DBError: it is damaged, or in a coding that was not asked for.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise DBError("the other server's answer is in an unknown coding")
    try:
        return gathered(_unzipped(body), most)
    except zlib.error as error:
        raise DBError("the other server's answer is damaged") from error


def _unzipped(body: bytes) -> Iterator[bytes]:
    while body:
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        rest = body
        while rest and not inflate.eof:
            yield inflate.decompress(rest, 65_536)
            rest = inflate.unconsumed_tail
        yield inflate.flush()
        if not inflate.eof:
            raise DBError("the other server's answer ends early")
        body = inflate.unused_data


# -- errors ------------------------------------------------------------------------


def refusal(answer: Answer, what: str, scrub: Callable[[str], str]) -> Exception:
    """The error that an answer without success stands for.

    :param what: what was tried, for its words.
    :param scrub: takes out of the other server's words what must not be told.
    """
    told = _Told(answer, what, scrub)
    make = _BY_STATUS.get(answer.status)
    return told.failure() if make is None else make(told)


def code_of(answer: Answer) -> object:
    """The code of the problem that the answer describes, if it does."""
    return _problem(answer).get("code")


def faulty_paths(answer: Answer) -> frozenset[str]:
    """What the answer says is wrong, by path."""
    listed = _problem(answer).get("errors")
    found = listed if isinstance(listed, list) else []
    paths = [one.get("path") for one in found if isinstance(one, dict)]
    return frozenset(one for one in paths if isinstance(one, str))


class _Told:
    """What an answer without success says."""

    def __init__(self, answer: Answer, what: str, scrub: Callable[[str], str]) -> None:
        self.status = answer.status
        self.what = what
        self._scrub = scrub
        problem = _problem(answer)
        self.code = problem.get("code")
        self.detail = self._words(problem.get("detail")) or f"status {answer.status}"
        listed = problem.get("errors")
        self.faults = tuple(
            self._fault(one)
            for one in (listed if isinstance(listed, list) else [])[:_MOST_FAULTS]
            if isinstance(one, dict)
        )

    def failure(self) -> DBError:
        """The other server cannot, or does not do what it is asked."""
        return DBError(f"{self.what}: the other server says: {self.detail}")

    def _fault(self, told: dict[str, Any]) -> Fault:
        path = self._words(told.get("path"))
        return Fault(
            path if path.startswith("$") else "$",
            self._words(told.get("message")) or "is refused",
            self._words(told.get("code")) or "invalid",
        )

    def _words(self, value: object) -> str:
        return self._scrub(value)[:_MOST_TEXT] if isinstance(value, str) else ""


def _problem(answer: Answer) -> dict[str, Any]:
    """The problem that the answer describes (RFC 9457), if it does."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _invalid(told: _Told) -> Exception:
    faults = told.faults or (Fault("$", told.detail, "invalid"),)
    if all(one.code == "unknown_reference" for one in faults):
        return UnknownReferenceError(faults)
    if len(faults) == 1 and faults[0].code in _STRICTO:
        return _stricto(_STRICTO[faults[0].code], faults[0])
    return ValidationError(faults)


def _stricto(kind: type[Exception], fault: Fault) -> Exception:
    return kind("{0}: {1}", fault.path, fault.message)


_STRICTO: Mapping[str, type[Exception]] = MappingProxyType(
    {"constraint": SConstraintError, "type": STypeError}
)


def _forbidden(told: _Told) -> Exception:
    """Of a field: whoever asks here may not change it there. Of all else: the other
    server does not let *us* do it, which is not our caller's fault."""
    if told.code != "forbidden" or not told.faults or told.faults[0].path == "$":
        return told.failure()
    return _stricto(SRightError, told.faults[0])


def _conflict(told: _Told) -> Exception:
    if told.code == "duplicate_id":
        return DuplicateIdError(told.detail)
    if told.code == "referenced":
        return ReferencedError(told.detail)
    return ConflictError(told.detail)


def _absent(told: _Told) -> Exception:
    # What has no route is not there for anybody: the wrong prefix, or a collection
    # that allows this to nobody.
    return told.failure() if told.code == "no_route" else NotFoundError(told.detail)


_BY_STATUS: Mapping[int, Callable[[_Told], Exception]] = MappingProxyType(
    {
        403: _forbidden,
        404: _absent,
        409: _conflict,
        410: _absent,
        412: lambda told: PreconditionError(told.detail),
        413: lambda told: ValidationError([Fault("$", "is too large", "invalid")]),
        422: _invalid,
    }
)
