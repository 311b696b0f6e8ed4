"""Forms (``multipart/form-data``, RFC 7578), read part by part as they arrive."""

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from backo.errors import BackoError, BodyTooLargeError
from backo.http.dispositions import HeaderError, header_parameters, text_parameter
from backo.http.messages import media_type
from backo.http.problems import BadFormError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from python_multipart import MultipartParser

__all__ = ["FORM", "FormLimits", "Part", "is_form", "parts"]

FORM = "multipart/form-data"
MAX_PART_NAME = 1000
"""Characters that the name of a part may have."""

# RFC 2046, section 5.1.1; at its end stands no space.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ENCODINGS = ("7bit", "8bit", "binary")
_MAX_HEADERS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class FormLimits:
    """How large a form may be.

    :param max_size: bytes of the whole body.
    :param max_parts: parts it may have.
    :param max_headers: bytes that the headers of one part may have.
    """

    max_size: int
    max_parts: int
    max_headers: int = 16_384


@dataclasses.dataclass(slots=True)
class Part:
    """One part of a form.

    :param filename: as the client sent it, which may be any text without control
        characters; empty where a form has no file in a field for one.
    :param headers: by their names in lower case.
    :param chunks: the content, piece by piece, until the next part is asked for.
    """

    name: str
    filename: str | None
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


def is_form(consumes: Container[str], content_type: str) -> bool:
    """Whether a body is a form, and of the media types that are taken."""
    return FORM in consumes and media_type(content_type)[0] == FORM


def parts(
    stream: Iterable[bytes],
    content_type: str,
    limits: FormLimits,
    content_length: int | None = None,
) -> Iterator[Part]:
    """The parts of a form, each as soon as its headers are there; of ``stream`` no more
    is read than is asked for. What is left of a part is skipped when the next one is
    asked for.

    :param content_length: bytes that the body is said to have.
    :raises BadFormError: it is no such form, or ends early.
    :raises BodyTooLargeError: it is over a limit.
    :raises UnsupportedMediaTypeError: python-multipart is not installed.
    """
    if content_length is not None and content_length > limits.max_size:
        raise _too_large(limits)
    reader = _Reader(stream, _boundary(content_type), limits, content_length)
    count = 0
    while (headers := reader.headers()) is not None:
        count += 1
        if count > limits.max_parts:
            raise BodyTooLargeError(f"a form may have {limits.max_parts} parts")
        yield _part(headers, reader.content(count))


def _boundary(content_type: str) -> bytes:
    try:
        boundary = header_parameters(content_type)[1].get("boundary", "")
    except HeaderError as error:
        raise BadFormError(f"Content-Type: {error}") from error
    if not _BOUNDARY.fullmatch(boundary):
        raise BadFormError("Content-Type has no valid boundary")
    return boundary.encode("ascii")


def _too_large(limits: FormLimits) -> BodyTooLargeError:
    return BodyTooLargeError(f"a form may have {limits.max_size} bytes")


def _part(headers: Mapping[str, str], chunks: Iterator[bytes]) -> Part:
    """
    :raises BadFormError: the headers are not those of a part of a form.
    """
    encoding = headers.get("content-transfer-encoding", "binary").strip().lower()
    if encoding not in _ENCODINGS:
        raise BadFormError("a part has a Content-Transfer-Encoding (RFC 7578)")
    try:
        kind, given = header_parameters(headers.get("content-disposition", ""))
        name = text_parameter(given, "name")
        filename = text_parameter(given, "filename")
    except HeaderError as error:
        raise BadFormError(f"Content-Disposition of a part: {error}") from error
    if kind != "form-data" or not name:
        raise BadFormError("a part has no name in its Content-Disposition")
    if len(name) > MAX_PART_NAME:
        raise BadFormError(f"the name of a part has over {MAX_PART_NAME} characters")
    return Part(name, filename, headers, chunks)


@dataclasses.dataclass(frozen=True, slots=True)
class _Over:
    """After the last part."""


@dataclasses.dataclass(frozen=True, slots=True)
class _PartEnd:
    """After the content of a part."""


