"""Collections filled from texts and written to texts."""

import io
from typing import Any

from backo.collection import Collection
from backo.exchange.exporting import Export
from backo.exchange.importing import ImportReport, RowFault, import_items
from backo.exchange.rows import Format

__all__ = ["exported", "imported", "stored"]

LIMIT = 1024 * 1024


def imported(
    collection: Collection, text: str | bytes, form: str = "jsonl", **options: Any
) -> tuple[ImportReport, list[RowFault]]:
    """Import the text; gives the report and all faults."""
    content = text.encode() if isinstance(text, str) else text
    faults: list[RowFault] = []
    report = import_items(
        collection,
        io.BytesIO(content),
        Format(form),
        tell=faults.append,
        **({"limit": LIMIT} | options),
    )
    return report, faults


def exported(collection: Collection, form: str = "jsonl", **options: Any) -> str:
    """The text that the collection is exported as."""
    file = io.StringIO(newline="")
    Export(collection, **options).write(file, Format(form))
    return file.getvalue()


def stored(collection: Collection) -> list[dict[str, Any]]:
    """Every stored document."""
    return list(collection.db_handler.scan())
