"""A backoffice with everything in it: every type of field, and names that are hard."""

import re
from typing import Any

from backo import (
    Action,
    Backoffice,
    Bool,
    Bytes,
    Collection,
    Complex,
    Datetime,
    Dict,
    Extend,
    FillStrategy,
    Float,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Ipnetwork,
    Item,
    List,
    Ref,
    RefsList,
    Selection,
    StandardMetaDataHandler,
    String,
    Tuple,
    Url,
)
from backo.connectors.memory import DBMemoryConnector

__all__ = ["kitchen"]


class Hexadecimal(Extend):
    """An integer written in hexadecimal: a type of the user's own."""

    json_schema = {"type": "string", "pattern": "^(?:0|[1-9a-f][0-9a-f]{0,14})$"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(int, **kwargs)

    def __json_encode__(self) -> str | None:
        return None if self._value is None else f"{self._value:x}"

    def __json_decode__(self, value: str) -> int:
        if not re.fullmatch("0|[1-9a-f][0-9a-f]{0,14}", value):
            raise ValueError("no hexadecimal number")
        return int(value, 16)


def _scalars() -> Item:
    return Item(
        {
            "string": String(description="Any text", examples=["salt"]),
            "needed": String(required=True, description="Never left out"),
            "bounded": Int(min=-5, max=5, default=0, description="A small number"),
            "integer": Int(),
            "least": Int(min=1),
            "most": Int(max=10),
            "number": Float(),
            "share": Float(min=0, max=1),
            "flag": Bool(),
            "moment": Datetime(description="When it was cooked"),
            "bytes": Bytes(),
            "address": Ipaddress(),
            "network": Ipnetwork(),
            "url": Url(),
            "complex": Complex(description="A complex number"),
            "anything": FreeDict(description="Any object"),
            "hexadecimal": Hexadecimal(),
            "size": String(enum=["small", "large"]),
            "exact": String(required=True, enum=["yes", "no"], default="no"),
            "grade": Int(enum=[1, 2, 3]),
            "code": String(pattern="^[A-Z]{2}[0-9]+$"),
            "prefix": String(pattern="a+b"),
            "both": String(pattern=["^[a-z]+$", "^.{2,4}$"]),
            "computed": String(set=lambda item: f"{item.needed}!"),
            "kept": Int(set=lambda item: 1, views=["save"]),
            "fresh": String(default=lambda _item: "now"),
            "even": Int(constraint=lambda _root, value, _old: value % 2 == 0),
            "secret": String(can_read=False, description="Written, never shown"),
            "fixed": String(can_modify=False, default="fixed"),
        },
        description="One of each type",
    )


def _composites() -> Item:
    return Item(
        {
            "nested": Dict(
                {
                    "inner": Dict(
                        {"deep": Int(min=0), "text": String(required=True)},
                        description="Deeper",
                    ),
                    "list": List(Int(), max=3),
                },
                description="Deep",
            ),
            "strings": List(String(), description="Texts", min=0, max=5),
            "uniques": List(Int(min=0, max=50), uniq=True),
            "rows": List(
                Dict({"name": String(required=True), "count": Int(default=1)}),
                description="Objects",
            ),
            "matrix": List(List(Float())),
            "choices": List(String(enum=["a", "b"])),
            "moments": List(Datetime()),
            "pair": Tuple((String(), Int())),
            "pairs": List(Tuple((String(), Bool()))),
            "mixed": In([Int(), String(pattern="^x")]),
            "mixtures": List(In([Bool(), String(enum=["on", "off"])])),
            "objects": List(FreeDict()),
            "brief": String(views=["short"], description="Part of the view short"),
            "long": String(views=["!short"], description="Left out of the view short"),
        },
        meta_data_handler=StandardMetaDataHandler(),
    )


def _odd() -> Item:
    names = ["copy", "json", "schema", "model_config", "a b", "é", "filter", "a/b~c"]
    names += [
        "class",
        "a-b",
        "_page",
        "self",
        "id",
        "body",
        "client",
        "a+b",
        "(",
        "%41",
    ]
    return Item(
        {name: String(pattern="^[a-z]*$") for name in names}
        | {"model_fields": Dict({"items": Int(), "$.x"[2:] + " y": Bool()})},
        meta_data_handler=None,
    )


def _cook() -> Item:
    return Item(
        {
            "name": String(required=True, description="What the cook is called"),
            "mentor": Ref(coll="cooks", description="Who taught the cook"),
            "dishes": RefsList(
                coll="dishes", field="$.cook", description="By the cook"
            ),
            "tasted": RefsList(
                coll="dishes", field="$.last.taster", ofs=FillStrategy.NOT_FILL
            ),
            "favourites": List(Ref(coll="dishes"), description="Liked by the cook"),
        },
        meta_data_handler=None,
    )


def _dish() -> Item:
    return Item(
        {
            "title": String(description="What is on the menu", views=["short"]),
            "cook": Ref(coll="cooks", field="$.dishes", views=["short"]),
            "last": Dict(
                {
                    "taster": Ref(coll="cooks", field="$.tasted"),
                    "salt": Ref(coll="scalars"),
                }
            ),
            "steps": List(
                Dict({"after": Ref(coll="dishes"), "text": String(required=True)}),
                description="How it is made",
            ),
            "hidden": Ref(coll="unread", description="Points where nobody reads"),
            "a b/c": Ref(coll="constants", description="Of a hard name"),
        },
        meta_data_handler=None,
    )


def _menu() -> Item:
    return Item(
        {"dish": Ref(coll="dishes", required=True), "wine": Ref(coll="constants")},
        meta_data_handler=None,
    )


def kitchen() -> Backoffice:
    """The backoffice ``kitchen-sink``; its collections hold nothing yet."""
    office = Backoffice(
        "kitchen-sink",
        info={
            "license": {"name": "MIT", "identifier": "MIT"},
            "contact": {"name": "The cook"},
        },
        page_size=5,
        max_page_size=50,
    )
    for collection in (
        Collection("scalars", _scalars(), DBMemoryConnector(), description="Scalars"),
        Collection("composites", _composites(), DBMemoryConnector()),
        Collection("odd-names", _odd(), DBMemoryConnector()),
        Collection("unread", _plain(), DBMemoryConnector(), can_read=False),
        Collection(
            "constants",
            _plain(),
            DBMemoryConnector(),
            can_create=False,
            can_modify=False,
            can_delete=False,
        ),
        Collection("cooks", _cook(), DBMemoryConnector()),
        Collection("dishes", _dish(), DBMemoryConnector()),
        Collection(
            "menus",
            _menu(),
            DBMemoryConnector(),
            can_create=False,
            can_modify=False,
            can_delete=False,
        ),
    ):
        office.register_collection(collection)
    _add_selections(office)
    _add_actions(office)
    return office


def _add_selections(office: Backoffice) -> None:
    office.scalars.register_selection(
        "small",
        Selection(
            ["$.needed", "$.moment", "$.complex", "$.exact", "$.computed", "$.even"],
            filter={"bounded": ("$lt", 3)},
            sort="-$.needed",
            description="The small ones",
        ),
    )
    office.composites.register_selection(
        "parts",
        Selection(
            ["$.nested", "$.nested.inner.deep", "$.strings[0]", "$.strings[1:]"]
            + ["$.rows.count", "$.matrix[0]", "$.pair[1]", "$.mixed", "$.long"]
        ),
    )
    office.cooks.register_selection(
        "work",
        Selection(
            ["$.name", "$.mentor.name", "$.dishes.title", "$.favourites[0].title"]
            + ["$.tasted.cook.name", "$.dishes.steps.text"],
            can_read=lambda _right, _item: True,
        ),
    )
    office.composites.register_selection(
        "some", Selection(filter=lambda: {"strings": ("$size", 1)})
    )


def _add_actions(office: Backoffice) -> None:
    def echo(action: Any, _item: Any) -> Any:
        return action

    def rename(action: Any, item: Any) -> None:
        item.name = action.name

    fields = {
        "needed": String(required=True, description="Never left out"),
        "bounded": Int(min=-5, max=5, default=0),
        "moment": Datetime(),
        "rows": List(Dict({"name": String(required=True)}), max=3),
    }
    given = {"bounded": Int(min=-5, max=5), "rows": List(Dict({"name": String()}))}
    office.scalars.register_action(
        "echo",
        Action(fields, echo, result={**fields, **given}, description="Say it again"),
    )
    office.cooks.register_action(
        "rename",
        Action(
            {"name": String(required=True)}, rename, can_see=lambda _right, _item: True
        ),
    )
    office.cooks.register_action("nothing", Action({}, lambda _action, _item: None))


def _plain() -> Item:
    return Item({"title": String()}, meta_data_handler=None)
