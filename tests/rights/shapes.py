"""A schema of every shape with every right to modify, twice: as field types, and as
plain data for the oracle."""

from collections.abc import Mapping
from typing import Any

from backo import (
    Backoffice,
    Bool,
    Collection,
    Dict,
    FreeDict,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    String,
    Tuple,
    current_user,
)
from backo.schema.plan import FieldPlan, ItemPlan, Kind
from backo.schema.types import In
from tests.conformance.declared import FixedClock
from tests.rights.office import Store
from tests.rights.oracle import NOBODY, Field, Oracle, either, role, when

__all__ = [
    "ORACLE",
    "STORED",
    "body",
    "fields",
    "names",
    "schema",
    "shapes",
    "new_value",
    "value_at",
]

type Document = dict[str, Any]


def staff(_right: str, _item: Any) -> bool:
    return current_user.has_role("staff")


def opened(_right: str, item: Any) -> bool:
    return item.open.get_value() is True or current_user.has_role("staff")


def _doubled(root: Any) -> int:
    return 2 * (root.n.get_value() or 0)


def _leaves() -> dict[str, Any]:
    """One of each right, to be put anywhere."""
    return {
        "n": Int(),
        "fixed": Int(can_modify=False),
        "staff": Int(can_modify=staff),
        "turned": Int(can_modify=opened),
        "sealed": Int(can_read=False, can_modify=False),
        "closed": Int(can_read=staff, can_modify=staff),
        "blind": Int(can_read=False),
        "shy": Int(can_read=opened),
    }


def _parts() -> dict[str, dict[str, Any]]:
    """The fields, those of a collection of their own apart: large Items are slow."""
    return {
        "flat": {
            **_leaves(),
            "doubled": Int(set=_doubled),
            "kept": Int(set=_doubled, views=["save"]),
        },
        "nested": {"inside": Dict({**_leaves(), "deep": Dict(_leaves())})},
        "listed": {"rows": List(Dict({**_leaves(), "deep": Dict(_leaves())}))},
        "fixed": _inheriting("fixed", False),
        "staff": _inheriting("staff", staff),
        "turned": _inheriting("turned", opened),
    }


def schema(part: str) -> dict[str, Any]:
    """The fields of one collection."""
    return {
        "title": String(required=True),
        "open": Bool(default=False),
        "scratch": FreeDict(),
        **_parts()[part],
    }


def _inheriting(name: str, right: Any) -> dict[str, Any]:
    """Fields of every shape whose right is that of the outermost one."""
    return {
        f"{name}_dict": Dict(
            {"x": Int(), "deep": Dict({"y": Int()})}, can_modify=right
        ),
        f"{name}_rows": List(Dict({"p": Int(), "l": List(Int())}), can_modify=right),
        f"{name}_list": List(Int(), can_modify=right),
        f"{name}_pair": Tuple((Int(), String()), can_modify=right),
        f"{name}_in": In([Int(), String()], can_modify=right),
        f"{name}_free": FreeDict(can_modify=right),
        f"{name}_ref": Ref(coll="others", can_modify=right),
        f"{name}_refs": RefsList(coll="others", can_modify=right),
    }


_STAFF, _OPENED = role("staff"), either(role("staff"), when("open"))
_RIGHTS: Mapping[str, Field] = {
    "fixed": Field(modify=NOBODY),
    "staff": Field(modify=_STAFF),
    "turned": Field(modify=_OPENED),
    "sealed": Field(read=NOBODY, modify=NOBODY),
    "closed": Field(read=_STAFF, modify=_STAFF),
    "blind": Field(read=NOBODY),
    "shy": Field(read=_OPENED),
}
_INHERITED = {"fixed": NOBODY, "staff": _STAFF, "turned": _OPENED}
_SHAPES = ("dict", "rows", "list", "pair", "in", "free", "ref", "refs")
_HOLDERS = ("", "inside.", "inside.deep.", "rows.", "rows.deep.")

