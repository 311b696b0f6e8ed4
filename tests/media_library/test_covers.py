"""The covers of the media library: who sees and sets which, and what is one."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3 import encode_multipart_formdata

from backo import (
    Backoffice,
    FileError,
    FileTooLargeError,
    NotFoundError,
    SRightError,
    current_user,
)
from examples.media_library.covers import drawn
from examples.media_library.items import LARGEST_COVER
from examples.media_library.model import media_library
from tests.files.abandoning import let_go
from tests.media_library.asking import ADAPTERS, Answer, Ask, asking, log_in
from tests.media_library.stocked import stored, whole

BLUE, RED = drawn("14397d"), drawn("641220")
VISITOR: dict[str, Any] = {}
MEMBER = {"_id": "mia", "login": "mia", "roles": ["member"]}
STAFF = {"_id": "sam", "login": "sam", "roles": ["staff"]}


def put_on(office: Backoffice, user: dict[str, Any], content: Any) -> None:
    with current_user.acting_as(user):
        emma = office.media.get_by_id("emma")
        emma.cover = content
        emma.save()


def cover(office: Backoffice, user: dict[str, Any]) -> bytes | None:
    with current_user.acting_as(user):
        content: bytes | None = office.media.get_by_id("emma").cover.get_content()
        return content


def complete(folder: Path) -> bool:
    """Whether there are the contents of all covers, and no others."""
    return whole(stored(media_library(folder)))


def library(folder: Path, **more: Any) -> Backoffice:
    """A library with a book."""
    office = media_library(folder)
    with current_user.acting_as(STAFF):
        office.media.create({"_id": "emma", "title": "Emma", "kind": "book", **more})
    return office


@pytest.fixture
def office(tmp_path: Path) -> Backoffice:
    return library(tmp_path)


# --- In Python --------------------------------------------------------------------


def test_staff_sets_covers_and_everybody_sees_them(
    office: Backoffice, tmp_path: Path
) -> None:
    put_on(office, STAFF, BLUE)
    for user in (VISITOR, MEMBER):
        assert cover(office, user) == BLUE
        with pytest.raises(SRightError):
            put_on(office, user, RED)
    put_on(office, STAFF, RED)
    assert cover(office, MEMBER) == RED
    put_on(office, STAFF, None)
    assert cover(office, MEMBER) is None
    let_go()
    assert complete(tmp_path)


def test_the_cover_of_what_is_in_processing_is_the_staffs_alone(tmp_path: Path) -> None:
    office = library(tmp_path, cover=BLUE, in_processing=True)
    for user in (VISITOR, MEMBER):
        with pytest.raises(NotFoundError):
            cover(office, user)
    assert cover(office, STAFF) == BLUE


NO_COVERS = [
    b"This is no picture.",
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    b"<html><img src=x onerror=alert(1)>",
    b"%PDF-1.7 and so on",
    b"",
]


def test_what_is_no_picture_is_no_cover(office: Backoffice, tmp_path: Path) -> None:
    for content in NO_COVERS:
        with pytest.raises(FileError, match="must be of type image/png"):
            put_on(office, STAFF, content)
    assert cover(office, STAFF) is None
    let_go()
    assert complete(tmp_path)


def test_a_cover_has_2_mib_at_most(office: Backoffice, tmp_path: Path) -> None:
    largest = BLUE.ljust(LARGEST_COVER, b"\0")
    with pytest.raises(FileTooLargeError):
        put_on(office, STAFF, largest + b"\0")
    assert cover(office, STAFF) is None
    put_on(office, STAFF, largest)
    assert cover(office, STAFF) == largest
    let_go()
    assert complete(tmp_path)


PICTURES = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "webp": b"RIFF\x64\0\0\0WEBPVP8 ",
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_four_types_are_covers(office: Backoffice, kind: str) -> None:
    put_on(office, STAFF, PICTURES[kind] + bytes(100))
    with current_user.acting_as(VISITOR):
        found = office.media.select({"cover.content_type": f"image/{kind}"})
    assert [one["_id"].get_value() for one in found] == ["emma"]


def test_two_libraries_have_covers_of_their_own(tmp_path: Path) -> None:
    here = library(tmp_path / "here", cover=BLUE)
    there = library(tmp_path / "there", cover=RED)
    with current_user.acting_as(STAFF):
        here.media.get_by_id("emma").delete()
    assert cover(there, VISITOR) == RED
    assert complete(tmp_path / "here")
    assert complete(tmp_path / "there")


def test_a_drawn_cover_is_a_png_of_that_colour() -> None:
    rest = BLUE.removeprefix(b"\x89PNG\r\n\x1a\n")
    chunks = dict(_chunks(rest))
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *how = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert how == [8, 2, 0, 0, 0]
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (1 + 3 * width)
    assert pixels.startswith(b"\0\x14\x39\x7d\x14\x39\x7d")


def _chunks(rest: bytes) -> Iterator[tuple[bytes, bytes]]:
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        named, checksum = rest[4 : 8 + size], rest[8 + size : 12 + size]
        assert zlib.crc32(named) == int.from_bytes(checksum)
        yield named[:4], named[4:]
        rest = rest[12 + size :]


# --- Over HTTP --------------------------------------------------------------------


@pytest.fixture(params=ADAPTERS)
def ask(request: pytest.FixtureRequest, folder: Path) -> Iterator[Ask]:
    with asking(request.param) as ask:
        yield ask


MEDIA = "/media_library/media"
EMMA = f"{MEDIA}/emma"


def send(
    ask: Ask,
    token: str | None,
    content: bytes,
    *,
    method: str = "PATCH",
    path: str = EMMA,
    **fields: str,
) -> Answer:
    """A form with a cover that is called a PNG."""
    file = ("cover.png", content, "image/png")
    body, media = encode_multipart_formdata([*fields.items(), ("cover", file)])
    return ask(method, path, body, token, media=media)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_cover_is_sent_replaced_and_removed(
    ask: Ask, folder: Path, method: str
) -> None:
    sam = log_in(ask, "sam")
    assert ask("GET", f"{EMMA}/cover").status == 404
    for content in (BLUE, RED):
        answer = send(ask, sam, content, method=method)
        told = answer.json["cover"]
        assert (answer.status, told["filename"]) == (200, "cover.png")
        assert told["size"] == len(content)
        assert ask("GET", f"{EMMA}/cover").body == content
    assert ask("PUT", EMMA, {"cover": None}, sam).status == 200
    assert ask("GET", f"{EMMA}/cover").status == 404
    assert complete(folder)


def test_a_medium_is_made_with_its_cover(ask: Ask, folder: Path) -> None:
    sam = log_in(ask, "sam")
    new = '{"title": "Nana", "kind": "book"}'
    made = send(ask, sam, BLUE, method="POST", path=MEDIA, _json=new)
    assert made.status == 201
    where = f"{MEDIA}/{made.json['_id']}"
    assert ask("GET", f"{where}/cover").body == BLUE
    assert ask("DELETE", where, None, sam).status == 204
    assert ask("GET", f"{where}/cover").status == 404
    assert complete(folder)


def test_who_may_not_send_covers_leaves_nothing_behind(ask: Ask, folder: Path) -> None:
    mia = log_in(ask, "mia")
    hidden = f"{MEDIA}/middlemarch"
    for token, path, status in [
        (None, EMMA, 401),
        (None, hidden, 401),
        (mia, EMMA, 403),
        (mia, hidden, 404),
    ]:
        assert send(ask, token, BLUE, path=path).status == status
    new = '{"title": "Nana", "kind": "book"}'
    for token, status in [(None, 401), (mia, 403)]:
        made = send(ask, token, BLUE, method="POST", path=MEDIA, _json=new)
        assert made.status == status
    assert ask("GET", f"{EMMA}/cover").status == 404
    assert complete(folder)


def test_what_is_refused_leaves_the_cover_that_was_there(
    ask: Ask, folder: Path
) -> None:
    sam = log_in(ask, "sam")
    assert send(ask, sam, BLUE).status == 200
    for content in NO_COVERS:
        assert send(ask, sam, content).status == 422
    assert send(ask, sam, BLUE.ljust(LARGEST_COVER + 1, b"\0")).status == 413
    wrong = '{"title": null}'
    assert send(ask, sam, RED, method="PUT", _json=wrong).status == 422
    assert ask("GET", f"{EMMA}/cover").body == BLUE
    assert complete(folder)


def test_nobody_gets_the_cover_of_another_medium_by_its_id(
    ask: Ask, folder: Path
) -> None:
    sam = log_in(ask, "sam")
    other = ask("GET", f"{MEDIA}/middlemarch", None, sam).json["cover"]
    for given in (other, {"file_id": other["file_id"]}):
        assert ask("PUT", EMMA, {"cover": given}, sam).status == 422
    assert ask("GET", f"{EMMA}/cover").status == 404
    assert complete(folder)
