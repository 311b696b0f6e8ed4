"""Contents and documents are written together, or neither is, whatever fails."""

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backo import (
    Action,
    Backoffice,
    BlobFile,
    Collection,
    DBConnector,
    DBSqliteConnector,
    DBYmlConnector,
    Dict,
    File,
    FileConnector,
    FileSystemConnector,
    Item,
    List,
    String,
)
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.testing.failing import Failing
from tests.files.abandoning import let_go
from tests.files.conftest import SixMethods
from tests.serving import serving

OF_FILES = ("clear", "delete", "has_file", "read_chunk", "write", "write_chunk")
OF_DOCUMENTS = (
    "create",
    "save",
    "delete_by_id",
    "get_by_id",
    "get_json",
    "get_many",
    "compare_and_set",
    "compare_and_delete",
)

NOW = timedelta(0)

type State = dict[str, Any]
"""What an item has, by its id: its title, and the bytes in each of its fields."""


class Library:
    """Books with files everywhere, and where they are kept."""

    def __init__(self, store: DBConnector, warm: FileConnector, cold: FileConnector):
        self.store, self.files = store, (warm, cold)
        book = Item(
            {
                "title": String(),
                "cover": File(work=warm, storage=cold),
                "note": BlobFile(),
                "pages": List(Dict({"scan": File(work=warm)})),
            }
        )
        self.office = Backoffice("library")
        self.office.register_collection(Collection("books", book, store))
        self.books = self.office.books
        taken = Action({"photo": File(work=warm)}, on_trig=self.take)
        self.books.register_action("take", taken)

    @staticmethod
    def take(action: Any, book: Any) -> None:
        book.cover = action.photo

    def documents(self) -> list[dict[str, Any]]:
        return self.store.find(Query())

    def state(self) -> State:
        """Everything, read as users read it."""
        return {
            document["_id"]: self._contents(document["_id"])
            for document in self.documents()
        }

    def _contents(self, _id: str) -> dict[str, Any]:
        book = self.books.get_by_id(_id)
        return {
            "title": book.title.get_value(),
            "cover": book.cover.get_content(),
            "note": book.note.get_content(),
            "pages": [one.scan.get_content() for one in book.pages],
        }

    def orphans(self) -> set[tuple[int, str]]:
        """The contents that no document has, with the number of their store."""
        named = set()
        for one in self.documents():
            pages = [page.get("scan") for page in one.get("pages") or ()]
            for file in (one.get("cover"), *pages):
                if file:
                    named.add((0, file["file_id"]))
            if one.get("cover"):
                named.add((1, one["cover"]["file_id"]))
        there = {
            (number, file_id)
            for number, store in enumerate(self.files)
            for file_id in ids_in(store)
        }
        assert named <= there
        return there - named

    def begin(self) -> str:
        """Have one book, and nothing else."""
        for document in self.documents():
            self.books.get_by_id(document["_id"]).delete()
        for number, file_id in self.orphans():
            self.files[number].delete(file_id)
        pages = [{"scan": b"one"}, {"scan": b"two"}]
        given = {"_id": "a", "title": "t", "cover": b"cover", "pages": pages}
        self.books.create({**given, "note": b"note"})
        return "a"


def ids_in(store: FileConnector) -> list[str]:
    if isinstance(store, SixMethods):
        return list(store.contents)
    return [one.file_id for one in store.stored()]


class Faults(Failing):
    """Makes one call of a library's connectors fail."""

    @contextmanager
    def __call__(self, library: Library) -> Iterator[None]:
        with ExitStack() as patched:
            patched.enter_context(self.within(library.store, *OF_DOCUMENTS))
            for store in library.files:
                patched.enter_context(self.within(store, *OF_FILES))
            yield


def made(stores: str, path: Path) -> Library:
    """A library over such stores, of items and of contents."""
    store, files = stores.split("-")
    documents: dict[str, Callable[[], DBConnector]] = {
        "memory": DBMemoryConnector,
        "yml": lambda: DBYmlConnector(path=path / "books"),
        "sqlite": lambda: DBSqliteConnector(path=path / "db.sqlite", table="books"),
    }
    contents: dict[str, Callable[[str], FileConnector]] = {
        "folder": lambda name: FileSystemConnector(path=path / name),
        "six": lambda name: SixMethods(buffer_size=10),
    }
    keep = contents[files]
    return Library(documents[store](), keep("warm"), keep("cold"))


