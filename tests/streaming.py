"""Operations that only take and give streams, behind both frameworks: what they do is
told, and nothing is stored.

``python -m tests.streaming fastapi FOLDER`` serves items whose files are kept in a
folder, and prints the port.
"""

import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from flask import Flask

from backo import Backoffice, Collection, File, FileSystemConnector, Item
from backo.adapters import fastapi as fastapi_adapter
from backo.adapters import flask as flask_adapter
from backo.connectors.memory import DBMemoryConnector
from backo.errors import SRightError
from backo.http.dispatch import Dispatcher
from backo.http.downloads import Download, download
from backo.http.endpoint import Answer, Endpoint
from backo.http.messages import Request, Response
from backo.http.multipart import FORM, FormLimits, parts
from backo.http.problems import to_json
from tests.serving import listening_socket

__all__ = ["CONTENT", "Streaming", "ZEROS"]

CONTENT = bytes(range(256)) * 40
ZEROS = bytes(65_536)
LIMITS = FormLimits(max_size=3 * 1024**3, max_parts=100)


class Streaming:
    """The operations, and what became of them."""

    def __init__(self, limits: FormLimits = LIMITS) -> None:
        self.limits = limits
        self.happened: Counter[str] = Counter()
        self.errors: list[str] = []
        self.uploading = threading.Event()
        """Set when the first piece of an upload is there."""
        self.rows = [
            _row("/up", self.up, "POST"),
            _row("/refused", self.refused, "POST"),
            _row("/half", self.half, "POST"),
            _row("/file", self.file),
            _row("/down", self.down),
            _row("/broken", self.broken),
            _row("/short", self.short),
            _row("/unknown", self.unknown),
            _row("/ping", self.ping),
        ]

    def up(self, request: Request) -> Response:
        """Tells of each part its name, size and hash."""
        if request.stream is None:
            return Response(200, to_json({"body": len(request.body)}))
        try:
            return Response(200, to_json([_told(one) for one in self._parts(request)]))
        except Exception as error:
            self.errors.append(str(error))
            raise

    def _parts(self, request: Request) -> Iterator[Any]:
        assert request.stream is not None
        length = request.headers.get("content-length")

        def chunks() -> Iterator[bytes]:
            assert request.stream is not None
            for chunk in request.stream:
                self.happened["read"] += len(chunk)
                self.uploading.set()
                yield chunk

        yield from parts(
            chunks(),
            request.headers["content-type"],
            self.limits,
            int(length) if length else None,
        )

    def refused(self, _request: Request) -> Response:
        """Refuses without having read anything."""
        raise SRightError("you may not")

    def half(self, request: Request) -> Response:
        """Refuses when it has read a little."""
        next(next(self._parts(request)).chunks)
        raise SRightError("you may not")

    def file(self, request: Request) -> Response:
        """A download."""
        return download(
            request,
            Download("été.bin", "image/png", len(CONTENT), None, "t1", self.read),
        )

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """A part of CONTENT."""
        self.happened["opened"] += 1
        try:
            for at in range(start, stop, 1000):
                yield CONTENT[at : min(at + 1000, stop)]
        finally:
            self.happened["closed"] += 1

    def down(self, request: Request) -> Response:
        """As many zeros as ``size`` says."""
        size = int(request.parameter("size") or 0)
        return Response(200, b"", "video/mp4", (), self._zeros(size), size)

    def broken(self, request: Request) -> Response:
        """Breaks off."""

        def pieces() -> Iterator[bytes]:
            try:
                yield ZEROS
                raise OSError("the disk is gone")
            finally:
                self.happened["closed"] += 1

        length = request.parameter("length")
        size = int(length) if length else None
        return Response(200, b"", "video/mp4", (), pieces(), size)

    def short(self, _request: Request) -> Response:
        """Has fewer bytes than it says."""
        return Response(200, b"", "video/mp4", (), self._zeros(10), 20)

    def unknown(self, _request: Request) -> Response:
        """Does not say how many bytes it has."""
        return Response(200, b"", "video/mp4", (), self._zeros(100_000))

    def ping(self, _request: Request) -> Response:
        """An answer, to see that there are any."""
        return Response(200, b'"pong"')

    def _zeros(self, size: int) -> Iterator[bytes]:
        return _Zeros(size, self.happened)

    def fastapi(self) -> FastAPI:
        """An application with these operations."""
        app, office = FastAPI(), Backoffice("office", max_body_size=1000)
        dispatcher = Dispatcher(self.rows)
        for row in self.rows:
            endpoint = fastapi_adapter._endpoint(dispatcher, row, office)
            app.add_api_route(
                row.path, endpoint, methods=[row.method], response_model=None
            )
        unmatched = fastapi_adapter._unmatched(dispatcher, "")
        app.add_api_route("{rest:backo_rest}", unmatched, methods=["HEAD"])
        return app

    def flask(self) -> Flask:
        """An application with these operations."""
        app = Flask("streaming", static_folder=None)
        office = Backoffice("office", max_body_size=1000, max_upload_size=10**8)
        dispatcher = Dispatcher(self.rows)
        for row in self.rows:
            view = flask_adapter._view(dispatcher, row, office)
            app.add_url_rule(row.path, row.path, view, methods=[row.method])
        return app


class _Zeros(Iterator[bytes]):
    """Zeros that tell when they are sent, and when they are let go of."""

    def __init__(self, size: int, happened: Counter[str]) -> None:
        self._left = size
        self._happened = happened

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        piece = ZEROS[: self._left]
        self._left -= len(piece)
        self._happened["sent"] += 1
        return piece

    def close(self) -> None:
        self._happened["closed"] += 1


def _told(part: Any) -> dict[str, Any]:
    size, found = 0, hashlib.blake2b(digest_size=8)
    for chunk in part.chunks:
        size += len(chunk)
        found.update(chunk)
    told = {"name": part.name, "filename": part.filename, "size": size}
    return {**told, "hash": found.hexdigest()}


def _row(
    path: str, handler: Callable[[Request], Response], method: str = "GET"
) -> Endpoint:
    taken = {FORM: "Form", "application/json": "Text"}
    return Endpoint(
        method=method,
        path=path,
        operation_id=path.strip("/"),
        tag="streaming",
        summary="",
        description="",
        handler=handler,
        success={200: Answer("")},
        produces="*/*",
        consumes=taken if method == "POST" else {},
    )


def filmed(folder: str) -> Backoffice:
    """A backoffice whose items have files, in a folder."""
    made = Backoffice("office", max_upload_size=3 * 1024**3)
    film = Item({"content": File(work=FileSystemConnector(path=folder))})
    made.register_collection(Collection("films", film, DBMemoryConnector()))
    return made


def main(adapter: str, folder: str) -> None:
    """Serve until the process is killed."""
    listening = listening_socket()
    print(json.dumps(listening.getsockname()[1]), flush=True)  # noqa: T201 - its answer
    module = flask_adapter if adapter == "flask" else fastapi_adapter
    module.server(filmed(folder), listening)()


if __name__ == "__main__":
    main(*sys.argv[1:])
