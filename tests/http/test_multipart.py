"""Forms, read part by part."""

import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backo.errors import BackoError, BodyTooLargeError
from backo.http.multipart import FormLimits, parts
from backo.http.problems import BadFormError, UnsupportedMediaTypeError

TYPE = "multipart/form-data; boundary=xYz"
LIMITS = FormLimits(max_size=1_000_000, max_parts=100)


def form(*contents: tuple[str, bytes], boundary: bytes = b"xYz") -> bytes:
    """A form of parts, each given by what follows ``form-data`` and its content."""
    made = b"".join(
        b"--%b\r\nContent-Disposition: form-data%b\r\n\r\n%b\r\n"
        % (boundary, head.encode(), content)
        for head, content in contents
    )
    return made + b"--%b--\r\n" % boundary


def read(
    *chunks: bytes, limits: FormLimits = LIMITS, content_type: str = TYPE
) -> list[tuple[str, str | None, bytes]]:
    return [
        (one.name, one.filename, b"".join(one.chunks))
        for one in parts(chunks, content_type, limits)
    ]


def test_the_parts_of_a_form() -> None:
    body = form(
        ('; name="_json"', b"{}"),
        ('; name="cover"; filename="a.png"\r\nContent-Type: image/png', b"\x00\r\n-"),
        ('; name="$.shelf.plan"; filename=""', b""),
    )
    assert read(body) == [
        ("_json", None, b"{}"),
        ("cover", "a.png", b"\x00\r\n-"),
        ("$.shelf.plan", "", b""),
    ]
    headers = [one.headers for one in parts([body], TYPE, LIMITS)]
    assert headers[1]["content-type"] == "image/png"


def test_a_form_without_parts() -> None:
    assert read(form()) == []
    assert read(b"--xYz--") == []


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="xYz"',
        "Multipart/Form-Data;Boundary=xYz; charset=utf-8",
    ],
)
def test_the_boundary_as_clients_write_it(content_type: str) -> None:
    assert read(form(('; name="a"', b"1")), content_type=content_type)


# --- How it is cut into pieces ------------------------------------------------------


def told(chunks: list[bytes]) -> list[object]:
    """The parts of a form up to an error, and the error."""
    found: list[object] = []
    try:
        for one in parts(chunks, TYPE, LIMITS_DRAWN):
            content = bytearray()
            found.append((one.name, content))
            for chunk in one.chunks:
                content += chunk
    except BackoError as error:
        found.append((type(error), str(error)))
    return found


LIMITS_DRAWN = FormLimits(max_size=250, max_parts=3, max_headers=150)
SNIPPETS = [
    b"--xYz",
    b"\r\n--xYz",
    b"\r\n--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    b"\r\n",
    b"\r",
    b"-",
    b"--",
    b"x" * 70,
    b"\r\n--xYz--",
    b"\r\n--xYz--\r\n",
]
BODIES = st.lists(st.binary(max_size=3) | st.sampled_from(SNIPPETS), max_size=9).map(
    b"".join
)
CONTENTS = st.lists(
    st.tuples(st.sampled_from(['; name="a"', "; name=b; filename=c", ""]), BODIES),
    max_size=4,
).map(lambda contents: form(*contents))


@given(
    BODIES | CONTENTS | st.tuples(CONTENTS, BODIES).map(b"".join),
    st.lists(st.integers(0, 700), max_size=30),
)
def test_pieces_of_any_size_give_the_same(body: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(body), *(one for one in cuts if one < len(body))})
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    whole = told([body])
    assert told(pieces) == whole
    assert told([body[at : at + 1] for at in range(len(body))]) == whole


def test_a_part_is_there_before_the_rest_is_read() -> None:
    asked = 0

    def stream() -> Iterator[bytes]:
        nonlocal asked
        body = form(("; name=a", b"1" * 100), ("; name=b", b"2" * 100))
        for at in range(len(body)):
            asked += 1
            yield body[at : at + 1]

    read = parts(stream(), TYPE, LIMITS)
    assert asked == 0
    first = next(read)
    assert (first.name, asked) == ("a", len(form(("; name=a", b""))) - 11)
    before = asked
    assert len(next(first.chunks)) <= 2
    assert asked - before < 10
    assert next(read).name == "b"


