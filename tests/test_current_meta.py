"""What exists and what is allowed, for one item and user: in Python and by requests."""

import json
from typing import Any

import pytest

from backo import (
    Action,
    Backoffice,
    Collection,
    Datetime,
    Dict,
    Int,
    Item,
    List,
    Selection,
    String,
    current_user,
)
from backo.connectors.memory import DBMemoryConnector
from tests.http.asking import asking as dispatching
from tests.inprocess import ADAPTERS, asking

type Document = dict[str, Any]


def is_own(_right: str, item: Any) -> bool:
    return bool(item.owner == current_user.login.get_value())


def is_admin(_right: str, _item: Any) -> bool:
    return bool(current_user.has_role("admin"))


def is_kind(kind: str) -> Any:
    return lambda _value, root: root.kind == kind


SCHEMA = {
    "owner": String(),
    "kind": String(enum=["bird", "fish"]),
    "wings": Int(exists=is_kind("bird"), can_modify=is_own),
    "fins": Dict(
        {"count": Int(min=1), "secret": String(can_read=is_admin)},
        exists=is_kind("fish"),
        can_modify=is_own,
    ),
    "weights": List(Int()),
    "heavy": Int(set=lambda root: sum(one.get_value() for one in root.weights)),
    "crane": String(
        exists=lambda _value, root: (root.heavy.get_value() or 0) > 10, required=True
    ),
    "rows": List(Dict({"n": Int(can_modify=is_own), "s": Int(can_read=is_own)})),
    "seen": Datetime(can_modify=False),
    "fixed": Int(default=4),
}
ITEMS: list[Document] = [
    {"owner": "ada", "kind": "bird"},
    {"owner": "bob", "kind": "fish", "fins": {"count": 3}},
    {"owner": "ada", "weights": [4, 9], "crane": "big"},
    {"rows": [{"n": 1, "s": 2}]},
    {},
]
USERS: list[Document] = [
    {"_id": "1", "login": "ada", "roles": []},
    {"_id": "2", "login": "bob", "roles": ["admin"]},
]


def pets() -> Backoffice:
    office = Backoffice("office")
    made = Collection(
        "pets", Item(SCHEMA), DBMemoryConnector(), can_modify=is_own, can_delete=False
    )
    office.register_collection(made)
    made.register_action("feed", Action({}, print, can_see=is_own))
    made.register_action("sell", Action({}, print, can_execute=is_admin))
    made.register_selection("names", Selection(["$.owner"], can_read=is_admin))
    closed = Collection("closed", Item({}), DBMemoryConnector(), can_read=False)
    office.register_collection(closed)
    return office


def added(collection: Collection, document: Document) -> Item:
    """An item that somebody stored."""
    return collection.get_by_id(collection.db_handler.create(document))


@pytest.mark.parametrize("user", USERS, ids=lambda one: str(one["login"]))
@pytest.mark.parametrize("document", ITEMS, ids=str)
def test_an_item_and_a_request_are_told_the_same(
    user: Document, document: Document
) -> None:
    office = pets()
    collection = office.collection("pets")
    collection.db_handler.create({**document, "_id": "x"})
    ask = dispatching(office, lambda *_: current_user.set(user))
    current_user.set(user)
    item = collection.get_by_id("x")
    meta = item.get_current_meta()
    assert json.loads(json.dumps(meta)) == meta
    answer = ask("pets_meta", item.view("client"))
    assert answer.status == 200
    told = json.loads(answer.body)
    assert told["item"] == meta
    assert told == collection.get_meta(item.view("client"))
    assert collection.get_meta(collection.db_handler.get_by_id("x"))["item"] == meta


