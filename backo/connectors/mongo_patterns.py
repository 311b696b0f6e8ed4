"""Patterns for MongoDB's engine, which backtracks."""

import re

__all__ = ["translated"]

_PIECE = re.compile(
    r"""
    (?P<atom> [^\\.^$|?*+()\[\]{}\ud800-\udfff\0] | \\[^A-Za-z0-9\s<>\x80-\U0010ffff\0]
        | (?P<any> \. ) | \[\^?(?:[A-Za-z0-9_ ](?:-[A-Za-z0-9])?)+\] )
    (?P<count> (?P<endless> [*+] ) | \? | \{[0-9]{1,2}(?:,[0-9]{1,2})?\} )?
    """,
    re.VERBOSE,
)
_THE_END = r"(?![\s\S])"


def translated(pattern: str) -> str | None:
    """The pattern for an engine that backtracks, matched from the start; None unless it
    is simple enough to mean the same there and to be quick: plain characters, ``.``,
    simple classes and counts, of which one at most without end in each alternative."""
    branches = [_branch(one) for one in re.split(r"(?<!\\)\|", pattern)]
    made = [one for one in branches if one is not None]
    if len(made) < len(branches):
        return None
    # The prefix of a lone one leads MongoDB through an index.
    return f"^{made[0]}" if len(made) == 1 else f"^(?:{'|'.join(made)})"


def _branch(pattern: str) -> str | None:
    pattern = pattern.removeprefix("^")
    ended = pattern.endswith("$") and not pattern.endswith(r"\$")
    body = pattern.removesuffix("$") if ended else pattern
    pieces, at, endless = [], 0, 0
    while at < len(body):
        found = _PIECE.match(body, at)
        if found is None or body[found.end() : found.end() + 1] in ("?", "+", "*"):
            return None
        endless += found["endless"] is not None
        # Without flags a dot is any character but the line feed.
        atom = "[^\n]" if found["any"] else found["atom"]
        pieces.append(atom + (found["count"] or ""))
        at = found.end()
    return None if endless > 1 else "".join(pieces) + (_THE_END if ended else "")
