"""Filters, sorts and ``_expand`` through references: both frameworks do the same."""

from typing import Any

import pytest

from tests.conformance.adapters import ANY_STORE, Both, Servers, both, servers

__all__ = ["both", "servers"]


@pytest.fixture
def shelves(both: Both) -> dict[str, str]:
    """The id of each writer and novel, by name: Zola's, Verne's and nobody's."""
    made: dict[str, str] = {}
    for name, hidden in (("Zola", False), ("Verne", False), ("Ghost", True)):
        body = {"name": name, "hidden": hidden}
        answer = both("POST", "/writers", body)
        # Who may not read the new item is told its place only.
        made[name] = answer["location"].rpartition("/")[2]
    novels = {"Nana": "Zola", "Germinal": "Zola", "Around": "Verne", "Lost": None}
    for name, writer in novels.items():
        body = {"name": name, "writer": made[writer] if writer else None}
        if name == "Nana":
            body["readers"] = [made["Verne"], made["Zola"]]
        answer = both("POST", "/novels", body)
        assert answer.status == 201, answer.body
        made[name] = answer.json["_id"]
    return made


def found(both: Both, query: str) -> list[str]:
    answer = both("GET", f"/novels?{query}")
    assert answer.status == 200, answer.body
    assert answer.json["total"] == len(answer.json["result"])
    return [one["name"] for one in answer.json["result"]]


@pytest.mark.usefixtures("shelves")
def test_filters_look_through_references(both: Both) -> None:
    for query, names in (
        ("writer.name=Zola", ["Nana", "Germinal"]),
        ("$.writer.name=Zola", ["Nana", "Germinal"]),
        ("writer.name.$ne=Zola", ["Around", "Lost"]),
        ("readers.name=Verne", ["Nana"]),
        ("writer.works.name=Germinal", ["Nana", "Germinal"]),
        ("writer.name=Zola&writer.name=Verne", ["Nana", "Germinal", "Around"]),
        ('filter={"writer":{"works":{"name":"Nana"}}}', ["Nana", "Germinal"]),
        ('filter={"readers":{"name":"Zola","hidden":true}}', []),
        ("_sort=-writer.name,name", ["Germinal", "Nana", "Around", "Lost"]),
    ):
        target = query.replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
        assert found(both, target) == names, query


@ANY_STORE
@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("writer.nothing=1", "$.writer.nothing"),
        ("name.x=1", "$.name.x"),
        ("_sort=readers.name", "$.readers.name"),
        ("_expand=name", "_expand"),
        ("_expand=writer.works.writer.works", "_expand"),
    ],
)
def test_what_is_unknown_through_a_reference_is_told(
    both: Both, query: str, path: str
) -> None:
    refused = both("GET", f"/novels?{query}")
    assert (refused.status, refused.errors) == (400, {path: "bad_query"})


def test_items_stand_where_their_ids_were(both: Both, shelves: dict[str, str]) -> None:
    plain = both("GET", f"/novels/{shelves['Nana']}")
    writer = both("GET", f"/writers/{shelves['Zola']}").json
    wide = both("GET", f"/novels/{shelves['Nana']}?_expand=writer,readers.works")
    assert "etag" in plain and "etag" not in wide
    assert wide.json["writer"] == writer
    readers: list[Any] = wide.json["readers"]
    assert [one["name"] for one in readers] == ["Verne", "Zola"]
    works = [one["name"] for each in readers for one in each["works"]]
    assert works == ["Around", "Nana", "Germinal"]
    listed = both("GET", "/novels?_expand=writer&name=Nana").json["result"]
    assert listed == [{**plain.json, "writer": writer}]


def test_what_is_hidden_stays_an_id(
    both: Both, servers: Servers, shelves: dict[str, str]
) -> None:
    path = f"/writers/{shelves['Zola']}"
    assert both("PUT", path, {"hidden": True}).status == 204
    wide = both("GET", f"/novels/{shelves['Nana']}?_expand=writer,readers").json
    assert wide["writer"] == shelves["Zola"]
    assert wide["readers"][0]["name"] == "Verne"
    assert wide["readers"][1] == shelves["Zola"]
    assert found(both, "writer.name=Zola") == []
    assert found(both, "writer.hidden=true") == []
