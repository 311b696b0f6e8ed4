"""A migration of many documents needs hardly more memory than one of a few."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backo import DBSqliteConnector
from backo.transaction import unit_of_work

resource = pytest.importorskip("resource", reason="tells how much memory was used")

pytestmark = pytest.mark.slow

MANY = 100_000
FEW = 1_000
MIB = 1024 * 1024
SCALE = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of ``ru_maxrss``."""

PROGRAM = """
import json, resource, sys
from backo import Backoffice, Collection, DBSqliteConnector, Int, Item, String

item = Item({"name": String(required=True), "age": Int(min=0), "text": String()})
office = Backoffice("office")
store = DBSqliteConnector(path=sys.argv[1], synchronous="OFF")
office.register_collection(Collection("people", item, store))


def older(document):
    document["age"] += 1


journal = sys.argv[2] or None
report = office.migrate("people", older, dry_run=False, journal=journal)
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([report.changes.total, len(report.changes._ids), used]))
"""


def fill(path: Path, count: int) -> None:
    meta = {"ctime": "2020-01-01T00:00:00+00:00"}
    with closing(DBSqliteConnector(path=path, synchronous="OFF")) as store:
        with unit_of_work():
            for number in range(count):
                document: dict[str, Any] = {"name": "Ann", "age": number, "_meta": meta}
                store.create({**document, "text": f"{number:06} " * 100})


def used_for(path: Path, count: int, journal: str) -> int:
    """The bytes that a process of its own needs at most for so many documents."""
    fill(path, count)
    command = [sys.executable, "-c", PROGRAM, str(path), journal]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    changed, told, used = json.loads(done.stdout)
    assert changed == told == count
    return int(used) * SCALE


@pytest.mark.parametrize("lasting", [False, True])
def test_memory_is_bounded(tmp_path: Path, lasting: bool) -> None:
    journal = str(tmp_path / "journal") if lasting else ""
    few = used_for(tmp_path / "few.sqlite", FEW, journal)
    many = used_for(tmp_path / "many.sqlite", MANY, journal)
    # The documents have 80 MB, as Python objects far more; the ids alone have 10 MB.
    assert many - few < 48 * MIB
    with closing(DBSqliteConnector(path=tmp_path / "many.sqlite")) as store:
        ages = sorted(one["age"] for one in store.scan())
    assert ages == list(range(1, MANY + 1))
