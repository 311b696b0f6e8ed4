"""Every way to write refuses every field that may not be written, at any depth; then
nothing at all is written."""

import copy
import dataclasses
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backo import Action, Backoffice, current_user
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.exchange.importing import RowFault, import_items
from backo.exchange.rows import Format
from backo.http.handlers import JSON_PATCH, MERGE_PATCH
from backo.schema.plan import FieldPlan, Kind
from tests.cli.programs import put
from tests.cli.running import backo
from tests.inprocess import ADAPTERS
from tests.rights.calling import Answer, Ask, Asked, calling
from tests.rights.oracle import Verdict
from tests.rights.shapes import (
    ORACLE,
    STORED,
    body,
    fields,
    names,
    new_value,
    schema,
    shapes,
    value_at,
)

type Document = dict[str, Any]
type Write = Callable[["Place"], list[Asked]]
"""The requests that write one field, each in another notation."""


@dataclasses.dataclass(frozen=True)
class Place:
    """One field of one collection."""

    part: str
    field: FieldPlan

    def __str__(self) -> str:
        return f"{self.part}-{self.field.dotted}"

    @property
    def item(self) -> str:
        return f"/{self.part}/1"

    @property
    def stored(self) -> Document:
        return STORED[self.part]

    @property
    def value(self) -> Any:
        """What the field holds in the stored item; None where it is unset."""
        return value_at(self.stored, self.field)


def _places() -> Iterator[Place]:
    office = shapes(lambda _name: DBMemoryConnector())
    for part in STORED:
        for field in fields(office.collection(part).plan):
            yield Place(part, field)


PLACES = list(_places())
ROLES = ("", "staff")


# -- ways to write -----------------------------------------------------------------


def _create(place: Place) -> list[Asked]:
    return [Asked("POST", f"/{place.part}", _body(place))]


def _body(place: Place) -> Document:
    return {"title": "changed", **body(place.field)}


def _put(place: Place) -> list[Asked]:
    return [Asked("PUT", place.item, _body(place))]


def _merge(place: Place) -> list[Asked]:
    return [Asked("PATCH", place.item, _body(place), MERGE_PATCH)]


def _patches(place: Place, *operations: Mapping[str, Any]) -> list[Asked]:
    """These operations after another, with every path as a pointer and as a
    selector."""
    first = {"op": "replace", "path": "$.title", "value": "changed"}
    return [
        Asked(
            "PATCH",
            place.item,
            [_written(one, as_) for one in (first, *operations)],
            media,
        )
        for as_, media in ((_pointer, JSON_PATCH), (_selector, "application/json"))
    ]


def _written(operation: Mapping[str, Any], as_: Callable[[str], str]) -> Document:
    paths = {key: as_(operation[key]) for key in ("path", "from") if key in operation}
    return {**operation, **paths}


def _pointer(path: str) -> str:
    return "/" + "/".join(names(path))


def _selector(path: str) -> str:
    return path.replace("[*]", "[0]")


def _replace(place: Place) -> list[Asked]:
    # In an element, what is unset is not there to be replaced (RFC 6902, section 4.3).
    if place.value is None and "[*]" in place.field.path:
        return []
    path, given = place.field.path, new_value(place.field)
    return _patches(place, {"op": "replace", "path": path, "value": given})


def _add(place: Place) -> list[Asked]:
    path, given = place.field.path, new_value(place.field)
    found = _patches(place, {"op": "add", "path": path, "value": given})
    return _unappended(place, found)


def _unappended(place: Place, found: list[Asked]) -> list[Asked]:
    # A selector that names a List appends to it: what is appended is an element.
    return found if place.field.element is None else found[:1]


def _append(place: Place) -> list[Asked]:
    path, given = place.field.path, new_value(place.field)
    if place.field.element is None:
        return []
    return _patches(place, {"op": "add", "path": path, "value": given[0]})[1:]


def _remove(place: Place) -> list[Asked]:
    if _cannot_go(place):
        return []
    return _patches(place, {"op": "remove", "path": place.field.path})


