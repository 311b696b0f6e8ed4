"""The archive, which keeps all books, and a branch, which lends them."""

from pathlib import Path

from backo import (
    Backoffice,
    Collection,
    Datetime,
    DBRedirect,
    DBSqliteConnector,
    FillStrategy,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    String,
)

__all__ = ["archive", "branch", "seed"]

BOOKS = {
    "emma": ("Emma", "Jane Austen", 1815, ["novel"]),
    "middlemarch": ("Middlemarch", "George Eliot", 1871, ["novel"]),
    "persuasion": ("Persuasion", "Jane Austen", 1817, ["novel"]),
    "walden": ("Walden", "Henry David Thoreau", 1854, ["essay", "forest"]),
}


def archive(folder: Path) -> Backoffice:
    """Keeps books in an SQLite file, and knows of no branch."""
    book = Item(
        {
            "title": String(required=True),
            "author": String(required=True),
            "year": Int(min=1000, max=2100),
            "subjects": List(String(), uniq=True),
        }
    )
    office = Backoffice("archive")
    store = DBSqliteConnector(path=folder / "archive.sqlite", table="books")
    office.register_collection(Collection("books", book, store))
    return office


def branch(folder: Path, host: str, port: int) -> Backoffice:
    """Lends the books of the archive at ``host`` and ``port``; its loans are its own.

    That a title is required and when books were written is the archive's to say.
    """
    book = Item(
        {
            "title": String(),
            "author": String(),
            "year": Int(),
            "subjects": List(String()),
            # The archive is to know nothing of loans: they are looked up here.
            "loans": RefsList(coll="loans", field="$.book", ofs=FillStrategy.NOT_FILL),
        },
        meta_data_handler=None,
    )
    loan = Item(
        {
            "reader": String(required=True),
            "until": Datetime(),
            "book": Ref(coll="books", field="$.loans", required=True),
        },
        meta_data_handler=None,
    )
    office = Backoffice("branch")
    books = DBRedirect("books", host=host, port=port, tls=False, prefix="archive")
    loans = DBSqliteConnector(path=folder / "branch.sqlite", table="loans")
    office.register_collection(Collection("books", book, books))
    office.register_collection(Collection("loans", loan, loans))
    return office


def seed(office: Backoffice) -> None:
    """Put some books into an archive that has none."""
    if not office.books.select(limit=1):
        for _id, book in BOOKS.items():
            names = ("title", "author", "year", "subjects")
            office.books.create({"_id": _id, **dict(zip(names, book, strict=True))})
