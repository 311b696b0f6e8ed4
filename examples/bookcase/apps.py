"""The same bookcase behind FastAPI and behind Flask.

Both are factories that application servers can call::

    uvicorn --factory examples.bookcase.apps:fastapi_app
    flask --app examples.bookcase.apps:flask_app run
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from backo import Backoffice

from .model import bookcase
from .seed import seed

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

__all__ = ["data_folder", "fastapi_app", "flask_app", "office"]


def data_folder() -> Path:
    """Where the bookcase is kept: ``BOOKCASE_DATA``, or ``.demo``."""
    return Path(os.environ.get("BOOKCASE_DATA", ".demo"))


def office() -> Backoffice:
    """The bookcase kept in :func:`data_folder`, as it is: nothing is put into it."""
    return bookcase(data_folder())


def fastapi_app(office: Backoffice | None = None) -> "FastAPI":
    """A FastAPI application with the routes of ``office``, or of the bookcase kept in
    :func:`data_folder`."""
    from fastapi import FastAPI

    office = office or _seeded()
    app = FastAPI(title=office.name, version=office.version)
    app.include_router(office.router())
    return app


def flask_app(office: Backoffice | None = None) -> "Flask":
    """A Flask application with the routes of ``office``, or of the bookcase kept in
    :func:`data_folder`."""
    from flask import Flask

    office = office or _seeded()
    app = Flask(office.name)
    office.build_routes(app)
    return app


def _seeded() -> Backoffice:
    folder = data_folder()
    office = bookcase(folder)
    seed(office, folder)
    return office
