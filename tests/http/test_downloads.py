"""Contents as answers."""

import email
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backo.errors import FileError, PreconditionError
from backo.http.downloads import Download, download
from backo.http.messages import Request, Response
from backo.http.problems import RangeError, problem

CONTENT = bytes(range(256)) * 4
CHANGED = datetime(2026, 5, 17, 10, 30, 15, 999_999, tzinfo=UTC)
SAID = "Sun, 17 May 2026 10:30:15 GMT"
BEFORE = "Sun, 17 May 2026 10:30:14 GMT"
AFTER = "Mon, 18 May 2026 10:30:15 GMT"


class Kept:
    """A content that says what was read of it."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []
        self.closed = 0

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        self.asked.append((start, stop))
        try:
            for at in range(start, stop, 10):
                yield self.content[at : min(at + 10, stop)]
        finally:
            self.closed += 1


def found(
    kept: Kept,
    filename: str | None = "a.png",
    content_type: str = "image/png",
    modified: datetime | None = CHANGED,
    etag: str = "t1",
) -> Download:
    size = len(kept.content)
    return Download(filename, content_type, size, modified, etag, kept.read)


def asked(method: str = "GET", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/office/a/1/cover", "", named, {})


def answer(kept: Kept, **headers: str) -> Response:
    return download(asked(**headers), found(kept))


def sent(response: Response) -> bytes:
    assert response.stream is not None
    body = b"".join(response.stream)
    assert response.length == len(body)
    return body


def test_the_whole() -> None:
    kept = Kept()
    response = answer(kept)
    assert response.status == 200
    assert dict(response.all_headers) == {
        "etag": '"t1"',
        "cache-control": "private, no-cache",
        "last-modified": SAID,
        "accept-ranges": "bytes",
        "content-disposition": 'inline; filename="a.png"',
        "x-content-type-options": "nosniff",
        "content-type": "image/png",
        "content-length": "1024",
    }
    assert sent(response) == CONTENT
    assert (kept.asked, kept.closed) == ([(0, 1024)], 1)


def test_head_says_the_same_and_reads_nothing() -> None:
    kept = Kept()
    response = download(asked("HEAD", range="bytes=0-9"), found(kept))
    assert response.all_headers == answer(Kept()).all_headers
    assert (response.status, response.stream, response.body) == (200, None, b"")
    assert kept.asked == []


def test_an_empty_content() -> None:
    response = answer(Kept(b""), range="bytes=0-")
    assert (response.status, response.length, sent(response)) == (200, 0, b"")


def test_what_cannot_be_read_is_an_error_before_the_answer() -> None:
    def gone(_start: int, stop: int) -> Iterator[bytes]:
        if stop:
            raise FileError("it is gone")
        yield b""

    missing = Download(None, "image/png", 10, None, "t1", gone)
    for headers in ({}, {"range": "bytes=0-4"}, {"range": "bytes=0-1,5-6"}):
        with pytest.raises(FileError):
            download(asked(**headers), missing)


# --- Names and types ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "media", "kind"),
    [
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8", "inline"),
        ("text/plain", "text/plain", "inline"),
        ("", "application/octet-stream", "attachment"),
        ("image", "application/octet-stream", "attachment"),
        ("image/png\r\nset-cookie: a=b", "application/octet-stream", "attachment"),
        ("image/png\n", "application/octet-stream", "attachment"),
        ("image/png; a", "application/octet-stream", "attachment"),
        ("imagé/png", "application/octet-stream", "attachment"),
        (f"image/{'x' * 300}", "application/octet-stream", "attachment"),
    ],
)
def test_what_a_browser_is_told_of_the_content(
    content_type: str, media: str, kind: str
) -> None:
    response = download(asked(), found(Kept(), content_type=content_type))
    assert response.media == media
    headers = dict(response.all_headers)
    assert headers["content-disposition"] == f'{kind}; filename="a.png"'
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("etag", ['a"b', "a\r\nb", "a,b", "a b", "é", "", "\ud800"])
def test_any_text_makes_a_tag(etag: str) -> None:
    headers = dict(download(asked(), found(Kept(), etag=etag)).all_headers)
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    again = download(asked(if_none_match=headers["etag"]), found(Kept(), etag=etag))
    assert again.status == 304


# --- Preconditions ------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"if_none_match": '"t1"'},
        {"if_none_match": 'W/"t1"'},
        {"if_none_match": '"t0", "t1"'},
        {"if_none_match": "*"},
        {"if_none_match": '"t1"', "if_modified_since": BEFORE},
        {"if_none_match": '"t1"', "range": "bytes=0-4"},
        {"if_modified_since": SAID},
        {"if_modified_since": AFTER},
        {"if_match": '"t1"', "if_modified_since": SAID},
    ],
)
def test_what_the_client_has_already(headers: dict[str, str]) -> None:
    kept = Kept()
    response = answer(kept, **headers)
    assert response.status == 304
    assert dict(response.all_headers) == {
        "etag": '"t1"',
        "cache-control": "private, no-cache",
    }
    assert (response.stream, kept.asked) == (None, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"if_none_match": '"t2"'},
        {"if_none_match": "t1"},
        {"if_none_match": '"t2"', "if_modified_since": SAID},
        {"if_modified_since": BEFORE},
        {"if_modified_since": "yesterday"},
        {"if_modified_since": "Sun, 99 May 99999 10:30:15 GMT"},
        {"if_match": '"t1"'},
        {"if_match": "*"},
        {"if_match": '"t1"', "if_unmodified_since": BEFORE},
        {"if_unmodified_since": SAID},
        {"if_unmodified_since": AFTER},
        {"if_unmodified_since": "yesterday"},
    ],
)
def test_what_the_client_does_not_have(headers: dict[str, str]) -> None:
    assert answer(Kept(), **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"if_match": '"t2"'},
        {"if_match": 'W/"t1"'},
        {"if_match": '"t2"', "if_none_match": '"t1"'},
        {"if_match": '"t2"', "if_unmodified_since": AFTER},
        {"if_unmodified_since": BEFORE},
    ],
)
def test_what_the_client_takes_for_another(headers: dict[str, str]) -> None:
    kept = Kept()
    with pytest.raises(PreconditionError):
        answer(kept, **headers)
    assert kept.asked == []


def test_a_content_of_unknown_age() -> None:
    for headers in ({"if_modified_since": AFTER}, {"if_unmodified_since": BEFORE}):
        response = download(asked(**headers), found(Kept(), modified=None))
        assert response.status == 200
        assert "last-modified" not in dict(response.all_headers)


def test_a_content_of_the_future_is_of_now() -> None:
    future = datetime.now(UTC) + timedelta(days=3)
    headers = dict(download(asked(), found(Kept(), modified=future)).all_headers)
    said = email.utils.parsedate_to_datetime(headers["last-modified"])
    assert said <= datetime.now(UTC)


@pytest.mark.parametrize(
    "modified",
    [
        CHANGED.replace(tzinfo=None),
        CHANGED.astimezone(datetime(2026, 1, 1).astimezone().tzinfo),
    ],
)
def test_a_date_in_any_zone(modified: datetime) -> None:
    headers = dict(download(asked(), found(Kept(), modified=modified)).all_headers)
    assert headers["last-modified"] == SAID


# --- Ranges -------------------------------------------------------------------------


def test_one_range() -> None:
    kept = Kept()
    response = answer(kept, range="bytes=5-24", if_range='"t1"')
    assert response.status == 206
    headers = dict(response.all_headers)
    assert headers["content-range"] == "bytes 5-24/1024"
    assert headers["content-length"] == "20"
    assert headers["content-type"] == "image/png"
    assert headers["etag"] == '"t1"'
    assert sent(response) == CONTENT[5:25]
    assert kept.asked == [(5, 25)]


def test_several_ranges() -> None:
    response = answer(Kept(), range="bytes=500-519,0-9,-3,505-530")
    assert response.status == 206
    headers = dict(response.all_headers)
    assert "content-range" not in headers
    media = headers["content-type"]
    assert media.startswith("multipart/byteranges; boundary=")
    whole = f"Content-Type: {media}\r\n\r\n".encode() + sent(response)
    parts = email.message_from_bytes(whole).get_payload()
    assert isinstance(parts, list)
    assert (
        [
            (one["content-type"], one["content-range"], one.get_payload(decode=True))  # type: ignore[index,union-attr]
            for one in parts
        ]
        == [
            ("image/png", "bytes 500-530/1024", CONTENT[500:531]),
            ("image/png", "bytes 0-9/1024", CONTENT[:10]),
            ("image/png", "bytes 1021-1023/1024", CONTENT[-3:]),
        ]
    )


@pytest.mark.parametrize("if_range", ['"t2"', 'W/"t1"', SAID, "*", ""])
def test_a_range_of_another_content_is_none(if_range: str) -> None:
    response = answer(Kept(), range="bytes=0-4", if_range=if_range)
    assert (response.status, sent(response)) == (200, CONTENT)


def test_bytes_that_are_not_there() -> None:
    with pytest.raises(RangeError) as raised:
        answer(Kept(), range="bytes=1024-")
    response = problem(raised.value, asked())
    assert response.status == 416
    assert ("content-range", "bytes */1024") in response.all_headers


@given(
    st.binary(min_size=1, max_size=100),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 50)), min_size=1),
)
def test_any_ranges_have_the_length_that_is_said(
    content: bytes, ranges: list[tuple[int, int]]
) -> None:
    kept = Kept(content)
    listed = ",".join(f"{first}-{first + more}" for first, more in ranges)
    try:
        response = answer(kept, range=f"bytes={listed}")
    except RangeError:
        return
    body = sent(response)
    assert response.status == 206 or body == content
    assert kept.closed == len(kept.asked)


@pytest.mark.parametrize("header", [None, "bytes=0-99", "bytes=0-99,200-299"])
@pytest.mark.parametrize("read", [0, 1, 3])
def test_what_is_not_sent_is_closed(header: str | None, read: int) -> None:
    kept = Kept()
    stream = answer(kept, **({"range": header} if header else {})).stream
    assert stream is not None
    for _ in range(read):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert kept.closed == len(kept.asked) == (2 if header and "," in header else 1)
    assert next(stream, None) is None
