"""2,000 random filters in the body of a request: over every store the answer that they
mean in memory, and to an oracle that knows nothing but JSON."""

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Bool,
    Collection,
    Datetime,
    Dict,
    Float,
    In,
    Int,
    Item,
    List,
    Selection,
    String,
)
from backo.connectors.testing import Make
from backo.query.filter import predicate
from backo.query.parse import parse_json
from backo.schema.compiler import compile_item
from backo.schema.plan import ItemPlan
from tests.conformance.conftest import CONNECTORS
from tests.conformance.far import Keeping, keeping
from tests.http.asking import asking

type Document = dict[str, Any]

FILTERS = 2_000
DEPTH = 3

SCHEMA = {
    "title": String(),
    "pages": Int(),
    "price": Float(),
    "ok": Bool(),
    "when": Datetime(),
    "tags": List(String()),
    "numbers": List(Int()),
    "address": Dict({"zip": String(), "row": Int()}),
    "authors": List(Dict({"name": String(), "age": Int(), "langs": List(String())})),
    "either": In([Int(), String()]),
    "it's": String(),
}

# -- documents ---------------------------------------------------------------------

TEXTS = ["", "a", "ab", "b", "A", "é", "1", "a'b", 'q"', "%", "_", "ab\ncd"]
NUMBERS = [-1, 0, 1, 2, 3, 2**53]
FLOATS = [*NUMBERS, 0.5, 1.5, -0.25]
MOMENTS = [
    "2024-01-01T00:00:00+00:00",
    "2024-01-01T01:00:00+01:00",
    "2024-06-01T12:00:00+00:00",
    "1999-12-31T23:59:59+00:00",
]
POOLS: dict[str, list[Any]] = {
    "title": TEXTS,
    "it's": TEXTS,
    "pages": NUMBERS,
    "price": FLOATS,
    "ok": [True, False],
    "when": MOMENTS,
    "either": [*TEXTS[:4], *NUMBERS[:4]],
    "tags": TEXTS,
    "numbers": NUMBERS,
    "address.zip": TEXTS,
    "address.row": NUMBERS,
    "authors.name": TEXTS,
    "authors.age": NUMBERS,
    "authors.langs": TEXTS,
}
"""The values that fields have, and are asked for, by their paths."""
SCALARS = [*("title", "it's", "pages", "price", "ok", "when", "either")]
LISTS = ["tags", "numbers"]


def documents(chance: random.Random) -> list[Document]:
    def value(path: str) -> Any:
        return chance.choice([None, *POOLS[path]])

    def several(path: str) -> Any:
        some = [chance.choice(POOLS[path]) for _ in range(chance.randrange(4))]
        return chance.choice([None, some, some, some])

    def author() -> Document:
        made = {"name": value("authors.name"), "age": value("authors.age")}
        return {**made, "langs": several("authors.langs")}

    made = []
    for number in range(30):
        authors = [author() for _ in range(chance.randrange(3))]
        whole = {
            "_id": f"id{number:02}",
            **{path: value(path) for path in SCALARS},
            **{path: several(path) for path in LISTS},
            "address": {"zip": value("address.zip"), "row": value("address.row")},
            "authors": chance.choice([None, authors, authors]),
        }
        # What is null may as well be absent.
        left_out = chance.sample(sorted(whole), chance.randrange(4))
        made.append(
            {
                name: held
                for name, held in whole.items()
                if name == "_id" or held is not None or name not in left_out
            }
        )
    return made


# -- filters -----------------------------------------------------------------------


