"""What an item of the media library is: a person, a medium, a loan, a reservation."""

from typing import Any

from backo import (
    Bool,
    Datetime,
    DeleteStrategy,
    Dict,
    File,
    FileConnector,
    FillStrategy,
    Float,
    Int,
    Item,
    List,
    Ref,
    RefsList,
    StandardMetaDataHandler,
    String,
)
from examples.media_library import rights

__all__ = [
    "CONDITIONS",
    "KINDS",
    "LARGEST_COVER",
    "ROLES",
    "cover",
    "loan",
    "medium",
    "reservation",
    "user",
]

ROLES = [rights.MEMBER, rights.STAFF, rights.ADMIN]
KINDS = ["book", "film", "record"]
CONDITIONS = ["new", "good", "worn", "damaged"]
# Not SVG, which can have scripts in it.
IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"]
LARGEST_COVER = 2 * 1024 * 1024
"""Bytes that a cover may have."""

staff_only: dict[str, Any] = {
    "can_read": rights.is_staff,
    "can_modify": rights.is_staff,
}
admin_only: dict[str, Any] = {
    "can_read": rights.is_admin,
    "can_modify": rights.is_admin,
}
keeper_only: dict[str, Any] = {
    "can_read": rights.is_keeper,
    "can_modify": rights.is_keeper,
}
nobody: dict[str, Any] = {"can_read": False, "can_modify": False}

# Who changed a medium last is who borrowed it last: that is nobody else's business.
made_by = StandardMetaDataHandler(can_read=rights.is_staff)

user = Item(
    {
        "login": String(
            required=True,
            pattern="^[a-z][a-z0-9.-]{1,30}$",
            can_modify=rights.makes_cards,
            description="The name to log in by, which is the id too",
        ),
        "name": String(
            required=True,
            can_modify=rights.is_staff,
            description="The name on the card",
        ),
        "contact": Dict(
            {
                "email": String(
                    pattern="^[^@ ]+@[^@ ]+$", description="Where reminders go"
                ),
                "phone": String(description="With the country's code"),
                "address": Dict(
                    {
                        "street": String(description="Street and number"),
                        "zip": String(pattern="^[0-9]{4,6}$", description="Post code"),
                        "city": String(description="Town"),
                    },
                    description="Where the person lives",
                ),
            },
            can_read=rights.is_himself_or_keeps,
            can_modify=rights.is_himself_or_keeps,
            description="How to reach the person",
        ),
        "newsletter": Bool(
            default=False,
            can_read=rights.is_himself_or_keeps,
            description="Whether the person wants to hear of new media",
        ),
        "roles": List(
            String(enum=ROLES),
            default=[rights.MEMBER],
            uniq=True,
            can_modify=rights.is_admin,
            description="What the person may do here",
        ),
        "suspended": Bool(
            default=False,
            can_read=rights.is_staff,
            can_modify=False,
            description="Whether the person is shut out for now",
        ),
        "notes": List(
            Dict(
                {
                    "text": String(required=True, description="What is to be known"),
                    "by": String(description="The login of who wrote it"),
                    "source": String(description="How it is known", **admin_only),
                }
            ),
            default=[],
            description="What whoever keeps the record has noted",
            **keeper_only,
        ),
        "password_hash": String(description="Argon2, of the password", **nobody),
        "token_epoch": String(description="Tokens of another one have ended", **nobody),
        "loans": RefsList(
            coll="loans",
            field="$.member",
            # In the course of years they are many: they are looked up.
            ofs=FillStrategy.NOT_FILL,
            can_read=rights.is_himself_or_keeps,
            description="All that was ever borrowed",
        ),
        "reservations": RefsList(
            coll="reservations",
            field="$.member",
            ods=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            can_read=rights.is_himself_or_keeps,
            can_modify=False,
            description="What is waited for",
        ),
    },
    meta_data_handler=made_by,
    description="A member of the library, or somebody who works there",
)


def _available(medium: Any) -> int:
    copies = medium.copies.get_value() or []
    return max(0, len(copies) - (medium.lent.get_value() or 0))


def _is_ean(root: Any, value: str, old: Any) -> bool:
    """Whether the last digit is what the others say (ISO/IEC 15420)."""
    digits = [int(one) for one in value]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


