"""What stands between the brackets of a selector."""

import re

__all__ = ["index_of"]

_INDEX = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_SLICE = re.compile(r"(-?[0-9]{1,9})?:(-?[0-9]{1,9})?(?::(-?[0-9]{1,9})?)?", re.ASCII)


def index_of(text: str) -> int | slice | None:
    """``0``, ``-1``, ``0:2``, ``1:``, ``::2`` (RFC 9535, section 2.3) as Python has
    them; None for anything else, and for a step of zero."""
    if _INDEX.fullmatch(text):
        return int(text)
    match = _SLICE.fullmatch(text)
    if match is None:
        return None
    start, stop, step = (None if one is None else int(one) for one in match.groups())
    return None if step == 0 else slice(start, stop, step)
