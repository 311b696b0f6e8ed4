"""What the component schemas say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backo import Backoffice, Collection, Item, SSyntaxError, String
from backo.connectors.memory import DBMemoryConnector
from examples.bookcase.model import bookcase
from tests.openapi.kitchen import kitchen


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = kitchen().get_openapi()["components"]["schemas"]
    return found


def _takes(schemas: dict[str, Any], name: str, value: object) -> bool:
    # The components lie where the references look for them.
    whole = {**schemas[name], "components": {"schemas": schemas}}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    validator = jsonschema.Draft202012Validator(whole, format_checker=checker)
    return validator.is_valid(value)


def test_a_collection_gives_its_own_routes_and_schemas(tmp_path: Path) -> None:
    office = bookcase(tmp_path)
    whole, books = office.get_openapi(), office.books
    schemas = whole["components"]["schemas"]
    assert books.get_openapi_schemas().items() <= schemas.items()
    assert books.get_openapi_routes().items() <= whole["paths"].items()
    assert {"Books", "BooksCreate", "BooksUpdate", "BooksPatch"} <= set(
        books.get_openapi_schemas()
    )
    assert set(books.get_openapi_routes()) == {
        "/bookcase/books",
        "/bookcase/books/{id}",
        "/bookcase/books/_actions/vote/{id}",
        "/bookcase/books/_selections/_all",
        "/bookcase/books/_selections/french",
        "/bookcase/books/_check",
        "/bookcase/books/_meta",
    }


def test_what_is_forbidden_to_everybody_has_no_schema(
    schemas: dict[str, Any],
) -> None:
    assert "ConstantsCreate" not in schemas
    assert "ConstantsUpdate" not in schemas
    assert "ConstantsPatch" not in schemas
    assert "UnreadPage" not in schemas
    assert "UnreadFilter" not in schemas


def test_a_document_without_collections_has_no_unused_schema() -> None:
    document = Backoffice("empty").get_openapi()
    assert set(document["components"]["schemas"]) == {
        *("ActionMeta", "CollectionMeta", "Fault", "FieldMeta", "Meta", "OpenAPI"),
        *("Problem", "SelectionMeta"),
    }


def test_what_is_read_has_all_its_keys(schemas: dict[str, Any]) -> None:
    read = schemas["Scalars"]
    assert set(read["required"]) == set(read["properties"])
    assert "secret" not in read["properties"]
    assert schemas["ScalarsCreate"]["properties"]["secret"]["writeOnly"]
    assert read["properties"]["_id"]["readOnly"]
    assert "_id" not in schemas["ScalarsCreate"]["properties"]


def test_null_is_one_of_the_types(schemas: dict[str, Any]) -> None:
    properties = schemas["ScalarsCreate"]["properties"]
    assert properties["string"]["type"] == ["string", "null"]
    assert properties["size"]["enum"] == ["small", "large", None]
    assert properties["needed"]["type"] == "string"
    assert properties["string"]["examples"] == ["salt"]


@pytest.mark.parametrize(
    ("moment", "taken"),
    [
        ("2024-02-29T10:00:00Z", True),
        ("2024-02-29T10:00:00.5+02:00", True),
        ("2024-02-29T10:00:00", True),
        ("2023-02-29T10:00:00", False),
        ("2024-02-29t10:00:00z", False),
        ("2016-12-31T23:59:60Z", False),
        ("0000-01-01T00:00:00Z", False),
    ],
)
def test_a_moment_is_what_python_reads(
    schemas: dict[str, Any], moment: str, taken: bool
) -> None:
    assert _takes(schemas, "ScalarsUpdate", {"moment": moment}) is taken
    model = kitchen().scalars.models.update
    assert (not _refused(model, {"moment": moment})) is taken


def _refused(model: Any, document: dict[str, Any]) -> bool:
    try:
        model.document(document)
    except ValueError:
        return True
    return False


def test_an_element_is_given_as_a_whole(schemas: dict[str, Any]) -> None:
    model = kitchen().composites.models.update
    for rows, taken in (([{"name": "a"}], True), ([{"count": 1}], False)):
        assert _takes(schemas, "CompositesUpdate", {"rows": rows}) is taken
        assert _refused(model, {"rows": rows}) is not taken


@pytest.mark.parametrize(
    ("operation", "taken"),
    [
        ({"op": "replace", "path": "/brief", "value": None}, True),
        ({"op": "replace", "path": "$.brief", "value": "x"}, True),
        ({"op": "replace", "path": "/brief", "value": 1}, False),
        ({"op": "add", "path": "/strings/-", "value": "x"}, True),
        ({"op": "add", "path": "$.strings", "value": "x"}, True),
        ({"op": "add", "path": "/strings", "value": "x"}, False),
        ({"op": "add", "path": "/rows/0/name", "value": "x"}, True),
        ({"op": "remove", "path": "/rows/0/name"}, False),
        ({"op": "replace", "path": "/matrix/0/1", "value": 1.5}, True),
        ({"op": "replace", "path": "/nested/inner", "value": {}}, False),
        ({"op": "replace", "path": "/nested/inner", "value": {"text": ""}}, True),
        ({"op": "copy", "path": "/brief", "from": "/long"}, True),
        ({"op": "move", "path": "/nested/list", "from": "/brief"}, False),
        ({"op": "replace", "path": "/_id", "value": "x"}, False),
        ({"op": "test", "path": "/_id", "value": "x"}, True),
    ],
)
def test_a_patch_says_what_may_be_put_where(
    schemas: dict[str, Any], operation: dict[str, Any], taken: bool
) -> None:
    assert _takes(schemas, "CompositesPatch", operation) is taken
    assert _takes(schemas, "CompositesPatch", [operation]) is taken


def test_the_names_of_odd_fields_are_in_pointers(schemas: dict[str, Any]) -> None:
    for path in ("/a~1b~0c", "$.a/b~c", "/é", "/a b", "/model_fields/items"):
        value: Any = 1 if "items" in path else "x"
        operation = {"op": "replace", "path": path, "value": value}
        assert _takes(schemas, "OddNamesPatch", operation)


def test_a_filter_in_json_is_typed(schemas: dict[str, Any]) -> None:
    for given, taken in (
        ({"integer": 1}, True),
        ({"integer": None}, True),
        ({"integer": {"$gt": 1, "$lte": 9}}, True),
        ({"integer": "1"}, False),
        ({"integer": {"$reg": "1"}}, False),
        ({"$or": [{"string": "a"}, {"$not": {"flag": True}}]}, True),
        ({"secret": "x"}, False),
        ({"nothing": 1}, False),
    ):
        assert _takes(schemas, "ScalarsFilter", given) is taken, given


def test_a_collection_may_be_called_like_a_common_schema() -> None:
    office = Backoffice("office")
    item = Item({"title": String()}, meta_data_handler=None)
    office.register_collection(Collection("problem", item, DBMemoryConnector()))
    schemas = office.get_openapi()["components"]["schemas"]
    assert "detail" in schemas["Problem"]["properties"]
    assert "title" in schemas["ProblemItem"]["properties"]


def test_collections_whose_schemas_would_have_one_name_are_refused() -> None:
    office = Backoffice("office")
    for name in ("books", "books-page"):
        model = Item({"title": String()})
        office.register_collection(Collection(name, model, DBMemoryConnector()))
    with pytest.raises(SSyntaxError, match="books-page"):
        office.get_openapi()


def test_a_collection_may_be_named_as_its_backoffice() -> None:
    office = Backoffice("books")
    model = Item({"title": String()})
    office.register_collection(Collection("books", model, DBMemoryConnector()))
    document = office.get_openapi()
    operations = [one for path in document["paths"].values() for one in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert [tag["name"] for tag in document["tags"]] == ["books"]


def test_a_collection_that_nobody_may_use_is_not_in_the_document() -> None:
    office = Backoffice("office")
    secret = Collection(
        "secrets",
        Item({"title": String()}),
        DBMemoryConnector(),
        can_read=False,
        can_create=False,
        can_modify=False,
        can_delete=False,
    )
    office.register_collection(secret)
    assert "ecrets" not in json.dumps(office.get_openapi())
