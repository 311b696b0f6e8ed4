"""A backoffice with rights at every level, and worlds of it that differ in nothing that
a visitor may read.

``visitor`` is nobody in particular; ``staff`` may read all but what nobody may.
"""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from backo import (
    Action,
    Backoffice,
    Bool,
    Collection,
    Dict,
    FillStrategy,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    Selection,
    String,
    current_user,
)
from backo.connectors.base import DBConnector, Document
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.yml import DBYmlConnector
from tests.conformance.declared import FixedClock

__all__ = ["STORES", "Hidden", "hidden", "office", "put", "world"]

type Store = Callable[[str], DBConnector]
type World = Mapping[str, list[Document]]

STORES: Mapping[str, Callable[[Path], Store]] = {
    "memory": lambda _folder: lambda _name: DBMemoryConnector(),
    "sqlite": lambda folder: (
        lambda name: DBSqliteConnector(path=folder / f"{name}.db", synchronous="OFF")
    ),
    "yml": lambda folder: lambda name: DBYmlConnector(path=folder / name),
}


def staff(_right: str, _item: Any) -> bool:
    return current_user.has_role("staff")


def opened(_right: str, item: Any) -> bool:
    """The right is one of some items, whoever asks."""
    return item.open.get_value() is True or current_user.has_role("staff")


def opened_to_critics(_right: str, item: Any) -> bool:
    """Not on p1 and p2, which anybody may read."""
    return item.open.get_value() is False or current_user.has_role("staff")


def rename(action: Any, item: Any) -> None:
    item.title = action.title.get_value()


def _things() -> Item:
    return Item(
        {
            "title": String(required=True),
            "open": Bool(default=False),
            "n": Int(),
            "tags": List(String()),
            "loud": String(set=lambda root: f"{root.title.get_value()}!"),
            "never": String(can_read=False),
            "fixed": Int(can_read=False, can_modify=False),
            "staff": String(can_read=staff),
            "turned": Int(can_read=opened),
            "marks": List(Int(), can_read=opened),
            "twice": Int(
                set=lambda root: 2 * (root.turned.get_value() or 0), can_read=opened
            ),
            "part": Dict(
                {
                    "seen": String(),
                    "pin": Int(can_read=False),
                    "code": String(can_read=staff),
                }
            ),
            "deep": Dict({"a": Dict({"b": Int()}), "l": List(Int())}, can_read=staff),
            "dark": Dict({"a": Dict({"b": Int()})}, can_read=False),
            "rows": List(
                Dict(
                    {
                        "p": String(),
                        "s": String(can_read=staff),
                        "k": Int(can_read=False),
                    }
                )
            ),
            "locked": String(can_read=staff, can_modify=staff),
            "sealed": Int(can_read=opened, can_modify=opened),
            "office_use": String(can_read=staff, views=["!client", "desk"]),
            "paper": Ref(coll="papers", field="$.things"),
            "papers": RefsList(coll="papers"),
            "diary": Ref(coll="diaries"),
            "vault": Ref(coll="vaults"),
            "owner": Ref(coll="people", field="$.owned", can_read=staff),
            "lender": Ref(coll="people", can_read=False),
        },
        meta_data_handler=FixedClock(),
    )


def _papers() -> Item:
    return Item(
        {
            "title": String(),
            "open": Bool(default=False),
            "refused": Bool(default=False, can_read=False),
            "body": String(),
            "secret": String(can_read=False),
            "things": RefsList(coll="things", field="$.paper"),
            "about": Ref(coll="people", field="$.papers"),
            "keeper": Ref(coll="people", field="$.keeps", can_read=staff),
            "critic": Ref(coll="people", field="$.judges", can_read=opened_to_critics),
        },
        meta_data_handler=None,
    )


def _found(back: str) -> RefsList:
    """The papers that point here, of which no ids are kept."""
    return RefsList(coll="papers", field=f"$.{back}", ofs=FillStrategy.NOT_FILL)


