"""``python -m benchmarks``: backo against a hand-written FastAPI application."""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from benchmarks import handwritten
from benchmarks.asgi import Application, call
from benchmarks.cases import CASES, Case
from benchmarks.catalogue import backoffice, fastapi_app, made_up
from benchmarks.measure import Result, Rival, Time, compare

HEADER = """
| {items:,} items | backo | hand-written | ratio | middle half | ratio by the clock |
|---|---:|---:|---:|---:|---:|"""


def main() -> None:
    """Measure what the command line asks for and print a table for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=50, help="in each round")
    parser.add_argument("--only", help="a part of the operations' names")
    given = parser.parse_args()
    cases = [case for case in CASES if given.only is None or given.only in case.name]
    for items in given.items:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "books.sqlite"
            asyncio.run(_table(path, items, cases, given.rounds, given.requests))


async def _table(
    path: Path, items: int, cases: Iterable[Case], rounds: int, requests: int
) -> None:
    backo, other = _rivals(path, items)
    await _agree(backo, other)
    print(HEADER.format(items=items))
    for case in cases:
        print(_row(await compare(case, backo, other, rounds, requests)), flush=True)


def _row(result: Result) -> str:
    processor = result.ratio(lambda time: time.processor)
    clock = result.ratio(lambda time: time.clock)
    return (
        f"| {result.case.name} | {_median(result.backo)} | {_median(result.other)}"
        f" | {processor.median:.2f} | {processor.low:.2f}–{processor.high:.2f}"
        f" | {clock.median:.2f} |"
    )


def _median(times: list[Time]) -> str:
    return f"{statistics.median(time.processor for time in times) * 1e6:.0f} µs"


def _rivals(path: Path, items: int) -> tuple[Rival, Rival]:
    """Both applications, over tables of one file that hold the same."""
    office = backoffice(path, "backo_books")
    by_hand = handwritten.application(path, "other_books")
    new = (
        office.books.models.create.document(made_up(number)) for number in range(items)
    )
    ids = [office.books.access.insert(document, "client")[0] for document in new]
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO other_books SELECT * FROM backo_books")
        connection.execute("ANALYZE")
    connection.close()
    return _rival(fastapi_app(office), ids), _rival(by_hand, ids)


def _rival(application: Application, ids: list[str]) -> Rival:
    return Rival(partial(call, application), ids)


async def _agree(backo: Rival, other: Rival) -> None:
    """See that both answer each list with the same items."""
    for case in CASES:
        if case.to_backo("").method == "GET" and case.name != "get":
            answers = [
                json.loads((await one.ask(request(""))).body)
                for one, request in ((backo, case.to_backo), (other, case.to_other))
            ]
            found = [[item["_id"] for item in one["result"]] for one in answers]
            if found[0] != found[1] or answers[0]["total"] != answers[1]["total"]:
                raise RuntimeError(f"{case.name}: the two answer differently")


if __name__ == "__main__":
    main()
