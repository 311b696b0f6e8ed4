"""``Content-Disposition``, read (RFC 7578, section 4.2) and written (RFC 6266)."""

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes

__all__ = [
    "HeaderError",
    "MAX_NAME",
    "WORD",
    "content_disposition",
    "header_parameters",
    "plain_name",
    "shown_inline",
    "text_parameter",
]

MAX_NAME = 200
"""Bytes of UTF-8 that the name of a download may have."""

WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""A pattern of what RFC 9110, section 5.6.2, calls a token."""

_PARAMETER = re.compile(rf'\s*;\s*({WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_ESCAPED = re.compile(r'\\(["\\])')


class HeaderError(ValueError):
    """A header is not well-formed."""


def header_parameters(header: str) -> tuple[str, dict[str, str]]:
    """A header such as ``form-data; name="x"`` in parts: its value in lower case, and
    its parameters by their names in lower case.

    :raises HeaderError: it is not of that form, or a parameter is there twice.
    """
    value, _, _ = header.partition(";")
    found: dict[str, str] = {}
    at, end = len(value), len(header.rstrip(" \t;"))
    while at < end:
        match = _PARAMETER.match(header, at)
        if match is None:
            raise HeaderError("its parameters cannot be read")
        name, quoted, plain = match.groups()
        if name.lower() in found:
            raise HeaderError(f"{name} is there twice")
        # A path of Windows, as old browsers send it, has backslashes that escape none.
        text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        found[name.lower()] = text
        at = match.end()
    return value.strip().lower(), found


def text_parameter(parameters: dict[str, str], name: str) -> str | None:
    """The parameter ``name`` as it was meant: ``name*`` (RFC 8187) comes first, and
    ``%22`` is a quote, as browsers write it. They write line breaks as ``%0D`` and
    ``%0A``, which stay: no name has line breaks.

    :raises HeaderError: it cannot be read, or has control characters.
    """
    extended = parameters.get(f"{name}*")
    text = parameters.get(name)
    if extended is not None:
        text = _extended(name, extended)
    elif text is not None:
        text = text.replace("%22", '"')
    if text is not None and any(unicodedata.category(one) == "Cc" for one in text):
        raise HeaderError(f"{name} has control characters")
    return text


def _extended(name: str, value: str) -> str:
    charset, *rest = value.split("'")
    if len(rest) != 2 or charset.lower() not in ("utf-8", "iso-8859-1"):
        raise HeaderError(f"{name}* cannot be read")
    try:
        return unquote_to_bytes(rest[1]).decode(charset.lower())
    except UnicodeDecodeError as error:
        raise HeaderError(f"{name}* is not in its charset") from error


# --- Written ------------------------------------------------------------------------

_INLINE = {
    "application/pdf",
    "image/apng",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/vnd.microsoft.icon",
    "image/webp",
    "image/x-icon",
    "text/plain",
}
_RESERVED = re.compile(r'[<>:"/\\|?*]')
_EDGES = "." + "".join(one for one in map(chr, range(0x3001)) if one.isspace())
# Not all of Cf: joiners between letters and between emoji belong to names.
_UNSEEN = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\.|$)",
    re.IGNORECASE,
)
_ENCODED = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_MAX_EXTENSION = 20


def shown_inline(media: str) -> bool:
    """Whether browsers may show this media type within a page: they execute none of
    it."""
    essence = media.partition(";")[0].strip().lower()
    moving = essence.startswith(("audio/", "video/")) and not essence.endswith("+xml")
    return moving or essence in _INLINE


def content_disposition(filename: str | None, media: str) -> str:
    """The header of a download of this media type: ``inline`` or ``attachment``, and
    the name under which it may be kept."""
    kind = "inline" if shown_inline(media) else "attachment"
    name = plain_name(filename or "")
    if not name:
        return kind
    fallback = _ascii(name)
    written = f'{kind}; filename="{fallback}"'
    if fallback == name:
        return written
    return f"{written}; filename*=UTF-8''{quote(name, safe='!#$&+^`|')}"


def plain_name(filename: str) -> str:
    """``filename`` as a name that does no harm on any system: one step of a path,
    visible, no device, at most :data:`MAX_NAME` bytes; perhaps empty."""
    seen = "".join(
        one
        for one in _UNSEEN.sub("", filename)
        if unicodedata.category(one) not in ("Cc", "Cs")
    )
    name = _RESERVED.sub("_", seen).strip(_EDGES)
    name = _shortened(name, MAX_NAME - 1).strip(_EDGES)
    return f"_{name}" if _DEVICE.match(name) else name


def _shortened(name: str, size: int) -> str:
    """``name`` in at most ``size`` bytes, with its extension if that is short."""
    if len(name.encode()) <= size:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _MAX_EXTENSION:
        stem, dot, extension = name, "", ""
    rest = f"{dot}{extension}"
    kept = stem.encode()[: size - len(rest.encode())].decode(errors="ignore")
    return f"{kept}{rest}"


def _ascii(name: str) -> str:
    """``name`` for clients that know no other: some take ``%41`` for a letter."""
    letters = unicodedata.normalize("NFKD", name)
    bare = "".join(one for one in letters if not unicodedata.combining(one))
    plain = "".join(one if one.isascii() else "_" for one in bare)
    # Letters of full width make a device, a path or nothing.
    return plain_name(_ENCODED.sub("_", plain)) or "_"
