"""Who comes in: passwords are exchanged for tokens, and tokens for users.

A token says only who somebody is. What they may do, and whether they still may, is read
from their record on each request: a demotion or a suspension holds at once.
"""

import dataclasses
import json
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic
from jose import jwt

from backo import Backoffice, CurrentUser, NotFoundError
from backo.http.auth import JWTAuth
from examples.media_library.desk import now
from examples.media_library.passwords import is_password_of

__all__ = ["LARGEST", "PUBLIC", "Credentials", "Doors", "Reply", "secret_in"]

ALGORITHM = "HS256"
NAME = "media_library"
"""Who issues the tokens, and for whom."""
HOLDS = timedelta(hours=1)
"""How long a token is good."""
LARGEST = 4096
"""Bytes that a login may have."""
PUBLIC = [
    *("media_list", "media_get", "media_get_file", "media_select_on_shelf"),
    *("_docs", "_openapi"),
]
"""What visitors may ask for; see the ids of the operations in the document."""
SHORTEST = 32
"""Bytes that the secret must have (RFC 7518, section 3.2)."""


class Credentials(pydantic.BaseModel, extra="forbid", strict=True):
    """What somebody logs in with."""

    login: str
    password: str


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer over HTTP, for whatever framework."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Doors:
    """Logs people of ``office`` in; ``auth`` is the ``jwt_auth`` of its routes.

    :param secret: what tokens are signed with.
    """

    def __init__(self, office: Backoffice, secret: str) -> None:
        self._users = office.users.db_handler
        self._secret = secret
        self.auth = JWTAuth(
            secret,
            algorithms=[ALGORITHM],
            audience=NAME,
            issuer=NAME,
            claims={"_id": self._id_of, "roles": self._roles_of},
            is_active=self._is_active,
            public=PUBLIC,
            realm=NAME,
        )

    # --- Logging in ---------------------------------------------------------------

    def answer(self, body: bytes) -> Reply:
        """What ``POST /login`` answers. Which of login and password was wrong is not
        told, nor by the time it takes."""
        if len(body) > LARGEST:
            return _problem(413, "Too large", f"a login may have {LARGEST} bytes")
        try:
            given = Credentials.model_validate_json(body)
        except pydantic.ValidationError:
            # The error itself would repeat the password.
            needed = 'it must be JSON: {"login": "...", "password": "..."}'
            return _problem(422, "Invalid login", needed)
        person = self._person(given.login)
        if not is_password_of(person.get("password_hash"), given.password):
            return _problem(401, "Not authenticated", "login or password is wrong")
        if person["suspended"]:
            return _problem(403, "Suspended", "ask at the desk")
        return _reply(200, self._session(person))

    def _session(self, person: Mapping[str, Any]) -> dict[str, str]:
        """A token, and until when it is good (ISO 8601)."""
        begins = now()
        ends = begins + HOLDS
        claims = {
            "sub": person["_id"],
            "login": person["login"],
            "epoch": person["token_epoch"],
            "iss": NAME,
            "aud": NAME,
            "iat": begins,
            "exp": ends,
        }
        token = jwt.encode(claims, self._secret, algorithm=ALGORITHM)
        return {"token": token, "expires": ends.isoformat()}

    # --- Coming back with a token -------------------------------------------------

    def _id_of(self, claims: Mapping[str, Any]) -> str | None:
        """Whose token it is; None when the password was changed since."""
        person = self._person(claims["sub"])
        same = claims["epoch"] == person.get("token_epoch")
        return person["_id"] if person and same else None

    def _roles_of(self, claims: Mapping[str, Any]) -> list[str]:
        """The roles that they have now, and not when the token was issued."""
        return self._person(claims["sub"]).get("roles") or []

    def _is_active(self, user: CurrentUser) -> bool:
        return not self._person(user["_id"].get_value()).get("suspended", True)

    def _person(self, login: str) -> Mapping[str, Any]:
        """The record of that login as it is stored; empty where there is none. It is
        read past all rights: nobody has come in yet."""
        try:
            return self._users.get_by_id(login)
        except NotFoundError:
            return {}


def _problem(status: int, title: str, detail: str) -> Reply:
    body = {"title": title, "status": status, "detail": detail}
    challenge = {"WWW-Authenticate": f'Bearer realm="{NAME}"'} if status == 401 else {}
    return _reply(status, body, "application/problem+json", challenge)


def _reply(
    status: int,
    body: Any,
    media: str = "application/json",
    more: Mapping[str, str] | None = None,
) -> Reply:
    # Nobody on the way is to keep a token (RFC 6749, section 5.1).
    headers = {"Content-Type": media, "Cache-Control": "no-store", **(more or {})}
    return Reply(status, json.dumps(body).encode(), headers)


# --- The secret -------------------------------------------------------------------


def secret_in(folder: Path) -> str:
    """What tokens are signed with: ``MEDIA_LIBRARY_SECRET``, or what is kept in
    ``folder``, where it is made at the first start.

    :raises ValueError: it is too short.
    :raises PermissionError: others may read it.
    """
    given = os.environ.get("MEDIA_LIBRARY_SECRET")
    secret = _kept_in(folder / "secret") if given is None else given
    if len(secret.encode()) < SHORTEST:
        raise ValueError(f"The secret must have {SHORTEST} bytes or more.")
    return secret


def _kept_in(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"Others may read {path}: chmod 600 {path}")
    return path.read_text("ascii")


def _make(path: Path) -> None:
    """Write a new secret there, whole; of two processes that do so, the first wins."""
    made = path.with_name(f"secret-{secrets.token_hex(8)}")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        with os.fdopen(os.open(made, flags, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(SHORTEST))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(made)
    except FileExistsError:
        return
    finally:
        made.unlink(missing_ok=True)