def _people() -> Item:
    """No right of theirs looks at the item: they go from store to answer as they
    are."""
    return Item(
        {
            "name": String(required=True),
            "wage": Int(can_read=staff),
            "pay": List(Int(), can_read=staff),
            "key": String(can_read=False),
            "home": Dict({"city": String(), "door": Int(can_read=staff)}),
            "past": Dict({"a": Dict({"b": Int()})}, can_read=staff),
            "notes": List(
                Dict(
                    {
                        "t": String(),
                        "s": String(can_read=staff),
                        "k": Int(can_read=False),
                    }
                )
            ),
            "friend": Ref(coll="people", can_read=staff),
            "owned": RefsList(coll="things", field="$.owner", can_read=staff),
            "papers": _found("about"),
            "keeps": _found("keeper"),
            "judges": _found("critic"),
        },
        meta_data_handler=None,
    )


def _diaries() -> Item:
    return Item({"text": String(), "about": Ref(coll="things")}, meta_data_handler=None)


def _vaults() -> Item:
    return Item({"code": String()}, meta_data_handler=None)


def office(store: Store) -> Backoffice:
    """The backoffice over these stores."""
    made = Backoffice("office")
    rights: Mapping[str, tuple[Item, dict[str, Any]]] = {
        "things": (_things(), {}),
        "papers": (
            _papers(),
            {"can_read": opened, "refuse_filter": lambda: {"refused": True}},
        ),
        "people": (_people(), {}),
        "diaries": (_diaries(), {"can_read": staff}),
        "vaults": (_vaults(), {"can_read": False}),
    }
    for name, (item, options) in rights.items():
        made.register_collection(Collection(name, item, store(name), **options))
    _selections(made)
    _actions(made)
    return made


def _selections(made: Backoffice) -> None:
    things = made.collection("things")
    reached = ["$.paper.title", "$.paper.about.name", "$.papers.title", "$.diary.text"]
    guarded = ["$.staff", "$.turned", "$.marks[0]", "$.part", "$.deep.a.b", "$.rows.s"]
    across = ["$.owner.name", "$.paper.things.turned", "$.twice"]
    things.register_selection("reached", Selection(["$.title", *reached]))
    things.register_selection("guarded", Selection([*guarded, *across]))
    for_staff = Selection(["$.staff", "$.title"], can_read=staff)
    things.register_selection("for_staff", for_staff)
    papers = made.collection("papers")
    papers.register_selection("titles", Selection(["$.title", "$.things.staff"]))
    people = made.collection("people")
    people.register_selection(
        "about",
        Selection(
            [
                "$.papers.title",
                "$.keeps.title",
                "$.judges.title",
                "$.home",
                "$.friend.name",
            ]
        ),
    )


def _actions(made: Backoffice) -> None:
    title = {"title": String(required=True), "by": Ref(coll="papers")}
    guarded = title | {"pin": Int(can_modify=staff)}
    for name in ("things", "papers"):
        collection = made.collection(name)
        collection.register_action("rename", Action(guarded, rename))
        collection.register_action("close", Action({}, _nothing, can_see=opened))
        collection.register_action("lock", Action(title, rename, can_execute=staff))


def _nothing(_action: Any, _item: Any) -> None:
    pass


# -- worlds ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Hidden:
    """All that a visitor may not read."""

    texts: tuple[str | None, ...]
    numbers: tuple[int | None, ...]
    lists: tuple[tuple[int, ...], ...]
    papers: tuple[bool, ...]
    """Which of the papers that no visitor sees are there."""
    diaries: int
    owners: tuple[str | None, ...]

    def text(self, at: int) -> str | None:
        return self.texts[at % len(self.texts)]

    def number(self, at: int) -> int | None:
        return self.numbers[at % len(self.numbers)]

    def list(self, at: int) -> list[int]:
        return list(self.lists[at % len(self.lists)])


def _of(size: int, one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*[one] * size)


hidden = st.builds(
    Hidden,
    _of(7, st.sampled_from([None, "", "secret", "zebra", "Title 1"])),
    _of(5, st.sampled_from([None, 0, 1, 7, 10**12])),
    _of(3, st.sampled_from([(), (1,), (7, 1), (1, 1, 1, 7)])),
    _of(3, st.booleans()),
    st.integers(0, 3),
    _of(3, st.sampled_from([None, "h1", "h2"])),
)
"""Values that the requests ask for, and others."""


