"""Both halves of each link, whichever side is changed, over every store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backo import (
    BackoError,
    Backoffice,
    Collection,
    DeleteStrategy,
    Dict,
    FillStrategy,
    Item,
    List,
    NotFoundError,
    Ref,
    ReferencedError,
    RefsList,
    SConstraintError,
    String,
    UnknownReferenceError,
)
from tests.references.stores import ALL_STORES, MONGO, Make

type Document = dict[str, Any]
type Office = Callable[..., Backoffice]


@pytest.fixture(params=ALL_STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "mongo":
        uri = request.getfixturevalue("mongo_database")
        (tmp_path / MONGO).write_text(uri, "utf-8")
    return ALL_STORES[request.param](tmp_path)


@pytest.fixture
def office(make: Make) -> Iterator[Office]:
    """Makes a backoffice of collections, given as their fields."""
    made = []

    def build(**schemas: dict[str, Any]) -> Backoffice:
        office = Backoffice("office")
        for name, fields in schemas.items():
            item = Item({"name": String(), **fields})
            office.register_collection(Collection(name, item, make(name)))
        assert office.check_syntax() == []
        made.append(office)
        return office

    yield build
    for one in made:
        for collection in one.collections.values():
            collection.db_handler.close()


def held(office: Backoffice, name: str, _id: str, path: str) -> Any:
    document: Any = office.collection(name).db_handler.get_by_id(_id)
    for step in path.split("."):
        document = document.get(step) if isinstance(document, dict) else None
    return document


def everything(office: Backoffice) -> dict[str, list[Document]]:
    return {
        name: sorted(one.db_handler.select({}), key=lambda item: str(item["_id"]))
        for name, one in office.collections.items()
    }


def one_to_many(**author: Any) -> dict[str, dict[str, Any]]:
    return {
        "books": {"author": Ref(coll="authors", field="$.books")},
        "authors": {"books": RefsList(coll="books", field="$.author", **author)},
    }


# -- one to many -------------------------------------------------------------------


def test_a_new_item_stands_in_the_list_of_the_other(office: Office) -> None:
    shop = office(**one_to_many())
    shop.authors.create({"_id": "zola"})
    book = shop.books.create({"_id": "nana", "author": "zola"})
    assert book.author == "zola"
    assert held(shop, "authors", "zola", "books") == ["nana"]


def test_a_changed_reference_moves_the_item_to_the_other_list(office: Office) -> None:
    shop = office(**one_to_many())
    for author in ("zola", "verne"):
        shop.authors.create({"_id": author})
    book = shop.books.create({"_id": "nana", "author": "zola"})
    book.author = "verne"
    book.save()
    assert held(shop, "authors", "zola", "books") == []
    assert held(shop, "authors", "verne", "books") == ["nana"]
    book.author = None
    book.save()
    assert held(shop, "authors", "verne", "books") == []


def test_the_list_may_be_changed_instead(office: Office) -> None:
    shop = office(**one_to_many())
    for book in ("nana", "germinal", "around"):
        shop.books.create({"_id": book})
    zola = shop.authors.create({"_id": "zola", "books": ["nana", "around"]})
    verne = shop.authors.create({"_id": "verne"})
    assert held(shop, "books", "around", "author") == "zola"
    verne.books = ["around"]
    verne.save()
    assert held(shop, "books", "around", "author") == "verne"
    assert held(shop, "authors", "zola", "books") == ["nana"]
    zola.reload()
    zola.books.append("germinal")
    zola.books.remove("nana")
    zola.save()
    assert held(shop, "books", "nana", "author") is None
    assert held(shop, "books", "germinal", "author") == "zola"


def test_a_reference_may_be_set_to_an_item(office: Office) -> None:
    shop = office(**one_to_many())
    zola = shop.authors.create({"_id": "zola"})
    book = shop.books.create({"_id": "nana", "author": zola})
    assert book.author == "zola"
    verne = shop.authors.create({"_id": "verne", "books": [book]})
    assert verne.books.get_value() == ["nana"]
    assert held(shop, "books", "nana", "author") == "verne"


def test_two_additions_to_one_list_both_survive(office: Office) -> None:
    shop = office(**one_to_many())
    for book in ("nana", "germinal"):
        shop.books.create({"_id": book})
    shop.authors.create({"_id": "zola"})
    one, other = shop.authors.get_by_id("zola"), shop.authors.get_by_id("zola")
    one.books = ["nana"]
    one.save()
    other.books = ["germinal"]
    other.save()
    assert sorted(held(shop, "authors", "zola", "books")) == ["germinal", "nana"]
    assert held(shop, "books", "nana", "author") == "zola"


def test_a_list_that_keeps_no_ids_is_found_by_a_query(office: Office) -> None:
    shop = office(**one_to_many(ofs=FillStrategy.NOT_FILL))
    zola = shop.authors.create({"_id": "zola", "name": "Zola"})
    for book in ("nana", "germinal"):
        shop.books.create({"_id": book, "name": book.title(), "author": "zola"})
    assert not held(shop, "authors", "zola", "books")
    found = zola.books.get_other_with_a_select("zola")
    assert [one._id.get_value() for one in found] == ["germinal", "nana"]
    names = shop.authors.get_by_id("zola").select("$.books.name")
    assert names == ["Germinal", "Nana"]


# -- the other shapes --------------------------------------------------------------


def test_one_to_one(office: Office) -> None:
    town = office(
        people={"house": Ref(coll="houses", field="$.owner")},
        houses={"owner": Ref(coll="people", field="$.house")},
    )
    for house in ("red", "blue"):
        town.houses.create({"_id": house})
    ann = town.people.create({"_id": "ann", "house": "red"})
    town.people.create({"_id": "bob", "house": "blue"})
    assert held(town, "houses", "red", "owner") == "ann"
    ann.house = "blue"
    ann.save()
    assert held(town, "houses", "red", "owner") is None
    assert held(town, "houses", "blue", "owner") == "ann"
    assert held(town, "people", "bob", "house") is None


def test_many_to_many(office: Office) -> None:
    school = office(
        pupils={"courses": RefsList(coll="courses", field="$.pupils")},
        courses={"pupils": RefsList(coll="pupils", field="$.courses")},
    )
    for course in ("art", "maths"):
        school.courses.create({"_id": course})
    ann = school.pupils.create({"_id": "ann", "courses": ["art", "maths"]})
    school.pupils.create({"_id": "bob", "courses": ["art"]})
    assert held(school, "courses", "art", "pupils") == ["ann", "bob"]
    ann.courses = ["maths"]
    ann.save()
    assert held(school, "courses", "art", "pupils") == ["bob"]
    assert held(school, "courses", "maths", "pupils") == ["ann"]


def test_one_sided_references_are_cleared_when_their_item_goes(office: Office) -> None:
    shop = office(
        books={"author": Ref(coll="authors"), "seen": RefsList(coll="authors")},
        authors={},
    )
    zola = shop.authors.create({"_id": "zola"})
    shop.authors.create({"_id": "verne"})
    shop.books.create({"_id": "nana", "author": "zola", "seen": ["verne", "zola"]})
    zola.delete()
    assert held(shop, "books", "nana", "author") is None
    assert held(shop, "books", "nana", "seen") == ["verne"]


def test_references_in_dicts_and_in_lists_of_dicts(office: Office) -> None:
    town = office(
        people={"rent": Dict({"books": RefsList(coll="books", field="$.loans.by")})},
        books={"loans": List(Dict({"by": Ref(coll="people", field="$.rent.books")}))},
    )
    ann = town.people.create({"_id": "ann"})
    town.people.create({"_id": "bob"})
    town.books.create({"_id": "nana", "loans": [{"by": "ann"}, {"by": "bob"}]})
    assert held(town, "people", "bob", "rent.books") == ["nana"]
    ann.reload()
    ann.rent.books = []
    ann.save()
    assert held(town, "books", "nana", "loans") == [{"by": None}, {"by": "bob"}]
    ann.rent.books = ["nana"]
    ann.save()
    assert held(town, "books", "nana", "loans")[-1] == {"by": "ann"}


def test_a_collection_may_point_to_itself(office: Office) -> None:
    tree = office(
        nodes={
            "parent": Ref(coll="nodes", field="$.children"),
            "children": RefsList(coll="nodes", field="$.parent"),
        }
    )
    root = tree.nodes.create({"_id": "root", "parent": "root"})
    assert (root.parent, root.children.get_value()) == ("root", ["root"])
    tree.nodes.create({"_id": "leaf", "parent": "root"})
    root.reload()
    assert root.children.get_value() == ["root", "leaf"]
    root.parent = None
    root.save()
    assert root.children.get_value() == ["leaf"]
    assert held(tree, "nodes", "root", "children") == ["leaf"]


# -- what is not there -------------------------------------------------------------


def test_an_item_cannot_point_to_itself_at_one_end_and_elsewhere_at_the_other(
    office: Office,
) -> None:
    made = office(
        people={
            "guards": Ref(coll="people", field="$.guarded"),
            "guarded": Ref(coll="people", field="$.guards"),
        }
    )
    made.people.create({"_id": "a"})
    made.people.create({"_id": "b"})
    item = made.people.get_by_id("b")
    item.set({"guards": "b", "guarded": "a"})
    with pytest.raises(SConstraintError, match=r"\$.guarded: must be the item itself"):
        item.save()
    for path in ("guards", "guarded"):
        assert held(made, "people", "a", path) is None
        assert held(made, "people", "b", path) is None
    item.set({"guards": "b", "guarded": "b"})
    item.save()
    assert made.check_references() == []


def test_an_unknown_target_changes_nothing(office: Office) -> None:
    shop = office(**one_to_many())
    with pytest.raises(NotFoundError) as caught:
        shop.books.create({"_id": "nana", "author": "nobody"})
    assert isinstance(caught.value, UnknownReferenceError)
    assert [fault.path for fault in caught.value.faults] == ["$.author"]
    zola = shop.authors.create({"_id": "zola"})
    shop.books.create({"_id": "nana", "author": "zola"})
    before = everything(shop)
    zola.reload()
    zola.books = ["nana", "nowhere"]
    with pytest.raises(NotFoundError):
        zola.save()
    assert everything(shop) == before


def test_a_required_reference_is_not_unlinked(office: Office) -> None:
    shop = office(
        books={"author": Ref(coll="authors", field="$.books", required=True)},
        authors={"books": RefsList(coll="books", field="$.author")},
    )
    zola = shop.authors.create({"_id": "zola"})
    shop.books.create({"_id": "nana", "author": "zola"})
    before = everything(shop)
    zola.reload()
    zola.books = []
    with pytest.raises(SConstraintError):
        zola.save()
    assert everything(shop) == before
    assert zola.life.value == "unsaved"


# -- deleting ----------------------------------------------------------------------


def test_a_list_must_be_empty(office: Office) -> None:
    shop = office(**one_to_many())
    zola = shop.authors.create({"_id": "zola"})
    book = shop.books.create({"_id": "nana", "author": "zola"})
    zola.reload()
    with pytest.raises(BackoError) as caught:
        zola.delete()
    assert isinstance(caught.value, ReferencedError)
    assert zola.life.value == "saved"
    book.delete()
    assert held(shop, "authors", "zola", "books") == []
    zola.delete()
    assert everything(shop) == {"books": [], "authors": []}


def test_what_is_referenced_goes_too_at_any_depth(office: Office) -> None:
    cascade = DeleteStrategy.DELETE_REFERENCED_ITEMS
    shop = office(
        countries={"authors": RefsList(coll="authors", field="$.of", ods=cascade)},
        authors={
            "of": Ref(coll="countries", field="$.authors", required=True),
            "books": RefsList(coll="books", field="$.by", ods=cascade),
        },
        books={"by": Ref(coll="authors", field="$.books", required=True)},
    )
    for country in ("fr", "it"):
        shop.countries.create({"_id": country})
        shop.authors.create({"_id": f"a-{country}", "of": country})
        shop.books.create({"_id": f"b-{country}", "by": f"a-{country}"})
    shop.countries.get_by_id("fr").delete()
    left = {
        name: [one["_id"] for one in some] for name, some in everything(shop).items()
    }
    assert left == {"countries": ["it"], "authors": ["a-it"], "books": ["b-it"]}


def test_what_must_be_empty_below_refuses_the_whole_cascade(office: Office) -> None:
    shop = office(
        authors={
            "books": RefsList(
                coll="books",
                field="$.by",
                ods=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            )
        },
        books={
            "by": Ref(coll="authors", field="$.books"),
            "loans": RefsList(coll="loans", field="$.book"),
        },
        loans={"book": Ref(coll="books", field="$.loans")},
    )
    shop.authors.create({"_id": "zola"})
    shop.books.create({"_id": "nana", "by": "zola"})
    shop.books.create({"_id": "germinal", "by": "zola"})
    shop.loans.create({"_id": "one", "book": "nana"})
    before = everything(shop)
    with pytest.raises(ReferencedError, match=r"loans of books"):
        shop.authors.get_by_id("zola").delete()
    assert everything(shop) == before


def test_what_is_referenced_may_be_unlinked(office: Office) -> None:
    for fill in FillStrategy:
        shop = office(
            **one_to_many(ods=DeleteStrategy.UNLINK_REFERENCED_ITEMS, ofs=fill)
        )
        author, book = f"a{fill.value}", f"b{fill.value}"
        shop.authors.create({"_id": author})
        shop.books.create({"_id": book, "author": author})
        shop.authors.get_by_id(author).delete()
        assert held(shop, "books", book, "author") is None


def test_a_list_without_ids_must_be_empty_too(office: Office) -> None:
    shop = office(**one_to_many(ofs=FillStrategy.NOT_FILL))
    zola = shop.authors.create({"_id": "zola"})
    shop.books.create({"_id": "nana", "author": "zola"})
    with pytest.raises(ReferencedError):
        zola.delete()


# -- handlers and computed values of the other side --------------------------------


def test_the_other_side_is_saved_as_an_item_with_its_events(office: Office) -> None:
    told: list[tuple[str, Any]] = []

    def tell(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        told.append((event, root._id.get_value()))
        assert kwargs["transaction_id"]

    shop = office(
        books={"author": Ref(coll="authors", field="$.books")},
        authors={
            "books": RefsList(coll="books", field="$.author"),
            "label": String(
                on=[("saved", tell)],
                set=lambda root: f"{len(root.books or [])} books",
                views=["save"],
            ),
        },
    )
    shop.authors.create({"_id": "zola"})
    told.clear()
    shop.books.create({"_id": "nana", "author": "zola"})
    assert held(shop, "authors", "zola", "label") == "1 books"
    assert told == [("saved", "zola")]


def test_a_handler_that_raises_undoes_all(office: Office) -> None:
    def refuse(event: str, root: Any, me: Any, **kwargs: Any) -> None:
        root.__dict__["_home"].get_other_collection("logs").create({"_id": "seen"})
        if root.name == "bad":
            raise ValueError("no")

    shop = office(
        books={
            "author": Ref(coll="authors", field="$.books"),
            "check": String(on=[("saved", refuse)]),
        },
        authors={"books": RefsList(coll="books", field="$.author")},
        logs={},
    )
    shop.authors.create({"_id": "zola"})
    before = everything(shop)
    with pytest.raises(ValueError, match="no"):
        shop.books.create({"_id": "nana", "author": "zola", "name": "bad"})
    assert everything(shop) == before
    shop.books.create({"_id": "nana", "author": "zola", "name": "good"})
    assert [one["_id"] for one in everything(shop)["logs"]] == ["seen"]


# -- transactions ------------------------------------------------------------------


def test_a_transaction_holds_or_not_as_a_whole(office: Office) -> None:
    shop = office(**one_to_many())
    zola = shop.authors.create({"_id": "zola"})
    before = everything(shop)
    number = shop.start_transaction()
    shop.books.create({"_id": "nana", "author": "zola"}, transaction_id=number)
    inside = shop.authors.get_by_id("zola", transaction_id=number)
    assert inside.books.get_value() == ["nana"]
    shop.rollback_transaction(number)
    assert everything(shop) == before
    number = shop.start_transaction()
    zola.name = "Zola"
    zola.save(transaction_id=number)
    shop.books.create({"_id": "nana", "author": "zola"}, transaction_id=number)
    shop.stop_transaction(number)
    assert held(shop, "authors", "zola", "books") == ["nana"]
    assert held(shop, "authors", "zola", "name") == "Zola"
    with pytest.raises(BackoError, match="no transaction"):
        shop.stop_transaction(number)


def test_a_failure_inside_a_transaction_undoes_only_itself(office: Office) -> None:
    shop = office(**one_to_many())
    with shop.transaction():
        shop.authors.create({"_id": "zola"})
        with pytest.raises(NotFoundError):
            shop.books.create({"_id": "nana", "author": "nobody"})
        shop.books.create({"_id": "nana", "author": "zola"})
    assert held(shop, "authors", "zola", "books") == ["nana"]
    with pytest.raises(KeyError), shop.transaction():
        shop.books.create({"_id": "germinal", "author": "zola"})
        raise KeyError
    assert held(shop, "authors", "zola", "books") == ["nana"]


# -- selectors ---------------------------------------------------------------------


def test_selectors_walk_through_references(office: Office) -> None:
    shop = office(
        books={"author": Ref(coll="authors", field="$.books")},
        authors={
            "of": Ref(coll="countries"),
            "books": RefsList(coll="books", field="$.author"),
        },
        countries={"a2": String()},
    )
    shop.countries.create({"_id": "fr", "a2": "FR"})
    zola = shop.authors.create({"_id": "zola", "of": "fr", "name": "Zola"})
    for book in ("nana", "germinal", "rome"):
        shop.books.create({"_id": book, "name": book.title(), "author": "zola"})
    nana = shop.books.get_by_id("nana")
    assert nana.select("$.author.of.a2") == "FR"
    assert nana.select("$.author.books.name") == ["Nana", "Germinal", "Rome"]
    assert nana.select("$.author") == "zola"
    zola.reload()
    assert zola.select("$.books[0].name") == "Nana"
    assert zola.select("$.books[0:2].name") == ["Nana", "Germinal"]
    assert zola.select("$.books[*].author.name") == ["Zola"] * 3
    assert zola.select("$.books[9].name") is None
    assert zola.multi_select(["$.name", "$.of.a2"]) == ["Zola", "FR"]
    assert shop.books.create({"_id": "x"}).select("$.author.name") is None


# -- mending -----------------------------------------------------------------------


def test_broken_links_are_found_and_mended(office: Office) -> None:
    shop = office(**one_to_many())
    authors, books = shop.authors.db_handler, shop.books.db_handler
    authors.create({"_id": "zola", "books": ["nana", "gone", "around"]})
    authors.create({"_id": "verne", "books": []})
    books.create({"_id": "nana"})
    books.create({"_id": "around", "author": "verne"})
    books.create({"_id": "rome", "author": "nobody"})
    found = shop.check_references()
    seen = {(one.collection, one._id, one.target_id, one.problem) for one in found}
    assert seen == {
        ("authors", "zola", "nana", "one_half"),
        ("authors", "zola", "gone", "dangling"),
        ("authors", "zola", "around", "one_half"),
        ("books", "around", "verne", "one_half"),
        ("books", "rome", "nobody", "dangling"),
    }
    assert not any(one.repaired for one in found)
    assert all(one.repaired for one in shop.check_references(repair=True))
    assert shop.check_references() == []
    assert held(shop, "books", "nana", "author") == "zola"
    assert held(shop, "authors", "zola", "books") == ["nana"]
    assert held(shop, "authors", "verne", "books") == ["around"]
    assert held(shop, "books", "rome", "author") is None
