"""``_expand``: other items in the place of the ids that point to them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backo import Backoffice, Dict, Ref
from backo.references.expanding import MAX_PATHS
from tests.http.asking import Asking, asking, errors
from tests.references.counting import counted
from tests.references.library import fill, library
from tests.references.stores import STORES


def shown(ask: Asking, _id: str, query: str, operation: str = "books_get") -> Any:
    answer = ask(operation, _id=_id, query=query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def rows(ask: Asking, query: str, operation: str = "books_list") -> list[Any]:
    answer = ask(operation, query=query)
    assert answer.status == 200, answer.body
    found: list[Any] = json.loads(answer.body)["result"]
    return found


@pytest.fixture
def ask() -> Asking:
    return asking(fill(library()))


def test_the_item_stands_where_its_id_was(ask: Asking) -> None:
    plain, wide = (shown(ask, "nana", query) for query in ("", "_expand=author"))
    author = shown(ask, "zola", "", "authors_get")
    assert plain["author"] == "zola"
    assert wide == {**plain, "author": author}
    assert "hidden" not in author


def test_items_are_put_into_items(ask: Asking) -> None:
    nationality = shown(ask, "fr", "", "nationalities_get")
    for query in (
        "author,author.nationality",
        "author.nationality",
        "$.author.nationality",
    ):
        wide = shown(ask, "nana", f"_expand={query}")
        assert wide["author"]["nationality"] == nationality
    wide = shown(ask, "comedy", "_expand=author.more.friend.nationality")
    assert wide["author"]["more"]["friend"]["nationality"] == nationality
    assert wide["author"]["nationality"] == "it"


def test_the_parameter_may_be_repeated(ask: Asking) -> None:
    wide = shown(ask, "nana", "_expand=author&_expand=editor")
    assert (wide["author"]["name"], wide["editor"]["name"]) == ("Zola", "Verne")


def test_lists_of_ids_become_lists_of_items(ask: Asking) -> None:
    wide = shown(ask, "zola", "_expand=books", "authors_get")
    assert [one["_id"] for one in wide["books"]] == ["nana", "germinal"]
    assert wide["books"][0] == shown(ask, "nana", "")
    wide = shown(ask, "nana", "_expand=seen")
    assert [one["name"] for one in wide["seen"]] == ["Zola", "Dante"]


def test_references_in_lists_of_dicts_are_expanded(ask: Asking) -> None:
    wide = shown(ask, "around", "_expand=loans.by")
    assert [one["days"] for one in wide["loans"]] == [None, 9]
    assert wide["loans"][0]["by"]["name"] == "Zola"
    assert wide["loans"][1]["by"] is None


def test_lists_without_ids_get_the_items_found(ask: Asking) -> None:
    wide = shown(ask, "verne", "_expand=more.edited", "authors_get")
    assert [one["_id"] for one in wide["more"]["edited"]] == ["around", "nana"]
    found = rows(ask, "_expand=more.edited.author", "authors_list")
    edited = {one["_id"]: one["more"]["edited"] for one in found}
    names = {
        _id: [one["author"]["name"] for one in some] for _id, some in edited.items()
    }
    assert names == {
        "dante": [],
        "nobody": [],
        "verne": ["Verne", "Zola"],
        "zola": ["Dante"],
    }


def test_one_item_stands_in_many_places(ask: Asking) -> None:
    found = rows(ask, "_expand=author.books.author,editor&_sort=_id")
    by_id = {one["_id"]: one for one in found}
    for _id in ("nana", "germinal"):
        books = by_id[_id]["author"]["books"]
        assert [one["author"]["name"] for one in books] == ["Zola", "Zola"]
        assert [one["author"]["books"] for one in books] == [["nana", "germinal"]] * 2
    assert by_id["nana"]["editor"]["books"] == ["around"]


def test_what_is_not_there_stays_an_id(ask: Asking) -> None:
    orphan = shown(ask, "orphan", "_expand=author,editor,seen")
    assert (orphan["author"], orphan["editor"]) == (None, "gone")
    assert orphan["seen"] == ["gone"]


def test_what_may_not_be_read_stays_an_id() -> None:
    readers = {"authors": {"can_read": lambda _right, one: one.name != "Zola"}}
    ask = asking(fill(library(rights=readers)))
    wide = shown(ask, "nana", "_expand=author,seen,editor")
    assert (wide["author"], wide["seen"][0]) == ("zola", "zola")
    assert (wide["seen"][1]["name"], wide["editor"]["name"]) == ("Dante", "Verne")


def test_items_nobody_gets_stay_ids() -> None:
    refusing = {
        "authors": {"refuse_filter": lambda: {"name": "Zola"}},
        "books": {"refuse_filter": lambda: {"title": "Nana"}},
    }
    ask = asking(fill(library(rights=refusing)))
    assert shown(ask, "germinal", "_expand=author")["author"] == "zola"
    wide = shown(ask, "verne", "_expand=more.edited", "authors_get")
    assert [one["_id"] for one in wide["more"]["edited"]] == ["around"]


def test_rights_are_those_of_the_user() -> None:
    def known(_right: str, item: Any) -> bool:
        return bool(item.name != "Zola")

    guarded = {"nationality": Ref(coll="nationalities", can_read=known)}
    ask = asking(fill(library(authors=guarded)))
    found = {
        one["_id"]: one["author"] for one in rows(ask, "_expand=author.nationality")
    }
    assert "nationality" not in found["nana"]
    assert found["around"]["nationality"]["a2"] == "FR"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "names no reference"),
        ("nothing", "names no reference"),
        ("title", "names no reference"),
        ("author.name", "names no reference"),
        ("author.", "names no reference"),
        ("author,", "names no reference"),
        ("secret", "names no reference"),
        ("secret.name", "names no reference"),
        ("vault", "names no reference"),
        ("author.books.author.books", "more than 3"),
        ("author.books.author.nothing", "more than 3"),
        (",".join(["author"] * (MAX_PATHS + 1)), "takes 50 paths"),
    ],
)
def test_other_paths_are_refused(path: str, words: str) -> None:
    ask = asking(fill(library(books={"vault": Ref(coll="secrets")})))
    for operation in ("books_get", "books_list"):
        refused = ask(operation, _id="nana", query=f"_expand={path}")
        assert (refused.status, errors(refused)) == (400, {"_expand": "bad_query"})
        assert words in json.loads(refused.body)["detail"]


def test_a_view_is_expanded_as_far_as_it_shows() -> None:
    author = Ref(coll="authors", field="$.books", views=["short"])
    editor = Ref(coll="authors", field="$.more.edited", views=["!short"])
    ask = asking(fill(library(books={"author": author, "editor": editor})))
    wide = shown(ask, "nana", "_view=%2Bshort&_expand=author")
    assert wide.keys() == {"_id", "author"}
    assert wide["author"]["name"] == "Zola"
    for view in ("short", "%2Bshort"):
        query = f"_view={view}&_expand=editor"
        assert ask("books_get", _id="nana", query=query).status == 400
    assert shown(ask, "nana", "_expand=editor")["editor"]["name"] == "Verne"


def test_an_answer_with_other_items_has_no_tag(ask: Asking) -> None:
    plain = ask("books_get", _id="nana")
    tag = dict(plain.headers)["etag"]
    wide = ask(
        "books_get",
        _id="nana",
        query="_expand=author",
        headers={"if-none-match": f"*, {tag}"},
    )
    assert (wide.status, wide.headers) == (200, ())


def _of_100_books(office: Backoffice) -> None:
    for number in range(100):
        made = {"_id": f"b{number}", "author": ["zola", "verne"][number % 2]}
        office.books.db_handler.create({**made, "editor": "verne"})


@pytest.mark.parametrize("store", STORES)
def test_each_reference_costs_one_read(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = library(STORES[store](tmp_path))
    fill(office)
    for _id in ("nana", "germinal", "around", "comedy", "orphan"):
        office.books.db_handler.delete_by_id(_id)
    _of_100_books(office)
    reads: Counter[str] = Counter()
    for one in office.collections.values():
        counted(one.db_handler, reads, monkeypatch)
    ask = asking(office)
    for paths, most in (
        ("author", 2),
        ("author,author.nationality", 3),
        ("editor.more.friend", 3),
        ("author,editor", 3),
    ):
        reads.clear()
        found = rows(ask, f"_page=100&_expand={paths}")
        assert len(found) == 100
        assert found[0][paths[:6]]["_id"] in ("verne", "zola")
        assert reads.total() <= most, (paths, reads)
    for one in office.collections.values():
        one.db_handler.close()


def test_lists_without_ids_are_as_long_as_a_page_may_be() -> None:
    office = fill(library())
    _of_100_books(office)
    ask = asking(office)
    wide = shown(ask, "verne", "_expand=more.edited", "authors_get")
    assert len(wide["more"]["edited"]) == 100
    found = rows(ask, "_expand=more.edited", "authors_list")
    edited = {one["_id"]: one["more"]["edited"] for one in found}
    assert len(edited["verne"]) == 100
    assert [one["_id"] for one in edited["zola"]] == ["comedy"]


def test_one_long_list_leaves_room_for_the_others() -> None:
    office = fill(library())
    for number in range(1100):
        made = {"_id": f"b{number:04}", "editor": "verne"}
        office.books.db_handler.create(made)
    found = rows(asking(office), "_expand=more.edited", "authors_list")
    edited = {one["_id"]: one["more"]["edited"] for one in found}
    assert len(edited["verne"]) == 100
    assert [one["_id"] for one in edited["zola"]] == ["comedy"]


def test_no_answer_grows_without_end() -> None:
    office = fill(library())
    names = [f"b{number}" for number in range(60)]
    for _id in names:
        office.books.db_handler.create({"_id": _id, "author": "zola"})
    zola = office.authors.db_handler.get_by_id("zola")
    office.authors.db_handler.save("zola", {**zola, "books": names})
    ask = asking(office)
    assert len(rows(ask, "_page=60&_expand=author")) == 60
    refused = ask("books_list", query="_page=60&_expand=author.books.author")
    assert refused.status == 400
    assert "more than 1000 items" in json.loads(refused.body)["detail"]


def test_items_of_hard_names_are_expanded() -> None:
    hard = {"a b/c": Ref(coll="authors"), "x": Dict({"é": Ref(coll="authors")})}
    office = library(books={**hard, "a,b": Ref(coll="authors")})
    fill(office)
    nana = office.books.db_handler.get_by_id("nana")
    more = {"a b/c": "zola", "x": {"é": "dante"}, "a,b": "zola"}
    office.books.db_handler.save("nana", nana | more)
    ask = asking(office)
    wide = shown(ask, "nana", "_expand=a%20b/c,x.é.nationality")
    assert wide["a b/c"]["name"] == "Zola"
    assert wide["x"]["é"]["nationality"]["a2"] == "IT"
    assert ask("books_get", _id="nana", query="_expand=a%2Cb").status == 400


def test_a_filter_over_two_references_costs_three_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = fill(library())
    reads: Counter[str] = Counter()
    for one in office.collections.values():
        counted(one.db_handler, reads, monkeypatch)
    ask = asking(office)
    for query in (
        "author.nationality.a2=FR",
        'filter={"author": {"nationality": {"a2": "FR"}}}',
        "author.nationality.a2=FR&_page=3",
        "author.nationality.a2.$ne=IT&author.name.$reg=.&_sort=-title",
    ):
        reads.clear()
        assert len(rows(ask, query)) == 3, query
        assert reads.total() == 3, (query, reads)
    reads.clear()
    french = rows(ask, "author.nationality.a2=FR&_expand=author&_sort=author.name")
    assert [one["author"]["name"] for one in french] == ["Verne", "Zola", "Zola"]
    assert reads.total() == 5


def test_only_a_page_that_is_not_the_last_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = fill(library())
    reads: Counter[str] = Counter()
    counted(office.books.db_handler, reads, monkeypatch)
    ask = asking(office)
    for query, total, asked in (
        ("_page=5", 5, 1),
        ("_page=4", 5, 2),
        ("_page=4&_skip=4", 5, 1),
        ("_page=4&_skip=1", 5, 1),
        ("_page=2&_skip=9", 5, 2),
    ):
        reads.clear()
        answer = json.loads(ask("books_list", query=query).body)
        assert (answer["total"], reads.total()) == (total, asked), query