def world(of: Hidden, of_nobody: Hidden | None = None) -> World:
    """The documents of every collection.

    :param of_nobody: all that not even staff may read, where that is something else.
    """
    dark = of if of_nobody is None else of_nobody
    return {
        "things": [_thing(at, of, dark) for at in range(5)],
        "papers": _some_papers(of, dark),
        "people": [_person(at, of, dark) for at in (1, 2)],
        "diaries": [
            {"_id": f"d{at}", "text": of.text(at), "about": "t1"}
            for at in range(of.diaries)
        ],
        # Who may point to what nobody reads learns that it is there: it must be.
        "vaults": [{"_id": "v1", "code": dark.text(6)}],
    }


def _thing(at: int, of: Hidden, dark: Hidden) -> Document:
    seen = at % 2 == 0
    known = {
        "turned": at if seen else of.number(at),
        "marks": [at, 7] if seen else of.list(at),
    }
    parts = {
        "part": {"seen": "part", "pin": dark.number(at), "code": of.text(at)},
        "deep": {"a": {"b": of.number(at + 1)}, "l": of.list(at)},
        "dark": {"a": {"b": dark.number(at + 2)}},
        "rows": [
            {"p": f"p{row}", "s": of.text(at + row), "k": dark.number(row)}
            for row in range(at % 3)
        ],
    }
    absent = {} if of.text(at) is None else {"staff": of.text(at)}
    return {
        "_id": f"t{at}",
        "title": f"Title {at % 3}",
        "open": seen,
        "n": at,
        "tags": ["a", "b"][: at % 3],
        "never": dark.text(at + 3),
        "fixed": dark.number(at + 3),
        "locked": of.text(at + 5),
        "sealed": of.number(at + 4) if not seen else at,
        "office_use": of.text(at + 4),
        "paper": ["p1", "p3", "p9", None, "p4"][at],
        "papers": [["p1", "p3"], ["p4", "p5"], [], ["p9"], ["p5"]][at],
        "diary": ["d0", "d2", None, "d9", "d1"][at],
        "vault": "v1",
        "owner": of.owners[at % 3],
        "lender": dark.owners[(at + 1) % 3],
        "_meta": {"ctime": "2024-02-29T12:00:00+00:00"},
        **known,
        **parts,
        **absent,
    }


def _some_papers(of: Hidden, dark: Hidden) -> list[Document]:
    """p1 and p2 anybody may read; p3 and p4 are not open; p5 is refused."""
    found = [
        {"_id": "p1", "open": True, "things": ["t0"], "about": "h1"},
        {"_id": "p2", "open": True, "things": [], "about": "h2"},
        {"_id": "p3", "open": False, "things": ["t1"], "about": of.owners[0]},
        {"_id": "p4", "open": False, "things": ["t4"], "about": of.owners[1]},
        {"_id": "p5", "open": True, "things": [], "about": "h1", "refused": True},
    ]
    there = [True, True, *of.papers[:2], dark.papers[2]]
    return [
        {
            "title": f"Paper {at}" if at < 2 else of.text(at),
            "body": "seen" if at < 2 else of.text(at + 1),
            "secret": dark.text(at + 2),
            "keeper": of.owners[at % 3],
            "critic": of.owners[(at + 1) % 3],
            **one,
        }
        for at, one in enumerate(found)
        if there[at]
    ]


def _person(at: int, of: Hidden, dark: Hidden) -> Document:
    things = [f"t{n}" for n in range(5) if of.owners[n % 3] == f"h{at}"]
    return {
        "_id": f"h{at}",
        "name": f"Person {at}",
        "wage": of.number(at),
        "pay": of.list(at),
        "key": dark.text(at),
        "home": {"city": "Rome", "door": of.number(at + 1)},
        "past": {"a": {"b": of.number(at)}},
        "notes": [
            {"t": f"t{note}", "s": of.text(at + note), "k": dark.number(note)}
            for note in range(at)
        ],
        "friend": of.owners[at],
        "owned": things,
    }


def put(made: Backoffice, documents: World) -> None:
    """Have just these documents in the stores, and the next ids from n1."""
    for name, some in documents.items():
        store = made.collection(name).db_handler
        store.drop()
        for one in some:
            store.create(copy.deepcopy(one))
        numbers = iter(range(1, 1000))
        store.generate_id = lambda _o, numbers=numbers: f"n{next(numbers)}"  # type: ignore[method-assign, misc]