def _move_away(place: Place) -> list[Asked]:
    if _cannot_go(place) or place.field.dotted == "scratch":
        return []
    away = {"op": "move", "from": place.field.path, "path": "$.scratch.taken"}
    return _patches(place, away)


def _cannot_go(place: Place) -> bool:
    """Whether nothing is there that could be taken away, or it must be there."""
    return place.value is None or place.field.dotted == "title"


def _brought(place: Place, op: str) -> list[Asked]:
    given, here = new_value(place.field), "$.scratch.new"
    fetched = {"op": "add", "path": here, "value": given}
    brought = {"op": op, "from": here, "path": place.field.path}
    return _unappended(place, _patches(place, fetched, brought))


def _copy_in(place: Place) -> list[Asked]:
    return _brought(place, "copy")


def _move_in(place: Place) -> list[Asked]:
    return _brought(place, "move")


def _act(place: Place) -> list[Asked]:
    if place.field.path.startswith(("$._id", "$._meta")):
        return []
    return [Asked("POST", f"/{place.part}/_actions/take/1", _body(place))]


WRITES: Mapping[str, Write] = {
    "create": _create,
    "put": _put,
    "merge": _merge,
    "replace": _replace,
    "add": _add,
    "append": _append,
    "remove": _remove,
    "move_away": _move_away,
    "copy_in": _copy_in,
    "move_in": _move_in,
    "action": _act,
}


# -- what must become of it --------------------------------------------------------

OTHERS: list[Document] = [{"_id": "o1", "name": "a"}, {"_id": "o2", "name": "b"}]


def settle(office: Backoffice, part: str) -> None:
    for name, held in ((part, [STORED[part]]), ("others", OTHERS)):
        store = office.collection(name).db_handler
        store.drop()
        for one in held:
            store.create(copy.deepcopy(one))


def stored(office: Backoffice, part: str) -> list[Document]:
    return list(office.collection(part).db_handler.find(Query()))


def take(action: Any, item: Any) -> None:
    item.title = action.title.get_value()


@pytest.fixture(scope="module", params=ADAPTERS)
def behind(request: pytest.FixtureRequest) -> Iterator[tuple[Backoffice, Ask]]:
    office = shapes(lambda _name: DBMemoryConnector())
    for part in STORED:
        action = Action(schema(part), take)
        office.collection(part).register_action("take", action)
    with calling(request.param, office) as ask:
        yield office, ask


def verdict(place: Place, way: str, role: str) -> Verdict:
    """What must become of the write."""
    item = {"open": False} if way == "create" else place.stored
    found = [ORACLE.write(role, place.field.dotted, item)]
    if way in WHOLE and place.field.kind is Kind.DICT:
        found += _of_what_goes(place, role)
    return max(found, key=lambda one: one.status)


WHOLE = ("replace", "add", "remove", "move_away", "copy_in", "move_in")
"""Ways that put another Dict in the place of the one that is there."""


def _of_what_goes(place: Place, role: str) -> Iterator[Verdict]:
    for one in list(place.field.walk())[1:]:
        seen = ORACLE.may_read(role, one.dotted, place.stored)
        if seen and value_at(place.stored, one) is not None:
            yield ORACLE.write(role, one.dotted, place.stored)


def unseen(place: Place, way: str, role: str) -> bool:
    """Whether what is to go is null to the caller: then it stays what it is."""
    taken = way in ("remove", "move_away")
    return taken and not ORACLE.may_read(role, place.field.dotted, place.stored)


def closed(place: Place, way: str, role: str) -> bool:
    """Whether there is nothing for a patch to take away or replace: what can neither be
    read nor changed is no field to it."""
    taken = way in ("remove", "move_away", "replace")
    known = ORACLE.write(role, place.field.dotted, place.stored).code == "unknown_field"
    return taken and known


def named(answer: Answer, field: FieldPlan) -> bool:
    """Whether some fault names the field, what holds it or what it holds."""
    wanted = _selector(field.path)
    return any(path != "$" and _related(path, wanted) for path in answer.errors)


