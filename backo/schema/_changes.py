"""Which changes of an item concern a computed field."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["concerns"]

_INDEX = re.compile(r"\[[^\]]*\]")


def concerns(
    changes: Iterable[str], listens: str | Sequence[str] | None, own_path: str
) -> bool:
    """Whether changes at those paths concern the field at ``own_path``.

    One that listens to nothing in particular is concerned by every change but its own;
    another by changes at or below what it listens to. ``$.l[*]`` among the changes says
    that the list has other elements than before.
    """
    if listens is None:
        return any(not _within(path, own_path) for path in changes)
    wanted = [listens] if isinstance(listens, str) else listens
    return any(_touches(path, listened) for path in changes for listened in wanted)


def _within(path: str, base: str) -> bool:
    return path == base or path.startswith((f"{base}.", f"{base}["))


def _touches(changed: str, listened: str) -> bool:
    if changed.endswith("[*]") and _within(_plain(listened), _plain(changed)):
        return True
    if _INDEX.search(listened) is None or "[*]" in listened:
        changed, listened = _plain(changed), _plain(listened)
    return _within(changed, listened)


def _plain(path: str) -> str:
    return _INDEX.sub("", path)
