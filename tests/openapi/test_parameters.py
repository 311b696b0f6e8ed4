"""Every documented parameter is taken, and whatever is taken is documented."""

import keyword
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backo import Backoffice, Collection, Int, Item
from backo.connectors.memory import DBMemoryConnector
from backo.errors import FilterError
from backo.http.parameters import filter_parameters, page_parameters
from backo.query.filter import Op
from backo.query.parse import parse_query, parse_sort
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from tests.openapi.offices import NAMES, office, rows

PROBES = [
    *("1", "1.5", "true", "a", "x", "aGk=", "10.0.0.1", "10.0.0.0/8", "on", "0"),
    *("2024-02-29T10:00:00Z", "https://example.com/a", "2024-01-01"),
]


def _plans(name: str, folder: Path) -> list[ItemPlan]:
    collections = office(name, folder).collections.values()
    return [one.plan for one in collections if not one.forbids("read")]


def _taken(plan: ItemPlan, key: str, texts: tuple[str, ...]) -> bool:
    try:
        parse_query([(key, text) for text in texts], plan)
    except FilterError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_filter_is_taken_with_a_value_of_its_schema(
    name: str, tmp_path: Path
) -> None:
    for plan in _plans(name, tmp_path):
        for parameter in filter_parameters(plan):
            texts = _texts_of(parameter.schema)
            assert _taken(plan, parameter.name, texts), (parameter, texts)


def _texts_of(schema: dict[str, Any]) -> tuple[str, ...]:
    """Texts that the schema takes, as a query string has them."""
    if schema["type" if "type" in schema else "anyOf"] != "array":
        return (next(one for one in PROBES if _is_of(schema, one)),)
    several = schema.get("prefixItems", [schema["items"]])
    return tuple(text for one in several for text in _texts_of(one))


def _is_of(schema: dict[str, Any], text: str) -> bool:
    values: list[Any] = [text]
    if text.replace(".", "", 1).isdigit():
        values.append(float(text) if "." in text else int(text))
    if text == "true":
        values.append(True)
    checker = jsonschema.FormatChecker(["ipv4", "ipv6"])
    if schema.get("format") == "cidr" and text != "10.0.0.0/8":
        return False
    validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
    return any(validator.is_valid(one) for one in values)


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_that_is_taken_is_documented(name: str, tmp_path: Path) -> None:
    for plan in _plans(name, tmp_path):
        documented = {one.name for one in filter_parameters(plan)}
        documented |= {one.removeprefix("$.") for one in documented}
        for dotted, field in _leaves(plan.root):
            for op in Op:
                key = f"{dotted}.{op.value}"
                if any(_taken(plan, key, (text,)) for text in PROBES):
                    plain = dotted if op is Op.EQ else key
                    assert plain in documented, (key, field.kind)


def _leaves(field: FieldPlan) -> Iterator[tuple[str, FieldPlan]]:
    for child in field.fields:
        if child.kind is Kind.DICT:
            yield from _leaves(child)
        elif not child.unreadable:
            yield child.dotted, child


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_on_what_nobody_reads_is_not_documented(
    name: str, tmp_path: Path
) -> None:
    for plan in _plans(name, tmp_path):
        hidden = {one.dotted for one in plan.every_field if one.unreadable}
        named = {one.name.partition(".$")[0] for one in filter_parameters(plan)}
        assert not hidden & named


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_there_once(name: str, tmp_path: Path) -> None:
    for row in rows(office(name, tmp_path)):
        counted = Counter((one.location, one.name) for one in row.parameters)
        assert set(counted.values()) <= {1}


@pytest.mark.parametrize("name", NAMES)
def test_operation_ids_are_unique_and_names_of_methods(
    name: str, tmp_path: Path
) -> None:
    ids = [row.operation_id for row in rows(office(name, tmp_path))]
    assert len(ids) == len(set(ids))
    assert all(one.isidentifier() and not keyword.iskeyword(one) for one in ids)


def test_the_pattern_of_a_sort_takes_what_the_parser_takes(tmp_path: Path) -> None:
    plan = _plans("bookcase", tmp_path)[0]
    pattern = next(
        one.schema for one in page_parameters(plan, 10, 100) if one.name == "_sort"
    )
    validator = jsonschema.Draft202012Validator(pattern)
    for text in ("", "title", "-title", "-$.pages,$.title", "shelf.row"):
        assert validator.is_valid(text)
        parse_sort(text, plan)
    for text in ("tags", "nothing", "title,", "--title", ",".join(["title"] * 33)):
        assert not validator.is_valid(text)
        with pytest.raises(FilterError):
            parse_sort(text, plan)


def test_where_no_field_may_be_read_there_is_nothing_to_sort_or_filter_by() -> None:
    office = Backoffice("office")
    item = Item({"x": Int()}, can_read=False)
    office.register_collection(Collection("things", item, DBMemoryConnector()))
    document = office.get_openapi()
    names = {
        one["name"] for one in document["paths"]["/office/things"]["get"]["parameters"]
    }
    assert names == {"_page", "_skip", "_total", "_view"}
    assert "ThingsFilter" not in document["components"]["schemas"]
