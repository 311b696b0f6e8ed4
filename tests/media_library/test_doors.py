"""Who comes into the media library, how, and until when."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jose import jwt

from backo import NotFoundError
from examples.media_library.doors import LARGEST, Doors, secret_in
from examples.media_library.model import media_library
from examples.media_library.seed import PASSWORDS, seed
from tests.files.abandoning import let_go
from tests.media_library.asking import ADAPTERS, Ask, asking, log_in
from tests.media_library.stocked import CONTENTS, stored, whole


@pytest.fixture
def doors(folder: Path) -> Doors:
    return Doors(media_library(folder), secret_in(folder))


@pytest.fixture(params=ADAPTERS)
def ask(request: pytest.FixtureRequest, folder: Path) -> Iterator[Ask]:
    with asking(request.param) as ask:
        yield ask


def status(ask: Ask, token: str, path: str = "/me") -> int:
    return ask("GET", path, None, token).status


# --- Logging in -------------------------------------------------------------------


def test_a_password_is_exchanged_for_a_token(ask: Ask) -> None:
    token = log_in(ask, "mia")
    mia = {"login": "mia", "roles": ["member"]}
    assert ask("GET", "/me", None, token).json == mia
    assert ask("GET", "/media_library/users", None, token).json["total"] == 1
    assert set(jwt.get_unverified_claims(token)) == {
        *("sub", "login", "epoch", "iss", "aud", "iat", "exp")
    }


def test_own_routes_are_guarded_too(ask: Ask) -> None:
    for path in ("/me", "/media_library/users", "/media_library/_meta"):
        assert ask("GET", path).status == 401


def test_visitors_may_look(ask: Ask) -> None:
    for path in ("media", "media/emma", "media/_selections/on_shelf", "_openapi"):
        assert ask("GET", f"/media_library/{path}").status == 200


def test_visitors_are_told_of_what_is_for_visitors(ask: Ask) -> None:
    told = ask("GET", "/media_library/_openapi").body
    assert b"media_do_borrow" not in told
    assert b"discount" not in told
    assert (
        b"media_do_borrow"
        in ask("GET", "/media_library/_openapi", None, log_in(ask, "mia")).body
    )
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert ask("GET", path).status == 404


def test_which_of_login_and_password_is_wrong_is_not_told(ask: Ask) -> None:
    answers = [
        ask("POST", "/login", {"login": login, "password": password})
        for login, password in [
            ("mia", "mia-reads-on-boats"),
            ("mia", PASSWORDS["noah"]),
            ("nobody", PASSWORDS["mia"]),
            ("MIA", PASSWORDS["mia"]),
            ("", ""),
            ("../secret", "x"),
            ("mia\u0000", PASSWORDS["mia"]),
        ]
    ]
    assert {one.status for one in answers} == {401}
    assert len({one.body for one in answers}) == 1


NO_LOGINS = [
    b"",
    b"{",
    b"[]",
    b'"mia"',
    b'{"login": "mia"}',
    b'{"login": "mia", "password": null}',
    b'{"login": ["mia"], "password": "secret-of-mine"}',
    b'{"login": "mia", "password": "secret-of-mine", "roles": ["admin"]}',
    b'{"login": "\\ud800", "password": "secret-of-mine"}',
    b"\xff\xfe" * 10,
]


def test_what_is_no_login_is_refused_and_not_repeated(ask: Ask) -> None:
    for body in NO_LOGINS:
        answer = ask("POST", "/login", body)
        assert answer.status == 422, body
        assert b"secret-of-mine" not in answer.body


def test_a_login_is_read_no_further_than_it_may_be_long(ask: Ask) -> None:
    card = {"login": "mia", "password": "x" * LARGEST}
    assert ask("POST", "/login", card).status == 413
    assert ask("POST", "/login", b"x" * 1_000_000).status == 413


def test_a_login_that_is_not_there_takes_as_long(doors: Doors) -> None:
    def seconds(login: str) -> float:
        body = json.dumps({"login": login, "password": "a wrong one"}).encode()
        begun = time.perf_counter()
        assert doors.answer(body).status == 401
        return time.perf_counter() - begun

    seconds("mia")
    # What else the machine does only makes it longer.
    there, absent = (min(map(seconds, [login] * 7)) for login in ("mia", "eve"))
    assert 0.5 < absent / there < 2


def test_who_has_no_password_yet_does_not_log_in(ask: Ask) -> None:
    sam = log_in(ask, "sam")
    card = {"login": "olga", "name": "Olga"}
    assert ask("POST", "/media_library/users", card, sam).status == 201
    for password in ("", "None", "null"):
        card = {"login": "olga", "password": password}
        assert ask("POST", "/login", card).status == 401


# --- Until when -------------------------------------------------------------------


def act(ask: Ask, token: str, action: str, body: Any = None) -> None:
    path = "/media_library/users/_actions/" + action
    assert ask("POST", path, body, token).status == 200


def test_a_suspended_user_stops_at_the_next_request(ask: Ask) -> None:
    mia, sam = log_in(ask, "mia"), log_in(ask, "sam")
    assert status(ask, mia) == 200
    act(ask, sam, "suspend/mia")
    for path in ("/me", "/media_library/users", "/media_library/media"):
        assert status(ask, mia, path) == 401
    card = {"login": "mia", "password": PASSWORDS["mia"]}
    assert ask("POST", "/login", card).status == 403
    assert ask("POST", "/login", {**card, "password": "x"}).status == 401
    act(ask, sam, "reinstate/mia")
    assert status(ask, mia) == 200


def test_a_new_password_ends_tokens(ask: Ask) -> None:
    mine, other = log_in(ask, "mia"), log_in(ask, "mia")
    new = {"old": PASSWORDS["mia"], "new": "mia-reads-on-planes"}
    act(ask, mine, "set_password/mia", new)
    assert [status(ask, mine), status(ask, other)] == [401, 401]
    card = {"login": "mia", "password": PASSWORDS["mia"]}
    assert ask("POST", "/login", card).status == 401
    assert ask("POST", "/login", {**card, "password": new["new"]}).status == 200


def test_a_role_is_what_it_is_now_and_not_what_it_was(ask: Ask) -> None:
    sam, ada = log_in(ask, "sam"), log_in(ask, "ada")
    overdue = "/media_library/loans/_selections/overdue"
    assert status(ask, sam, overdue) == 200
    record, member = "/media_library/users/sam", {"roles": ["member"]}
    assert ask("PUT", record, member, ada).status == 200
    assert status(ask, sam, overdue) == 403
    assert ask("GET", "/me", None, sam).json["roles"] == ["member"]


def test_a_token_does_not_outlive_its_user_nor_serve_the_next(ask: Ask) -> None:
    mia, ada = log_in(ask, "mia"), log_in(ask, "ada")
    assert ask("DELETE", "/media_library/users/mia", None, ada).status == 204
    assert status(ask, mia) == 401
    card = {"login": "mia", "name": "Another Mia"}
    assert ask("POST", "/media_library/users", card, ada).status == 201
    assert status(ask, mia) == 401


OTHER_CLAIMS: list[dict[str, Any]] = [
    {"aud": "another_library"},
    {"iss": "somebody"},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"sub": "nobody"},
    {"sub": None},
    {"sub": ["ada"]},
    {"epoch": None},
    {"epoch": "another"},
]


def test_a_token_of_ours_that_says_something_else_is_refused(
    ask: Ask, folder: Path
) -> None:
    claims = jwt.get_unverified_claims(log_in(ask, "mia"))
    for wrong in OTHER_CLAIMS:
        said = {k: v for k, v in {**claims, **wrong}.items() if v is not None}
        token = jwt.encode(said, secret_in(folder), algorithm="HS256")
        answers = status(ask, token), status(ask, token, "/media_library/media")
        assert answers == (401, 401), wrong


def test_a_token_of_another_library_is_refused(ask: Ask) -> None:
    claims = jwt.get_unverified_claims(log_in(ask, "mia"))
    assert status(ask, jwt.encode(claims, "x" * 43, algorithm="HS256")) == 401


# --- The secret -------------------------------------------------------------------


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    secret = secret_in(folder)
    assert secret_in(folder) == secret
    assert [one.name for one in folder.iterdir()] == ["secret"]
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert secret_in(tmp_path / "another") != secret


def test_processes_that_start_together_have_one_secret(tmp_path: Path) -> None:
    ready = threading.Barrier(8)

    def start(_number: int) -> str:
        ready.wait()
        return secret_in(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret_in(tmp_path)
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        secret_in(tmp_path)


@pytest.mark.parametrize("short", ["", "x" * 31])
def test_a_short_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    monkeypatch.setenv("MEDIA_LIBRARY_SECRET", short)
    with pytest.raises(ValueError, match="32 bytes"):
        secret_in(tmp_path)


def test_the_environment_may_have_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_LIBRARY_SECRET", "x" * 32)
    assert secret_in(tmp_path) == "x" * 32
    assert list(tmp_path.iterdir()) == []


# --- What it begins with ----------------------------------------------------------


def test_it_is_filled_once(folder: Path) -> None:
    office = media_library(folder)
    before = office.media.db_handler.count()
    assert not seed(office)
    assert office.media.db_handler.count() == before == 25
    assert office.check_references() == []
    found = stored(office)
    assert len(found[CONTENTS]) == 18
    assert whole(found)


def test_two_processes_fill_it_once(tmp_path: Path) -> None:
    def start(_number: int) -> bool:
        return seed(media_library(tmp_path))

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(start, range(2))) == [False, True]
    office = media_library(tmp_path)
    assert office.users.db_handler.count() == len(PASSWORDS)
    let_go()
    assert whole(stored(office))


def test_filling_it_is_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = media_library(tmp_path)
    monkeypatch.setattr("examples.media_library.seed.LATE", {"noah": ["no-such-book"]})
    with pytest.raises(NotFoundError):
        seed(office)
    let_go()
    assert not any(stored(office).values())


def test_what_it_begins_with_is_as_the_schema_wants_it(folder: Path) -> None:
    office = media_library(folder)
    for collection in office.collections.values():
        assert office.migrate(collection.name).changes.total == 0
