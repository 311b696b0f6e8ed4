"""Requests of every sort, about every field of a backoffice, readable or not."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from backo import Backoffice
from backo.collection import Collection
from backo.http.handlers import JSON_PATCH, MERGE_PATCH
from backo.query.filter import Op
from backo.schema.plan import FieldPlan, Kind
from tests.rights.calling import Asked

__all__ = ["UNKNOWN", "changes", "names", "questions", "reads"]

UNKNOWN = "nowhere"
"""The name of no field."""
ACROSS = (
    *("paper.title", "paper.body", "paper.secret", "paper.things.staff", "papers.open"),
    *("paper.about.name", "paper.about.wage", "diary.text", "diary.about.title"),
    *("vault.code", "owner.name", "owner.wage", "lender.name", "things.turned"),
    *("things.title", "things.owner.name", "about.name", "about.owned.title"),
    *("owned.title", "owned.staff", "papers.title", "papers.body", "papers.secret"),
    *("keeps.title", "keeps.body", "judges.title", "keeper.name", "critic.name"),
    *("friend.name", "friend.wage", "about.home.door", "about.notes.s"),
)
"""Ways through references: each of some collection."""
VALUES = {
    Kind.INT: ("7", "1"),
    Kind.BOOL: ("true", "false"),
    Kind.STRING: ("secret", "zebra"),
}


def names(collection: Collection) -> list[str]:
    """Every field at any depth, through references too, and one that is not there."""
    own = dict.fromkeys(
        field.dotted for field in collection.plan.every_field if field.dotted
    )
    known = [one for one in ACROSS if collection.plan.locate(one.partition(".")[0])]
    return [*own, *known, UNKNOWN, f"{UNKNOWN}.more"]


def _doubtful(collection: Collection) -> list[str]:
    """Those of them that some callers may not read, or that lead to what they may
    not."""
    return [one for one in names(collection) if not _open(collection, one)]


def _open(collection: Collection, name: str) -> bool:
    located = collection.plan.locate(name)
    return located is not None and not any(
        field.unreadable or field.guarded or field.conditional or field.reference
        for field in located.trail
    )


def reads(office: Backoffice) -> Iterator[Asked]:
    """Everything that can be read, in every way."""
    for path in ("/_meta", "/_openapi", "/_docs"):
        yield Asked("GET", path)
    for collection in office.collections.values():
        yield from _lists(collection)
        yield from _items(collection)


def _lists(collection: Collection) -> Iterator[Asked]:
    lists = [f"/{collection.name}"]
    lists += [f"/{collection.name}/_selections/{one}" for one in collection.selections]
    for path in lists:
        for query in ("", "_page=2&_skip=1", "_total=0", "_page=2&_skip=3&_sort=-_id"):
            yield Asked("GET", f"{path}?{query}")
    whole, _all, *rows = lists
    for query in _queries(collection):
        yield Asked("GET", f"{whole}?{query}")
    for name in _doubtful(collection):
        yield from (Asked("GET", f"{one}?_sort=-{name}&_page=3") for one in rows[:1])
    for body in _filters(collection):
        yield Asked("GET", f"{whole}?filter={quote(json.dumps(body))}&_page=2")
        yield from (Asked("POST", f"{one}?_page=2", body) for one in rows[:1])


def _queries(collection: Collection) -> Iterator[str]:
    for name in names(collection):
        first, second = _values(collection, name)
        yield f"{name}={first}"
        yield f"_sort=-$.{name},title&_page=2&_skip=1"
    for name in _doubtful(collection):
        first, second = _values(collection, name)
        yield f"{name}={first}&{name}={second}&_total=0"
        for op in Op:
            value = {"exists": "true", "size": "1"}.get(op.name.lower(), first)
            yield f"{name}.{op.value}={value}"
        yield f"_sort={name}"
        yield f"_expand={name}"
    for view in (*collection.plan.view_names, "save", "+save", "staff"):
        yield f"_view={quote(view)}"
    yield f"_expand={','.join(_references(collection))}&_page=3"


def _values(collection: Collection, name: str) -> tuple[str, str]:
    located = collection.plan.locate(name)
    kind = Kind.STRING if located is None else _leaf(located.field).kind
    return VALUES.get(kind, VALUES[Kind.STRING])


def _leaf(field: FieldPlan) -> FieldPlan:
    return field if field.element is None else _leaf(field.element)


def _references(collection: Collection) -> list[str]:
    view = collection.plan.view("client")
    fields = itertools.chain.from_iterable(one.walk() for one in view.fields)
    return [
        one.dotted
        for one in fields
        if one.reference is not None
        and not one.unreadable
        and one.reference.collection != "vaults"
    ]


def _filters(collection: Collection) -> Iterator[Any]:
    """Filters in JSON that combine each field with others."""
    for name in _doubtful(collection):
        value = json.loads(_json_value(collection, name))
        yield {name: ["$ne", value]}
        yield {"$not": {name: value}}
        yield {"$or": [{name: value}, {"title": "Title 1"}]}
        yield {"$and": [{"$not": {name: ["$exists", True]}}, {"_id": ["$gt", "t1"]}]}
        yield {name: {"$contains": value}}
        if "." in name:
            holder, _, last = name.rpartition(".")
            yield {holder: {last: value}}
            yield {holder: ["$contains", {last: value}]}
            yield {holder: ["$not", {last: ["$gt", value]}]}


def _json_value(collection: Collection, name: str) -> str:
    value = _values(collection, name)[0]
    return value if value in ("7", "true") else json.dumps(value)


def _items(collection: Collection) -> Iterator[Asked]:
    for _id in IDS:
        path = f"/{collection.name}/{_id}"
        yield Asked("GET", path)
        yield Asked("HEAD", path)
        yield Asked("GET", path, headers=(("if-none-match", "*"),))
        yield Asked("GET", path, headers=(("if-none-match", '"0"'),))
        for one in _references(collection):
            yield Asked("GET", f"{path}?_expand={one}")
        for view in collection.plan.view_names[1:]:
            yield Asked("GET", f"{path}?_view={quote(view)}")


IDS = ("t0", "t1", "p1", "p3", "p4", "p5", "h1", "d0", "d2", "v1", "absent")
"""Items of some collection: seen, hidden, refused, there at times and never."""


# -- items that are still being written --------------------------------------------


def questions(office: Backoffice) -> Iterator[Asked]:
    """What can be asked about items that are still being written."""
    for collection in office.collections.values():
        base = f"/{collection.name}"
        partials = list(_partials(collection))
        for partial in partials:
            yield Asked("POST", f"{base}/_meta", partial)
        for name in names(collection):
            for partial in partials:
                body = {"item": partial, "path": f"$.{name}"}
                yield Asked("POST", f"{base}/_check", body)


def _partials(collection: Collection) -> Iterator[Any]:
    yield {}
    for partial in (
        {"title": "Title 1", "open": False, "turned": 7, "staff": "secret"},
        {"paper": "p3", "papers": ["p1", "p4"], "diary": "d0", "never": "secret"},
        {"about": "h1", "things": ["t1"], "secret": "secret", "owned": ["t2"]},
    ):
        known = {
            key: value for key, value in partial.items() if collection.plan.locate(key)
        }
        if known:
            yield known


# -- writes ------------------------------------------------------------------------


def changes(office: Backoffice) -> Iterator[Asked]:
    """Writes whose answer must not tell of what the caller may not read.

    Left out, for what they answer depends on what is hidden, and must: deleting what
    hidden items may point to (``MUST_BE_EMPTY``), giving a link to an item whose
    hidden other half is full, and pointing to an item of a collection that nobody
    reads, which is an error where there is none.
    """
    for name in ("things", "papers", "diaries", "people"):
        collection = office.collection(name)
        yield from _whole_bodies(collection)
        for _id in ("t1", "p3", "p4", "p5", "d0", "h1", "absent"):
            yield from _writes(collection, f"/{name}/{_id}")
            yield from _acts(collection, _id)
    yield from _patches("/things/t1")
    yield from _patches("/papers/p1")
    yield from _patches("/people/h1")


def _whole_bodies(collection: Collection) -> Iterator[Asked]:
    for body in (
        {"title": "new", "staff": "mine"},
        {"title": "new", "paper": "p3", "diary": "d0"},
        {"title": "new", "papers": ["p1", "p9", "p4", "p5"]},
        {"title": 1, "never": 2, "deep": 3, UNKNOWN: 4},
        {"title": "new", "fixed": 7, "loud": "x", "_id": "t1", "_meta": {}},
        {"text": "new", "about": "t1"},
        {"name": "new", "key": "secret", "notes": [{"t": "a"}]},
    ):
        yield Asked("POST", f"/{collection.name}", body)


def _writes(collection: Collection, path: str) -> Iterator[Asked]:
    for body in _bodies(collection):
        yield Asked("PUT", path, body)
        yield Asked("PUT", path, body, headers=(("if-match", '"0"'),))
        yield Asked("PATCH", path, body, MERGE_PATCH)
    yield Asked("PATCH", path, [], JSON_PATCH, (("if-match", "*"),))
    yield Asked("DELETE", path, headers=(("if-match", '"0"'),))
    if collection.name == "papers":
        yield Asked("DELETE", path)


def _bodies(collection: Collection) -> Iterator[Any]:
    key = {"diaries": "text", "people": "name"}.get(collection.name, "title")
    yield {}
    yield {key: "other"}
    yield {key: 1, UNKNOWN: 2}
    if collection.name == "people":
        yield {"home": {"city": "Bonn"}, "key": "secret", "wage": 7}
        yield {"notes": [{"t": "t0", "s": "secret"}], "friend": None, "pay": [7]}
    if collection.name == "things":
        yield {"paper": "p4"}
        yield {"papers": ["p3", "p9", "p5"], "title": "other"}
        yield {"never": "secret", "staff": "zebra", "part": {"pin": 7, "code": "x"}}
        yield {"fixed": 7}
        yield from ({"locked": "secret"}, {"locked": "zebra"}, {"locked": None})
        yield from ({"sealed": 7}, {"sealed": 1}, {"title": "other", "sealed": 0})
        yield {"twice": 14, "loud": "x"}
        yield {"deep": {"a": {"b": 7}}}
        yield {"deep": {"a": {"b": "7"}}, "marks": 7}
        yield {"rows": [{"p": "p0", "s": "secret", "k": 7}]}


def _acts(collection: Collection, _id: str) -> Iterator[Asked]:
    if not collection.actions:
        return
    for action in ("rename", "close", "lock", "absent"):
        path = f"/{collection.name}/_actions/{action}/{_id}"
        for body in (
            {},
            {"title": "other"},
            {"title": "other", "by": "p3"},
            {"title": "other", "pin": 7},
            {"title": 1, UNKNOWN: 2},
        ):
            yield Asked("POST", path, body)
        named = (("if-match", '"0"'),)
        yield Asked("POST", path, {"title": "other"}, headers=named)


HIDDEN = (
    *("/never", "/fixed", "/staff", "/turned", "/marks", "/marks/0", "/twice"),
    *("/part/pin", "/part/code", "/deep", "/deep/a/b", "/deep/l/0", "/dark", "/dark/a"),
    *("/owner", "/lender", "/office_use", "/secret", "/refused", f"/{UNKNOWN}"),
    *("/locked", "/sealed", "/keeper", "/critic"),
    *("/wage", "/pay", "/pay/0", "/key", "/home/door", "/past", "/past/a/b", "/friend"),
)
"""Paths of patches."""


def _patches(path: str) -> Iterator[Asked]:
    for hidden in HIDDEN:
        for operations in _operations(hidden):
            yield Asked("PATCH", path, operations, JSON_PATCH)
    for hidden in (
        "/part",
        "/rows",
        "",
        "$.deep.a",
        "$.marks[0]",
        "$.rows[0].s",
        "/notes",
    ):
        yield Asked("PATCH", path, _tests(hidden, None), JSON_PATCH)
        yield Asked("PATCH", path, _tests(hidden, {"a": {"b": 7}}), JSON_PATCH)


def _tests(path: str, value: Any) -> list[Any]:
    return [{"op": "test", "path": path, "value": value}]


def _operations(hidden: str) -> Iterable[Any]:
    values: tuple[Any, ...] = ("secret", 7, None, [1], {})
    for value in values:
        yield _tests(hidden, value)
    for target in ("/title", "/n", "/tags/-", "/part/seen", "/body", "/home/city"):
        yield [{"op": "copy", "from": hidden, "path": target}]
        yield [{"op": "move", "from": hidden, "path": target}]
    yield [{"op": "remove", "path": hidden}]
    yield [{"op": "replace", "path": hidden, "value": "secret"}]
    yield [{"op": "add", "path": f"{hidden}/-", "value": 7}]
