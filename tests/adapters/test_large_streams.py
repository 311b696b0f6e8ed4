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

import pytest

from tests.streaming import ZEROS

ROOT = Path(__file__).parents[2]
SIZE = 2 * 1024**3
GROWTH = 40 * 1024**2
HEAD = b'--xYz\r\nContent-Disposition: form-data; name="film"; filename="a"\r\n\r\n'
END = b"\r\n--xYz--\r\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="memory is read from /proc"
    ),
]


@contextlib.contextmanager
def server(adapter: str) -> Iterator[tuple[int, int]]:
    """The id and port of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.streaming", adapter]
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


def upload(port: int, size: int) -> int:
    """Send so many bytes in a form; gives how many have arrived."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        length = len(HEAD) + size + len(END)
        connection.sendall(
            b"POST /up HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: multipart/form-data; boundary=xYz\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (length, HEAD)
        )
        for _ in range(size // len(ZEROS)):
            connection.sendall(ZEROS)
        connection.sendall(END)
        found = http.client.HTTPResponse(connection)
        found.begin()
        told = json.loads(found.read())
        assert found.status == 200, told
        arrived: int = told[0]["size"]
        return arrived


def download(port: int, size: int) -> int:
    """Ask for so many bytes; gives how many have arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/down?size={size}")
    answer, arrived, buffer = connection.getresponse(), 0, bytearray(1_000_000)
    while count := answer.readinto(buffer):
        arrived += count
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
