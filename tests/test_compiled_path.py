"""The compiled path against the stricto path: nobody can tell them apart."""

import copy
from typing import Any

import pydantic
from hypothesis import given, settings
from hypothesis import strategies as st

from backo import Backoffice, Collection, Item
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.errors import VALUE_ERRORS, BackoError
from backo.metadata import GenericMetaDataHandler
from tests.schemas import fields, items, json_values, near_values


def nothing(*_args: Any, **_kwargs: Any) -> None:
    """A handler that makes every use case go through an Item."""


def pair(schema: dict[str, Any]) -> tuple[Collection, Collection]:
    """The same collection twice: without callables, and with."""
    made = []
    for handlers in ([], [("loaded", nothing), ("before_save", nothing)]):
        model = Item(copy.copy(schema), meta_data_handler=None, on=handlers)
        store = DBMemoryConnector()
        store.generate_id = lambda o: "the id"  # type: ignore[method-assign]
        office = Backoffice("office")
        office.register_collection(Collection("things", model, store))
        made.append(office.collection("things"))
    assert not any(made[0].item_needed.values())
    assert made[1].item_needed["read"] and made[1].item_needed["create"]
    return made[0], made[1]


def outcome(collection: Collection, do: Any) -> Any:
    """What an operation gave, or its faults."""
    try:
        return do(collection)
    except pydantic.ValidationError as error:
        return [one["loc"] for one in error.errors()]
    except VALUE_ERRORS as error:
        return ["stricto", str(error)]
    except BackoError as error:
        return [type(error), str(error)]


def insert(body: Any) -> Any:
    return lambda one: one.access.insert(one.models.create.document(body), "client")


def modify(body: Any) -> Any:
    def do(one: Collection) -> Any:
        changes = one.models.update.document(body)
        return one.access.modify("the id", Changes(lambda _: changes), "client", None)

    return do


def bodies(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        st.sampled_from(sorted(schema)), near_values | json_values, max_size=4
    )


@settings(max_examples=60, deadline=None)
@given(schema=items(), data=st.data())
def test_both_paths_store_and_show_the_same(schema: dict[str, Any], data: Any) -> None:
    static, through_items = pair(schema)
    body, change = data.draw(bodies(schema)), data.draw(bodies(schema))
    for do in (
        insert(body),
        lambda one: one.access.read("the id", "client"),
        modify(change),
        lambda one: one.access.listing(Query(), "client", total=True),
        lambda one: [stored for stored in one.db_handler.find(Query())],
    ):
        assert outcome(static, do) == outcome(through_items, do)


@settings(max_examples=400, deadline=None)
@given(field=fields(), value=near_values | json_values)
def test_the_model_takes_what_stricto_takes_and_writes_it_alike(
    field: Any, value: Any
) -> None:
    static, _ = pair({"f": field})
    item = static.new_item()
    try:
        item.set({"f": copy.deepcopy(value)})
        by_stricto: Any = item["f"].get_encoded()
    except VALUE_ERRORS:
        by_stricto = "refused"
    try:
        by_model: Any = static.models.create.document({"f": value})["f"]
    except pydantic.ValidationError:
        by_model = "refused"
    if isinstance(by_stricto, tuple):
        by_stricto = list(by_stricto)
    assert by_model == by_stricto
    assert repr(by_model) == repr(by_stricto)


@settings(max_examples=60, deadline=None)
@given(schema=items(), data=st.data())
def test_the_client_view_is_what_strictos_get_view_gives(
    schema: dict[str, Any], data: Any
) -> None:
    collection, _ = pair(schema)
    item = collection.new_item()
    try:
        item.create(data.draw(bodies(schema)))
    except VALUE_ERRORS:
        return
    shown = item.get_view("client").get_encoded()
    assert item.view("client") == _listed(shown)


def _listed(value: Any) -> Any:
    """The same with tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _listed(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(below) for below in value]
    return value


def test_a_default_is_seen_by_both_paths_in_a_document_that_lacks_the_field() -> None:
    from backo import Int

    for collection in pair({"n": Int(default=7), "m": Int()}):
        collection.db_handler.create({"_id": "the id"})
        shown = collection.access.read("the id", "client")
        assert shown == {"_id": "the id", "n": 7, "m": None}


def test_the_handlers_of_metadata_are_the_same() -> None:
    assert GenericMetaDataHandler().fields() == {}
