"""Checks of one document: stored, read, replaced, deleted."""

import json
from collections.abc import Callable, Iterator

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.testing.documents import (
    any_json,
    any_text,
    book,
    random_documents,
)
from backo.connectors.testing.expecting import (
    agree,
    all_agree,
    equal,
    expect,
    refused,
)
from backo.connectors.testing.making import (
    Checks,
    Make,
    chances,
    fill,
    ids,
    new_ids,
    pair,
)
from backo.errors import NotFoundError
from backo.query.filter import SortKey

__all__ = ["ODD_DOCUMENTS", "touches", "checks"]

checks = Checks()


def touches(connector: DBConnector, _id: str) -> Iterator[Callable[[], object]]:
    """Every way to a document that needs it to be there."""
    yield lambda: connector.get_by_id(_id)
    yield lambda: connector.get_json(_id)
    yield lambda: connector.save(_id, book())
    yield lambda: connector.delete_by_id(_id)
    yield lambda: connector.compare_and_set(_id, book(_id=_id), book())
    yield lambda: connector.compare_and_delete(_id, book(_id=_id))


@checks.always
def what_is_created_can_be_read(make: Make) -> None:
    connector = make()
    document = book(title="Emma", tags=["a"], pages=None)
    _id = connector.create(dict(document))
    expect(isinstance(_id, str), f"create gave {_id!r}, which is no text")
    agree(connector.get_by_id(_id), {"_id": _id, **document}, "get_by_id")


@checks.always
def create_leaves_what_it_is_given_alone(make: Make) -> None:
    given = book(title="Emma", tags=["a"])
    make().create(given)
    equal(given, book(title="Emma", tags=["a"]), "what create was given")


@checks.always
def every_document_gets_another_id(make: Make) -> None:
    connector = make()
    made = [connector.create(book()) for _ in range(20)]
    equal(len(set(made)), 20, "ids")
    expect(not {"", "None"} & set(made), f"{made} has no ids")


@checks.always
def documents_come_back_as_they_were(make: Make) -> None:
    connector = make()
    whole = fill(connector, *random_documents(5, 100))
    for document in whole:
        agree(connector.get_by_id(document["_id"]), document, "get_by_id")
    found = {one["_id"]: one for one in connector.find(Query())}
    for document in whole:
        agree(found[document["_id"]], document, "find")


@checks.always
def save_replaces_the_whole(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book(title="x", pages=1, extra={"b": 1}))
    _id = document["_id"]
    connector.save(_id, book(title="y"))
    agree(connector.get_by_id(_id), {"_id": _id, **book(title="y")}, "after save")


@checks.always
def saved_documents_come_back_as_they_were(make: Make) -> None:
    connector = make()
    _id = connector.create(book())
    for document in random_documents(6, 60):
        connector.save(_id, dict(document))
        agree(connector.get_by_id(_id), {"_id": _id, **document}, "after save")


@checks.always
def save_keeps_the_id(make: Make) -> None:
    connector = make()
    one, other = fill(connector, book(title="x"), book(title="o"))
    connector.save(one["_id"], {**book(title="y"), "_id": other["_id"]})
    wanted = {**one, "title": "y"}
    agree(connector.get_by_id(one["_id"]), wanted, "after save")
    agree(connector.get_by_id(other["_id"]), other, "the other")


@checks.always
def what_is_deleted_is_gone(make: Make) -> None:
    connector = make()
    one, other = fill(connector, book(), book())
    expect(connector.delete_by_id(one["_id"]) is True, "delete_by_id gives True")
    refused(NotFoundError, lambda: connector.get_by_id(one["_id"]), "the deleted")
    equal(ids(connector.find(Query())), [other["_id"]], "what is left")


@checks.always
def what_is_not_there_is_not_found(make: Make) -> None:
    connector = make()
    (unknown,) = new_ids(connector, 1)
    for count in (0, 1):
        for _id in (unknown, "nobody", "n\0l", "\ud800", ""):
            for touch in touches(connector, _id):
                refused(NotFoundError, touch, f"_id {_id!a}")
        equal(connector.count(), count, "what is there")
        fill(connector, book())


@checks.always
def what_was_deleted_is_not_found(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book())
    connector.delete_by_id(document["_id"])
    for touch in touches(connector, document["_id"]):
        refused(NotFoundError, touch, "the deleted")
    equal(connector.count(), 0, "what is there")


@checks.always
def documents_are_private_copies(make: Make) -> None:
    connector = make()
    given = book(tags=["x"])
    _id = connector.create(given)
    given["tags"].append("y")
    for _ in range(2):
        for read in _every_read(connector, _id):
            equal(read["tags"], ["x"], "what others see")
            read["tags"].append("y")
    read = book(tags=["z"])
    connector.save(_id, read)
    read["tags"].append("y")
    equal(connector.get_by_id(_id)["tags"], ["z"], "what others see after save")


