"""Of which media type a content is, by its first bytes."""

import pytest

from backo.files.sniffing import HEAD, sniffed
from tests.files.albums import PNG

TYPES = {
    b"": "text/plain",
    b"hello": "text/plain",
    b"\xef\xbb\xbfhello": "text/plain",
    "Olá".encode(): "text/plain",
    # In other encodings, too, as WHATWG MIME Sniffing says (section 7.1).
    b"caf\xe9": "text/plain",
    b"caf\xe9 au lait": "text/plain",
    "hello".encode("utf-16"): "text/plain",
    b"  <!DOCTYPE html><p>": "text/html",
    b"<html>caf\xe9 au lait": "text/html",
    "<script>".encode("utf-16"): "text/html",
    b"<!-- -->": "text/html",
    b"<htmlx>": "text/plain",
    b"<?xml version='1.0'?><svg>": "image/svg+xml",
    b"<?xml version='1.0'?><html>": "application/xhtml+xml",
    b"<?xml version='1.0'?><a>": "application/xml",
    b'{"a": 1}': "application/json",
    b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n": "application/pdf",
    PNG: "image/png",
    b"GIF89a\x01\0\x01\0": "image/gif",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0": "image/jpeg",
    b"RIFF\0\0\0\0WEBPVP8 ": "image/webp",
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "image/heic",
    b"\0\0\0\x18ftyphevc\0\0\0\0mif1heic": "image/heic",
    b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic": "image/heif",
    b"\0\0\0\x1cftypavif\0\0\0\0avifmif1": "image/avif",
    b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ": "image/jp2",
    b"\0\xff\0\xff": "application/octet-stream",
    b"\0<html>": "application/octet-stream",
    b"PK\x03\x04" + b"\0" * 30: "application/zip",
}


@pytest.mark.parametrize("content", TYPES, ids=repr)
def test_a_content_is_of_the_type_that_its_bytes_say(content: bytes) -> None:
    assert sniffed(content) == TYPES[content]


def test_a_character_that_the_head_cuts_is_no_fault() -> None:
    assert sniffed(("x" + "é" * HEAD).encode()[:HEAD]) == "text/plain"
