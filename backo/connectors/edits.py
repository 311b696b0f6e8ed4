"""Edits of lists of texts, done by a store in one atomic step."""

import dataclasses

__all__ = ["ListEdit"]


@dataclasses.dataclass(frozen=True, slots=True)
class ListEdit:
    """Texts to put into a list, unless they are there, and others to take out."""

    path: tuple[str, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
