"""Selections: named lists, in Python and over HTTP."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask

from backo import (
    Action,
    BackoError,
    Backoffice,
    Collection,
    DBSqliteConnector,
    Dict,
    FilterError,
    FrozenError,
    Int,
    Item,
    List,
    NotFoundError,
    Operator,
    Ref,
    RefsList,
    Selection,
    SFilter,
    SRightError,
    SSyntaxError,
    String,
    current_user,
)
from backo.connectors.base import DBConnector
from backo.connectors.memory import DBMemoryConnector
from tests.conformance.conftest import SixMethods
from tests.http.asking import asking, errors
from tests.offices import one


def of_somebody(_right: str, _item: Any) -> bool:
    return not current_user.is_anonymous()


def shelf(connector: DBConnector | None = None, **options: Any) -> Collection:
    """The numbers 1 to 5, with a text for each."""
    schema = {
        "n": Int(),
        "text": String(),
        "tags": List(String()),
        "guarded": String(can_read=of_somebody),
        "inner": String(views=["!client"]),
        "secret": String(can_read=False),
        "twice": Int(set=lambda root: (root.n.get_value() or 0) * 2),
    }
    office = Backoffice("office", page_size=3)
    model = Item(schema, meta_data_handler=None)
    made = Collection("things", model, connector or DBMemoryConnector(), **options)
    office.register_collection(made)
    for n in range(1, 6):
        made.db_handler.create(
            {
                "_id": f"id{n}",
                "n": n,
                "text": "odd" if n % 2 else "even",
                "tags": [f"t{n}"],
                "guarded": f"g{n}",
                "inner": f"i{n}",
                "secret": f"s{n}",
            }
        )
    return made


def ids(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


def first(made: Collection, **options: Any) -> list[str]:
    """The ids of the rows of a selection with these options."""
    made.register_selection("some", Selection(["$.n"], **options))
    return ids(made.selections["some"].select())


# --- Rows -------------------------------------------------------------------------


def test_a_row_is_a_list_the_id_first() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.text", "$._id", "$.tags[0]", "$.twice"]))
    assert made.selections["s"].select({"n": 2}) == [["id2", "even", "t2", 4]]


def test_what_the_caller_may_not_read_is_null_in_a_row() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.guarded"]))
    assert made.selections["s"].select({"n": 1}) == [["id1", None]]
    current_user.set({"_id": "1", "login": "a"})
    assert made.selections["s"].select({"n": 1}) == [["id1", "g1"]]


def test_a_selector_shows_what_the_view_client_leaves_out() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.inner"]))
    assert made.selections["s"].select({"n": 1}) == [["id1", "i1"]]


def test_without_selectors_rows_are_items() -> None:
    made = shelf()
    made.register_selection("s", Selection(filter={"n": 3}))
    (item,) = made.selections["s"].select()
    assert item.text == "odd"
    (row,) = made.do_selection("s", {})["result"]
    assert row == {
        "_id": "id3",
        "n": 3,
        "text": "odd",
        "tags": ["t3"],
        "twice": 6,
    }


def test_a_dict_that_is_stored_as_null_is_one_of_which_nothing_is_set() -> None:
    made = one(
        {
            "d": Dict({"n": Int(), "e": Dict({"m": Int()})}),
            "l": List(Dict({"k": Dict({"x": Int()})})),
        },
        item={"meta_data_handler": None},
    )
    made.register_selection("s", Selection(["$.d", "$.d.n", "$.d.e.m", "$.l"]))
    made.db_handler.create({"_id": "a", "d": None, "l": [{"k": None}]})
    whole: dict[str, Any] = {"n": None, "e": {"m": None}}
    listed = [{"k": {"x": None}}]
    assert made.access.read("a", "client") == {"_id": "a", "d": whole, "l": listed}
    assert made.selections["s"].select() == [["a", whole, None, None, listed]]


def test_a_store_that_breaks_the_schema_is_told_and_not_shown() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"]))
    made.db_handler.save("id1", {"_id": "id1", "n": "no number"})
    with pytest.raises(BackoError, match=r"things.*breaks the schema"):
        made.selections["s"].select()


def test_what_was_stored_before_a_field_was_there_is_as_in_the_list() -> None:
    schema = {
        "needed": String(required=True, default="x"),
        "box": Dict({"size": Int(default=3)}),
        "rows": List(Dict({"n": Int(default=4)})),
    }
    made = one(schema, item={"meta_data_handler": None})
    made.register_selection(
        "s", Selection(["$.needed", "$.box", "$.rows", "$.box.size", "$.rows.n"])
    )
    made.db_handler.create({"_id": "a", "rows": [{}, {"n": 1}]})
    (whole,) = made.do_selection("_all", {})["result"]
    (row,) = made.selections["s"].select()
    assert row[:4] == list(whole.values())
    assert row[4:] == [3, [4, 1]]


# --- Which items ------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"n": ("$gt", 3)},
        {"$.n": ("$gt", 3)},
        ("$.n", "$gt", 3),
        ("$.n", Operator.GT, 3),
        ("$or", [{"n": 4}, {"n": 5}]),
        ("$and", [("$.n", "$gt", 3), {"text": ("$in", ["odd", "even"])}]),
        ("$not", {"n": ("$lte", 3)}),
        SFilter("$.n", Operator.GT, 3),
        lambda: {"n": ("$gt", 3)},
        {"twice": ("$gte", 8)},
        {"secret": ("$in", ["s4", "s5"])},
        {"guarded": ("$in", ["g4", "g5"])},
    ],
    ids=[
        *("dict", "selector", "tuple", "operator", "or", "and", "not", "sfilter"),
        *("callable", "computed", "unreadable", "guarded"),
    ],
)
def test_a_filter_has_many_forms(wanted: Any) -> None:
    assert first(shelf(), filter=wanted) == ["id4", "id5"]


def test_a_callable_filter_is_asked_for_each_request() -> None:
    made, wanted = shelf(), {"n": 1}
    made.register_selection("s", Selection(["$.n"], filter=lambda: wanted))
    assert ids(made.selections["s"].select()) == ["id1"]
    wanted = {"n": 2}
    assert ids(made.selections["s"].select()) == ["id2"]


def test_what_the_caller_asks_is_anded_and_judged_on_what_the_caller_reads() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], filter={"text": "odd"}))
    assert ids(made.selections["s"].select({"n": ("$gt", 1)})) == ["id3", "id5"]
    for hidden in ({"guarded": "g3"}, {"secret": "s3"}):
        with pytest.raises(FilterError):
            made.selections["s"].select(hidden)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_filter_of_the_connector_is_joined(kind: str, tmp_path: Path) -> None:
    store = (
        DBMemoryConnector()
        if kind == "memory"
        else DBSqliteConnector(path=tmp_path / "a.sqlite", table="things")
    )
    made = shelf(store)
    wanted = {"filter": {"text": "odd"}, "db_filter": {"n": ("$gte", 3)}}
    assert first(made, **wanted) == ["id3", "id5"]


def test_a_filter_of_a_connector_with_six_methods_is_its_own() -> None:
    class Even(SixMethods):
        def select(self, select_filter: Any, *args: Any, **kwargs: Any) -> Any:
            found = super().select({}, *args, **kwargs)
            return [one for one in found if not select_filter or one["n"] % 2 == 0]

    assert first(shelf(Even()), db_filter="EVEN", filter={"n": ("$gt", 2)}) == ["id4"]


def test_nobody_gets_what_is_refused_or_not_readable() -> None:
    made = shelf(
        refuse_filter=lambda: {"n": 1},
        can_read=lambda _right, item: item.n.get_value() != 2,
    )
    assert first(made) == ["id3", "id4", "id5"]
    assert made.do_selection("some", {})["total"] == 3


def test_the_order_is_its_own_where_none_is_asked_for() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], sort="$.text,-$.n"))
    some = made.selections["s"]
    assert ids(some.select()) == ["id4", "id2", "id5", "id3", "id1"]
    assert ids(some.select(db_sort_object={"n": 1})) == [f"id{n}" for n in range(1, 6)]
    assert ids(some.select(page_size=2, num_of_element_to_skip=1)) == ["id2", "id5"]
    assert ids(made.do_selection("s", {"_sort": "-n"})["result"])[0] == "id5"


@pytest.mark.parametrize(
    "options",
    [
        {"filter": lambda: {"nothing": 1}},
        {"filter": lambda: 5},
        {"filter": lambda: {"n": "x"}},
        {"db_filter": {"nothing": 1}},
    ],
    ids=["unknown", "number", "type", "db_filter"],
)
def test_a_declared_filter_that_is_wrong_is_no_fault_of_the_caller(
    options: dict[str, Any],
) -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], **options))
    with pytest.raises(BackoError, match="things.* is not valid: "):
        made.selections["s"].select()
    answer = asking(made.backoffice)("things_select_s")  # type: ignore[arg-type]
    assert answer.status == 500 and b"nothing" not in answer.body


def test_what_refuse_filter_gives_is_no_fault_of_the_caller() -> None:
    made = shelf(refuse_filter=lambda: {"nothing": 1})
    assert asking(made.backoffice)("things_list").status == 500  # type: ignore[arg-type]


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1), (2, -2)])
def test_a_page_is_not_negative(numbers: tuple[int, int]) -> None:
    with pytest.raises(FilterError, match="must not be negative"):
        shelf().selections["_all"].select(None, *numbers)


# --- Rights -----------------------------------------------------------------------


def test_who_may_not_read_a_selection_gets_nothing_of_it() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], can_read=of_somebody))
    assert "s" not in made.get_meta()["selections"]
    with pytest.raises(SRightError, match="selection s"):
        made.selections["s"].select()
    with pytest.raises(SRightError):
        made.do_selection("s", {})
    current_user.set({"_id": "1", "login": "a"})
    assert made.selections["s"].can_read()
    assert len(made.selections["s"].select()) == 5
    assert made.get_meta()["selections"]["s"]["selectors"] == ["$._id", "$.n"]


def test_a_selection_that_is_refused_to_everybody_is_no_operation() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], can_read=False))
    document = made.backoffice.get_openapi()  # type: ignore[attr-defined]
    assert not any("_selections/s" in path for path in document["paths"])
    assert not any("ThingsS" in name for name in document["components"]["schemas"])


def test_a_collection_that_nobody_reads_gives_no_items() -> None:
    made = one({"n": Int()}, can_read=False)
    made.register_selection("s", Selection(["$.n"]))
    made.db_handler.create({"_id": "a", "n": 1})
    assert made.select({}) == []
    for name in ("s", "_all"):
        with pytest.raises(SRightError):
            made.selections[name].select()
        with pytest.raises(SRightError):
            made.do_selection(name, {})
    assert made.get_meta()["selections"] == {}


# --- Declaring --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"selectors": "$.n"}, "must be a list"),
        ({"selectors": [1]}, "must be texts"),
        ({"selectors": ["$.nothing"]}, "things: selection s: .*nothing"),
        ({"selectors": ["$.tags[0]x"]}, "nothing may follow"),
        ({"selectors": ["$.secret"]}, "things: selection s: .*secret"),
        ({"filter": {"nothing": 1}}, "things: selection s: unknown field"),
        ({"sort": "nothing"}, "things: selection s: unknown field"),
    ],
)
def test_a_mistake_is_found_when_a_selection_is_registered(
    options: dict[str, Any], why: str
) -> None:
    made = shelf()
    with pytest.raises(SSyntaxError, match=why):
        made.register_selection("s", Selection(**options))
    assert list(made.selections) == ["_all"]


def test_two_operations_of_one_name_are_refused() -> None:
    office = Backoffice("office")
    for name in ("books", "books_select"):
        item = Item({"n": Int()})
        office.register_collection(Collection(name, item, DBMemoryConnector()))
    office.books.register_selection("list", Selection(["$.n"]))
    with pytest.raises(SSyntaxError, match=r"books_select: .*books_select_list"):
        office.build_routes(Flask("app"))


@pytest.mark.parametrize("name", ["_all", "all", "a b", "", "x/y", "s", "S"])
def test_a_name_that_is_taken_or_no_name_is_refused(name: str) -> None:
    made = shelf()
    made.register_selection("s", Selection())
    with pytest.raises(SSyntaxError, match="things"):
        made.register_selection(name, Selection())


def test_a_selection_belongs_to_one_collection() -> None:
    shared = Selection(["$.n"])
    shelf().register_selection("s", shared)
    with pytest.raises(SSyntaxError, match="registered elsewhere"):
        shelf().register_selection("s", shared)
    with pytest.raises(SSyntaxError, match="in no collection"):
        Selection(["$.n"]).select()


def test_a_selection_that_was_refused_can_be_registered_where_it_is_right() -> None:
    some = Selection(["$.other"])
    with pytest.raises(SSyntaxError):
        shelf().register_selection("s", some)
    one({"other": Int()}).register_selection("s", some)


def test_what_is_no_selection_is_refused() -> None:
    with pytest.raises(SSyntaxError, match="no Selection"):
        shelf().register_selection("s", Action({}, lambda a, b: None))


def test_after_routes_are_built_it_is_too_late() -> None:
    made = shelf()
    asking(made.backoffice)  # type: ignore[arg-type]
    with pytest.raises(FrozenError, match="s is too late"):
        made.register_selection("s", Selection())


def test_a_mistake_about_a_collection_that_comes_later_is_found_before_serving() -> (
    None
):
    office = Backoffice("office")
    book = Item({"author": Ref(coll="authors", field="$.books")})
    books = Collection("books", book, DBMemoryConnector())
    looking = {"$.author.name": "Zola"}
    books.register_selection(
        "a", Selection(["$.author.name"], filter=looking, sort="$.author.name")
    )
    books.register_selection("b", Selection(["$.author.nothing"]))
    office.register_collection(books)
    author = Item({"name": String(), "books": RefsList(coll="books", field="$.author")})
    office.register_collection(Collection("authors", author, DBMemoryConnector()))
    (mistake,) = office.check_syntax()
    assert mistake.startswith('books: selection b: "$.author.nothing"')
    with pytest.raises(SSyntaxError, match="selection b"):
        office.freeze()


def test_a_selection_follows_the_schema() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"]))
    made.model.remove_model("n")
    made.model.add_to_model("n", String())
    schema = made.selections["s"].get_schema()
    assert schema["row"]["prefixItems"][1]["type"] == ["string", "null"]


# --- Over HTTP --------------------------------------------------------------------


def told(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_rows_are_as_the_document_says() -> None:
    made = shelf()
    made.register_selection(
        "s", Selection(["$.n", "$.text", "$.tags", "$.tags[0]", "$.guarded", "$.twice"])
    )
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    page = told(ask("things_select_s", query="_page=5&_sort=-n"))
    assert page["result"][0] == ["id5", 5, "odd", ["t5"], "t5", None, 10]
    document = made.backoffice.get_openapi()  # type: ignore[attr-defined]
    answer = document["paths"]["/office/things/_selections/s"]["get"]["responses"]
    schema = answer["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(page)
    page["result"][0].append("one too many")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(whole).validate(page)


def test_a_page_of_rows_is_as_a_page_of_a_list() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"]))
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    page = told(ask("things_select_s", query="n.$gt=1&_skip=1&_sort=-$.n"))
    assert page == {
        "result": [["id4", 4], ["id3", 3], ["id2", 2]],
        "total": 4,
        "_skip": 1,
        "_page": 3,
    }
    assert "total" not in told(ask("things_select_s", query="_total=0"))


def test_a_filter_in_the_body_is_anded() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"], filter={"n": ("$lt", 5)}))
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    body = {"text": "odd", "$or": [{"n": 1}, {"n": 2}, {"n": 5}]}
    assert told(ask("things_search_s", body))["result"] == [["id1", 1]]
    assert told(ask("things_search_s", {}, query="n=3"))["result"] == [["id3", 3]]
    assert told(ask("things_search_s"))["total"] == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not_json"),
        (b'{"n": 1, "n": 2}', "not_json"),
        (b'{"n": NaN}', "not_json"),
        (b"\xff\xfe\xff", "not_json"),
        (b"[]", "bad_query"),
        (b'{"secret": "s1"}', "bad_query"),
        (b'{"nothing": "s1"}', "bad_query"),
        (b'{"n": "1"}', "bad_query"),
    ],
)
def test_a_body_that_is_no_filter_is_refused(body: bytes, code: str) -> None:
    ask = asking(shelf().backoffice)  # type: ignore[arg-type]
    answer = ask("things_search__all", body)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, code)


@pytest.mark.parametrize("name", ["_view", "_expand"])
def test_parameters_of_whole_items_are_refused_for_rows(name: str) -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"]))
    answer = asking(made.backoffice)("things_select_s", query=f"{name}=n")  # type: ignore[arg-type]
    assert (answer.status, errors(answer)) == (400, {name: "bad_query"})


def test_the_selection_all_is_the_list() -> None:
    ask = asking(shelf().backoffice)  # type: ignore[arg-type]
    query = "n.$gt=1&_skip=1&_page=2&_sort=-n"
    assert told(ask("things_list", query=query)) == told(
        ask("things_select__all", query=query)
    )


def test_an_unknown_selection_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="no selection 'x'"):
        shelf().do_selection("x", {})


# --- The request in progress ------------------------------------------------------


def test_without_a_request_parameters_must_be_given() -> None:
    with pytest.raises(BackoError, match="no request in progress"):
        shelf().do_selection("_all")


def test_an_action_can_answer_with_a_selection_of_what_its_request_asks() -> None:
    made = shelf()
    made.register_selection("s", Selection(["$.n"]))
    made.register_action("a", Action({}, lambda _a, _i: made.do_selection("s")))
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    answer = told(ask("things_do_a", {}, _id="id1", query="n.$gt=4"))
    assert answer["result"] == [["id5", 5]]


def test_a_route_of_the_flask_application_can_answer_with_a_selection() -> None:
    made, app = shelf(), Flask("app")
    made.register_selection("s", Selection(["$.n"]))
    made.backoffice.build_routes(app)  # type: ignore[attr-defined]

    @app.route("/mine", methods=["GET", "POST"])
    def mine() -> Any:
        return made.do_post_selection("s")

    client = app.test_client()
    found = [client.get("/mine?_page=1"), client.post("/mine", json={"n": 2})]
    assert [json.loads(one.data)["result"] for one in found] == [
        [["id1", 1]],
        [["id2", 2]],
    ]


def test_parameters_may_be_a_mapping() -> None:
    made = shelf()
    found = made.do_selection("_all", {"n": ["1", "2"], "_total": "0"})
    assert [row["_id"] for row in found["result"]] == ["id1", "id2"]


@pytest.mark.parametrize("value", [5, None, [1], {"a": "b"}])
def test_parameters_are_texts(value: Any) -> None:
    with pytest.raises(FilterError, match="must be a text"):
        shelf().do_selection("_all", {"_page": value})


def test_one_thing_needs_no_backoffice_of_its_own() -> None:
    made = one({"n": Int()})
    made.create({"_id": "a", "n": 1})
    assert [item.n for item in made.selections["_all"].select()] == [1]
