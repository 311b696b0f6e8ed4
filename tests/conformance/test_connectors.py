"""What every connector does alike."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backo.connectors.base import DBConnector, Query
from backo.errors import DBError, DuplicateIdError, NotFoundError
from backo.query.filter import (
    ALWAYS,
    NEVER,
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    SortKey,
    matches,
    order,
)
from backo.schema.plan import Kind

type Make = Callable[..., DBConnector]

HOSTILE = [
    "../x",
    "..",
    ".",
    "/etc/x",
    "..%2fx",
    "a/../../x",
    "..\\x",
    "con.yml",
    ".lock",
    ".new",
    "x\0y",
    "\n",
    " ",
    "%",
    "%2e%2e",
    "x" * 10_000,
    "é" * 200,
    "\ud800",
]
USUAL = ["a/b", "é", "con", "a.b", "A", "a b", "😀", "x'; DROP TABLE items; --", "1"]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [document["_id"] for document in found]


def fill(connector: DBConnector, *documents: dict[str, Any]) -> None:
    for document in documents:
        connector.create(document)


def fields_equal(name: str, value: Any, kind: Kind = Kind.STRING) -> Condition:
    return Condition((name,), Op.EQ, value, kind)


# -- one document ------------------------------------------------------------------


def test_what_is_created_can_be_read(connector: DBConnector) -> None:
    _id = connector.create({"title": "Emma", "tags": ["a"], "none": None})
    assert isinstance(_id, str)
    assert connector.get_by_id(_id) == {
        "_id": _id,
        "title": "Emma",
        "tags": ["a"],
        "none": None,
    }


def test_a_document_may_bring_its_id(connector: DBConnector) -> None:
    given_document = {"title": "Emma", "_id": "emma"}
    assert connector.create(given_document) == "emma"
    assert given_document == {"title": "Emma", "_id": "emma"}
    assert connector.get_by_id("emma")["title"] == "Emma"


def test_null_is_no_id(connector: DBConnector) -> None:
    assert connector.create({"_id": None}) not in ("", "None")


def test_generated_ids_come_in_order(connector: DBConnector) -> None:
    made = [connector.create({}) for _ in range(20)]
    assert made == sorted(set(made))


def test_generate_id_may_be_replaced_on_the_instance(connector: DBConnector) -> None:
    connector.__dict__["generate_id"] = lambda item: item["title"].lower()
    assert connector.create({"title": "Emma"}) == "emma"


def test_an_id_already_there(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "title": "first"})
    with pytest.raises(DuplicateIdError):
        connector.create({"_id": "a", "title": "second"})
    assert connector.get_by_id("a")["title"] == "first"


def test_save_replaces_the_whole(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "title": "x", "pages": 1})
    connector.save("a", {"_id": "elsewhere", "title": "y"})
    assert connector.get_by_id("a") == {"_id": "a", "title": "y"}


def test_delete(connector: DBConnector) -> None:
    fill(connector, {"_id": "a"}, {"_id": "b"})
    assert connector.delete_by_id("a") is True
    with pytest.raises(NotFoundError):
        connector.get_by_id("a")
    assert ids(connector.find(Query())) == ["b"]


@pytest.mark.parametrize("stored", [True, False])
def test_an_unknown_id(connector: DBConnector, stored: bool) -> None:
    if stored:
        fill(connector, {"_id": "a"})
    for act in (
        lambda: connector.get_by_id("b"),
        lambda: connector.get_json("b"),
        lambda: connector.save("b", {}),
        lambda: connector.delete_by_id("b"),
        lambda: connector.compare_and_set("b", {}, {}),
        lambda: connector.compare_and_delete("b", {}),
    ):
        with pytest.raises(NotFoundError):
            act()
    assert connector.count() == int(stored)


def test_documents_are_private_copies(connector: DBConnector) -> None:
    document = {"_id": "a", "tags": ["x"]}
    connector.create(document)
    document["tags"].append("y")  # type: ignore[attr-defined]
    for _ in range(2):
        for read in (
            connector.get_by_id("a"),
            connector.find(Query())[0],
            connector.get_many(["a"])[0],
        ):
            assert read["tags"] == ["x"]
            read["tags"].append("y")


def test_drop(connector: DBConnector) -> None:
    connector.drop()
    fill(connector, {"_id": "a"})
    connector.drop()
    assert connector.count() == 0
    fill(connector, {"_id": "a"})


def test_get_many(connector: DBConnector) -> None:
    fill(connector, *({"_id": one} for one in ("a", "b", "n\0l")))
    assert ids(connector.get_many(["b", "nope", "a", "b", "\ud800"])) == ["b", "a"]
    assert ids(connector.get_many(["n\0l"])) == ["n\0l"]
    assert connector.get_many([]) == []


def test_json_text(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "title": "é"}, {"_id": "b"})
    assert json.loads(connector.get_json("a")) == {"_id": "a", "title": "é"}
    texts = connector.find_json(Query(limit=1, sort=(SortKey(("_id",), True),)))
    assert [json.loads(text) for text in texts] == [{"_id": "b"}]


def test_it_can_be_used_after_close(connector: DBConnector) -> None:
    fill(connector, {"_id": "a"})
    connector.close()
    connector.close()
    assert connector.get_by_id("a") == {"_id": "a"}


# -- ids ---------------------------------------------------------------------------


@pytest.mark.parametrize("_id", USUAL)
def test_any_id_comes_back(connector: DBConnector, _id: str) -> None:
    fill(connector, {"_id": "other"})
    assert connector.create({"_id": _id, "title": "x"}) == _id
    assert connector.get_by_id(_id) == {"_id": _id, "title": "x"}
    assert set(ids(connector.find(Query()))) == {_id, "other"}
    connector.save(_id, {"title": "y"})
    connector.delete_by_id(_id)
    assert connector.count() == 1


@pytest.mark.parametrize("_id", HOSTILE, ids=lambda _id: ascii(_id)[:20])
def test_a_hostile_id_touches_nothing_outside(
    connector: DBConnector, tmp_path: Path, _id: str
) -> None:
    fill(connector, {"_id": "other"})
    for name in ("x", "x.yml", ".yml", "books.yml"):
        (tmp_path / name).write_text("title: secret", encoding="utf-8")
    before = outside(tmp_path)
    with pytest.raises(NotFoundError):
        connector.get_by_id(_id)
    with pytest.raises(NotFoundError):
        connector.save(_id, {"title": "written"})
    with pytest.raises(NotFoundError):
        connector.delete_by_id(_id)
    assert outside(tmp_path) == before
    try:
        connector.create({"_id": _id, "title": "x"})
    except DBError:
        assert ids(connector.find(Query())) == ["other"]
    else:
        assert connector.get_by_id(_id)["title"] == "x"
        assert connector.count(fields_equal("_id", _id)) == 1
        connector.delete_by_id(_id)
    assert outside(tmp_path) == before
    assert ids(connector.find(Query())) == ["other"]


def outside(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and folder / "store" not in path.parents
    }


# -- changing what others change ---------------------------------------------------


def test_compare_and_set(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "n": 1, "m": None})
    read = connector.get_by_id("a")
    assert connector.compare_and_set("a", read, {"n": 2})
    assert not connector.compare_and_set("a", read, {"n": 3})
    assert connector.get_by_id("a") == {"_id": "a", "n": 2}


def test_compare_and_set_knows_true_from_one(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "n": 1})
    assert not connector.compare_and_set("a", {"_id": "a", "n": True}, {"n": 3})


def test_compare_and_set_in_another_order(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "n": 1, "m": 2})
    assert connector.compare_and_set("a", {"m": 2, "n": 1, "_id": "a"}, {"n": 3})


def test_compare_and_delete(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "n": 1})
    assert not connector.compare_and_delete("a", {"_id": "a", "n": 2})
    assert connector.compare_and_delete("a", {"_id": "a", "n": 1})
    assert connector.count() == 0


def test_no_update_is_lost_between_threads(connector: DBConnector) -> None:
    fill(connector, {"_id": "a", "n": 0})

    def add_five(_: int) -> None:
        for _ in range(5):
            while True:
                read = connector.get_by_id("a")
                if connector.compare_and_set("a", read, {**read, "n": read["n"] + 1}):
                    break

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add_five, range(6)))
    assert connector.get_by_id("a")["n"] == 30


def test_one_of_many_creates_wins(connector: DBConnector) -> None:
    if type(connector).__name__ == "SixMethods":
        pytest.skip("takes no lock")
    start = threading.Barrier(6)

    def create(n: int) -> bool:
        start.wait()
        try:
            connector.create({"_id": "a", "n": n})
        except DuplicateIdError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(create, range(6))) == [False] * 5 + [True]


# -- restriction -------------------------------------------------------------------


def test_a_restriction_hides_documents(connector_factory: Make) -> None:
    hidden = [False]
    connector = connector_factory(
        restriction=lambda: {"ok": True} if hidden[0] else None
    )
    fill(connector, {"_id": "a", "ok": True}, {"_id": "b", "ok": False}, {"_id": "c"})
    hidden[0] = True
    assert ids(connector.find(Query())) == ["a"]
    assert connector.count() == 1
    assert connector.count(Not(fields_equal("title", "x"))) == 1
    assert ids(connector.get_many(["a", "b", "c"])) == ["a"]
    assert [json.loads(t)["_id"] for t in connector.find_json(Query())] == ["a"]
    for act in (
        lambda: connector.get_by_id("b"),
        lambda: connector.get_json("b"),
        lambda: connector.save("b", {"ok": True}),
        lambda: connector.delete_by_id("b"),
        lambda: connector.compare_and_set("b", {"_id": "b", "ok": False}, {}),
        lambda: connector.compare_and_delete("b", {"_id": "b", "ok": False}),
    ):
        with pytest.raises(NotFoundError):
            act()
    connector.save("a", {"ok": True, "title": "x"})
    assert connector.compare_and_set("a", connector.get_by_id("a"), {"ok": True})
    connector.delete_by_id("a")
    hidden[0] = False
    assert ids(connector.find(Query())) == ["b", "c"]


def test_a_restriction_may_be_an_or_beside_the_query(connector_factory: Make) -> None:
    connector = connector_factory(
        restriction=lambda: {"$or": [{"pages": ("$gt", 5)}, {"ok": True}]}
    )
    fill(connector, {"_id": "a", "pages": 9}, {"_id": "b"}, {"_id": "c", "ok": True})
    assert ids(connector.find(Query(fields_equal("pages", 9, Kind.INT)))) == ["a"]
    assert ids(connector.find(Query())) == ["a", "c"]


# -- many documents ----------------------------------------------------------------


def test_without_a_sort_they_come_by_id(connector: DBConnector) -> None:
    fill(connector, {"_id": "b"}, {"_id": "a"}, {"_id": "é"}, {"_id": "Z"})
    assert ids(connector.find(Query())) == ["Z", "a", "b", "é"]


def test_sort_skip_limit(connector: DBConnector) -> None:
    fill(connector, *({"_id": str(n), "pages": n // 2} for n in range(8)))
    fill(connector, {"_id": "absent"})
    down = (SortKey(("pages",), True, Kind.INT),)
    assert ids(connector.find(Query(sort=down))) == [*"67452301", "absent"]
    assert ids(connector.find(Query(sort=down, skip=3, limit=2))) == ["5", "2"]
    up = (SortKey(("pages",), False, Kind.INT), SortKey(("_id",), True))
    assert ids(connector.find(Query(sort=up, limit=3))) == ["absent", "1", "0"]
    assert connector.find(Query(skip=2**63 - 1, limit=5)) == []


def test_select_gives_everything_by_default(connector: DBConnector) -> None:
    fill(connector, {"_id": "a"}, {"_id": "b"})
    found = connector.select({}, {}, 0, 0, {"_id": 1})
    assert sorted(ids(found)) == ["a", "b"]


def test_filters_of_many_conditions(connector: DBConnector) -> None:
    fill(connector, *({"_id": str(n), "pages": n} for n in range(5)))
    either = Or(tuple(fields_equal("pages", n, Kind.INT) for n in range(3, 900)))
    assert ids(connector.find(Query(either))) == ["3", "4"]
    every = Condition(("pages",), Op.IN, tuple(range(1, 40_000)), Kind.INT)
    assert connector.count(every) == 4
    deep: Filter = either
    for _ in range(50):
        deep = Not(And((deep, fields_equal("pages", 1, Kind.INT))))
    assert connector.count(deep) == sum(matches(deep, {"pages": n}) for n in range(5))


# -- the meaning -------------------------------------------------------------------

STRINGS = ["", "a", "b", "A", "é", "😀", "a\0b", "a\0", "a\0a", "\\u0000", "1", "true"]
STRINGS += ["2020-01-01T00:00:00", "2020-01-01T01:00:00+01:00", "2020-01-01", "::1"]
STRINGS += ["10.0.0.1", "10.0.0.0/8", '"', "'", "[1]", "\n", "\uffff"]
INTS = [0, 1, 2, -1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, -(2**70), 10**30]
FLOATS = [0.1, 0.30000000000000004, 1.0, -0.0, 1e300, 5e-324, 1e-310, 2.5, 2.0**63]
NUMBERS = INTS + FLOATS

strings = st.sampled_from(STRINGS) | st.text(max_size=3).filter(
    lambda text: text.isprintable()
)
numbers = st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
moments = st.sampled_from(
    [
        "2020-01-01T00:00:00",
        "2020-01-01T01:00:00+01:00",
        "2020-01-01T00:00:00.000001",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2019-12-31",
    ]
)
addresses = st.sampled_from(["10.0.0.1", "9.0.0.0", "::1", "fe80::1%x", "255.0.0.0"])
networks = st.sampled_from(["10.0.0.0/8", "10.0.0.0/9", "::/0", "9.0.0.0/8"])
scalars = st.none() | st.booleans() | numbers | strings
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "age", "zip", "b"]), inner)
    ),
    max_leaves=4,
)
OF_KIND: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: strings,
    Kind.INT: st.sampled_from(INTS) | st.integers(),
    Kind.FLOAT: numbers,
    Kind.BOOL: st.booleans(),
    Kind.DATETIME: moments,
    Kind.IPADDRESS: addresses,
    Kind.IPNETWORK: networks,
    Kind.EXTEND: scalars.filter(lambda value: value is not None),
    Kind.LIST: st.lists(scalars, max_size=3),
    Kind.DICT: st.dictionaries(st.sampled_from(["zip", "city", "name"]), scalars),
}
FIELDS: dict[tuple[str, ...], Kind] = {
    ("_id",): Kind.STRING,
    ("title",): Kind.STRING,
    ("pages",): Kind.INT,
    ("price",): Kind.FLOAT,
    ("ok",): Kind.BOOL,
    ("when",): Kind.DATETIME,
    ("ip",): Kind.IPADDRESS,
    ("net",): Kind.IPNETWORK,
    ("tags",): Kind.STRING,
    ("it's odd",): Kind.STRING,
    ('quo"te',): Kind.STRING,
    ("",): Kind.INT,
    ("address", "zip"): Kind.STRING,
    ("authors", "name"): Kind.STRING,
    ("authors", "age"): Kind.INT,
    ("extra", "a.b", "b"): Kind.EXTEND,
}


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of the right type, and now and then any."""
    return st.integers(0, 9).flatmap(lambda n: anything if n == 0 else usual)


