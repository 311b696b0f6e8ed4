"""Regular expressions that cannot stall a server.

Patterns match from the start of the string, as :func:`re.match` does. They run on the
linear-time engine inside pydantic-core (Rust's ``regex`` crate: no look-around, no
back-references, ``$`` is the very end). Linear is still long for a pattern that is
large once its counts are written out: those of requests are weighed first.
"""

import dataclasses
import re
from collections.abc import Callable
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema

__all__ = ["MAX_PATTERN", "check_weight", "linear_matcher", "matcher"]

MAX_PATTERN = 1000
"""Characters a pattern of a request may have."""

MAX_SIZE = 1000
"""Characters it may have once its counts are written out, a class of Unicode counted as
several: below 1 MB when compiled."""

MAX_CHOICES = 50
"""Classes, alternatives and repetitions, counted likewise, that it may have beside a
repetition without end: 100 kB of text take about 0.1 s at worst."""

type Matcher = Callable[[object], bool]


@lru_cache(maxsize=16)
def linear_matcher(pattern: str) -> Matcher:
    """A function telling whether a string matches; linear in the string's length.

    :raises ValueError: the pattern is too long, or not one of the linear engine's.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern may have {MAX_PATTERN} characters at most")
    return _linear(pattern)


@lru_cache(maxsize=512)
def matcher(pattern: str) -> Matcher:
    """Like :func:`linear_matcher`, for patterns a developer declared: of any size.

    One that needs look-around or back-references falls back to :mod:`re`: the
    developer's own pattern is trusted as their code is.
    """
    try:
        return _linear(pattern)
    except ValueError:
        compiled = re.compile(pattern)
        return lambda value: isinstance(value, str) and bool(compiled.match(value))


def _linear(pattern: str) -> Matcher:
    # Alone first: "a)|(?:b" is no pattern, and would be one between the parentheses.
    _compiled(pattern)
    return _compiled(rf"\A(?:{pattern})").isinstance_python


def _compiled(pattern: str) -> SchemaValidator:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True))
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"not a supported pattern: {reason}") from error


# -- the weight of a pattern -------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Weight:
    """How much a part of a pattern is once its counts are written out."""

    size: int = 0
    """Characters; a class of Unicode is many."""
    choices: int = 0
    """Places where one text can be matched in several ways."""

    def __add__(self, other: "_Weight") -> "_Weight":
        return _Weight(self.size + other.size, self.choices + other.choices)

    def times(self, count: int) -> "_Weight":
        return _Weight(self.size * count, max(self.choices, 1) * count)


_ESCAPES = r"""
      (?P<unicode> \\[pP](?:\{[^}]*\}|.) | \\[wW] )
    | (?P<class> \\[dDsS] )
    | \\[bB]\{[a-z-]+\} | \\[xuU]\{[^}]*\} | \\.
    | (?P<set> \[\^?\]? )
    """
_OUTSIDE = re.compile(
    _ESCAPES
    + r"""
    | (?P<any> \. )
    | (?P<flags> \(\?[A-Za-z-]*\) )
    | (?P<open> \(\?P?<[^>]*> | \(\?[A-Za-z-]*: | \( )
    | (?P<close> \) )
    | (?P<count> \{[0-9]*,?[0-9]*\} | [?*+] )
    | (?P<or> \| )
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(_ESCAPES + "| (?P<end> \\] ) | .", re.VERBOSE | re.DOTALL)
"""What a pattern is made of: outside of ``[…]``, and inside."""

_CHARACTER, _CHOICE = _Weight(1), _Weight(1, 1)
_ATOMS = {"unicode": _Weight(20, 1), "class": _Weight(5, 1), "any": _CHOICE}


def check_weight(pattern: str) -> None:
    """Whether a request may ask for ``pattern``, which need not be a valid one.

    :raises ValueError: compiling it or matching with it would take too much.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern may have {MAX_PATTERN} characters at most")
    scale = _Scale(pattern)
    if scale.total.size > MAX_SIZE:
        raise ValueError(
            f"a pattern may have {MAX_SIZE} characters at most, its counts written out"
        )
    if scale.endless and scale.total.choices > MAX_CHOICES:
        raise ValueError(
            f"a pattern with a repetition without end may have {MAX_CHOICES} classes, "
            "alternatives and repetitions at most, its counts written out"
        )


class _Scale:
    """Weighs a pattern by reading it once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self.endless = False
        self.last = _CHARACTER
        """The part that a repetition would repeat."""
        self.open = [_Weight()]
        """What was read so far of each group that is open, the whole pattern first."""
        self.sets = 0
        """How many ``[`` are open: they nest."""
        at = 0
        while token := (_INSIDE if self.sets else _OUTSIDE).match(pattern, at):
            self._read(token.lastgroup, token.group())
            at = token.end()
        self.total = sum(self.open, _Weight())

    def _read(self, kind: str | None, text: str) -> None:
        if kind in ("flags", "open") and "x" in text.partition("<")[0]:
            raise ValueError("a pattern cannot have the flag x")
        if self.sets:
            self._read_inside(kind)
        elif kind == "count":
            self._repeat(text)
        elif kind == "or":
            self.open[-1] += _CHOICE
        elif kind == "open":
            self.open.append(_CHARACTER)
        elif kind == "close" and len(self.open) > 1:
            self._take(self.open.pop())
        elif kind == "set":
            self.sets, self.last = 1, _CHOICE
        else:
            self._take(_ATOMS.get(kind or "", _CHARACTER))

    def _take(self, part: _Weight) -> None:
        self.last = part
        self.open[-1] += part

    def _read_inside(self, kind: str | None) -> None:
        self.last += _Weight(_ATOMS.get(kind or "", _CHARACTER).size)
        self.sets += {"set": 1, "end": -1}.get(kind or "", 0)
        if not self.sets:
            self._take(self.last)

    def _repeat(self, text: str) -> None:
        least, _, most = text.strip("{}").partition(",")
        if text in ("*", "+") or text.endswith(",}"):
            self.endless = True
        count = max(int(bound) for bound in (least, most, "1") if bound.isdigit())
        repeated = self.last.times(count)
        self.open[-1] += _Weight(
            repeated.size - self.last.size, repeated.choices - self.last.choices
        )
        self.last = repeated
