"""References over HTTP: the same behind both frameworks, over every connector."""

import pytest

from tests.conformance.adapters import Both, both, servers

__all__ = ["both", "servers"]


@pytest.fixture
def zola(both: Both) -> Both:
    """The writer 1 with the novel 1, and the hidden writer 2."""
    assert both("POST", "/writers", {"name": "Zola"}).status == 201
    assert both("POST", "/novels", {"name": "Nana", "writer": "1"}).status == 201
    assert both("POST", "/writers", {"name": "Nobody", "hidden": True}).status == 204
    return both


def test_both_halves_are_shown(zola: Both) -> None:
    assert zola("GET", "/writers/1").json["works"] == ["1"]
    assert zola("GET", "/novels/1").json["writer"] == "1"


@pytest.mark.parametrize("target", ["9", "2", "../novels/1", "", "\0"])
def test_a_reference_to_what_is_not_there_for_the_caller(
    zola: Both, target: str
) -> None:
    refused = zola("POST", "/novels", {"name": "Rome", "writer": target})
    assert (refused.status, refused.errors) == (422, {"$.writer": "unknown_reference"})
    refused = zola("PUT", "/novels/1", {"readers": ["1", target]})
    assert (refused.status, refused.errors) == (422, {"$.readers": "unknown_reference"})
    assert zola("GET", "/novels").json["total"] == 1
    assert not zola("GET", "/novels/1").json["readers"]


def test_a_list_that_is_not_empty_keeps_its_item(zola: Both) -> None:
    refused = zola("DELETE", "/writers/1")
    assert (refused.status, refused.json["code"]) == (409, "referenced")
    assert zola("DELETE", "/novels/1").status == 204
    assert zola("GET", "/writers/1").json["works"] == []
    assert zola("DELETE", "/writers/1").status == 204


def test_the_list_is_patched_and_put(zola: Both) -> None:
    assert zola("POST", "/novels", {"name": "Rome"}).status == 201
    added = zola(
        "PATCH",
        "/writers/1",
        {"op": "add", "path": "/works/-", "value": "2"},
        media="application/json-patch+json",
    )
    assert (added.status, added.json["works"]) == (200, ["1", "2"])
    assert zola("GET", "/novels/2").json["writer"] == "1"
    assert zola("PUT", "/writers/1", {"works": ["2"]}).status == 200
    assert zola("GET", "/novels/1").json["writer"] is None


def test_a_change_of_the_other_half_is_a_change(zola: Both) -> None:
    tag = zola("GET", "/writers/1")["etag"]
    assert zola("POST", "/novels", {"name": "Rome", "writer": "1"}).status == 201
    assert zola("PUT", "/writers/1", {"name": "Z"}, if_match=tag).status == 412
    tag = zola("GET", "/writers/1")["etag"]
    assert zola("PUT", "/writers/1", {"name": "Z"}, if_match=tag).status == 200
    assert zola("DELETE", "/novels/1", if_match='"stale"').status == 412
    assert zola("GET", "/writers/1").json["works"] == ["1", "2"]


def test_an_unknown_reference_is_told_before_it_is_stored(zola: Both) -> None:
    for writer, error in (("1", None), ("2", True), ("9", True)):
        question = {"item": {"name": "Rome", "writer": writer}, "path": "$.writer"}
        answer = zola("POST", "/novels/_check", question)
        assert (answer.status, answer.json["error"] is None) == (200, error is None)


def test_what_the_other_half_does_not_allow_names_the_callers_field(
    both: Both,
) -> None:
    assert both("POST", "/themes", {"name": "War"}).status == 201
    assert both("POST", "/plays", {"name": "Ajax", "theme": "1"}).status == 201
    refused = both("PUT", "/themes/1", {"plays": []})
    assert (refused.status, refused.errors) == (422, {"$.plays": "constraint"})
    assert refused.json["detail"] == "$.plays: $.theme of plays is required"
    assert both("GET", "/themes/1").json["plays"] == ["1"]
