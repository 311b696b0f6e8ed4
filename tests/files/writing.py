"""What is run in processes of its own: writing without end, and writing much."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import backo
from backo import FileConnector, FileSystemConnector

__all__ = ["content_of", "copy_much", "growth", "write_on"]

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]


def content_of(file_id: str) -> bytes:
    """The content that belongs to an id, which begins with its length in KiB."""
    return (file_id.encode() * 1024)[:1024] * int(file_id.partition("-")[0])


def write_on(path: Path, pipe: Connection) -> None:
    """Write contents one after the other, until the process is killed."""
    store = FileSystemConnector(path=path)
    pipe.send("ready")
    for number in itertools.count():
        size = random.choice([0, 1, 64, 500])
        file_id = f"{size}-{os.getpid()}-{number}"
        content = content_of(file_id)
        store.write(file_id, (content[at : at + 4096] for at in _steps(content)))


def _steps(content: bytes) -> Iterator[int]:
    return iter(range(0, len(content), 4096))


def _much(size: int) -> Iterator[bytes]:
    for number in range(size):
        yield number.to_bytes(4, "big") * (MIB // 4)


def copy_much(store: FileConnector, size: int) -> None:
    """Write and read so many MiB; print how many bytes the process grew."""
    store.write("little", [b"x" * 1000])
    assert store.get("little")
    before = _peak()
    store.write("much", _much(size))
    read = sum(map(len, store.read_chunk("much")))
    part = sum(map(len, store.read_range("much", MIB, (size - 1) * MIB)))
    assert (read, part) == (size * MIB, (size - 2) * MIB)
    json.dump(_peak() - before, sys.stdout)


def _peak() -> int:
    """The most bytes that the process ever had in memory."""
    status: dict[str, Any] = dict(
        line.split(":", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
    )
    return int(status["VmHWM"].split()[0]) * 1024


def growth(kind: str, size: int, **options: Any) -> int:
    """Bytes that a process grows which writes and reads so many MiB in such a store."""
    command = [sys.executable, "-m", "tests.files.writing"]
    done = subprocess.run(
        [*command, kind, json.dumps(options), str(size)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


if __name__ == "__main__":
    kind, options, mib = sys.argv[1:]
    copy_much(getattr(backo, kind)(**json.loads(options)), int(mib))
