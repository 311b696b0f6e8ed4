"""What functions in a schema are called for, and when: one behaviour at a time."""

from typing import Any

import pytest

from backo import (
    Collection,
    Dict,
    Float,
    In,
    Int,
    List,
    SConstraintError,
    String,
)
from backo.access import Changes
from backo.connectors.base import Query
from backo.errors import VALUE_ERRORS
from tests.offices import one

type Document = dict[str, Any]

PLAIN = {"meta_data_handler": None}


def nothing(*_args: Any, **_kwargs: Any) -> None:
    """A handler that makes reading go through an Item."""


def things(schema: Document, *, loaded: bool = False) -> Collection:
    on = [("loaded", nothing)] if loaded else []
    return one(schema, item={**PLAIN, "on": on})


def post(where: Collection, body: Document) -> Document:
    valid = where.models.create.document(body)
    _, answer = where.access.insert(valid, "client")
    assert answer is not None
    return answer


def put(where: Collection, _id: str, body: Document) -> Document:
    valid = where.models.update.document(body)
    changes = Changes(lambda _: valid, blind=True)
    answer = where.access.modify(_id, changes, "client", None)
    assert answer is not None
    return answer


def get(where: Collection, _id: str) -> Document:
    return where.access.read(_id, "client")


def refused(where: Collection, body: Document) -> bool:
    try:
        where.models.create.document(body)
    except ValueError:
        return True
    return False


# -- computed ----------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"n": 5}, {"n": 6}])
def test_a_value_computed_from_a_default_is_there_at_once_and_after(
    body: Document,
) -> None:
    where = things(
        {
            "n": Int(default=5),
            "heard": Int(set=(lambda root: root.n * 2, ["$.n"])),
            "any": Int(set=lambda root: root.n * 3),
            "kept": Int(set=(lambda root: root.n * 4, "$.n"), views=["save"]),
        }
    )
    made = post(where, body)
    n = made["n"]
    assert made == {"heard": n * 2, "any": n * 3, "kept": n * 4} | made
    assert get(where, made["_id"]) == made
    put(where, made["_id"], {"n": 9})
    assert put(where, made["_id"], {"n": 5}) == get(where, made["_id"])
    assert get(where, made["_id"])["heard"] == 10


def test_a_function_that_hears_of_what_is_unset_does_not_stop_a_new_item() -> None:
    where = things(
        {"a": Int(), "b": Int(), "s": Int(set=(lambda r: r.a + r.b, ["$.a", "$.b"]))}
    )
    made = post(where, {})
    assert made["s"] is None
    assert get(where, made["_id"]) == made
    with pytest.raises(TypeError):
        post(where, {"a": 1})
    assert post(where, {"a": 1, "b": 2})["s"] == 3


@pytest.mark.parametrize("loaded", [False, True])
def test_a_stored_value_is_not_computed_again_when_it_is_read(loaded: bool) -> None:
    calls: list[int] = []

    def count(_root: Any) -> int:
        calls.append(1)
        return len(calls)

    where = things({"n": Int(), "times": Int(set=count, views=["save"])}, loaded=loaded)
    made = post(where, {"n": 1})
    assert made["times"] == 1
    assert get(where, made["_id"]) == made
    assert where.access.listing(Query(), "client", total=True).rows == [made]
    assert where.get_by_id(made["_id"]).times == 1
    assert put(where, made["_id"], {"n": 2})["times"] == 2


def test_a_stored_value_that_begins_to_exist_is_computed() -> None:
    total = Int(
        set=(lambda root: root.n + 1, ["$.n"]),
        views=["save"],
        exists=lambda value, root: root.on == 1,
    )
    where = things({"n": Int(), "on": Int(), "total": total})
    made = post(where, {"n": 4, "on": 0})
    assert "total" not in made
    assert put(where, made["_id"], {"on": 1})["total"] == 5
    assert where.db_handler.get_by_id(made["_id"])["total"] == 5


def test_a_new_element_is_computed_though_it_listens_elsewhere() -> None:
    row = Dict({"n": Int(), "tax": Int(set=(lambda root: root.rate, ["$.rate"]))})
    where = things({"rate": Int(), "rows": List(row)})
    made = post(where, {"rate": 7, "rows": [{"n": 1}]})
    changed = put(where, made["_id"], {"rows": [{"n": 1}, {"n": 2}]})
    assert [one["tax"] for one in changed["rows"]] == [7, 7]
    assert get(where, made["_id"]) == changed


