"""A document tells each caller of what it may use, and of nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from backo import (
    Action,
    Backoffice,
    Collection,
    CurrentUser,
    Dict,
    Int,
    Item,
    Ref,
    Selection,
    String,
    current_user,
)
from backo.connectors.memory import DBMemoryConnector
from tests.http.asking import asking
from tests.openapi.offices import office

type Schema = dict[str, Any]


def is_staff(_right: str, _item: Any) -> bool:
    return current_user.has_role("STAFF")


def is_odd(_right: str, item: Any) -> bool:
    return bool(item.n == 1)


STAFF = {"_id": "1", "login": "ann", "roles": ["STAFF"]}
VISITOR: dict[str, Any] = {}


def shop() -> Backoffice:
    made = Backoffice("shop")
    books = Item(
        {
            "title": String(),
            "cost": Int(can_read=is_staff, can_modify=is_staff),
            "shelf": String(can_modify=is_staff),
            "inside": Dict(
                {"cellar": String()}, can_read=is_staff, can_modify=is_staff
            ),
            "some": String(can_read=is_odd),
            "n": Int(),
            "vault": Ref(coll="vaults"),
        }
    )
    vaults = Item({"combination": String()})
    for name, item, rights in (
        ("books", books, {"can_delete": is_staff}),
        ("vaults", vaults, {f"can_{r}": is_staff for r in _RIGHTS}),
    ):
        made.register_collection(
            Collection(name, item, DBMemoryConnector(), **rights)  # type: ignore[arg-type]
        )
    made.books.register_selection("costs", Selection(["$.title", "$.cost"]))
    made.books.register_selection("titles", Selection(["$.title"], can_read=is_staff))
    made.books.register_action("burn", Action({}, _nothing, can_see=is_staff))
    made.books.register_action("read", Action({}, _nothing, can_execute=is_odd))
    return made


_RIGHTS = ("read", "create", "modify", "delete")


def _nothing(_action: Any, _item: Any) -> None:
    """Do nothing."""


def operations(document: Schema) -> set[str]:
    paths = document["paths"].values()
    return {one["operationId"] for path in paths for one in path.values()}


def names(document: Schema) -> set[str]:
    """Every word that stands in it."""
    return set(re.findall(r"\w+", json.dumps(document)))


def test_a_document_has_the_operations_of_its_caller() -> None:
    made = shop()
    whole, staff, visitor = (
        operations(made.get_openapi(**options))
        for options in ({}, {"user": STAFF}, {"user": VISITOR})
    )
    assert whole == staff
    gone = {
        "books_delete",
        "books_do_burn",
        "books_select_titles",
        "books_search_titles",
    }
    assert staff - visitor == gone | {one for one in whole if one.startswith("vaults_")}
    assert "books_do_read" in visitor


def test_a_document_names_no_field_that_its_caller_may_not_read() -> None:
    made = shop()
    hidden = {"cost", "inside", "cellar", "combination"}
    assert hidden <= names(made.get_openapi(user=STAFF))
    told = names(made.get_openapi(user=VISITOR))
    # The selectors of a selection that may be read are what the developer shows.
    assert hidden & told == {"cost"}
    assert {"some", "shelf"} <= told


def test_what_the_caller_may_not_change_is_in_answers_alone() -> None:
    schemas = shop().get_openapi(user=VISITOR)["components"]["schemas"]
    for name in ("BooksCreate", "BooksUpdate"):
        assert "shelf" not in schemas[name]["properties"]
    assert "shelf" in schemas["Books"]["properties"]
    assert (
        "shelf"
        in shop().get_openapi()["components"]["schemas"]["BooksCreate"]["properties"]
    )


def test_what_the_caller_may_not_read_is_null_in_a_row() -> None:
    made = shop()
    row = made.get_openapi(user=VISITOR)["components"]["schemas"]["BooksCostsRow"]
    assert row["prefixItems"][2] == {"type": "null", "title": "$.cost"}
    made.books.create({"title": "Emma"})
    made.books.db_handler.create({"_id": "x", "title": "Ulysses", "cost": 5})
    rows = made.books.do_selection("costs", {})["result"]
    assert [one[2] for one in rows] == [None, None]


def test_the_page_answers_with_the_callers_document() -> None:
    made = shop()
    ask = asking(made)
    for user in (STAFF, VISITOR):
        with current_user.acting_as(user):
            answer = json.loads(ask("shop_get_openapi").body)
        assert answer == made.get_openapi(user=user)


def test_a_user_of_ones_own_may_ask() -> None:
    class Reader(CurrentUser):
        """A user of the shop's."""

    reader = Reader()
    reader.set(STAFF)
    made = shop()
    assert made.get_openapi(user=reader) == made.get_openapi(user=STAFF)
    assert current_user.is_anonymous()


ROLES: dict[str, list[str]] = {
    "visitor": [],
    "member": ["member"],
    "staff": ["member", "staff"],
    "admin": ["member", "staff", "admin"],
}


@pytest.mark.parametrize("role", ROLES)
def test_each_document_is_valid(role: str, tmp_path: Path) -> None:
    made = office("media_library", tmp_path)
    user = {"_id": "7", "login": "ann", "roles": ROLES[role]} if ROLES[role] else {}
    document = made.get_openapi(user=user)
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())
    whole = made.get_openapi()
    assert operations(document) <= operations(whole)
    text = json.dumps(document)
    linked = re.findall(r'"operationId": "(\w+)", "parameters": \{"id"', text)
    assert set(linked) <= operations(document)
    components = document["components"]["schemas"]
    used = re.findall(r"#/components/schemas/(\w+)", text)
    assert set(used) <= set(components) <= set(whole["components"]["schemas"])
    tags = {one["name"] for one in document["tags"]}
    rows = (one for path in document["paths"].values() for one in path.values())
    assert {tag for one in rows for tag in one["tags"]} == tags
