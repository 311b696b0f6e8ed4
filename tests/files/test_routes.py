"""The route of files stands beside those of selections."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from backo import (
    Backoffice,
    BlobFile,
    Collection,
    Dict,
    File,
    FileBlobConnector,
    Item,
    List,
    String,
)
from backo.connectors.memory import DBMemoryConnector
from tests.serving import serving


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_a_selection_is_no_file(adapter: str) -> None:
    office = Backoffice("office")
    item = Item({"title": String(), "cover": File(work=FileBlobConnector())})
    office.register_collection(Collection("books", item, DBMemoryConnector()))
    book = office.books.create({"title": "Emma", "cover": "text"})
    with serving(office, adapter) as port:
        books = f"http://127.0.0.1:{port}/office/books"
        found = requests.get(f"{books}/_selections/_all", timeout=5)
        cover = requests.get(f"{books}/{book['_id']}/cover", timeout=5)
        absent = requests.get(f"{books}/_selections/cover", timeout=5)
    assert found.json()["result"][0]["title"] == "Emma"
    assert (cover.status_code, cover.content) == (200, b"text")
    assert absent.status_code == 404


def test_meta_tells_what_a_file_may_be() -> None:
    file = File(work=FileBlobConnector(), mime_types=["image/*"], max_size=10)
    books = Collection("books", Item({"cover": file}), DBMemoryConnector())
    Backoffice("office").register_collection(books)
    told = books.get_meta()["item"]["sub_scheme"]["cover"]
    assert (told["mime_types"], told["max_size"]) == (["image/*"], 10)


def test_a_file_is_given_once_and_one_of_a_list_as_often_as_wanted() -> None:
    store = FileBlobConnector()
    office = Backoffice("office")
    fields = {"cover": File(work=store), "scans": List(File(work=store))}
    office.register_collection(Collection("books", Item(fields), DBMemoryConnector()))
    with serving(office) as port:
        books = f"http://127.0.0.1:{port}/office/books"
        twice = [("cover", ("a", b"a")), ("cover", ("b", b"b"))]
        refused = requests.post(books, files=twice, timeout=5)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_form")
        assert not list(store.stored())
        several = [("scans", ("a", b"a")), ("scans", ("b", b"b"))]
        made = requests.post(books, files=several, timeout=5).json()
    assert [one["filename"] for one in made["scans"]] == ["a", "b"]


def served(fields: dict[str, Any], **given: Any) -> tuple[Backoffice, str]:
    """A backoffice of books with these fields, and the id of the one that there is."""
    office = Backoffice("office")
    books = Collection("books", Item(fields), DBMemoryConnector())
    office.register_collection(books)
    return office, str(books.create(given)["_id"])


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_a_path_leads_where_it_says(adapter: str) -> None:
    """Digits are an index in a List, and a name elsewhere."""
    store = FileBlobConnector()
    page = Dict({"2": File(work=store)})
    fields = {"1": File(work=store), "pages": List(page)}
    office, _id = served(fields, **{"1": b"one", "pages": [{"2": b"page"}]})
    with serving(office, adapter) as port:
        book = f"http://127.0.0.1:{port}/office/books/{_id}"
        for path, content in {
            "1": b"one",
            "$.1": b"one",
            "pages.0.2": b"page",
            "pages[0].2": b"page",
            "pages.2": None,
            "pages.1.2": None,
            "pages.0": None,
            "pages": None,
            "0.1": None,
            f"pages.{'9' * 4400}.2": None,
            f"pages[{'1' * 4400}].2": None,
            "pages[٠].2": None,
        }.items():
            got = requests.get(f"{book}/{path}", timeout=5)
            head = requests.head(f"{book}/{path}", timeout=5)
            wanted = 404 if content is None else 200
            assert (got.status_code, head.status_code) == (wanted, wanted), path
            assert content is None or got.content == content


class Replaced(FileBlobConnector):
    """Has a file replaced whenever somebody begins to read it, so many times."""

    def __init__(self, office: Callable[[], Backoffice]) -> None:
        super().__init__()
        self.office = office
        self.times = 0

    def read_range(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        self._replace()
        return super().read_range(file_id, start, stop)

    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        self._replace()
        return super().read_chunk(file_id)

    def _replace(self) -> None:
        if self.times:
            self.times -= 1
            (book,) = self.office().books.select({})
            book.cover = b"content %d" % self.times
            book.save()


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
@pytest.mark.parametrize("asked", [None, "bytes=0-6", "bytes=0-1,4-6"])
def test_a_file_that_is_replaced_meanwhile_is_there(
    adapter: str, asked: str | None
) -> None:
    store = Replaced(lambda: office)
    office, _id = served({"cover": File(work=store)}, cover=b"content x")
    with serving(office, adapter) as port:
        book = f"http://127.0.0.1:{port}/office/books/{_id}"
        store.times = 3
        headers = {"range": asked} if asked else {}
        answer = requests.get(f"{book}/cover", headers=headers, timeout=5)
        assert answer.status_code == (206 if asked else 200)
        tag = requests.get(f"{book}/cover", timeout=5).headers["etag"]
        assert answer.headers["etag"] == tag
        assert asked or answer.content == b"content 0"


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_what_is_missing_is_missing_for_head_too(adapter: str) -> None:
    store = FileBlobConnector()
    fields = {"cover": File(work=store), "note": BlobFile()}
    office, _id = served(fields, cover=b"text", note=b"note")
    with serving(office, adapter) as port:
        book = f"http://127.0.0.1:{port}/office/books/{_id}"
        assert requests.head(f"{book}/cover", timeout=5).status_code == 200
        (kept,) = store.stored()
        store.delete(kept.file_id)
        for name, status in (("cover", 404), ("note", 200)):
            for ask in (requests.head, requests.get):
                assert ask(f"{book}/{name}", timeout=5).status_code == status
                # What the client has already is not asked for.
                known = {"if-none-match": "*"}
                answer = ask(f"{book}/{name}", headers=known, timeout=5)
                assert answer.status_code == 304
