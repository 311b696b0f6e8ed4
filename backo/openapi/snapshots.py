"""Documents kept in files, so that every change of them is seen and meant."""

import difflib
import json
from pathlib import Path
from typing import Any

__all__ = ["differences", "render", "write"]


def render(document: dict[str, Any]) -> str:
    """The document as JSON that people can read, its keys in the order they have."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def differences(document: dict[str, Any], snapshot: Path) -> str:
    """What has changed since ``snapshot`` was written, as a unified diff; empty when
    nothing has. A snapshot that is not there is an empty one."""
    before = snapshot.read_text("utf-8") if snapshot.exists() else ""
    changes = difflib.unified_diff(
        before.splitlines(keepends=True),
        render(document).splitlines(keepends=True),
        fromfile=snapshot.name,
        tofile="the document as it is now",
    )
    return "".join(changes)


def write(document: dict[str, Any], snapshot: Path) -> None:
    """Make ``snapshot`` what the document is now."""
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.write_text(render(document), "utf-8")
