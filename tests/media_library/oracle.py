"""Who may do what in the media library, said a second time, by hand: plain data, and
plain Python over stored documents. It knows nothing of the example's own rights.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.media_library.rules import ANYBODY, NOBODY, Act, Document, Field, Rules, Who
from tests.media_library.stocked import Stock

__all__ = ["COLLECTIONS", "PICTURE", "ROLES", "rows_of"]

ROLES: Mapping[str, frozenset[str]] = {
    "visitor": frozenset(),
    "mia": frozenset({"member"}),
    "noah": frozenset({"member"}),
    "sam": frozenset({"staff"}),
    "ada": frozenset({"admin"}),
}
"""The callers, and what they are."""


def _is(login: str, *roles: str) -> bool:
    return not ROLES[login].isdisjoint(roles)


def _works(login: str) -> bool:
    return _is(login, "staff", "admin")


def _keeps(login: str, person: Document) -> bool:
    mere = set(person.get("roles") or []) <= {"member"}
    return _is(login, "admin") or (_is(login, "staff") and mere)


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


# --- The collections --------------------------------------------------------------

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


PICTURE = b"\x89PNG\r\n\x1a\n and so on"
"""What begins as a PNG does is one."""


def _of_nothing(medium: Document) -> str | None:
    """What is told of a file is about one that is there."""
    return None if medium.get("cover") else "file"


def _of_cover() -> Iterator[tuple[str, Field]]:
    content = f"base64:{base64.b64encode(PICTURE).decode()}"
    told = {"filename": None, "content_type": "image/png", "size": len(PICTURE)}
    yield "cover", Field(content, told=told)
    yield "cover.filename", Field("another.png", refused=_of_nothing)
    # The file of another item, maybe.
    yield "cover.file_id", Field("another", refused=lambda _medium: "file")
    yield "cover.content_type", Field("text/html", refused=_of_nothing)
    yield "cover.size", Field(5, refused=_of_nothing)
    yield "cover.modified", Field(WHEN, refused=_of_nothing)


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
        **dict(_of_cover()),
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
