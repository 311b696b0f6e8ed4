"""Fields that may hold a List or something else."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from backo import Backoffice, Collection, In, Int, List, String, Tuple
from tests.http.asking import asking
from tests.offices import one

SCHEMA: dict[str, Any] = {
    "either": In([Int(), List(String())]),
    "pair": In([String(), Tuple((Int(), String()))]),
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("either=5", 1),
        ("either.$contains=a", 1),
        ("either.$all=a&either.$all=b", 1),
        ("either.$size=2", 1),
        ("pair.$contains=x", 0),
    ],
)
def test_it_is_filtered_as_either(query: str, found: int) -> None:
    things = one(SCHEMA)
    for value in (5, ["a", "b"]):
        things.create({"either": value})
    answer = asking(office_of(things))("things_list", query=query)
    assert answer.status == 200
    assert json.loads(answer.body)["total"] == found


def test_its_document_is_valid() -> None:
    validate(office_of(one(SCHEMA)).get_openapi())


def office_of(things: Collection) -> Backoffice:
    assert isinstance(things.backoffice, Backoffice)
    return things.backoffice
