"""A program as a user might write it: `mypy --strict` must take all of it."""

from fastapi import Depends, FastAPI
from flask import Flask

from backo import (
    Backoffice,
    Bool,
    Collection,
    CurrentUser,
    Datetime,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    Dict,
    FilterError,
    Float,
    In,
    Int,
    Item,
    List,
    NotFoundError,
    Operator,
    SFilter,
    String,
    Tuple,
    Url,
    current_user,
)
from backo.http.auth import JWTAuth


def is_librarian(right: str, item: Item) -> bool:
    return current_user.has_role("librarian")


book = Item(
    {
        "title": String(required=True, description="The title"),
        "pages": Int(min=1, max=10_000),
        "score": Float(min=0, max=10),
        "lent": Bool(default=False),
        "tags": List(String(), uniq=True),
        "shelf": Dict({"room": String(), "row": Int()}),
        "place": Tuple((Float(), Float())),
        "edition": In([Int(), String()]),
        "printed": Datetime(can_modify=is_librarian),
        "link": Url(),
    },
    description="A book",
)
unstamped = Item({"name": String()}, meta_data_handler=None)


def store(name: str) -> DBConnector:
    if name == "notes":
        return DBYmlConnector(path="notes")
    return DBSqliteConnector(path="bookcase.sqlite", table=name, indexes=["$.title"])


def office() -> Backoffice:
    made = Backoffice("bookcase", version="1.0.0", info={"description": "Mine"})
    books = Collection("books", book, store("books"), can_modify=is_librarian)
    made.register_collection(books)
    made.register_collection(Collection("notes", unstamped, store("notes")))
    return made


def titles(bookcase: Backoffice) -> list[str]:
    long = SFilter("$.pages", Operator.GT, 1000)
    found: list[Item] = bookcase.books.select(long, sort="-$.pages", limit=5)
    return [str(one.title) for one in found]


def rename(bookcase: Backoffice, _id: str, title: str) -> str | None:
    try:
        item = bookcase.books.get_by_id(_id)
    except NotFoundError:
        return None
    except FilterError as error:
        return error.faults[0].path
    item.title = title
    item.save()
    login: str = current_user.login
    return login


def is_member(user: CurrentUser) -> bool:
    return user.has_role("member")


auth = JWTAuth(
    b"secret" * 8,
    algorithms=["HS256"],
    audience="library",
    claims={"login": "name", "roles": lambda claims: claims["groups"]},
    is_active=is_member,
    public=["books_list"],
)


def served_by_fastapi() -> FastAPI:
    app = FastAPI()
    app.include_router(office().router(prefix="api", jwt_auth=auth))

    @app.get("/mine", dependencies=[Depends(auth)])
    def mine() -> str:
        login: str = current_user.login
        return login

    return app


def served_by_flask() -> Flask:
    app = Flask("library")
    office().build_routes(app, prefix="api", jwt_auth=auth)

    @app.get("/books/<name>")
    @auth.required
    def mine(name: str) -> str:
        return name

    return app
