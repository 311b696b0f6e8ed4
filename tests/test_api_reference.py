"""The examples of the public reference, each in a test of its name: as they stand there
but for what is no valid Python, or left out; then what shows that they work."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Action,
    Backoffice,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    DeleteStrategy,
    Float,
    Int,
    Item,
    Ref,
    RefsList,
    SConstraintError,
    Selection,
    String,
    current_user,
)
from backo.errors import ReferencedError
from tests.inprocess import ADAPTERS, asking

type Connect = Callable[..., DBConnector]

BOOKCASE = "mongodb://localhost:27017/bookcase"


@pytest.fixture(params=[DBSqliteConnector, DBYmlConnector])
def DBMongoConnector(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    """Another store in the place of MongoDB's; each has a place of its own."""
    numbers = itertools.count()

    def connect(*, connection_string: str) -> DBConnector:
        name = f"{connection_string.rpartition('/')[2]}{next(numbers)}"
        if request.param is DBYmlConnector:
            return DBYmlConnector(path=tmp_path / name)
        return DBSqliteConnector(path=tmp_path / "all.db", table=name)

    return connect


def authors_of(office: Backoffice, connect: Connect, **schema: Any) -> Collection:
    """The collection that the examples point to."""
    books = RefsList(collection="books", field="$.author")
    item = Item({"name": String(), "books": books, **schema})
    office.register_collection(
        Collection("authors", item, connect(connection_string=BOOKCASE))
    )
    return office.collection("authors")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_action_vote(DBMongoConnector: Connect, adapter: str) -> None:
    # example
    book_item = Item(
        {
            "title": String(),
            "subtitle": String(),
            "author": Ref(coll="authors", field="$.books", required=True),
            "score": Float(default=5.0),
            "number_of_voter": Int(default=0),
        }
    )

    def do_vote(action, o):  # type: ignore[no-untyped-def]
        o.score = (o.score * o.number_of_voter + action.score) / (o.number_of_voter + 1)
        o.number_of_voter += 1

    vote_action = Action({"score": Float(max=10.0, min=0.0)}, do_vote)

    database_for_books = DBMongoConnector(
        connection_string="mongodb://localhost:27017/bookcase"
    )
    books = Collection("books", book_item, database_for_books)
    books.register_action("vote", vote_action)

    my_bookstore = Backoffice("bookstore")
    my_bookstore.register_collection(books)
    # ...
    authors = authors_of(my_bookstore, DBMongoConnector)
    authors.create({"_id": "zola"})
    my_bookstore.books.create({"_id": "nana", "author": "zola"})
    with asking(adapter, my_bookstore) as ask:
        vote = "/bookstore/books/_actions/vote/nana"
        for given, score in ((8, 8.0), (4.0, 6.0), (9, 7.0)):
            answer = ask("POST", vote, {"score": given})
            assert answer.status == 200
            assert json.loads(answer.body)["score"] == pytest.approx(score)
        assert ask("POST", vote, {"score": 11}).status == 422
        shown = json.loads(ask("GET", "/bookstore/books/nana").body)
    assert (shown["score"], shown["number_of_voter"]) == (pytest.approx(7.0), 3)
    assert database_for_books.get_by_id("nana")["number_of_voter"] == 3


def test_backoffice() -> None:
    # example
    my_app = Backoffice("customer_app")

    assert my_app.name == "customer_app"
    assert my_app.collections == {}
    assert my_app.check_syntax() == []


def test_collection(DBMongoConnector: Connect) -> None:
    # example
    book_item = Item(
        {
            "title": String(),
            "subtitle": String(),
            "author": Ref(collection="authors", field="$.books", required=True),
        }
    )

    database_for_books = DBMongoConnector(
        connection_string="mongodb://localhost:27017/bookcase"
    )
    books = Collection("books", book_item, database_for_books)

    my_bookstore = Backoffice("bookstore")
    my_bookstore.register_collection(books)
    # ...
    authors = authors_of(my_bookstore, DBMongoConnector)
    zola = authors.create({"name": "Zola"})
    made = books.create({"title": "Nana", "author": zola._id})
    assert books.get_by_id(made._id).title == "Nana"
    assert books.db_handler is database_for_books
    assert [one.title for one in books.select({"author.name": "Zola"})] == ["Nana"]
    with pytest.raises(SConstraintError):
        books.create({"title": "Orphan"})


def test_current_user_has_role() -> None:
    def is_admin() -> bool:
        # example
        if current_user.has_role("Admin"):
            return True
        else:
            return False

    assert not is_admin()
    current_user.set({"_id": "1", "login": "ada", "roles": ["Admin"]})
    assert is_admin()
    assert current_user.has_role(["Reader", "Admin"])


