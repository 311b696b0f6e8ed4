"""A client that openapi-python-client makes works against a running server."""

from pathlib import Path

from examples.bookcase.model import bookcase
from tests.openapi.generating import generate, use
from tests.openapi.running import running

USE = """
import sys
from bookcase_client import Client
from bookcase_client.api.authors import authors_create
from bookcase_client.api.books import (
    books_create, books_delete, books_get, books_list,
)
from bookcase_client.models import (
    Authors, AuthorsCreate, AuthorsExpanded, Books, BooksCreate, BooksExpanded,
    BooksGetExpandItem, BooksPage, Problem,
)

with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    author = authors_create.sync(client=client, body=AuthorsCreate(name="Zola"))
    assert isinstance(author, Authors) and author.name == "Zola", author
    book = BooksCreate(title="Nana", author=author.field_id, pages=500)
    made = books_create.sync(client=client, body=book)
    assert isinstance(made, Books) and made.title == "Nana", made
    page = books_list.sync(client=client, title="Nana", pages_gt=499)
    assert isinstance(page, BooksPage) and page.total == 1, page
    assert page.result[0].to_dict() == made.to_dict()
    said = books_list.sync(client=client, filter_='{"author.name": "Zola"}')
    assert isinstance(said, BooksPage) and said.total == 1, said
    got = books_get.sync(made.field_id, client=client)
    assert isinstance(got, BooksExpanded) and got.to_dict() == made.to_dict(), got
    paths = [BooksGetExpandItem.AUTHOR, BooksGetExpandItem.AUTHOR_NATIONALITY]
    wide = books_get.sync(made.field_id, client=client, field_expand=paths)
    assert isinstance(wide, BooksExpanded), wide
    assert isinstance(wide.author, AuthorsExpanded), wide
    assert wide.author.books == [made.field_id], wide
    assert books_delete.sync_detailed(made.field_id, client=client).status_code == 204
    gone = books_get.sync(made.field_id, client=client)
    assert isinstance(gone, Problem) and gone.status == 404, gone
"""


def test_a_generated_client_creates_lists_reads_and_deletes(tmp_path: Path) -> None:
    client = generate(bookcase(tmp_path), tmp_path)
    with running("fastapi", "bookcase", tmp_path) as url:
        use(client, USE, url)
