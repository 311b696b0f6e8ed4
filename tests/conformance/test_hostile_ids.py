"""Ids that try to be something else: paths, escapes, bytes that are no text."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.adapters import Both, Servers, both, servers

__all__ = ["both", "servers"]

HOSTILE = [
    "../x",
    "..%2fx",
    "..%2Fx",
    "%2e%2e%2fx",
    "%2e%2e",
    "..",
    ".",
    "a/b",
    "a%2Fb",
    "..%5cx",
    "%252e%252e%252fx",
    "%00",
    "x%00.yml",
    "con.yml",
    "x.yml",
    ".lock",
    "%0a",
    "x%0a",
    "%20",
    "%ff",
    "%ed%a0%80",
    "%c0%af",
    "%zz",
    "%",
    "~",
    "$where",
    "';--",
    "x" * 10_000,
    "%F0%9F%98%80",
]


def planted(folder: Path, store: str) -> dict[Path, bytes]:
    """Files next to the folders of ``store``, which nothing may read or write."""
    beside = [folder / app / store for app in ("fastapi", "flask")]
    for parent in beside:
        parent.mkdir(parents=True, exist_ok=True)
        (parent / "x.yml").write_text("_id: x\ntitle: a file of somebody else\n")
    return {
        path: path.read_bytes()
        for parent in (folder, *(folder / app for app in ("fastapi", "flask")), *beside)
        for path in parent.iterdir()
        if path.is_file()
    }


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_id_reaches_anything_else(
    both: Both, servers: Servers, hostile: str
) -> None:
    both("POST", "/books", {"title": "Emma"})
    store = both.base.rpartition("/")[2]
    before = planted(servers.folder, store)
    listed = both("GET", "/books").body
    exchanges: list[tuple[str, Any, str | None]] = [
        ("GET", None, None),
        ("HEAD", None, None),
        ("DELETE", None, None),
        ("PUT", {"title": "mine"}, "application/json"),
        ("PATCH", {"title": "mine"}, "application/merge-patch+json"),
    ]
    for method, body, media in exchanges:
        answer = both(method, f"/books/{hostile}", body, media=media)
        assert answer.status == 404, (method, answer)
        assert answer["content-type"] == "application/problem+json"
        assert method == "HEAD" or answer.json["instance"].isascii()
    assert both("GET", "/books").body == listed
    assert planted(servers.folder, store) == before


def test_a_caller_chooses_no_id(both: Both) -> None:
    refused = both("POST", "/books", {"title": "Emma", "_id": "../x"})
    assert (refused.status, refused.errors) == (422, {"$._id": "read_only"})
    operation = {"op": "replace", "path": "/_id", "value": "../x"}
    both("POST", "/books", {"title": "Emma"})
    assert both("PATCH", "/books/1", operation).status == 422
    assert both("PUT", "/books/1", {"_id": "../x"}).status == 422


@pytest.mark.parametrize("odd", ["a b", "é%", "100%25", "a?b=c&d", "a#b", "a+b", "😀"])
def test_the_place_of_an_odd_id_leads_to_it(
    both: Both, servers: Servers, odd: str
) -> None:
    for mine in servers.giving_ids(both.base.rpartition("/")[2]):
        mine.books.db_handler.generate_id = lambda o: odd  # type: ignore[method-assign]
    place = both("POST", "/books", {"title": "Emma"})["location"]
    assert place == f"{both.base}/books/{quote(odd, safe='')}"
    assert both("GET", place.removeprefix(both.base)).json["_id"] == odd
