"""A field that the caller may not read is, to every question, a field that is not
there: the same answer but for the name."""

from collections.abc import Iterator

import pytest

from backo.query.filter import Op
from tests.inprocess import ADAPTERS
from tests.rights.calling import Ask, Asked, calling
from tests.rights.office import STORES, office

NOBODYS = (
    *("never", "fixed", "part.pin", "dark", "dark.a", "dark.a.b", "rows.k", "lender"),
    *("lender.name", "paper.secret", "papers.refused", "paper.things.never"),
    *("vault.code", "vault._id"),
)
"""Fields of things, and of what these point to, that nobody may read."""
STAFFS = (
    *("staff", "part.code", "deep", "deep.a", "deep.a.b", "deep.l", "rows.s"),
    *("office_use", "owner", "owner.name", "owner.wage", "paper.about.wage"),
    *("paper.things.staff", "diary.text", "diary.about.title", "diary._id"),
)
"""Those that staff may read, and nobody else."""


@pytest.fixture(scope="module", params=ADAPTERS)
def ask(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    made = office(STORES["memory"](tmp_path_factory.mktemp("stores")))
    with calling(request.param, made) as asking:
        yield asking


def renamed(path: str) -> str:
    """The path of no field, as long as ``path``."""
    holder, dot, name = path.rpartition(".")
    return f"{holder}{dot}{'z' * len(name)}"


def questions(path: str) -> Iterator[Asked]:
    """All that can be asked about one field."""
    queries = [f"{path}=1", f"$.{path}=1", f"_sort={path}", f"_sort=-$.{path},title"]
    queries += [f"{path}.{op.value}=1" for op in Op]
    queries += [f'filter={{"{path}":%201}}', f"_expand={path}"]
    for query in queries:
        yield Asked("GET", f"/things?{query}")
        yield Asked("GET", f"/things/_selections/reached?{query}")
    for condition in (1, ["$gt", 1], {"$not": 1}, ["$contains", 1]):
        yield Asked("POST", "/things/_selections/_all", {path: condition})
        yield Asked("POST", "/things/_selections/_all", {"$or": [{path: condition}]})
    yield Asked("POST", "/things/_check", {"item": {}, "path": f"$.{path}"})


def as_named(body: bytes, path: str) -> bytes:
    """An answer about the unknown field, as if it were about ``path``."""
    unknown = renamed(path)
    whole = body.replace(unknown.encode(), path.encode())
    name = path.rpartition(".")[2].encode()
    return whole.replace(unknown.rpartition(".")[2].encode(), name)


@pytest.mark.parametrize("path", STAFFS)
def test_what_staff_may_read_is_unknown_to_others(ask: Ask, path: str) -> None:
    for one, other in zip(questions(path), questions(renamed(path)), strict=True):
        answer, unknown = ask(one), ask(other)
        assert answer.status == unknown.status >= 400, one
        assert answer.body == as_named(unknown.body, path), one
    assert ask(Asked("GET", f"/things?{path}.$exists=true"), "staff").status == 200


@pytest.mark.parametrize("path", NOBODYS)
def test_what_nobody_may_read_is_unknown(ask: Ask, path: str) -> None:
    for one, other in zip(questions(path), questions(renamed(path)), strict=True):
        answer, unknown = ask(one), ask(other)
        assert answer.status == unknown.status >= 400, one
        assert answer.body == as_named(unknown.body, path), one
