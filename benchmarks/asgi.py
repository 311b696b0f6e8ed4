"""The cheapest client there is: it calls an ASGI application directly."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

__all__ = ["Answer", "Application", "Call", "call", "messages_of"]

type Message = MutableMapping[str, Any]
type Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Call(NamedTuple):
    """A request to make."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    media: str = "application/json"
    """What the body is."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those sent besides."""


class Answer(NamedTuple):
    """What was answered."""

    status: int
    body: bytes


async def call(application: Application, request: Call) -> Answer:
    """The answer of an application."""
    sent = await messages_of(application, request)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], body)


async def messages_of(application: Application, request: Call) -> list[Message]:
    """The messages that an application answers with: the start, and the body."""
    headers = [
        (b"host", b"localhost"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"user-agent", b"benchmark"),
    ]
    if request.body:
        headers.append((b"content-type", request.media.encode()))
        headers.append((b"content-length", str(len(request.body)).encode()))
    headers += [(name.encode(), value.encode()) for name, value in request.headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent
