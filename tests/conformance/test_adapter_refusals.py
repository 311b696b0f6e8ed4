"""What both adapters refuse alike, and how: rights, media types, bodies, faults."""

import json
from typing import Any

import pytest

from tests.conformance.adapters import (
    ANY_STORE,
    EMMA,
    Both,
    both,
    servers,
    shelf,
)
from tests.conformance.declared import MAX_BODY

__all__ = ["both", "servers", "shelf"]


@ANY_STORE
@pytest.mark.parametrize(
    ("user", "status"), [("expired", 401), ("stranger", 401), ("banned", 403)]
)
@pytest.mark.parametrize(
    "path", ["/books", "/books/1", "/_meta", "/_openapi", "/_docs", "/nowhere"]
)
def test_who_is_refused_learns_nothing(
    both: Both, path: str, user: str, status: int
) -> None:
    answer = both("GET", path, x_user=user)
    assert answer.status == status
    assert answer["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer) is (status == 401)


def test_who_is_known_is_written_down(both: Both) -> None:
    made = both("POST", "/books", EMMA, x_user="ada")
    assert made.json["_meta"]["created_by"] == {"_id": "ada", "login": "ada"}
    changed = both("PUT", "/books/1", {"pages": 1})
    assert changed.json["_meta"]["created_by"] == {"_id": "ada", "login": "ada"}
    assert changed.json["_meta"]["modified_by"]["login"] == "ANONYMOUS"


def test_rights_on_items(both: Both) -> None:
    for text, hidden in (("a", False), ("b", True), ("c", False)):
        both("POST", "/notes", {"text": text, "hidden": hidden})
    listed = both("GET", "/notes")
    assert [one["text"] for one in listed.json["result"]] == ["a", "c"]
    assert listed.json["total"] == 2
    unseen, absent = both("GET", "/notes/2"), both("GET", "/notes/9")
    assert unseen.status == absent.status == 404
    assert unseen.body.replace(b"2", b"9") == absent.body.replace(b"2", b"9")
    for method in ("PUT", "DELETE"):
        assert both(method, "/notes/2", {} if method == "PUT" else None).status == 404


def test_rights_on_operations(both: Both) -> None:
    assert both("POST", "/notes", {"text": "locked"}).status == 403
    assert both("GET", "/notes").json["total"] == 0


def test_rights_on_fields(both: Both) -> None:
    both("POST", "/notes", {"text": "a"})
    refused = both("PUT", "/notes/1", {"text": "b", "owner": "eve"})
    assert refused.status == 403
    assert refused.errors == {"$.owner": "forbidden"}
    assert both("GET", "/notes/1").json["text"] == "a"
    done = both("PUT", "/notes/1", {"owner": "ada"}, x_user="ada")
    assert (done.status, done.json["owner"]) == (200, "ada")
    refused = both("PUT", "/books/1", {"stamp": "mine"})
    assert (refused.status, refused.errors) == (422, {"$.stamp": "read_only"})


def test_an_operation_nobody_may_use_is_not_there(both: Both) -> None:
    refused = both("POST", "/constants", {"value": 1})
    assert (refused.status, refused["allow"]) == (405, "GET, HEAD")
    for method in ("PUT", "PATCH", "DELETE"):
        assert both(method, "/constants/1", {}).status == 405
    paths = both("GET", "/_openapi").json["paths"]
    assert set(paths[f"{both.base}/constants"]) == {"get"}
    assert set(paths[f"{both.base}/constants/{{id}}"]) == {"get"}


@ANY_STORE
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/books", "GET, HEAD, POST"),
        ("OPTIONS", "/books", "GET, HEAD, POST"),
        ("BREW", "/books", "GET, HEAD, POST"),
        ("POST", "/books/1", "DELETE, GET, HEAD, PATCH, PUT"),
        ("BREW", "/books/1", "DELETE, GET, HEAD, PATCH, PUT"),
        ("DELETE", "/_meta", "GET, HEAD"),
    ],
)
def test_a_method_that_the_path_does_not_have(
    both: Both, method: str, path: str, allow: str
) -> None:
    answer = both(method, path)
    assert (answer.status, answer["allow"]) == (405, allow)
    assert answer.json["code"] == "method_not_allowed"


@ANY_STORE
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/nowhere",
        "/books/",
        "/books/1/",
        "/books/1/title",
        "//books",
        "/books//1",
        "/books//",
        "/books%0a",
        "/books/1%0a/x%0a",
    ],
)
def test_a_path_that_is_not_there(both: Both, method: str, path: str) -> None:
    answer = both(method, path)
    assert answer.status == 404
    assert answer["content-type"] == "application/problem+json"
    assert method == "HEAD" or answer.json["code"] == "no_route"