def test_constraints_are_asked_when_everything_is_computed() -> None:
    asked: list[int] = []

    def above(_root: Any, value: int, _old: Any) -> bool:
        asked.append(value)
        return value >= 10

    where = things(
        {
            "last": Int(set=(lambda r: r.first + 1, ["$.first"]), constraint=above),
            "first": Int(set=(lambda r: r.n * 10, ["$.n"])),
            "n": Int(),
        }
    )
    assert post(where, {"n": 1})["last"] == 11
    assert set(asked) == {11}


def test_a_function_that_fails_because_of_a_fault_tells_of_the_fault() -> None:

    def share(root: Any) -> float:
        return 12 / float(root.n.get_value())

    where = things(
        {
            "n": Int(constraint=lambda root, value, old: value > 0),
            "share": Float(set=share),
            "name": String(required=True),
            "loud": String(set=lambda root: root.name.upper()),
        }
    )
    with pytest.raises(SConstraintError, match=r"\$\.n"):
        post(where, {"n": 0, "name": "x"})
    with pytest.raises(SConstraintError, match=r"\$\.name"):
        where.create({"n": 1})
    with pytest.raises(ZeroDivisionError):
        things({"n": Int(), "share": Float(set=share)}).create({"n": 0})


# -- transform ---------------------------------------------------------------------


def test_what_is_stored_is_not_transformed_again() -> None:
    seal = String(transform=lambda root, value, old: f"<{value}>")
    where = things(
        {
            "word": seal,
            "words": List(seal),
            "below": Dict({"word": seal}),
            "n": Int(),
            "seen": Int(set=lambda root: 1),
        }
    )
    body = {"word": "a", "words": ["b"], "below": {"word": "c"}}
    made = post(where, body)
    sealed = {"word": "<a>", "words": ["<b>"], "below": {"word": "<c>"}}
    assert made == sealed | {"_id": made["_id"], "n": None, "seen": 1}
    assert get(where, made["_id"]) == made
    assert put(where, made["_id"], {"n": 2}) == made | {"n": 2}
    item = where.get_by_id(made["_id"])
    item.n = 3
    item.save()
    assert get(where, made["_id"]) == made | {"n": 3}


def test_a_migration_computes_what_is_new_and_transforms_nothing() -> None:
    where = things(
        {
            "word": String(transform=lambda root, value, old: f"<{value}>"),
            "n": Int(default=2),
            "more": Int(set=(lambda root: root.n + 1, ["$.n"]), views=["save"]),
        }
    )
    where.db_handler.create({"_id": "x", "word": "<a>", "n": 2})
    where.migrate(None, dry_run=False)
    stored = where.db_handler.get_by_id("x")
    assert stored == {"_id": "x", "word": "<a>", "n": 2, "more": 3}


def test_a_transform_is_not_told_of_what_nobody_gave() -> None:
    told: list[Any] = []

    def tell(_root: Any, value: Any, _old: Any) -> Any:
        told.append(value)
        return value

    where = things(
        {
            "a": String(transform=tell),
            "due": Int(default=3, transform=tell),
            "must": Int(default=4, required=True, transform=tell),
            "list": List(Int(transform=tell), default=[1]),
            "below": Dict({"x": Int(), "y": Int(default=2)}, transform=tell),
            "b": Int(),
        }
    )
    told.clear()
    made = post(where, {"b": 1})
    assert told == []
    assert made["due"], made["must"] == (3, 4)
    assert made["below"] == {"x": None, "y": 2} and made["list"] == [1]
    post(where, {"below": {"x": 1}, "a": None})
    assert told == [None, {"x": 1}]


def test_bounds_are_for_what_the_transform_gives() -> None:
    where = things(
        {
            "code": String(
                enum=["A", "B"], transform=lambda root, value, old: value.upper()
            ),
            "word": String(
                pattern="^[a-z]+$", transform=lambda root, value, old: value.strip()
            ),
            "n": Int(min=10, transform=lambda root, value, old: value * 10),
        }
    )
    made = post(where, {"code": "a", "word": " x ", "n": 2})
    assert (made["code"], made["word"], made["n"]) == ("A", "x", 20)
    for wrong in ({"code": "c"}, {"word": "X"}, {"n": 0}):
        with pytest.raises(SConstraintError):
            post(where, wrong)
    assert refused(where, {"n": "2"})


