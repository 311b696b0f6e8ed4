"""Asks one other server by HTTP: in bounded time, for answers of bounded size, and
without telling anybody else who we are.

The only file that imports requests, and loaded by the first connector that needs it.
"""

import base64
import contextlib
import dataclasses
import io
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)

from backo.connectors.http_answers import Answer, decompressed, gathered
from backo.errors import DBError
from backo.log import log_system

__all__ = ["Credentials", "HttpClient", "Limits"]

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""What may be sent again without being asked for twice (RFC 9110, section 9.2.2)."""
_BUSY = frozenset({429, 502, 503, 504})
"""What may be otherwise in a moment."""
_MOVED = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD = frozenset({307, 308})
_MOST_REDIRECTS = 5
_CHUNK = 65_536
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_POOL = 32
"""Connections that are kept open for the next request."""

_log = log_system.get_or_create_logger("connectors.http")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long, how often and how much; times are in seconds."""

    connect_timeout: float
    timeout: float
    """For the next byte."""
    total_timeout: float
    """For the whole call: every try, every pause, and the last byte."""
    retries: int
    """Tries after the first."""
    max_answer: int
    """Bytes of an answer, before and after it is decompressed."""


class Credentials:
    """Who we are to the other server, by Basic or Bearer; told to nobody else.

    :raises ValueError: they cannot stand in a header; the words do not repeat them.
    """

    def __init__(
        self, username: str | None, password: str | None, auth_token: str | None
    ) -> None:
        if auth_token is not None and (username is not None or password is not None):
            raise ValueError("auth_token= goes without username= and password=")
        self._header = ""
        if auth_token is not None:
            _check(auth_token)
            self._header = f"Bearer {auth_token}"
        elif username is not None or password is not None:
            if ":" in (username or ""):
                raise ValueError("username= may have no colon")
            pair = f"{username or ''}:{password or ''}".encode()
            self._header = f"Basic {base64.b64encode(pair).decode('ascii')}"
        shown = (self._header.partition(" ")[2], password, auth_token)
        self._secrets = sorted({one for one in shown if one}, key=len, reverse=True)

    def headers(self) -> dict[str, str]:
        return {"Authorization": self._header} if self._header else {}

    def scrub(self, text: str) -> str:
        """The text without them: a server may repeat what it was sent."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _check(token: str) -> None:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("auth_token= must be printable ASCII without spaces")


class _Unanswered(Exception):
    """There is no whole answer. ``sent``: the request may have arrived."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class HttpClient:
    """Asks the server at ``origin``. Connections are kept and shared by the threads of
    a process; a forked one makes its own.

    Neither proxies nor ``.netrc`` nor certificates that the environment names are used.
    Redirects are followed to the same scheme, host and port alone.
    """

    def __init__(
        self, origin: str, credentials: Credentials, verify: bool | str, limits: Limits
    ) -> None:
        self.origin = origin
        self.scrub = credentials.scrub
        self._credentials = credentials
        self._verify = verify
        self._limits = limits
        self._adapters: dict[int, HTTPAdapter] = {}

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
    ) -> Answer:
        """The answer to a request, whatever its status.

        A request that is idempotent (by its method, if it is not said) is tried again
        when it was not answered, or by 429, 502, 503 or 504; any other only when it
        cannot have arrived.

        :param path: with its query, all of it quoted.
        :raises DBError: there is no answer, or none that may be read.
        """
        again = method in IDEMPOTENT if idempotent is None else idempotent
        deadline = time.monotonic() + self._limits.total_timeout
        call = _Call(method, self.origin + path, body, dict(headers or {}), deadline)
        doubtful = False
        for attempt in range(self._limits.retries + 1):
            last = attempt == self._limits.retries
            try:
                answer = self._follow(call)
            except _Unanswered as error:
                doubtful = doubtful or error.sent
                if last or (error.sent and not again) or not _pause(attempt, call):
                    raise self._failure(call, str(error)) from None
            else:
                answer = dataclasses.replace(answer, doubtful=doubtful)
                if last or not again or answer.status not in _BUSY:
                    return answer
                if not _pause(attempt, call, answer):
                    return answer
                doubtful = doubtful or answer.status != 429
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Close the connections that are kept; others are opened when needed."""
        for adapter in tuple(self._adapters.values()):
            adapter.close()
        self._adapters.clear()

    def _failure(self, call: "_Call", why: str) -> DBError:
        _log.warning("%s %s: %s", call.method, self.origin, why)
        return DBError(f"{call.method} {self.origin}: {why}")

    def _follow(self, call: "_Call") -> Answer:
        """The answer, where redirects lead to."""
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._once(call)
            if answer.status not in _MOVED:
                return answer
            call = self._moved(call, answer)
        raise _Unanswered("too many redirects", sent=True)

    def _moved(self, call: "_Call", answer: Answer) -> "_Call":
        url = _led(call.url, answer.headers.get("location", ""))
        if url is None:
            raise self._failure(call, "it redirects to another server")
        if call.method != "GET" and answer.status not in _SAME_METHOD:
            raise self._failure(call, "it redirects what is no GET")
        return dataclasses.replace(call, url=url)

    def _once(self, call: "_Call") -> Answer:
        """The answer to one try.

        :raises _Unanswered: there is none.
        :raises DBError: it may not be read.
        """
        why, sent = "", True
        with _until(call.deadline, self._limits.timeout):
            try:
                return self._answer(call)
            except (OSError, HTTPError, HTTPException, ValueError) as error:
                # Not chained: what requests raises holds the request, credentials
                # and all.
                why, sent = _reason(error, call), not _never_sent(error)
        raise _Unanswered(self.scrub(why), sent=sent)

    def _answer(self, call: "_Call") -> Answer:
        limits, left = self._limits, max(call.left(), 0.001)
        prepared = requests.Request(
            call.method, call.url, headers=self._headers(call), data=call.body
        ).prepare()
        response = self._adapter().send(
            prepared,
            stream=True,
            timeout=(min(limits.connect_timeout, left), min(limits.timeout, left)),
            verify=self._verify,
            proxies={},
        )
        whole = False
        try:
            body = gathered(_chunks(response.raw), limits.max_answer)
            whole = True
        finally:
            # What was not read to its end cannot be used for the next request.
            if not whole:
                response.raw.close()
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        encoding = headers.get("content-encoding", "").lower()
        body = decompressed(body, encoding, limits.max_answer)
        return Answer(response.status_code, headers, body)

    def _headers(self, call: "_Call") -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "backo",
            **call.headers,
            **self._credentials.headers(),
        }

    def _adapter(self) -> HTTPAdapter:
        # In one step: another thread may be doing the same.
        pid = os.getpid()
        found = self._adapters.get(pid)
        return found or self._adapters.setdefault(pid, _Adapter())


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]
    deadline: float

    def left(self) -> float:
        """Seconds until the caller waits no longer."""
        return self.deadline - time.monotonic()


def _led(url: str, location: str) -> str | None:
    """Where a redirect leads to, if it is the same server and nobody is named."""
    try:
        led = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(led)
        same = _server(here) == _server(there) and there.username is None
    except ValueError:
        return None
    return led if same else None


def _server(url: SplitResult) -> tuple[str, str | None, int | None]:
    usual = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.hostname, url.port or usual


def _pause(attempt: int, call: _Call, answer: Answer | None = None) -> bool:
    """Wait before the next try; False when there is no time for it."""
    longest = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
    # Jitter: those who failed together are not to come back together.
    pause = random.uniform(longest / 2, longest)  # noqa: S311 - no secret
    if answer is not None:
        pause = max(pause, _asked_to_wait(answer))
    if pause >= call.left():
        return False
    time.sleep(pause)
    return True


def _asked_to_wait(answer: Answer) -> float:
    """The seconds of ``Retry-After``; a date is taken for none (nor is our own ever
    one)."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _chunks(raw: Any) -> Iterator[bytes]:
    while chunk := raw.read(_CHUNK, decode_content=False):
        yield chunk


