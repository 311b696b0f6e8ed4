"""Fills a media library for trying things out: people, media, and what they have lent.

The titles are real; the covers, the people, their passwords and what the library paid
are not.
"""

import csv
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from backo import Backoffice, Collection, DuplicateIdError, current_user
from examples.media_library.covers import drawn
from examples.media_library.desk import DAYS, now
from examples.media_library.passwords import hashed
from examples.media_library.rights import ADMIN, MEMBER, STAFF

__all__ = ["PASSWORDS", "Row", "seed"]

type Row = dict[str, Any]

HERE = Path(__file__).parent
PASSWORDS = {
    "ada": "ada-keeps-the-keys",
    "sam": "sam-stamps-the-books",
    "mia": "mia-reads-on-trains",
    "noah": "noah-hums-at-night",
}
"""What the people of the example log in with: everybody knows them."""
ROLES = {"ada": [ADMIN], "sam": [STAFF]}
NAMES = {
    "ada": "Ada Fischer",
    "sam": "Sam Okoro",
    "mia": "Mia Sato",
    "noah": "Noah Lind",
}
LATE = {"noah": ["dracula"]}
"""Who should have given back what."""
IN_PROCESSING = "middlemarch"


def seed(office: Backoffice) -> bool:
    """Fill ``office``, whole or not at all, if nobody is in it yet; gives whether it
    was filled."""
    if office.users.db_handler.count():
        return False
    people = list(_people())
    try:
        with office.transaction(), current_user.request():
            current_user.set({"_id": "ada", "login": "ada", "roles": [ADMIN]})
            _fill(office, people)
    except DuplicateIdError:
        # Another process was faster.
        return False
    return True


def _fill(office: Backoffice, people: list[Row]) -> None:
    _create(office.users, people)
    _create(office.media, _media())
    for login, titles in LATE.items():
        _lend(office, login, titles)


def _create(collection: Collection, rows: Any) -> None:
    for row in rows:
        collection.new_item().create(row, unasked=True)


def _people() -> Iterator[Row]:
    for login, password in PASSWORDS.items():
        yield {
            "_id": login,
            "login": login,
            "name": NAMES[login],
            "contact": {
                "email": f"{login}@example.org",
                "address": {
                    "street": "Hafenstraße 1",
                    "zip": "20457",
                    "city": "Hamburg",
                },
            },
            "roles": ROLES.get(login, [MEMBER]),
            "notes": _notes(login),
            "password_hash": hashed(password),
            "token_epoch": secrets.token_hex(8),
        }


def _notes(login: str) -> list[Row]:
    if login != "noah":
        return []
    return [{"text": "often late", "by": "sam", "source": "the books of last year"}]


def _media() -> Iterator[Row]:
    barcode = 100_000
    with (HERE / "media.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _medium(row, barcode)
            barcode += int(row["copies"])


def _medium(row: dict[str, str], barcode: int) -> Row:
    title = {name: row[name] for name in ("title", "kind", "language", "ean")}
    return {
        "_id": row["id"],
        **{name: value for name, value in title.items() if value},
        "year": int(row["year"]),
        "creators": [_creator(one) for one in row["creators"].split("; ")],
        "subjects": row["subjects"].split("; "),
        "copies": [
            _copy(row["kind"], barcode + number) for number in range(int(row["copies"]))
        ],
        "in_processing": row["id"] == IN_PROCESSING,
        "cover": drawn(row["cover"]) if row["cover"] else None,
        "internal": {
            "shelf_mark": f"{row['kind'][0].upper()}-{row['year']}",
            "supplier": {"name": "Lüders & Sons", "discount": 0.15},
        },
    }


def _creator(text: str) -> Row:
    found = re.fullmatch(r"(.+) \((.+)\)", text)
    return {"name": found[1], "role": found[2]} if found else {"name": text}


def _copy(kind: str, barcode: int) -> Row:
    price = {"book": 11.0, "film": 15.0, "record": 24.0}[kind]
    return {
        "barcode": str(barcode),
        "shelf": f"{kind}s, ground floor",
        "condition": "good",
        "bought": {"on": "2024-03-01T09:00:00+00:00", "price": price},
    }


def _lend(office: Backoffice, login: str, titles: list[str]) -> None:
    for _id in titles:
        medium = office.media.get_by_id(_id)
        medium.disable_permissions()
        medium.lent += 1
        medium.save()
        begins = now() - timedelta(days=2 * DAYS)
        row = {"member": login, "medium": _id, "borrowed": begins}
        _create(office.loans, [{**row, "due": begins + timedelta(days=DAYS)}])
