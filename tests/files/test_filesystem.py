"""What is true of contents in a folder alone."""

import gc
import os
import random
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backo import DBError, FileError, FileSystemConnector
from backo.files.naming import file_name, folders_of, id_of
from tests.files.writing import content_of, growth, write_on
from tests.references.processes import running

MIB = 1024 * 1024
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def disk(folder: Path) -> FileSystemConnector:
    return FileSystemConnector(path=folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody else, with a file."""
    made = tmp_path / "elsewhere"
    made.mkdir()
    (made / "secret").write_bytes(b"secret")
    return made


def is_untouched(elsewhere: Path) -> bool:
    return {one.name: one.read_bytes() for one in elsewhere.iterdir()} == {
        "secret": b"secret"
    }


def file_of(folder: Path, file_id: str) -> Path:
    name = file_name(file_id)
    return folder.joinpath(*folders_of(name), name)


def files_in(folder: Path) -> set[Path]:
    every = folder.rglob("*")
    return {path for path in every if path.is_symlink() or not path.is_dir()}


# --- Names ------------------------------------------------------------------------

IDS = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}", fullmatch=True)


@given(one=IDS, other=IDS)
def test_an_id_has_a_name_of_its_own_and_back(one: str, other: str) -> None:
    names = []
    for file_id in (one, other):
        try:
            names.append(file_name(file_id))
        except FileError:
            continue
        assert id_of(names[-1]) == file_id
        assert len(names[-1]) <= 255
        assert names[-1] == names[-1].lower()
    assert len({*names}) == len({one, other}) or len(names) < 2


@given(st.text(alphabet="ab.=~01Z-", max_size=12))
def test_a_name_that_is_not_ours_is_that_of_no_id(name: str) -> None:
    file_id = id_of(name)
    assert file_id is None or file_name(file_id) == name


# --- Where they are ---------------------------------------------------------------


def test_contents_are_two_folders_deep(disk: FileSystemConnector, folder: Path) -> None:
    assert not folder.exists()
    disk.write("Cover.png", [b"png"])
    (made,) = files_in(folder)
    assert made == file_of(folder, "Cover.png")
    assert len(made.relative_to(folder).parts) == 3
    assert made.read_bytes() == b"png"


def test_nothing_is_made_by_looking(disk: FileSystemConnector, folder: Path) -> None:
    disk.delete("one")
    assert not disk.has_file("one")
    assert list(disk.stored()) == []
    assert disk.discard_parts(datetime.now(UTC)) == 0
    assert not folder.exists()


def test_the_folder_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disk = FileSystemConnector(path="here")
    assert disk.place == FileSystemConnector(path=tmp_path / "x" / ".." / "here").place
    assert disk.place != FileSystemConnector(path=tmp_path).place
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")
    disk.write("one", [b"x"])
    assert (tmp_path / "here").is_dir()


def test_what_others_put_there_is_not_ours(
    disk: FileSystemConnector, folder: Path
) -> None:
    disk.write("Mine", [b"mine"])
    mine = file_of(folder, "Mine")
    other = file_of(folder, "other")
    other.parent.mkdir(parents=True)
    for path in (
        folder / "mine",
        folder / "zz",
        folder / "README.txt",
        mine.parent / "MINE",
        mine.parent / "x.tmp~",
        mine.parent / ".hidden",
        mine.parent / "other",
        mine.parent.parent / "mine",
    ):
        path.write_bytes(b"of somebody else")
    other.mkdir()
    assert [one.file_id for one in disk.stored()] == ["Mine"]
    assert not disk.has_file("other")
    with pytest.raises(FileError, match="no file"):
        disk.read_chunk("other")


# --- Links ------------------------------------------------------------------------


def test_the_folder_may_be_a_link(tmp_path: Path, folder: Path) -> None:
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    disk = FileSystemConnector(path=link)
    disk.write("one", [b"x"])
    assert file_of(folder, "one").read_bytes() == b"x"
    assert disk.place == FileSystemConnector(path=folder).place


@pytest.mark.parametrize("depth", [1, 2])
def test_a_link_in_the_place_of_a_folder_leads_nowhere(
    disk: FileSystemConnector, folder: Path, elsewhere: Path, depth: int
) -> None:
    file = file_of(folder, "one")
    planted = file.parents[2 - depth]
    planted.parent.mkdir(parents=True)
    target = elsewhere.joinpath(*file.relative_to(planted).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"of somebody else")
    planted.symlink_to(elsewhere)
    for ask in (
        disk.get,
        disk.has_file,
        disk.size,
        disk.read_chunk,
        disk.clear,
        disk.delete,
        lambda file_id: disk.write_chunk(file_id, b"x"),
    ):
        with pytest.raises(DBError, match=str(folder)):
            ask("one")
    assert target.read_bytes() == b"of somebody else"
    assert files_in(folder) == {planted}
    assert list(disk.stored()) == []


def test_a_link_in_the_place_of_a_file_leads_nowhere(
    disk: FileSystemConnector, folder: Path, elsewhere: Path
) -> None:
    file = file_of(folder, "one")
    file.parent.mkdir(parents=True)
    file.symlink_to(elsewhere / "secret")
    assert not disk.has_file("one")
    assert list(disk.stored()) == []
    for read in (disk.get, disk.size, disk.read_chunk):
        with pytest.raises(FileError, match="no file"):
            read("one")
    with pytest.raises(DBError):
        disk.write_chunk("one", b"x")
    disk.write("one", [b"mine"])
    assert disk.get("one") == b"mine"
    assert not file.is_symlink()
    assert is_untouched(elsewhere)


def test_parts_are_written_through_no_link(
    disk: FileSystemConnector, folder: Path, elsewhere: Path
) -> None:
    folder.mkdir()
    (folder / ".parts").symlink_to(elsewhere)
    with pytest.raises(DBError):
        disk.write("one", [b"x"])
    with pytest.raises(DBError):
        disk.discard_parts(datetime.now(UTC))
    assert is_untouched(elsewhere)


def test_nobody_waits_for_a_pipe_in_the_place_of_a_file(
    disk: FileSystemConnector, folder: Path
) -> None:
    file = file_of(folder, "one")
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    with pytest.raises(FileError, match="no file"):
        disk.get("one")
    with pytest.raises(DBError):
        disk.write_chunk("one", b"x")


# --- What the system says ---------------------------------------------------------


def test_a_path_that_is_no_folder_is_a_store_that_failed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    disk = FileSystemConnector(path=tmp_path / "file")
    for ask in (disk.get, disk.has_file, disk.clear, disk.delete):
        with pytest.raises(DBError, match="file"):
            ask("one")
    with pytest.raises(DBError):
        list(disk.stored())


def test_a_disk_that_is_full_leaves_nothing(
    disk: FileSystemConnector, folder: Path
) -> None:
    disk.write("one", [b"before"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        with pytest.raises(DBError, match="too large"):
            disk.write("one", [b"x" * 1000] * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert disk.get("one") == b"before"
    assert files_in(folder) == {file_of(folder, "one")}


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="reads Linux's /proc")
def test_files_are_closed_whatever_becomes_of_a_reader(
    disk: FileSystemConnector,
) -> None:
    disk.write("one", [b"x" * 300_000])
    before = len(list(DESCRIPTORS.iterdir()))
    for reading in range(3):
        for reader in (disk.read_chunk("one"), disk.read_range("one", 5, 200_000)):
            for _ in range(reading):
                next(reader)
        list(disk.read_chunk("one"))
        next(disk.stored())
    del reader
    gc.collect()
    assert len(list(DESCRIPTORS.iterdir())) == before


# --- Parts ------------------------------------------------------------------------


def test_what_is_being_written_is_not_discarded(disk: FileSystemConnector) -> None:
    discarded = []

    def source() -> Iterator[bytes]:
        yield b"a" * 10_000
        later = datetime.now(UTC) + timedelta(days=1)
        discarded.append(FileSystemConnector(path=disk.path).discard_parts(later))
        yield b"b"

    disk.write("one", source())
    assert discarded == [0]
    assert disk.get("one") == b"a" * 10_000 + b"b"


def test_only_old_parts_are_discarded(disk: FileSystemConnector, folder: Path) -> None:
    disk.write("one", [b"x"])
    left = folder / ".parts" / "left"
    left.write_bytes(b"half")
    began = datetime.fromtimestamp(left.stat().st_mtime, UTC)
    assert disk.discard_parts(began - timedelta(seconds=1)) == 0
    assert left.exists()
    assert disk.discard_parts(began + timedelta(seconds=1)) == 1
    assert files_in(folder) == {file_of(folder, "one")}


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_whole_contents_and_parts(
    disk: FileSystemConnector, folder: Path
) -> None:
    torn = 0
    for _ in range(20):
        with running(write_on, folder) as (child, pipe):
            assert pipe.recv() == "ready"
            child.join(random.uniform(0.01, 0.1))
            child.kill()
            child.join()
        stored = {one.file_id: one.size for one in disk.stored()}
        for file_id, size in stored.items():
            content = content_of(file_id)
            assert size == len(content)
            assert disk.get(file_id) == content
        torn += disk.discard_parts(datetime.now(UTC))
        assert files_in(folder) == {file_of(folder, one) for one in stored}
        for file_id in stored:
            disk.delete(file_id)
    assert torn > 0, "none was killed while it wrote"


@pytest.mark.slow
@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="reads Linux's /proc")
def test_the_size_of_a_content_is_none_of_the_memory(folder: Path) -> None:
    assert growth("FileSystemConnector", 200, path=str(folder)) < 8 * MIB
