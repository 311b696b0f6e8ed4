"""Selectors of many documents: what ``Item.select`` gives, in a few reads."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backo import Backoffice, Dict, FreeDict, Int, List, SSyntaxError, String, Tuple
from backo.references.selecting import compile_selector, values_of
from backo.schema.plan import is_readable
from backo.schema.types import GenericType
from tests.references.counting import counted
from tests.references.library import fill, library

MORE = {
    "words": List(String()),
    "grid": List(List(Int())),
    "shelf": Dict({"room": String(), "rows": List(Dict({"n": Int()}))}),
    "pair": Tuple((String(), Int())),
    "sometimes": String(exists=lambda _value, root: root.pages.get_value() is not None),
    "free": FreeDict(),
}

BOOKS = [
    *("$.title", "$.words", "$.words[0]", "$.words[-1]", "$.words[5]", "$.words[1:]"),
    *("$.words[:1]", "$.words[::2]", "$.words[*]", "$.grid", "$.grid[0]", "$.shelf"),
    *("$.shelf.room", "$.shelf.rows.n", "$.shelf.rows[0].n", "$.shelf.rows[0:1].n"),
    *("$.pair", "$.pair[1]", "$.sometimes", "$.free", "$._id", "$.author", "$.seen"),
    *("$.seen[0]", "$.author.name", "$.author.books", "$.author.books[0]"),
    *("$.author.books.title", "$.author.books[1:].title", "$.author.books[0].title"),
    *("$.author.more.edited.title", "$.author.more.edited[0].title"),
    *("$.author.more.friend.nationality.a2", "$.author.nationality.a2"),
    *("$.editor.more.edited.author.name", "$.loans.by.name", "$.loans[0].by.name"),
    *("$.loans.days", "$.loans", "$.seen.name", "$.seen[0].name", "$.seen[0:1].name"),
]


def filled() -> Backoffice:
    office = fill(library(books=MORE))
    given = {
        "words": ["a", "b", "c"],
        "grid": [[1, 2], [3]],
        "shelf": {"room": "hall", "rows": [{"n": 1}, {}]},
        "pair": ["x", 1],
        "sometimes": "now",
        "free": {"any": 1},
    }
    for _id in ("nana", "around"):
        store = office.books.db_handler
        store.save(_id, {**store.get_by_id(_id), **given})
    return office


def shown(value: Any) -> Any:
    """What ``Item.select`` gives, as plain values; unset fields are left out."""
    if isinstance(value, GenericType):
        return shown(value.get_encoded())
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items() if one is not None}
    return value


def selected(office: Backoffice, selectors: list[str]) -> list[list[Any]]:
    visible = office.books.visible
    look = visible.neighbours(lambda _plan: is_readable)
    root = office.books.plan.root
    items = office.books.select({})
    return values_of(
        [compile_selector(one, root, look) for one in selectors],
        [visible.document(item) for item in items],
        lambda name: office.collections[name].visible,
    )


def test_every_selector_gives_what_item_select_gives() -> None:
    office = filled()
    rows = selected(office, BOOKS)
    items = office.books.select({})
    assert len(items) == 5
    for item, row in zip(items, rows, strict=True):
        for selector, value in zip(BOOKS, row, strict=True):
            assert shown(value) == shown(item.select(selector)), selector


steps = st.sampled_from(
    ["author", "editor", "books", "loans", "by", "more", "edited", "friend", "seen"]
    + ["nationality", "a2", "title", "name", "words", "shelf", "rows", "n", "room"]
)
brackets = st.sampled_from(["", "", "", "[0]", "[-1]", "[0:1]", "[1:]", "[*]", "[9]"])
selectors = st.lists(st.builds(str.__add__, steps, brackets), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(parts=selectors)
def test_any_selector_that_is_taken_gives_what_item_select_gives(
    parts: list[str],
) -> None:
    office, selector = OFFICE, ".".join(["$", *parts])
    try:
        rows = selected(office, [selector])
    except SSyntaxError:
        return
    for item, (value,) in zip(office.books.select({}), rows, strict=True):
        assert shown(value) == shown(item.select(selector))


OFFICE = filled()


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("title", 'start with "\\$."'),
        ("$", 'start with "\\$."'),
        ("$.nothing", 'no field "nothing"'),
        ("$.title.more", "title has no fields"),
        ("$.title[0]", "title is no list"),
        ("$.words[x]", "neither an index nor a slice"),
        ("$.words[::0]", "neither an index nor a slice"),
        ("$.pair[7]", "no element"),
        ("$.pair[0:1]", "is a Tuple"),
        ("$.author[0].name", "author is no list"),
        ("$.author.hidden", 'no field "hidden" that somebody may read'),
        ("$.secret.name", 'no field "secret" that somebody may read'),
    ],
)
def test_what_is_no_selector_is_refused(selector: str, why: str) -> None:
    with pytest.raises(SSyntaxError, match=why):
        selected(OFFICE, [selector])


def test_a_collection_that_is_not_there_is_told() -> None:
    office = library()
    look = office.books.visible.neighbours(lambda _plan: is_readable)
    del office.collections["authors"]
    with pytest.raises(SSyntaxError, match="no collection authors"):
        compile_selector("$.author.name", office.books.plan.root, look)


def test_a_page_of_rows_reads_every_other_collection_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = fill(library())
    reads: Counter[str] = Counter()
    for one in office.collections.values():
        counted(one.db_handler, reads, monkeypatch)
    selected(office, ["$.author.name", "$.author.nationality.a2", "$.editor.name"])
    # The books, the authors (of both fields at once), the countries.
    assert reads.total() == 3
