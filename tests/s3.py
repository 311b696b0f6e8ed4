"""S3 for the tests: moto's server as a process of its own."""

import contextlib
import dataclasses
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

__all__ = ["OPTIONS", "Bucket", "running_s3", "s3_bucket", "s3_server"]

PATIENCE = 60
"""Seconds after which a server that says nothing fails its test."""

OPTIONS: dict[str, Any] = {
    "aws_access_key_id": "an-access-key",
    "aws_secret_access_key": "a-secret-key",
    "region_name": "us-east-1",
}


@dataclasses.dataclass(frozen=True)
class Bucket:
    """One that is empty, and what boto3 needs to reach it."""

    name: str
    options: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables of the environment, and ``S3_BUCKET``, its name."""
        names = {
            "AWS_ENDPOINT_URL_S3": "endpoint_url",
            "AWS_ACCESS_KEY_ID": "aws_access_key_id",
            "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
            "AWS_DEFAULT_REGION": "region_name",
        }
        said = {name: str(self.options[option]) for name, option in names.items()}
        return {**said, "S3_BUCKET": self.name}


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """The address of a server that ends with the block."""
    log = folder / "output"
    # The port 0 is any that is free.
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _address(process, log)
    finally:
        process.kill()
        process.wait(PATIENCE)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"S3 does not begin:\n{log.read_text()}")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    with running_s3(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def s3_bucket(s3_server: str) -> Bucket:
    """A bucket for this test alone."""
    options = {**OPTIONS, "endpoint_url": s3_server}
    name = f"backo-test-{uuid.uuid4().hex}"
    boto3.session.Session().client("s3", **options).create_bucket(Bucket=name)
    return Bucket(name, options)