def test_what_exists_and_is_allowed_goes_by_the_item_and_the_user() -> None:
    collection = pets().collection("pets")
    current_user.set(USERS[0])
    bird = added(collection, ITEMS[0]).get_current_meta()["sub_scheme"]
    assert (bird["wings"]["exists"], bird["fins"]["exists"]) == (True, False)
    assert bird["fins"]["sub_scheme"]["count"]["exists"] is False
    assert bird["wings"]["rights"] == {"read": True, "modify": True}
    fish = added(collection, ITEMS[1]).get_current_meta()["sub_scheme"]
    assert (fish["wings"]["exists"], fish["fins"]["exists"]) == (False, True)
    assert fish["fins"]["rights"] == {"read": True, "modify": False}
    assert fish["fins"]["sub_scheme"]["count"]["rights"]["modify"] is False
    assert set(fish["fins"]["sub_scheme"]) == {"count"}
    assert set(bird["rows"]["sub_type"]["sub_scheme"]) == {"n", "s"}
    assert set(fish["rows"]["sub_type"]["sub_scheme"]) == {"n"}
    assert bird["seen"]["rights"]["modify"] is False and bird["seen"]["read_only"]
    assert bird["crane"]["exists"] is False
    heavy = added(collection, ITEMS[2]).get_current_meta()["sub_scheme"]
    assert heavy["crane"]["exists"] is True
    current_user.set(USERS[1])
    fish = added(collection, ITEMS[1]).get_current_meta()["sub_scheme"]
    assert set(fish["fins"]["sub_scheme"]) == {"count", "secret"}


def test_a_question_about_an_unfinished_item_knows_its_computed_values() -> None:
    collection = pets().collection("pets")
    for partial, exists in (
        ({"weights": [4, 9]}, True),
        ({"weights": [4]}, False),
        ({"weights": "much"}, False),
        ({}, False),
    ):
        meta = collection.get_meta(partial)["item"]["sub_scheme"]
        assert meta["crane"]["exists"] is exists
    assert collection.check({"weights": [4, 9]}, "$.crane") == "is required"
    assert collection.check({"weights": [4]}, "$.crane") is None


def test_the_structure_has_all_that_strictos_has() -> None:
    office = pets()
    item = office.collection("pets").create({})
    ours, plain = item.get_current_meta(), Dict(SCHEMA).get_current_meta()

    def compare(mine: Document, of_stricto: Document) -> None:
        assert set(of_stricto) - {"sub_scheme", "sub_type"} <= set(mine)
        assert set(of_stricto["rights"]) <= set(mine["rights"])
        for name, below in of_stricto.get("sub_scheme", {}).items():
            if name not in ("secret", "s"):
                compare(mine["sub_scheme"][name], below)

    compare(ours, plain)
    assert Item({"n": Int()}).get_current_meta()["sub_scheme"]["n"]["exists"] is True


def test_a_field_alone_is_told_as_in_its_item() -> None:
    item = pets().collection("pets").create({})
    whole = item.get_current_meta()
    below = item.fixed.get_current_meta(whole)
    assert below["rights"] == whole["sub_scheme"]["fixed"]["rights"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_whole_is_told_alike_in_python_and_by_requests(adapter: str) -> None:
    office = pets()
    with asking(adapter, office) as ask:
        whole = json.loads(ask("GET", "/office/_meta").body)
        assert whole == office.get_meta()
        asked = json.loads(ask("POST", "/office/pets/_meta", ITEMS[0]).body)
        assert asked == office.collection("pets").get_meta(ITEMS[0])
    (told,) = whole["collections"]
    assert told["name"] == "pets"
    assert told["rights"] == {
        "read": True,
        "create": True,
        "modify": False,
        "delete": False,
    }
    assert set(told["actions"]) == {"sell"}
    assert told["actions"]["sell"]["rights"] == {"see": True, "execute": False}
    assert set(told["selections"]) == {"_all"}


def test_actions_and_selections_are_told_as_far_as_they_are_there() -> None:
    collection = pets().collection("pets")
    current_user.set(USERS[0])
    assert set(collection.get_meta(ITEMS[0])["actions"]) == {"feed", "sell"}
    assert set(collection.get_meta(ITEMS[1])["actions"]) == {"sell"}
    current_user.set(USERS[1])
    told = collection.get_meta(ITEMS[1])
    assert told["actions"]["sell"]["rights"]["execute"] is True
    assert set(told["selections"]) == {"_all", "names"}
