"""The same API as a good engineer writes it by hand with FastAPI and Pydantic.

Synchronous endpoints, one typed model for each of create, update and read, response
models, prepared statements on one connection per thread, sorts and filters by listed
columns with their indexes. It has no ETags, no conditional requests, no views, no JSON
filters, no metadata of errors: only what the benchmark asks of it.
"""

# ruff: noqa: S608
# Names of tables and columns come from this file; values are bound.

import json
import sqlite3
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["application"]

type Language = Literal["de", "en", "es", "fr", "it"]
type Isbn = Annotated[str, Field(pattern="^97[89][0-9]{10}$")]
type Pages = Annotated[int, Field(ge=1, le=5000)]
type Price = Annotated[float, Field(ge=0, le=10_000)]
type Tags = Annotated[list[str], Field(max_length=10)]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class Publisher(Strict):
    """Who published a book."""

    name: str
    city: str | None = None
    founded: Annotated[int, Field(ge=1400, le=2100)] | None = None


class BookCreate(Strict):
    """What POST takes."""

    title: str
    isbn: Isbn
    pages: Pages
    price: Price | None = None
    language: Language
    in_print: bool = True
    published: datetime | None = None
    tags: Tags | None = None
    publisher: Publisher
    blurb: str | None = None


class BookUpdate(Strict):
    """What PUT takes: what is left out keeps its value."""

    title: str | None = None
    isbn: Isbn | None = None
    pages: Pages | None = None
    price: Price | None = None
    language: Language | None = None
    in_print: bool | None = None
    published: datetime | None = None
    tags: Tags | None = None
    publisher: Publisher | None = None
    blurb: str | None = None


class User(BaseModel):
    """Who did something."""

    id: str = Field(alias="_id")
    login: str


class Meta(BaseModel):
    """Who made and changed a book, and when."""

    ctime: datetime
    mtime: datetime
    created_by: User
    modified_by: User


class Book(BookCreate):
    """What is answered."""

    id: str = Field(alias="_id")
    meta: Meta = Field(alias="_meta")


class BookPage(BaseModel):
    """A page of books, and how many there are."""

    result: list[Book]
    total: int
    skip: int = Field(serialization_alias="_skip")
    page: int = Field(serialization_alias="_page")


class BookQuery(Strict):
    """The query parameters of the list."""

    title: str | None = None
    language: Language | None = None
    pages: int | None = None
    pages_gte: int | None = None
    pages_lte: int | None = None
    in_print: bool | None = None
    sort: Literal["title", "-title", "pages", "-pages"] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    page: Annotated[int, Field(ge=1, le=1000)] = 10


CONDITIONS = {
    "title": "json_extract(document, '$.title') = ?",
    "language": "json_extract(document, '$.language') = ?",
    "pages": "json_extract(document, '$.pages') = ?",
    "pages_gte": "json_extract(document, '$.pages') >= ?",
    "pages_lte": "json_extract(document, '$.pages') <= ?",
    "in_print": "json_extract(document, '$.in_print') = ?",
}
ORDERS = {
    None: "id",
    "title": "json_extract(document, '$.title'), id",
    "-title": "json_extract(document, '$.title') DESC, id",
    "pages": "json_extract(document, '$.pages'), id",
    "-pages": "json_extract(document, '$.pages') DESC, id",
}
ANONYMOUS = {"_id": "000", "login": "ANONYMOUS"}