def _every_read(connector: DBConnector, _id: str) -> Iterator[Document]:
    yield connector.get_by_id(_id)
    yield from connector.find(Query())
    yield from connector.get_many([_id])
    yield from connector.scan()


@checks.always
def drop_deletes_all(make: Make) -> None:
    connector = make()
    connector.drop()
    fill(connector, book(), book())
    connector.drop()
    equal(connector.count(), 0, "what is left")
    equal(connector.find(Query()), [], "what is left")
    fill(connector, book())
    equal(connector.count(), 1, "what is new")


@checks.always
def get_many_gives_each_in_the_order_asked_for(make: Make) -> None:
    connector = make()
    one, other, _ = fill(connector, book(title="1"), book(title="2"), book(title="3"))
    (unknown,) = new_ids(connector, 1)
    first, second = one["_id"], other["_id"]
    asked = [second, unknown, "nobody", first, second, "\ud800", "n\0l"]
    all_agree(connector.get_many(asked), [other, one], "get_many")
    all_agree(connector.get_many(iter([first])), [one], "get_many")
    equal(connector.get_many([]), [], "get_many of none")


@checks.always
def get_many_of_a_thousand(make: Make) -> None:
    connector = make()
    whole = fill(connector, *(book(pages=n) for n in range(5)))
    asked = new_ids(connector, 1_000) + ids(whole)[::-1]
    all_agree(connector.get_many(asked), whole[::-1], "get_many")


@checks.always
def json_texts_are_the_documents(make: Make) -> None:
    connector = make()
    whole = fill(
        connector,
        book(title="é"),
        book(title="\0\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
    )
    for document in whole:
        text = connector.get_json(document["_id"])
        agree(json.loads(text), document, "get_json")
    last = max(whole, key=lambda one: str(one["_id"]))
    texts = connector.find_json(Query(limit=1, sort=(SortKey(("_id",), True),)))
    all_agree(list(map(json.loads, texts)), [last], "find_json")


@checks.always
def it_can_be_used_after_close(make: Make) -> None:
    connector = make()
    (document,) = fill(connector, book(title="a"))
    connector.close()
    connector.close()
    agree(connector.get_by_id(document["_id"]), document, "after close")


@checks.always
def what_one_connector_writes_another_reads(make: Make) -> None:
    one, other = pair(make)
    (document,) = fill(one, book(title="a"))
    _id = document["_id"]
    agree(other.get_by_id(_id), document, "what the other reads")
    other.save(_id, book(title="b"))
    equal(one.get_by_id(_id)["title"], "b", "what the first reads")
    equal(ids(one.find(Query())), [_id], "what the first finds")
    one.delete_by_id(_id)
    refused(NotFoundError, lambda: other.get_by_id(_id), "the deleted")
    equal(other.find(Query()), [], "what the other finds")


# -- of any shape ------------------------------------------------------------------

ODD_DOCUMENTS: tuple[Document, ...] = (
    {"a": " \n x \n", "b": "\n", "c": "x\n\n", "d": "\x85\u2028\ufeff\x7f"},
    {"a": "1e5", "b": "01", "c": "12:30", "d": "-0", "e": "true", "f": 1e22},
    {"no": "no", "1": "2020-01-01", "~": "null", "y": "0x1", "=": "=", "": "<<"},
    {"": 0, "a.b": [[], {}, [None, [None]]], "$x": {"$y": None}, "é": {"": ""}},
    {"none": None, "list": [], "dict": {}, "title": {"title": [1, 1.0, True]}},
)
"""What has been read back as something else by some store or other."""


@checks.any_shape
def any_document_comes_back_as_it_was(make: Make) -> None:
    connector = make()
    for document in (*ODD_DOCUMENTS, *_any_objects(150)):
        _id = connector.create(dict(document))
        wanted = json.dumps({"_id": _id, **document})
        equal(json.dumps(connector.get_by_id(_id)), wanted, "get_by_id")
        connector.delete_by_id(_id)


@checks.any_shape
def fields_may_have_any_names(make: Make) -> None:
    connector = make()
    for name in ("a\0b", "\0", "$where", "$", ".", "a.", "__proto__", "é" * 300):
        document = {name: 1, "extra": {name: {name: [{name: "x"}]}}}
        _id = connector.create(dict(document))
        equal(connector.get_by_id(_id), {"_id": _id, **document}, "get_by_id")


def _any_objects(count: int) -> Iterator[Document]:
    chance = chances(7)
    for _ in range(count):
        drawn = {any_text(chance) for _ in range(chance.randrange(5))}
        # What stands before U+0000 in a name is checked by itself.
        names = {one.replace("\0", "") for one in drawn} - {"_id"}
        yield {name: any_json(chance) for name in sorted(names)}
