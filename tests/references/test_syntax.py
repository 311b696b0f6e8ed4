"""Mistakes in references are found before any request."""

from typing import Any

import pytest

from backo import (
    Backoffice,
    Collection,
    DeleteStrategy,
    FillStrategy,
    Item,
    PathNotFoundError,
    Ref,
    RefsList,
    SSyntaxError,
    String,
)
from backo.connectors.memory import DBMemoryConnector


def office_of(**schemas: dict[str, Any]) -> Backoffice:
    office = Backoffice("office")
    for name, schema in schemas.items():
        office.register_collection(Collection(name, Item(schema), DBMemoryConnector()))
    return office


NOT_FILL = FillStrategy.NOT_FILL


@pytest.mark.parametrize(
    ("books", "authors", "error", "words"),
    [
        (Ref(coll="nowhere"), String(), SSyntaxError, "no collection nowhere"),
        (
            Ref(coll="authors", field="$.nothing"),
            String(),
            PathNotFoundError,
            "no field",
        ),
        (Ref(coll="authors", field="$.end"), String(), SSyntaxError, "points nowhere"),
        (
            Ref(coll="authors", field="$.end"),
            Ref(coll="books"),
            SSyntaxError,
            "does not point back",
        ),
        (
            RefsList(coll="authors", field="$.end", ofs=NOT_FILL),
            RefsList(coll="books", field="$.end", ofs=NOT_FILL),
            SSyntaxError,
            "neither side keeps ids",
        ),
        (
            Ref(coll="authors", field="$.end", set=lambda root: None),
            Ref(coll="books", field="$.end"),
            SSyntaxError,
            "computed",
        ),
    ],
)
def test_a_mistake_is_found_told_and_refused(
    books: Any, authors: Any, error: type[Exception], words: str
) -> None:
    office = office_of(books={"end": books}, authors={"end": authors})
    mistakes = office.check_syntax()
    assert any(words in mistake and "$.end" in mistake for mistake in mistakes)
    with pytest.raises(error, match=words):
        office.books.create({"end": None})
    with pytest.raises(SSyntaxError, match=words):
        office.freeze()


def test_what_is_right_has_no_mistakes() -> None:
    office = office_of(
        books={"author": Ref(collection="authors", reverse="books")},
        authors={"books": RefsList(coll="books", rev="$.author")},
    )
    assert office.check_syntax() == []
    office.freeze()


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Ref(),
        lambda: Ref(coll="a", collection="a"),
        lambda: Ref(coll="a", ofs=NOT_FILL),
        lambda: Ref(coll="a", field="$"),
        lambda: Ref(coll="a", ods="cascade"),
        lambda: RefsList(coll="a", ofs=NOT_FILL),
        lambda: RefsList(coll="a", ofs="fill"),
        lambda: Ref(coll=3),
    ],
)
def test_options_are_checked_when_the_field_is_declared(declare: Any) -> None:
    with pytest.raises(SSyntaxError):
        declare()


def test_the_schema_says_what_a_reference_points_to() -> None:
    ref = Ref(coll="authors", field="books", ods=DeleteStrategy.MUST_BE_EMPTY)
    schema = ref.get_schema()
    assert (schema["collection"], schema["reverse"]) == ("authors", "$.books")
