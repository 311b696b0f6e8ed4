"""Collections whose items are Items answer as those whose documents stay documents."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
from tests.files.abandoning import let_go
from tests.serving import serving

type Document = dict[str, Any]


class Pair(NamedTuple):
    """The same collection, once with a handler and once without."""

    ask: Callable[..., requests.Response]
    collections: tuple[Collection, Collection]


def made(name: str, **options: Any) -> Collection:
    work, numbers = FileBlobConnector(), itertools.count(1)
    work.generate_id = lambda: f"f{next(numbers)}"  # type: ignore[method-assign]
    fields = {
        "title": String(),
        "doc": File(work=work),
        "cover": File(work=work),
        "hidden": File(work=work, can_read=False),
        "copy": File(work=work, set=lambda book: book.doc, views=["save"]),
        "far": File(work=FileBlobConnector()),
        "extra": List(File(work=work)),
        "notes": List(BlobFile()),
        "pages": List(
            Dict({"no": String(), "scan": File(work=work, default=b"x" * 300)})
        ),
    }
    if "on" not in options:
        # What is computed needs an Item.
        del fields["copy"]
    item = Item(fields, meta_data_handler=None, **options)
    return Collection(name, item, DBMemoryConnector())


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, tuple[Collection, Collection]]]:
    office = Backoffice("office", max_upload_size=1000, max_parts=4)
    handler = ("saved", lambda *_args, **_kwargs: None)
    both = made("documents"), made("items", on=[handler])
    for one in both:
        office.register_collection(one)
    with serving(office) as port:
        yield port, both


@pytest.fixture
def pair(served: tuple[int, tuple[Collection, Collection]]) -> Pair:
    """Each has the item ``a``, whose ``doc`` is larger than a request may be."""
    port, both = served
    for one in both:
        one.db_handler.drop()
        one.create(
            {
                "_id": "a",
                "title": "t",
                "doc": b"x" * 5000,
                "cover": b"cover",
                "extra": [b"one", b"two"],
                "notes": [b"note"],
                "pages": [{"no": "1", "scan": b"page"}],
            }
        )
    let_go()

    def ask(method: str, body: Any = None) -> requests.Response:
        answers = [_asked(port, one, method, body) for one in both]
        texts = [one.text for one in answers]
        assert len({one.status_code for one in answers}) == 1, texts
        if not answers[0].ok:
            told = [re.sub(r"/office/\w+|'f\d+'", "", one) for one in texts]
            assert told[0] == told[1]
        return answers[0]

    return Pair(ask, both)


def _asked(port: int, one: Collection, method: str, body: Any) -> requests.Response:
    """``body`` may be made of what is answered of the item."""
    address = f"http://127.0.0.1:{port}/office/{one.name}/a"
    if callable(body):
        body = body(requests.get(address, timeout=10).json())
    patch = "-patch+json" if isinstance(body, list) else ""
    return requests.request(
        method,
        address,
        data=None if body is None else json.dumps(body),
        headers={"content-type": f"application/json{patch}"},
        timeout=10,
    )


def copy(source: str, target: str) -> Document:
    return {"op": "copy", "from": f"/{source}", "path": f"/{target}"}


@pytest.mark.parametrize("name", ["doc", "cover", "extra", "notes", "pages"])
def test_what_was_answered_is_taken(pair: Pair, name: str) -> None:
    before = pair.ask("GET").json()[name]
    answer = pair.ask("PUT", lambda found: {name: found[name], "title": "y"})
    assert answer.json()[name] == before
    if isinstance(before, list):
        answer = pair.ask("PUT", lambda found: {name: found[name][::-1]})
        assert answer.json()[name] == before[::-1]


def test_what_may_not_be_read_may_be_set(pair: Pair) -> None:
    assert pair.ask("PUT", lambda found: {"hidden": found["cover"]}).ok
    assert pair.ask("PATCH", [copy("cover", "hidden")]).ok
    assert pair.ask("PUT", {"title": "y"}).ok
    for one in pair.collections:
        document = one.db_handler.get_by_id("a")
        assert document["hidden"]["file_id"] != document["cover"]["file_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"extra": [{}]},
        {"extra": [{"filename": None}]},
        {"extra": [{"file_id": None}]},
        {"extra": ["x", None]},
        {"extra": ["x", {"file_id": "unknown"}]},
        {"pages": [{"scan": {"file_id": "unknown"}}]},
        {"doc": {"size": 1, "file_id": "unknown"}},
        [{"op": "add", "path": "/extra/-", "value": {}}],
        [{"op": "remove", "path": "/extra/5"}],
    ],
    ids=str,
)
def test_what_is_no_file_is_refused(pair: Pair, body: Any) -> None:
    assert pair.ask("PUT" if isinstance(body, dict) else "PATCH", body).status_code in (
        409,
        422,
    )


def test_a_file_that_is_set_to_nothing_is_none(pair: Pair) -> None:
    for said in ({}, {"filename": None}, {"file_id": None}):
        assert pair.ask("PUT", {"far": said}).json()["far"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        # A request that asks for no copy is charged for none, whatever is computed.
        ({"title": "y"}, 200),
        ({"extra": ["x" * 500, "y" * 500]}, 200),
        ({"extra": ["x" * 500, "y" * 501]}, 413),
        ({"extra": ["x"] * 5}, 413),
        ([copy("doc", "cover")], 413),
        ([copy("cover", "far")], 200),
        ([copy("doc", "far")], 413),
        ([copy("cover", "extra/-")] * 4, 200),
        ([copy("cover", "extra/-")] * 5, 413),
        ([copy("notes/0", "notes/-")] * 4, 200),
        ([copy("notes/0", "notes/-")] * 5, 413),
        ({"pages": [{"no": "1"}] * 3}, 200),
        # Defaults have to be written, too.
        ({"pages": [{"no": "1"}] * 4}, 413),
    ],
    ids=str,
)
def test_a_request_brings_so_much_and_no_more(
    pair: Pair, body: Any, status: int
) -> None:
    before = pair.ask("GET").json()
    method = "PUT" if isinstance(body, dict) else "PATCH"
    assert pair.ask(method, body).status_code == status
    if status != 200:
        assert pair.ask("GET").json() == before


def test_a_list_with_a_lost_content_can_be_changed(pair: Pair) -> None:
    for one in pair.collections:
        page = one.db_handler.get_by_id("a")["pages"][0]
        one.model.doc._node_file.work.delete(page["scan"]["file_id"])
    changed = pair.ask(
        "PUT", lambda found: {"pages": [{**found["pages"][0], "no": "2"}]}
    )
    assert changed.json()["pages"][0]["no"] == "2"
    lost = pair.ask("PATCH", [copy("pages/0/scan", "cover")])
    assert lost.status_code == 422