author = st.fixed_dictionaries(
    {}, optional={"name": mostly(strings), "age": mostly(OF_KIND[Kind.INT])}
)
documents = st.fixed_dictionaries(
    {},
    optional={
        **{
            path[0]: mostly(st.none() | OF_KIND[kind])
            for path, kind in FIELDS.items()
            if len(path) == 1 and path != ("_id",)
        },
        "tags": mostly(st.lists(strings, max_size=3)),
        "authors": mostly(st.lists(mostly(author), max_size=3)),
        "address": mostly(st.fixed_dictionaries({}, optional={"zip": mostly(strings)})),
        "extra": st.dictionaries(
            st.sampled_from(["a.b", "b"]), st.dictionaries(st.just("b"), anything)
        ),
    },
)
collections = st.lists(documents, max_size=6)


@st.composite
def conditions(draw: st.DrawFn, inside: bool = False) -> Condition:
    if inside:
        path = draw(st.sampled_from([(), ("name",), ("age",)]))
        kind = draw(st.sampled_from([Kind.STRING, Kind.INT, Kind.EXTEND, Kind.LIST]))
    else:
        path, kind = draw(st.sampled_from(sorted(FIELDS.items())))
        if draw(st.integers(0, 5)) == 0:
            kind = draw(st.sampled_from(sorted(OF_KIND)))
    operator = draw(st.sampled_from(sorted(set(Op) - {Op.CONTAINS, Op.ALL})))
    return Condition(path, operator, draw(operand(operator, kind)), kind)


