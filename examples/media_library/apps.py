"""The same media library behind FastAPI and behind Flask, each with a login of its own.

Both are factories that application servers can call::

    uvicorn --factory examples.media_library.apps:fastapi_app
    flask --app examples.media_library.apps:flask_app run
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from backo import Backoffice
from examples.media_library.doors import LARGEST, Doors, secret_in
from examples.media_library.model import media_library
from examples.media_library.seed import seed

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

__all__ = ["data_folder", "fastapi_app", "flask_app"]


def data_folder() -> Path:
    """Where the library is kept: ``MEDIA_LIBRARY_DATA``, or ``.demo/media_library``."""
    return Path(os.environ.get("MEDIA_LIBRARY_DATA", ".demo/media_library"))


def fastapi_app() -> "FastAPI":
    """A FastAPI application with the library kept in :func:`data_folder`."""
    from fastapi import Depends, FastAPI, Request, Response
    from fastapi.concurrency import run_in_threadpool

    office, doors = _opened()
    # FastAPI's own document would tell everybody of what is there for staff alone.
    app = FastAPI(openapi_url=None)
    app.include_router(office.router(jwt_auth=doors.auth))

    @app.post("/login")
    async def login(request: Request) -> Response:
        given = b""
        async for chunk in request.stream():
            given += chunk
            if len(given) > LARGEST:
                break
        # Comparing passwords takes long, on purpose: others are served meanwhile.
        reply = await run_in_threadpool(doors.answer, given)
        return Response(reply.body, reply.status, dict(reply.headers))

    @app.get("/me")
    def me(user: Annotated[Any, Depends(doors.auth)]) -> dict[str, Any]:
        return _card(user)

    return app


def flask_app() -> "Flask":
    """A Flask application with the library kept in :func:`data_folder`."""
    from flask import Flask, Response, request

    from backo import current_user

    office, doors = _opened()
    app = Flask(office.name, static_folder=None)
    office.build_routes(app, jwt_auth=doors.auth)

    @app.post("/login")
    def login() -> Response:
        reply = doors.answer(request.stream.read(LARGEST + 1))
        return Response(reply.body, reply.status, dict(reply.headers))

    @app.get("/me")
    @doors.auth.required
    def me() -> dict[str, Any]:
        return _card(current_user)

    return app


def _card(user: Any) -> dict[str, Any]:
    return {"login": user.login.get_value(), "roles": user.roles.get_value()}


def _opened() -> tuple[Backoffice, Doors]:
    folder = data_folder()
    doors_secret = secret_in(folder)
    office = media_library(folder)
    seed(office)
    return office, Doors(office, doors_secret)
