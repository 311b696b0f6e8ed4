"""Two libraries that differ only in what the caller may not read answer alike."""

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice
from examples.media_library.model import media_library
from tests.media_library.asking import ADAPTERS, Answer, Ask, asking, log_in

type Document = dict[str, Any]
type Change = Callable[[Document], None]

PICTURE = "base64:iVBORw0KGgo="
LOAN, RESERVATION = "a-loan", "a-reservation"


def write(office: Backoffice, collection: str, document: Document) -> None:
    """Past all rights, so that nothing but the document differs."""
    office.collection(collection).db_handler.create(document)


def edit(office: Backoffice, collection: str, _id: str, change: Change) -> None:
    store = office.collection(collection).db_handler
    document = store.get_by_id(_id)
    change(document)
    store.save(_id, document)


def begin(office: Backoffice, member: Document) -> None:
    """Give ``member`` the late loan, and something to wait for."""
    for one in office.loans.db_handler.select({}):
        office.loans.db_handler.delete_by_id(one["_id"])
    office.users.db_handler.delete_by_id("noah")
    write(office, "users", {**member, "reservations": [RESERVATION]})
    lent = {"member": member["_id"], "medium": "dracula", "remark": member["name"]}
    times = {"borrowed": "2024-01-01T00:00:00+00:00", "due": member["due"]}
    write(office, "loans", {"_id": LOAN, **lent, **times, "reminders": []})
    wanted = {"member": member["_id"], "medium": "emma"}
    write(office, "reservations", {"_id": RESERVATION, **wanted, "made": member["due"]})
    edit(office, "media", "emma", lambda one: one.update(reservations=[RESERVATION]))


def hidden_from_members(office: Backoffice) -> None:
    """What neither visitors nor other members may know."""
    noah = office.users.db_handler.get_by_id("noah")
    zoe = copy.deepcopy(noah)
    zoe.update(_id="zoe", login="zoe", name="Zoe", suspended=True, notes=[])
    zoe.update(contact={"email": "zoe@example.org"}, due="2025-01-01T00:00:00+00:00")
    begin(office, zoe)
    edit(office, "media", "emma", _another_inside)
    edit(office, "media", "middlemarch", _another_medium)
    edit(office, "users", "mia", _noted)


def _another_inside(medium: Document) -> None:
    medium["internal"].update(shelf_mark="Z", notes=[{"text": "torn", "by": "sam"}])
    medium["copies"][0].update(condition="worn", bought={"price": 99.0, "on": None})
    medium["_meta"]["modified_by"] = {"_id": "zoe", "login": "zoe"}
    medium["_meta"]["mtime"] = "2025-01-01T00:00:00+00:00"


def _another_medium(medium: Document) -> None:
    medium.update(title="Romola", cover=None)


def _noted(person: Document) -> None:
    person["notes"] = [{"text": "rude", "by": "sam", "source": None}]
    person["_meta"]["mtime"] = "2025-01-01T00:00:00+00:00"


def hidden_from_staff(office: Backoffice) -> None:
    """What admins alone may know, and what nobody may."""
    edit(office, "media", "emma", _dearer)
    edit(office, "users", "ada", _elsewhere)
    edit(office, "users", "noah", _otherwise_known)


def _dearer(medium: Document) -> None:
    medium["internal"]["supplier"]["discount"] = 0.5


def _elsewhere(person: Document) -> None:
    person.update(newsletter=True, notes=[{"text": "x", "by": "x", "source": "x"}])
    person["contact"] = {"email": "a@example.com", "phone": "+49", "address": {}}
    person["password_hash"] = "$argon2id$another"


def _otherwise_known(person: Document) -> None:
    person["notes"][0]["source"] = "hearsay"
    person["password_hash"], person["token_epoch"] = None, None


# --- What is asked ----------------------------------------------------------------

