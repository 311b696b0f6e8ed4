"""A filter through references finds what the same filter finds in documents in which
the referenced ones are embedded."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backo import Backoffice, Dict, FillStrategy, List, Ref, RefsList
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.query.filter import matches, texts_at
from backo.query.parse import parse_json
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from tests.references.library import library
from tests.references.stores import STORES, Make

type Document = dict[str, Any]
type Documents = dict[str, dict[str, Document]]

DEPTH = 3
WITHOUT_IDS = ("edited", "kept")
NAMES = ("books", "authors", "nationalities")
IDS = ("0", "1", "2", "3")
"""Those of every collection: an id that is mistaken for another one's is found."""


def _library(make: Make) -> Backoffice:
    edited = RefsList(coll="books", field="$.editor", ofs=FillStrategy.NOT_FILL)
    rooms = {"rooms": List(Dict({"kept": edited, "row": Ref(coll="authors")}))}
    return library(make, authors=rooms)


@pytest.fixture(params=["memory", "sqlite"], scope="module")
def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backoffice]:
    made = _library(STORES[request.param](tmp_path_factory.mktemp("x")))
    yield made
    for collection in made.collections.values():
        collection.db_handler.close()


# -- embedding ---------------------------------------------------------------------


def embedded_field(
    office: Backoffice, field: FieldPlan, depth: int
) -> FieldPlan | None:
    """The field as it is where items are embedded; None below ``depth``."""
    reference = field.reference
    if reference is not None:
        if depth == 0 or office.collection(reference.collection).forbids("read"):
            return None
        root = office.collection(reference.collection).plan.root
        there = embedded_root(office, root, depth - 1)
        if not reference.many:
            return dataclasses.replace(there, name=field.name)
        return FieldPlan(
            name=field.name, path=field.path, kind=Kind.LIST, node=None, element=there
        )
    if field.kind is Kind.DICT:
        return embedded_root(office, field, depth)
    if field.element is not None:
        element = embedded_field(office, field.element, depth)
        return None if element is None else dataclasses.replace(field, element=element)
    return field


def embedded_root(office: Backoffice, root: FieldPlan, depth: int) -> FieldPlan:
    fields = (
        embedded_field(office, one, depth) for one in root.fields if not one.unreadable
    )
    return dataclasses.replace(root, fields=tuple(one for one in fields if one))


def embedded(
    office: Backoffice,
    field: FieldPlan,
    value: Any,
    held: Documents,
    depth: int,
    _id: str,
) -> Any:
    """``value`` with the items it points to embedded; ``_id``: in which document."""
    reference = field.reference
    if reference is not None:
        if depth == 0 or reference.collection not in held:
            return None
        there, plan = (
            held[reference.collection],
            office.collection(reference.collection),
        )
        ids = value if isinstance(value, list) else [value]
        if not reference.filled:
            back = tuple((reference.reverse or "")[2:].split("."))
            ids = [one for one in there if _id in texts_at(there[one], back)]
        items = [
            embedded(office, plan.plan.root, there[one], held, depth - 1, one)
            for one in ids
            if one in there
        ]
        if reference.many:
            return items
        return items[0] if items else None
    if isinstance(value, list) and field.element is not None:
        return [embedded(office, field.element, one, held, depth, _id) for one in value]
    if field.kind is Kind.DICT:
        value = value or {}
        return {
            one.name: embedded(office, one, value.get(one.name), held, depth, _id)
            for one in field.fields
        }
    return value


# -- drawing -----------------------------------------------------------------------


def documents() -> st.SearchStrategy[Documents]:
    _id = st.none() | st.sampled_from([*IDS, "gone"])
    ids = st.lists(st.sampled_from([*IDS, "gone"]), unique=True, max_size=3)
    text, number = st.sampled_from([None, "a", "b"]), st.sampled_from([None, 1, 2])
    loans = st.lists(st.fixed_dictionaries({"by": _id, "days": number}), max_size=2)
    book = {"title": text, "pages": number, "author": _id, "editor": _id}
    rooms = st.lists(st.fixed_dictionaries({"row": _id}), max_size=2)
    author = {"name": text, "born": number, "nationality": _id, "books": ids}
    friend = st.fixed_dictionaries({"friend": _id})
    shapes: Mapping[str, dict[str, st.SearchStrategy[Any]]] = {
        "books": {**book, "loans": loans, "seen": ids},
        "authors": {**author, "more": friend, "rooms": rooms},
        "nationalities": {"a2": text, "people": number},
    }
    return st.fixed_dictionaries(
        {
            name: st.dictionaries(st.sampled_from(IDS), st.fixed_dictionaries(shape))
            for name, shape in shapes.items()
        }
    ).map(_with_ids)


