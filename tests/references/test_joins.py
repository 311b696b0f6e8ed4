"""Filters and sorts across references."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Backoffice,
    Dict,
    FillStrategy,
    FilterError,
    Int,
    List,
    Operator,
    Ref,
    RefsList,
    SFilter,
)
from backo.query.parse import parse_json
from tests.references.counting import counted
from tests.references.library import fill, library
from tests.references.stores import STORES


@pytest.fixture(params=STORES, scope="module")
def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backoffice]:
    """A library that no test changes."""
    made = fill(library(STORES[request.param](tmp_path_factory.mktemp("library"))))
    yield made
    for collection in made.collections.values():
        collection.db_handler.close()


def ids(office: Backoffice, wanted: Any, name: str = "books", **how: Any) -> list[str]:
    return [
        one._id.get_value() for one in office.collection(name).select(wanted, **how)
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"author.name": "Zola"}, ["germinal", "nana"]),
        ({"$.author.name": "Zola"}, ["germinal", "nana"]),
        ({"author": {"name": "Zola"}}, ["germinal", "nana"]),
        ({"author": {"nationality": {"a2": "FR"}}}, ["around", "germinal", "nana"]),
        ({"author.nationality.a2": "FR"}, ["around", "germinal", "nana"]),
        ({"author.nationality": {"a2": "IT"}}, ["comedy"]),
        ({"author.nationality": "it"}, ["comedy"]),
        ({"author.nationality._id": "it"}, ["comedy"]),
        ({"author": "zola"}, ["germinal", "nana"]),
        ({"author._id": ("$in", ["zola", "dante"])}, ["comedy", "germinal", "nana"]),
        ({"author.name": ("$ne", "Zola")}, ["around", "comedy", "orphan"]),
        ({"author": {"name": ("$ne", "Zola")}}, ["around", "comedy", "orphan"]),
        ({"$not": {"author.name": "Zola"}}, ["around", "comedy", "orphan"]),
        ({"author.name": ("$nin", ["Zola", "Dante"])}, ["around", "orphan"]),
        ({"author.name": None}, ["orphan"]),
        ({"author.name": ("$exists", False)}, ["orphan"]),
        ({"author.born": {"$gt": 1800, "$lt": 1830}}, ["around"]),
        ({"author": {"name": ("$reg", "Z|D"), "born": ("$lt", 1800)}}, ["comedy"]),
        ({"$or": [{"author.name": "Dante"}, {"title": "Nana"}]}, ["comedy", "nana"]),
        (SFilter("$.author.name", Operator.EQ, "Dante"), ["comedy"]),
        ({"author.more.friend.name": "Zola"}, ["around"]),
        ({"author.more.friend.more.friend.name": "Zola"}, ["comedy"]),
        ({"author.books.title": "Nana"}, ["germinal", "nana"]),
        ({"author.books": ("$size", 2)}, ["germinal", "nana"]),
        ({"author.books": {"title": "Nana", "pages": 590}}, []),
        ({"author.books": {"title": "Nana", "pages": 500}}, ["germinal", "nana"]),
        (
            {"author.books.title": "Nana", "author.books.pages": 590},
            ["germinal", "nana"],
        ),
        ({"author": {"books": {"$contains": "comedy"}}}, ["comedy"]),
        ({"author.more.edited.title": "Nana"}, ["around"]),
        ({"author.more.edited.author.name": "Dante"}, ["germinal", "nana"]),
        ({"author.more": {"edited": {"title": "Nana"}}}, ["around"]),
        ({"editor.name": ("$ne", "Verne")}, ["comedy", "germinal", "orphan"]),
        ({"loans.by.name": "Zola"}, ["around"]),
        ({"loans": {"by": {"name": "Dante"}, "days": 3}}, ["germinal"]),
        ({"loans": {"by.name": "Zola", "days": 9}}, []),
        ({"loans.by.name": "Zola", "loans.days": 9}, ["around"]),
        ({"loans": {"by.name": ("$ne", "Zola"), "days": 9}}, ["around"]),
        ({"seen.name": "Dante"}, ["nana"]),
        ({"seen": {"name": "Zola", "born": 1840}}, ["nana"]),
        ({"seen": {"name": "Zola", "born": 1265}}, []),
        ({"seen": {"$contains": {"name": "Zola"}}}, ["nana"]),
        ({"seen": ("$all", {"born": ("$gt", 0)})}, ["nana"]),
        ({"author.name": "nobody at all"}, []),
        ({"author.nationality.a2": ("$ne", "FR")}, ["comedy", "orphan"]),
    ],
)
def test_a_filter_looks_through_references(
    office: Backoffice, wanted: Any, found: list[str]
) -> None:
    assert ids(office, wanted) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"books.title": "Nana"}, ["zola"]),
        ({"books": {}}, ["dante", "verne", "zola"]),
        ({"books": {"$not": {"title": "Nana"}}}, ["dante", "nobody", "verne"]),
        ({"books": {"title": ("$ne", "Nana")}}, ["dante", "verne", "zola"]),
        ({"books": {"title": ("$nin", ["Nana", "Germinal"])}}, ["dante", "verne"]),
        ({"$not": {"books.title": "Nana"}}, ["dante", "nobody", "verne"]),
        ({"books": {"$contains": {"title": "Nana"}}}, ["zola"]),
        ({"more.edited.title": "Nana"}, ["verne"]),
        ({"more.edited.title": ("$ne", "Nana")}, ["dante", "nobody", "zola"]),
        ({"more.edited": {"title": "Nana", "pages": ("$lt", 600)}}, ["verne"]),
        ({"more.edited": {"title": "Nana", "author.name": "Verne"}}, []),
        ({"more.edited.author.nationality.a2": "FR"}, ["verne"]),
        ({"more.edited": {}}, ["verne", "zola"]),
    ],
)
def test_a_filter_looks_through_lists_with_and_without_ids(
    office: Backoffice, wanted: Any, found: list[str]
) -> None:
    assert ids(office, wanted, "authors") == found


@pytest.mark.parametrize(
    "wanted",
    [
        {"more.edited": "nana"},
        {"more.edited": ("$contains", "nana")},
        {"more.edited": ("$size", 1)},
        {"more.edited": None},
    ],
)
def test_a_list_without_ids_is_not_asked_for_ids(wanted: Any) -> None:
    with pytest.raises(FilterError, match="keeps no ids") as raised:
        library().authors.select(wanted)
    assert [one.path for one in raised.value.faults] == ["$.more.edited"]


def _vault() -> Backoffice:
    return library(
        books={"vault": Ref(coll="secrets"), "lost": Ref(coll="nothing")},
        authors={"vaults": RefsList(coll="secrets")},
    )


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"author.nothing": 1}, "$.author.nothing"),
        ({"author": {"nothing": 1}}, "$.author.nothing"),
        ({"author.hidden": "x"}, "$.author.hidden"),
        ({"author": {"hidden": "x"}}, "$.author.hidden"),
        ({"secret.name": "x"}, "$.secret.name"),
        ({"vault.text": "x"}, "$.vault.text"),
        ({"vault": {"text": "x"}}, "$.vault.text"),
        ({"author.vaults.text": "x"}, "$.author.vaults.text"),
        ({"author.vaults": {"text": "x"}}, "$.author.vaults.text"),
        ({"lost.text": "x"}, "$.lost.text"),
        ({"title.name": "x"}, "$.title.name"),
    ],
)
def test_what_may_not_be_read_through_a_reference_is_unknown(
    wanted: Any, path: str
) -> None:
    with pytest.raises(FilterError, match="unknown field") as raised:
        _vault().books.select(wanted)
    assert [one.path for one in raised.value.faults] == [path]


def test_paths_through_references_have_the_usual_depth() -> None:
    office = fill(library())
    deepest = "author." + "more.friend." * 24 + "name"
    assert len(deepest.split(".")) == 50
    assert ids(office, {deepest: "x"}) == []
    with pytest.raises(FilterError, match="unknown field"):
        office.books.select({f"author.more.friend.{deepest[7:]}": "x"})


def test_a_request_looks_into_so_many_other_items_and_no_more() -> None:
    office = fill(library())
    look = office.books.visible.neighbours(lambda plan: plan.shows)
    plan = office.books.plan
    one = {"author.name": "x"}
    parse_json({"$or": [one] * 100}, plan, plan.shows, look)
    with pytest.raises(FilterError, match="into 100 other items"):
        parse_json({"$or": [one] * 101}, plan, plan.shows, look)
    assert ids(office, {"$or": [one] * 101}) == []


def test_items_that_may_not_be_read_never_match() -> None:
    office = fill(
        library(rights={"authors": {"can_read": lambda _r, one: one.name != "Zola"}})
    )
    assert ids(office, {"author.born": ("$gt", 0)}) == ["around", "comedy"]
    assert ids(office, {"author.name": ("$ne", "Dante")}) == [
        *("around", "germinal", "nana", "orphan")
    ]
    assert ids(office, {"author.more.friend.born": ("$gt", 0)}) == ["comedy"]


def test_fields_that_may_not_be_read_never_match() -> None:
    def known(_right: str, item: Any) -> bool:
        return bool(item.name != "Zola")

    office = fill(library(authors={"born": Int(can_read=known)}))
    assert ids(office, {"author.born": ("$gt", 0)}) == ["around", "comedy"]
    assert ids(office, {}, sort="author.born,title") == [
        *("germinal", "nana", "orphan", "comedy", "around")
    ]


def test_references_that_may_not_be_read_lead_nowhere() -> None:
    def known(_right: str, item: Any) -> bool:
        return bool(item.title != "Nana")

    office = fill(
        library(books={"author": Ref(coll="authors", field="$.books", can_read=known)})
    )
    assert ids(office, {"author.name": "Zola"}) == ["germinal"]
    assert ids(office, {"author.name": ("$ne", "Zola")}) == [
        *("around", "comedy", "nana", "orphan")
    ]


def test_lists_without_ids_that_may_not_be_read_lead_nowhere() -> None:
    def known(_right: str, item: Any) -> bool:
        return bool(item.name != "Zola")

    edited = RefsList(
        coll="books", field="$.editor", ofs=FillStrategy.NOT_FILL, can_read=known
    )
    more = {"more": Dict({"edited": edited, "friend": Ref(coll="authors")})}
    office = fill(library(authors=more))
    assert ids(office, {"more.edited.pages": ("$gt", 0)}, "authors") == ["verne"]
    assert ids(office, {"more.edited": {}}, "authors") == ["verne"]


def test_what_nobody_gets_never_matches() -> None:
    office = fill(
        library(
            rights={
                "authors": {"refuse_filter": lambda: {"nationality.a2": "IT"}},
                "books": {"refuse_filter": lambda: {"author.hidden": "x"}},
            }
        )
    )
    assert ids(office, None, "authors") == ["nobody", "verne", "zola"]
    assert ids(office, None) == ["around", "comedy", "orphan"]
    assert ids(office, {"author.born": ("$gt", 0)}) == ["around"]
    assert ids(office, {"books.pages": ("$gt", 0)}, "authors") == []


def test_an_id_that_leads_nowhere_is_no_item() -> None:
    office = fill(library())
    office.authors.db_handler.create({"_id": "new", "books": ["gone"]})
    for nothing in ({"title": None}, {"$contains": {"title": None}}, {}):
        assert "new" not in ids(office, {"books": nothing}, "authors")
    assert "new" in ids(office, {"books.title": None}, "authors")
    assert ids(office, {"books": "gone"}, "authors") == ["new"]


def test_refusals_may_look_at_each_other() -> None:
    office = fill(
        library(
            rights={
                "authors": {"refuse_filter": lambda: {"books.title": "Nana"}},
                "books": {"refuse_filter": lambda: {"author.name": "Verne"}},
            }
        )
    )
    assert ids(office, None, "authors") == ["dante", "nobody", "verne"]
    assert ids(office, {"author.born": ("$gt", 0)}) == ["comedy"]


def test_references_without_ids_in_lists_of_dicts(tmp_path: Path) -> None:
    def rooms() -> dict[str, Any]:
        kept = RefsList(coll="books", field="$.editor", ofs=FillStrategy.NOT_FILL)
        return {"rooms": List(Dict({"kept": kept, "row": Ref(coll="authors")}))}

    for store in ("memory", "sqlite"):
        office = fill(library(STORES[store](tmp_path), authors=rooms()))
        office.authors.db_handler.save("verne", {"rooms": [{"row": "zola"}, {}]})
        office.authors.db_handler.save("zola", {"rooms": []})
        for wanted, found in (
            ({"rooms.kept.title": "Nana"}, ["verne"]),
            ({"rooms.kept.title": "Comedy"}, []),
            ({"rooms.kept.title": ("$ne", "Nana")}, ["dante", "nobody", "zola"]),
            ({"rooms": {"kept.title": "Nana"}}, ["verne"]),
            ({"rooms": {"kept": {"title": "Nana"}, "row._id": "zola"}}, ["verne"]),
            ({"rooms": {"kept": {"title": "Nana"}, "row._id": "dante"}}, []),
            ({"rooms": {"kept.title": ("$ne", "Comedy")}}, ["verne"]),
            ({"rooms": {"kept.title": ("$ne", "Nana")}}, []),
            ({"rooms": {"$all": {"kept.title": "Nana"}}}, ["verne", "zola"]),
        ):
            assert ids(office, wanted, "authors") == found, wanted
        office.authors.db_handler.close()


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("author.name,title", ["orphan", "comedy", "around", "germinal", "nana"]),
        ("-author.name,-title", ["nana", "germinal", "around", "comedy", "orphan"]),
        ("author.nationality.a2", ["orphan", "around", "germinal", "nana", "comedy"]),
        (
            "-$.author.nationality.people,author.born",
            ["around", "germinal", "nana", "comedy", "orphan"],
        ),
        ("editor.name", ["germinal", "orphan", "around", "nana", "comedy"]),
    ],
)
def test_a_sort_looks_through_references(
    office: Backoffice, sort: str, found: list[str]
) -> None:
    assert ids(office, None, sort=sort) == found
    assert ids(office, None, sort=sort, skip=1, limit=3) == found[1:4]
    french = {"author.nationality.a2": "FR"}
    kept = [one for one in found if one in ("around", "germinal", "nana")]
    assert ids(office, french, sort=sort) == kept


@pytest.mark.parametrize(
    "sort", ["loans.by.name", "seen.name", "author.books.title", "author.more.edited"]
)
def test_no_sort_goes_through_lists(sort: str) -> None:
    with pytest.raises(FilterError, match="cannot be sorted by"):
        library().books.select(sort=sort)


@pytest.mark.parametrize("sort", ["author.hidden", "secret.name", "vault.text"])
def test_no_sort_looks_at_what_may_not_be_read(sort: str) -> None:
    with pytest.raises(FilterError, match="unknown field"):
        _vault().books.select(sort=sort)


def test_items_that_may_not_be_read_sort_as_absent() -> None:
    office = fill(
        library(rights={"authors": {"can_read": lambda _r, one: one.name != "Dante"}})
    )
    assert ids(office, None, sort="author.born,title") == [
        *("comedy", "orphan", "around", "germinal", "nana")
    ]


@pytest.fixture
def asked(office: Backoffice, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What is asked of the library's stores."""
    found: Counter[str] = Counter()
    for one in office.collections.values():
        counted(one.db_handler, found, monkeypatch)
    return found