ASKED = [
    *("media", "media?_sort=title&_page=30", "media?_sort=-lent,title", "media/emma"),
    *("media/middlemarch", "media?title=Romola", "media?in_processing=true"),
    *("media?internal.shelf_mark=Z", "media?internal.notes.text.$exists=true"),
    *("media?copies.bought.price.$gt=50", "media?copies.condition=worn"),
    *("media?_meta.modified_by.login=zoe", "media?_sort=_meta.mtime"),
    *("media?_sort=internal.shelf_mark", "media?internal.supplier.discount.$gt=0.2"),
    *("media?loans.member=zoe", "media?loans.member.name=Zoe", "media?loans.$size=1"),
    *("media?reservations.member=zoe", "media?reservations.$size=1"),
    *("media?_expand=loans.member,reservations", "media/dracula?_expand=loans.member"),
    *("media/_selections/on_shelf?_page=30", "media/_selections/_all?_view=save"),
    *("media/middlemarch/cover", "media/emma/cover", "media/metropolis/cover"),
    *("media?cover.size.$gt=1&_page=30", "media?_sort=cover.file_id,cover.size"),
    *("media?cover.$exists=false&_page=30", "media/middlemarch/cover.size"),
    *("media?_view=%2Bsave", "media?_sort=password_hash", "media/emma/internal"),
    *("users", "users?_sort=contact.email", "users?login=zoe", "users?name=Zoe"),
    *("users?contact.email.$reg=z", "users?contact.address.city.$ne=Hamburg"),
    *("users?notes.text.$exists=true", "users?notes.$size=0", "users?suspended=true"),
    *("users?notes.source=hearsay", "users?newsletter=true", "users?_sort=newsletter"),
    *("users?password_hash.$exists=true", "users?token_epoch.$exists=false"),
    *("users?_expand=loans.medium,reservations.medium", "users?_total=0&_skip=1"),
    *("users/noah", "users/zoe", "users/mia", "users/ada", "users/sam"),
    *("users?roles=admin", "users?roles=admin&contact.email.$exists=true"),
    *(
        "users?loans.remark=Zoe",
        "users?reservations.$size=1",
        "users?loans.$exists=true",
    ),
    *("loans", f"loans/{LOAN}", f"loans/{LOAN}?_expand=member", "loans?_sort=due"),
    *("loans?member=zoe", "loans?member.name.$reg=Z", "loans?_sort=member.name"),
    *("loans?medium.title=Dracula", "loans?medium.loans.member.name=Zoe"),
    *("loans?member.notes.source=hearsay", "loans?member.password_hash.$exists=true"),
    *("loans?_expand=member,medium.reservations.member", "loans?remark=Zoe"),
    *("loans/_selections/my_loans", "loans/_selections/overdue"),
    *("reservations", f"reservations/{RESERVATION}", "reservations?member.login=zoe"),
    *("reservations?_expand=member,medium", "_meta", "_openapi", "nothing"),
]

POSTED: list[tuple[str, Any]] = [
    ("media/_selections/_all", {"$or": [{"internal.shelf_mark": "Z"}, {"lent": 0}]}),
    ("media/_selections/on_shelf", {"$not": {"loans": {"member": "zoe"}}}),
    ("users/_selections/_all", {"$not": {"name": "Zoe"}}),
    ("loans/_selections/_all", {"member": {"notes": {"$size": 1}}}),
    ("loans/_check", {"item": {"member": "zoe"}, "path": "$.member"}),
    ("loans/_check", {"item": {"medium": "middlemarch"}, "path": "$.medium"}),
    ("users/_check", {"item": {"login": "zoe"}, "path": "$.login"}),
    ("users/_check", {"item": {"roles": ["admin"]}, "path": "$.roles"}),
    ("users/_check", {"item": {"password_hash": "x"}, "path": "$.password_hash"}),
    ("users/_check", {"item": {"notes": []}, "path": "$.notes"}),
    ("users/_meta", {"login": "zoe"}),
    ("media/_meta", {"title": "Emma"}),
]

OF_MEMBERS: list[tuple[str, str, Any]] = [
    ("POST", "users", {"login": "zoe", "name": "Another"}),
    ("POST", "media", {"title": "Romola", "kind": "book"}),
    ("POST", "loans", {"member": "zoe", "medium": "emma"}),
    ("PUT", "users/zoe", {"newsletter": True}),
    ("PUT", "users/mia", {"name": "Zoe"}),
    ("PUT", "media/emma", {"title": "Emma"}),
    ("PUT", "media/middlemarch", {"cover": {"filename": "a.png"}}),
    ("PUT", "media/middlemarch", {"cover": PICTURE}),
    ("PATCH", "media/middlemarch", {"op": "test", "path": "/cover", "value": None}),
    ("PATCH", "media/middlemarch", {"op": "copy", "from": "/cover", "path": "/title"}),
    ("DELETE", "users/zoe", None),
    ("DELETE", f"loans/{LOAN}", None),
    ("DELETE", f"reservations/{RESERVATION}", None),
    ("POST", "media/_actions/lend/emma", {"member": "zoe"}),
    ("POST", "users/_actions/suspend/zoe", None),
    ("POST", "users/_actions/reinstate/zoe", None),
    ("POST", "users/_actions/set_password/zoe", {"new": "0123456789"}),
    ("POST", "users/_actions/set_password/ada", {"new": "0123456789"}),
    ("POST", f"loans/_actions/give_back/{LOAN}", None),
    ("POST", "media/_actions/borrow/middlemarch", None),
    ("POST", "media/_actions/reserve/middlemarch", None),
    ("POST", "media/_actions/reserve/metropolis", None),
    ("POST", "media/_actions/nothing/emma", None),
]
"""What members and visitors do in vain, whoever is there."""