def _related(path: str, other: str) -> bool:
    return _within(path, other) or _within(other, path)


def _within(path: str, holder: str) -> bool:
    return path == holder or path.startswith((f"{holder}.", f"{holder}["))


@pytest.mark.slow
@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_field(behind: tuple[Backoffice, Ask], place: Place, way: str) -> None:
    office, ask = behind
    for role, asked in itertools.product(ROLES, WRITES[way](place)):
        settle(office, place.part)
        answer = ask(asked, role)
        wrong = what_is_wrong(place, way, role, answer, stored(office, place.part))
        assert not wrong, (wrong, role, asked, answer.status, answer.body)


def what_is_wrong(
    place: Place, way: str, role: str, answer: Answer, after: list[Document]
) -> str | None:
    wanted = verdict(place, way, role)
    if closed(place, way, role) and answer.status == 409:
        return None if after == [place.stored] else "something was written"
    if unseen(place, way, role):
        kept = value_at(after[0], place.field) == place.value
        return None if answer.status < 300 and kept else "is unseen, and must stay"
    if wanted.status < 300:
        done = answer.status < 300 and after != [place.stored]
        return None if done else "may be written"
    if answer.status != wanted.status:
        return f"must be {wanted}"
    if wanted.code not in answer.errors.values() or not named(answer, place.field):
        return f"must name the field: {wanted}"
    return None if after == [place.stored] else "something was written"


def test_the_oracle_knows_every_field() -> None:
    """A right that the oracle does not know would make it say that all may write."""
    told = {path.rpartition(".")[2] for path in ORACLE.fields}
    assert {one.field.name for one in PLACES} - told == OPEN | META


OPEN = {"title", "open", "scratch", "n", "inside", "deep", "rows", "x", "y", "p", "l"}
META = {"ctime", "mtime", "created_by", "modified_by", "login"}


# -- imports -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def office() -> Backoffice:
    return shapes(lambda _name: DBMemoryConnector())


@pytest.mark.parametrize("update", [False, True], ids=["new", "update"])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_import_refuses_what_is_read_only(
    office: Backoffice, place: Place, update: bool
) -> None:
    """Imports are the operator's: they ask for nobody's rights, but what is nobody's to
    write is not theirs either. Their ``_id`` says which item is meant."""
    if place.field.path == "$._id":
        return
    settle(office, place.part)
    row = {**_body(place), **({"_id": "1"} if update else {})}
    found: list[RowFault] = []
    with current_user.acting_as({"_id": "9", "login": "eve", "roles": []}):
        import_items(
            office.collection(place.part),
            io.BytesIO(json.dumps(row).encode()),
            Format.JSONL,
            limit=10_000,
            tell=found.append,
            update=update,
        )
    if ORACLE.read_only(place.field.dotted):
        assert {one.code for one in found} <= {"read_only", "unknown_field"}
        assert any(_related(one.path, _selector(place.field.path)) for one in found)
        assert stored(office, place.part) == [place.stored]
    else:
        assert not found
        assert stored(office, place.part) != [place.stored]


PROGRAM = """
from backo import DBSqliteConnector
from tests.rights.shapes import shapes

office = shapes(lambda name: DBSqliteConnector(path="office.sqlite", table=name))
"""


@pytest.mark.parametrize("part", ["flat", "nested", "fixed"])
def test_the_command_names_each_row_with_what_is_read_only(
    tmp_path: Path, part: str
) -> None:
    put(tmp_path, main=PROGRAM)
    closed = [
        place
        for place in PLACES
        if place.part == part and ORACLE.read_only(place.field.dotted)
    ]
    rows = [_body(place) for place in closed if place.field.path != "$._id"]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    done = backo(
        tmp_path, "import", "main:office", part, "rows.jsonl", "--errors", "e.jsonl"
    )
    assert done.returncode == 1
    faults = map(json.loads, (tmp_path / "e.jsonl").read_text("utf-8").splitlines())
    assert {fault["line"] for fault in faults} == set(range(1, len(rows) + 1))
    assert not backo(tmp_path, "export", "main:office", part).stdout
