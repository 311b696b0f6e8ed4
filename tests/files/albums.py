"""A backoffice with files of every kind, behind both frameworks."""

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from urllib3 import encode_multipart_formdata

from backo import (
    Action,
    Backoffice,
    BlobFile,
    Collection,
    DBSqliteConnector,
    Dict,
    File,
    FileConnector,
    FileSystemConnector,
    Int,
    Item,
    List,
    String,
    current_user,
)
from backo.files import contents
from backo.http.messages import Request
from tests.conformance.adapters import Answer, Both, serve_fastapi, serve_flask

__all__ = ["PNG", "Albums", "albums_served", "declared", "form", "stored"]

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 1000
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

type Sent = tuple[str | None, bytes]


class Numbered(BlobFile):
    """A BlobFile that gives its contents ids of its own."""

    numbers = itertools.count(1)

    def generate_file_id(self) -> str:
        return f"blob-{next(self.numbers)}"


def start_afresh(office: Backoffice, work: FileConnector, blob: type[Numbered]) -> None:
    """Remove everything, and count ids from 1 again."""
    for one in stored(work):
        work.delete(one)
    store, ids, numbers = (
        office.albums.db_handler,
        itertools.count(1),
        itertools.count(1),
    )
    store.drop()
    store.generate_id = lambda o: str(next(ids))  # type: ignore[method-assign]
    work.generate_id = lambda: f"f{next(numbers)}"  # type: ignore[method-assign]
    blob.numbers = itertools.count(1)


def staff(_right: str, _item: Any) -> bool:
    return current_user.has_role("staff")


def authenticate(request: Request) -> None:
    user = request.headers.get("x-user")
    if user is not None:
        current_user.set({"_id": user, "login": user, "roles": [user]})


type Declared = tuple[Backoffice, FileConnector, type[Numbered]]


def declared(folder: Path) -> Declared:
    """The backoffice ``photos``, where the contents of its files are kept, and of which
    class its ``blob`` is."""
    work = FileSystemConnector(path=folder / "files")
    numbered: type[Numbered] = type("NumberedHere", (Numbered,), {})
    schema = {
        "title": String(required=True),
        "cover": File(
            work=work, mime_types=["image/*", "text/plain"], max_size=100_000
        ),
        "blob": numbered(),
        "doc": File(work=work),
        "pages": List(Dict({"no": Int(), "scan": File(work=work)})),
        "extra": List(File(work=work)),
        "label": File(work=work, set=lambda album: f"hello {album.title}"),
        "kept": File(work=work, set=lambda album: f"of {album.title}", views=["save"]),
        "internal": File(work=work, views=["!client"]),
        "secret": File(work=work, can_read=staff),
        "sealed": File(work=work, can_modify=staff),
    }
    item = Item(schema, meta_data_handler=None)
    store = DBSqliteConnector(path=folder / "albums.sqlite", table="albums")
    albums = Collection("albums", item, store)
    photo = File(work=work, required=True)
    albums.register_action("shoot", Action({"photo": photo}, on_trig=_shoot))
    shut = Action({"photo": File(work=work)}, on_trig=_shoot, can_execute=staff)
    albums.register_action("shoot_as_staff", shut)
    office = Backoffice("photos", max_upload_size=1_000_000, max_parts=20)
    office.register_collection(albums)
    return office, work, numbered


def _shoot(action: Any, album: Any) -> None:
    album.cover = action.photo


class _Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> "_Clock":
        return cls(2026, 3, 1, 12, 0, tzinfo=tz)


@dataclasses.dataclass(frozen=True)
class Albums:
    """Both servers, asked the same; an answer is one that both give."""

    both: Both
    made: tuple[Declared, ...]

    def __call__(self, method: str, path: str, *args: Any, **more: Any) -> Answer:
        return self.both(method, f"/albums{path}", *args, **more)

    def form(
        self,
        method: str,
        path: str,
        files: Mapping[str, Sent],
        said: Any = None,
        **h: str,
    ) -> Answer:
        """Send a form with these files, and ``said`` as its ``_json``."""
        body, media = form(files, said)
        return self(method, path, body=body, media=media, **h)

    @property
    def collection(self) -> Collection:
        """The albums behind the first server."""
        return self.made[0][0].collection("albums")

    def empty(self) -> None:
        """Remove everything."""
        for one in self.made:
            start_afresh(*one)

    def new(
        self, files: Mapping[str, Sent] | None = None, **said: Any
    ) -> dict[str, Any]:
        """What is answered of a new album."""
        made = self.form("POST", "", files or {}, {"title": "x", **said})
        assert made.status == 201, made.body
        return dict(made.json)

    def content(self, path: str, **headers: str) -> bytes:
        """A content, by ``GET``."""
        found = self("GET", path, **headers)
        assert found.status == 200, found.body
        return found.body

    def stored(self) -> set[str]:
        """The ids of the contents that are kept."""
        first, second = (stored(work) for _, work, _ in self.made)
        assert first == second
        return first


def stored(work: FileConnector) -> set[str]:
    """The ids of all contents."""
    return {one.file_id for one in work.stored()}


def form(files: Mapping[str, Sent], said: Any = None) -> tuple[bytes, str]:
    """A form, and its media type."""
    fields: dict[str, Any] = {
        name: (called, data) for name, (called, data) in files.items()
    }
    if said is not None:
        fields["_json"] = json.dumps(said)
    return encode_multipart_formdata(fields, boundary="xYz")


@contextmanager
def albums_served(folder: Path) -> Iterator[Albums]:
    """The same backoffice behind both frameworks, on one clock."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(contents, "datetime", _Clock)
        # The tests cut no power, and waiting for the disk is most of their time.
        patch.setattr(os, "fsync", lambda _descriptor: None)
        made = [declared(folder / name) for name in ("fastapi", "flask")]
        fastapi, flask = FastAPI(), Flask("photos")
        fastapi.include_router(made[0][0].router(jwt_auth=authenticate))
        made[1][0].build_routes(flask, jwt_auth=authenticate)
        ports = (
            stack.enter_context(serve_fastapi(fastapi)),
            stack.enter_context(serve_flask(flask)),
        )
        yield Albums(Both(ports, "/photos"), tuple(made))
        for office, _, _ in made:
            office.albums.db_handler.close()