class Writing:
    """Writes filters in the forms that JSON has."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def whole(self) -> Document:
        """``$or`` beside other conditions."""
        return {**self.filter(DEPTH), "$or": self.several(DEPTH - 1)}

    def filter(self, depth: int) -> Document:
        made: Document = {}
        for _ in range(self.chance.choice([1, 1, 2])):
            made |= self.condition()
        if depth > 1 and self.chance.random() < 0.6:
            made["$or"] = self.several(depth - 1)
        if depth > 1 and self.chance.random() < 0.3:
            made["$and"] = self.several(depth - 1)
        if depth > 1 and self.chance.random() < 0.4:
            made["$not"] = self.filter(depth - 1)
        return made

    def several(self, depth: int) -> list[Document]:
        return [self.filter(depth) for _ in range(self.chance.randrange(1, 3))]

    def condition(self) -> Document:
        path = self.chance.choice([*POOLS, "authors", *LISTS])
        if path == "authors":
            return {path: self.of_authors()}
        if path in LISTS and self.chance.random() < 0.6:
            return {path: self.of_list(path)}
        prefix = self.chance.choice(["", "$."])
        return {f"{prefix}{path}": self.of_scalar(path)}

    def of_scalar(self, path: str) -> Any:
        value = self.chance.choice(POOLS[path])
        some = self.chance.sample(POOLS[path], 2)
        forms: list[Any] = [
            value,
            None,
            ["$ne", value],
            {"$ne": None},
            {"$in": [*some, None]},
            ["$in", some],
            {"$nin": some},
            ["$exists", self.chance.random() < 0.5],
        ]
        if path not in ("ok", "either"):
            forms += [{"$gte": value}, {"$lt": value}, ["$lte", value], ["$gt", value]]
            forms += [{"$gt": some[0], "$ne": some[1]}]
        if POOLS[path] is TEXTS:
            pattern = self.chance.choice(["a", ".b", "[a-é]+$", "", ".*[^a]$"])
            forms += [["$reg", pattern], {"$not": {"$reg": pattern}}]
        return self.chance.choice(forms)

    def of_list(self, path: str) -> Any:
        some = self.chance.choices(POOLS[path], k=self.chance.randrange(3))
        forms: list[Any] = [
            {"$size": self.chance.randrange(4)},
            {"$contains": self.chance.choice(POOLS[path])},
            {"$all": some},
            {"$eq": some},
            {"$ne": some},
            {"$exists": False},
        ]
        return self.chance.choice(forms)

    def of_authors(self) -> Any:
        inner = {
            self.chance.choice(["name", "age"]): ["$ne", None],
            "age": self.of_scalar("authors.age"),
        }
        named = {"name": self.of_scalar("authors.name")}
        return self.chance.choice(
            [
                {"$size": self.chance.randrange(3)},
                {"$contains": inner},
                {"$contains": named},
                {"$all": named},
                {"$contains": {"$or": [inner, named]}},
                {"$exists": True},
            ]
        )


# -- the oracle --------------------------------------------------------------------

TYPES = {str: "text", bool: "bool", int: "number", float: "number"}


def holds(wanted: Document, document: Any) -> bool:
    """Whether a document is one of the filter's, by the words of the docs."""
    return all(_part(key, value, document) for key, value in wanted.items())


def _part(key: str, value: Any, document: Any) -> bool:
    if key == "$or":
        return any(holds(one, document) for one in value)
    if key == "$and":
        return all(holds(one, document) for one in value)
    if key == "$not":
        return not holds(value, document)
    path = key.removeprefix("$.")
    found = _found(document, path.split("."))
    return _condition(value, found, moments=path == "when")


def _found(document: Any, names: list[str]) -> list[Any]:
    """What is set there, through lists."""
    if not names:
        return [] if document is None else [document]
    if isinstance(document, list):
        below = [one for one in document if isinstance(one, dict)]
        return [value for one in below for value in _found(one, names)]
    if not isinstance(document, dict):
        return []
    return _found(document.get(names[0]), names[1:])


def _condition(wanted: Any, found: list[Any], *, moments: bool) -> bool:
    if isinstance(wanted, list) and wanted and str(wanted[0]).startswith("$"):
        wanted = {wanted[0]: wanted[1]}
    if not isinstance(wanted, dict):
        wanted = {"$eq": wanted}
    return all(
        not _condition(value, found, moments=moments)
        if name == "$not"
        else OPERATORS[name](value, found, moments)
        for name, value in wanted.items()
    )


def _singles(found: list[Any]) -> list[Any]:
    return [x for one in found for x in (one if isinstance(one, list) else [one])]


def _is(wanted: Any, found: list[Any], moments: bool) -> bool:
    if wanted is None:
        return not found
    if isinstance(wanted, list):
        return wanted in found
    pairs = ((_key(wanted, moments), _key(one, moments)) for one in _singles(found))
    return any(one == other for one, other in pairs)


def _key(value: Any, moments: bool) -> Any:
    if moments:
        return "moment", datetime.fromisoformat(value)
    return TYPES.get(type(value)), value


def _order(test: Callable[[Any, Any], bool]) -> Any:
    def ordered(wanted: Any, found: list[Any], moments: bool) -> bool:
        kind, bound = _key(wanted, moments)
        keys = (_key(one, moments) for one in _singles(found))
        return any(bool(other == kind and test(value, bound)) for other, value in keys)

    return ordered


def _contains(wanted: Any, found: list[Any], moments: bool) -> bool:
    lists = [one for one in found if isinstance(one, list)]
    return any(_fits(wanted, element) for one in lists for element in one)


def _all(wanted: Any, found: list[Any], moments: bool) -> bool:
    lists = [one for one in found if isinstance(one, list)]
    if isinstance(wanted, dict):
        return any(all(_fits(wanted, element) for element in one) for one in lists)
    held = [element for one in lists for element in one]
    return bool(lists) and all(any(_fits(one, x) for x in held) for one in wanted)


