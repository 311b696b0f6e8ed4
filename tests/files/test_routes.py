"""The route of files stands beside those of selections."""

import pytest
import requests

from backo import Backoffice, Collection, File, FileBlobConnector, Item, List, String
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
