"""Processes killed at any moment of a write: nothing is half written, no link is
broken, and what was acknowledged is there.

``BACKO_KILLS`` is how often for each sort of store.
"""

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.references.changes import Change, Shelf, write_until_killed
from tests.references.processes import running

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9"),
    pytest.mark.slow,
]

KILLS = int(os.environ.get("BACKO_KILLS", "20"))
STARTING = 60.0
"""Seconds within which a process must have started."""


def heard(pipe: Connection, seconds: float) -> list[Any]:
    """What is told, for that long or until the end."""
    found = []
    deadline = time.monotonic() + seconds
    try:
        while pipe.poll(max(deadline - time.monotonic(), 0)):
            found.append(pipe.recv())
    except (EOFError, OSError):
        # Killed in the middle of a word.
        pass
    return found


def possible(shelf: Shelf, told: list[Change | None]) -> list[Shelf]:
    """What may be there after these changes: with the last one and without it, if it
    was not acknowledged."""
    states = [shelf]
    for word in told:
        states = [states[-1]] if word is None else [states[0], states[0].after(word)]
    return states


def check_files(folder: Path) -> None:
    """Nothing is half written, and nothing is left beside the items."""
    for path in folder.rglob("*"):
        if path.suffix == ".yml":
            assert "name" in yaml.safe_load(path.read_bytes()), path
        elif path.suffix == ".db":
            check_database(path)
        else:
            assert path.is_dir() or path.name == ".lock" or ".db-" in path.name, path


def check_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = [name for (name,) in connection.execute(sql) if "backo_units" in name]
        for name in names:
            assert connection.execute(f"SELECT * FROM {name}").fetchall() == []  # noqa: S608


@pytest.mark.parametrize("store", ["yml", "sqlite", "mixed"])
def test_killed_while_writing(store: str, tmp_path: Path) -> None:
    chance = random.Random(store)
    states, acknowledged, cut, kept = [Shelf()], 0, 0, 0
    for kill in range(KILLS):
        # Some are killed while they mend what was left to them.
        early = kill % 4 == 3
        with running(write_until_killed, store, tmp_path, kill) as (child, pipe):
            if not pipe.poll(chance.uniform(0, 0.1) if early else STARTING):
                assert early
                continue
            shelf, agreed, wrong = pipe.recv()
            assert shelf in states
            assert agreed
            assert wrong == []
            check_files(tmp_path)
            if len(states) > 1:
                cut += 1
                kept += shelf == states[1]
            pipe.send("go")
            told = heard(pipe, chance.uniform(0, 0.25))
            assert child.is_alive()
            child.kill()
            told += heard(pipe, STARTING)
        acknowledged += told.count(None)
        states = possible(shelf, told)
    assert acknowledged > KILLS // 4
    assert cut > KILLS // 3