@ANY_STORE
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("text/html, */*;q=0.1", 200),
        ("APPLICATION/*", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("*/*;q=0", 406),
        ("", 200),
    ],
)
def test_the_media_type_wanted(both: Both, accept: str, status: int) -> None:
    answer = both("GET", "/books", accept=accept)
    assert answer.status == status
    wanted = "application/json" if status == 200 else "application/problem+json"
    assert answer["content-type"] == wanted


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('Application/JSON;charset="UTF-8"', 201),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/merge-patch+json", 415),
        (None, 415),
    ],
)
def test_the_media_type_sent(both: Both, media: str | None, status: int) -> None:
    answer = both("POST", "/books", EMMA, media=media)
    assert answer.status == status
    assert both("GET", "/books").json["total"] == (status == 201)


DEEP = 10_000


@ANY_STORE
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"title": "Emma"',
        b'{"title": "Emma"} {}',
        b'{"title": NaN}',
        b'{"title": "Emma", "score": NaN}',
        b'{"title": "Emma", "score": -Infinity}',
        b"{'title': 'Emma'}",
        b'\xef\xbb\xbf{"title": "Emma"}',
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        '{"title": "Emma"}'.encode("utf-16"),
        b'{"pages": ' + b"9" * 5_000 + b"}",
        b'{"title":' + b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/books"),
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("POST", "/books/_check"),
    ],
)
def test_what_is_no_json(both: Both, method: str, path: str, body: bytes) -> None:
    answer = both(method, path, body=body)
    assert answer.status == 400
    assert answer.json["code"] == "not_json"


def test_all_faults_of_a_body_are_told_at_once(shelf: Both) -> None:
    faulty = {
        "title": 1,
        "isbn": "x",
        "pages": 0,
        "score": "9",
        "genre": "play",
        "tags": ["a", "a"],
        "lent": 1,
        "link": "nowhere",
        "published": "yesterday",
        "shelf": {"row": True, "column": 1},
        "authors": [{"name": "a"}, {"born": 1.5}],
        "_id": "7",
        "secret": "x",
        "stamp": "x",
        "colour": "red",
    }
    expected = {
        "$.title": "type",
        "$.isbn": "pattern",
        "$.pages": "min",
        "$.score": "type",
        "$.genre": "enum",
        "$.tags": "uniq",
        "$.lent": "type",
        "$.link": "format",
        "$.published": "format",
        "$.shelf.row": "type",
        "$.shelf.column": "unknown_field",
        "$.authors[1].name": "required",
        "$.authors[1].born": "type",
        "$._id": "read_only",
        "$.stamp": "read_only",
        "$.colour": "unknown_field",
    }
    before = shelf("GET", "/books").body
    for method, path in (("POST", "/books"), ("PUT", "/books/1")):
        answer = shelf(method, path, faulty)
        assert answer.status == 422
        found = answer.errors
        found.pop("$.secret", None)
        assert found == expected
    assert shelf("GET", "/books").body == before


def test_a_constraint_refuses(both: Both) -> None:
    answer = both("POST", "/notes", {"text": "rude"})
    assert (answer.status, answer.errors) == (422, {"$.text": "constraint"})
    assert both("GET", "/notes").json["total"] == 0


def test_a_body_over_the_limit(both: Both) -> None:
    def chunks() -> Any:
        yield from (b'{"title": "', *[b"x" * 1000] * 40, b'"}')

    whole = json.dumps({"title": "x" * MAX_BODY}).encode()
    for body in (whole, chunks()):
        answer = both("POST", "/books", body=body)
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert both("GET", "/books").json["total"] == 0


def test_a_body_up_to_the_limit(both: Both) -> None:
    frame = len(json.dumps({"title": ""}))
    title = "x" * (MAX_BODY - frame)
    exact = json.dumps({"title": title}).encode()
    assert both("POST", "/books", body=exact).status == 201
    assert both("POST", "/books", body=iter([exact[:99], exact[99:]])).status == 201
    assert both("POST", "/books", body=exact + b" ").status == 413


def test_an_id_that_is_there_already(both: Both) -> None:
    assert both("POST", "/books", {"title": "again"}).status == 201
    answer = both("POST", "/books", {"title": "again"})
    assert (answer.status, answer.json["code"]) == (409, "duplicate_id")
    assert both("GET", "/books").json["total"] == 1


def test_a_bug_of_ours_is_told_to_nobody(both: Both) -> None:
    answer = both("POST", "/notes", {"text": "boom"})
    assert answer.status == 500
    assert answer.json == {
        "type": "urn:backo:problem:internal",
        "title": "Internal error",
        "status": 500,
        "detail": "Internal error",
        "instance": f"{both.base}/notes",
        "code": "internal",
    }


def test_a_store_that_cannot_be_reached(both: Both) -> None:
    answer = both("POST", "/books", {"title": "unreachable"})
    assert (answer.status, answer["retry-after"]) == (503, "5")
    assert answer.json["code"] == "store_unavailable"
    assert b"10.0.0.1" not in answer.body


def test_huge_headers_are_no_trouble(both: Both) -> None:
    assert both("GET", "/books", x_long="x" * 30_000).status == 200
    many = ", ".join(f'"{number}"' for number in range(3_000))
    assert both("GET", "/books/1", if_none_match=many).status == 404
