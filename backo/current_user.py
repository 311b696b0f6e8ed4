"""Who is calling: one user per request, never shared, anonymous until it is set.

The user is kept in a slot that a context variable points to. An adapter opens a new
slot when a request begins; what runs in that request, in a copied context or a worker
thread too, sees and changes the same slot, and no other request does.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from backo.schema.rights import forget_answers, remembering
from backo.schema.types import Dict, List, String

__all__ = ["CurrentUser", "CurrentUserProxy", "current_user"]


class CurrentUser(Dict):
    """A user: ``_id``, ``login`` and ``roles``. Subclasses may add fields of their own.

    A new one is anonymous: ``_id`` ``"000"``, login ``ANONYMOUS``, no role.
    """

    def __init__(self, **kwargs: Any) -> None:
        schema = {
            "_id": String(default="000"),
            "login": String(default="ANONYMOUS"),
            "roles": List(String(), default=[]),
        }
        super().__init__(schema, **kwargs)

    def has_role(self, role: str | list[str]) -> bool:
        """Whether the user has that role, or any of those roles."""
        wanted = [role] if isinstance(role, str) else role
        held = self["roles"].get_value() or []
        return any(one in held for one in wanted)

    def is_anonymous(self) -> bool:
        """Whether nobody has been identified."""
        return bool(self["_id"].get_value() == "000")


class _Slot:
    """Where one request keeps its user; empty while it is anonymous.

    :param of_request: it was opened for a request, and not by the first use of the
        user outside any.
    """

    __slots__ = ("of_request", "user")

    def __init__(self, of_request: bool = False) -> None:
        self.of_request = of_request
        self.user: CurrentUser | None = None


_slot: ContextVar[_Slot | None] = ContextVar("backo_current_user", default=None)
_acting: ContextVar[bool] = ContextVar("backo_acting", default=False)
"""Whether the user is one who is acted as, and not the one of the process."""


class CurrentUserProxy:
    """Stands for the user of the request it is used in; see :class:`CurrentUser`.

    Attributes of the user are read through it: ``current_user.login``. With
    ``standalone = True`` there is one user for the whole process, for scripts and
    tests.
    """

    def __init__(self) -> None:
        self.standalone: bool = False
        self._process = _Slot()
        self._prototype = CurrentUser()

    def set(self, values: dict[str, Any]) -> None:
        """Make ``values`` (``_id``, ``login``, ``roles``, …) the user of this request.

        :raises STypeError: a value is of the wrong type.
        :raises SAttributeError: the user has no such field.
        """
        user = copy.copy(self._prototype)
        user.set(values)
        self._here().user = user
        forget_answers()

    def reset(self, user: CurrentUser | None = None) -> None:
        """Start again with ``user``, or with an anonymous one.

        Outside any request, an anonymous ``user`` also becomes what every later request
        starts with: the way to extend the user with fields of one's own. One who is
        somebody does not: no request starts with an identity.
        """
        slot = self._here()
        extending = user is not None and not self.standalone and not slot.of_request
        if user is not None and extending and user.is_anonymous():
            self._prototype = copy.copy(user)
        slot.user = copy.copy(user) if user is not None else None
        forget_answers()

    def logout(self) -> None:
        """Be anonymous from now on."""
        self._here().user = None
        forget_answers()

    def has_role(self, role: str | list[str]) -> bool:
        """Whether the user has that role, or any of those roles."""
        return self._user().has_role(role)

    def is_anonymous(self) -> bool:
        """Whether nobody has been identified."""
        return self._user().is_anonymous()

    def identity(self) -> tuple[str, str]:
        """The user's ``_id`` and login."""
        return _identity(self._user())

    @contextmanager
    def request(self) -> Iterator[None]:
        """A new, anonymous user for what runs inside; adapters open one per request."""
        token = _slot.set(_Slot(of_request=True))
        try:
            with remembering():
                yield
        finally:
            _slot.reset(token)

    @contextmanager
    def acting_as(self, user: CurrentUser | dict[str, Any] | None) -> Iterator[None]:
        """Inside, ``user`` is the current one; None: an anonymous one.

        :raises STypeError, SAttributeError: see :meth:`set`.
        """
        token = _acting.set(True)
        try:
            with self.request():
                if isinstance(user, dict):
                    self.set(user)
                elif user is not None:
                    self._here().user = copy.copy(user)
                yield
        finally:
            _acting.reset(token)

    def _here(self) -> _Slot:
        if self._is_alone():
            return self._process
        slot = _slot.get()
        if slot is None:
            slot = _Slot()
            _slot.set(slot)
        return slot

    def _is_alone(self) -> bool:
        """Whether the one user of the process is meant."""
        return self.standalone and not _acting.get()

    def _user(self) -> CurrentUser:
        """The user, for reading only: anonymous ones share the prototype."""
        slot = self._process if self._is_alone() else _slot.get()
        if slot is None or slot.user is None:
            return self._prototype
        return slot.user

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._own(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("standalone", "_process", "_prototype"):
            object.__setattr__(self, name, value)
        else:
            self._own()[name] = value
            forget_answers()

    def __getitem__(self, name: str) -> Any:
        return self._own()[name]

    def __repr__(self) -> str:
        return f"current_user({self._user()!r})"

    def _own(self) -> CurrentUser:
        """The user of this request alone: an anonymous one is copied first."""
        slot = self._here()
        if slot.user is None:
            slot.user = copy.copy(self._prototype)
        return slot.user


def _identity(user: CurrentUser) -> tuple[str, str]:
    # Past the nodes' own rights, which are not asked for here and take long.
    fields = user.__dict__
    return fields["_id"].get_value(), fields["login"].get_value()


current_user = CurrentUserProxy()
"""The user of the request in which it is used."""
