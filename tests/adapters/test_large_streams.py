"""Two gigabytes in and out, in the memory of none: generated on one side, counted on
the other."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.streaming import ZEROS

ROOT = Path(__file__).parents[2]
SIZE = 2 * 1024**3
GROWTH = 40 * 1024**2
HEAD = b'--xYz\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'
END = b"\r\n--xYz--\r\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="memory is read from /proc"
    ),
]


@contextlib.contextmanager
def server(adapter: str, *folder: str) -> Iterator[tuple[int, int]]:
    """The id and port of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.streaming", adapter, *folder]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.kill()


def most_memory(process: int) -> int:
    """Bytes that the process has had at most."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found
    return int(found.group(1)) * 1024


def sent(port: int, path: str, size: int, status: int) -> Any:
    """What is told of a form with so many bytes in its part ``content``."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        length = len(HEAD) + size + len(END)
        connection.sendall(
            b"POST %b HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: multipart/form-data; boundary=xYz\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (path.encode(), length, HEAD)
        )
        for _ in range(size // len(ZEROS)):
            connection.sendall(ZEROS)
        connection.sendall(END)
        found = http.client.HTTPResponse(connection)
        found.begin()
        told = json.loads(found.read())
        assert found.status == status, told
        return told


def received(port: int, path: str) -> int:
    """How many bytes are there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer, arrived, buffer = connection.getresponse(), 0, bytearray(1_000_000)
    assert answer.status == 200
    while count := answer.readinto(buffer):
        arrived += count
    connection.close()
    return arrived


def upload(port: int, size: int) -> int:
    """Send so many bytes; gives how many have arrived."""
    arrived: int = sent(port, "/up", size, 200)[0]["size"]
    return arrived


def download(port: int, size: int) -> int:
    """Ask for so many bytes; gives how many have arrived."""
    return received(port, f"/down?size={size}")


def keep(port: int, size: int) -> int:
    """Make an item of a file of so many bytes, read it again and delete it; gives how
    many bytes have come back."""
    made = sent(port, "/office/films", size, 201)
    assert made["content"]["size"] == size
    path = f"/office/films/{made['_id']}"
    arrived = received(port, f"{path}/content")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("DELETE", path)
    assert connection.getresponse().status == 204
    connection.close()
    return arrived


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_two_gigabytes_need_no_memory(adapter: str) -> None:
    with server(adapter) as (process, port):
        for move in (upload, download):
            small = len(ZEROS) * 16
            assert move(port, small) == small
            before = most_memory(process)
            assert move(port, SIZE) == SIZE
            assert most_memory(process) - before < GROWTH


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_a_file_of_half_a_gigabyte_needs_no_memory(
    adapter: str, tmp_path: Path
) -> None:
    size = 512 * 1024**2
    with server(adapter, str(tmp_path)) as (process, port):
        small = len(ZEROS) * 16
        assert keep(port, small) == small
        before = most_memory(process)
        assert keep(port, size) == size
        assert most_memory(process) - before < GROWTH
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]
