"""What each caller is shown is what an oracle says, of every shape and right."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.inprocess import ADAPTERS
from tests.rights.calling import Ask, Asked, calling
from tests.rights.office import STORES
from tests.rights.shapes import ORACLE, STORED, shapes

ROLES = ("", "staff")


@pytest.fixture(
    scope="module", params=[(one, store) for one in ADAPTERS for store in STORES]
)
def ask(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    adapter, store = request.param
    folder: Path = tmp_path_factory.mktemp("stores")
    office = shapes(STORES[store](folder))
    for part, document in STORED.items():
        collection = office.collection(part)
        collection.db_handler.create(copy.deepcopy(document))
        opened = {**copy.deepcopy(document), "_id": "2", "open": True}
        collection.db_handler.create(opened)
    with calling(adapter, office) as asking:
        yield asking


def told(value: Any) -> Any:
    """A document without what is unset."""
    if isinstance(value, dict):
        held = {key: told(one) for key, one in value.items()}
        return {key: one for key, one in held.items() if one not in (None, {})}
    return [told(one) for one in value] if isinstance(value, list) else value


def expected(part: str, role: str, _id: str) -> Any:
    item = {**STORED[part], "_id": _id, "open": _id == "2"}
    if part == "flat":
        item["doubled"] = 2
    return told(ORACLE.shown(role, item))


@pytest.mark.parametrize("role", ROLES, ids=["visitor", "staff"])
@pytest.mark.parametrize("part", STORED)
def test_an_item(ask: Ask, part: str, role: str) -> None:
    for _id in ("1", "2"):
        shown = ask(Asked("GET", f"/{part}/{_id}"), role)
        assert told(shown.json) == expected(part, role, _id)


@pytest.mark.parametrize("role", ROLES, ids=["visitor", "staff"])
@pytest.mark.parametrize("part", STORED)
def test_a_list(ask: Ask, part: str, role: str) -> None:
    shown = ask(Asked("GET", f"/{part}"), role).json["result"]
    wanted = [expected(part, role, _id) for _id in ("1", "2")]
    for one in (*shown, *wanted):
        one.pop("_meta")
    assert told(shown) == wanted
