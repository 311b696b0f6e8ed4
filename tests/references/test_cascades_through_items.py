"""What is deleted with an item is not asked to do without the others it points to, also
where these are changed as Items."""

from typing import Any

import pytest

from backo import Backoffice, Collection, DeleteStrategy, Item, Ref, RefsList, String
from backo.connectors.memory import DBMemoryConnector

CASCADE = DeleteStrategy.DELETE_REFERENCED_ITEMS


def is_stored(_right: str, item: Any) -> bool:
    return item["_id"].get_value() is not None


@pytest.mark.parametrize("right", [None, is_stored])
def test_what_goes_with_an_item_leaves_the_others(right: Any) -> None:
    office = Backoffice("office")
    guarded = {} if right is None else {"can_read": right}
    for name, field in (("people", "$.who"), ("media", "$.what")):
        held = RefsList(coll="res", field=field, ods=CASCADE, **guarded)
        item = Item({"name": String(), "res": held})
        office.register_collection(Collection(name, item, DBMemoryConnector()))
    who = Ref(coll="people", field="$.res", required=True)
    what = Ref(coll="media", field="$.res", required=True)
    item = Item({"who": who, "what": what})
    office.register_collection(Collection("res", item, DBMemoryConnector()))
    person, medium = (office.collection(n).create({})._id for n in ("people", "media"))
    office.res.create({"who": person.get_value(), "what": medium.get_value()})
    office.media.get_by_id(medium.get_value()).delete()
    assert office.res.select() == office.media.select() == []
    (left,) = office.people.select()
    assert left.view("client")["res"] == []
    assert office.check_references() == []
