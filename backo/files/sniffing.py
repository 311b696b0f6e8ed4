"""What media type a content is of, by its first bytes and by nothing else.

Text is told apart as browsers do (WHATWG MIME Sniffing Standard, section 7.1), so that
nothing that one of them would take for HTML is called anything else; what is no text,
puremagic knows.
"""

import re

import puremagic

__all__ = ["HEAD", "sniffed"]

HEAD = 8192
"""Bytes that are looked at."""

_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""What no text has (section 3: a binary data byte)."""
_HTML = re.compile(
    rb"(?:<!doctype html|<html|<head|<script|<iframe|<h1|<div|<font|<table|<a|<style"
    rb"|<title|<b|<body|<br|<p)(?=[ >\t\r\n\f/]|$)|<!--",
    re.IGNORECASE,
)
_JSON = re.compile(rb'(?:\[\s*)?\{\s*(?:"[^"]*"\s*:|\}\s*\]?\s*$)')
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_TEXT = "text/plain"
_OPAQUE = "application/octet-stream"
_ZIP = "application/zip"

_FIRST: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"ID3|\xff[\xfb\xfa\xf3\xf2]"), "audio/mpeg"),
    (re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL), "image/bmp"),
    (re.compile(rb"\x1f\x8b\x08"), "application/gzip"),
    (re.compile(rb".{4}ftyp(?:avif|avis)", re.DOTALL), "image/avif"),
    (re.compile(rb".{4}ftyphe[iv][cxms]", re.DOTALL), "image/heic"),
    (re.compile(rb".{4}ftyp(?:mif1|msf1)", re.DOTALL), "image/heif"),
    (re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n"), "image/jp2"),
    (re.compile(rb"OggS\0"), "application/ogg"),
    (re.compile(rb"RIFF.{4}WAVE", re.DOTALL), "audio/wav"),
)
"""What puremagic gives more than one name, or another than the registered one."""


def sniffed(head: bytes) -> str:
    """The media type of a content that begins with ``head``."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return _text(head.decode(encoding, "ignore").encode())
    if _BINARY.search(head):
        return _binary(head)
    # Text in whatever encoding, unless it is something that hardly looks so.
    found = _OPAQUE if _is_utf8(head) else _binary(head)
    return _text(head) if found == _OPAQUE else found


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last character may have been cut off.
        return error.reason == "unexpected end of data"
    return True


def _text(head: bytes) -> str:
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n\f")
    lower = begin.lower()
    if lower.startswith(b"%pdf-"):
        return "application/pdf"
    if lower.startswith(b"%!ps-adobe-"):
        return "application/postscript"
    if _HTML.match(begin):
        return "text/html"
    if lower.startswith((b"<?xml", b"<svg", b"<!doctype svg")):
        if b"<svg" in lower:
            return "image/svg+xml"
        return "application/xhtml+xml" if b"<html" in lower else "application/xml"
    return "application/json" if _JSON.match(begin) else _TEXT


def _binary(head: bytes) -> str:
    for pattern, media in _FIRST:
        if pattern.match(head):
            return media
    try:
        found = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return _OPAQUE
    if head.startswith(b"PK\x03\x04") and not _names_its_type(head):
        return _ZIP
    # Text has been looked at already.
    return _OPAQUE if not found or found.startswith("text/") else str(found)


def _names_its_type(head: bytes) -> bool:
    """Whether a ZIP file begins as the documents of office programs do."""
    return any(
        name in head for name in (b"[Content_Types].xml", b"mimetypeapplication")
    )