# -- constraints, exists, defaults, enums ------------------------------------------


@pytest.mark.parametrize("loaded", [False, True])
def test_a_constraint_on_the_step_taken_is_not_asked_of_what_is_read(
    loaded: bool,
) -> None:
    steps = {("new", "done"), ("done", "gone")}
    state = String(
        default="new",
        constraint=lambda root, value, old: value == old or (old, value) in steps,
    )
    where = things({"state": state, "n": Int()}, loaded=loaded)
    _id = post(where, {})["_id"]
    with pytest.raises(SConstraintError):
        put(where, _id, {"state": "gone"})
    put(where, _id, {"state": "done"})
    put(where, _id, {"state": "gone"})
    assert get(where, _id)["state"] == "gone"
    assert put(where, _id, {"n": 1})["state"] == "gone"
    item = where.get_by_id(_id)
    item.check_value()
    with pytest.raises(SConstraintError):
        item.state = "done"


@pytest.mark.parametrize("loaded", [False, True])
def test_a_constraint_that_the_world_decides_does_not_hide_what_is_stored(
    loaded: bool,
) -> None:
    world = {"open": True}
    when = Int(constraint=lambda root, value, old: world["open"])
    where = things({"when": when, "n": Int()}, loaded=loaded)
    made = post(where, {"when": 1})
    world["open"] = False
    assert get(where, made["_id"]) == made
    assert where.access.listing(Query(), "client", total=True).rows == [made]
    with pytest.raises(SConstraintError):
        put(where, made["_id"], {"n": 1})


def test_what_does_not_exist_is_not_required() -> None:
    where = things(
        {
            "kind": String(),
            "wings": Int(required=True, exists=lambda value, root: root.kind == "bird"),
            "shell": Dict(
                {"size": Int(required=True)},
                exists=lambda value, root: root.kind == "snail",
            ),
        }
    )
    made = post(where, {"kind": "fish"})
    assert set(made) == {"_id", "kind"}
    assert get(where, made["_id"]) == made
    for wrong in ({"kind": "bird"}, {"kind": "snail"}):
        with pytest.raises(VALUE_ERRORS):
            post(where, wrong)
    with pytest.raises(SConstraintError):
        put(where, made["_id"], {"kind": "bird"})
    assert put(where, made["_id"], {"kind": "bird", "wings": 2})["wings"] == 2
    assert "wings" not in put(where, made["_id"], {"kind": "fish"})
    assert "wings" not in where.db_handler.get_by_id(made["_id"])


def test_an_enum_may_be_a_function_of_the_item() -> None:
    sizes = {"shoe": ["41", "42"], "shirt": ["S", "M"]}
    for name in ("enum", "in", "union"):
        options: Document = {name: lambda value, root: sizes[root.kind.get_value()]}
        where = things({"kind": String(required=True), "size": String(**options)})
        assert post(where, {"kind": "shoe", "size": "41"})["size"] == "41"
        with pytest.raises(SConstraintError):
            post(where, {"kind": "shirt", "size": "41"})


def test_a_default_may_look_at_what_was_given() -> None:
    where = things(
        {
            "name": String(),
            "slug": String(default=lambda root: str(root.name).lower()),
            "below": Dict({"copy": String(default=lambda root: root.slug.get_value())}),
        }
    )
    made = post(where, {"name": "Ada"})
    assert (made["slug"], made["below"]) == ("ada", {"copy": "ada"})
    assert post(where, {"name": "Ada", "slug": None})["slug"] is None


class Even(Int):
    """An Int of a user's own."""

    def check_type(self, value: Any) -> bool:
        return bool(super().check_type(value))


def test_functions_of_a_users_own_type_are_given_the_item() -> None:
    where = things(
        {
            "most": Int(),
            "n": Even(
                constraint=lambda root, value, old: value <= root.most,
                transform=lambda root, value, old: value + 1,
                enum=lambda value, root: [3, root.most.get_value()],
            ),
        }
    )
    assert post(where, {"most": 5, "n": 4})["n"] == 5
    for wrong in (1, 3, 9):
        with pytest.raises(SConstraintError):
            post(where, {"most": 5, "n": wrong})
    either = things({"most": Int(), "n": In([Even(max=9), String()])})
    assert post(either, {"n": 9})["n"] == 9
