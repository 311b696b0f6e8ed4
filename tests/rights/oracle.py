"""What rights mean for documents, said a second time: a declaration as plain data, and
plain Python over plain dicts. It knows nothing of nodes, plans and models.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "EVERYBODY",
    "NOBODY",
    "Field",
    "Oracle",
    "Verdict",
    "Who",
    "either",
    "role",
    "when",
]

type Document = dict[str, Any]
type Who = Callable[[str, Document], bool]
"""Whether someone of that role has a right, on that item."""


def EVERYBODY(_role: str, _item: Document) -> bool:  # noqa: N802 - it stands for a value
    return True


def NOBODY(_role: str, _item: Document) -> bool:  # noqa: N802 - it stands for a value
    return False


def role(*names: str) -> Who:
    """Those of one of these roles."""
    return lambda asking, _item: asking in names


def when(field: str) -> Who:
    """Everybody, where that field of the item is true."""
    return lambda _role, item: item.get(field) is True


def either(*some: Who) -> Who:
    return lambda asking, item: any(one(asking, item) for one in some)


@dataclasses.dataclass(frozen=True)
class Field:
    """The rights that a field was declared with; None: those of what it is in."""

    read: Who | None = None
    modify: Who | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What becomes of a write: its status, and the code of the fault that it names."""

    status: int
    code: str | None = None


OPEN = Verdict(200)
READ_ONLY = Verdict(422, "read_only")
UNKNOWN = Verdict(422, "unknown_field")
FORBIDDEN = Verdict(403, "forbidden")


class Oracle:
    """What callers may read and write of the items of one collection.

    :param fields: by path, ``in.deep.x``: of an element, the path is that of its List
        and the name (``rows.p``). What is not in it has the rights of what it is in.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.fields = fields

    def _way(self, path: str) -> list[Field]:
        """The fields from the outermost to that at ``path``."""
        names = path.split(".")
        steps = (".".join(names[: end + 1]) for end in range(len(names)))
        return [self.fields.get(step, Field()) for step in steps]

    def may_read(self, asking: str, path: str, item: Document) -> bool:
        """Whether that caller sees the field: nothing shows through what is hidden."""
        return all(
            one.read is None or one.read(asking, item) for one in self._way(path)
        )

    def _modifiers(self, path: str) -> Who:
        """Who may modify it: the innermost word holds."""
        said = [one.modify for one in self._way(path) if one.modify is not None]
        return said[-1] if said else EVERYBODY

    def read_only(self, path: str) -> bool:
        """Whether nobody can ever modify it."""
        return self._modifiers(path) is NOBODY

    def write(self, asking: str, path: str, item: Document) -> Verdict:
        """What becomes of a new value at ``path`` of ``item``."""
        readers = [one.read for one in self._way(path)]
        if self.read_only(path):
            return UNKNOWN if NOBODY in readers else READ_ONLY
        if self._modifiers(path)(asking, item):
            return OPEN
        return FORBIDDEN if self.may_read(asking, path, item) else UNKNOWN

    def shown(self, asking: str, item: Document) -> Document:
        """What that caller sees of the item."""
        return dict(self._shown(asking, item, item, ""))

    def _shown(
        self, asking: str, item: Document, part: Document, prefix: str
    ) -> Iterator[tuple[str, Any]]:
        for name, value in part.items():
            path = prefix + name
            if self.may_read(asking, path, item):
                yield name, self._value(asking, item, value, f"{path}.")

    def _value(self, asking: str, item: Document, value: Any, prefix: str) -> Any:
        if isinstance(value, dict):
            return dict(self._shown(asking, item, value, prefix))
        if isinstance(value, list):
            return [self._value(asking, item, one, prefix) for one in value]
        return value
