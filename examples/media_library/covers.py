"""Draws covers, for media that nobody has photographed."""

import struct
import zlib

__all__ = ["drawn"]

WIDTH, HEIGHT = 120, 180
BAND = range(30, 70)
"""The rows where the title would stand."""


def drawn(colour: str) -> bytes:
    """A small cover as a PNG (ISO/IEC 15948).

    :param colour: of red, green and blue, two hexadecimal digits each.
    """
    plain = bytes.fromhex(colour)
    pale = bytes(255 - (255 - one) // 3 for one in plain)
    # Each row of pixels begins with the number of its filter: none.
    rows = (b"\0" + (pale if y in BAND else plain) * WIDTH for y in range(HEIGHT))
    # 8 bits for each of three colours; deflated, not interlaced.
    header = struct.pack(">2I5B", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(b"".join(rows)), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks, chunks.values()))


def _chunk(name: bytes, content: bytes) -> bytes:
    named = name + content
    checksum = zlib.crc32(named)
    return struct.pack(">I", len(content)) + named + struct.pack(">I", checksum)
