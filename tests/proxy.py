"""A TCP proxy that misbehaves as it is told, while it runs.

What it is told holds for the connections that are open and for those to come.
"""

import asyncio
import contextlib
import dataclasses
import enum
import os
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine, Iterator
from typing import Any

__all__ = ["Proxy", "proxied"]

HOST = "127.0.0.1"
_CHUNK = 65536
_PATIENCE = 10
"""Seconds after which the proxy must have done what it is told."""


class _Fault(enum.Enum):
    NONE = enum.auto()
    DELAY = enum.auto()
    CUT = enum.auto()
    GARBAGE = enum.auto()
    SILENCE = enum.auto()
    REFUSE = enum.auto()


@dataclasses.dataclass(frozen=True)
class _Told:
    fault: _Fault = _Fault.NONE
    seconds: float = 0
    size: int = 0


class Proxy:
    """Listens on ``port`` of 127.0.0.1, and passes on to ``port`` of ``server``."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.port = 0
        self.accepted = 0
        """Connections since it began."""
        self._told = _Told()
        self._writers: set[StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._do(self._listen())

    # -- what it can be told -----------------------------------------------------------

    def passes(self) -> None:
        """Pass on everything, as in the beginning."""
        self._tell(_Told())

    def delays(self, seconds: float) -> None:
        """Pass on what the server says so much later."""
        self._tell(_Told(_Fault.DELAY, seconds=seconds))

    def cuts_now(self) -> None:
        """End all connections, and go on as before."""
        self._do(self._abort())

    def cuts_after(self, size: int) -> None:
        """Of what the server says from now on pass ``size`` bytes, then end; on each
        connection."""
        self._tell(_Told(_Fault.CUT, size=size))

    def sends_garbage(self, after: int = 0) -> None:
        """Send as many random bytes in the place of what the server says, but for the
        first ``after`` of each piece."""
        self._tell(_Told(_Fault.GARBAGE, size=after))

    def says_nothing(self) -> None:
        """Accept connections, and pass nothing on."""
        self._tell(_Told(_Fault.SILENCE))

    def refuses(self) -> None:
        """End all connections and accept none, until told otherwise."""
        self._tell(_Told(_Fault.REFUSE))

    def close(self) -> None:
        """End, with all connections; no thread is left."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- in its thread -----------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE)

    def _tell(self, told: _Told) -> None:
        self._do(self._become(told))

    async def _become(self, told: _Told) -> None:
        self._told = told
        if told.fault is _Fault.REFUSE:
            await self._deafen()
            await self._abort()
        elif self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        # What asyncio itself accepts it loses, when it is stopped at that moment.
        self._listener = socket.create_server((HOST, self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            self.accepted += 1
            task = self._loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deafen(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        # What was accepted last has not begun to be served.
        await asyncio.sleep(0.02)

    async def _abort(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        await self._deafen()
        await self._abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What is aborted is closed when the loop comes to it.
        await asyncio.sleep(0.02)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                await self._between(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _between(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on both ways, until one of the ends is closed."""
        their_reader, their_writer = await asyncio.open_connection(*self.server)
        self._writers.add(their_writer)
        ways = [
            asyncio.ensure_future(self._asks(reader, their_writer)),
            asyncio.ensure_future(self._answers(their_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            their_writer.transport.abort()
            self._writers.discard(their_writer)

    async def _asks(self, reader: StreamReader, writer: StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._told.fault is not _Fault.SILENCE:
                writer.write(chunk)
                await writer.drain()

    async def _answers(self, reader: StreamReader, writer: StreamWriter) -> None:
        told, left = self._told, self._told.size
        while chunk := await reader.read(_CHUNK):
            if told is not self._told:
                told, left = self._told, self._told.size
            if told.fault is _Fault.CUT:
                chunk, left = chunk[:left], left - len(chunk)
            writer.write(await self._changed(chunk))
            await writer.drain()
            if told.fault is _Fault.CUT and left <= 0:
                # What is aborted loses what is not yet sent.
                writer.close()
                await writer.wait_closed()
                return

    async def _changed(self, chunk: bytes) -> bytes:
        match self._told.fault:
            case _Fault.DELAY:
                await asyncio.sleep(self._told.seconds)
            case _Fault.GARBAGE:
                kept = chunk[: self._told.size]
                return kept + os.urandom(len(chunk) - len(kept))
            case _Fault.SILENCE:
                return b""
        return chunk


@contextlib.contextmanager
def proxied(server: tuple[str, int]) -> Iterator[Proxy]:
    """A proxy before ``(host, port)``, which ends with the block."""
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