@pytest.mark.parametrize("read", [0, 1, 2])
def test_what_is_left_of_a_part_is_skipped(read: int) -> None:
    body = form(("; name=a", b"123"), ("; name=b", b"456"))
    pieces = [body[at : at + 1] for at in range(len(body))]
    found = parts(pieces, TYPE, LIMITS)
    first = next(found)
    for _ in range(read):
        next(first.chunks)
    second = next(found)
    assert list(first.chunks) == []
    assert b"".join(second.chunks) == b"456"
    assert list(found) == []


# --- Names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('; name="a"', "a"),
        ("; name=a", "a"),
        (" ;NAME = a ;", "a"),
        ('; name="a;b=\\"c\\""', 'a;b="c"'),
        ('; name="a%22b"', 'a"b'),
        ('; name="a%0D%0Ab"', "a%0D%0Ab"),
        ('; name="C:\\dir\\file"', "C:\\dir\\file"),
        ('; name="été 漢字"', "été 漢字"),
        ("; name*=UTF-8''%C3%A9t%C3%A9", "été"),
        ("; name=x; name*=iso-8859-1'fr'%E9", "é"),
        (f'; name="{"n" * 1000}"', "n" * 1000),
    ],
)
def test_names_as_clients_write_them(written: str, meant: str) -> None:
    assert read(form((written, b"")))[0][0] == meant
    as_filename = written.replace("name", "filename").replace("NAME", "FILENAME")
    assert read(form((f"; name=n{as_filename}", b"")))[0][:2] == ("n", meant)


@pytest.mark.parametrize(
    "name",
    ["../../x", "CON", "C:\\x", "x" * 4096, "漢字" * 2000, "\u202egnp"],
)
def test_a_hostile_filename_is_only_a_text(name: str) -> None:
    assert read(form((f'; name=a; filename="{name}"', b"1"))) == [("a", name, b"1")]


# --- What is no form ----------------------------------------------------------------

BAD_HEADS = {
    "no name": "",
    "an empty name": '; name=""',
    "two names": "; name=a; name=b",
    "two names in other cases": "; name=a; NAME=b",
    "a long name": f'; name="{"n" * 1001}"',
    "no end of a quoted name": '; name="a',
    "no value": "; name",
    "a charset nobody knows": "; name*=utf-7''a",
    "no charset": "; name*=a",
    "not in its charset": "; name*=utf-8''%ff",
    "a line feed": '; name="a\nb"',
    "a NUL": '; name="a\0b"',
    "an escaped line feed": "; name*=utf-8''a%0Ab",
    "a line feed in another header": "; name=a\r\nContent-Type: a\nb",
    "a NUL in another header": "; name=a\r\nX: a\0b",
    "two types": "; name=a\r\nContent-Type: a/b\r\ncontent-type: a/b",
    "a C1 control": '; name="a\x85b"',
    "words after the value": "; name=a b",
    "a second Content-Disposition": "; name=a\r\nContent-Disposition: form-data",
    "a header over two lines": '; name="a"\r\n folded: yes',
    "a header without a name": "; name=a\r\n: x",
    "a header without a colon": "; name=a\r\nX",
    "base64": "; name=a\r\nContent-Transfer-Encoding: base64",
    "headers too long": f"; name=a\r\nX-Long: {'x' * 16_400}",
    "headers of a megabyte": f"; name=a\r\nX-Long: {'x' * 900_000}",
    "many headers": "; name=a" + "\r\nX: x" * 100,
    "headers too long together": "; name=a" + f"\r\nX: {'x' * 1000}" * 20,
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS)
def test_headers_that_no_part_has(head: str) -> None:
    with pytest.raises(BadFormError):
        read(form((head, b"1")))


def test_a_part_that_is_no_field_of_a_form() -> None:
    body = form(("; name=a", b"1"))
    for kind in (b"attachment", b""):
        with pytest.raises(BadFormError, match="no name"):
            read(body.replace(b"form-data", kind))