def test_item(DBMongoConnector: Connect) -> None:
    # example
    book = Item(
        {
            "title": String(),
            "subtitle": String(),
            "author": Ref(coll="authors", field="$.books", required=True),
            "pages": Int(),
        }
    )

    database_for_books = DBMongoConnector(
        connection_string="mongodb://localhost:27017/bookcase"
    )
    books = Collection("books", book, database_for_books)

    bookstore = Backoffice("bookstore")
    bookstore.register_collection(books)
    # ...
    authors_of(bookstore, DBMongoConnector).create({"_id": "zola", "name": "Zola"})
    made = books.new_item()
    made.create({"_id": "nana", "title": "Nana", "author": "zola"})
    made.pages = 500
    made.save()
    again = books.new_item()
    again.load("nana")
    assert (again.pages, again.select("$.author.name")) == (500, "Zola")
    made.delete()
    assert books.select({}) == []


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_selection(DBMongoConnector: Connect, adapter: str) -> None:
    # example
    book_item = Item(
        {
            "title": String(),
            "subtitle": String(),
            "author": Ref(collection="authors", field="$.books", required=True),
        }
    )

    database_for_books = DBMongoConnector(
        connection_string="mongodb://localhost:27017/bookcase"
    )
    books = Collection("books", book_item, database_for_books)

    fb = Selection(["$.title", "$.subtitle"], filter={"$.author.nationality.a2": "FR"})
    books.register_selection("french_book", fb)

    nfb = Selection(
        ["$.title", "$.subtitle"], filter={"$.author.nationality.a2": ("$ne", "FR")}
    )
    books.register_selection("non_french_book", nfb)
    # ...
    office = Backoffice("bookstore")
    office.register_collection(books)
    nationality = Ref(collection="countries")
    authors = authors_of(office, DBMongoConnector, nationality=nationality)
    country = Item({"a2": String()})
    store = DBMongoConnector(connection_string=BOOKCASE)
    office.register_collection(Collection("countries", country, store))
    for _id, a2, title in (("zola", "FR", "Nana"), ("dante", "IT", "Comedy")):
        office.countries.create({"_id": a2, "a2": a2})
        authors.create({"_id": _id, "nationality": a2})
        books.create({"_id": title.lower(), "title": title, "author": _id})
    with asking(adapter, office) as ask:
        for name, row in (
            ("french_book", ["nana", "Nana", None]),
            ("non_french_book", ["comedy", "Comedy", None]),
        ):
            path = f"/bookstore/books/_selections/{name}"
            for method in ("GET", "POST"):
                answer = json.loads(ask(method, path).body)
                assert (answer["result"], answer["total"]) == ([row], 1)
    assert fb.select() == [["nana", "Nana", None]]
    assert fb.can_read()
    assert fb.get_schema()["selectors"] == ["$._id", "$.title", "$.subtitle"]


def test_ref(DBMongoConnector: Connect) -> None:
    database_for_books = DBMongoConnector(connection_string=BOOKCASE)
    database_for_authors = DBMongoConnector(connection_string=BOOKCASE)
    # example
    book_item = Item(
        {
            "title": String(),
            "author": Ref(collection="authors", field="$.books", required=True),
        }
    )
    author_item = Item(
        {
            "name": String(),
            "surname": String(),
            "books": RefsList(collection="books", field="$.author"),
        }
    )

    books = Collection("books", book_item, database_for_books)
    authors = Collection("authors", author_item, database_for_authors)

    my_bookstore = Backoffice("bookstore")
    my_bookstore.register_collection(books)
    my_bookstore.register_collection(authors)

    assert my_bookstore.check_syntax() == []
    zola = authors.create({"_id": "zola", "name": "Zola"})
    books.create({"_id": "nana", "title": "Nana", "author": "zola"})
    zola.reload()
    assert zola.books.get_value() == ["nana"]
    assert zola.select("$.books.title") == ["Nana"]
    # The list must be empty before: that is the default.
    with pytest.raises(ReferencedError):
        zola.delete()
    books.get_by_id("nana").delete()
    assert authors.get_by_id("zola").books.get_value() == []


def test_refs_list(DBMongoConnector: Connect) -> None:
    database_for_books = DBMongoConnector(connection_string=BOOKCASE)
    database_for_authors = DBMongoConnector(connection_string=BOOKCASE)
    # example
    book_item = Item(
        {
            "title": String(),
            "author": Ref(collection="authors", field="$.books", required=True),
        }
    )
    author_item = Item(
        {
            "name": String(),
            "surname": String(),
            "books": RefsList(
                collection="books",
                field="$.author",
                ods=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            ),
        }
    )

    books = Collection("books", book_item, database_for_books)
    authors = Collection("authors", author_item, database_for_authors)

    my_bookstore = Backoffice("bookstore")
    my_bookstore.register_collection(books)
    my_bookstore.register_collection(authors)

    zola = authors.create({"_id": "zola", "name": "Zola"})
    for title in ("Nana", "Germinal"):
        books.create({"title": title, "author": "zola"})
    assert len(authors.get_by_id("zola").books) == 2
    zola.reload()
    zola.delete()
    assert books.select({}) == []