def _with_ids(drawn: dict[str, dict[str, Document]]) -> Documents:
    return {
        name: {_id: {"_id": _id, **one} for _id, one in some.items()}
        for name, some in drawn.items()
    }


VALUES = {
    Kind.STRING: st.sampled_from(["a", "b", "0", "1"]),
    Kind.INT: st.integers(0, 3),
}


OPERATORS = ("$eq", "$ne", "$gt", "$in", "$nin", "$exists")


def drawn_filter(draw: st.DrawFn, root: FieldPlan, left: int = 3) -> Document:
    """A filter of what ``root`` holds, of ``left`` levels at most."""
    shape = draw(st.sampled_from(["one", "one", "two", "$or", "$and", "$not"]))
    if shape == "one" or left == 0:
        return drawn_member(draw, root, left)
    one = drawn_filter(draw, root, left - 1)
    other = drawn_filter(draw, root, left - 1)
    if shape == "two":
        return {**one, **other}
    return {shape: one if shape == "$not" else [one, other]}


def drawn_member(draw: st.DrawFn, root: FieldPlan, left: int) -> Document:
    """A condition on one field, which dots or objects lead to."""
    names: list[str] = []
    here = root
    while True:
        fields = [one for one in here.fields if _conditional(one)]
        field = fields[draw(st.integers(0, len(fields) - 1))]
        names.append(field.name)
        here = field.element or field
        dotted = ".".join(names)
        if here.kind is not Kind.DICT:
            return {dotted: drawn_value(draw, here.kind)}
        if left and draw(st.booleans()):
            below = drawn_filter(draw, here, left - 1)
            lists = field is not here and field.name not in WITHOUT_IDS
            contains = lists and draw(st.booleans())
            return {dotted: {"$contains": below} if contains else below}


def _conditional(field: FieldPlan) -> bool:
    element = field.element or field
    return element.kind is not Kind.DICT or any(map(_conditional, element.fields))


def drawn_value(draw: st.DrawFn, kind: Kind) -> Any:
    operator, value = draw(st.sampled_from(OPERATORS)), VALUES[kind]
    if operator == "$exists":
        return {operator: draw(st.booleans())}
    if operator in ("$in", "$nin"):
        return {operator: draw(st.lists(st.none() | value, max_size=3))}
    return {operator: draw(value if operator == "$gt" else st.none() | value)}


def _roots() -> dict[str, FieldPlan]:
    office = _library(lambda _name: DBMemoryConnector())
    plans = {name: office.collection(name).plan for name in NAMES}
    return {
        name: embedded_root(office, plan.root, DEPTH) for name, plan in plans.items()
    }


ROOTS = _roots()
"""What each collection's items are where others are embedded."""


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, Document]:
    """A collection's name and a filter of its items."""
    name = draw(st.sampled_from(["books", "authors"]))
    return name, drawn_filter(draw, ROOTS[name])


@settings(max_examples=100, deadline=None)
@given(held=documents(), question=questions())
@example(
    held={"books": {}, "authors": {"1": {"_id": "1", "books": ["gone"]}}},
    question=("authors", {"books": {"$contains": {"$or": [{"_id": None}]}}}),
)
def test_a_filter_means_what_it_means_of_embedded_items(
    office: Backoffice, held: Documents, question: tuple[str, Document]
) -> None:
    for name, some in held.items():
        store = office.collection(name).db_handler
        store.drop()
        for one in some.values():
            store.create(one)
    name, wanted = question
    plan = office.collection(name).plan
    tree = parse_json(wanted, ItemPlan(name, ROOTS[name]))
    expected = {
        _id
        for _id, one in held[name].items()
        if matches(tree, embedded(office, plan.root, one, held, DEPTH, _id))
    }
    look = office.collection(name).visible.neighbours(lambda plan: plan.shows)
    query = Query(parse_json(wanted, plan, plan.shows, look))
    found = office.collection(name).access.listing(query, "client", total=False)
    assert {one["_id"] for one in found.rows} == expected
