"""Fills a bookcase: countries from pycountry, books and authors from the CSV files."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pycountry

from backo import Backoffice, Collection, DBConnector, DuplicateIdError

from .model import store

__all__ = ["Progress", "Row", "seed", "slug", "sources"]

HERE = Path(__file__).parent
REFERENCES = "references"
"""What mending the links is called where the rest is called like collections."""
NUMBERS = frozenset({"born", "died", "year", "pages"})
LETTERS = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "ı": "i", "ł": "l", "ø": "o", "œ": "oe", "ß": "ss"}
)
"""Letters that Unicode does not take apart into a plain one and an accent."""

type Row = dict[str, Any]
type Progress = Callable[[str, list[Row]], Iterable[Row]]


def seed(
    office: Backoffice, folder: Path, progress: Progress = lambda _name, rows: rows
) -> int:
    """Create what is not there yet; gives how many items are new.

    A collection that was seeded to its end is left alone: what was changed or deleted
    since stays so. One that was interrupted is begun anew. ``progress`` is handed each
    collection's name and rows, and gives the rows back.
    """
    complete = store(folder, "seeded")
    created = 0
    for name, rows in sources().items():
        with office.transaction():
            if _is_new(complete, {"_id": name}):
                listed = progress(name, rows())
                created += sum(_is_new(office.collection(name), row) for row in listed)
    with office.transaction():
        if _is_new(complete, {"_id": REFERENCES}):
            # A bookcase of before there were references has one half of each only.
            office.check_references(repair=True)
    return created


def sources() -> Mapping[str, Callable[[], list[Row]]]:
    """For each collection, what gives its rows, ids included; what others point to
    comes first."""
    return {"nationalities": _nationalities, "authors": _authors, "books": _books}


def slug(text: str) -> str:
    """``Les Misérables`` → ``les-miserables``: an id that people can read."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(LETTERS))
    plain = apart.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _is_new(place: Collection | DBConnector, row: Row) -> bool:
    try:
        place.create(row)
    except DuplicateIdError:
        return False
    return True


def _nationalities() -> list[Row]:
    return [
        {
            "_id": country.alpha_2,
            "name": country.name,
            "official_name": getattr(country, "official_name", None),
            "a2": country.alpha_2,
            "a3": country.alpha_3,
            "numeric": country.numeric,
            "flag": country.flag,
        }
        for country in pycountry.countries
    ]


def _authors() -> list[Row]:
    return _with_ids(_rows("authors.csv"), "name")


def _books() -> list[Row]:
    books = _with_ids(_rows("books.csv"), "title", "author")
    return [{**book, "author": slug(book["author"])} for book in books]


def _with_ids(rows: Iterable[Row], *columns: str) -> list[Row]:
    """Each row with an ``_id`` made of the first of ``columns``, or of all of them
    where several rows would have the same.

    :raises ValueError: two rows have all these columns in common.
    """
    listed = list(rows)
    shared = Counter(slug(row[columns[0]]) for row in listed)
    named: dict[str, Row] = {}
    for row in listed:
        _id = slug(row[columns[0]])
        if shared[_id] > 1:
            _id = slug(" ".join(row[column] for column in columns))
        if _id in named:
            raise ValueError(f"two rows have the id {_id}")
        named[_id] = {"_id": _id, **row}
    return list(named.values())


def _rows(name: str) -> Iterator[Row]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                key: int(value) if key in NUMBERS else value
                for key, value in row.items()
                if value != ""
            }