medium = Item(
    {
        "title": String(required=True, description="The title"),
        "kind": String(required=True, enum=KINDS, description="What it is"),
        "creators": List(
            Dict(
                {
                    "name": String(required=True, description="The name on the cover"),
                    "role": String(description="Author, director, composer, …"),
                }
            ),
            default=[],
            description="Who made it",
        ),
        "year": Int(min=1400, max=2100, description="Year of the first edition"),
        "language": String(pattern="^[a-z]{2,3}$", description="ISO 639 code"),
        "ean": String(
            pattern="^[0-9]{13}$",
            constraint=_is_ean,
            description="EAN-13: of a book, its ISBN",
        ),
        "subjects": List(
            String(), uniq=True, max=20, default=[], description="Words to find it by"
        ),
        "copies": List(
            Dict(
                {
                    "barcode": String(
                        required=True, pattern="^[0-9]{6}$", description="Its label"
                    ),
                    "shelf": String(description="Where it stands when it is here"),
                    "condition": String(
                        enum=CONDITIONS, description="How it looks", **staff_only
                    ),
                    "bought": Dict(
                        {
                            "on": Datetime(description="When"),
                            "price": Float(min=0.0, description="For how many euros"),
                        },
                        description="Where it comes from",
                        **staff_only,
                    ),
                }
            ),
            default=[],
            description="The copies that the library has",
        ),
        "lent": Int(
            default=0, min=0, can_modify=False, description="How many copies are out"
        ),
        "available": Int(
            set=(_available, ["$.copies", "$.lent"]),
            views=["save"],
            description="How many copies are here",
        ),
        "in_processing": Bool(
            default=False,
            description="Not on the shelves yet: only staff sees it",
            **staff_only,
        ),
        "internal": Dict(
            {
                "shelf_mark": String(description="Where it stands in the stacks"),
                "supplier": Dict(
                    {
                        "name": String(description="Who delivers it"),
                        "discount": Float(
                            min=0.0, max=1.0, description="As agreed", **admin_only
                        ),
                    },
                    description="Where more can be had",
                ),
                "notes": List(
                    Dict(
                        {
                            "text": String(required=True, description="What to know"),
                            "by": String(description="The login of who wrote it"),
                        }
                    ),
                    default=[],
                    description="What colleagues should know",
                ),
            },
            description="What is for staff alone",
            **staff_only,
        ),
        "loans": RefsList(
            coll="loans",
            field="$.medium",
            ofs=FillStrategy.NOT_FILL,
            can_read=rights.is_staff,
            description="Who ever had it",
        ),
        "reservations": RefsList(
            coll="reservations",
            field="$.medium",
            ods=DeleteStrategy.DELETE_REFERENCED_ITEMS,
            can_read=rights.is_staff,
            can_modify=False,
            description="Who waits for it, in turn",
        ),
    },
    meta_data_handler=made_by,
    description="A book, a film or a record",
)


def cover(kept: FileConnector) -> File:
    """The field of a medium's cover.

    :param kept: where covers are kept.
    """
    return File(
        work=kept,
        mime_types=IMAGES,
        max_size=LARGEST_COVER,
        description="What it looks like",
    )


loan = Item(
    {
        "member": Ref(
            coll="users",
            field="$.loans",
            required=True,
            can_modify=False,
            description="Who borrowed it",
        ),
        "medium": Ref(
            coll="media",
            field="$.loans",
            required=True,
            can_modify=False,
            description="What was borrowed",
        ),
        "borrowed": Datetime(can_modify=False, description="When it was taken home"),
        "due": Datetime(
            can_modify=rights.is_staff, description="When it is to be given back"
        ),
        "returned": Datetime(can_modify=False, description="When it was given back"),
        "reminders": List(
            Dict(
                {
                    "on": Datetime(required=True, description="When it was sent"),
                    "text": String(description="What it said"),
                    "by": String(description="The login of who sent it", **staff_only),
                }
            ),
            default=[],
            can_modify=rights.is_staff,
            description="What was sent because it was late",
        ),
        "remark": String(description="For colleagues", **staff_only),
    },
    meta_data_handler=made_by,
    description="That somebody has, or had, a medium at home",
)

reservation = Item(
    {
        "member": Ref(
            coll="users",
            field="$.reservations",
            required=True,
            can_modify=False,
            description="Who waits",
        ),
        "medium": Ref(
            coll="media",
            field="$.reservations",
            required=True,
            can_modify=False,
            description="For what",
        ),
        "made": Datetime(can_modify=False, description="Since when"),
    },
    meta_data_handler=made_by,
    description="That somebody waits for a medium",
)
