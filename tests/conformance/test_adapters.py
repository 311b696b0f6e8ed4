"""What both adapters do alike, over every connector: CRUD and its errors."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.adapters import (
    ANY_STORE,
    EMMA,
    Both,
    Servers,
    both,
    servers,
    shelf,
)

__all__ = ["both", "servers", "shelf"]


def titles(both: Both, query: str) -> list[str]:
    answer = both("GET", f"/books?{query}")
    assert answer.status == 200, answer.body
    return [one["title"] for one in answer.json["result"]]


# --- CRUD -----------------------------------------------------------------------------


def test_create_answers_with_the_item_its_place_and_its_tag(both: Both) -> None:
    made = both("POST", "/books", EMMA)
    assert made.status == 201
    assert made["location"] == f"{both.base}/books/1"
    assert made["content-type"] == "application/json"
    assert made.json["_id"] == "1"
    assert made.json["lent"] is False
    assert made.json["shelf"] == {"room": "hall", "row": None}
    assert made.json["_meta"]["created_by"] == {"_id": "000", "login": "ANONYMOUS"}
    assert "secret" not in made.json
    read = both("GET", "/books/1")
    assert (read.status, read.body, read["etag"]) == (200, made.body, made["etag"])


def test_every_header_is_there_once(shelf: Both) -> None:
    for path in ("/books", "/books/1", "/books/none", "/nowhere", "/_docs"):
        names = [name for name, _ in shelf("GET", path).headers]
        assert len(names) == len(set(names))
        assert {"content-type", "content-length"} <= set(names)


def test_the_tag_spares_the_body_when_the_client_has_it(shelf: Both) -> None:
    tag = shelf("GET", "/books/1")["etag"]
    for sent in (tag, f"W/{tag}", "*", f'"x", {tag}', f'"x",{tag},"y"'):
        unchanged = shelf("GET", "/books/1", if_none_match=sent)
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert unchanged.headers == (("etag", tag),)
    assert shelf("GET", "/books/1", if_none_match='"x"').status == 200


def test_put_changes_what_it_gives_and_nothing_else(shelf: Both) -> None:
    changed = shelf("PUT", "/books/2", {"pages": 121, "shelf": {"room": "attic"}})
    assert changed.status == 200
    assert changed.json["pages"] == 121
    assert changed.json["title"] == "Odes"
    assert changed.json["shelf"] == {"room": "attic", "row": 3}
    read = shelf("GET", "/books/2")
    assert (read.body, read["etag"]) == (changed.body, changed["etag"])


@pytest.mark.parametrize(
    ("method", "body", "media"),
    [
        ("PUT", {"pages": 1}, "application/json"),
        ("PATCH", {"pages": 1}, "application/merge-patch+json"),
        ("DELETE", None, None),
    ],
)
def test_if_match_guards_each_change(
    shelf: Both, method: str, body: Any, media: str | None
) -> None:
    tag = shelf("GET", "/books/1")["etag"]
    for stale in ('"stale"', f"W/{tag}", ""):
        refused = shelf(method, "/books/1", body, media=media, if_match=stale)
        assert refused.status == 412
        assert refused.json["code"] == "precondition_failed"
    assert shelf("GET", "/books/1")["etag"] == tag
    done = shelf(method, "/books/1", body, media=media, if_match=f'"x", {tag}')
    assert done.status in (200, 204)


def test_if_match_takes_any_item_that_exists(shelf: Both) -> None:
    assert shelf("DELETE", "/books/1", if_match="*").status == 204
    assert shelf("DELETE", "/books/1", if_match="*").status == 404


def test_delete_is_for_good(shelf: Both) -> None:
    gone = shelf("DELETE", "/books/1")
    assert (gone.status, gone.headers, gone.body) == (204, (), b"")
    assert shelf("GET", "/books/1").status == 404
    assert shelf("DELETE", "/books/1").status == 404
    assert titles(shelf, "") == ["Odes", "Idylls"]


def test_head_is_get_without_the_body(shelf: Both) -> None:
    for path in ("/books", "/books/1", "/books/none", "/_meta", "/_openapi", "/_docs"):
        get, head = shelf("GET", path), shelf("HEAD", path)
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@ANY_STORE
@pytest.mark.parametrize("_id", ["_meta", "_check"])
def test_head_is_get_where_an_id_looks_like_an_operation(
    both: Both, servers: Servers, _id: str
) -> None:
    path = f"/books/{_id}"
    assert (both("GET", path).status, both("HEAD", path).status) == (404, 404)
    for offices in servers.offices:
        offices["memory"].books.db_handler.create({"_id": _id, **EMMA})
    assert (both("GET", path).status, both("HEAD", path).status) == (200, 200)


# --- Patches --------------------------------------------------------------------------


def patch(both: Both, *operations: Any, path: str = "/books/1") -> Any:
    return both("PATCH", path, list(operations), media="application/json-patch+json")


def test_json_patch_by_pointer_and_by_selector(shelf: Both) -> None:
    done = patch(
        shelf,
        {"op": "test", "path": "/title", "value": "Emma"},
        {"op": "replace", "path": "$.pages", "value": 500},
        {"op": "add", "path": "$.tags", "value": "c"},
        {"op": "add", "path": "/tags/0", "value": "z"},
        {"op": "remove", "path": "$.tags[1]"},
        {"op": "replace", "path": "/shelf/row", "value": 7},
        {"op": "copy", "from": "/title", "path": "/isbn"},
        {"op": "remove", "path": "/isbn"},
        {"op": "move", "from": "/genre", "path": "/shelf/room"},
    )
    assert done.status == 200, done.body
    book = done.json
    assert (book["pages"], book["tags"], book["genre"]) == (500, ["z", "b", "c"], None)
    assert book["shelf"] == {"room": "novel", "row": 7}
    assert shelf("GET", "/books/1").body == done.body


def test_one_operation_needs_no_list(shelf: Both) -> None:
    operation = {"op": "replace", "path": "/pages", "value": 1}
    for media in ("application/json", "application/json-patch+json"):
        assert shelf("PATCH", "/books/1", operation, media=media).json["pages"] == 1


def test_merge_patch_takes_null_as_removal(shelf: Both) -> None:
    done = shelf(
        "PATCH",
        "/books/2",
        {"pages": None, "shelf": {"room": "attic"}, "tags": ["x"]},
        media="application/merge-patch+json",
    )
    assert done.status == 200
    book = done.json
    assert (book["pages"], book["tags"]) == (None, ["x"])
    assert book["shelf"] == {"room": "attic", "row": 3}


def test_a_merge_patch_may_not_remove_what_is_no_field(shelf: Both) -> None:
    refused = shelf(
        "PATCH",
        "/books/2",
        {"": None, "shelf": {"colour": None}, "pages": "many"},
        media="application/merge-patch+json",
    )
    assert refused.status == 422
    assert {fault["path"]: fault["code"] for fault in refused.json["errors"]} == {
        "$.": "unknown_field",
        "$.shelf.colour": "unknown_field",
        "$.pages": "type",
    }


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "test", "path": "/title", "value": "Ulysses"}, 409),
        ({"op": "remove", "path": "/tags/9"}, 409),
        ({"op": "remove", "path": f"/tags/{'9' * 5000}"}, 409),
        ({"op": "replace", "path": "/pages", "value": 0}, 422),
        ({"op": "replace", "path": "/nothing", "value": 0}, 409),
        ({"op": "add", "path": "/nothing", "value": 0}, 422),
        ({"op": "add", "path": "/_id", "value": "7"}, 422),
        ({"op": "replace", "path": "", "value": []}, 422),
        ({"op": "add", "path": "no pointer", "value": 0}, 422),
        ({"op": "burn", "path": "/title"}, 422),
        ({"op": "add", "path": "/title"}, 422),
        ("add", 422),
    ],
)
def test_a_patch_is_applied_whole_or_not_at_all(
    shelf: Both, operation: Any, status: int
) -> None:
    before = shelf("GET", "/books/1").body
    first = {"op": "replace", "path": "/pages", "value": 1}
    assert patch(shelf, first, operation).status == status
    assert shelf("GET", "/books/1").body == before


# --- Lists ----------------------------------------------------------------------------


def test_a_list_says_how_many_there_are(shelf: Both) -> None:
    answer = shelf("GET", "/books")
    assert answer.status == 200
    assert [one["_id"] for one in answer.json["result"]] == ["1", "2", "3"]
    rest = {key: value for key, value in answer.json.items() if key != "result"}
    assert rest == {"total": 3, "_skip": 0, "_page": 10}


def test_a_page_of_a_list(shelf: Both) -> None:
    answer = shelf("GET", "/books?_page=1&_skip=1&_sort=-pages")
    assert [one["title"] for one in answer.json["result"]] == ["Odes"]
    assert (answer.json["total"], answer.json["_skip"], answer.json["_page"]) == (
        3,
        1,
        1,
    )
    assert "total" not in shelf("GET", "/books?_total=0").json


def test_lists_are_sorted(shelf: Both) -> None:
    assert titles(shelf, "_sort=$.title") == ["Emma", "Idylls", "Odes"]
    assert titles(shelf, "_sort=-$.pages,$.title") == ["Emma", "Odes", "Idylls"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("title=Emma", ["Emma"]),
        ("$.title=Emma", ["Emma"]),
        ("pages.$gte=120&pages.$lt=200", ["Odes"]),
        ("title=Emma&title=Odes", ["Emma", "Odes"]),
        ("title.$in=Emma&title.$in=Idylls", ["Emma", "Idylls"]),
        ("shelf.row=3", ["Odes"]),
        ("shelf.room=hall&genre.$ne=novel", ["Odes", "Idylls"]),
        ("authors.name=Theocritus", ["Idylls"]),
        ("tags.$contains=a", ["Emma"]),
        ("tags.$size=2", ["Emma"]),
        ("tags.$exists=true", ["Emma"]),
        ("title.$reg=.*s$", ["Odes", "Idylls"]),
        ("lent=false&pages.$lte=90", ["Idylls"]),
        ("filter=" + quote('{"$or":[{"title":"Emma"},{"pages":{"$lt":100}}]}'), None),
        ("title=nobody", []),
    ],
)
def test_lists_are_filtered(shelf: Both, query: str, found: list[str] | None) -> None:
    assert titles(shelf, query) == (["Emma", "Idylls"] if found is None else found)


@ANY_STORE
@pytest.mark.parametrize(
    "query",
    [
        "nothing=1",
        "secret=x",
        "title.$near=x",
        "pages=many",
        "pages.$gt=1.5",
        "_page=0",
        "_page=1001",
        "_page=x",
        "_skip=-1",
        "_page=1&_page=2",
        "_sort=nothing",
        "_sort=secret",
        "_view=nothing",
        "_total=2",
        "_nothing=1",
        "filter={",
        "filter=[]",
        "filter=" + "%7B%22%24not%22%3A" * 500,
        "title.$reg=(",
        "title=%ff",
        "title=%ed%a0%80",
        "a=1&" * 10_000,
    ],
)
def test_a_query_that_makes_no_sense(both: Both, query: str) -> None:
    answer = both("GET", f"/books?{query}")
    assert answer.status == 400
    assert answer["content-type"] == "application/problem+json"
    assert answer.json["code"] == "bad_query"
    assert answer.json["errors"]


def test_what_may_not_be_read_is_as_unknown_as_what_is_not_there(both: Both) -> None:
    secret, nothing = both("GET", "/books?secret=x"), both("GET", "/books?nothin=x")
    assert secret.body.replace(b"secret", b"nothin") == nothing.body


def test_odd_percent_signs_are_text(shelf: Both) -> None:
    assert titles(shelf, "title=%zz&_page=1") == []


# --- Questions about the API ----------------------------------------------------------


def test_check_says_what_is_wrong_with_one_value(both: Both) -> None:
    def check(value: Any, path: str) -> Any:
        return both("POST", "/books/_check", {"item": value, "path": path})

    assert check({"pages": 3}, "$.pages").json == {"error": None}
    assert check({"pages": 0}, "$.pages").json["error"]
    assert check({"pages": 0}, "$.title").status == 200
    assert check({}, "$.nothing").errors == {"$.path": "path_not_found"}
    assert both("POST", "/books/_check", {"item": {}}).errors == {"$.path": "required"}
    several = both("POST", "/books/_check", {"item": 1, "path": 2, "title": 3})
    assert several.errors == {
        "$.item": "type",
        "$.path": "type",
        "$.title": "unknown_field",
    }


def test_meta_tells_the_schema_and_the_rights(both: Both) -> None:
    for body in (None, {"text": "locked"}):
        meta = both("POST", "/notes/_meta", body)
        assert meta.status == 200
        assert meta.json["rights"]["modify"] is (body is None)
    assert both("POST", "/notes/_meta", [1]).status == 422
    for unfinished in ({"authors": [None]}, {"shelf": 1}, {"tags": {}, "pages": "x"}):
        assert both("POST", "/books/_meta", unfinished).status == 200
    assert both("POST", "/notes/_meta", {}, media="text/plain").status == 415
    whole = both("GET", "/_meta")
    names = [one["name"] for one in whole.json["collections"]]
    linked = ["novels", "writers", "plays", "themes"]
    assert names == ["books", "notes", "constants", *linked]


def test_the_document_and_its_page(both: Both) -> None:
    document = both("GET", "/_openapi")
    assert document.status == 200
    assert f"{both.base}/books/{{id}}" in document.json["paths"]
    page = both("GET", "/_docs")
    assert (page.status, page["content-type"]) == (200, "text/html; charset=utf-8")
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"{both.base}/_docs/{asset}".encode() in page.body
        assert both("GET", f"/_docs/{asset}").status == 200
    assert both("GET", "/_docs/passwd").status == 404
    assert both("GET", "/_docs/..%2f__init__.py").status == 404
