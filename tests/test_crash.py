"""Processes killed in the middle of a unit of work: it is kept whole, or not at all.

``BACKO_KILLS`` is how often a process is killed for each sort of store.
"""

import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backo.connectors.base import DBConnector, Query
from backo.connectors.sqlite import DBSqliteConnector
from backo.connectors.store import Store
from backo.connectors.yml import DBYmlConnector
from backo.transaction import unit_of_work

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded"),
]

KILLS = int(os.environ.get("BACKO_KILLS", "25"))

type Open = Callable[[], list[DBConnector]]


def yml(path: Path) -> DBConnector:
    return DBYmlConnector(path=path)


def sqlite(path: Path) -> DBConnector:
    return DBSqliteConnector(path=path.with_suffix(".db"))


STORES = {
    "yml": (yml,),
    "sqlite": (sqlite,),
    "yml + sqlite": (yml, sqlite),
    "sqlite + sqlite": (sqlite, sqlite),
    "yml + yml": (yml, yml),
    "yml + yml + sqlite + sqlite": (yml, yml, sqlite, sqlite),
}


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens connectors to the stores, as after a start of the process: the items a and
    b, in the same store or in the first and the last, count together."""
    made: list[DBConnector] = []

    def build() -> list[DBConnector]:
        while made:
            made.pop().close()
        makers = STORES[request.param]
        made.extend(make(tmp_path / str(n)) for n, make in enumerate(makers))
        return list(made)

    for connector in build():
        for _id in "ab":
            connector.create({"_id": _id, "n": 0})
    while made:
        made.pop().close()
    yield build
    while made:
        made.pop().close()


def count(connectors: list[DBConnector]) -> int:
    """One unit: add one to every item, make an item, delete that of the last unit."""
    with unit_of_work(stores=connectors):
        for connector in connectors:
            for _id in "ab":
                read = connector.get_by_id(_id)
                Store(connector).save(_id, {**read, "n": read["n"] + 1})
            n = int(read["n"])
            Store(connector).create({"_id": f"i{n + 1}", "n": n + 1})
            if n:
                Store(connector).delete_by_id(f"i{n}")
    return n + 1


def counted(connectors: list[DBConnector]) -> int:
    """What every item of every store has counted to."""
    seen = [connector.find(Query()) for connector in connectors]
    (n,) = {item["n"] for items in seen for item in items}
    wanted = ["a", "b", f"i{n}"] if n else ["a", "b"]
    assert [[item["_id"] for item in items] for items in seen] == [wanted] * len(seen)
    return int(n)


def leftovers(connectors: list[DBConnector]) -> list[Any]:
    found: list[Any] = []
    for connector in connectors:
        if isinstance(connector, DBYmlConnector):
            found += [p.name for p in connector.path.glob(".*") if p.name != ".lock"]
        if isinstance(connector, DBSqliteConnector):
            sql = "SELECT name FROM sqlite_master WHERE name GLOB 'backo_units_*[a-z]'"
            for (name,) in connector._run(sql):
                if "autoindex" not in name:
                    found += connector._run(f"SELECT * FROM {name}")  # noqa: S608
    return found


def check_tidy(opened: Open) -> None:
    """After a start, and a write to each, nothing is left beside the items."""
    n = counted(opened())
    connectors = opened()
    for connector in connectors:
        connector.save("b", connector.get_by_id("b"))
    for connector in opened():
        connector.bind(connector.plan)
    assert leftovers(opened()) == []
    assert count(opened()) == counted(opened()) == n + 1


# -- at every step -----------------------------------------------------------------

CALLS = {
    "close",
    "execute",
    "executemany",
    "flock",
    "fsync",
    "ftruncate",
    "mkdir",
    "open",
    "rename",
    "replace",
    "unlink",
    "write",
}
"""What a process asks the system or SQLite to do."""


def die_at(k: int) -> None:
    """End the process before or after its k-th call: the odd ones are before."""
    seen = 0

    def watch(frame: object, event: str, called: Any) -> None:
        nonlocal seen
        if event in ("c_call", "c_return") and called.__name__ in CALLS:
            seen += 1
            if seen == k:
                os._exit(9)

    sys.setprofile(watch)


def survives(act: Callable[[], None]) -> bool:
    """Whether a process that does it comes to its end."""
    child = os.fork()
    if not child:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 0


def test_a_process_that_ends_at_any_step(opened: Open) -> None:
    def die() -> None:
        connectors = opened()
        counted(connectors)
        die_at(k)
        count(connectors)

    k, n, undone, ended = 0, 0, 0, False
    stride = 2 * len(opened()) - 1 if KILLS < 200 else 1
    while not ended:
        k += stride
        ended = survives(die)
        now = counted(opened())
        assert now in (n, n + 1), k
        undone += now == n
        n = now
    # Some were cut short before the decision, and some after it.
    assert n > 1
    assert undone > 10
    check_tidy(opened)


def test_a_process_that_ends_while_mending(opened: Open) -> None:
    def cut() -> None:
        connectors = opened()
        counted(connectors)
        die_at(k)
        count(connectors)

    def mend() -> None:
        connectors = opened()
        die_at(mending)
        counted(connectors)

    k = 1
    while not survives(cut):
        k += 15
        counted(opened())
    # Somewhere before the decision, and after it.
    total = k
    for k in (total // 3, total * 2 // 3, total - 20, total - 10):  # noqa: B007
        mending, ended = 0, False
        n = counted(opened())
        while not ended:
            mending += 9 if KILLS < 200 else 1
            survives(cut)
            ended = survives(mend)
            now = counted(opened())
            assert now in (n, n + 1)
            n = now


# -- at any moment -----------------------------------------------------------------


def start(opened: Open) -> tuple[int, int]:
    """A process that counts and tells each count; its id and where it tells."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            connectors = opened()
            while True:
                os.write(tell, b"%d\n" % count(connectors))
        finally:
            os._exit(1)
    os.close(tell)
    return child, told


def wait_for(told: int, seconds: float) -> bytes:
    """What is told, for that long."""
    heard, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([told], [], [], left)[0]:
            more = os.read(told, 65536)
            assert more, "it ended by itself"
            heard += more
    return heard


def kill(child: int, told: int) -> bytes:
    """What is told until the end."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    heard = b""
    while more := os.read(told, 65536):
        heard += more
    os.close(told)
    return heard


def test_processes_killed_at_any_moment(opened: Open) -> None:
    chance = random.Random(5)
    n = 0
    for _ in range(KILLS):
        (one, said), (other, says) = start(opened), start(opened)
        heard = wait_for(said, chance.uniform(0.01, 0.08))
        heard += kill(one, said)
        # The other one lives, and works on what the first has left.
        heard += wait_for(says, chance.uniform(0.005, 0.05)) + kill(other, says)
        last = max(map(int, heard.split()), default=n)
        now = counted(opened())
        assert now >= last >= n or not heard
        n = now
    assert n >= KILLS // 5
    check_tidy(opened)
