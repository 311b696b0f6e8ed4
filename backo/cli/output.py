"""Files that a command writes: whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from backo.cli.failures import CommandError

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file, in UTF-8 and with no translation of line ends, that takes the place
    of ``path`` when the context ends well; until then, and when anything is raised,
    ``path`` stays as it was. What is no ordinary file (a pipe, a device) is written to
    directly.

    :raises CommandError: its folder is not there.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    path = path.resolve()
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is no folder.")
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with new.open("x", encoding="utf-8", newline="") as file:
            if path.exists():
                # Before there is anything to be read.
                new.chmod(stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