@pytest.fixture(params=["memory-six", "yml-folder", "sqlite-folder"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    return made(request.param, tmp_path)


type Act = Callable[[httpx.Client], httpx.Response]


def _form(**parts: bytes) -> dict[str, Any]:
    return {name: (name, value) for name, value in parts.items()}


def _upload(client: httpx.Client) -> httpx.Response:
    values = json.dumps({"title": "new"})
    page = {"pages[0].scan": ("1", b"new one")}
    files = {**_form(cover=b"new"), **page}
    return client.post("/books", files=files, data={"_json": values})


def _upload_json(client: httpx.Client) -> httpx.Response:
    values = {"title": "new", "cover": "base64:bmV3", "pages": [{"scan": "new one"}]}
    return client.post("/books", json=values)


def _replace(client: httpx.Client) -> httpx.Response:
    return client.put("/books/a", files=_form(cover=b"new", note=b"N"))


def _replace_below(client: httpx.Client) -> httpx.Response:
    pages = {"pages[1].scan": ("2", b"new two")}
    return client.patch("/books/a", files={**_form(cover=b"new"), **pages})


def _patch(client: httpx.Client) -> httpx.Response:
    operations = [
        {"op": "remove", "path": "/pages/0"},
        {"op": "replace", "path": "/cover", "value": "new"},
    ]
    return client.patch("/books/a", json=operations)


def _copy(client: httpx.Client) -> httpx.Response:
    operation = {"op": "copy", "from": "/pages/0", "path": "/pages/-"}
    return client.patch("/books/a", json=operation)


def _merge(client: httpx.Client) -> httpx.Response:
    media = {"content-type": "application/merge-patch+json"}
    return client.patch("/books/a", content=b'{"cover": null}', headers=media)


def _delete(client: httpx.Client) -> httpx.Response:
    return client.delete("/books/a")


def _act(client: httpx.Client) -> httpx.Response:
    return client.post("/books/_actions/take/a", files=_form(photo=b"photo"))


ACTS: dict[str, Act] = {
    one.__name__.strip("_"): one
    for one in (
        _upload,
        _upload_json,
        _replace,
        _replace_below,
        _patch,
        _copy,
        _merge,
        _delete,
        _act,
    )
}


@contextmanager
def asking(library: Library, adapter: str) -> Iterator[httpx.Client]:
    """Asks the library by way of that framework."""
    with serving(library.office, adapter) as port:
        base = f"http://127.0.0.1:{port}/library"
        with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
            yield client


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The failures are ours: nobody need be told."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# --- Failures ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    "way", ["fastapi-sqlite-folder", "flask-yml-folder", "flask-memory-six"]
)
def test_a_failure_at_any_call_of_a_request_leaves_all_or_nothing(
    way: str, act: str, after: bool, tmp_path: Path
) -> None:
    adapter, _, stores = way.partition("-")
    library = made(stores, tmp_path)
    with asking(library, adapter) as client:
        for number in itertools.count(1):
            faults = Faults(number, after=after)
            _fail_once(library, faults, lambda: ACTS[act](client))
            if not faults.failed:
                assert number > 4
                break


def _fail_once(
    library: Library, faults: Faults, act: Callable[[], httpx.Response]
) -> None:
    library.begin()
    before = library.state()
    with faults(library):
        answer = act()
    happened, left = library.state(), library.orphans()
    about = f"{faults.failed} was call {faults.number} of {faults.calls}: {answer.text}"
    # The call that failed is itself the one that removes.
    assert not left or faults.failed == "delete" and not faults.after, about
    assert (happened == before) == (answer.status_code >= 500), about
    assert answer.is_success or faults.failed, about
    report = library.office.check_files(NOW, delete=True)
    assert report.missing == []
    assert report.unlisted or library.orphans() == set()


# --- Everything else ----------------------------------------------------------------


def test_an_explicit_transaction_that_is_undone(library: Library) -> None:
    library.begin()
    before, office, books = library.state(), library.office, library.books
    number = office.start_transaction()
    books.create({"title": "b", "cover": b"b"}, transaction_id=number)
    book = books.get_by_id("a", transaction_id=number)
    book.cover = b"other"
    book.pages.pop()
    book.save(transaction_id=number)
    book.delete(transaction_id=number)
    office.rollback_transaction(number)
    assert library.state() == before
    del book
    let_go()
    assert library.orphans() == set()


def test_an_explicit_transaction_that_is_kept(library: Library) -> None:
    library.begin()
    office, books = library.office, library.books
    number = office.start_transaction()
    book = books.get_by_id("a", transaction_id=number)
    for content in (b"second", b"third"):
        book.cover = content
        book.save(transaction_id=number)
    office.stop_transaction(number)
    assert library.state()["a"]["cover"] == b"third"
    del book
    let_go()
    assert library.orphans() == set()


def test_a_part_of_a_unit_that_is_undone(library: Library) -> None:
    library.begin()
    with library.office.transaction():
        book = library.books.get_by_id("a")
        book.cover = b"outer"
        book.save()
        with pytest.raises(KeyError), library.office.transaction():
            book.cover = b"inner"
            book.save()
            raise KeyError
    assert library.state()["a"]["cover"] == b"outer"
    del book
    let_go()
    assert library.orphans() == set()


def test_copies_have_contents_of_their_own(library: Library) -> None:
    library.begin()
    book = library.books.get_by_id("a")
    values = {key: one for key, one in book.get_value().items() if key[0] != "_"}
    del values["note"]
    copy = library.books.create(values)
    book.delete()
    assert copy.cover.get_content() == b"cover"
    assert [one.scan.get_content() for one in copy.pages] == [b"one", b"two"]
    del book, copy
    let_go()
    assert library.orphans() == set()


def test_a_migration_keeps_files_and_removes_those_it_takes_out(
    library: Library,
) -> None:
    library.begin()
    before = library.state()
    library.office.migrate("books", lambda one: {**one, "title": "new"}, dry_run=False)
    assert library.state() == {"a": {**before["a"], "title": "new"}}
    assert library.orphans() == set()

    def without(document: dict[str, Any]) -> None:
        document["cover"] = None
        del document["pages"][0]

    library.office.migrate("books", without)
    assert library.state() == {"a": {**before["a"], "title": "new"}}
    library.office.migrate("books", without, dry_run=False)
    after = {"title": "new", "cover": None, "pages": [b"two"]}
    assert library.state() == {"a": {**before["a"], **after}}
    assert library.orphans() == set()


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_who_replaces_at_once(library: Library, adapter: str) -> None:
    library.begin()
    contents = [f"content {n}".encode() * 2000 for n in range(6)]
    with asking(library, adapter) as client, ThreadPoolExecutor(6) as pool:

        def put(content: bytes) -> int:
            return client.put("/books/a", files=_form(cover=content)).status_code

        assert set(pool.map(put, contents)) <= {200, 409}
        assert client.get("/books/a/cover").content in contents
    assert library.orphans() == set()


@pytest.mark.parametrize("change", ["replace", "delete"])
@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
# One with six methods alone promises nothing.
@pytest.mark.parametrize("library", ["yml-folder", "sqlite-folder"], indirect=True)
def test_who_downloads_what_goes_meanwhile_gets_all_of_it(
    library: Library, adapter: str, change: str
) -> None:
    library.begin()
    # More than the buffers between the two take.
    content = bytes(range(256)) * 80_000
    with asking(library, adapter) as client:
        assert client.put("/books/a", files=_form(cover=content)).is_success
        with client.stream("GET", "/books/a/cover") as answer:
            pieces = answer.iter_bytes()
            first = next(pieces)
            assert ACTS[change](client).is_success
            assert library.orphans() == set()
            assert first + b"".join(pieces) == content