RUDE = {"text": "rude", "by": "sam"}
GUESSED: list[tuple[str, str, Any]] = [
    ("PUT", "users/mia", {"notes": [RUDE]}),
    ("PUT", "users/mia", {"notes": [{**RUDE, "source": None}]}),
    ("PUT", "users/mia", {"notes": []}),
    ("PUT", "users/mia", {"suspended": False}),
    ("PATCH", "users/mia", {"op": "test", "path": "/notes", "value": []}),
    ("PATCH", "users/mia", {"op": "test", "path": "/notes/0/text", "value": "rude"}),
    ("PATCH", "users/mia", {"op": "copy", "from": "/notes", "path": "/roles"}),
    ("PATCH", "users/mia", {"op": "remove", "path": "/notes/0"}),
]
"""What a member tries, to know what is noted."""

OF_STAFF: list[tuple[str, str, Any]] = [
    *[
        ("PUT", "media/emma", {"internal": {"supplier": {"discount": guessed}}})
        for guessed in (0.15, 0.5)
    ],
    *[
        ("PUT", "users/noah", {"notes": [{"text": "often late", "source": guessed}]})
        for guessed in ("hearsay", "the books of last year", None)
    ],
    ("PUT", "users/ada", {"newsletter": True}),
    ("PUT", "users/ada", {"contact": {"email": "a@example.com"}}),
    ("PUT", "users/noah", {"password_hash": None}),
    ("PATCH", "users/noah", {"op": "test", "path": "/token_epoch", "value": "x"}),
    (
        "PATCH",
        "users/noah",
        {"op": "test", "path": "/notes/0/source", "value": "hearsay"},
    ),
    ("POST", "users/_actions/suspend/ada", None),
    ("POST", "users/_actions/set_password/ada", {"new": "0123456789"}),
]
"""What staff does in vain."""


def answers(
    ask: Ask, token: str | None, *, staff: bool
) -> Iterator[tuple[str, Answer]]:
    requests: list[tuple[str, str, Any]] = [("GET", path, None) for path in ASKED]
    requests += [("POST", path, body) for path, body in POSTED]
    more = OF_STAFF if staff else [*OF_MEMBERS, *GUESSED]
    for method, path, body in [*requests, *more]:
        answer = ask(method, f"/media_library/{path}", body, token)
        assert answer.status < 500, (path, answer.body)
        yield f"{method} {path}", answer


@pytest.fixture
def world(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a library of one's own, changed, the one that the applications use."""

    def use(name: str, change: Callable[[Backoffice], None]) -> None:
        folder = Path(shutil.copytree(filled, tmp_path / name))
        change(media_library(folder))
        monkeypatch.setenv("MEDIA_LIBRARY_DATA", str(folder))

    return use


def as_it_is(office: Backoffice) -> None:
    noah = office.users.db_handler.get_by_id("noah")
    begin(office, {**noah, "due": "2024-01-29T00:00:00+00:00"})


def and_more(office: Backoffice) -> None:
    as_it_is(office)
    hidden_from_staff(office)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("login", "change"),
    [(None, hidden_from_members), ("mia", hidden_from_members), ("sam", and_more)],
    ids=["visitor", "member", "staff"],
)
def test_what_may_not_be_read_changes_no_answer(
    world: Any, adapter: str, login: str | None, change: Callable[[Backoffice], None]
) -> None:
    seen = []
    for name, made in (("one", as_it_is), ("other", change)):
        world(name, made)
        with asking(adapter) as ask:
            token = None if login is None else log_in(ask, login)
            seen.append(list(answers(ask, token, staff=login == "sam")))
    for (request, one), (_, other) in zip(*seen, strict=True):
        assert one == other, request
        assert request.split()[0] in ("GET", "POST") or one.status >= 400, request
    told = {request: one.status for request, one in seen[0]}
    if login is not None:
        # Not all is refused alike: what they may ask for is answered.
        assert list(told.values()).count(200) > 30
