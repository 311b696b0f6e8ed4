"""What the media library lets people do and see, in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    ConflictError,
    DuplicateIdError,
    FilterError,
    NotFoundError,
    ReferencedError,
    SAttributeError,
    SRightError,
    UnknownReferenceError,
    current_user,
)
from examples.media_library.desk import now
from examples.media_library.model import media_library

PEOPLE = {
    "ada": ["admin"],
    "sam": ["staff"],
    "sue": ["staff"],
    "mia": ["member"],
    "noah": ["member"],
}
PASSWORD = "a good password"


@contextmanager
def user(login: str) -> Iterator[None]:
    """As that person; ``visitor`` is nobody."""
    with current_user.request():
        if login != "visitor":
            current_user.set({"_id": login, "login": login, "roles": PEOPLE[login]})
        yield


@pytest.fixture
def office(tmp_path: Path) -> Backoffice:
    """A library with some people, two copies of one book and one of another."""
    office = media_library(tmp_path)
    with user("ada"):
        for login, roles in PEOPLE.items():
            contact = {"email": f"{login}@example.org", "address": {"city": "Ulm"}}
            card = {"login": login, "name": login.title(), "contact": contact}
            office.users.create({**card, "roles": roles})
    with user("sam"):
        office.media.create({"_id": "emma", "title": "Emma", **holding("000001")})
        office.media.create(
            {"_id": "nana", "title": "Nana", **holding("000002", "000003")}
        )
    return office


def holding(*barcodes: str) -> dict[str, Any]:
    copies = [{"barcode": one, "bought": {"price": 9.5}} for one in barcodes]
    return {
        "kind": "book",
        "copies": copies,
        "internal": {"supplier": {"name": "Smith"}, "notes": [{"text": "for sale"}]},
    }


def borrow(office: Backoffice, login: str, _id: str = "emma") -> str:
    with user(login):
        loan: str = office.media.do_action("borrow", _id)["loan"]
        return loan


def seen(office: Backoffice, login: str, collection: str, _id: str) -> dict[str, Any]:
    with user(login):
        shown: dict[str, Any] = office.collection(collection).access.read(_id, "client")
        return shown


def available(office: Backoffice, _id: str = "emma") -> int:
    number: int = seen(office, "visitor", "media", _id)["available"]
    return number


# --- Who sees what ----------------------------------------------------------------


def test_the_declaration_has_no_mistake(office: Backoffice) -> None:
    assert office.check_syntax() == []


def test_visitors_see_of_a_medium_what_stands_on_it(office: Backoffice) -> None:
    shown = seen(office, "visitor", "media", "nana")
    assert shown.keys() == {
        *("_id", "title", "kind", "creators", "year", "language", "ean", "subjects"),
        *("copies", "lent", "available", "cover"),
    }
    assert shown["copies"][0].keys() == {"barcode", "shelf"}
    assert seen(office, "mia", "media", "nana") == shown


def test_staff_sees_all_of_a_medium_but_what_admins_agreed(office: Backoffice) -> None:
    shown = seen(office, "sam", "media", "nana")
    assert shown["copies"][0]["bought"]["price"] == 9.5
    assert shown["internal"]["supplier"] == {"name": "Smith"}
    by_admin = seen(office, "ada", "media", "nana")
    assert by_admin["internal"]["supplier"] == {"name": "Smith", "discount": None}


def test_who_borrowed_last_is_not_told_by_the_medium(office: Backoffice) -> None:
    borrow(office, "mia")
    assert "_meta" not in seen(office, "noah", "media", "emma")
    assert seen(office, "sam", "media", "emma")["_meta"]["modified_by"]["_id"] == "mia"
    for field in ("_meta.modified_by.login", "loans.member.name", "reservations"):
        with user("noah"), pytest.raises(FilterError, match="unknown field"):
            office.media.select({field: "mia"})


@pytest.mark.parametrize(
    ("login", "people"),
    [
        ("visitor", []),
        ("mia", ["mia"]),
        ("sam", ["ada", "mia", "noah", "sam", "sue"]),
    ],
)
def test_members_see_themselves_staff_sees_everybody(
    office: Backoffice, login: str, people: list[str]
) -> None:
    with user(login):
        assert [one["_id"] for one in office.users.select()] == people
        assert office.users.do_selection("_all", {})["total"] == len(people)


def test_a_record_is_seen_as_far_as_it_is_ones_own_to_see(office: Backoffice) -> None:
    own = seen(office, "mia", "users", "mia")
    assert own["contact"]["address"]["city"] == "Ulm"
    assert not {"suspended", "notes", "_meta"} & own.keys()
    by_staff = seen(office, "sam", "users", "mia")
    assert {"suspended", "notes", "_meta", "contact"} <= by_staff.keys()
    colleague = seen(office, "sam", "users", "sue")
    assert colleague["name"] == "Sue"
    assert not {"contact", "notes", "loans", "newsletter"} & colleague.keys()
    assert {"contact", "notes"} <= seen(office, "ada", "users", "sue").keys()
    with user("sam"):
        mails = {"contact.email": ("$reg", ".*example")}
        assert [one["_id"] for one in office.users.select(mails)] == [
            *("mia", "noah", "sam")
        ]


def test_nobody_ever_reads_a_password(office: Backoffice) -> None:
    with user("ada"):
        office.users.do_action("set_password", "mia", {"new": PASSWORD})
    for login in ("mia", "sam", "ada"):
        assert (
            not {"password_hash", "token_epoch"}
            & seen(office, login, "users", "mia").keys()
        )
        for field in ("password_hash", "token_epoch"):
            with user(login):
                with pytest.raises(FilterError):
                    office.users.select({field: ("$exists", True)})
                with pytest.raises(FilterError):
                    office.users.select(sort=field)


def test_what_is_in_processing_is_the_staffs_alone(office: Backoffice) -> None:
    with user("sam"):
        nana = office.media.get_by_id("nana")
        nana.in_processing = True
        nana.save()
        assert len(office.media.select()) == 2
        assert office.media.do_action("borrow", "nana")["loan"]
    for login in ("visitor", "mia"):
        with user(login):
            assert [one["_id"] for one in office.media.select()] == ["emma"]
            with pytest.raises(NotFoundError):
                office.media.get_by_id("nana")
            with pytest.raises(NotFoundError):
                office.media.do_action("borrow", "nana")


def test_loans_are_seen_by_whose_they_are_and_by_staff(office: Backoffice) -> None:
    loan = borrow(office, "mia")
    borrow(office, "noah", "nana")
    for login, number in [("visitor", 0), ("mia", 1), ("noah", 1), ("sam", 2)]:
        with user(login):
            assert len(office.loans.select()) == number
            assert office.loans.do_selection("_all", {})["total"] == number
    for login in ("visitor", "noah"):
        with user(login), pytest.raises(NotFoundError):
            office.loans.access.read(loan, "client")
    with user("mia"):
        rows = office.loans.do_selection("my_loans", {})["result"]
        assert [row[1] for row in rows] == ["Emma"]
        assert office.loans.select({"member.name": "Noah"}) == []
        with pytest.raises(SRightError):
            office.loans.do_selection("overdue", {})
    with user("sam"):
        assert office.loans.do_selection("my_loans", {})["total"] == 0


def test_what_is_overdue_is_told_to_staff(office: Backoffice) -> None:
    loan = borrow(office, "mia")
    borrow(office, "noah", "nana")
    with user("sam"):
        assert office.loans.do_selection("overdue", {})["total"] == 0
        late = office.loans.get_by_id(loan)
        late.due = now() - timedelta(days=1)
        late.save()
        rows = office.loans.do_selection("overdue", {})["result"]
    assert [row[1:4] for row in rows] == [["Emma", "Mia", "mia@example.org"]]


# --- Who changes what -------------------------------------------------------------


def changing(office: Backoffice, login: str, _id: str, field: str, value: Any) -> None:
    with user(login):
        person = office.users.get_by_id(_id)
        person.set({field: value})
        person.save()


MAY_BE_CHANGED: list[tuple[str, str, str, Any]] = [
    ("mia", "mia", "contact", {"phone": "+49 1"}),
    ("mia", "mia", "newsletter", True),
    ("sam", "mia", "name", "Mia M."),
    ("sam", "mia", "notes", [{"text": "kind"}]),
    ("sam", "sam", "contact", {"phone": "+49 1"}),
    ("ada", "sam", "roles", ["member"]),
    ("ada", "mia", "notes", [{"text": "kind", "source": "her mother"}]),
]


def test_what_may_be_changed_in_a_record(office: Backoffice) -> None:
    for login, person, field, value in MAY_BE_CHANGED:
        before = office.users.db_handler.get_by_id(person)[field]
        changing(office, login, person, field, value)
        assert office.users.db_handler.get_by_id(person)[field] != before


MAY_NOT_BE_CHANGED: list[tuple[str, str, str, Any]] = [
    ("mia", "mia", "name", "Mia M."),
    ("mia", "mia", "roles", ["admin"]),
    ("mia", "mia", "suspended", True),
    ("mia", "mia", "notes", [{"text": "kind"}]),
    ("mia", "mia", "password_hash", "x"),
    ("mia", "mia", "reservations", []),
    ("sam", "sam", "roles", ["admin"]),
    ("sam", "mia", "roles", ["staff"]),
    ("sam", "mia", "login", "eve"),
    ("sam", "mia", "suspended", True),
    ("sam", "mia", "notes", [{"text": "kind", "source": "her mother"}]),
    ("sam", "sue", "name", "Susan"),
    ("ada", "mia", "login", "eve"),
    ("ada", "mia", "password_hash", "x"),
]


def test_what_may_not_be_changed_in_a_record(office: Backoffice) -> None:
    for login, person, field, value in MAY_NOT_BE_CHANGED:
        before = office.users.db_handler.get_by_id(person)
        # What one may not even read is as if it were not there.
        with pytest.raises((SRightError, SAttributeError)):
            changing(office, login, person, field, value)
        assert office.users.db_handler.get_by_id(person) == before


def test_members_do_not_see_others_to_change_them(office: Backoffice) -> None:
    with pytest.raises(SRightError):
        changing(office, "mia", "noah", "newsletter", True)


def test_cards_are_made_by_staff_and_roles_given_by_admins(office: Backoffice) -> None:
    card = {"login": "olga", "name": "Olga"}
    for login in ("visitor", "mia"):
        with user(login), pytest.raises(SRightError):
            office.users.create(card)
    with user("sam"):
        with pytest.raises(SRightError):
            office.users.create({**card, "roles": ["staff"]})
        olga = office.users.create(card)
        assert (olga["_id"], olga.roles.get_value()) == ("olga", ["member"])
        with pytest.raises(DuplicateIdError):
            office.users.create(card)


def test_who_has_borrowed_stays_in_the_books(office: Backoffice) -> None:
    borrow(office, "mia")
    with user("ada"), pytest.raises(ReferencedError):
        office.users.get_by_id("mia").delete()
    with user("sam"):
        with pytest.raises(ReferencedError):
            office.media.get_by_id("emma").delete()
        with pytest.raises(SRightError):
            office.users.get_by_id("noah").delete()


def test_an_ean_has_a_check_digit(office: Backoffice) -> None:
    with user("sam"):
        emma = office.media.get_by_id("emma")
        emma.ean = "9780141439587"
        emma.save()
        with pytest.raises(Exception, match="onstraint"):
            emma.ean = "9780141439588"


# --- Lending ----------------------------------------------------------------------


def test_a_copy_that_is_out_is_not_lent_again(office: Backoffice) -> None:
    loan = borrow(office, "mia")
    assert available(office) == 0
    with pytest.raises(ConflictError, match="no copy"):
        borrow(office, "noah")
    with user("mia"):
        office.loans.do_action("give_back", loan)
        with pytest.raises(NotFoundError, match="give_back"):
            office.loans.do_action("give_back", loan)
    assert available(office) == 1
    assert borrow(office, "noah") != loan


def test_visitors_borrow_nothing(office: Backoffice) -> None:
    with pytest.raises(SRightError):
        borrow(office, "visitor")
    assert available(office) == 1


def test_a_member_has_one_copy_and_few_media_at_home(office: Backoffice) -> None:
    borrow(office, "mia", "nana")
    with pytest.raises(ConflictError, match="already"):
        borrow(office, "mia", "nana")
    with user("sam"):
        for number in range(5):
            _id, copies = f"m{number}", holding(f"00001{number}")
            office.media.create({"_id": _id, "title": _id, **copies})
    for number in range(4):
        borrow(office, "mia", f"m{number}")
    with pytest.raises(ConflictError, match="5 media"):
        borrow(office, "mia", "m4")
    assert available(office, "m4") == 1


def test_nobody_gives_back_what_another_has(office: Backoffice) -> None:
    loan = borrow(office, "mia")
    with user("noah"), pytest.raises(NotFoundError):
        office.loans.do_action("give_back", loan)
    with user("sam"):
        office.loans.do_action("give_back", loan)
    assert available(office) == 1


def test_what_went_back_into_processing_can_be_given_back(office: Backoffice) -> None:
    loan = borrow(office, "mia")
    with user("sam"):
        emma = office.media.get_by_id("emma")
        emma.in_processing = True
        emma.save()
    with user("mia"):
        office.loans.do_action("give_back", loan)
        # Only for a moment was it the desk that acted.
        assert office.media.select({"_id": "emma"}) == []
        with pytest.raises(SRightError):
            office.users.create({"login": "eve", "name": "Eve"})
    assert seen(office, "sam", "media", "emma")["lent"] == 0


def test_who_is_suspended_is_lent_nothing(office: Backoffice) -> None:
    with user("sam"):
        office.users.do_action("suspend", "noah")
        with pytest.raises(ConflictError, match="suspended"):
            office.media.do_action("lend", "emma", {"member": "noah"})


def test_staff_lends_to_members(office: Backoffice) -> None:
    with user("mia"), pytest.raises(NotFoundError):
        office.media.do_action("lend", "emma", {"member": "noah"})
    with user("sam"):
        with pytest.raises(UnknownReferenceError):
            office.media.do_action("lend", "emma", {"member": "nobody"})
        given = office.media.do_action("lend", "emma", {"member": "noah", "days": 7})
        loan = office.loans.get_by_id(given["loan"])
    assert loan.member == "noah"
    assert timedelta(0) < loan.due.get_value() - now() <= timedelta(days=7)


def test_whoever_waits_is_served_in_turn(office: Backoffice) -> None:
    with user("noah"), pytest.raises(ConflictError, match="is free"):
        office.media.do_action("reserve", "emma")
    loan = borrow(office, "mia")
    with user("noah"):
        office.media.do_action("reserve", "emma")
        with pytest.raises(ConflictError, match="already"):
            office.media.do_action("reserve", "emma")
    with user("mia"):
        assert office.reservations.select() == []
        office.loans.do_action("give_back", loan)
    with pytest.raises(ConflictError, match="no copy"):
        borrow(office, "mia")
    borrow(office, "noah")
    assert office.reservations.db_handler.select({}) == []
    assert office.check_references() == []


def test_only_whose_it_is_and_staff_cancel_a_reservation(office: Backoffice) -> None:
    borrow(office, "mia")
    with user("noah"):
        made = office.media.do_action("reserve", "emma")["reservation"]
    with user("mia"), pytest.raises(NotFoundError):
        office.reservations.access.remove(made, "client", None)
    with user("noah"):
        office.reservations.access.remove(made, "client", None)
        assert not office.users.get_by_id("noah").reservations.get_value()


# --- People -----------------------------------------------------------------------


def test_staff_suspends_members_admins_everybody_else(office: Backoffice) -> None:
    with user("sam"):
        office.users.do_action("suspend", "mia", {"reason": "late"})
        with pytest.raises(SRightError):
            office.users.do_action("suspend", "sue")
        with pytest.raises(NotFoundError):
            office.users.do_action("suspend", "mia")
    by_staff = seen(office, "sam", "users", "mia")
    assert by_staff["suspended"] is True
    assert [(one["text"], one["by"]) for one in by_staff["notes"]] == [("late", "sam")]
    with user("ada"):
        office.users.do_action("suspend", "sue")
        office.users.do_action("reinstate", "mia")
        with pytest.raises(ConflictError, match="himself"):
            office.users.do_action("suspend", "ada")
    assert seen(office, "sam", "users", "mia")["suspended"] is False


def test_members_do_not_even_see_how_to_suspend(office: Backoffice) -> None:
    with user("mia"):
        shown = office.users.get_meta({"login": "mia"})["actions"]
        assert shown.keys() == {"set_password"}
        with pytest.raises(NotFoundError):
            office.users.do_action("suspend", "mia")


def test_ones_own_password_is_changed_by_who_knows_it(office: Backoffice) -> None:
    def change(login: str, **given: str) -> None:
        with user(login):
            office.users.do_action("set_password", "mia", given)

    change("sam", new=PASSWORD)
    stored = office.users.db_handler.get_by_id("mia")
    assert stored["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in str(stored)
    with pytest.raises(SRightError, match="old password"):
        change("mia", new="another password")
    with pytest.raises(SRightError, match="old password"):
        change("mia", new="another password", old="a bad password")
    with pytest.raises(NotFoundError):
        change("noah", new="another password", old=PASSWORD)
    assert office.users.db_handler.get_by_id("mia") == stored
    change("mia", new="another password", old=PASSWORD)
    after = office.users.db_handler.get_by_id("mia")
    assert after["token_epoch"] != stored["token_epoch"]