def operand(operator: Op, kind: Kind) -> st.SearchStrategy[Any]:
    if operator is Op.EXISTS:
        return st.booleans()
    if operator is Op.SIZE:
        return st.integers(0, 3)
    if operator is Op.REG:
        return st.sampled_from(["a", ".", "a$", "", "[a-z]?$", "(?s).*b"])
    if operator in (Op.IN, Op.NIN):
        return st.lists(st.none() | OF_KIND[kind], max_size=3).map(tuple)
    if operator in (Op.EQ, Op.NE):
        return st.none() | OF_KIND[kind]
    return OF_KIND[kind]


def trees(leaves: st.SearchStrategy[Filter], most: int) -> st.SearchStrategy[Filter]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda some: And(tuple(some)))
            | st.lists(inner, max_size=3).map(lambda some: Or(tuple(some)))
            | inner.map(Not)
        ),
        max_leaves=most,
    )


elements = st.builds(
    Element,
    st.sampled_from([("tags",), ("authors",), ("title",), ("extra", "b", "b")]),
    trees(conditions(inside=True), 3),
    st.booleans(),
)
filters = trees(conditions() | elements | st.sampled_from([ALWAYS, NEVER]), 5)
sorts = st.lists(
    st.sampled_from(sorted(FIELDS.items())).flatmap(
        lambda item: st.builds(
            SortKey,
            st.just(item[0]),
            st.booleans(),
            st.sampled_from([item[1], item[1], Kind.EXTEND]),
        )
    ),
    max_size=3,
).map(tuple)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(collections, filters, sorts, st.integers(0, 3), st.integers(0, 4))
@example(
    [{"title": "a\0b"}, {"title": "a"}, {"title": ["a"]}],
    fields_equal("title", "a"),
    (SortKey(("title",), True),),
    0,
    0,
)
@example(
    [{"pages": 2**63 + 1}, {"pages": 2**63}, {"pages": 10**30}],
    Condition(("pages",), Op.GT, 5, Kind.INT),
    (SortKey(("pages",), True, Kind.INT),),
    0,
    0,
)
def test_find_and_count_are_the_meaning(
    connector: DBConnector,
    stored: list[dict[str, Any]],
    tree: Filter,
    sort: tuple[SortKey, ...],
    skip: int,
    limit: int,
) -> None:
    connector.drop()
    whole = [{"_id": f"{5 - n}", **document} for n, document in enumerate(stored)]
    fill(connector, *whole)
    matching = [document for document in whole if matches(tree, document)]
    wanted = order(matching, sort)[skip : skip + limit if limit else None]
    assert ids(connector.find(Query(tree, sort, skip, limit))) == ids(wanted)
    assert connector.count(tree) == len(matching)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), anything))
@example({"a": " \n x \n", "b": "\n", "c": "x\n\n", "d": "\x85\u2028\ufeff\x7f"})
@example({"a": "1e5", "b": "01", "c": "12:30", "d": "-0", "e": "true", "f": 1e22})
@example({"no": "no", "1": "2020-01-01", "~": "null", "y": "0x1", "=": "=", "": "<<"})
def test_documents_come_back_as_they_were(
    connector: DBConnector, document: dict[str, Any]
) -> None:
    connector.drop()
    document.pop("_id", None)
    _id = connector.create(document)
    assert json.dumps(connector.get_by_id(_id)) == json.dumps({"_id": _id, **document})
