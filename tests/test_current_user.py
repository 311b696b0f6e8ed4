"""Who is calling: one user for each request, task and thread."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backo import CurrentUser, SAttributeError, String, STypeError, current_user

ANN = {"_id": "1", "login": "ann", "roles": ["A", "B"]}


@pytest.fixture
def outside() -> Iterator[None]:
    """As if no request were there, and the process's user put back afterwards."""
    prototype = current_user._prototype
    yield
    current_user._prototype = prototype
    current_user._process.user = None
    current_user.standalone = False


def test_nobody_is_anonymous() -> None:
    assert current_user.is_anonymous()
    assert current_user.identity() == ("000", "ANONYMOUS")
    assert not current_user.has_role("A")


def test_a_user_is_set_and_logs_out() -> None:
    current_user.set(ANN)
    assert not current_user.is_anonymous()
    assert current_user.login == "ann"
    assert current_user["_id"] == "1"
    assert current_user.has_role("A")
    assert current_user.has_role(["Z", "B"])
    assert not current_user.has_role(["Z"])
    current_user.logout()
    assert current_user.is_anonymous()


def test_setting_a_user_forgets_the_one_before() -> None:
    current_user.set(ANN)
    current_user.set({"_id": "2", "login": "bob"})
    assert not current_user.has_role("A")


def test_a_wrong_user_is_refused_and_nobody_set() -> None:
    with pytest.raises(STypeError):
        current_user.set({"_id": 5})
    assert current_user.is_anonymous()


def test_a_request_begins_anonymous_and_leaves_nothing() -> None:
    current_user.set(ANN)
    with current_user.request():
        assert current_user.is_anonymous()
        current_user.set({"_id": "2", "login": "bob"})
    assert current_user.login == "ann"


def test_changing_an_anonymous_user_changes_nobody_else() -> None:
    current_user.roles.append("ADMIN")
    assert current_user.has_role("ADMIN")
    with current_user.request():
        assert not current_user.has_role("ADMIN")


def test_a_copied_context_shares_the_user_of_its_request() -> None:
    contextvars.copy_context().run(current_user.set, ANN)
    assert current_user.login == "ann"


def test_threads_and_tasks_do_not_see_each_other() -> None:
    def work(number: int) -> bool:
        login = f"user{number}"
        with current_user.request():
            current_user.set({"_id": str(number), "login": login})
            barrier.wait()
            return bool(current_user.login == login)

    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(16)))

    async def task(number: int) -> bool:
        with current_user.request():
            current_user.set({"_id": str(number), "login": str(number)})
            await asyncio.sleep(0)
            return bool(current_user.login == str(number))

    async def tasks() -> list[bool]:
        return await asyncio.gather(*map(task, range(50)))

    assert all(asyncio.run(tasks()))


class Reader(CurrentUser):
    """A user with a card."""

    def __init__(self) -> None:
        super().__init__()
        self.add_to_model("card", String())


def test_a_user_can_be_extended(outside: None) -> None:
    contextvars.Context().run(current_user.reset, Reader())
    with current_user.request():
        current_user.set({**ANN, "card": "c1"})
        assert current_user.card == "c1"
    with current_user.request():
        assert current_user.is_anonymous()
        assert current_user.card == None  # noqa: E711 - a node, not None itself


def test_a_user_can_be_extended_after_it_was_used(outside: None) -> None:
    def start() -> None:
        assert not current_user.has_role("A")
        current_user.set(ANN)
        current_user.reset(Reader())

    contextvars.Context().run(start)
    with current_user.request():
        current_user.set({**ANN, "card": "c1"})
        assert current_user.card == "c1"


def test_a_request_extends_nobody_elses_user(outside: None) -> None:
    with current_user.request():
        current_user.reset(Reader())
        assert current_user.card == None  # noqa: E711 - a node, not None itself
    with current_user.request(), pytest.raises(SAttributeError):
        current_user.set({**ANN, "card": "c1"})


def test_no_request_begins_with_somebody(outside: None) -> None:
    ann = CurrentUser()
    ann.set(ANN)

    def start() -> None:
        current_user.reset(ann)
        assert current_user.login == "ann"

    contextvars.Context().run(start)
    with current_user.request():
        assert current_user.is_anonymous()


def test_a_script_has_one_user_for_the_process(outside: None) -> None:
    current_user.standalone = True
    current_user.set(ANN)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(current_user.identity()))
    thread.start()
    thread.join()
    assert found == [("1", "ann")]
