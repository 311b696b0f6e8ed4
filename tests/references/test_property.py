"""Random collections that point to each other, and random changes of their items: after
each, both halves of every link agree; after one that fails, nothing has changed."""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backo import (
    BackoError,
    Backoffice,
    Collection,
    DeleteStrategy,
    Dict,
    FillStrategy,
    Item,
    List,
    Ref,
    RefsList,
    String,
)
from backo.access import Changes
from backo.errors import VALUE_ERRORS
from tests.references.stores import STORES

type Document = dict[str, Any]
type Items = dict[str, dict[str, Document]]

REFUSED = (BackoError, pydantic.ValidationError, *VALUE_ERRORS)
EXAMPLES = int(os.environ.get("BACKO_EXAMPLES", "40"))


@dataclasses.dataclass(frozen=True)
class Side:
    """One end of a link."""

    collection: str
    name: str
    place: str
    many: bool
    filled: bool
    required: bool
    on_delete: DeleteStrategy

    @property
    def path(self) -> str:
        inside = {"top": "", "dict": f"in_{self.name}.", "list": f"of_{self.name}."}
        return f"$.{inside[self.place]}{self.name}"

    @property
    def single(self) -> bool:
        return not self.many and self.place != "list"

    def declared(self, other: "Side", *, linked: bool) -> Any:
        options: dict[str, Any] = {"coll": other.collection, "ods": self.on_delete}
        if linked:
            options["field"] = other.path
        if self.required:
            options["required"] = True
        if not self.many:
            return self.wrapped(Ref(**options))
        fill = FillStrategy.FILL if self.filled else FillStrategy.NOT_FILL
        return self.wrapped(RefsList(ofs=fill, **options))

    def wrapped(self, field: Any) -> dict[str, Any]:
        if self.place == "dict":
            return {f"in_{self.name}": Dict({self.name: field})}
        if self.place == "list":
            return {f"of_{self.name}": List(Dict({self.name: field}))}
        return {self.name: field}

    def put(self, held: Any) -> Document:
        if self.place == "dict":
            return {f"in_{self.name}": {self.name: held}}
        if self.place == "list":
            return {f"of_{self.name}": [{self.name: one} for one in held]}
        return {self.name: held}

    def held(self, document: Document) -> list[str]:
        if self.place == "list":
            parts = document.get(f"of_{self.name}") or []
        elif self.place == "dict":
            parts = [document.get(f"in_{self.name}") or {}]
        else:
            parts = [document]
        found: list[str] = []
        for part in parts:
            value = part.get(self.name)
            found += value if isinstance(value, list) else [value] if value else []
        return found


@dataclasses.dataclass(frozen=True)
class Link:
    one: Side
    other: Side
    linked: bool
    """Whether ``other`` has a field of it."""


@st.composite
def sides(draw: Any, collection: str, name: str, *, filled: bool) -> Side:
    many = True if not filled else draw(st.booleans())
    place = draw(st.sampled_from(["top", "top", "dict", "list"]))
    if not filled:
        place = draw(st.sampled_from(["top", "dict"]))
    required = place == "top" and not many and draw(st.integers(0, 4)) == 0
    on_delete = draw(st.sampled_from(DeleteStrategy))
    return Side(collection, name, place, many, filled, required, on_delete)


@st.composite
def all_links(draw: Any) -> list[Link]:
    names = [f"c{n}" for n in range(draw(st.integers(2, 4)))]
    found = []
    for number in range(draw(st.integers(1, 4))):
        here, there = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        linked = draw(st.integers(0, 3)) > 0
        filled = not linked or draw(st.integers(0, 3)) > 0
        one = draw(sides(here, f"a{number}", filled=True))
        other = draw(sides(there, f"b{number}", filled=filled))
        found.append(Link(one, other, linked))
    return found


def office_of(links: list[Link], make: Any) -> Backoffice:
    office = Backoffice("random")
    names = sorted({s.collection for link in links for s in (link.one, link.other)})
    schemas: dict[str, dict[str, Any]] = {name: {"text": String()} for name in names}
    for link in links:
        schemas[link.one.collection] |= link.one.declared(
            link.other, linked=link.linked
        )
        if link.linked:
            schemas[link.other.collection] |= link.other.declared(link.one, linked=True)
    for name, schema in schemas.items():
        item = Item(schema, meta_data_handler=None)
        office.register_collection(Collection(name, item, make(name)))
    return office


