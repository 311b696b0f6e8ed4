"""The items that are served: their declaration in backo, and made-up ones."""

import random
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from backo import (
    Backoffice,
    Bool,
    Collection,
    Datetime,
    DBSqliteConnector,
    Dict,
    Float,
    Int,
    Item,
    List,
    String,
)

__all__ = ["CITIES", "INDEXES", "LANGUAGES", "backoffice", "fastapi_app", "made_up"]

LANGUAGES = ["de", "en", "es", "fr", "it"]
CITIES = ["Lyon", "Milano", "New York", "Praha", "Sevilla"]
INDEXES = ["$.title", "$.language", "$.pages"]

book = Item(
    {
        "title": String(required=True),
        "isbn": String(required=True, pattern="^97[89][0-9]{10}$"),
        "pages": Int(required=True, min=1, max=5000),
        "price": Float(min=0.0, max=10_000.0),
        "language": String(required=True, enum=LANGUAGES),
        "in_print": Bool(default=True),
        "published": Datetime(),
        "tags": List(String(), max=10),
        "publisher": Dict(
            {
                "name": String(required=True),
                "city": String(),
                "founded": Int(min=1400, max=2100),
            }
        ),
        "blurb": String(),
    }
)


def backoffice(path: Path, table: str) -> Backoffice:
    """A backoffice ``shop`` with the collection ``books`` in a table of that file."""
    office = Backoffice("shop")
    connector = DBSqliteConnector(
        path=path, table=table, indexes=INDEXES, synchronous="NORMAL"
    )
    office.register_collection(Collection("books", book, connector))
    return office


def fastapi_app(office: Backoffice) -> FastAPI:
    """The backoffice behind FastAPI."""
    app = FastAPI()
    app.include_router(office.router())
    return app


def made_up(number: int) -> dict[str, Any]:
    """A valid new book; the same for the same number."""
    chance = random.Random(number)
    month, day = chance.randint(1, 12), chance.randint(1, 28)
    return {
        "title": f"Book {chance.randrange(10**6):06} of {chance.choice(CITIES)}",
        "isbn": f"978{number:010}",
        "pages": chance.randint(1, 1000),
        "price": round(chance.uniform(1, 90), 2),
        "language": chance.choice(LANGUAGES),
        "in_print": chance.random() < 0.7,
        "published": f"{chance.randint(1950, 2024)}-{month:02}-{day:02}T00:00:00+00:00",
        "tags": chance.sample(["crime", "love", "sea", "war", "travel", "home"], 3),
        "publisher": {
            "name": f"Press {number % 40}",
            "city": chance.choice(CITIES),
            "founded": chance.randint(1500, 2000),
        },
        "blurb": "A story that is told from its end. " * 3,
    }
