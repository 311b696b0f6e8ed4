"""Who may do what: the rights of the media library.

Each is asked as ``f(right_name, item)``. Those of the first part look at the current
user alone, those of the second at the item too.
"""

from typing import Any

from backo import current_user

__all__ = [
    "ADMIN",
    "MEMBER",
    "STAFF",
    "is_admin",
    "is_himself_or_keeps",
    "is_himself_or_staff",
    "is_his_or_staff",
    "is_keeper",
    "is_member",
    "is_out",
    "is_reinstatable",
    "is_staff",
    "is_suspendable",
    "makes_cards",
]

MEMBER, STAFF, ADMIN = "member", "staff", "admin"

# --- Of the current user ----------------------------------------------------------


def is_member(right: str, item: Any) -> bool:
    """Whoever has a card: may borrow."""
    return current_user.has_role([MEMBER, STAFF, ADMIN])


def is_staff(right: str, item: Any) -> bool:
    """Whoever works here."""
    return current_user.has_role([STAFF, ADMIN])


def is_admin(right: str, item: Any) -> bool:
    """Whoever decides who works here."""
    return current_user.has_role(ADMIN)


# --- Of the current user and a person ---------------------------------------------


def is_keeper(right: str, person: Any) -> bool:
    """Staff keeps the records of mere members, admins keep everybody's."""
    if not current_user.has_role(STAFF):
        return is_admin(right, person)
    roles = person.roles.get_value() or []
    return is_admin(right, person) or set(roles) <= {MEMBER}


def is_himself_or_keeps(right: str, person: Any) -> bool:
    """The person, and whoever keeps the record."""
    return _is_caller(person["_id"].get_value()) or is_keeper(right, person)


def is_himself_or_staff(right: str, person: Any) -> bool:
    """The person, and whoever works here."""
    return _is_caller(person["_id"].get_value()) or is_staff(right, person)


def makes_cards(right: str, person: Any) -> bool:
    """Staff, as long as the person has no card: what stands on it is for ever."""
    return is_staff(right, person) and person["_id"].get_value() is None


def is_suspendable(right: str, person: Any) -> bool:
    """Not suspended yet, as staff knows."""
    return is_staff(right, person) and not person.suspended.get_value()


def is_reinstatable(right: str, person: Any) -> bool:
    """Suspended, as staff knows."""
    return is_staff(right, person) and bool(person.suspended.get_value())


# --- Of the current user and a loan or a reservation ------------------------------


def is_his_or_staff(right: str, item: Any) -> bool:
    """Whose loan or reservation it is, and whoever works here."""
    return is_staff(right, item) or _is_caller(item.member.get_value())


def is_out(right: str, loan: Any) -> bool:
    """Not given back yet."""
    return loan.returned.get_value() is None


def _is_caller(_id: str | None) -> bool:
    return not current_user.is_anonymous() and current_user.identity()[0] == _id