class Store:
    """One table of documents; one connection per thread."""

    def __init__(self, path: Path, table: str) -> None:
        self.path = path
        self.table = table
        self.local = threading.local()
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (id TEXT PRIMARY KEY NOT NULL,"
            " document TEXT NOT NULL CHECK (json_valid(document)))"
        )
        for name in ("title", "language", "pages"):
            self.connection.execute(
                f"CREATE INDEX IF NOT EXISTS {table}_{name} ON {table}"
                f" (json_extract(document, '$.{name}'), id)"
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        try:
            return self.local.connection  # type: ignore[no-any-return]
        except AttributeError:
            connection = sqlite3.connect(
                self.path, isolation_level=None, cached_statements=256
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self.local.connection = connection
            return connection

    def get(self, book_id: str) -> str | None:
        """The text of a document."""
        sql = f"SELECT document FROM {self.table} WHERE id = ?"
        row = self.connection.execute(sql, (book_id,)).fetchone()
        return None if row is None else row[0]

    def find(self, query: BookQuery) -> tuple[list[str], int]:
        """The texts of a page, and how many documents there are."""
        asked = query.model_dump(include=set(CONDITIONS), exclude_none=True)
        where = " AND ".join(CONDITIONS[name] for name in asked)
        clause = f" WHERE {where}" if where else ""
        values = tuple(asked.values())
        rows = self.connection.execute(
            f"SELECT document FROM {self.table}{clause}"
            f" ORDER BY {ORDERS[query.sort]} LIMIT ? OFFSET ?",
            (*values, query.page, query.skip),
        ).fetchall()
        total = self.connection.execute(
            f"SELECT count(*) FROM {self.table}{clause}", values
        ).fetchone()[0]
        return [row[0] for row in rows], total

    def insert(self, book_id: str, text: str) -> None:
        """Store a new document."""
        sql = f"INSERT INTO {self.table} VALUES (?, ?)"
        self.connection.execute(sql, (book_id, text))

    def update(self, book_id: str, changes: dict[str, Any]) -> str | None:
        """Change some members of a document; gives its new text."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            text = self.get(book_id)
            if text is not None:
                text = json.dumps(merged(json.loads(text), changes))
                sql = f"UPDATE {self.table} SET document = ? WHERE id = ?"
                connection.execute(sql, (text, book_id))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return text

    def delete(self, book_id: str) -> bool:
        """Delete a document, and tell whether it was there."""
        sql = f"DELETE FROM {self.table} WHERE id = ?"
        return self.connection.execute(sql, (book_id,)).rowcount == 1


def merged(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with the changes and the time of the change."""
    publisher = changes.pop("publisher", None)
    document.update(changes)
    if publisher is not None:
        document["publisher"] = {**document["publisher"], **publisher}
    document["_meta"] |= {"mtime": now(), "modified_by": ANONYMOUS}
    return document


def now() -> str:
    """The time as documents hold it."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def application(path: Path, table: str) -> FastAPI:
    """The application over one table of an SQLite file."""
    store = Store(path, table)
    app = FastAPI()

    @app.get("/shop/books")
    def list_books(query: Annotated[BookQuery, Query()]) -> BookPage:
        texts, total = store.find(query)
        books = [Book.model_validate_json(text) for text in texts]
        return BookPage(result=books, total=total, skip=query.skip, page=query.page)

    @app.post("/shop/books", status_code=201)
    def create_book(book: BookCreate, response: Response) -> Book:
        book_id, moment = str(uuid.uuid4()), now()
        document = book.model_dump(mode="json") | {
            "_id": book_id,
            "_meta": {
                "ctime": moment,
                "mtime": moment,
                "created_by": ANONYMOUS,
                "modified_by": ANONYMOUS,
            },
        }
        store.insert(book_id, json.dumps(document))
        response.headers["Location"] = f"/shop/books/{book_id}"
        return Book.model_validate(document)

    @app.get("/shop/books/{book_id}")
    def get_book(book_id: str) -> Book:
        return shown(store.get(book_id))

    @app.put("/shop/books/{book_id}")
    def update_book(book_id: str, book: BookUpdate) -> Book:
        changes = book.model_dump(mode="json", exclude_unset=True)
        return shown(store.update(book_id, changes))

    @app.delete("/shop/books/{book_id}", status_code=204)
    def delete_book(book_id: str) -> None:
        if not store.delete(book_id):
            raise HTTPException(404, "no such book")

    return app


def shown(text: str | None) -> Book:
    """The book that a text holds, or 404."""
    if text is None:
        raise HTTPException(404, "no such book")
    return Book.model_validate_json(text)