def _fits(wanted: Any, element: Any) -> bool:
    if isinstance(wanted, dict):
        return holds(wanted, element)
    return bool(_key(wanted, False) == _key(element, False))


OPERATORS: dict[str, Callable[[Any, list[Any], bool], bool]] = {
    "$eq": _is,
    "$ne": lambda wanted, found, m: not _is(wanted, found, m),
    "$in": lambda wanted, found, m: any(_is(one, found, m) for one in wanted),
    "$nin": lambda wanted, found, m: not any(_is(one, found, m) for one in wanted),
    "$lt": _order(lambda value, bound: bool(value < bound)),
    "$lte": _order(lambda value, bound: bool(value <= bound)),
    "$gt": _order(lambda value, bound: bool(value > bound)),
    "$gte": _order(lambda value, bound: bool(value >= bound)),
    "$exists": lambda wanted, found, m: bool(found) is wanted,
    "$size": lambda wanted, found, m: any(
        isinstance(one, list) and len(one) == wanted for one in found
    ),
    "$reg": lambda wanted, found, m: any(
        isinstance(one, str) and re.match(wanted, one) is not None
        for one in _singles(found)
    ),
    "$contains": _contains,
    "$all": _all,
}


# -- the test ----------------------------------------------------------------------


INDEXES = [f"$.{path}" for path in ("pages", "title", "when", "address.row", "it's")]
STORES: dict[str, Callable[[Path], Make]] = {
    **{name: CONNECTORS[name] for name in ("memory", "yml", "six methods")},
    "sqlite": lambda folder: partial(CONNECTORS["sqlite"](folder), indexes=INDEXES),
}


SHARE = 4
"""Of so many filters one is asked of another server, which takes long."""


@pytest.fixture(params=[*STORES, "mongo", "redirect"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def share(store: str) -> int:
    return SHARE if store == "redirect" else 1


@pytest.fixture
def shelf(
    store: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Collection]:
    """The collection with all documents."""
    # The tests cut no power, and waiting for the disk is most of their time.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    with kept(store, request, tmp_path) as keeping:
        office = Backoffice("office", max_page_size=100)
        item = Item(SCHEMA, meta_data_handler=None)
        office.register_collection(Collection("things", item, keeping.store))
        office.things.register_selection("ids", Selection([]))
        for document in asked()[0]:
            keeping.keeper.create(document)
        yield office.things


@contextmanager
def kept(store: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Keeping]:
    if store == "redirect":
        item = Item(SCHEMA, meta_data_handler=None)
        with keeping(store, request, folder, item) as made:
            yield made
        return
    make = STORES[store](folder) if store in STORES else request.getfixturevalue(store)
    connector = make(indexes=INDEXES) if store == "mongo" else make()
    yield Keeping(connector, connector)
    connector.close()


@cache
def asked() -> tuple[list[Document], list[Document]]:
    """The documents, and the filters."""
    chance = random.Random(20240229)  # noqa: S311 - the same ones each time
    written = Writing(chance)
    return documents(chance), [written.whole() for _ in range(FILTERS)]


@cache
def by_the_oracle() -> list[list[str]]:
    """The ids that each filter finds."""
    held, filters = asked()
    return [[one["_id"] for one in held if holds(each, one)] for each in filters]


def by_the_meaning(plan: ItemPlan) -> Iterator[list[str]]:
    held, filters = asked()
    for wanted in filters:
        test = predicate(parse_json(wanted, plan, plan.shows))
        yield [one["_id"] for one in held if test(one)]


def test_the_meaning_of_random_filters_is_what_the_docs_say() -> None:
    plan = compile_item("things", Item(SCHEMA, meta_data_handler=None))
    _, filters = asked()
    triples = zip(filters, by_the_meaning(plan), by_the_oracle(), strict=True)
    for wanted, found, told in triples:
        assert found == told, wanted
    # They tell documents apart.
    assert len({len(one) for one in by_the_oracle()}) > 20


def test_random_filters_find_what_they_mean(shelf: Collection, share: int) -> None:
    _, filters = asked()
    ask = asking(shelf.backoffice)  # type: ignore[arg-type]
    pairs = [*zip(filters, by_the_oracle(), strict=True)]
    for wanted, meant in pairs[::share]:
        answer = ask("things_search_ids", wanted, query="_page=100")
        assert answer.status == 200, (wanted, answer.body)
        body = json.loads(answer.body)
        assert [_id for (_id,) in body["result"]] == meant, wanted
        assert body["total"] == len(meant), wanted
