"""The stores of contents that the checks run over."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from backo import (
    FileBlobConnector,
    FileConnector,
    FileError,
    FileS3Connector,
    FileSystemConnector,
)
from tests.s3 import Bucket

BUFFER = 1000


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """What is there already is none of the collector's business: a test that lets go
    of something has it look at what is new."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class SixMethods(FileConnector):
    """What a user writes who knows nothing but the abstract methods."""

    def __init__(self, *, buffer_size: int) -> None:
        super().__init__(buffer_size=buffer_size)
        self.contents: dict[str, bytes] = {}

    def clear(self, file_id: str) -> None:
        self.contents[file_id] = b""

    def delete(self, file_id: str) -> None:
        self.contents.pop(file_id, None)

    def get(
        self, file_id: str, mode: str = "rb", encoding: str | None = None
    ) -> bytes | str:
        content = b"".join(self.read_chunk(file_id))
        return content if "b" in mode else content.decode(encoding or "utf-8")

    def has_file(self, file_id: str) -> bool:
        return file_id in self.contents

    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        if file_id not in self.contents:
            raise FileError(file_id)
        content = self.contents[file_id]
        for at in range(0, len(content), self.buffer_size):
            yield content[at : at + self.buffer_size]

    def write_chunk(self, file_id: str, chunk: bytes) -> None:
        self.contents[file_id] = self.contents.get(file_id, b"") + chunk


OWN = ["folder", "memory", "s3"]


def made(name: str, folder: Path, request: pytest.FixtureRequest) -> FileConnector:
    """The store of this name, empty."""
    if name == "folder":
        return FileSystemConnector(path=folder, buffer_size=BUFFER)
    if name == "memory":
        return FileBlobConnector(buffer_size=BUFFER)
    if name == "six methods":
        return SixMethods(buffer_size=BUFFER)
    bucket: Bucket = request.getfixturevalue("s3_bucket")
    return FileS3Connector(
        bucket=bucket.name, prefix="kept", buffer_size=BUFFER, **bucket.options
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a store on disk keeps its contents: not there yet."""
    return tmp_path / "store"


@pytest.fixture(params=[*OWN, "six methods"])
def store(request: pytest.FixtureRequest, folder: Path) -> FileConnector:
    """Each of the stores, empty."""
    return made(request.param, folder, request)


@pytest.fixture(params=OWN)
def own(request: pytest.FixtureRequest, folder: Path) -> FileConnector:
    """Each of backo's own, empty."""
    return made(request.param, folder, request)
