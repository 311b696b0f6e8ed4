"""Names of downloads."""

import re
import time
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backo.http.dispositions import (
    HeaderError,
    content_disposition,
    header_parameters,
    plain_name,
    shown_inline,
    text_parameter,
)


@pytest.mark.parametrize(
    ("filename", "plain"),
    [
        ("cover.png", "cover.png"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\dir\\a.txt", "C__dir_a.txt"),
        (".htaccess", "htaccess"),
        (" . . a.txt . ", "a.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
        ('say "hi"?.txt', "say _hi__.txt"),
        ("exe\u202egnp.scr", "exegnp.scr"),
        ("\ud800a", "a"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Lpt1 .txt", "_Lpt1 .txt"),
        ("com¹", "_com¹"),
        ("console.txt", "console.txt"),
        ("com10", "com10"),
        ("", ""),
        ("...", ""),
        ("..", ""),
        ("/", "_"),
        ("\N{FAMILY}\u200d\N{BOY}", "\N{FAMILY}\u200d\N{BOY}"),
    ],
)
def test_a_name_that_does_no_harm(filename: str, plain: str) -> None:
    assert plain_name(filename) == plain


@pytest.mark.parametrize(
    "filename", ["x" * 5000 + ".tar", "漢" * 2000 + ".txt", "x." + "漢" * 2000]
)
def test_a_long_name_is_cut_and_keeps_a_short_extension(filename: str) -> None:
    name = plain_name(filename)
    assert 190 < len(name.encode()) <= 200
    stem, _, extension = filename.rpartition(".")
    assert len(extension) > 20 or name.endswith(f".{extension}")
    assert filename.startswith(name.removesuffix(f".{extension}"))


def test_names_are_made_plain_in_linear_time() -> None:
    begun = time.monotonic()
    name = plain_name("a" + " ." * 100_000 + "b")
    header_parameters("x; a" + " " * 100_000 + '="' + "\\a" * 100_000 + '"')
    assert time.monotonic() - begun < 2
    assert len(name) < 200 and name.endswith(".b")


@given(st.text(max_size=300))
def test_every_name_is_plain(filename: str) -> None:
    name = plain_name(filename)
    assert len(name.encode()) <= 200
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', name)
    assert not any(unicodedata.category(one) in ("Cc", "Cs") for one in name)
    assert name == name.strip() and not name.startswith(".")
    assert plain_name(name) == name


@pytest.mark.parametrize(
    ("filename", "written"),
    [
        (None, "attachment"),
        ("..", "attachment"),
        ("a b.zip", 'attachment; filename="a b.zip"'),
        (
            "été.zip",
            "attachment; filename=\"ete.zip\"; filename*=UTF-8''%C3%A9t%C3%A9.zip",
        ),
        (
            "50%41 漢'.zip",
            'attachment; filename="50_41 _\'.zip";'
            " filename*=UTF-8''50%2541%20%E6%BC%A2%27.zip",
        ),
    ],
)
def test_a_name_as_it_is_written(filename: str | None, written: str) -> None:
    assert content_disposition(filename, "application/zip") == written


@pytest.mark.parametrize(
    ("filename", "fallback"),
    [("ＣＯＮ", "_CON"), ("．．／x", "_x"), ("．", "_"), ("%EF%BC%A1", "_EF_BC_A1")],
)
def test_the_plain_name_of_a_plain_name_does_no_harm(
    filename: str, fallback: str
) -> None:
    written = content_disposition(filename, "image/png")
    assert f'filename="{fallback}"' in written
    assert "filename*=" in written


@given(st.text(max_size=300))
def test_what_is_written_can_be_read_again(filename: str) -> None:
    written = content_disposition(filename, "image/png")
    assert written.isascii() and written.isprintable()
    kind, given = header_parameters(written)
    assert kind == "inline"
    assert (text_parameter(given, "filename") or "") == plain_name(filename)


@given(st.text(max_size=300))
def test_clients_that_know_no_other_get_a_plain_name_too(filename: str) -> None:
    fallback = header_parameters(content_disposition(filename, "image/png"))[1]
    name = fallback.get("filename", "")
    assert unquote(name) == name and len(name) <= 1000
    assert not re.search(r'[<>:"/\\|?*]', name)


@pytest.mark.parametrize(
    "media",
    [
        "image/png",
        "IMAGE/JPEG",
        "audio/mpeg",
        "video/mp4",
        "text/plain; charset=utf-8",
        "application/pdf",
    ],
)
def test_what_browsers_only_show(media: str) -> None:
    assert shown_inline(media)


@pytest.mark.parametrize(
    "media",
    [
        "text/html",
        "image/svg+xml",
        "video/x+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/css",
        "text/javascript",
        "application/octet-stream",
        "multipart/related",
        "",
    ],
)
def test_what_browsers_may_execute(media: str) -> None:
    assert not shown_inline(media)


@pytest.mark.parametrize("header", ["x; a", "x; a=b c", 'x; a="', "x; a=1; A=2"])
def test_a_header_that_is_not_well_formed(header: str) -> None:
    with pytest.raises(HeaderError):
        header_parameters(header)
