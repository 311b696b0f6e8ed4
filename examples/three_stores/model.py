"""Countries in YAML files, authors in MongoDB, books in SQLite."""

from pathlib import Path
from typing import Any

from backo import (
    Backoffice,
    Collection,
    DBMongoConnector,
    DBSqliteConnector,
    DBYmlConnector,
    DeleteStrategy,
    FillStrategy,
    Int,
    Item,
    Ref,
    RefsList,
    Selection,
    String,
)

__all__ = ["seed", "three_stores"]

nationality = Item(
    {
        "name": String(required=True, description="The country's name in English"),
        "a2": String(
            required=True, pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2"
        ),
        "authors": RefsList(
            coll="authors",
            field="$.nationality",
            # They are looked up in MongoDB: a file for people need not list them.
            ofs=FillStrategy.NOT_FILL,
            ods=DeleteStrategy.UNLINK_REFERENCED_ITEMS,
            description="Those who are counted as its own",
        ),
    },
    description="A country, in a file of its own",
)

author = Item(
    {
        "name": String(required=True, description="The name on the cover"),
        "nationality": Ref(
            coll="nationalities", field="$.authors", description="Today's country"
        ),
        "books": RefsList(
            coll="books",
            field="$.author",
            description="Their books; who has any cannot be deleted",
        ),
    },
    description="Somebody who wrote a book, in MongoDB",
)

book = Item(
    {
        "title": String(required=True, description="The title"),
        "author": Ref(
            coll="authors", field="$.books", required=True, description="Who wrote it"
        ),
        "year": Int(min=-3000, max=2100, description="Year of the first edition"),
    },
    description="A book, in a table of SQLite",
)


def three_stores(folder: Path, mongo_uri: str) -> Backoffice:
    """The countries and books kept in ``folder``, with the authors kept in the database
    that ``mongo_uri`` names."""
    office = Backoffice("three_stores")
    stores = {
        "nationalities": (nationality, DBYmlConnector(path=folder / "nationalities")),
        "authors": (author, DBMongoConnector(connection_string=mongo_uri)),
        "books": (
            book,
            DBSqliteConnector(
                path=folder / "books.sqlite", table="books", indexes=["$.author"]
            ),
        ),
    }
    for name, (item, store) in stores.items():
        office.register_collection(Collection(name, item, store))
    office.books.register_selection(
        "french",
        Selection(
            ["$.title", "$.author.name", "$.author.nationality.name"],
            filter={"$.author.nationality.a2": "FR"},
            sort="$.year",
            description="Books by French authors, the oldest first",
        ),
    )
    return office


_COUNTRIES = {"FR": "France", "GB": "United Kingdom", "RU": "Russia"}
_AUTHORS = {
    "austen": ("Jane Austen", "GB"),
    "tolstoy": ("Leo Tolstoy", "RU"),
    "verne": ("Jules Verne", "FR"),
    "zola": ("Émile Zola", "FR"),
}
_BOOKS = {
    "emma": ("Emma", "austen", 1815),
    "anna-karenina": ("Anna Karenina", "tolstoy", 1878),
    "nana": ("Nana", "zola", 1880),
    "germinal": ("Germinal", "zola", 1885),
    "michel-strogoff": ("Michel Strogoff", "verne", 1876),
}


def seed(office: Backoffice) -> bool:
    """Put a few items into stores that have none, all of them or none; gives whether it
    did."""
    with office.transaction():
        if any(office.collections[name].select(limit=1) for name in _rows()):
            return False
        for name, rows in _rows().items():
            for row in rows:
                office.collections[name].create(row)
    return True


def _rows() -> dict[str, list[dict[str, Any]]]:
    return {
        "nationalities": [
            {"_id": a2.lower(), "name": name, "a2": a2}
            for a2, name in _COUNTRIES.items()
        ],
        "authors": [
            {"_id": _id, "name": name, "nationality": a2.lower()}
            for _id, (name, a2) in _AUTHORS.items()
        ],
        "books": [
            {"_id": _id, "title": title, "author": author, "year": year}
            for _id, (title, author, year) in _BOOKS.items()
        ],
    }