def _never_sent(error: Exception) -> bool:
    """Whether there was no connection to send anything on."""
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    kinds = (ConnectTimeoutError, NameResolutionError, NewConnectionError)
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, kinds)


def _reason(error: Exception, call: _Call) -> str:
    """What went wrong, in words that hold nothing of the request."""
    if call.left() <= 0 or any(isinstance(one, TimeoutError) for one in _behind(error)):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection: the certificate or the protocol is refused"
    if _never_sent(error):
        return "no connection"
    return f"no whole answer ({type(error).__name__})"


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# -- time --------------------------------------------------------------------------

_bounds: ContextVar[tuple[float, float]] = ContextVar("backo_http_bounds")
"""Until when (monotonic seconds) the answer is read, and how long for each byte."""


@contextlib.contextmanager
def _until(deadline: float, timeout: float) -> Iterator[None]:
    token = _bounds.set((deadline, timeout))
    try:
        yield
    finally:
        _bounds.reset(token)


def _left() -> float:
    """Seconds to wait for what comes next. :raises TimeoutError: none are left."""
    deadline, timeout = _bounds.get()
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer takes too long")
    return min(left, timeout)


class _Timed(io.RawIOBase):
    """What a socket gives until the deadline: a timeout of the socket alone begins
    again with each byte, also with those of headers."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    """Whose every send ends in time, too: one that is used again has the time that was
    left when it was read last."""

    response_class = _Response

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_left())
        super().send(data)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _Pool,
            "https": _SecurePool,
        }

    def close(self) -> None:
        # Else they are closed when nothing refers to them: no frame of an error either.
        pools = self.poolmanager.pools
        for key in pools.keys():
            if (pool := pools.get(key)) is not None:
                pool.close()
        super().close()
