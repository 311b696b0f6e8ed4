"""Which ids contents may have, and the names of their files."""

import hashlib
import re

from backo.errors import FileError

__all__ = ["checked_id", "file_name", "folders_of", "id_of", "missing"]

_IDS = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NAMES = re.compile(r"([a-z0-9_.-]+)(?:=([0-9a-f]*))?")


def checked_id(file_id: str) -> str:
    """The id, if contents may have it: up to 200 letters, digits, ``_``, ``-`` and
    ``.``, not beginning with ``.``, and no name of a device of Windows.

    :raises FileError: they may not.
    """
    if not _IDS.fullmatch(file_id) or _DEVICES.fullmatch(file_id):
        raise FileError(f"{_shown(file_id)} is no id of a file")
    return file_id


def missing(file_id: str) -> FileError:
    """What is raised where no content has the id."""
    return FileError(f"there is no file with the id {_shown(file_id)}")


def _shown(file_id: str) -> str:
    return ascii(file_id if len(file_id) <= 60 else f"{file_id[:57]}...")


def file_name(file_id: str) -> str:
    """The name of its file, another one for each id where capitals do not count, too:
    in lower case, and after ``=`` which letters are capitals, as bits of a number.

    :raises FileError: contents may not have this id.
    """
    name = checked_id(file_id).lower()
    capitals = sum(1 << at for at, one in enumerate(file_id) if one.isupper())
    # Windows does not see a full stop at the end.
    return f"{name}={capitals:x}" if capitals or name.endswith(".") else name


def id_of(name: str) -> str | None:
    """The id whose file has this name; None where there is none."""
    found = _NAMES.fullmatch(name)
    if found is None:
        return None
    capitals = int(found[2] or "0", 16)
    file_id = "".join(
        one.upper() if capitals >> at & 1 else one for at, one in enumerate(found[1])
    )
    try:
        return file_id if file_name(file_id) == name else None
    except FileError:
        return None


def folders_of(name: str) -> tuple[str, str]:
    """The folder, and the one in it, where the file of this name is."""
    digest = hashlib.blake2b(name.encode("ascii"), digest_size=2).hexdigest()
    return digest[:2], digest[2:]
