"""Files read row by row."""

import io
import json
import tracemalloc

import pytest

from backo import Bool, Bytes, Dict, Float, FreeDict, In, Int, List, String
from backo.collection import Collection
from backo.errors import ValidationError
from backo.exchange.cells import columns_of
from backo.exchange.rows import Format, Row, read_rows
from tests.offices import one

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def things() -> Collection:
    return one(
        {
            "n": Int(),
            "t": String(),
            "d": Dict({"x": Float(), "l": List(Int())}),
            "any": In([Int(), String()]),
            "free": FreeDict(),
            "yes": Bool(),
            "raw": Bytes(),
        },
        item={"meta_data_handler": None},
    )


def rows(
    things: Collection, content: bytes, form: Format, limit: int = 100
) -> list[Row]:
    return list(read_rows(io.BytesIO(content), form, things.plan.root, limit))


def messages(found: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, fault.message) for row in found for fault in row.faults]


# --- JSON lines -------------------------------------------------------------------


def test_a_line_is_an_object_and_blank_lines_are_none(things: Collection) -> None:
    found = rows(things, BOM + b'{"n": 1}\r\n\n  \n{"t": "\xc3\xa9"}', Format.JSONL)
    assert found == [Row(1, {"n": 1}), Row(4, {"t": "é"})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]", "is no JSON object"),
        (b"{", "is no JSON: "),
        (b'{"n": NaN}', "is no JSON: NaN is no JSON value"),
        (b'{"n": 1, "n": 2}', "is no JSON: an object has the same name twice"),
        (b'{"t": "\xff"}', "is not UTF-8"),
        (b"[" * 99, "is no JSON: "),
        (b'{"t": "' + b"x" * 100 + b'"}', "is longer than 100 bytes"),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_its_line(
    things: Collection, line: bytes, message: str
) -> None:
    found = rows(things, b'{"n": 1}\n' + line + b'\n{"n": 3}\n', Format.JSONL)
    assert [row.document for row in found] == [{"n": 1}, {}, {"n": 3}]
    [(at, told)] = messages(found)
    assert at == 2
    assert told.startswith(message)


def test_a_line_nested_too_deeply_is_a_fault(things: Collection) -> None:
    deep = b'{"a":' * 200_000
    found = rows(things, deep + b"\n{}", Format.JSONL, limit=2_000_000)
    assert messages(found) == [(1, "is no JSON: it is nested too deeply")]


