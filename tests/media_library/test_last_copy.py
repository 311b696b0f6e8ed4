"""Several members at the same moment, over HTTP, at two servers of one library."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.media_library.seed import PASSWORDS
from tests.media_library.serving import address, served

LIBRARY = "/media_library"
ROUNDS = 5


class Caller:
    """Somebody who is logged in at one of the servers."""

    def __init__(self, host: str, login: str) -> None:
        self._host = host
        self._token = ""
        card = {"login": login, "password": PASSWORDS[login]}
        self._token = self.post("/login", card)[1]["token"]

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON, by a connection of its own."""
        connection = http.client.HTTPConnection(self._host, timeout=60)
        bearer = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        headers = {"Content-Type": "application/json", **bearer}
        text = "" if body is None else json.dumps(body)
        connection.request("POST", path, text, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found


@pytest.fixture
def callers(folder: Path) -> Iterator[list[Caller]]:
    """Two who ask FastAPI, and two who ask Flask."""
    with (
        served(folder, "--port", "0") as fastapi,
        served(folder, "--flask", "--port", "0") as flask,
    ):
        hosts = [urlsplit(address(said)).netloc for said in (fastapi, flask)]
        logins = [("mia", 0), ("noah", 0), ("sam", 1), ("ada", 1)]
        yield [Caller(hosts[number], login) for login, number in logins]


def at_once[T](functions: list[Callable[[], T]]) -> list[T]:
    """What they give, all begun at the same moment."""
    ready = threading.Barrier(len(functions))

    def run(function: Callable[[], T]) -> T:
        ready.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def statuses(given: list[tuple[int, Any]]) -> Counter[int]:
    return Counter(status for status, _ in given)


def test_the_last_copy_is_lent_once_and_taken_back_once(callers: list[Caller]) -> None:
    sam = callers[2]
    for _ in range(ROUNDS):
        path = f"{LIBRARY}/media/_actions/borrow/emma"
        given = at_once([partial(caller.post, path) for caller in callers])
        assert statuses(given) == {200: 1, 409: 3}
        loan = next(answer["loan"] for status, answer in given if status == 200)
        path = f"{LIBRARY}/loans/_actions/give_back/{loan}"
        given = at_once([partial(caller.post, path) for caller in callers[2:]])
        # The second finds that it is not out any more.
        assert statuses(given) == {200: 1, 404: 1}
        search = f"{LIBRARY}/media/_selections/_all"
        row = sam.post(search, {"_id": "emma"})[1]["result"][0]
        assert (row["lent"], row["available"]) == (0, 1)


def test_a_member_does_not_get_two_copies_by_asking_twice(
    callers: list[Caller],
) -> None:
    path = f"{LIBRARY}/media/_actions/borrow/abbey-road"
    given = at_once([partial(callers[0].post, path)] * 2)
    assert statuses(given) == {200: 1, 409: 1}
