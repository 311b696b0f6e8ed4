"""What the document says of references."""

import json
from typing import Any

import jsonschema
import pytest

from backo import Backoffice
from backo.asking import neighbours
from backo.connectors.base import Query
from backo.errors import FilterError
from backo.http.parameters import filter_parameters, page_parameters
from backo.query.parse import parse_json, parse_query, parse_sort
from tests.http.asking import asking
from tests.openapi.kitchen import kitchen
from tests.references.library import fill, library

type Document = dict[str, Any]


@pytest.fixture(scope="module")
def office() -> Backoffice:
    return kitchen()


@pytest.fixture(scope="module")
def document(office: Backoffice) -> Document:
    return office.get_openapi()


@pytest.fixture(scope="module")
def schemas(document: Document) -> Document:
    found: Document = document["components"]["schemas"]
    return found


def takes(schemas: Document, name: str, value: object) -> bool:
    whole = {**schemas[name], "components": {"schemas": schemas}}
    return jsonschema.Draft202012Validator(whole).is_valid(value)


def operation(document: Document, path: str, method: str = "get") -> Document:
    found: Document = document["paths"][f"/kitchen-sink{path}"][method]
    return found


def test_a_reference_says_where_it_points(schemas: Document) -> None:
    for name in ("Dishes", "DishesCreate", "DishesUpdate", "DishesExpanded"):
        cook = schemas[name]["properties"]["cook"]
        assert cook["x-ref-collection"] == "cooks"
        assert cook["x-ref-reverse"] == "$.dishes"
    mentor = schemas["Cooks"]["properties"]["mentor"]
    assert mentor["x-ref-collection"] == "cooks"
    assert "x-ref-reverse" not in mentor
    assert schemas["Cooks"]["properties"]["dishes"]["x-ref-collection"] == "dishes"
    within = schemas["Cooks"]["properties"]["favourites"]["items"]
    assert within["x-ref-collection"] == "dishes"
    (added,) = [
        one["properties"]["value"]
        for one in schemas["DishesPatchOperation"]["anyOf"]
        if "/cook" in one["properties"]["path"].get("enum", ())
        and "value" in one["properties"]
        and one["properties"]["op"]["enum"] == ["add", "replace"]
    ]
    assert added["x-ref-collection"] == "cooks"


def test_only_a_reference_to_the_same_collection_is_copied(schemas: Document) -> None:
    for source, taken in (
        ("/last/taster", True),
        ("/title", False),
        ("/hidden", False),
    ):
        operation = {"op": "copy", "from": source, "path": "/cook"}
        assert takes(schemas, "DishesPatch", operation) is taken


def test_the_meta_structure_says_where_it_points(office: Backoffice) -> None:
    fields = office.cooks.get_meta()["item"]["sub_scheme"]
    assert fields["dishes"]["collection"] == "dishes"
    assert fields["dishes"]["reverse"] == "$.cook"
    assert fields["mentor"]["reverse"] is None
    assert "collection" not in fields["name"]


def test_answers_lead_to_what_can_be_asked_next(document: Document) -> None:
    made = operation(document, "/dishes", "post")["responses"]["201"]["links"]
    assert {name: one["operationId"] for name, one in made.items()} == {
        name: f"dishes_{name}" for name in ("get", "update", "patch", "delete")
    }
    assert made["get"]["parameters"] == {"id": "$response.body#/_id"}
    read = operation(document, "/dishes/{id}")["responses"]["200"]["links"]
    assert {name: one["operationId"] for name, one in read.items()} == {
        "cook": "cooks_get",
        "last.taster": "cooks_get",
        "last.salt": "scalars_get",
        "a_b_c": "constants_get",
    }
    assert read["last.salt"]["parameters"] == {"id": "$response.body#/last/salt"}
    assert read["a_b_c"]["parameters"] == {"id": "$response.body#/a b~1c"}


def test_links_lead_to_operations_that_are_there(document: Document) -> None:
    rows = [row for path in document["paths"].values() for row in path.values()]
    there = {row["operationId"] for row in rows}
    led = {
        link["operationId"]
        for row in rows
        for answer in row["responses"].values()
        for link in answer.get("links", {}).values()
    }
    assert led and led <= there


def test_expand_names_every_path_that_is_taken(document: Document) -> None:
    for path in ("/menus", "/menus/{id}"):
        (expand,) = [
            one
            for one in operation(document, path)["parameters"]
            if one["name"] == "_expand"
        ]
        paths = expand["schema"]["items"]["enum"]
        assert (expand["style"], expand["explode"]) == ("form", False)
        assert paths[:2] == ["dish", "wine"]
        assert "dish.last.taster.dishes" in paths
        assert "dish.hidden" not in paths
        assert "dish.cook.mentor" in paths
        assert "dish.cook.mentor.mentor" not in paths
    ask = asking(kitchen())
    for one in paths:
        assert ask("menus_list", query=f"_expand={one}").status == 200, one


