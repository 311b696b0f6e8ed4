"""A content as the answer to ``GET`` and ``HEAD`` (RFC 9110): whole, in part, or not,
when the client has it already."""

import dataclasses
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime

from backo.errors import PreconditionError
from backo.http.conditions import http_date, names_tag, parse_http_date
from backo.http.dispositions import WORD, content_disposition
from backo.http.messages import Request, Response
from backo.http.ranges import Range, asked_ranges
from backo.http.streams import Begun

__all__ = ["Download", "download"]

_OCTETS = "application/octet-stream"

_MEDIA = re.compile(
    rf'{WORD}/{WORD}(?:[ \t]*;[ \t]*{WORD}=(?:{WORD}|"[ !#-\[\]-~]*"))*'
)
_MAX_MEDIA = 200
# Neither a quote nor a comma, at which lists of tags are divided.
_TAG = re.compile(r"[!#-+\--~]{1,200}")


@dataclasses.dataclass(frozen=True, slots=True)
class Download:
    """A content that may be downloaded.

    :param filename: under which it may be kept, whatever it is made of.
    :param content_type: a media type, with its charset if that is known; what is none
        becomes ``application/octet-stream``.
    :param size: its bytes.
    :param modified: since when it is as it is.
    :param etag: another text for each other content, without quotes.
    :param read: the bytes from the first number up to the second, piece by piece.
    """

    filename: str | None
    content_type: str
    size: int
    modified: datetime | None
    etag: str
    read: Callable[[int, int], Iterator[bytes]] = dataclasses.field(compare=False)


def download(request: Request, found: Download) -> Response:
    """The answer with the content, or with those of its bytes that ``Range`` asks for.

    :raises PreconditionError: it is not what ``If-Match`` or ``If-Unmodified-Since``
        takes it for.
    :raises RangeError: none of the bytes asked for are there.
    """
    tag, modified = _tag(found.etag), _modified(found)
    headers = _validators(tag, modified)
    _unchanged(request, tag, modified)
    if _known(request, tag, modified):
        # The tag says it (RFC 9110, section 15.4.5).
        return Response(304, b"", None, _cached(tag))
    media = _media(found.content_type)
    headers += (
        ("accept-ranges", "bytes"),
        ("content-disposition", content_disposition(found.filename, media)),
        ("x-content-type-options", "nosniff"),
    )
    if request.method == "HEAD":
        return Response(200, b"", media, headers, length=found.size)
    ranges = asked_ranges(_range_header(request, tag), found.size)
    if ranges is None:
        pieces = Begun(found.read(0, found.size))
        return Response(200, b"", media, headers, pieces, found.size)
    if len(ranges) == 1:
        return _one_range(found, ranges[0], media, headers)
    return _several_ranges(found, ranges, media, headers)


type Headers = tuple[tuple[str, str], ...]


def _tag(etag: str) -> str:
    if not _TAG.fullmatch(etag):
        text = etag.encode(errors="surrogatepass")
        etag = hashlib.blake2b(text, digest_size=16).hexdigest()
    return f'"{etag}"'


def _modified(found: Download) -> datetime | None:
    """When the content was changed, in whole seconds; never later than now (RFC 9110,
    section 8.8.2.1)."""
    if found.modified is None:
        return None
    at = found.modified
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(moment, datetime.now(UTC)).replace(microsecond=0)


def _validators(tag: str, modified: datetime | None) -> Headers:
    if modified is None:
        return _cached(tag)
    return *_cached(tag), ("last-modified", http_date(modified))


def _cached(tag: str) -> Headers:
    return (("etag", tag), ("cache-control", "private, no-cache"))


def _unchanged(request: Request, tag: str, modified: datetime | None) -> None:
    """
    :raises PreconditionError: the client takes the content for another one.
    """
    named = request.headers.get("if-match")
    since = parse_http_date(request.headers.get("if-unmodified-since"))
    if named is not None:
        if not names_tag(named, tag):
            raise PreconditionError("the file is not the one that If-Match names")
    elif since is not None and modified is not None and modified > since:
        raise PreconditionError("the file has changed since If-Unmodified-Since")


def _known(request: Request, tag: str, modified: datetime | None) -> bool:
    """Whether the client has the content already."""
    named = request.headers.get("if-none-match")
    if named is not None:
        return names_tag(named, tag, weak=True)
    since = parse_http_date(request.headers.get("if-modified-since"))
    return since is not None and modified is not None and modified <= since


def _range_header(request: Request, tag: str) -> str | None:
    """``Range``, unless ``If-Range`` says that it is about another content. A date says
    so too: within a second of it there may have been two."""
    if request.headers.get("if-range", tag).strip() != tag:
        return None
    return request.headers.get("range")


def _media(content_type: str) -> str:
    known = len(content_type) <= _MAX_MEDIA and _MEDIA.fullmatch(content_type)
    return content_type if known else _OCTETS


def _content_range(part: Range, size: int) -> str:
    return f"bytes {part[0]}-{part[1] - 1}/{size}"


def _one_range(found: Download, part: Range, media: str, headers: Headers) -> Response:
    headers += (("content-range", _content_range(part, found.size)),)
    start, stop = part
    pieces = Begun(found.read(start, stop))
    return Response(206, b"", media, headers, pieces, stop - start)


def _several_ranges(
    found: Download, ranges: Sequence[Range], media: str, headers: Headers
) -> Response:
    """Several ranges as ``multipart/byteranges`` (RFC 9110, section 14.6)."""
    boundary = secrets.token_hex(16)
    heads = [
        f"--{boundary}\r\ncontent-type: {media}\r\n"
        f"content-range: {_content_range(part, found.size)}\r\n\r\n".encode()
        for part in ranges
    ]
    end = f"--{boundary}--\r\n".encode()
    wrapped = sum(len(head) + len(b"\r\n") for head in heads) + len(end)
    length = wrapped + sum(stop - start for start, stop in ranges)

    # All are open before there is an answer: the content may be replaced meanwhile.
    with ExitStack() as stack:
        parts = [
            stack.enter_context(closing(Begun(found.read(start, stop))))
            for start, stop in ranges
        ]
        opened = stack.pop_all()

    def pieces() -> Iterator[bytes]:
        with opened:
            for head, part in zip(heads, parts, strict=True):
                yield head
                yield from part
                yield b"\r\n"
            yield end

    several = f"multipart/byteranges; boundary={boundary}"
    return Response(206, b"", several, headers, Begun(pieces()), length)