type _Event = bytes | dict[str, str] | _PartEnd | _Over | BackoError


class _Reader:
    """What a parser finds in a stream, one after the other: of each part its headers,
    its content and its end.

    An error is one of them, so that how the stream is cut into pieces changes nothing.
    """

    def __init__(
        self,
        stream: Iterable[bytes],
        boundary: bytes,
        limits: FormLimits,
        content_length: int | None,
    ) -> None:
        self._stream = iter(stream)
        self._limits = limits
        self._content_length = content_length
        self._size = 0
        self._events: deque[_Event] = deque()
        self._found = _Found(self._events, limits.max_headers)
        self._feed = _parser(boundary, self._found, limits).write
        self._number = 0
        self._open = 0

    def headers(self) -> dict[str, str] | None:
        """Those of the next part, past what is left of this one; None: there is no
        other."""
        while True:
            event = self._next()
            if isinstance(event, _Over):
                return None
            if isinstance(event, dict):
                self._open = self._number = self._number + 1
                return event

    def content(self, number: int) -> Iterator[bytes]:
        """What is left of the content of the part of this number, unless the reader is
        past it."""
        while number == self._open:
            event = self._next()
            if isinstance(event, bytes):
                yield event
            else:
                self._open = 0

    def _next(self) -> _Event:
        while not self._events:
            self._pull()
        event = self._events[0]
        if isinstance(event, BackoError):
            raise event
        return self._events.popleft()

    def _pull(self) -> None:
        """Read one piece of the stream."""
        chunk = next(self._stream, None)
        if chunk is None:
            short = self._content_length is not None and (
                self._size < self._content_length
            )
            whole = self._found.ended and not short
            self._events.append(
                _Over() if whole else BadFormError("the body ends early")
            )
            return
        room = self._limits.max_size - self._size
        # A preamble is nothing that clients send: the first byte is a boundary's.
        if chunk and not self._size and not chunk.startswith(b"-"):
            self._events.append(
                BadFormError("the body does not begin with its boundary")
            )
            return
        self._size += len(chunk)
        try:
            self._feed(chunk[:room])
        except BackoError as error:
            self._events.append(error)
        except ValueError:
            # What the parser says tells of its pieces, not of the body.
            self._events.append(BadFormError("the body is not well-formed"))
        if len(chunk) > room:
            self._events.append(_too_large(self._limits))


class _Found:
    """What a parser tells, as events."""

    def __init__(self, events: deque[_Event], max_headers: int) -> None:
        self._events = events
        self._max_headers = max_headers
        self._begin()
        self.ended = False

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """As the parser wants them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._size = 0
        self._name = bytearray()
        self._text = bytearray()

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._text += data[start:end]

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._max_headers:
            raise BadFormError(
                f"the headers of a part may have {self._max_headers} bytes"
            )

    def _header(self) -> None:
        self._count(len(": \r\n"))
        name = self._name.decode("ascii").lower()
        try:
            text = self._text.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise BadFormError(f"{name} of a part is not UTF-8") from error
        if _CONTROL.search(text):
            raise BadFormError(f"{name} of a part has control characters")
        if name in self._headers and name.startswith("content-"):
            raise BadFormError(f"a part has {name} twice")
        others = self._headers.get(name)
        self._headers[name] = text if others is None else f"{others}, {text}"
        self._name.clear()
        self._text.clear()

    def _headers_finished(self) -> None:
        self._events.append(self._headers)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _part_end(self) -> None:
        self._events.append(_PartEnd())

    def _end(self) -> None:
        self.ended = True


def _parser(boundary: bytes, found: _Found, limits: FormLimits) -> "MultipartParser":
    try:
        from python_multipart import MultipartParser
    except ImportError as error:
        raise UnsupportedMediaTypeError(
            f"{FORM} is read by python-multipart: pip install 'backo[fastapi]' or"
            " 'backo[flask]'"
        ) from error
    return MultipartParser(
        boundary,
        found.callbacks(),  # type: ignore[arg-type]
        max_header_count=_MAX_HEADERS,
        max_header_size=limits.max_headers,
    )
