"""Who may do what in the media library, said a second time: plain data, and plain
Python over stored documents. It knows nothing of the rights of the example, nor of how
they are asked.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "COLLECTIONS",
    "ROLES",
    "Act",
    "Document",
    "Field",
    "Rules",
    "Who",
    "rows_of",
]

type Document = dict[str, Any]

_FORBIDDEN = (403, "forbidden")

ROLES: Mapping[str, frozenset[str]] = {
    "visitor": frozenset(),
    "mia": frozenset({"member"}),
    "noah": frozenset({"member"}),
    "sam": frozenset({"staff"}),
    "ada": frozenset({"admin"}),
}
"""The callers, and what they are."""


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


def _is(login: str, *roles: str) -> bool:
    return not ROLES[login].isdisjoint(roles)


def _works(login: str) -> bool:
    return _is(login, "staff", "admin")


def _keeps(login: str, person: Document) -> bool:
    mere = set(person.get("roles") or []) <= {"member"}
    return _is(login, "admin") or (_is(login, "staff") and mere)


ANYBODY = Who(lambda _login, _item: True)
NOBODY = Who(lambda _login, _item: False)
HOLDER = Who(lambda login, _item: login != "visitor")
"""Of a card, of whatever kind."""
STAFF = Who(lambda login, _item: _works(login))
ADMIN = Who(lambda login, _item: _is(login, "admin"))
KEEPER = Who(_keeps, of_item=True)
SELF_OR_KEEPER = Who(
    lambda login, one: login == one["_id"] or _keeps(login, one), of_item=True
)
SELF_OR_STAFF = Who(lambda login, one: login == one["_id"] or _works(login), True)
OWNER_OR_STAFF = Who(lambda login, one: login == one["member"] or _works(login), True)
FIRST = Who(lambda login, one: _works(login) and one["_id"] is None, of_item=True)
"""Staff, when the record is made."""
FREE = Who(lambda login, one: _works(login) and not one["suspended"], of_item=True)
SHUT_OUT = Who(lambda login, one: _works(login) and one["suspended"], of_item=True)
STILL_OUT = Who(lambda _login, one: one["returned"] is None, of_item=True)
ON_SHELVES = Who(lambda login, one: not one["in_processing"] or _works(login), True)


@dataclasses.dataclass(frozen=True)
class Field:
    """One field.

    :param new: another value that it may have; of a List, what is added to it.
    :param read: who reads it, if not whoever reads what it is in.
    :param modify: likewise.
    """

    new: Any
    read: Who | None = None
    modify: Who | None = None


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
        dict_ = isinstance(self.fields[path].new, dict)
        return self.knows(login, path) and not several and not dict_

    def filters(self, login: str, path: str) -> bool:
        """Whether the caller's lists can be filtered by it: it is stored."""
        return self.knows(login, path) and path != "loans"

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
        allowed = self.modifier(path).holds(login, item)
        return (200, "") if allowed else _FORBIDDEN

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
        yield from ("check", "meta")


# --- What it is said of -----------------------------------------------------------

WHEN = "2025-06-01T12:00:00+00:00"


def _of_meta() -> Iterator[tuple[str, Field]]:
    yield "_id", Field("another", modify=NOBODY)
    yield "_meta", Field({"ctime": WHEN}, STAFF, NOBODY)
    for name in ("ctime", "mtime"):
        yield f"_meta.{name}", Field(WHEN)
    for name in ("created_by", "modified_by"):
        yield f"_meta.{name}", Field({"login": "eve"})
        yield f"_meta.{name}._id", Field("eve")
        yield f"_meta.{name}.login", Field("eve")


USERS = Rules(
    read=SELF_OR_STAFF,
    create=STAFF,
    modify=SELF_OR_KEEPER,
    delete=ADMIN,
    new={"login": "olga", "name": "Olga Berg"},
    first={"notes": [{"text": "kind"}]},
    selections={"_all": ANYBODY},
    actions={
        "suspend": Act(FREE, KEEPER, {"reason": "late"}),
        "reinstate": Act(SHUT_OUT, KEEPER),
        "set_password": Act(ANYBODY, SELF_OR_KEEPER, {"new": "another-password"}),
    },
    fields={
        **dict(_of_meta()),
        "login": Field("eve", modify=FIRST),
        "name": Field("Another Name", modify=STAFF),
        "contact": Field({"phone": "+49 1"}, SELF_OR_KEEPER, SELF_OR_KEEPER),
        "contact.email": Field("new@example.org"),
        "contact.phone": Field("+49 1"),
        "contact.address": Field({"city": "Ulm"}),
        "contact.address.street": Field("Another Street 2"),
        "contact.address.zip": Field("89073"),
        "contact.address.city": Field("Ulm"),
        "newsletter": Field(True, SELF_OR_KEEPER),
        "roles": Field(["member", "staff", "admin"], modify=ADMIN),
        "suspended": Field(True, STAFF, NOBODY),
        "notes": Field([{"text": "kind"}], KEEPER, KEEPER),
        "notes.text": Field("kind"),
        "notes.by": Field("sue"),
        "notes.source": Field("her mother", ADMIN, ADMIN),
        "password_hash": Field("x", NOBODY, NOBODY),
        "token_epoch": Field("x", NOBODY, NOBODY),
        "loans": Field(["late"], SELF_OR_KEEPER, NOBODY),
        "reservations": Field(["waits", "wish"], SELF_OR_KEEPER, NOBODY),
    },
)

