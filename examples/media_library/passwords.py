"""Passwords: kept as Argon2 hashes, and compared in the same time whoever it is."""

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

__all__ = ["hashed", "is_password_of"]

_hasher = PasswordHasher()
"""With the parameters of RFC 9106 that argon2-cffi has chosen."""
_nobodys = _hasher.hash(secrets.token_hex(16))
"""Compared with where there is no hash, so that it takes as long."""
_turns = threading.BoundedSemaphore(4)
"""A hash takes 64 MiB: many at once would take all the memory there is."""


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _turns:
        return _hasher.hash(password)


def is_password_of(kept: str | None, password: str) -> bool:
    """Whether ``kept`` is a hash of it; where nothing is kept, false, as late."""
    with _turns:
        try:
            _hasher.verify(kept or _nobodys, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return kept is not None
