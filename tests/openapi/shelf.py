"""A shelf of volumes with files, for the tools."""

from pathlib import Path
from typing import Any

from backo import (
    Action,
    Backoffice,
    Collection,
    DBSqliteConnector,
    Dict,
    File,
    FileSystemConnector,
    Int,
    Item,
    List,
    String,
)

__all__ = ["shelf"]


def shelf(folder: Path) -> Backoffice:
    """One that keeps items and contents in ``folder``."""
    work = FileSystemConnector(path=folder / "files")
    item = {
        "title": String(required=True),
        "cover": File(work=work, mime_types=["image/*", "text/plain"]),
        "pages": List(Dict({"no": Int(), "scan": File(work=work)})),
    }
    store = DBSqliteConnector(path=folder / "volumes.sqlite", table="volumes")
    volumes = Collection("volumes", Item(item), store)

    def shoot(action: Any, volume: Any) -> None:
        volume.cover = action.photo

    photo = File(work=work, required=True)
    volumes.register_action("shoot", Action({"photo": photo}, on_trig=shoot))
    office = Backoffice("shelf")
    office.register_collection(volumes)
    return office