MEDIA = Rules(
    read=ON_SHELVES,
    create=STAFF,
    modify=STAFF,
    delete=STAFF,
    new={"title": "Nana", "kind": "book"},
    first={
        "creators": [{"name": "Eve"}],
        "copies": [{"barcode": "000008"}],
        "internal": {"notes": [{"text": "rare"}]},
    },
    selections={"_all": ANYBODY, "on_shelf": ANYBODY},
    actions={
        "borrow": Act(execute=HOLDER),
        "lend": Act(see=STAFF, input={"member": "mia", "days": 7}),
        "reserve": Act(execute=HOLDER),
    },
    fields={
        **dict(_of_meta()),
        "title": Field("Another Title"),
        "kind": Field("film"),
        "creators": Field([{"name": "Eve"}]),
        "creators.name": Field("Eve"),
        "creators.role": Field("editor"),
        "year": Field(1999),
        "language": Field("la"),
        "ean": Field("4006381333931"),
        "subjects": Field(["changed"]),
        "copies": Field([{"barcode": "000009"}]),
        "copies.barcode": Field("000009"),
        "copies.shelf": Field("cellar"),
        "copies.condition": Field("damaged", STAFF, STAFF),
        "copies.bought": Field({"price": 1.5}, STAFF, STAFF),
        "copies.bought.on": Field(WHEN),
        "copies.bought.price": Field(1.5),
        "lent": Field(3, modify=NOBODY),
        "available": Field(3, modify=NOBODY),
        "in_processing": Field(True, STAFF, STAFF),
        "internal": Field({"shelf_mark": "Z-1"}, STAFF, STAFF),
        "internal.shelf_mark": Field("Z-1"),
        "internal.supplier": Field({"name": "Eve & Co"}),
        "internal.supplier.name": Field("Eve & Co"),
        "internal.supplier.discount": Field(0.75, ADMIN, ADMIN),
        "internal.notes": Field([{"text": "rare"}]),
        "internal.notes.text": Field("rare"),
        "internal.notes.by": Field("sue"),
        "loans": Field(["late"], STAFF, NOBODY),
        "reservations": Field(["waits", "wish"], STAFF, NOBODY),
    },
)

LOANS = Rules(
    read=OWNER_OR_STAFF,
    create=NOBODY,
    modify=STAFF,
    delete=ADMIN,
    new={"member": "mia", "medium": "metropolis"},
    first={"reminders": [{"on": WHEN}]},
    selections={"_all": ANYBODY, "my_loans": HOLDER, "overdue": STAFF},
    actions={"give_back": Act(STILL_OUT, OWNER_OR_STAFF)},
    fields={
        **dict(_of_meta()),
        "member": Field("sam", modify=NOBODY),
        "medium": Field("metropolis", modify=NOBODY),
        "borrowed": Field(WHEN, modify=NOBODY),
        "due": Field(WHEN, modify=STAFF),
        "returned": Field(WHEN, modify=NOBODY),
        "reminders": Field([{"on": WHEN}], modify=STAFF),
        "reminders.on": Field(WHEN),
        "reminders.text": Field("please"),
        "reminders.by": Field("sue", STAFF, STAFF),
        "remark": Field("ask again", STAFF, STAFF),
    },
)

RESERVATIONS = Rules(
    read=OWNER_OR_STAFF,
    create=NOBODY,
    modify=NOBODY,
    delete=OWNER_OR_STAFF,
    new={"member": "mia", "medium": "metropolis"},
    selections={"_all": ANYBODY},
    actions={},
    fields={
        **dict(_of_meta()),
        "member": Field("sam", modify=NOBODY),
        "medium": Field("metropolis", modify=NOBODY),
        "made": Field(WHEN, modify=NOBODY),
    },
)

COLLECTIONS: Mapping[str, Rules] = {
    "users": USERS,
    "media": MEDIA,
    "loans": LOANS,
    "reservations": RESERVATIONS,
}


# --- Selections -------------------------------------------------------------------

type Stock = Mapping[str, Mapping[str, Document]]
"""All documents, by collection and id."""


def rows_of(login: str, selection: str, stock: Stock) -> list[list[Any]]:
    """The rows of a selection that the caller may read."""
    return sorted(_SELECTIONS[selection](login, stock))


def _on_shelf(login: str, stock: Stock) -> Iterator[list[Any]]:
    for _id, one in stock["media"].items():
        if MEDIA.read.holds(login, one) and one["available"] > 0:
            creators = [creator["name"] for creator in one["creators"]]
            yield [_id, one["title"], one["kind"], creators, one["available"]]


def _my_loans(login: str, stock: Stock) -> Iterator[list[Any]]:
    for _id, one in stock["loans"].items():
        if one["member"] == login:
            times = [one["borrowed"], one["due"], one["returned"]]
            yield [_id, _title(login, one, stock), *times]


def _overdue(login: str, stock: Stock) -> Iterator[list[Any]]:
    for _id, one in stock["loans"].items():
        late = datetime.fromisoformat(one["due"]) < datetime.now(UTC)
        if late and one["returned"] is None:
            whose = USERS.shown(login, stock["users"][one["member"]])
            email = whose.get("contact", {}).get("email")
            title = _title(login, one, stock)
            yield [_id, title, whose["name"], email, one["due"]]


def _title(login: str, loan: Document, stock: Stock) -> str | None:
    """Of what was lent, where the caller may see it."""
    medium = stock["media"][loan["medium"]]
    title: str = medium["title"]
    return title if MEDIA.read.holds(login, medium) else None


_SELECTIONS = {"on_shelf": _on_shelf, "my_loans": _my_loans, "overdue": _overdue}
