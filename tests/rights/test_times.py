"""How long an answer takes does not tell what the caller may not read.

Left out, for there it does: a condition that hidden items meet takes longer than one
that nothing meets, where a right looks at the item, for each item that is found is
judged.
"""

import time
from collections.abc import Iterator
from statistics import median

import pytest

from tests.rights.calling import Answer, Ask, Asked, calling
from tests.rights.office import STORES, Hidden, office, put, world

HIDDEN = Hidden(("secret",), (7,), ((7,),), (True,) * 3, 3, ("h1",) * 3)
REPEATED = 30
TRIES = 8
FACTOR = 1.3
"""What a simple test of so few requests takes for noise."""

ITEMS = {
    "judged": ("/papers/p3", "/papers/zz"),
    "refused": ("/papers/p5", "/papers/zz"),
    "of a hidden collection": ("/diaries/d0", "/diaries/zz"),
    "of a collection nobody reads": ("/vaults/v1", "/vaults/zz"),
}
FIELDS = {
    "nobody's": ("/things?never=secret", "/things?zzzzz=secret"),
    "of staff": ("/people?wage=7", "/people?zzzz=7"),
    "of staff, as it is and not": ("/people?wage=7", "/people?wage=8"),
    "of staff, in order": ("/people?_sort=wage", "/people?_sort=zzzz"),
    "of other items": ("/things?owner.name=x", "/things?zzzzz.name=x"),
    "of some items": ("/things?turned=7&open=false", "/things?turned=8&open=false"),
}


@pytest.fixture(scope="module", params=STORES)
def ask(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    made = office(STORES[request.param](tmp_path_factory.mktemp("stores")))
    put(made, world(HIDDEN))
    with calling("flask", made) as asking:
        yield asking


def seconds(ask: Ask, path: str) -> tuple[float, Answer]:
    started = time.perf_counter()
    answer = ask(Asked("GET", path))
    return time.perf_counter() - started, answer


def ratio(ask: Ask, one: str, other: str) -> float:
    """How many times as long the slower of the two takes, asked in turn."""
    taken: dict[str, list[float]] = {one: [], other: []}
    status = ask(Asked("GET", other)).status
    for path in (one, other) * REPEATED:
        took, answer = seconds(ask, path)
        taken[path].append(took)
        assert answer.status == status
    faster, slower = sorted(median(some) for some in taken.values())
    return slower / faster


def alike(ask: Ask, one: str, other: str) -> bool:
    """Whether the two take as long as each other; noise is not there each time."""
    return any(ratio(ask, one, other) <= FACTOR for _ in range(TRIES))


@pytest.mark.parametrize("which", ITEMS)
def test_an_item_that_is_hidden_takes_as_long_as_none(ask: Ask, which: str) -> None:
    assert alike(ask, *ITEMS[which])


@pytest.mark.parametrize("which", FIELDS)
def test_a_field_that_is_hidden_takes_as_long_as_none(ask: Ask, which: str) -> None:
    assert alike(ask, *FIELDS[which])
