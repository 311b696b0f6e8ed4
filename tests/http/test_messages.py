"""Requests and responses without a framework."""

import pytest

from backo.errors import FilterError
from backo.http.messages import Request, Response, media_type


def request(path: str = "/", query: str = "") -> Request:
    return Request("GET", path, query, {}, {})


def test_the_query_is_decoded_in_order() -> None:
    asked = request(query="b=1&a=%C3%A9+x&b=&c")
    assert asked.query == [("b", "1"), ("a", "é x"), ("b", ""), ("c", "")]


@pytest.mark.parametrize("query", ["a=%ff", "%ff=a", "a=1&" * 1001])
def test_a_query_that_cannot_be_read(query: str) -> None:
    with pytest.raises(FilterError):
        _ = request(query=query).query


def test_a_parameter_is_given_once() -> None:
    asked = request(query="_page=1&a=2&a=3")
    assert asked.parameter("_page") == "1"
    assert asked.parameter("_skip") is None
    with pytest.raises(FilterError, match="more than once"):
        asked.parameter("a")


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        ("/a b/é", "/a%20b/%C3%A9"),
        ('/"<\n>', "/%22%3C%0A%3E"),
        ("/a:b@c!$&'()*+,;=", "/a:b@c!$&'()*+,;="),
        ("/50%", "/50%25"),
        ("/\ud800", "/%ED%A0%80"),
    ],
)
def test_a_path_is_sent_back_as_a_uri(path: str, uri: str) -> None:
    assert request(path).uri == uri


@pytest.mark.parametrize(
    ("header", "media", "charset"),
    [
        ("", "", None),
        ("application/json", "application/json", None),
        ("Application/JSON ; Charset=UTF-8", "application/json", "utf-8"),
        ('text/html; a=b; charset="latin-1"', "text/html", "latin-1"),
    ],
)
def test_a_content_type_in_parts(header: str, media: str, charset: str | None) -> None:
    assert media_type(header) == (media, charset)


def test_every_header_of_a_response() -> None:
    full = Response(200, b"{}", headers=(("etag", '"1"'),))
    assert dict(full.all_headers) == {
        "etag": '"1"',
        "content-type": "application/json",
        "content-length": "2",
    }


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_has_no_length(status: int) -> None:
    assert Response(status, media=None).all_headers == []


def test_a_stream_has_the_length_that_is_said_or_none() -> None:
    assert Response(200, stream=iter([]), length=7).all_headers == [
        ("content-type", "application/json"),
        ("content-length", "7"),
    ]
    assert Response(200, media=None, stream=iter([])).all_headers == []
    assert Response(200, media=None, length=7).all_headers == [("content-length", "7")]