def test_a_collection_without_references_has_no_expand(document: Document) -> None:
    for path in ("/scalars", "/scalars/{id}"):
        names = {one["name"] for one in operation(document, path)["parameters"]}
        assert "_expand" not in names
    assert "ScalarsExpanded" not in document["components"]["schemas"]


def test_an_answer_that_may_hold_other_items_need_not_have_a_tag(
    document: Document,
) -> None:
    for name, required in (("dishes", False), ("scalars", True)):
        answer = operation(document, f"/{name}/{{id}}")["responses"]["200"]
        assert answer["headers"]["ETag"].get("required", False) is required


def test_every_schema_is_used(document: Document) -> None:
    used: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                used.add(value["$ref"].rpartition("/")[2])
            for below in value.values():
                look(below)
        elif isinstance(value, list):
            for below in value:
                look(below)

    look(document)
    assert used == set(document["components"]["schemas"])


def test_what_is_expanded_is_of_its_schema() -> None:
    office = fill(library())
    schemas = office.get_openapi()["components"]["schemas"]
    ask = asking(office)
    for query in ("", "author", "author.nationality", "author.books.author", "seen"):
        page = ask("books_list", query=f"_expand={query}" if query else "").body
        value = json.loads(page)
        assert takes(schemas, "BooksPage", value), query
        assert takes(schemas, "BooksExpanded", value["result"][0])
    answer = ask("authors_get", _id="verne", query="_expand=more.edited")
    wide = json.loads(answer.body)
    assert takes(schemas, "AuthorsExpanded", wide)
    assert not takes(schemas, "Authors", wide)
    wide["books"] = [{"title": "x"}]
    assert not takes(schemas, "AuthorsExpanded", wide)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ({"cook": "1"}, True),
        ({"cook": None}, True),
        ({"cook": {"$in": ["1"]}}, True),
        ({"cook": {"name": "x"}}, True),
        ({"cook": {"mentor": {"mentor": {"mentor": {"name": "x"}}}}}, True),
        ({"cook.name": {"$reg": "x"}}, True),
        ({"cook.mentor.name": "x"}, True),
        ({"cook.name": 1}, False),
        ({"cook.nothing": "x"}, False),
        ({"cook": {"nothing": "x"}}, False),
        ({"cook": {"tasted": {"title": "x"}}}, True),
        ({"cook": {"tasted": "1"}}, False),
        ({"cook": {"tasted": {"$size": 1}}}, False),
        ({"cook": {"dishes": {"$size": 1}}}, True),
        ({"cook": {"favourites": {"$contains": {"title": "x"}}}}, True),
        ({"steps.after.title": "x"}, True),
        ({"last.salt.moment": {"$gt": "2024-02-29T10:00:00Z"}}, True),
        ({"last.salt.secret": "x"}, False),
        ({"hidden": "1"}, True),
        ({"hidden": {"title": "x"}}, False),
        ({"hidden.title": "x"}, False),
    ],
)
def test_a_filter_is_documented_as_it_is_taken(
    office: Backoffice, schemas: Document, wanted: Any, taken: bool
) -> None:
    assert takes(schemas, "DishesFilter", wanted) is taken
    plan, look = office.dishes.plan, neighbours(office.dishes)
    try:
        tree = parse_json(wanted, plan, plan.shows, look)
    except FilterError:
        assert not taken
    else:
        assert taken
        office.dishes.access.listing(Query(tree), "client", total=True)


def test_documented_names_through_references_are_taken(office: Backoffice) -> None:
    for collection in (office.dishes, office.cooks, office.menus):
        plan, look = collection.plan, neighbours(collection)
        names = {one.name for one in filter_parameters(plan, look)}
        more = names - {one.name for one in filter_parameters(plan)}
        assert more and not any("$" in name for name in more)
        for name in more:
            try:
                parse_query([(name, "1")], plan, plan.shows, look)
            except FilterError as error:
                assert "unknown field" not in str(error), name
    assert "tasted" not in {one.name for one in filter_parameters(office.cooks.plan)}


def test_documented_sorts_through_references_are_taken(office: Backoffice) -> None:
    plan, look = office.dishes.plan, neighbours(office.dishes)
    (sort,) = [
        one.schema for one in page_parameters(plan, 5, 50, look) if one.name == "_sort"
    ]
    validator = jsonschema.Draft202012Validator(sort)
    for text in ("cook.name", "-cook.mentor,title", "-$.last.salt.moment"):
        assert validator.is_valid(text)
        parse_sort(text, plan, plan.shows, look)
    for text in ("cook.dishes", "steps.after.title", "hidden.title", "cook.nothing"):
        assert not validator.is_valid(text)
        with pytest.raises(FilterError):
            parse_sort(text, plan, plan.shows, look)
