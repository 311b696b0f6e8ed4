"""Clients that ask on while a store fails, and what must hold of their answers."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import requests

__all__ = ["Answer", "Client", "Clients", "eventually", "no_new_threads"]

PATIENCE = 60.0
"""Seconds after which what must come to be has failed."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was answered, and after how many seconds."""

    asked: str
    status: int
    headers: dict[str, str]
    body: Any
    seconds: float

    @property
    def is_fine(self) -> bool:
        """Whether it is done, or refused as what cannot be done for now."""
        later = self.status == 503 and "retry-after" in self.headers
        return 200 <= self.status < 300 or later


class Client:
    """Asks the collection ``books`` at an address, and forgets no answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """``path`` is below the backoffice."""
        began = time.monotonic()
        # No session: a connection that is kept may be closed by the server while it is
        # used, which no server can help.
        found = requests.request(
            method, f"{self.url}/{path}", json=body, timeout=PATIENCE
        )
        answer = Answer(
            f"{method} {path}",
            found.status_code,
            {name.lower(): value for name, value in found.headers.items()},
            found.json() if found.content else None,
            time.monotonic() - began,
        )
        self.answers.append(answer)
        return answer

    def check(self, seconds: float) -> None:
        """Every answer so far was fine, and was there in time."""
        wrong = [one for one in self.answers if not one.is_fine]
        assert not wrong, wrong[:5]
        late = [one for one in self.answers if one.seconds > seconds]
        assert not late, [(one.asked, one.status, one.seconds) for one in late]


class Writer(Client):
    """One that writes books by an author of its own, one request after the other, and
    knows what of it was acknowledged."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url)
        self.number = number
        self.books: dict[str, int] = {}
        """By id, the last ``n`` that was acknowledged."""
        self.deleted: set[str] = set()
        self.author: str | None = None
        self.failure: Exception | None = None

    def run(self, stopped: threading.Event) -> None:
        """Ask until told to stop."""
        try:
            while not stopped.is_set():
                self._round()
        except Exception as error:  # noqa: BLE001 - it is raised by who waits for it
            self.failure = error

    def _round(self) -> None:
        if self.author is None:
            made = self.ask("POST", "authors", {"name": f"author {self.number}"})
            self.author = made.body["_id"] if made.status == 201 else None
            return
        book = {"title": f"by {self.number}", "author": self.author}
        made = self.ask("POST", "books", book)
        if made.status != 201:
            return
        _id = made.body["_id"]
        self.books[_id] = 0
        for n in (1, 2):
            if self.ask("PUT", f"books/{_id}", {"n": n}).status == 200:
                self.books[_id] = n
        self.ask("GET", f"books/{_id}")
        self.ask("GET", f"books?author={self.author}&_page=5")
        if len(self.books) % 4 == 0:
            if self.ask("DELETE", f"books/{_id}").status == 204:
                self.deleted.add(_id)
            # What was not acknowledged may be done or not.
            del self.books[_id]


class Clients:
    """Writers that ask at once while the block runs."""

    def __init__(self, url: str, count: int) -> None:
        self.writers = [Writer(url, number) for number in range(count)]
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=one.run, args=(self._stopped,))
            for one in self.writers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Return when all have their last answer."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(
            one.status for writer in self.writers for one in tuple(writer.answers)
        )

    def wait_for(self, *, done: int = 0, refused: int = 0) -> None:
        """Return when so many more requests were done, and so many answered by 503."""
        before = self.statuses()

        def reached() -> bool:
            found = self.statuses() - before
            fine = sum(number for status, number in found.items() if status < 300)
            return fine >= done and found[503] >= refused

        eventually(reached, lambda: f"{self.statuses() - before}")

    def check(self, seconds: float) -> None:
        """None failed, and every answer was fine and there in time."""
        for writer in self.writers:
            if writer.failure is not None:
                raise writer.failure
            writer.check(seconds)

    def check_what_is_there(self, *, linked: bool) -> None:
        """Everything acknowledged is there; and what is there is whole, if the links
        of a book are ``linked`` in one transaction with it."""
        for writer in self.writers:
            reader = Client(writer.url)
            for _id, n in writer.books.items():
                found = reader.ask("GET", f"books/{_id}")
                assert found.status == 200, found
                assert found.body["n"] >= n
                assert found.body["author"] == writer.author
            for _id in writer.deleted:
                assert reader.ask("GET", f"books/{_id}").status == 404
            if linked and writer.author is not None:
                self._check_links(reader, writer.author)

    def _check_links(self, reader: Client, author: str) -> None:
        found = reader.ask("GET", f"books?author={author}&_page=1000").body
        ids = {one["_id"] for one in found["result"]}
        held = reader.ask("GET", f"authors/{author}").body["books"]
        assert len(held) == len(set(held))
        assert set(held) == ids


def eventually(holds: Callable[[], bool], told: Callable[[], str] = lambda: "") -> None:
    """Return when it holds; ``told`` says what was found when it does not."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, told()
        time.sleep(0.02)


@contextmanager
def no_new_threads() -> Iterator[None]:
    """All threads that begin in the block have ended soon after it."""
    before = set(threading.enumerate())
    yield

    def left() -> set[threading.Thread]:
        return set(threading.enumerate()) - before

    eventually(lambda: not left(), lambda: f"{left()}")
