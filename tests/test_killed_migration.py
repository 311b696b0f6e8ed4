"""Migrations killed at any moment, by a function that must not be called twice: each
document is migrated once, whatever others wrote in between.

``BACKO_KILLS`` is how often for each sort of store.
"""

import os
import random
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.migrating import STORES, Document, migrate_until_killed
from tests.references.processes import running

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9"),
    pytest.mark.slow,
]

KILLS = int(os.environ.get("BACKO_KILLS", "20"))
COUNT = 60
PATIENCE = 60.0


class Rounds:
    """Migrations of the same documents, one after the other."""

    def __init__(self, sort: str, folder: Path) -> None:
        self.sort, self.folder = sort, folder / "people"
        self.chance = random.Random(sort)  # noqa: S311 - no secret
        self.longest = 0.2
        self.kills = 0
        self.middle = 0
        """Kills after which some documents were migrated and some were not."""
        with closing(STORES[sort](self.folder)) as store:
            for number in range(COUNT):
                store.create({"_id": f"{number:02}", "name": "A", "age": 0})

    def read(self) -> list[Document]:
        with closing(STORES[self.sort](self.folder)) as store:
            return list(store.scan())

    def disturb(self) -> None:
        """Somebody else changes a document, migrated or not."""
        with closing(STORES[self.sort](self.folder)) as store:
            document = store.get_by_id(f"{self.chance.randrange(COUNT):02}")
            text = f"{self.chance.random()}"
            assert store.compare_and_set(
                document["_id"], document, {**document, "name": text}
            )

    def once(self) -> Any:
        """Migrate until it is done, or killed: then None."""
        with running(migrate_until_killed, self.sort, self.folder) as (child, pipe):
            assert pipe.poll(PATIENCE)
            assert pipe.recv() == "ready"
            begun = time.monotonic()
            pipe.send("go")
            if self.kills < KILLS and not pipe.poll(
                self.chance.uniform(0, self.longest)
            ):
                child.kill()
                self.kills += 1
                return None
            assert pipe.poll(PATIENCE)
            report = pipe.recv()
            self.longest = max(time.monotonic() - begun, 0.05)
            return report


@pytest.mark.parametrize("sort", ["sqlite", "yml"])
def test_killed_while_migrating(sort: str, tmp_path: Path) -> None:
    rounds, age = Rounds(sort, tmp_path), 0
    while rounds.kills < KILLS:
        age += 1
        while (report := rounds.once()) is None:
            ages = {document["age"] for document in rounds.read()}
            assert ages <= {age - 1, age}
            rounds.middle += len(ages) == 2
            rounds.disturb()
            if ages == {age} and not (tmp_path / "journal").exists():
                # Killed when all was done but the telling.
                break
        if report is None:
            continue
        assert [document["age"] for document in rounds.read()] == [age] * COUNT
        assert report["changes"]["total"] == COUNT
        assert not list(tmp_path.glob("journal*"))
    assert rounds.middle > KILLS // 10
