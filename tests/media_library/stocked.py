"""A small media library in which every field of some item is set."""

import copy
from collections.abc import Mapping
from typing import Any

from backo import Backoffice, FileConnector
from examples.media_library.seed import PASSWORDS

__all__ = [
    "CONTENTS",
    "Stock",
    "held",
    "password",
    "restore",
    "stock",
    "stored",
    "whole",
]

type Document = dict[str, Any]
type Stock = Mapping[str, Mapping[str, Document]]
"""All documents, by collection and id, and beside the collections all contents of
files."""

CONTENTS = "contents"
"""Where a stock has the contents of covers, each with its bytes."""

KEPT = ("emma", "middlemarch", "metropolis")
PAST, LATER = "2024-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"


def stored(office: Backoffice) -> dict[str, dict[str, Document]]:
    """What the stores hold."""
    documents = {
        name: {one["_id"]: one for one in collection.db_handler.select({})}
        for name, collection in office.collections.items()
    }
    kept = _covers(office)
    found = (one.file_id for one in kept.stored())
    return {**documents, CONTENTS: {_id: {"bytes": kept.get(_id)} for _id in found}}


def _covers(office: Backoffice) -> FileConnector:
    field = office.media.plan.root.field("cover")
    assert field is not None and field.file is not None
    kept: FileConnector = field.file.work
    return kept


def restore(office: Backoffice, wanted: Stock) -> None:
    """Make the stores hold just that, past all rights."""
    present = stored(office)
    kept, contents = _covers(office), wanted[CONTENTS]
    for _id in present[CONTENTS].keys() - contents.keys():
        kept.delete(_id)
    for _id in contents.keys() - present[CONTENTS].keys():
        kept.write(_id, [contents[_id]["bytes"]])
    for name in office.collections:
        documents = wanted[name]
        store = office.collection(name).db_handler
        for _id in present[name].keys() - documents.keys():
            store.delete_by_id(_id)
        for _id, document in documents.items():
            if _id not in present[name]:
                store.create(copy.deepcopy(document))
            elif present[name][_id] != document:
                store.save(_id, copy.deepcopy(document))


def held(documents: Stock, collection: str, _id: str) -> list[str]:
    """The loans that a person or a medium has."""
    field = {"users": "member", "media": "medium"}.get(collection)
    loans = documents["loans"].items()
    return [loan for loan, one in loans if field and one[field] == _id]


def stock(seeded: Stock) -> Stock:
    """What a seeded library becomes: people of every kind, three media, and what they
    have to do with each other."""
    users = {**seeded["users"], **_more_people(seeded["users"])}
    media = {_id: seeded["media"][_id] for _id in KEPT}
    made = {"_meta": copy.deepcopy(media["emma"]["_meta"])}
    whole = {
        "users": {_id: _person(one) for _id, one in users.items()},
        "media": {_id: _medium(one) for _id, one in media.items()},
        "loans": {one["_id"]: {**one, **made} for one in _loans()},
        "reservations": {one["_id"]: {**one, **made} for one in _reservations()},
        CONTENTS: {_id: seeded[CONTENTS][_id] for _id in _files_of(media)},
    }
    _link(whole)
    return whole


def whole(found: Stock) -> bool:
    """Whether there are the contents of all covers, and no others."""
    return sorted(_files_of(found["media"])) == sorted(found[CONTENTS])


def _files_of(media: Mapping[str, Document]) -> list[str]:
    return [one["cover"]["file_id"] for one in media.values() if one.get("cover")]


def _more_people(users: Mapping[str, Document]) -> dict[str, Document]:
    """A suspended member, with the password of Mia, and a colleague with two roles."""
    zoe = {**users["mia"], "_id": "zoe", "login": "zoe", "suspended": True}
    sue = {**users["mia"], "_id": "sue", "login": "sue", "roles": ["member", "staff"]}
    return {"zoe": zoe, "sue": sue}


def _person(one: Document) -> Document:
    contact = {**one["contact"], "phone": "+49 40 1", "email": f"{one['_id']}@here.org"}
    notes = [{"text": "often late", "by": "sam", "source": "the books"}]
    return {**one, "contact": contact, "notes": notes, "loans": None}


def _medium(one: Document) -> Document:
    internal = {**one["internal"], "notes": [{"text": "torn", "by": "sam"}]}
    lent = 1 if one["_id"] in ("emma", "middlemarch") else 0
    free = len(one["copies"]) - lent
    cover = one["cover"] and {**one["cover"], "filename": f"{one['_id']}.png"}
    changed = {"internal": internal, "lent": lent, "available": free, "cover": cover}
    return {**one, **changed}


def _loans() -> list[Document]:
    sent = {"on": PAST, "text": "bring it back", "by": "sam"}
    more = {"returned": None, "reminders": [sent], "remark": "moved house"}
    return [
        _loan("late", "noah", "emma", due=PAST, **more),
        # Mia has it at home, and may not see it any longer.
        _loan("out", "mia", "middlemarch", due=LATER, **more),
        _loan("back", "mia", "emma", due=PAST, **{**more, "returned": PAST}),
    ]


def _loan(_id: str, member: str, medium: str, **more: Any) -> Document:
    return {"_id": _id, "member": member, "medium": medium, "borrowed": PAST, **more}


def _reservations() -> list[Document]:
    wanted = {"waits": ("noah", "middlemarch"), "wish": ("mia", "metropolis")}
    return [
        {"_id": _id, "member": member, "medium": medium, "made": PAST}
        for _id, (member, medium) in wanted.items()
    ]


def _link(whole: dict[str, dict[str, Document]]) -> None:
    """Write down the other halves of reservations."""
    for name, field in (("users", "member"), ("media", "medium")):
        for _id, one in whole[name].items():
            waiting = whole["reservations"].items()
            one["reservations"] = [key for key, it in waiting if it[field] == _id]


def password(login: str) -> str:
    """Of anybody of the stock."""
    return PASSWORDS.get(login, PASSWORDS["mia"])
