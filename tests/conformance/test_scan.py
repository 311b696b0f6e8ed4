"""Every connector gives all its documents one after the other, in the order of ids."""

import threading
from collections.abc import Callable
from itertools import islice

import pytest

from backo.connectors.base import DBConnector, Document, Query

type Make = Callable[..., DBConnector]

ODD = ["a", "a-b", "a.b", "A", "a b", "a%", "é", "😀", "x'; DROP TABLE items; --", "1"]


def fill(connector: DBConnector, count: int) -> list[str]:
    ids = [f"{number:06}" for number in range(count)]
    for _id in ids:
        connector.create({"_id": _id, "title": _id, "pages": 1})
    return ids


def test_every_document_in_the_order_of_ids(connector: DBConnector) -> None:
    for _id in ODD:
        connector.create({"_id": _id, "title": _id})
    assert [one["_id"] for one in connector.scan()] == sorted(ODD)
    assert list(connector.scan()) == connector.find(Query())


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 600])
def test_any_number_of_documents(connector: DBConnector, count: int) -> None:
    ids = fill(connector, count)
    assert [one["_id"] for one in connector.scan()] == ids


@pytest.mark.parametrize(
    ("restriction", "kept"),
    [
        ({"title": ("$gte", "000123")}, slice(123, None)),
        ({"title": ("$reg", ".*[02468]$")}, slice(None, None, 2)),
    ],
)
def test_a_restriction_holds(
    connector_factory: Make, restriction: Document, kept: slice
) -> None:
    on = threading.Event()
    connector = connector_factory(
        restriction=lambda: restriction if on.is_set() else None
    )
    ids = fill(connector, 450)
    on.set()
    assert [one["_id"] for one in connector.scan()] == ids[kept]


def test_what_is_changed_on_the_way_comes_once(connector: DBConnector) -> None:
    ids = fill(connector, 450)
    seen = []
    for document in connector.scan():
        connector.save(document["_id"], {**document, "title": "zzz", "pages": 2})
        seen.append(document["_id"])
    assert seen == ids
    assert all(one["pages"] == 2 for one in connector.scan())


def _disturb(connector: DBConnector, stop: threading.Event) -> None:
    """Create, change and delete, before and after any document that stays."""
    number = 0
    while not stop.is_set():
        number += 1
        for _id in (f"!{number}", f"000250-{number}", f"~{number}"):
            connector.create({"_id": _id, "title": "new"})
        connector.save("000300", {"_id": "000300", "title": "x" * (number % 50)})
        connector.delete_by_id(f"!{number}")


def test_while_others_write(connector: DBConnector) -> None:
    ids, stop = fill(connector, 450), threading.Event()
    other = threading.Thread(target=_disturb, args=(connector, stop))
    other.start()
    try:
        for _ in range(5):
            found = [one["_id"] for one in connector.scan()]
            assert found == sorted(set(found))
            assert [_id for _id in found if _id in frozenset(ids)] == ids
    finally:
        stop.set()
        other.join()


def test_it_may_be_left_in_the_middle(connector: DBConnector) -> None:
    ids = fill(connector, 300)
    scan = connector.scan()
    first: list[Document] = list(islice(scan, 2))
    connector.drop()
    assert [one["_id"] for one in first] == ids[:2]
    connector.create({"_id": "new"})
    assert [one["_id"] for one in connector.scan()] == ["new"]
