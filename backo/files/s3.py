"""Contents in a bucket of S3, or of a store that speaks its protocol."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from backo.errors import DBError, FileError
from backo.files.connector import BUFFER_SIZE, FileConnector, StoredFile, text_of
from backo.files.naming import checked_id, missing

__all__ = ["FileS3Connector"]

PART = 8 * 1024 * 1024
"""Bytes of each part of a large upload, of which there are 10,000 at most."""

_LIMITS = {
    "connect_timeout": 5,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    # Threads that read at once have a connection each.
    "max_pool_connections": 50,
}
# In the thread that asks, with no more of the chunks in memory than it sends.
_TRANSFER = TransferConfig(
    multipart_threshold=PART, multipart_chunksize=PART, use_threads=False
)
_ABSENT = frozenset({"404", "NoSuchKey"})
_AMAZON = ".amazonaws.com"


class FileS3Connector(FileConnector):
    """Keeps contents as objects of a bucket, each at ``prefix/id``.

    :param bucket: its name. It must be there.
    :param prefix: where in the bucket; at its root if nothing is said.
    :param client: an S3 client of boto3. Without one, each process makes its own, with
        bounds on waiting and trying again that ``config=`` overrules.
    :param options: those of ``boto3.client``, as ``endpoint_url``, ``region_name`` and
        ``config``.
    :raises DBError: no client can be made of the options.
    """

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        client: Any = None,
        buffer_size: int = BUFFER_SIZE,
        **options: Any,
    ) -> None:
        super().__init__(buffer_size=buffer_size)
        self.bucket = bucket
        # No id has a slash: contents elsewhere in the bucket are not ours.
        self.prefix = f"{prefix.strip('/')}/".removeprefix("/")
        self._given = client
        self._options = options
        self._made: tuple[int, Any] | None = None
        try:
            address = urlsplit(self._client.meta.endpoint_url)
        except (BotoCoreError, ValueError, TypeError) as error:
            # Its text may have credentials in it.
            problem = f"S3: {type(error).__name__}: the client is not declared"
            raise DBError(f"{problem} as boto3 takes it") from None
        host = address.netloc.rpartition("@")[2]
        # A bucket of Amazon's is the same one by the address of every region.
        host = _AMAZON[1:] if host.endswith(_AMAZON) else host
        self._place = f"s3:{host}/{bucket}/{self.prefix}"

    @property
    def place(self) -> str:
        return self._place

    @property
    def _client(self) -> Any:
        if self._given is not None:
            return self._given
        made = self._made
        if made is None or made[0] != os.getpid():
            # Connections of the parent are not for its forked children.
            made = self._made = (os.getpid(), self._new_client())
        return made[1]

    def _new_client(self) -> Any:
        options = dict(self._options)
        config = Config(**_LIMITS)
        if given := options.pop("config", None):
            config = config.merge(given)
        # A session of its own: boto3's default one is not for several threads.
        session = boto3.session.Session()
        return session.client("s3", config=config, **options)

    # writing

    def write(self, file_id: str, chunks: Iterable[bytes]) -> None:
        """As in the base. What is large is sent in parts of 8 MiB, up to 80 GB, with
        no more than one or two of them in memory."""
        key = self._key(file_id)
        with self._translated():
            self._client.upload_fileobj(
                _Source(chunks), self.bucket, key, Config=_TRANSFER
            )

    def write_chunk(self, file_id: str, chunk: bytes) -> None:
        """Append to the content under this id, which need not be there yet. S3 cannot
        append: the whole content is read and written again."""
        try:
            there = self.read_chunk(file_id)
        except FileError:
            there = iter(())
        self.write(file_id, chain(there, [chunk]))

    def clear(self, file_id: str) -> None:
        self.write(file_id, ())

    def delete(self, file_id: str) -> None:
        with self._translated():
            self._client.delete_object(**self._at(file_id))

    # reading

    def get(
        self, file_id: str, mode: str = "rb", encoding: str | None = None
    ) -> bytes | str:
        return text_of(b"".join(self.read_chunk(file_id)), mode, encoding)

    def has_file(self, file_id: str) -> bool:
        return self._size(file_id) is not None

    def size(self, file_id: str) -> int:
        found = self._size(file_id)
        if found is None:
            raise missing(file_id)
        return found

    def read_chunk(self, file_id: str) -> Iterator[bytes]:
        """The content, piece by piece, to its end even if it is deleted meanwhile."""
        return self._pieces(self._asked(file_id))

    def read_range(self, file_id: str, start: int, stop: int) -> Iterator[bytes]:
        """As in the base, to the end even if the content is deleted meanwhile."""
        start, stop = max(start, 0), min(stop, self.size(file_id))
        if start >= stop:
            return iter(())
        return self._pieces(self._asked(file_id, Range=f"bytes={start}-{stop - 1}"))

    def _size(self, file_id: str) -> int | None:
        with self._translated():
            try:
                return int(
                    self._client.head_object(**self._at(file_id))["ContentLength"]
                )
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
            # The answer to HEAD does not tell a missing bucket from a missing object.
            self._client.head_bucket(Bucket=self.bucket)
        return None

    def _asked(self, file_id: str, **options: str) -> Any:
        with self._translated():
            try:
                return self._client.get_object(**self._at(file_id), **options)["Body"]
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
        raise missing(file_id)

    def _pieces(self, body: Any) -> Iterator[bytes]:
        pieces = self._read(body)
        # Only a generator that has begun does its `finally` when it is not used.
        next(pieces)
        return pieces

    def _read(self, body: Any) -> Iterator[bytes]:
        with closing(body), self._translated():
            yield b""
            yield from body.iter_chunks(self.buffer_size)

    def _key(self, file_id: str) -> str:
        return self.prefix + checked_id(file_id)

    def _at(self, file_id: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._key(file_id)}

    # all of them

    def stored(self) -> Iterator[StoredFile]:
        for each in self._listed("list_objects_v2", "Contents"):
            file_id = self._id_of(each)
            if file_id is not None:
                yield StoredFile(file_id, each["LastModified"], each["Size"])

    def discard_parts(self, before: datetime) -> int:
        """As in the base. S3 does not know which uploads are still going on: those
        that were begun before then are ended, too."""
        done = 0
        for each in self._listed("list_multipart_uploads", "Uploads"):
            if self._id_of(each) is not None and each["Initiated"] < before:
                done += self._aborted(each)
        return done

    def _aborted(self, upload: dict[str, Any]) -> bool:
        with self._translated():
            try:
                self._client.abort_multipart_upload(
                    Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as error:
                if _code(error) not in {"404", "NoSuchUpload"}:
                    raise
                return False
        return True

    def _listed(self, operation: str, what: str) -> Iterator[dict[str, Any]]:
        with self._translated():
            pages = self._client.get_paginator(operation)
            where = {"Bucket": self.bucket, "Prefix": self.prefix, "Delimiter": "/"}
            for page in pages.paginate(**where):
                yield from page.get(what, ())

    def _id_of(self, listed: dict[str, Any]) -> str | None:
        try:
            return checked_id(listed["Key"].removeprefix(self.prefix))
        except FileError:
            return None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """boto3's errors as DBError, without what they quote: addresses and headers may
        have credentials in them."""
        try:
            yield
        except ClientError as error:
            told = f"{error.operation_name}: {_code(error)}"
            raise DBError(f"S3, bucket {self.bucket!r:.80}: {told}") from None
        except BotoCoreError as error:
            told = type(error).__name__
            raise DBError(f"S3, bucket {self.bucket!r:.80}: {told}") from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "no code"))[:100]


class _Source:
    """Chunks, to be read in pieces of other sizes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end; all that are left if none is said."""
        left = sys.maxsize if size < 0 else size
        pieces = []
        while left and self._more():
            pieces.append(self._rest[:left])
            self._rest = self._rest[left:]
            left -= len(pieces[-1])
        return b"".join(pieces)

    def _more(self) -> bool:
        """Whether there are bytes that were not read."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._rest = memoryview(chunk)
        return True