@pytest.mark.parametrize(
    ("wanted", "sort", "most"),
    [
        ({"author.name": "Zola"}, None, 2),
        ({"author.name": "Zola", "author.born": ("$gt", 1800)}, None, 2),
        ({"author.nationality.a2": "FR"}, None, 3),
        ({"author": {"nationality": {"a2": "FR"}, "name": ("$reg", "Z")}}, None, 3),
        (
            {"author.nationality.a2": "FR", "author.nationality.people": ("$gt", 1)},
            None,
            3,
        ),
        ({"$or": [{"author.name": "Zola"}, {"author.name": "Dante"}]}, None, 2),
        (None, "author.name", 2),
        (None, "author.nationality.a2,author.name,-author.born", 3),
        ({"author.name": "x"}, "author.nationality.a2", 2),
    ],
)
def test_each_step_to_other_items_costs_one_read(
    office: Backoffice, asked: Counter[str], wanted: Any, sort: Any, most: int
) -> None:
    office.books.select(wanted, sort=sort)
    assert 0 < asked.total() <= most, asked


def test_only_ids_come_from_the_other_side(
    office: Backoffice, asked: Counter[str]
) -> None:
    office.books.select({"author.more.edited.title": "Nana"})
    assert asked == {"find_values": 2, "find": 1}