def test_other_headers_may_be_there_twice() -> None:
    body = form(("; name=a\r\nX-A: 1\r\nx-a: 2", b""))
    assert next(parts([body], TYPE, LIMITS)).headers["x-a"] == "1, 2"


def test_headers_that_are_not_utf_8() -> None:
    body = form(("; name=a; filename=?", b"1")).replace(b"?", b"\xff")
    with pytest.raises(BadFormError, match="UTF-8"):
        read(body)


GOOD = form(('; name="a"', b"1"), ('; name="b"', b"2"))
BAD_BODIES = {
    "nothing": b"",
    "no boundary": b"hello",
    "another boundary": GOOD.replace(b"xYz", b"abc"),
    "a preamble": b"hello\r\n" + GOOD,
    "an empty line": b"\r\n" + GOOD,
    "a boundary that never comes": GOOD.partition(b"1")[0] + b"-" * 100_000,
    "line feeds alone": GOOD.replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_bodies_that_are_no_form(body: bytes) -> None:
    with pytest.raises(BadFormError):
        read(body)


@pytest.mark.parametrize("size", range(len(GOOD) - 2))
def test_a_form_that_ends_early(size: int) -> None:
    with pytest.raises(BadFormError, match="ends early"):
        read(GOOD[:size])


def test_a_body_that_is_shorter_than_was_said() -> None:
    found = parts([GOOD], TYPE, LIMITS, content_length=len(GOOD) + 1)
    with pytest.raises(BadFormError, match="ends early"):
        list(found)
    assert len(list(parts([GOOD], TYPE, LIMITS, content_length=len(GOOD)))) == 2


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=é",
        'multipart/form-data; boundary="a\\"b"',
        'multipart/form-data; boundary="ab "',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=a b",
    ],
)
def test_a_content_type_without_a_valid_boundary(content_type: str) -> None:
    with pytest.raises(BadFormError, match="Content-Type"):
        read(GOOD, content_type=content_type)


# --- Limits -------------------------------------------------------------------------


def test_a_form_may_have_just_its_limits() -> None:
    assert len(read(GOOD, limits=FormLimits(len(GOOD), 2, 42))) == 2


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (FormLimits(len(GOOD) - 1, 2), BodyTooLargeError),
        (FormLimits(len(GOOD), 1), BodyTooLargeError),
        (FormLimits(len(GOOD), 2, 41), BadFormError),
    ],
)
def test_a_form_over_a_limit(limits: FormLimits, error: type[BackoError]) -> None:
    with pytest.raises(error):
        read(GOOD, limits=limits)


def test_a_form_announced_as_too_large_is_not_read() -> None:
    stream = iter([GOOD])
    with pytest.raises(BodyTooLargeError):
        next(parts(stream, TYPE, FormLimits(100, 1), content_length=101))
    assert next(stream) == GOOD


def test_what_is_skipped_and_what_follows_count_too() -> None:
    def endless() -> Iterator[bytes]:
        yield form(("; name=a", b""), ("; name=b", b"")).removesuffix(b"--xYz--\r\n")
        while True:
            yield b"x" * 1000

    limits = FormLimits(max_size=50_000, max_parts=10)
    with pytest.raises(BodyTooLargeError):
        list(parts(endless(), TYPE, limits))

    def epilogue() -> Iterator[bytes]:
        yield GOOD
        while True:
            yield b"x" * 1000

    with pytest.raises(BodyTooLargeError):
        list(parts(epilogue(), TYPE, limits))


def test_ten_thousand_parts() -> None:
    body = form(*[("; name=a", b"")] * 10_000)
    with pytest.raises(BodyTooLargeError, match="100 parts"):
        read(body)
    assert len(read(body, limits=FormLimits(10**6, 10_000))) == 10_000


def test_an_error_stays() -> None:
    reading = parts([GOOD[:-12]], TYPE, LIMITS)
    first, second = next(reading), next(reading)
    with pytest.raises(BadFormError, match="ends early"):
        list(second.chunks)
    with pytest.raises(BadFormError, match="ends early"):
        next(reading)
    assert list(first.chunks) == []


def test_without_python_multipart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    with pytest.raises(UnsupportedMediaTypeError, match=r"backo\[fastapi\]"):
        read(GOOD)
