"""``Range`` (RFC 9110, section 14): which bytes a client wants."""

import re
from collections.abc import Iterable, Sequence

from backo.http.problems import RangeError

__all__ = ["MAX_RANGES", "asked_ranges"]

MAX_RANGES = 16
"""Ranges one request may ask for; to more, the whole is the answer."""

type Range = tuple[int, int]
"""From the first byte up to the one after the last."""

type _Spec = tuple[int | None, int | None]
"""``5-9``; ``5-``, which has no last byte; ``-9``, the last nine, with no first."""

_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)
# More than any content has bytes, and few enough digits for int().
_FAR = 10**18


def asked_ranges(header: str | None, size: int) -> Sequence[Range] | None:
    """The ranges of a content of ``size`` bytes that ``header`` asks for, in its order;
    those that overlap or touch each other are one. None: the whole is asked for, or is
    less than what is.

    :raises RangeError: none of them is there.
    """
    specs = _specs(header)
    if not specs or not size or len(specs) > MAX_RANGES:
        return None
    ranges = [_range(spec, size) for spec in specs]
    found = [(start, stop) for start, stop in ranges if start < stop]
    if not found:
        raise RangeError(size)
    if sum(stop - start for start, stop in found) > size:
        return None
    return _merged(found)


def _specs(header: str | None) -> list[_Spec]:
    """What ``header`` names; nothing where it is not well-formed or of another unit,
    when it counts as not there."""
    unit, _, listed = (header or "").partition("=")
    if unit.strip().lower() != "bytes":
        return []
    found: list[_Spec] = []
    for one in filter(None, (one.strip(" \t") for one in listed.split(","))):
        match = _SPEC.fullmatch(one)
        if match is None or one == "-":
            return []
        first, last = map(_number, match.groups())
        if first is not None and last is not None and last < first:
            return []
        found.append((first, last))
    return found


def _number(digits: str) -> int | None:
    if not digits:
        return None
    return int(digits[-18:]) if len(digits.lstrip("0")) <= 18 else _FAR


def _range(spec: _Spec, size: int) -> Range:
    first, last = spec
    if first is None:
        return max(size - (last or 0), 0), size
    return first, size if last is None else min(last + 1, size)


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """``ranges`` without overlaps, each where the first that is in it was."""
    merged: list[tuple[int, int, int]] = []
    for start, stop, at in sorted((*one, at) for at, one in enumerate(ranges)):
        if merged and start <= merged[-1][1]:
            before = merged.pop()
            merged.append((before[0], max(before[1], stop), min(before[2], at)))
        else:
            merged.append((start, stop, at))
    return [(start, stop) for start, stop, _ in sorted(merged, key=lambda one: one[2])]
