"""Keys that another server publishes as a JWKS: fetched, kept, and fetched again."""

import http.client
import threading
import time
from typing import Any
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from backo.errors import SSyntaxError
from backo.http.keys import KeySet, VerifyingKey, key_set
from backo.http.problems import RETRY_AFTER, KeysUnavailableError
from backo.http.tokens import TokenError
from backo.log import log_system
from backo.query.strict import strict_loads

__all__ = ["MAX_ANSWER", "RemoteKeys", "is_url"]

MAX_ANSWER = 262_144
"""Bytes that a JWKS may have."""

_CHUNK = 65_536

_log = log_system.get_or_create_logger("http.auth")


def is_url(key: Any) -> bool:
    """Whether ``key`` is where keys are, and no key itself."""
    return isinstance(key, str) and key.lower().startswith(("https://", "http://"))


class RemoteKeys:
    """The keys at a URL. They are fetched when they are first needed, when they are
    older than ``max_age``, and when a token names an unknown one; never more than once
    in ``cooldown``. A request waits for them no longer than ``timeout``. All three are
    in seconds. While they cannot be fetched, the last ones stay.

    :raises SSyntaxError: the URL has no host.
    """

    def __init__(
        self,
        url: str,
        algorithms: frozenset[str],
        *,
        timeout: float,
        max_age: float,
        cooldown: float,
    ) -> None:
        if not urlsplit(url).hostname:
            raise SSyntaxError("key: {0} is no URL of a JWKS", url)
        self._url = url
        self._algorithms = algorithms
        self._timeout = timeout
        self._max_age = max_age
        self._cooldown = cooldown
        self._known: KeySet | None = None
        self._fetched = self._asked = -float("inf")
        self._lock = threading.Lock()
        self._done = threading.Event()

    def find(self, algorithm: str, kid: str | None) -> VerifyingKey:
        """The one key for ``algorithm`` and ``kid``.

        :raises TokenError: there is none, or no telling which.
        :raises KeysUnavailableError: no keys could be fetched yet.
        """
        known = self._known
        if known is None or time.monotonic() - self._fetched > self._max_age:
            known = self._refreshed()
        if known is None:
            raise KeysUnavailableError("the keys of tokens cannot be fetched")
        try:
            return known.find(algorithm, kid)
        except TokenError:
            newer = self._refreshed()
            if newer is None or newer is known:
                raise
            return newer.find(algorithm, kid)

    def _refreshed(self) -> KeySet | None:
        """What is known after they were fetched again, if it is time for that."""
        with self._lock:
            now = time.monotonic()
            pause = self._cooldown
            if self._known is None:
                # Nobody can be let in: it is tried sooner.
                pause = min(pause, RETRY_AFTER)
            if now - self._asked >= pause:
                self._asked, self._done = now, threading.Event()
                # A thread of its own, so that nothing it waits for, names of hosts
                # included, keeps a request longer than the timeout.
                fetching = threading.Thread(
                    target=self._fetch, args=(self._done,), daemon=True
                )
                fetching.start()
            done = self._done
        done.wait(self._timeout)
        return self._known

    def _fetch(self, done: threading.Event) -> None:
        try:
            fetched = key_set(_get_json(self._url, self._timeout), self._algorithms)
        except (OSError, http.client.HTTPException, ValueError, SSyntaxError) as error:
            _log.warning("the keys at %s cannot be fetched: %s", self._url, error)
        else:
            with self._lock:
                self._known, self._fetched = fetched, time.monotonic()
        finally:
            done.set()


def _get_json(url: str, timeout: float) -> Any:
    """What the URL answers, within ``timeout`` seconds.

    :raises OSError: it does not, in time; or it sends the asker elsewhere.
    :raises ValueError: the answer is too long, or no JSON.
    """
    deadline = time.monotonic() + timeout
    asked = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - is_url
    text = bytearray()
    with _opener().open(asked, timeout=timeout) as answer:
        while chunk := answer.read1(_CHUNK):
            text += chunk
            if len(text) > MAX_ANSWER:
                raise ValueError(f"the answer has more than {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError("the answer takes too long")
        if answer.length:
            raise ValueError("the answer ends early")
    return strict_loads(bytes(text))


class _SameOrigin(HTTPRedirectHandler):
    """Follows redirects to the same scheme, host and port alone: keys from elsewhere
    are somebody else's."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """Opens URLs of HTTP alone, through the environment's proxy if there is one."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        _SameOrigin(),
    ):
        opener.add_handler(handler)
    return opener
