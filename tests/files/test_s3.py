"""What is true of contents in S3 alone."""

import multiprocessing
import socket
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config

from backo import DBError, FileS3Connector
from backo.files.s3 import _Source
from tests.files.writing import growth
from tests.s3 import OPTIONS, Bucket

MIB = 1024 * 1024
SECRETS = {OPTIONS["aws_access_key_id"], OPTIONS["aws_secret_access_key"], "hidden"}


@pytest.fixture
def store(s3_bucket: Bucket) -> FileS3Connector:
    return FileS3Connector(bucket=s3_bucket.name, prefix="kept", **s3_bucket.options)


@pytest.fixture
def client(s3_bucket: Bucket) -> Any:
    """boto3's own."""
    return boto3.session.Session().client("s3", **s3_bucket.options)


def uploads(client: Any, bucket: Bucket) -> list[str]:
    found = client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", ())
    return [one["Key"] for one in found]


def keys(client: Any, bucket: Bucket) -> list[str]:
    found = client.list_objects_v2(Bucket=bucket.name).get("Contents", ())
    return [one["Key"] for one in found]


def test_what_is_large_is_sent_in_parts(
    store: FileS3Connector, client: Any, s3_bucket: Bucket
) -> None:
    seen = []

    def source() -> Iterator[bytes]:
        for number in range(20):
            yield bytes([number]) * MIB
            seen.append(len(uploads(client, s3_bucket)))

    store.write("large", source())
    assert seen == [0] * 7 + [1] * 13
    assert uploads(client, s3_bucket) == []
    assert store.size("large") == 20 * MIB
    range_ = store.read_range("large", 3 * MIB - 1, 3 * MIB + 1)
    assert b"".join(range_) == b"\2\3"


def test_contents_are_below_the_prefix(client: Any, s3_bucket: Bucket) -> None:
    stores = [
        FileS3Connector(bucket=s3_bucket.name, prefix=prefix, **s3_bucket.options)
        for prefix in ("", "a", "/a/b/")
    ]
    for number, store in enumerate(stores):
        store.write("one", [b"x" * number])
    client.put_object(Bucket=s3_bucket.name, Key="a/not ours", Body=b"")
    assert keys(client, s3_bucket) == ["a/b/one", "a/not ours", "a/one", "one"]
    assert [[one.size for one in store.stored()] for store in stores] == [[0], [1], [2]]
    assert len({store.place for store in stores}) == 3
    same = FileS3Connector(bucket=s3_bucket.name, prefix="a/", client=client)
    assert same.place == stores[1].place


def test_a_bucket_of_amazon_is_one_by_the_address_of_every_region() -> None:
    keys: dict[str, Any] = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    regions = ("us-east-1", "eu-west-1")
    stores = [FileS3Connector(bucket="b", region_name=one, **keys) for one in regions]
    assert {one.place for one in stores} == {"s3:amazonaws.com/b/"}
    other = "https://amazonaws.com.example.org"
    stores = [FileS3Connector(bucket="b", endpoint_url=other, **keys)]
    assert stores[0].place == "s3:amazonaws.com.example.org/b/"


def test_what_is_deeper_in_the_bucket_is_not_listed(
    client: Any, s3_bucket: Bucket
) -> None:
    asked: list[Any] = []

    def note(params: dict[str, Any], **_: object) -> None:
        asked.append(params)

    client.meta.events.register("provide-client-params.s3.*", note)
    store = FileS3Connector(bucket=s3_bucket.name, client=client)
    assert list(store.stored()) == []
    assert store.discard_parts(datetime.now(UTC)) == 0
    assert [one.get("Delimiter") for one in asked] == ["/", "/"]


def test_a_chunk_is_not_copied_again_for_each_part() -> None:
    source = _Source([bytes(64 * MIB), b"end"])
    tracemalloc.start()
    try:
        sizes = [len(source.read(8 * MIB)) for _ in range(9)]
        copied = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [8 * MIB] * 8 + [3]
    assert source.read(1) == b""
    assert copied < 20 * MIB


