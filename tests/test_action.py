"""Actions: what is done to an item, as one unit."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backo import (
    Action,
    BackoError,
    Backoffice,
    Bool,
    Collection,
    Datetime,
    DBSqliteConnector,
    DBYmlConnector,
    Dict,
    Float,
    FrozenError,
    Int,
    Item,
    List,
    NotFoundError,
    Ref,
    RefsList,
    SConstraintError,
    SRightError,
    SSyntaxError,
    String,
    STypeError,
    current_user,
)
from backo.connectors.base import DBConnector
from backo.connectors.memory import DBMemoryConnector
from backo.transaction import current_unit
from tests.conformance.conftest import SixMethods
from tests.http.asking import asking, errors

STORES: dict[str, Callable[[Path, str], DBConnector]] = {
    "memory": lambda folder, name: DBMemoryConnector(),
    "yml": lambda folder, name: DBYmlConnector(path=folder / name),
    "sqlite": lambda folder, name: DBSqliteConnector(path=folder / "a.db", table=name),
}


def of_somebody(_right: str, _item: Any) -> bool:
    return not current_user.is_anonymous()


def things(
    connector: DBConnector | None = None,
    other: DBConnector | None = None,
    on: Callable[..., Any] | None = None,
    **rights: Any,
) -> Collection:
    """The thing ``a``, and the collection ``notes`` beside it."""
    schema = {
        "n": Int(default=0),
        "text": String(),
        "log": List(String(), default=[]),
        "fixed": String(can_modify=False),
        "hidden": Bool(default=False),
    }
    office = Backoffice("office")
    model = Item(schema, meta_data_handler=None, on=[("saved", on)] if on else [])
    made = Collection("things", model, connector or DBMemoryConnector(), **rights)
    office.register_collection(made)
    note = Item({"text": String(required=True)}, meta_data_handler=None)
    office.register_collection(Collection("notes", note, other or DBMemoryConnector()))
    made.db_handler.create({"_id": "a", "n": 1, "text": "t", "log": []})
    return made


def doing(
    function: Callable[..., Any], schema: dict[str, Any] | None = None, **options: Any
) -> Collection:
    """The things, with the action ``act``."""
    of_things = {
        name: options.pop(name) for name in ("can_modify", "on") if name in options
    }
    made = things(**of_things)
    made.register_action("act", Action(schema or {}, function, **options))
    return made


def stored(made: Collection) -> dict[str, Any]:
    return made.db_handler.get_by_id("a")


# --- What it does -----------------------------------------------------------------


def test_a_changed_item_is_saved() -> None:
    def add(action: Any, item: Any) -> None:
        item.n += action.by

    made = doing(add, {"by": Int(required=True)})
    assert made.do_action("act", "a", {"by": 3}) is None
    assert stored(made)["n"] == 4


def test_an_item_that_the_function_saves_is_saved_once() -> None:
    saved: list[str] = []

    def add(_action: Any, item: Any) -> None:
        item.n = 5
        item.save()

    made = doing(add, on=lambda name, *_args, **_more: saved.append(name))
    made.do_action("act", "a")
    assert (stored(made)["n"], saved) == (5, ["saved"])


def test_an_item_that_is_not_changed_is_not_saved() -> None:
    saved: list[str] = []
    made = doing(
        lambda _action, item: item.text.get_value(),
        on=lambda name, *_args, **_more: saved.append(name),
    )
    assert made.do_action("act", "a") == "t"
    assert saved == []


def test_an_item_that_the_function_deletes_is_gone() -> None:
    made = doing(lambda _action, item: item.delete())
    answer = asking(made.backoffice)("things_do_act", {}, _id="a")  # type: ignore[arg-type]
    assert (answer.status, answer.body) == (204, b"")
    with pytest.raises(NotFoundError):
        stored(made)


def test_the_input_is_of_this_call_alone() -> None:
    held: list[Any] = []
    schema = {"words": List(String(), default=[]), "more": Dict({"n": Int(default=7)})}
    made = doing(lambda action, _item: held.append(action), schema)
    made.do_action("act", "a", {"words": ["x"], "more": {"n": 1}})
    made.do_action("act", "a")
    assert [one.get_value() for one in held] == [
        {"words": ["x"], "more": {"n": 1}},
        {"words": [], "more": {"n": 7}},
    ]
    assert made.actions["act"].action.words.get_value() in (None, [])


def test_the_input_is_judged_like_an_item() -> None:
    def even(_root: Any, value: Any, _old: Any) -> bool:
        return bool(value % 2 == 0)

    schema = {
        "n": Int(required=True, max=8, constraint=even),
        "text": String(transform=lambda _root, value, _old: value.strip()),
        "double": Int(set=lambda root: (root.n.get_value() or 0) * 2),
    }
    given: list[Any] = []
    made = doing(lambda action, _item: given.append(action.get_value()), schema)
    made.do_action("act", "a", {"n": 2, "text": " x "})
    assert given == [{"n": 2, "text": "x", "double": 4}]
    for wrong, error in (({"n": 3}, SConstraintError), ({"n": "2"}, STypeError)):
        with pytest.raises(error):
            made.do_action("act", "a", wrong)
    assert len(given) == 1


@pytest.mark.parametrize("more", [{}, {"other": None}])
def test_a_function_gets_the_keywords_that_it_takes(more: dict[str, Any]) -> None:
    seen: list[Any] = []

    def everything(_action: Any, _item: Any, **kwargs: Any) -> None:
        seen.append(kwargs["transaction_id"])

    def one(_action: Any, _item: Any, *, transaction_id: int, **_rest: Any) -> None:
        seen.append(transaction_id)

    def named(_action: Any, _item: Any, transaction_id: int = 0) -> None:
        seen.append(transaction_id)

    def inside(_action: Any, _item: Any) -> None:
        unit = current_unit()
        seen.append(unit is not None and unit.id)

    for function in (everything, one, named, inside):
        doing(function).do_action("act", "a", **more)
    assert len(seen) == 4 and all(isinstance(one, int) and one > 0 for one in seen)


def test_it_joins_a_transaction_that_is_named() -> None:
    def add(_action: Any, item: Any) -> None:
        item.n = 9

    made = doing(add)
    office: Backoffice = made.backoffice  # type: ignore[assignment]
    number = office.start_transaction()
    made.do_action("act", "a", transaction_id=number)
    office.rollback_transaction(number)
    assert stored(made)["n"] == 1


# --- What it gives ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (1, 1),
        ({"a": [1, None]}, {"a": [1, None]}),
        ((1, 2), [1, 2]),
        (datetime.datetime(2024, 2, 29), "2024-02-29T00:00:00"),
        ([], []),
        (False, False),
    ],
)
def test_what_it_returns_is_the_answer(given: Any, told: Any) -> None:
    ask = asking(doing(lambda _action, _item: given).backoffice)  # type: ignore[arg-type]
    answer = ask("things_do_act", {}, _id="a")
    assert (answer.status, json.loads(answer.body)) == (200, told)


def test_items_and_fields_in_what_it_returns_become_plain_values() -> None:
    made = doing(lambda _a, item: {"item": item, "n": item.n, "list": [item.log]})
    made.model.add_to_model("inner", String(views=["!client"], default="x"))
    whole: dict[str, Any] = {"_id": "a", "n": 1, "text": "t", "log": [], "fixed": None}
    whole["hidden"] = False
    assert made.do_action("act", "a") == {"item": whole, "n": 1, "list": [[]]}


def test_without_a_result_the_answer_is_the_item() -> None:
    def add(_action: Any, item: Any) -> None:
        item.n = 2

    ask = asking(doing(add).backoffice)  # type: ignore[arg-type]
    answer = json.loads(ask("things_do_act", {}, _id="a").body)
    assert (answer["_id"], answer["n"]) == ("a", 2)


def test_a_declared_result_is_held_to_and_in_the_document() -> None:
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    declared = {"at": Datetime(required=True), "note": String()}
    made = doing(lambda _a, _i: {"at": moment}, result=declared)
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    answer = ask("things_do_act", {}, _id="a")
    assert json.loads(answer.body) == {"at": "2024-02-29T12:00:00+00:00", "note": None}
    schemas = made.backoffice.get_openapi()["components"]["schemas"]  # type: ignore[attr-defined]
    assert set(schemas["ThingsActResult"]["properties"]) == {"at", "note"}


def test_a_result_that_is_not_what_is_declared_is_a_fault_of_ours() -> None:
    made = doing(lambda _a, item: item.n.set(5) or "text", result=Int())
    with pytest.raises(BackoError, match="result of act is not what is declared"):
        made.do_action("act", "a")
    assert stored(made)["n"] == 1
    answer = asking(made.backoffice)("things_do_act", {}, _id="a")  # type: ignore[arg-type]
    assert answer.status == 500 and b"text" not in answer.body


@pytest.mark.parametrize(
    "given", [float("nan"), [float("inf")], {"a": b"\xff"}, object(), {"a": {print}}]
)
def test_what_json_does_not_have_is_a_fault_of_ours_and_nothing_is_kept(
    given: Any,
) -> None:
    def act(_action: Any, item: Any) -> Any:
        item.n = 5
        return given

    made = doing(act)
    with pytest.raises(BackoError, match="the result of act is no JSON"):
        made.do_action("act", "a")
    assert asking(made.backoffice)("things_do_act", _id="a").status == 500  # type: ignore[arg-type]
    assert stored(made)["n"] == 1


def test_a_generator_is_done_before_the_item_is_saved() -> None:
    def act(_action: Any, item: Any) -> Any:
        item.n = 2
        yield 1
        item.n = 3

    made = doing(act)
    assert made.do_action("act", "a") == [1]
    assert stored(made)["n"] == 3


def test_a_result_shows_what_the_document_says_of_it() -> None:
    declared = {"n": Int(), "secret": String(can_read=False)}
    made = doing(lambda _a, _i: {"n": 1, "secret": "s"}, result=declared)
    assert made.do_action("act", "a") == {"n": 1}


@pytest.mark.parametrize("returned", [True, False])
def test_the_answer_shows_what_the_caller_may_read_whatever_the_function_did(
    returned: bool,
) -> None:
    def act(_action: Any, item: Any) -> Any:
        item.disable_permissions()
        item.n = 2
        return item if returned else None

    made = doing(act)
    made.model.add_to_model("guarded", String(can_read=of_somebody, default="g"))
    made.model.add_to_model("secret", String(can_read=False, default="s"))
    answer = json.loads(asking(made.backoffice)("things_do_act", _id="a").body)  # type: ignore[arg-type]
    assert answer["n"] == 2
    assert "guarded" not in answer and "secret" not in answer


def test_a_deleted_item_is_answered_with_as_any_other() -> None:
    made = doing(lambda _action, item: item.delete() or item)
    made.model.add_to_model("inner", String(views=["!client"], default="x"))
    assert "inner" not in made.do_action("act", "a")


# --- Who may ----------------------------------------------------------------------


def has_text(_right: str, item: Any) -> bool:
    return bool(item.text.get_value() == "t")


def test_an_action_that_the_user_does_not_see_is_not_there() -> None:
    made = doing(lambda _a, _i: 1, {"n": Int(required=True)}, can_see=of_somebody)
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    for body in ({"n": 1}, {"n": "x"}, {}):
        answer = ask("things_do_act", body, _id="a")
        assert answer.status == 404
        assert "no action 'act'" in json.loads(answer.body)["detail"]
    assert made.get_meta()["actions"] == {}
    current_user.set({"_id": "1", "login": "a"})
    assert made.get_meta()["actions"]["act"]["rights"] == {"see": True, "execute": True}


def test_an_action_that_the_user_may_not_execute_is_forbidden() -> None:
    made = doing(lambda _a, _i: 1, {"n": Int(required=True)}, can_execute=of_somebody)
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    assert ask("things_do_act", {"n": "x"}, _id="a").status == 403
    with pytest.raises(SRightError, match="may not execute act"):
        made.do_action("act", "a", {"n": 1})
    assert made.get_meta()["actions"]["act"]["rights"]["execute"] is False


def test_rights_are_judged_for_the_item() -> None:
    made = doing(lambda _a, _i: 1, can_see=has_text)
    made.db_handler.create({"_id": "b", "text": "other"})
    assert made.do_action("act", "a") == 1
    with pytest.raises(NotFoundError):
        made.do_action("act", "b")
    assert made.get_meta({"text": "t"})["actions"] != {}
    assert made.get_meta({"text": "x"})["actions"] == {}


@pytest.mark.parametrize("right", ["can_see", "can_execute"])
def test_an_action_that_is_refused_to_everybody_is_no_operation(right: str) -> None:
    made = things()
    rights: dict[str, Any] = {right: False}
    made.register_action("act", Action({}, lambda _a, _i: 1, **rights))
    document = made.backoffice.get_openapi()  # type: ignore[attr-defined]
    assert not any("_actions" in path for path in document["paths"])
    assert not any(
        "Act" in name
        for name in document["components"]["schemas"]
        if "Meta" not in name
    )


def test_an_item_that_the_user_may_not_read_is_not_there() -> None:
    made = things(can_read=of_somebody)
    made.register_action("act", Action({}, lambda _a, _i: 1))
    for _id in ("a", "nothing"):
        with pytest.raises(NotFoundError, match="there is no item"):
            made.do_action("act", _id)


def test_who_may_execute_may_save_whatever_the_collection_says() -> None:
    def add(_action: Any, item: Any) -> None:
        item.n = 2
        item.save()
        item.n = 3

    made = doing(add, can_modify=lambda _right, _item: False)
    made.do_action("act", "a")
    assert stored(made)["n"] == 3
    item = made.get_by_id("a")
    item.n = 4
    with pytest.raises(SRightError):
        item.save()


def test_the_rights_of_fields_hold_until_they_are_switched_off() -> None:
    def fix(action: Any, item: Any) -> None:
        item.n = 5
        if action.forced:
            item.disable_permissions()
        item.fixed = "yes"

    made = doing(fix, {"forced": Bool(default=False)})
    with pytest.raises(SRightError):
        made.do_action("act", "a")
    assert stored(made)["n"] == 1
    made.do_action("act", "a", {"forced": True})
    assert (stored(made)["n"], stored(made)["fixed"]) == (5, "yes")


def test_the_rights_of_the_fields_of_the_input_hold() -> None:
    schema = {
        "mine": Int(can_modify=of_somebody),
        "word": String(can_read=False, required=True),
    }
    made = doing(lambda action, _item: [action.mine, action.word], schema)
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    answer = ask("things_do_act", {"mine": 1, "word": "w"}, _id="a")
    assert (answer.status, errors(answer)) == (403, {"$.mine": "forbidden"})
    told = made.get_meta()["actions"]["act"]["item"]["sub_scheme"]
    assert (told["mine"]["rights"]["modify"], "word" in told) == (False, False)
    current_user.set({"_id": "1", "login": "a"})
    assert made.do_action("act", "a", {"mine": 1, "word": "w"}) == [1, "w"]


# --- One unit ---------------------------------------------------------------------


@pytest.mark.parametrize("here", STORES)
@pytest.mark.parametrize("there", STORES)
def test_when_it_raises_nothing_is_kept(here: str, there: str, tmp_path: Path) -> None:
    made = things(
        STORES[here](tmp_path / "x", "things"), STORES[there](tmp_path / "y", "notes")
    )
    notes = made.get_other_collection("notes")

    def act(action: Any, item: Any) -> None:
        notes.create({"_id": "n", "text": "written"})
        item.n = 9
        item.save()
        if action.fail:
            raise ZeroDivisionError

    made.register_action("act", Action({"fail": Bool(required=True)}, act))
    with pytest.raises(ZeroDivisionError):
        made.do_action("act", "a", {"fail": True})
    assert stored(made)["n"] == 1
    assert notes.select({}) == []
    made.do_action("act", "a", {"fail": False})
    assert stored(made)["n"] == 9
    assert [one["_id"] for one in notes.select({})] == ["n"]


@pytest.mark.parametrize("sort", [*STORES, "six methods"])
def test_an_item_that_is_changed_by_links_of_others_is_saved_beside_them(
    sort: str, tmp_path: Path
) -> None:
    makes: dict[str, Callable[[Path, str], DBConnector]] = {
        **STORES,
        "six methods": lambda _folder, _name: SixMethods(),
    }
    office = Backoffice("office")
    book = {"lent": Bool(default=False), "loans": RefsList(coll="loans", field="$.of")}
    loan = {"of": Ref(coll="books", field="$.loans")}
    for name, schema in {"books": book, "loans": loan}.items():
        item = Item(schema, meta_data_handler=None)
        office.register_collection(Collection(name, item, makes[sort](tmp_path, name)))
    calls: list[Any] = []

    def lend(_action: Any, book: Any) -> None:
        calls.append(book)
        office.loans.create({"_id": f"loan{len(calls)}", "of": book._id})
        book.lent = True

    office.books.register_action("lend", Action({}, lend))
    office.books.create({"_id": "b"})
    office.books.do_action("lend", "b")
    kept = office.books.db_handler.get_by_id("b")
    assert (kept["lent"], kept["loans"], len(calls)) == (True, ["loan1"], 1)


def test_what_another_process_wrote_meanwhile_is_seen_by_another_call() -> None:
    """A store without transactions cannot keep other processes out."""
    store = SixMethods()
    made = things(store)
    seen: list[int] = []

    def add(_action: Any, item: Any) -> None:
        seen.append(item.n.get_value())
        if len(seen) == 1:
            store.items["a"]["n"] = 10
        item.n += 1

    made.register_action("act", Action({}, add))
    made.do_action("act", "a")
    assert (seen, stored(made)["n"]) == ([1, 10], 11)


def test_an_unexpected_failure_tells_nothing_and_keeps_nothing() -> None:
    def act(_action: Any, item: Any) -> None:
        item.n = 9
        raise RuntimeError("the password is secret")

    made = doing(act)
    answer = asking(made.backoffice)("things_do_act", {}, _id="a")  # type: ignore[arg-type]
    assert answer.status == 500 and b"secret" not in answer.body
    assert stored(made)["n"] == 1


def test_a_change_that_breaks_the_schema_is_refused() -> None:
    def act(_action: Any, item: Any) -> None:
        item.n = 2
        item.log = ["x", 1]

    made = doing(act)
    answer = asking(made.backoffice)("things_do_act", {}, _id="a")  # type: ignore[arg-type]
    assert answer.status == 422
    assert stored(made)["n"] == 1


# --- Declaring --------------------------------------------------------------------


async def coroutine(_action: Any, _item: Any) -> None: ...


@pytest.mark.parametrize(
    "function",
    ["no function", coroutine, lambda action: None, lambda a, b, *, needed: None],
    ids=["text", "coroutine", "one argument", "another argument"],
)
def test_what_cannot_be_called_is_refused(function: Any) -> None:
    with pytest.raises(SSyntaxError, match="on_trig"):
        Action({}, function)


@pytest.mark.parametrize("name", ["act", "Act", "a b", "", "_act"])
def test_a_name_that_is_taken_or_no_name_is_refused(name: str) -> None:
    made = doing(lambda _a, _i: 1)
    with pytest.raises(SSyntaxError, match="things"):
        made.register_action(name, Action({}, lambda _a, _i: 1))


def test_what_is_no_action_is_refused() -> None:
    with pytest.raises(SSyntaxError, match="x is no Action"):
        things().register_action("x", print)  # type: ignore[arg-type]


def test_an_item_that_the_input_points_to_must_be_there() -> None:
    made = doing(lambda action, _i: action.note, {"note": Ref(coll="notes")})
    notes = made.get_other_collection("notes")
    notes.create({"_id": "x", "text": "y"})
    assert made.do_action("act", "a", {"note": "x"}) == "x"
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    answer = ask("things_do_act", {"note": "nothing"}, _id="a")
    assert (answer.status, errors(answer)) == (422, {"$.note": "unknown_reference"})


def test_references_that_are_added_to_the_input_are_followed_too() -> None:
    made = doing(lambda _a, _i: 1)
    assert made.do_action("act", "a") == 1
    made.actions["act"].action.add_to_model("note", Ref(coll="notes"))
    with pytest.raises(NotFoundError, match="no item 'nothing'"):
        made.do_action("act", "a", {"note": "nothing"})


def test_a_collection_that_the_input_points_to_must_be_there() -> None:
    made = doing(lambda _a, _i: 1, {"note": Ref(coll="nowhere")})
    office: Backoffice = made.backoffice  # type: ignore[assignment]
    assert office.check_syntax() == [
        "things: action act: $.note: there is no collection nowhere"
    ]


def test_add_action_registers_one() -> None:
    made = things()
    made.add_action("x", Action({}, lambda _a, _i: 1))
    assert made.do_action("x", "a") == 1


def test_the_input_follows_its_schema_until_routes_are_built() -> None:
    action = Action({"n": Int()}, lambda action, _item: action)
    made = things()
    made.register_action("act", action)
    assert list(made.get_meta()["actions"]["act"]["item"]["sub_scheme"]) == ["n"]
    action.add_to_model("more", Dict({"text": String()}))
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    body = {"n": 1, "more": {"text": "x"}}
    assert json.loads(ask("things_do_act", body, _id="a").body) == body
    with pytest.raises(FrozenError, match="things: its routes are built"):
        action.add_to_model("late", Int())
    with pytest.raises(FrozenError):
        action.more.remove_model("text")


def test_fields_may_have_the_names_of_options() -> None:
    names = ("schema", "result", "name", "copy", "on_trig", "can_see")
    made = doing(lambda action, _item: action, {name: Int() for name in names})
    given = dict(zip(names, range(6), strict=True))
    assert made.do_action("act", "a", given) == given


# --- Over HTTP --------------------------------------------------------------------


def test_all_faults_of_the_input_are_told() -> None:
    schema = {
        "n": Int(required=True),
        "x": Float(max=1.0),
        "fix": Int(can_modify=False),
    }
    ask = asking(doing(lambda _a, _i: 1, schema).backoffice)  # type: ignore[arg-type]
    answer = ask("things_do_act", {"x": 2, "fix": 1, "other": 1}, _id="a")
    assert answer.status == 422
    assert errors(answer) == {
        "$.n": "required",
        "$.x": "max",
        "$.fix": "read_only",
        "$.other": "unknown_field",
    }


def test_a_body_may_be_left_out_where_no_field_is_needed() -> None:
    made = things()
    made.register_action("free", Action({"n": Int(default=3)}, lambda a, _i: a.n))
    made.register_action("bound", Action({"n": Int(required=True)}, lambda a, _i: a.n))
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    assert json.loads(ask("things_do_free", _id="a").body) == 3
    assert ask("things_do_bound", _id="a").status == 400


def test_a_body_may_be_left_out_where_only_elements_need_something() -> None:
    schema = {"rows": List(Dict({"n": Int(required=True)}))}
    made = doing(lambda action, _item: action.rows.get_value() or [], schema)
    ask = asking(made.backoffice)  # type: ignore[arg-type]
    assert json.loads(ask("things_do_act", _id="a").body) == []


def test_if_match_is_asked() -> None:
    def add(_action: Any, item: Any) -> None:
        item.n += 1

    ask = asking(doing(add).backoffice)  # type: ignore[arg-type]
    tag = dict(ask("things_get", _id="a").headers)["etag"]
    statuses = [
        ask("things_do_act", {}, _id="a", headers={"if-match": tag}).status
        for _ in range(2)
    ]
    assert statuses == [200, 412]


def test_the_document_has_the_input_of_an_action() -> None:
    made = doing(lambda _a, _i: 1, {"n": Int(max=3)}, description="Do it")
    document = made.backoffice.get_openapi()  # type: ignore[attr-defined]
    operation = document["paths"]["/office/things/_actions/act/{id}"]["post"]
    assert operation["description"] == "Do it"
    body = operation["requestBody"]
    assert body["required"] is False
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][name]["properties"]["n"]["maximum"] == 3
