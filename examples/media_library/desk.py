"""What is done at the desk: lending, giving back, reserving, suspending, passwords."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from backo import Backoffice, ConflictError, SRightError, current_user
from examples.media_library.passwords import hashed, is_password_of
from examples.media_library.rights import STAFF

__all__ = ["DAYS", "MOST", "Desk", "mine", "now", "over_time"]

DAYS = 28
"""For how many days something is lent."""
MOST = 5
"""How many media a member may have at home at once."""
DESK = {"_id": "_desk", "login": "_desk", "roles": [STAFF]}
"""Who counts copies; nobody can have this login."""


def now() -> datetime:
    """The present, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def mine() -> dict[str, Any]:
    """The filter of what is the caller's."""
    return {"member": current_user.identity()[0]}


def over_time() -> dict[str, Any]:
    """The filter of the loans that should have been given back."""
    return {"returned": ("$exists", False), "due": ("$lt", now())}


class Desk:
    """The actions of an office. Each is one unit of work: nobody else writes meanwhile,
    and when it raises, nothing has happened."""

    def __init__(self, office: Backoffice) -> None:
        self.office = office

    def borrow(self, action: Any, medium: Any) -> dict[str, Any]:
        """Lend a copy to the caller."""
        return self._lend(medium, current_user.identity()[0], DAYS)

    def lend(self, action: Any, medium: Any) -> dict[str, Any]:
        """Lend a copy to the member that the input names."""
        member = self.office.users.get_by_id(action.member.get_value())
        if member.suspended.get_value():
            raise ConflictError("that member is suspended")
        days = action.days.get_value() or DAYS
        return self._lend(medium, member["_id"].get_value(), days)

    def _lend(self, medium: Any, member: str, days: int) -> dict[str, Any]:
        medium.disable_permissions()
        waiting = medium.reservations.get_value() or []
        own = self._reserved(medium, member)
        self._require_few(medium, member)
        ahead = waiting.index(own["_id"].get_value()) if own else len(waiting)
        if medium.available.get_value() <= ahead:
            raise ConflictError("no copy of it is free")
        medium.lent += 1
        if own:
            own.delete()
        due = now() + timedelta(days=days)
        loan = self.office.loans.new_item()
        loan.create(
            {
                "member": member,
                "medium": medium["_id"].get_value(),
                "borrowed": now(),
                "due": due,
            },
            unasked=True,
        )
        return {"loan": loan["_id"].get_value(), "due": due}

    def _reserved(self, medium: Any, member: str) -> Any:
        """The member's reservation of the medium, if there is one."""
        wanted = {"medium": medium["_id"].get_value(), "member": member}
        found = self.office.reservations.select(wanted, limit=1)
        return found[0] if found else None

    def _require_few(self, medium: Any, member: str) -> None:
        """Pass if the member may have the medium too."""
        out = {"member": member, "returned": ("$exists", False)}
        held = [one.medium.get_value() for one in self.office.loans.select(out)]
        if medium["_id"].get_value() in held:
            raise ConflictError("it is at home with that member already")
        if len(held) >= MOST:
            raise ConflictError(f"a member may have {MOST} media at home")

    def reserve(self, action: Any, medium: Any) -> dict[str, Any]:
        """Put the caller in the queue for the medium."""
        member = current_user.identity()[0]
        self._require_few(medium, member)
        if self._reserved(medium, member):
            raise ConflictError("it is reserved by that member already")
        medium.disable_permissions()
        if medium.available.get_value() > len(medium.reservations.get_value() or []):
            raise ConflictError("a copy of it is free")
        made = self.office.reservations.new_item()
        made.create(
            {"member": member, "medium": medium["_id"].get_value(), "made": now()},
            unasked=True,
        )
        return {"reservation": made["_id"].get_value()}

    def give_back(self, action: Any, loan: Any) -> None:
        """Take a copy back."""
        loan.disable_permissions()
        loan.returned = now()
        # Whoever gives something back may have it counted, and need not see it.
        with current_user.request():
            current_user.set(DESK)
            medium = self.office.media.get_by_id(loan.medium.get_value())
            medium.disable_permissions()
            medium.lent -= 1
            medium.save()

    def suspend(self, action: Any, person: Any) -> None:
        """Shut somebody out: tokens stop at the next request."""
        if person["_id"].get_value() == current_user.identity()[0]:
            raise ConflictError("nobody shuts himself out")
        person.disable_permissions()
        person.suspended = True
        if action.reason.get_value():
            by = current_user.identity()[1]
            person.notes.append({"text": action.reason.get_value(), "by": by})

    def reinstate(self, action: Any, person: Any) -> None:
        """Let somebody in again."""
        person.disable_permissions()
        person.suspended = False

    def set_password(self, action: Any, person: Any) -> None:
        """Give somebody another password; tokens of before have ended."""
        person.disable_permissions()
        own = person["_id"].get_value() == current_user.identity()[0]
        held = person.password_hash.get_value()
        if own and not is_password_of(held, action.old.get_value() or ""):
            raise SRightError("the old password is wrong")
        person.password_hash = hashed(action.new.get_value())
        person.token_epoch = secrets.token_hex(8)