def test_uploads_that_were_cut_short_are_ended(
    store: FileS3Connector, client: Any, s3_bucket: Bucket
) -> None:
    for key in ("kept/one", "kept/two", "other/one", "kept/one/more"):
        client.create_multipart_upload(Bucket=s3_bucket.name, Key=key)
    # moto says of every upload that it began on 10 November 2010.
    assert store.discard_parts(datetime(2010, 11, 10, tzinfo=UTC)) == 0
    assert len(uploads(client, s3_bucket)) == 4
    assert store.discard_parts(datetime(2010, 11, 11, tzinfo=UTC)) == 2
    assert set(uploads(client, s3_bucket)) == {"other/one", "kept/one/more"}


def test_there_may_be_more_contents_than_one_page_has(
    client: Any, s3_bucket: Bucket
) -> None:
    def of_three(params: dict[str, Any], **_: object) -> dict[str, Any]:
        return {**params, "MaxKeys": 3}

    client.meta.events.register("provide-client-params.s3.ListObjectsV2", of_three)
    store = FileS3Connector(bucket=s3_bucket.name, client=client)
    for number in range(10):
        store.clear(str(number))
    assert {one.file_id for one in store.stored()} == set("0123456789")


# --- What fails -------------------------------------------------------------------


def asking(store: FileS3Connector) -> list[Callable[[], object]]:
    return [
        lambda: store.get("one"),
        lambda: store.has_file("one"),
        lambda: store.size("one"),
        lambda: store.delete("one"),
        lambda: store.clear("one"),
        lambda: store.write("one", [b"x" * MIB] * 9),
        lambda: store.write_chunk("one", b"x"),
        lambda: store.read_chunk("one"),
        lambda: store.read_range("one", 0, 1),
        lambda: list(store.stored()),
        lambda: store.discard_parts(datetime.now(UTC)),
    ]


def test_a_bucket_that_is_not_there_is_a_store_that_failed(s3_bucket: Bucket) -> None:
    for ask in asking(FileS3Connector(bucket="nowhere", **s3_bucket.options)):
        with pytest.raises(DBError, match="bucket 'nowhere'"):
            ask()


def test_no_error_tells_credentials(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as bound:
        # Bound and not listening: nobody answers there.
        bound.bind(("127.0.0.1", 0))
        address = f"http://hidden:hidden@127.0.0.1:{bound.getsockname()[1]}"
        config = Config(retries={"total_max_attempts": 1})
        store = FileS3Connector(
            bucket="shop", endpoint_url=address, config=config, **OPTIONS
        )
        for ask in asking(store):
            with pytest.raises(DBError, match="S3, bucket 'shop'") as failed:
                ask()
            told = "".join(traceback.format_exception(failed.value)) + caplog.text
            assert not any(one in told for one in SECRETS)
    assert "hidden" not in store.place


@pytest.mark.parametrize(
    "wrong",
    [{"endpoint_url": "hidden"}, {"no_option": "hidden"}, {"region_name": "no region"}],
)
def test_options_that_boto3_does_not_take_are_told_at_once(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(DBError, match="not declared as boto3 takes it") as failed:
        FileS3Connector(bucket="shop", **{**OPTIONS, **wrong})
    told = "".join(traceback.format_exception(failed.value))
    assert "hidden" not in str(failed.value)
    assert not any(one in told for one in SECRETS - {"hidden"})


def test_waiting_is_bounded_unless_the_user_says_otherwise() -> None:
    given = Config(read_timeout=7, signature_version="s3v4")
    made = [
        FileS3Connector(bucket="shop", **OPTIONS)._client.meta.config,
        FileS3Connector(bucket="shop", config=given, **OPTIONS)._client.meta.config,
    ]
    assert [one.connect_timeout for one in made] == [5, 5]
    assert [one.read_timeout for one in made] == [20, 7]
    assert [one.retries["total_max_attempts"] for one in made] == [3, 3]
    assert made[1].signature_version == "s3v4"


# --- Processes and memory ---------------------------------------------------------


def _client_of(store: FileS3Connector, queue: Any) -> None:
    queue.put((id(store._client), store.get("one")))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_a_client_of_its_own(store: FileS3Connector) -> None:
    store.write("one", [b"x"])
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_client_of, args=(store, queue))
    child.start()
    its_client, content = queue.get()
    child.join()
    assert content == b"x"
    assert its_client != id(store._client)
    assert store.get("one") == b"x"


@pytest.mark.slow
def test_the_size_of_a_content_is_none_of_the_memory(s3_bucket: Bucket) -> None:
    options = {"bucket": s3_bucket.name, **s3_bucket.options}
    assert growth("FileS3Connector", 200, **options) < 40 * MIB
