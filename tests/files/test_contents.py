"""What every store of contents does, a user's own with six methods too."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backo import FileBlobConnector, FileConnector, FileError
from backo.files.places import fetched
from backo.schema.file import FilePlan
from tests.files.conftest import BUFFER, SixMethods

MIB = 1024 * 1024
SIZES = [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * MIB]

HOSTILE = [
    "",
    ".",
    "..",
    "../../x",
    "../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:x",
    "x\0",
    "x\n",
    ".parts",
    ".hidden",
    "CON",
    "nul.txt",
    "Lpt1",
    "com7.tar.gz",
    "x y",
    "x=1",
    "é",
    "١",
    "\ud800",
    "😀" * 1024,
    "x" * 201,
]


def of_size(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def cut(content: bytes, size: int = 777) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def whole(chunks: Iterator[bytes]) -> bytes:
    return b"".join(chunks)


# --- Round trips ------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_read(store: FileConnector, size: int) -> None:
    content, file_id = of_size(size), store.generate_id()
    store.write(file_id, cut(content, 64 * 1024 + 1))
    assert store.has_file(file_id)
    assert store.size(file_id) == size
    assert store.get(file_id) == content
    pieces = list(store.read_chunk(file_id))
    assert b"".join(pieces) == content
    assert all(0 < len(one) <= BUFFER for one in pieces)


@pytest.mark.parametrize("size", SIZES)
def test_chunks_are_appended(store: FileConnector, size: int) -> None:
    content = of_size(min(size, 20_000))
    store.clear("one")
    for chunk in cut(content):
        store.write_chunk("one", chunk)
    assert store.get("one") == content
    store.write_chunk("new", b"ab")
    store.write_chunk("new", b"c")
    assert store.get("new") == b"abc"


def test_text_is_read_in_its_encoding(store: FileConnector) -> None:
    store.write("text", ["né".encode()])
    assert store.get("text", "r") == "né"
    assert store.get("text", "r", "latin-1") == "nÃ©"
    assert store.get("text", "rb") == b"n\xc3\xa9"


def test_what_is_no_text_is_not_read_as_such(own: FileConnector) -> None:
    own.write("bytes", [b"\xff"])
    for encoding in (None, "ascii", "no such encoding"):
        with pytest.raises(FileError, match="no text"):
            own.get("bytes", "r", encoding)


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_range_is_a_slice(store: FileConnector, data: st.DataObject) -> None:
    content = of_size(data.draw(st.integers(0, 3 * BUFFER)))
    edges = st.integers(0, 4 * BUFFER) | st.sampled_from([0, BUFFER, 2**70])
    start, stop = data.draw(edges), data.draw(edges)
    store.write("one", cut(content))
    assert whole(store.read_range("one", start, stop)) == content[start:stop]


def test_a_later_content_takes_the_place_of_an_earlier(store: FileConnector) -> None:
    store.write("one", [b"a" * 3000])
    store.write("one", [b"b"])
    assert store.get("one") == b"b"
    store.clear("one")
    assert store.get("one") == b""
    assert store.has_file("one")


def test_a_deleted_content_is_gone_and_may_be_deleted_again(
    store: FileConnector,
) -> None:
    store.write("one", [b"a"])
    store.delete("one")
    store.delete("one")
    store.delete("never")
    assert not store.has_file("one")


def readers(store: FileConnector) -> list[Callable[[str], object]]:
    return [
        store.get,
        store.size,
        lambda file_id: list(store.read_chunk(file_id)),
        lambda file_id: list(store.read_range(file_id, 0, 5)),
        lambda file_id: list(store.read_range(file_id, 5, 0)),
    ]


def test_what_is_not_there_cannot_be_read(store: FileConnector) -> None:
    assert not store.has_file("none")
    for read in readers(store):
        with pytest.raises(FileError, match="none"):
            read("none")


def test_that_there_is_none_is_known_before_reading(own: FileConnector) -> None:
    with pytest.raises(FileError):
        own.read_chunk("none")
    with pytest.raises(FileError):
        own.read_range("none", 0, 1)


def test_ids_that_differ_in_case_are_two(store: FileConnector) -> None:
    ids = ["cover", "Cover", "COVER", "coveR", "cover.", "Cover."]
    for file_id in ids:
        store.write(file_id, [file_id.encode()])
    assert [store.get(one) for one in ids] == [one.encode() for one in ids]
    store.delete("cover")
    assert [store.has_file(one) for one in ids] == [False, *[True] * 5]


# --- Whole or not at all ----------------------------------------------------------


class Broken(Exception):
    """What the chunks raise."""


@pytest.mark.parametrize("error", [Broken, OSError, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [0, 1, 5000, 9 * MIB])
def test_a_broken_source_leaves_nothing(
    store: FileConnector, error: type[BaseException], before: int
) -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * before
        raise error("broken")

    with pytest.raises(error, match="broken"):
        store.write("one", source())
    assert not store.has_file("one")
    if not isinstance(store, SixMethods):
        assert list(store.stored()) == []
        assert store.discard_parts(datetime.now(UTC) + timedelta(days=1)) == 0


def test_a_reader_that_began_before_a_delete_reads_to_the_end(
    own: FileConnector,
) -> None:
    content = of_size(5 * BUFFER)
    own.write("one", [content])
    reader, part = own.read_chunk("one"), own.read_range("one", 1, 4500)
    own.delete("one")
    assert whole(reader) == content
    assert whole(part) == content[1:4500]


def test_what_cannot_be_read_takes_nothing_away(store: FileConnector) -> None:
    """A content has a new id; where one is written again all the same, a source that
    is not there is known before."""

    store.write("one", [b"content"])
    with pytest.raises(FileError):
        store.write("one", store.read_chunk("two"))
    assert store.get("one") == b"content"


def test_many_threads_fetch_one_content_at_once() -> None:
    """Which no store is asked to write twice at once, or to read half written."""
    cold = FileBlobConnector(buffer_size=BUFFER)
    cold.write("one", [b"x" * 100_000])
    plan = FilePlan(work=Slow(buffer_size=BUFFER), storage=cold)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: fetched(plan, "one").get("one"), range(8))
    assert set(found) == {b"x" * 100_000}


class Slow(SixMethods):
    """Takes its time, so that others come in between."""

    def write_chunk(self, file_id: str, chunk: bytes) -> None:
        before = self.contents.get(file_id, b"")
        threading.Event().wait(0.001)
        self.contents[file_id] = before + chunk


def test_many_threads_at_once(store: FileConnector) -> None:
    def work(number: int) -> list[bytes | str]:
        read: list[bytes | str] = []
        for turn in range(10):
            file_id = f"{number}-{turn}"
            store.write(file_id, cut(file_id.encode() * 500))
            read.append(store.get(file_id))
            store.delete(file_id)
        return read

    with ThreadPoolExecutor(8) as pool:
        for number, read in enumerate(pool.map(work, range(8))):
            assert read == [f"{number}-{turn}".encode() * 500 for turn in range(10)]


# --- Hostile ids ------------------------------------------------------------------


def outside(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.parent.rglob("*")
        if path.is_file() and folder not in path.parents
    }


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: ascii(one)[:20])
def test_a_hostile_id_is_refused_and_reaches_nothing(
    own: FileConnector, folder: Path, hostile: str
) -> None:
    own.write("mine", [b"mine"])
    for name in ("x", "b", "mine"):
        (folder.parent / name).write_bytes(b"of somebody else")
    before = outside(folder)
    asking: list[Callable[[str], object]] = [
        *readers(own),
        own.has_file,
        own.clear,
        own.delete,
        lambda file_id: own.write(file_id, [b"x"]),
        lambda file_id: own.write_chunk(file_id, b"x"),
    ]
    for ask in asking:
        with pytest.raises(FileError, match="is no id of a file") as refused:
            ask(hostile)
        assert len(str(refused.value)) < 700
        assert str(refused.value).isprintable()
    assert outside(folder) == before
    assert [one.file_id for one in own.stored()] == ["mine"]


@pytest.mark.parametrize("odd", ["-", "_", "a..b", "a.", "x" * 200, "X" * 200, "a.YML"])
def test_an_odd_id_is_an_id(own: FileConnector, odd: str) -> None:
    own.write(odd, [b"odd"])
    assert own.get(odd) == b"odd"
    assert [one.file_id for one in own.stored()] == [odd]


# --- All of them ------------------------------------------------------------------


def test_all_contents_are_told_with_time_and_size(own: FileConnector) -> None:
    assert list(own.stored()) == []
    soon = timedelta(seconds=2)
    began = datetime.now(UTC)
    for number in range(12):
        own.write(f"File-{number}", [b"x" * number])
    own.delete("File-0")
    found = list(own.stored())
    assert {one.file_id: one.size for one in found} == {
        f"File-{number}": number for number in range(1, 12)
    }
    for one in found:
        assert began - soon < one.modified < datetime.now(UTC) + soon
        assert one.modified.utcoffset() == timedelta(0)


def test_a_store_that_cannot_tell_all_says_so() -> None:
    with pytest.raises(FileError, match="SixMethods cannot tell"):
        list(SixMethods(buffer_size=1).stored())


def test_a_buffer_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer_size"):
        SixMethods(buffer_size=0)