ORACLE = Oracle(
    {
        "_id": Field(modify=NOBODY),
        "_meta": Field(modify=NOBODY),
        "doubled": Field(modify=NOBODY),
        "kept": Field(modify=NOBODY),
        **{
            holder + name: right
            for holder in _HOLDERS
            for name, right in _RIGHTS.items()
        },
        **{
            f"{name}_{shape}": Field(modify=right)
            for name, right in _INHERITED.items()
            for shape in _SHAPES
        },
    }
)
"""The rights, said again."""


def _held() -> Document:
    return {name: 1 for name in ("n", *_RIGHTS)}


def _inherited(name: str) -> Document:
    stored: Document = {
        "dict": {"x": 1, "deep": {"y": 1}},
        "rows": [{"p": 1, "l": [1]}],
        "list": [1],
        "pair": [1, "a"],
        "in": 1,
        "free": {"k": 1},
        "ref": "o1",
        "refs": ["o1"],
    }
    return {f"{name}_{shape}": held for shape, held in stored.items()}


_COMMON: Document = {
    "_id": "1",
    "title": "stored",
    "open": False,
    "scratch": {"kept": 1},
    "_meta": {
        "ctime": "2024-02-29T12:00:00+00:00",
        "mtime": "2024-02-29T12:00:00+00:00",
        "created_by": {"_id": "7", "login": "ada"},
        "modified_by": {"_id": "7", "login": "ada"},
    },
}

STORED: Mapping[str, Document] = {
    "flat": {**_COMMON, **_held(), "kept": 2},
    "nested": {**_COMMON, "inside": {**_held(), "deep": _held()}},
    "listed": {**_COMMON, "rows": [{"n": 1, "deep": {"n": 1}}]},
    **{name: {**_COMMON, **_inherited(name)} for name in _INHERITED},
}
"""An item of each collection; none is open."""


def shapes(store: Store) -> Backoffice:
    """A collection of such items for each part, and ``others`` that they point to."""
    office = Backoffice("office")
    for part in _parts():
        item = Item(schema(part), meta_data_handler=FixedClock())
        office.register_collection(Collection(part, item, store(part)))
    other = Item({"name": String()}, meta_data_handler=None)
    office.register_collection(Collection("others", other, store("others")))
    return office


# -- fields and values of them -----------------------------------------------------


def fields(plan: ItemPlan) -> list[FieldPlan]:
    """Every field that has a name, at any depth."""
    return [one for one in plan.every_field if not one.name.startswith("[")]


def names(path: str) -> list[str]:
    """``$.rows[*].p`` as the steps of a JSON Pointer to it in the stored item."""
    return path.removeprefix("$.").replace("[*]", ".0").split(".")


def new_value(field: FieldPlan) -> Any:
    """A valid value that is not the stored one."""
    return _VALUES[field.kind](field)


def _first(field: FieldPlan) -> Document:
    """A Dict of which one field is given: of those that only inherit, any; else that
    which everybody may modify."""
    child = field.field("n") or field.fields[0]
    return {child.name: new_value(child)}


_VALUES: Mapping[Kind, Any] = {
    Kind.INT: lambda _field: 99,
    Kind.STRING: lambda field: "o2" if field.reference else "changed",
    Kind.BOOL: lambda _field: True,
    Kind.DATETIME: lambda _field: "2030-01-01T00:00:00+00:00",
    Kind.FREEDICT: lambda _field: {"k": 99},
    Kind.IN: lambda _field: "changed",
    Kind.TUPLE: lambda field: [new_value(one) for one in field.elements],
    Kind.LIST: lambda field: ["o2"] if field.reference else [new_value(field.held)],
    Kind.DICT: _first,
}


def body(field: FieldPlan) -> Document:
    """A new value of just that field, in what it is in."""
    held: Any = new_value(field)
    for name in reversed(names(field.path)):
        held = [held] if name == "0" else {name: held}
    document: Document = held
    return document


def value_at(document: Document, field: FieldPlan) -> Any:
    """What the document holds there, in the first element of Lists; None where it is
    unset."""
    held: Any = document
    for name in names(field.path):
        if isinstance(held, list):
            held = held[int(name)]
        else:
            held = None if held is None else held.get(name)
    return held
