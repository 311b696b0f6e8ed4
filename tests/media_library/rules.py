"""What rights mean for requests: from rights that are plain data, the answers that each
caller is to get. It knows nothing of how backo asks for rights.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["ANYBODY", "NOBODY", "Act", "Document", "Field", "Rules", "Who"]

type Document = dict[str, Any]

_FORBIDDEN = (403, "forbidden")


@dataclasses.dataclass(frozen=True)
class Who:
    """Whether a caller has a right on an item.

    :param of_item: it takes a look at the item to tell.
    """

    holds: Callable[[str, Document], bool]
    of_item: bool = False

    def never(self, login: str) -> bool:
        """Whether the caller has it on no item, which the caller alone tells."""
        return not self.of_item and not self.holds(login, {})


ANYBODY = Who(lambda _login, _item: True)
NOBODY = Who(lambda _login, _item: False)


@dataclasses.dataclass(frozen=True)
class Field:
    """One field.

    :param new: another value that it may have; of a List, what is added to it.
    :param read: who reads it, if not whoever reads what it is in.
    :param modify: likewise.
    :param told: of a file, what is told of ``new``, but its id and date.
    :param refused: the code of what is wrong with ``new`` in an item, if anything is.
    """

    new: Any
    read: Who | None = None
    modify: Who | None = None
    told: Mapping[str, Any] | None = None
    refused: Callable[[Document], str | None] = lambda _item: None


@dataclasses.dataclass(frozen=True)
class Act:
    """An action: who knows of it, who may do it, and what it is given."""

    see: Who = ANYBODY
    execute: Who = ANYBODY
    input: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What holds for one collection. ``fields`` are all there are, by path."""

    read: Who
    create: Who
    modify: Who
    delete: Who
    fields: Mapping[str, Field]
    actions: Mapping[str, Act]
    selections: Mapping[str, Who]
    new: Document
    """An item that may be created."""
    first: Document = dataclasses.field(default_factory=dict)
    """The shortest Lists in which its elements' fields can be given."""

    def way(self, path: str) -> list[Field]:
        """The fields from the outermost to that at ``path``."""
        names = path.split(".")
        return [self.fields[".".join(names[: end + 1])] for end in range(len(names))]

    def reads(self, login: str, path: str, item: Document) -> bool:
        """Whether the caller sees that field of an item that the caller sees."""
        readers = (one.read for one in self.way(path))
        return all(who is None or who.holds(login, item) for who in readers)

    def knows(self, login: str, path: str) -> bool:
        """Whether there is such a field for the caller."""
        readers = (one.read for one in self.way(path))
        return not any(who is not None and who.never(login) for who in readers)

    def sorts(self, login: str, path: str) -> bool:
        """Whether the caller's lists can be sorted by it: it is one value."""
        several = any(isinstance(one.new, list) for one in self.way(path))
        field = self.fields[path]
        whole = isinstance(field.new, dict) or field.told is not None
        return self.knows(login, path) and not several and not whole

    def filters(self, login: str, path: str) -> bool:
        """Whether the caller's lists can be filtered by it: it is stored."""
        return self.knows(login, path) and path != "loans"

    def files(self) -> Iterator[str]:
        """The fields that are files."""
        return (path for path, one in self.fields.items() if one.told is not None)

    def modifier(self, path: str) -> Who:
        """Who modifies the field, of items that they may modify."""
        said = [one.modify for one in self.way(path) if one.modify is not None]
        return said[-1] if said else ANYBODY

    def shown(self, login: str, item: Document) -> Document:
        """What the caller sees of the item."""
        return dict(self._shown(login, item, item, ""))

    def _shown(
        self, login: str, item: Document, part: Document, prefix: str
    ) -> Iterator[tuple[str, Any]]:
        for name, value in part.items():
            if self.reads(login, prefix + name, item):
                yield name, self._value(login, item, value, f"{prefix}{name}.")

    def _value(self, login: str, item: Document, value: Any, prefix: str) -> Any:
        if isinstance(value, list):
            return [self._value(login, item, one, prefix) for one in value]
        if isinstance(value, dict):
            return dict(self._shown(login, item, value, prefix))
        return value

    def update(self, login: str, path: str, item: Document) -> tuple[int, str]:
        """The status of a PUT of that field of the item, and the fault's code."""
        told = self._of_route(login, self.modify) or self._of_body(login, path)
        return told or self._of_item(login, item) or self._of_field(login, path, item)

    def patch(
        self, login: str, path: str, item: Document, *, idle: bool
    ) -> tuple[int, str]:
        """The same of a merge patch, for which the item is looked for at first;
        ``idle``: it says what the caller sees already."""
        told = self._of_route(login, self.modify) or self._of_item(login, item)
        if told is not None:
            return told
        if idle:
            return 200, ""
        return self._of_body(login, path) or self._of_field(login, path, item)

    def creation(self, login: str, path: str) -> tuple[int, str]:
        """The status of making an item that has that field."""
        told = self._of_route(login, self.create) or self._of_body(login, path)
        if told is not None:
            return told
        new = {"_id": None, "roles": ["member"], "suspended": False}
        modifier = self.modifier(path)
        wrong = self.fields[path].refused(new)
        if wrong:
            # No new item can have it, whoever makes it.
            return 422, wrong
        allowed = self.create.holds(login, new) and modifier.holds(login, new)
        return (201, "") if allowed else _FORBIDDEN

    def _of_route(self, login: str, who: Who) -> tuple[int, str] | None:
        """Whether there is such an operation for the caller."""
        if login == "visitor":
            return 401, "not_authenticated"
        return (405, "method_not_allowed") if who is NOBODY else None

    def _of_body(self, login: str, path: str) -> tuple[int, str] | None:
        """What is wrong with the field, of whatever item."""
        if not self.knows(login, path):
            return 422, "unknown_field"
        return (422, "read_only") if self.modifier(path) is NOBODY else None

    def _of_item(self, login: str, item: Document) -> tuple[int, str] | None:
        if not self.read.holds(login, item):
            return 404, "not_found"
        return None if self.modify.holds(login, item) else _FORBIDDEN

    def _of_field(self, login: str, path: str, item: Document) -> tuple[int, str]:
        if not self.reads(login, path, item):
            return 422, "unknown_field"
        if not self.modifier(path).holds(login, item):
            return _FORBIDDEN
        wrong = self.fields[path].refused(item)
        return (422, wrong) if wrong else (200, "")

    def deletion(self, login: str, item: Document, *, held: bool) -> tuple[int, ...]:
        """The statuses that deleting the item may have; ``held``: there are loans of
        it."""
        if login == "visitor":
            return (401,)
        if not self.read.holds(login, item):
            # Of who may delete nothing, it need not be asked which.
            return (403, 404) if self.delete.never(login) else (404,)
        if not self.delete.holds(login, item):
            return (403,)
        return (409,) if held else (204,)

    def download(self, login: str, path: str, item: Document) -> int:
        """The status of getting that file of the item."""
        if not self.read.holds(login, item) or not self.reads(login, path, item):
            return 404
        return 200 if item.get(path) else 404

    def action(self, login: str, name: str, item: Document) -> tuple[int, ...]:
        """The statuses that the action may have, on that item."""
        act = self.actions[name]
        if login == "visitor":
            return (401,)
        if not self.read.holds(login, item) or not act.see.holds(login, item):
            return (404,)
        # What the desk says of it is not of rights.
        return (200, 409) if act.execute.holds(login, item) else (403,)

    def operations(self, login: str) -> Iterator[str]:
        """The operations that the caller's document has."""
        rights = {
            "read": ("list", "get"),
            "create": ("create",),
            "modify": ("update", "patch"),
            "delete": ("delete",),
        }
        for right, verbs in rights.items():
            if not getattr(self, right).never(login):
                yield from verbs
        for name, act in self.actions.items():
            if not act.see.never(login) and not act.execute.never(login):
                yield f"do_{name}"
        for name, who in self.selections.items():
            if not who.never(login):
                yield from (f"select_{name}", f"search_{name}")
        if not self.read.never(login) and any(
            self.knows(login, path) for path in self.files()
        ):
            yield "get_file"
        yield from ("check", "meta")
