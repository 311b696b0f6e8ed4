"""What a bookcase holds, and where it is kept."""

from collections.abc import Sequence
from pathlib import Path

from backo import (
    Action,
    Backoffice,
    Bool,
    Collection,
    DBSqliteConnector,
    Dict,
    FillStrategy,
    Float,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    Selection,
    String,
    Url,
)

__all__ = ["GENRES", "bookcase", "store"]

GENRES = [
    "drama",
    "essay",
    "history",
    "memoir",
    "novel",
    "philosophy",
    "poetry",
    "science",
    "tales",
]

nationality = Item(
    {
        "name": String(required=True, description="The country's name in English"),
        "official_name": String(description="Its official name"),
        "a2": String(
            required=True, pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2"
        ),
        "a3": String(
            required=True, pattern="^[A-Z]{3}$", description="ISO 3166 alpha-3"
        ),
        "numeric": String(pattern="^[0-9]{3}$", description="ISO 3166 numeric"),
        "flag": String(description="Its flag, as an emoji"),
        "authors": RefsList(
            coll="authors",
            field="$.nationality",
            # A country may have any number: they are looked up, not written down here.
            ofs=FillStrategy.NOT_FILL,
            description="Those who are counted as its own",
        ),
    },
    description="A country, as ISO 3166 has it",
)

author = Item(
    {
        "name": String(required=True, description="The name on the cover"),
        "given_name": String(description="Given name"),
        "family_name": String(description="Family name"),
        "born": Int(min=-3000, max=2100, description="Year of birth; negative: BC"),
        "died": Int(min=-3000, max=2100, description="Year of death; negative: BC"),
        "nationality": Ref(
            coll="nationalities", field="$.authors", description="Today's country"
        ),
        "books": RefsList(
            coll="books",
            field="$.author",
            description="Their books; who has any cannot be deleted",
        ),
    },
    description="Somebody who wrote a book",
)

book = Item(
    {
        "title": String(required=True, description="The title"),
        "author": Ref(
            coll="authors", field="$.books", required=True, description="Who wrote it"
        ),
        "year": Int(min=-3000, max=2100, description="Year of the first edition"),
        "language": String(pattern="^[a-z]{2,3}$", description="ISO 639 code"),
        "pages": Int(min=1, max=10_000, description="Pages of a usual edition"),
        "genre": String(enum=GENRES, description="What sort of book it is"),
        "tags": List(String(), uniq=True, max=20, description="Words to find it by"),
        "score": Float(min=0.0, max=10.0, description="How good it is"),
        "votes": Int(default=0, min=0, description="How many have voted on that"),
        "lent": Bool(default=False, description="Whether somebody has it at home"),
        "link": Url(description="Where to read more"),
        "shelf": Dict(
            {
                "room": String(default="hall", description="Which room"),
                "row": Int(min=1, max=99, description="Which row, from the top"),
            },
            description="Where it stands",
        ),
    },
    description="A book",
)


def bookcase(folder: Path) -> Backoffice:
    """The bookcase whose data is in one SQLite file in ``folder``."""
    office = Backoffice(
        "bookcase",
        info={
            "description": "Public-domain books, their authors and their countries.",
            "license": {"name": "MIT", "identifier": "MIT"},
            "contact": {
                "name": "The bookcase's librarian",
                "url": "https://example.com",
            },
        },
    )
    holds = {
        "books": (book, ["$.title", "$.author", "$.year", "$.pages"]),
        "authors": (author, ["$.name", "$.nationality"]),
        "nationalities": (nationality, ["$.a2"]),
    }
    for name, (item, indexes) in holds.items():
        about = f"All {name} of the bookcase"
        kept = store(folder, name, indexes)
        office.register_collection(Collection(name, item, kept, description=about))
    _add_selections(office)
    office.books.register_action(
        "vote",
        Action(
            {"score": Float(required=True, min=0.0, max=10.0)},
            vote,
            description="Say how good a book is: its score is the mean of all votes.",
        ),
    )
    return office


def vote(action: Action, book: Item) -> None:
    """Let the score of ``book`` be the mean with one vote more."""
    votes = book.votes.get_value() or 0
    score = book.score.get_value() or 0.0
    book.score = (score * votes + action.score) / (votes + 1)
    book.votes = votes + 1


def _add_selections(office: Backoffice) -> None:
    office.books.register_selection(
        "french",
        Selection(
            ["$.title", "$.author.name", "$.year"],
            filter={"$.author.nationality.a2": "FR"},
            sort="$.year",
            description="Books by French authors, the oldest first",
        ),
    )
    office.authors.register_selection(
        "shelf",
        Selection(
            ["$.name", "$.nationality.flag", "$.books.title"],
            sort="$.name",
            description="Every author, with the titles of the books",
        ),
    )


def store(folder: Path, table: str, indexes: Sequence[str] = ()) -> DBSqliteConnector:
    """A table of the bookcase's one file."""
    return DBSqliteConnector(
        path=folder / "bookcase.sqlite",
        table=table,
        indexes=indexes,
        # Seeding writes a thousand times; what a power cut takes, the next run brings.
        synchronous="NORMAL",
    )