@pytest.mark.parametrize("form", Format)
def test_an_endless_line_does_not_fill_the_memory(
    things: Collection, form: Format
) -> None:
    class Endless(io.BytesIO):
        left = 50_000_000

        def readline(self, size: int | None = -1, /) -> bytes:
            wanted = min(size or 0, self.left)
            self.left -= wanted
            return b'"' * wanted if self.left > 49_999_000 else b"x" * wanted

    head = io.BytesIO(b"t\n") if form is Format.CSV else io.BytesIO()

    class WithHead(Endless):
        def readline(self, size: int | None = -1, /) -> bytes:
            return head.readline() or super().readline(size)

    tracemalloc.start()
    found = list(read_rows(WithHead(), form, things.plan.root, 10_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [message for _, message in messages(found)] == ["is longer than 10000 bytes"]
    assert peak < 1_000_000


# --- CSV --------------------------------------------------------------------------


def test_the_columns_are_the_fields_with_dicts_taken_apart(things: Collection) -> None:
    names = [column.name for column in columns_of(things.plan.root)]
    assert names == ["_id", "n", "t", "d.x", "d.l", "any", "free", "yes", "raw"]


def test_cells_are_read_by_the_types_of_their_fields(things: Collection) -> None:
    header = b"_id,n,t,d.x,d.l,any,free,yes,raw\r\n"
    cells = b'a,-1,"x, ""y""\n2",1e3,"[1,2]","""3""","{""k"":null}",true,YQ==\r\n'
    [row] = rows(things, BOM + header + cells, Format.CSV, 200)
    assert row.faults == ()
    assert row.document == {
        "_id": "a",
        "n": -1,
        "t": 'x, "y"\n2',
        "d": {"x": 1000.0, "l": [1, 2]},
        "any": "3",
        "free": {"k": None},
        "yes": True,
        "raw": "YQ==",
    }


def test_an_empty_text_can_be_told_from_an_unset_field(things: Collection) -> None:
    content = b'_id,t\na,\nb,""\nc,""""""\n'
    found = rows(things, content, Format.CSV)
    assert [row.document["t"] for row in found] == [None, None, ""]


@pytest.mark.parametrize("text", ['"', '"a"', "=1+1", "+1", "-1", "@a", "\ta", "\ra"])
def test_a_text_that_would_be_misread_stands_as_json(
    things: Collection, text: str
) -> None:
    column = columns_of(things.plan.root)[2]
    cell = column.cell({"t": text})
    assert cell == json.dumps(text)
    assert column.value(cell) == text


def test_a_row_knows_the_line_where_it_begins(things: Collection) -> None:
    content = b'n,t\n1,"a\nb\nc"\n\n2,d\n'
    found = rows(things, content, Format.CSV)
    assert [(row.line, row.document["n"]) for row in found] == [(2, 1), (6, 2)]


def test_cells_of_a_wrong_type_are_faults_with_their_paths(things: Collection) -> None:
    content = b'n,t,d.x,d.l,yes\nx,"""a",nan,"1,2",yes\n'
    [row] = rows(things, content, Format.CSV)
    assert {fault.path: fault.message.partition(":")[0] for fault in row.faults} == {
        "$.n": "must be an integer",
        "$.t": 'begins with ", so it must be a JSON string',
        "$.d.x": "must be a number",
        "$.d.l": "must be JSON",
        "$.yes": "must be true or false",
    }


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"1", "has 1 cells, and the header 2"),
        (b"1,a,b", "has 3 cells, and the header 2"),
        (b'1,"a"b', "is no CSV: "),
        (b"1,\xff", "is not UTF-8"),
        (b"1,a\rb", "is no CSV: "),
        (b'1,"' + b"a\n" * 100 + b'"', "is longer than 100 bytes"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_fault_of_its_line(
    things: Collection, record: bytes, message: str
) -> None:
    bad, good = rows(things, b"n,t\n" + record + b"\n3,c\n", Format.CSV)
    assert bad.line == 2
    assert bad.faults[0].message.startswith(message)
    assert good == Row(3 + record.count(b"\n"), {"n": 3, "t": "c"}, sparse=True)


def test_a_quote_that_is_not_closed_is_a_fault(things: Collection) -> None:
    found = rows(things, b'n,t\n1,a\n2,"b\n', Format.CSV)
    assert messages(found) == [(3, "is no CSV: unexpected end of data")]


def test_a_field_may_be_longer_than_the_module_allows(things: Collection) -> None:
    content = b"t\n" + b"x" * 200_000 + b"\n"
    [row] = rows(things, content, Format.CSV, limit=300_000)
    assert row.document == {"t": "x" * 200_000}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"", "the first line must name the columns"),
        (b"\xff\xfe_\x00", "the header cannot be read: is not UTF-8"),
        (b"x" * 101, "the header cannot be read: is longer than 100 bytes"),
        (b"_id,nope,n", "there is no column 'nope'; there are _id, n, t, d.x, "),
        (b"_id;n", "there is no column '_id;n'"),
        (b"d", "there is no column 'd'"),
        (b"n,n", "the column n is there twice"),
    ],
)
def test_a_wrong_header_is_told_before_anything_is_read(
    things: Collection, header: bytes, told: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        read_rows(io.BytesIO(header + b"\n1,2,3\n"), Format.CSV, things.plan.root, 100)
    assert raised.value.faults[0].message.startswith(told)
