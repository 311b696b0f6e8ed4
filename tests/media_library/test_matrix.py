"""Every caller, operation, item and field of the media library, as its schema has them,
against an oracle that says by hand what must come of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backo.http.handlers import MERGE_PATCH
from backo.http.messages import JSON
from tests.media_library.asking import ADAPTERS, Answer
from tests.media_library.matrix import (
    Cells,
    Library,
    body_of,
    given,
    merged,
    names,
    opened,
    told,
    unmade,
    verdict,
    written,
)
from tests.media_library.oracle import COLLECTIONS, ROLES, rows_of
from tests.media_library.rules import Rules
from tests.media_library.stocked import (
    CONTENTS,
    Stock,
    held,
    password,
    restore,
    stored,
    whole,
)

type Document = dict[str, Any]


@pytest.fixture(scope="module", params=ADAPTERS)
def library(
    request: pytest.FixtureRequest,
    filled: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("matrix") / "data"
    with opened(request.param, filled, folder) as library:
        yield library


@pytest.fixture
def cells() -> Iterator[Cells]:
    """Notes what is wrong, and fails once, with all of it."""
    noted = Cells()
    yield noted
    assert noted.number
    wrong = noted.wrong
    report = "\n".join(wrong)
    assert not wrong, f"{len(wrong)} of {noted.number} cells:\n{report}"


def of_everybody() -> Iterator[tuple[str, str, Rules]]:
    for login in ROLES:
        for name, rules in COLLECTIONS.items():
            yield login, name, rules


# --- The oracle knows all there is ------------------------------------------------


def test_the_oracle_knows_the_schema(library: Library) -> None:
    found = {
        collection.name: (
            {field.dotted for field in collection.plan.every_field},
            set(collection.actions),
            set(collection.selections),
        )
        for collection in library.office.collections.values()
    }
    assert found == {
        name: (set(rules.fields), set(rules.actions), set(rules.selections))
        for name, rules in COLLECTIONS.items()
    }


def test_every_field_is_set_in_some_item(library: Library) -> None:
    for name, rules in COLLECTIONS.items():
        found = {path for _, one in library.items(name) for path in names(told(one))}
        # Loans are looked up, and kept in no list.
        assert found == rules.fields.keys() - {"loans"}


# --- Coming in --------------------------------------------------------------------


def test_who_is_suspended_is_not_even_shown_what_visitors_are(
    library: Library, cells: Cells
) -> None:
    for path, operations in (
        library.answer("ada", "GET", "_openapi").json["paths"].items()
    ):
        where = path.removeprefix("/media_library/")
        where = where.replace("{id}", "emma").replace("{path}", "cover")
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}:
            answer = library.answer("zoe", method.upper(), where)
            cells.same(f"suspended {method} {where}", answer.status, 401)


# --- Reading ----------------------------------------------------------------------


def test_items(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        seen = library.visible(login, name)
        for _id, _one in library.items(name):
            answer = library.answer(login, "GET", f"{name}/{_id}")
            cell = f"{login} GET {name}/{_id}"
            if login == "visitor" and name != "media":
                cells.same(cell, answer.status, 401)
            elif _id not in seen:
                cells.same(cell, answer.status, 404)
            else:
                cells.same(cell, answer.status, 200)
                _same_item(cells, cell, rules, answer.json, seen[_id])


def _same_item(
    cells: Cells, cell: str, rules: Rules, found: Document, wanted: Document
) -> None:
    for path in rules.fields:
        there, expected = path in names(found), path in names(wanted)
        cells.same(f"{cell}: has {path}", there, expected)
    cells.same(cell, told(found), told(wanted))


def test_downloads(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        for _id, one in library.items(name):
            for path in rules.fields:
                cell = f"{login} GET {name}/{_id}/{path}"
                answer = library.answer(login, "GET", f"{name}/{_id}/{path}")
                wanted = 401 if login == "visitor" and name != "media" else 404
                if path in rules.files():
                    wanted = rules.download(login, path, one)
                cells.same(cell, answer.status, wanted)
                if wanted == 200:
                    _same_file(library, cells, cell, answer, one[path])


def _same_file(
    library: Library, cells: Cells, cell: str, answer: Answer, wanted: Document
) -> None:
    content = library.stock[CONTENTS][wanted["file_id"]]["bytes"]
    cells.same(f"{cell}: content", answer.body, content)
    headers = {
        "content-type": wanted["content_type"],
        "content-length": str(wanted["size"]),
        "etag": f'"{wanted["file_id"]}"',
        "content-disposition": f'inline; filename="{wanted["filename"]}"',
        "x-content-type-options": "nosniff",
    }
    for key, value in headers.items():
        found = {name.lower(): one for name, one in answer.headers.items()}.get(key)
        cells.same(f"{cell}: {key}", found, value)


def test_lists(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        cell = f"{login} GET {name}"
        answer = library.answer(login, "GET", f"{name}?_page=100")
        if login == "visitor" and name != "media":
            cells.same(cell, answer.status, 401)
            continue
        seen = library.visible(login, name)
        page = answer.json
        cells.same(f"{cell}: total", page["total"], len(seen))
        rows = {one["_id"]: one for one in page["result"]}
        cells.same(f"{cell}: ids", sorted(rows), sorted(seen))
        for _id in rows.keys() & seen.keys():
            _same_item(cells, f"{cell}: {_id}", rules, rows[_id], seen[_id])


def test_filters_and_sorts(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        if login == "visitor" and name != "media":
            continue
        seen = library.visible(login, name)
        for path in rules.fields:
            sort = library.answer(login, "GET", f"{name}?_sort={path}")
            cell = f"{login} {name} by {path}"
            cells.same(
                f"sort {cell}", sort.status, 200 if rules.sorts(login, path) else 400
            )
            query = f"{name}?{path}.$exists=true&_page=100"
            answer = library.answer(login, "GET", query)
            usable = rules.filters(login, path)
            cells.same(f"filter {cell}", answer.status, 200 if usable else 400)
            if usable and answer.status == 200:
                found = sorted(one["_id"] for one in answer.json["result"])
                having = [_id for _id, one in seen.items() if path in names(given(one))]
                cells.same(f"found {cell}", found, sorted(having))


def test_selections(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        for selection in rules.selections:
            path = f"{name}/_selections/{selection}"
            answers = {
                f"{login} GET {path}": library.answer(
                    login, "GET", f"{path}?_page=100"
                ),
                f"{login} POST {path}": library.answer(
                    login, "POST", f"{path}?_page=100"
                ),
            }
            for cell, answer in answers.items():
                _selected(library, cells, cell, answer)


def _selected(library: Library, cells: Cells, cell: str, answer: Answer) -> None:
    login, method, path = cell.split()
    name, _, selection = path.split("/")
    if login == "visitor" and (method, selection) != ("GET", "on_shelf"):
        cells.same(cell, answer.status, 401)
    elif not COLLECTIONS[name].selections[selection].holds(login, {}):
        cells.same(cell, answer.status, 403)
    elif selection == "_all":
        found = {one["_id"]: told(one) for one in answer.json["result"]}
        cells.same(cell, found, told(library.visible(login, name)))
    else:
        wanted = rows_of(login, selection, library.stock)
        cells.same(cell, sorted(answer.json["result"]), wanted)
        cells.same(f"{cell}: total", answer.json["total"], len(wanted))


def test_documents(library: Library, cells: Cells) -> None:
    everywhere = {f"media_library_get_{one}" for one in ("docs", "meta", "openapi")}
    for login in ROLES:
        document = library.answer(login, "GET", "_openapi").json
        found = {
            operation["operationId"]
            for path in document["paths"].values()
            for operation in path.values()
            if isinstance(operation, dict) and "operationId" in operation
        }
        wanted = {
            f"{name}_{verb}"
            for name, rules in COLLECTIONS.items()
            for verb in rules.operations(login)
        } | everywhere
        for operation in sorted(found | wanted):
            cell = f"{login} _openapi: has {operation}"
            cells.same(cell, operation in found, operation in wanted)


# --- Writing ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_changes(library: Library, cells: Cells, method: str) -> None:
    for login, name, rules in of_everybody():
        seen = library.visible(login, name)
        for _id, one in library.items(name):
            shown = seen.get(_id, {})
            for path, field in rules.fields.items():
                body = body_of({**rules.first, **shown}, path, field.new)
                if method == "PUT":
                    wanted = rules.update(login, path, one)
                else:
                    idle = told(merged(shown, body)) == told(shown)
                    wanted = rules.patch(login, path, one, idle=idle)
                _change(
                    library,
                    cells,
                    f"{login} {method} {name}/{_id} {path}",
                    body,
                    wanted,
                )


def _change(
    library: Library, cells: Cells, cell: str, body: Document, wanted: tuple[int, str]
) -> None:
    login, method, where, _path = cell.split()
    media = MERGE_PATCH if method == "PATCH" else JSON
    answer = library.answer(login, method, where, body, media=media)
    cells.same(cell, verdict(answer), wanted)
    name, _id = where.split("/")
    present = stored(library.office)
    after = library.stock
    if (answer.status, wanted[0]) == (200, 200):
        after = written(library.stock, name, _id, body, present)
    _left(library, cells, cell, answer.status, present, unmade(after))


def _left(
    library: Library,
    cells: Cells,
    cell: str,
    status: int,
    present: Stock,
    after: Stock,
) -> None:
    """See what is stored at present, and undo it."""
    if status >= 400:
        # Not even who wrote last, nor a content that no item has.
        cells.same(f"{cell}: nothing is written", present == library.stock, True)
    elif unmade(present) != after:
        cells.same(f"{cell}: what is written", _difference(unmade(present), after), [])
    if present != library.stock:
        restore(library.office, library.stock)


def _difference(present: Stock, after: Stock) -> list[str]:
    return [
        f"{name}/{_id} {key}: {found.get(key)!r}"
        for name in after
        for _id in after[name].keys() | present[name].keys()
        for one, found in [(after[name].get(_id, {}), present[name].get(_id, {}))]
        for key in one.keys() | found.keys()
        if found.get(key) != one.get(key)
    ]


def test_creation(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        for path, field in rules.fields.items():
            part = body_of(rules.first, path, field.new)
            answer = library.answer(login, "POST", name, {**rules.new, **part})
            cell = f"{login} POST {name} {path}"
            wanted = rules.creation(login, path)
            cells.same(cell, verdict(answer), wanted)
            present = stored(library.office)
            number = sum(map(len, present.values())) - sum(
                map(len, library.stock.values())
            )
            # The item, and the content of its file.
            made = 1 + (path in rules.files()) if wanted[0] == 201 else 0
            cells.same(f"{cell}: items and contents", number, made)
            if present != library.stock:
                restore(library.office, library.stock)


def test_deletion(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        for _id, one in library.items(name):
            answer = library.answer(login, "DELETE", f"{name}/{_id}")
            cell = f"{login} DELETE {name}/{_id}"
            loans = bool(held(library.stock, name, _id))
            wanted = rules.deletion(login, one, held=loans)
            cells.among(cell, answer.status, wanted)
            present = stored(library.office)
            cells.same(f"{cell}: is left", _id in present[name], wanted != (204,))
            cells.same(f"{cell}: contents", whole(present), True)
            restore(library.office, library.stock)


def test_actions(library: Library, cells: Cells) -> None:
    for login, name, rules in of_everybody():
        for action, act in rules.actions.items():
            for _id, one in library.items(name):
                body = dict(act.input)
                if action == "set_password" and login == _id:
                    body["old"] = password(login)
                path = f"{name}/_actions/{action}/{_id}"
                answer = library.answer(login, "POST", path, body)
                cell = f"{login} {path}"
                cells.among(cell, answer.status, rules.action(login, action, one))
                _acted(library, cells, cell, answer.status)


def _acted(library: Library, cells: Cells, cell: str, status: int) -> None:
    written = stored(library.office) != library.stock
    cells.same(f"{cell}: is written", written, status == 200)
    if written:
        restore(library.office, library.stock)