def state(office: Backoffice) -> Items:
    return {
        name: {
            one["_id"]: _without_null(one) for one in collection.db_handler.select({})
        }
        for name, collection in office.collections.items()
    }


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_null(one) for key, one in value.items() if one is not None}


def check(links: list[Link], items: Items) -> None:
    """Both halves of each link agree, and none leads nowhere."""
    for link in links:
        pairs = [(link.one, link.other)]
        if link.linked:
            pairs.append((link.other, link.one))
        for here, there in pairs:
            for _id, document in items[here.collection].items():
                held = here.held(document)
                assert here.filled or not held
                assert not (here.required and not held)
                assert here.place == "list" or len(held) == len(set(held))
                for other in held:
                    assert other in items[there.collection], "leads nowhere"
                    if link.linked and there.filled:
                        back = there.held(items[there.collection][other])
                        assert _id in back, f"{here.path} of {_id}: no other half"


def changes_of(draw: Any, links: list[Link], name: str, items: Items) -> Document:
    changes: Document = {"text": draw(st.sampled_from(["x", "y"]))}
    for link in links:
        ends = [(link.one, link.other)]
        if link.linked:
            ends.append((link.other, link.one))
        for side, other in ends:
            if side.collection != name or not side.filled or draw(st.booleans()):
                continue
            there = sorted(items[other.collection])
            unknown = not there or draw(st.integers(0, 19)) == 0
            changes |= side.put(_held(draw, side, ["nowhere"] if unknown else there))
    return changes


def _held(draw: Any, side: Side, ids: list[str]) -> Any:
    some = st.sampled_from(ids)
    one = st.lists(some, max_size=3, unique=True) if side.many else st.none() | some
    return draw(st.lists(one, max_size=3) if side.place == "list" else one)


def operate(draw: Any, office: Backoffice, links: list[Link], items: Items) -> None:
    name = draw(st.sampled_from(sorted(items)))
    collection, here = office.collections[name], sorted(items[name])
    changes = changes_of(draw, links, name, items)
    by_item = draw(st.booleans())
    what = draw(st.sampled_from(["create", "change", "change", "delete"]))
    if what == "create" or not here:
        _id = f"{name}-{len(here)}"
        if by_item:
            collection.create(changes | {"_id": _id})
        else:
            valid = collection.models.create.document(changes)
            collection.access.insert(valid | {"_id": _id}, "client")
        return
    _id = draw(st.sampled_from(here))
    if what == "delete":
        if by_item:
            collection.get_by_id(_id).delete()
        else:
            collection.access.remove(_id, "client", None)
    elif by_item:
        item = collection.get_by_id(_id)
        item.set(changes)
        item.save()
    else:
        valid = collection.models.update.document(changes)
        collection.access.modify(
            _id, Changes(lambda _: valid, blind=True), "client", None
        )


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Any]:
    """A new empty folder for each example."""
    folders = (tmp_path / str(number) for number in range(1_000_000))

    def make(store: str) -> Any:
        folder = next(folders)
        shutil.rmtree(folder, ignore_errors=True)
        return STORES[store](folder)

    yield make


@pytest.mark.parametrize("store", STORES)
def test_links_stay_right(
    store: str, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    @settings(
        max_examples=EXAMPLES * (3 if store == "memory" else 1),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(links=all_links(), data=st.data())
    def run(links: list[Link], data: st.DataObject) -> None:
        office = office_of(links, fresh(store))
        assert office.check_syntax() == []
        for name in office.collections:
            for number in range(2):
                with suppress(*REFUSED):
                    office.collections[name].create({"_id": f"{name}-{number}"})
        before = state(office)
        for _ in range(data.draw(st.integers(3, 10))):
            try:
                operate(data.draw, office, links, before)
            except REFUSED as error:
                assert not isinstance(error, BackoError) or error.status != 500, error
                assert state(office) == before
            after = state(office)
            check(links, after)
            before = after
        assert office.check_references() == []
        for collection in office.collections.values():
            collection.db_handler.close()

    run()
