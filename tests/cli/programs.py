"""Programs that tests put into a folder, for the command to find."""

from pathlib import Path

__all__ = ["OFFICE", "put"]

OFFICE = """
from backo import (
    Backoffice, Collection, DBSqliteConnector, Item, Ref, RefsList, String, current_user
)

print("imported")
author = Item(
    {"name": String(required=True), "books": RefsList(coll="books", field="$.author")}
)
book = Item({"title": String(), "author": Ref(coll="authors", field="$.books")})
office = Backoffice("office")
for name, item in {"authors": author, "books": book}.items():
    store = DBSqliteConnector(path="office.sqlite", table=name)
    office.register_collection(Collection(name, item, store))


class Shelf:
    inside = office


def make():
    print("made")
    return office


def everybody_is_ada():
    current_user.set({"_id": "ada", "login": "ADA"})
"""
"""``main.py``: authors and their books, with all the attributes that tests name."""


def put(folder: Path, **programs: str) -> Path:
    """The folder, with each of these modules in it."""
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return folder
