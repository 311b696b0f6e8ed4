"""What the media library holds, where it is kept, and what can be done with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backo import (
    Action,
    Backoffice,
    Collection,
    Datetime,
    DBSqliteConnector,
    FileSystemConnector,
    Int,
    Ref,
    Selection,
    String,
)
from examples.media_library import rights
from examples.media_library.desk import Desk, mine, over_time
from examples.media_library.items import cover, loan, medium, reservation, user

__all__ = ["media_library"]

NOTHING: dict[str, Any] = {"_id": ("$in", [])}
"""The filter that no item matches."""


def media_library(folder: Path) -> Backoffice:
    """The media library whose data is in ``folder``: an SQLite file, and covers."""
    office = Backoffice(
        "media_library",
        info={
            "description": "A public library: its media, its people and its loans.",
            "license": {"name": "MIT", "identifier": "MIT"},
            "contact": {"name": "The library's desk", "url": "https://example.com"},
        },
    )
    for collection in (_users, _media, _loans, _reservations):
        office.register_collection(collection(folder))
    desk = Desk(office)
    _add_media_actions(office, desk)
    _add_other_actions(office, desk)
    _add_selections(office)
    return office


class _Store(DBSqliteConnector):
    """A table of the library's one file."""

    def __init__(self, folder: Path, table: str, indexes: Sequence[str] = ()) -> None:
        path = folder / "media_library.sqlite"
        super().__init__(path=path, table=table, indexes=indexes)


class _ByLogin(_Store):
    """Two people with one login would have one id, which the store refuses."""

    def generate_id(self, o: dict[str, Any]) -> str:
        return str(o["login"])


def _users(folder: Path) -> Collection:
    return Collection(
        "users",
        user,
        _ByLogin(folder, "users"),
        can_read=rights.is_himself_or_staff,
        can_create=rights.is_staff,
        can_modify=rights.is_himself_or_keeps,
        can_delete=rights.is_admin,
        description="Members, and those who work here",
    )


def _media(folder: Path) -> Collection:
    media = Collection(
        "media",
        medium,
        _Store(folder, "media", ["$.title", "$.year"]),
        can_create=rights.is_staff,
        can_modify=rights.is_staff,
        can_delete=rights.is_staff,
        refuse_filter=_unseen_media,
        description="All that can be borrowed",
    )
    covers = FileSystemConnector(path=folder / "covers")
    media.model.add_to_model("cover", cover(covers))
    return media


def _unseen_media() -> dict[str, Any]:
    """What is not on the shelves yet is nobody's but the staff's."""
    if rights.is_staff("read", None):
        return NOTHING
    return {"in_processing": True}


def _loans(folder: Path) -> Collection:
    return Collection(
        "loans",
        loan,
        _Store(folder, "loans", ["$.member", "$.medium", "$.due"]),
        can_read=rights.is_his_or_staff,
        # By the action `borrow`, or `lend`, alone.
        can_create=False,
        can_modify=rights.is_staff,
        can_delete=rights.is_admin,
        description="Who has, or had, what",
    )


def _reservations(folder: Path) -> Collection:
    return Collection(
        "reservations",
        reservation,
        _Store(folder, "reservations", ["$.member", "$.medium"]),
        can_read=rights.is_his_or_staff,
        can_create=False,
        can_modify=False,
        can_delete=rights.is_his_or_staff,
        description="Who waits for what",
    )


def _add_media_actions(office: Backoffice, desk: Desk) -> None:
    lent = {"loan": String(required=True), "due": Datetime(required=True)}
    actions = {
        "borrow": Action(
            {},
            desk.borrow,
            can_execute=rights.is_member,
            result=lent,
            description="Take a copy home",
        ),
        "lend": Action(
            {
                "member": Ref(coll="users", required=True, description="To whom"),
                "days": Int(min=1, max=90, description="For how long; 28 else"),
            },
            desk.lend,
            can_see=rights.is_staff,
            result=lent,
            description="Lend a copy to a member who stands at the desk",
        ),
        "reserve": Action(
            {},
            desk.reserve,
            can_execute=rights.is_member,
            result={"reservation": String(required=True)},
            description="Wait for a copy, where none is free",
        ),
    }
    for name, action in actions.items():
        office.media.register_action(name, action)


def _add_other_actions(office: Backoffice, desk: Desk) -> None:
    office.loans.register_action(
        "give_back",
        Action(
            {},
            desk.give_back,
            can_see=rights.is_out,
            can_execute=rights.is_his_or_staff,
            description="Bring a copy back",
        ),
    )
    people = {
        "suspend": Action(
            {"reason": String(description="What is to be noted")},
            desk.suspend,
            can_see=rights.is_suspendable,
            can_execute=rights.is_keeper,
            description="Shut somebody out for now",
        ),
        "reinstate": Action(
            {},
            desk.reinstate,
            can_see=rights.is_reinstatable,
            can_execute=rights.is_keeper,
            description="Let somebody in again",
        ),
        "set_password": Action(
            {
                "old": String(description="The present one, for one's own"),
                "new": String(
                    required=True,
                    pattern=r"^[\s\S]{10,200}$",
                    description="The new one",
                ),
            },
            desk.set_password,
            can_execute=rights.is_himself_or_keeps,
            description="Change a password; whoever is logged in by it no longer is",
        ),
    }
    for name, action in people.items():
        office.users.register_action(name, action)


def _add_selections(office: Backoffice) -> None:
    office.media.register_selection(
        "on_shelf",
        Selection(
            ["$.title", "$.kind", "$.creators[*].name", "$.available"],
            filter={"available": ("$gt", 0)},
            sort="$.title",
            description="What can be borrowed now",
        ),
    )
    office.loans.register_selection(
        "my_loans",
        Selection(
            ["$.medium.title", "$.borrowed", "$.due", "$.returned"],
            filter=mine,
            sort="-$.borrowed",
            can_read=rights.is_member,
            description="What the caller has, or had, at home; the last first",
        ),
    )
    office.loans.register_selection(
        "overdue",
        Selection(
            ["$.medium.title", "$.member.name", "$.member.contact.email", "$.due"],
            filter=over_time,
            sort="$.due",
            can_read=rights.is_staff,
            description="What should have been given back, the longest first",
        ),
    )
