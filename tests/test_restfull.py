"""A REST API as a store: what is asked, what is understood, and what never happens."""

import base64
import gzip
import json
import logging
import multiprocessing
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.exceptions import InsecureRequestWarning

from backo import (
    BackoError,
    Backoffice,
    Collection,
    ConflictError,
    DBError,
    DBRestfullConnector,
    DuplicateIdError,
    Item,
    NotFoundError,
    ReferencedError,
    SConstraintError,
    SRightError,
    SSyntaxError,
    String,
    UnknownReferenceError,
    ValidationError,
)
from backo.connectors.store import Store
from backo.transaction import unit_of_work
from tests.raw_http import Asked, RawServer, Script, answer, raw_server


class Things(DBRestfullConnector):
    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", (), **kwargs).json()
        return found

    def drop(self, **kwargs: Any) -> None:
        self.call("DELETE", (), **kwargs)


class World:
    """A raw server, and connectors to it."""

    def __init__(self) -> None:
        self.script: Script = lambda asked: answer(200, {})
        self.server = RawServer(lambda asked: self.script(asked))
        self.made: list[Things] = []

    def things(self, **options: Any) -> Things:
        where = {"host": "127.0.0.1", "port": self.server.port, "tls": False}
        quick = {"timeout": 2.0, "total_timeout": 5.0, "endpoint": "things"}
        made = Things(**{**where, **quick, **options})
        self.made.append(made)
        return made

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.server.asked]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for connector in made.made:
        connector.close()
    made.server.close()


def says(*answers: bytes | None) -> Script:
    """One answer after the other; the last again and again."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


# --- What is asked ----------------------------------------------------------------


def test_the_six(world: World) -> None:
    store = world.things(prefix="/api/v 2/")
    world.script = says(
        answer(201, {"_id": "a", "x": 1}),
        answer(200, {"x": 1}),
        answer(200, {}),
        answer(204),
        answer(200, [{"_id": "a"}]),
        answer(204),
    )
    assert store.create({"x": 1}) == "a"
    assert store.get_by_id("a") == {"_id": "a", "x": 1}
    assert store.save("a", {"x": 2}) is True
    assert store.delete_by_id("a") is True
    assert store.select({}) == [{"_id": "a"}]
    store.drop()
    assert world.lines == [
        "POST /api/v%202/things",
        "GET /api/v%202/things/a",
        "PUT /api/v%202/things/a",
        "DELETE /api/v%202/things/a",
        "GET /api/v%202/things",
        "DELETE /api/v%202/things",
    ]
    bodies = [one.body for one in world.server.asked]
    assert bodies == [b'{"x":1}', b"", b'{"x":2}', b"", b"", b""]


def test_the_options_of_one_call(world: World) -> None:
    store = world.things()
    world.script = lambda asked: answer(200, {"_id": "n"})
    how: dict[str, Any] = {
        "endpoint": "other/ones",
        "url_parameters": ["parts", 7],
        "query_options": {"q": "a b&c", "l": [1, 2]},
    }
    store.create({"x": 1}, **how, method="PUT", data={"ignored": 1})
    store.get_by_id("a", **how, method="POST", data={"y": 1})
    store.save("a", {"x": 2}, **how, method="PATCH", data={"ignored": 1})
    store.delete_by_id("a", **how, data={"why": "old"})
    tail = "/parts/7?q=a+b%26c&l=1&l=2"
    assert world.lines == [
        f"POST /other/ones{tail}",
        f"POST /other/ones/a{tail}",
        f"PATCH /other/ones/a{tail}",
        f"DELETE /other/ones/a{tail}",
    ]
    bodies = [json.loads(one.body) for one in world.server.asked]
    assert bodies == [{"x": 1}, {"y": 1}, {"x": 2}, {"why": "old"}]


@pytest.mark.parametrize(
    ("said", "_id"),
    [
        (answer(201, {"_id": "a"}), "a"),
        (answer(201, {"id": 12}), "12"),
        (answer(201, location="/things/a%20b?x=1"), "a b"),
    ],
)
def test_the_id_that_the_server_gave(world: World, said: bytes, _id: str) -> None:
    world.script = says(said)
    assert world.things().create({}) == _id


@pytest.mark.parametrize(
    "said", [answer(201), answer(201, {}), answer(201, {"_id": True}), answer(201, [1])]
)
def test_a_server_that_gives_no_id(world: World, said: bytes) -> None:
    world.script = says(said)
    with pytest.raises(DBError):
        world.things().create({})


def test_a_collection_over_it(world: World) -> None:
    kept: dict[str, Any] = {}

    def serve(asked: Asked) -> bytes:
        _id = asked.path.rpartition("/")[2]
        if asked.method == "POST":
            kept["n1"] = {**json.loads(asked.body), "_id": "n1"}
            return answer(201, kept["n1"])
        if _id == "things":
            return answer(200, list(kept.values()))
        if _id not in kept:
            return answer(404)
        if asked.method == "PUT":
            kept[_id] = json.loads(asked.body)
        if asked.method == "DELETE":
            return answer(200, kept.pop(_id))
        return answer(200, kept[_id])

    world.script = serve
    office = Backoffice("office")
    office.register_collection(
        Collection("things", Item({"x": String()}), world.things())
    )
    thing = office.things.create({"x": "one"})
    thing.x = "two"
    thing.save()
    assert [one.x for one in office.things.select({"x": ("$reg", "t")})] == ["two"]
    with pytest.raises(ZeroDivisionError), unit_of_work():
        Store(world.made[0]).save("n1", {"_id": "n1", "x": "three"})
        raise ZeroDivisionError
    assert kept["n1"]["x"] == "two"
    thing.delete()
    assert kept == {}


def test_a_restriction(world: World) -> None:
    store = world.things(restriction=lambda: {"x": 1})
    world.script = says(answer(200, {"x": 2}))
    for act in (
        lambda: store.get_by_id("a", query_options={"q": 1}),
        lambda: store.save("a", {}, query_options={"q": 1}),
        lambda: store.delete_by_id("a", query_options={"q": 1}),
    ):
        with pytest.raises(NotFoundError):
            act()
    assert {one.method for one in world.server.asked} == {"GET"}


# --- Ids --------------------------------------------------------------------------

HOSTILE: list[Any] = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/",
    "a\\b",
    "x\0y",
    "a\nb",
    "\x7f",
    "\ud800",
]
HOSTILE += ["x" * 10_000, "😀" * 500, None, 7]


@pytest.mark.parametrize("_id", HOSTILE, ids=lambda one: ascii(one)[:20])
def test_an_id_that_no_url_can_name_is_not_there(world: World, _id: Any) -> None:
    store = world.things()
    for act in (store.get_by_id, store.delete_by_id):
        with pytest.raises(NotFoundError):
            act(_id)
    with pytest.raises(NotFoundError):
        store.save(_id, {})
    assert world.server.asked == []


@pytest.mark.parametrize(
    ("_id", "path"),
    [
        ("%2e%2e", "%252e%252e"),
        ("%2F", "%252F"),
        ("...", "..."),
        ("?x", "%3Fx"),
        ("#x", "%23x"),
        ("a;b=c:d@e", "a%3Bb%3Dc%3Ad%40e"),
        ("é 😀", "%C3%A9%20%F0%9F%98%80"),
        ("~._-", "~._-"),
    ],
)
def test_any_other_id_is_one_segment(world: World, _id: str, path: str) -> None:
    world.things().get_by_id(_id)
    assert world.lines == [f"GET /things/{path}"]


# --- What is understood -----------------------------------------------------------


def problem(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "detail": f"it is {code}", **more}


def fault(path: str, code: str) -> dict[str, str]:
    return {"path": path, "message": f"is {code}", "code": code}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, problem("not_found"), NotFoundError),
        (404, b"", NotFoundError),
        (410, b"", NotFoundError),
        (404, problem("no_route"), DBError),
        (409, b"", ConflictError),
        (409, problem("duplicate_id"), DuplicateIdError),
        (409, problem("referenced"), ReferencedError),
        (413, b"", ValidationError),
        (422, problem("invalid", errors=[fault("$.a", "min")]), ValidationError),
        (422, problem("x", errors=[fault("$.a", "constraint")]), SConstraintError),
        (
            422,
            problem("x", errors=[fault("$.a", "unknown_reference")]),
            UnknownReferenceError,
        ),
        (422, problem("x", errors="none"), ValidationError),
        (403, problem("forbidden", errors=[fault("$.a", "forbidden")]), SRightError),
        (403, problem("forbidden", errors=[fault("$", "forbidden")]), DBError),
        (403, problem("csrf"), DBError),
        (401, problem("not_authenticated"), DBError),
        (400, problem("bad_query"), DBError),
        (405, b"", DBError),
        (500, b"", DBError),
        (302, b"", DBError),
        (200, b"no json", DBError),
        (200, b"[1]", DBError),
        (200, b"NaN", DBError),
        (200, b"[" * 100_000, DBError),
        (200, b"", DBError),
    ],
)
def test_answers(world: World, status: int, body: Any, kind: type[Exception]) -> None:
    world.script = says(answer(status, body))
    with pytest.raises(kind) as caught:
        world.things(retries=0).get_by_id("a")
    assert kind is not DBError or caught.type is DBError


def test_what_a_document_may_not_be_names_the_place(world: World) -> None:
    faults = [fault("$.a", "min"), fault("$.b[0]", "type"), "no object", fault("b", "")]
    world.script = says(answer(422, problem("invalid", errors=faults)))
    with pytest.raises(ValidationError) as caught:
        world.things().create({"a": 1})
    assert [(one.path, one.code) for one in caught.value.faults] == [
        ("$.a", "min"),
        ("$.b[0]", "type"),
        ("$", "invalid"),
    ]


def test_what_cannot_be_json_is_not_sent(world: World) -> None:
    for document in ({"x": float("nan")}, {"x": object()}, {"x": {1, 2}}):
        with pytest.raises(DBError):
            world.things().create(document)
    assert world.server.asked == []


# --- Tries ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_what_is_idempotent_is_tried_again(world: World, status: int | None) -> None:
    failed = None if status is None else answer(status)
    acts: list[Callable[[Things], Any]] = [
        lambda store: store.get_by_id("a"),
        lambda store: store.save("a", {}),
        lambda store: store.delete_by_id("a"),
    ]
    for act in acts:
        world.script = says(failed, failed, answer(200, {}))
        world.server.asked.clear()
        act(world.things(retries=2))
        assert len(world.server.asked) == 3
        world.script = says(failed)
        world.server.asked.clear()
        with pytest.raises(DBError):
            act(world.things(retries=1))
        assert len(world.server.asked) == 2


@pytest.mark.parametrize("status", [429, 503, 500, None])
def test_what_creates_is_tried_once(world: World, status: int | None) -> None:
    world.script = says(None if status is None else answer(status))
    with pytest.raises(DBError):
        world.things().create({})
    assert len(world.server.asked) == 1


def test_what_creates_is_tried_again_when_nobody_listened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    store = Things(
        host="127.0.0.1", port=port, tls=False, retries=8, total_timeout=10.0
    )
    done: list[str] = []
    creating = threading.Thread(target=lambda: done.append(store.create({"x": 1})))
    creating.start()
    # The first try has failed when the server comes.
    time.sleep(0.2)
    with socket.create_server(("127.0.0.1", port)) as listening:
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(65_536).startswith(b"POST /")
            connection.sendall(answer(201, {"_id": "a"}))
            creating.join(10)
    store.close()
    assert done == ["a"]


def test_a_client_error_is_not_tried_again(world: World) -> None:
    world.script = says(answer(404))
    with pytest.raises(NotFoundError):
        world.things().get_by_id("a")
    assert len(world.server.asked) == 1


def test_retry_after_is_waited_for(world: World) -> None:
    world.script = says(answer(503, retry_after="1"), answer(200, {}))
    began = time.monotonic()
    world.things().get_by_id("a")
    assert 1 <= time.monotonic() - began < 3


@pytest.mark.parametrize("wait", ["60", "9" * 400])
def test_retry_after_is_not_waited_for_beyond_the_bound(
    world: World, wait: str
) -> None:
    world.script = says(answer(503, retry_after=wait))
    began = time.monotonic()
    with pytest.raises(DBError):
        world.things(total_timeout=3.0).get_by_id("a")
    assert time.monotonic() - began < 3


# --- Time and size ----------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def drip(world: World, before: bytes) -> Script:
    """One byte after the other, without end."""

    def pieces() -> Iterator[bytes]:
        yield before
        while not world.server.over.wait(0.05):
            yield b"1"

    return lambda asked: pieces()


def silent(world: World, before: bytes) -> Script:
    def pieces() -> Iterator[bytes]:
        yield before
        world.server.over.wait(30)

    return lambda asked: pieces()


@pytest.mark.parametrize("how", [drip, silent])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        HEAD + b"Content-Length: 1000000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"\r\n",
    ],
    ids=["status", "headers", "body", "chunks", "no length"],
)
def test_a_slow_server_holds_nobody(
    world: World, how: Callable[[World, bytes], Script], before: bytes
) -> None:
    world.script = how(world, before)
    store = world.things(timeout=0.5, total_timeout=1.0, retries=5)
    began = time.monotonic()
    with pytest.raises(DBError, match="no answer in time"):
        store.get_by_id("a")
    assert time.monotonic() - began < 2


def test_a_server_that_takes_no_connection_holds_nobody() -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        port: int = full.getsockname()[1]
        store = Things(
            host="127.0.0.1", port=port, tls=False, connect_timeout=0.3, retries=1
        )
        began = time.monotonic()
        with pytest.raises(DBError):
            store.create({})
        assert time.monotonic() - began < 3


def test_a_server_that_reads_nothing_holds_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        store = Things(host="127.0.0.1", port=port, tls=False, timeout=0.5, retries=0)
        began = time.monotonic()
        with pytest.raises(DBError, match="in time"):
            store.create({"x": "y" * 30_000_000})
        assert time.monotonic() - began < 2
        store.close()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n\r\n",
        b"\0\xff" * 5000,
        HEAD + b"Content-Length: 10\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"X: y\r\n" * 5000 + b"\r\n{}",
        HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"",
    ],
)
def test_garbage_is_a_store_that_fails(world: World, said: bytes) -> None:
    world.script = lambda asked: iter([said])
    for retries in (0, 1):
        with pytest.raises(DBError):
            world.things(retries=retries).get_by_id("a")


def test_a_damaged_compressed_answer(world: World) -> None:
    whole = gzip.compress(b'{"x": 1}')
    world.script = says(answer(200, whole, content_encoding="gzip"))
    assert world.things().get_by_id("a")["x"] == 1
    halves = gzip.compress(b'{"x": ') + gzip.compress(b"2}")
    world.script = says(answer(200, halves, content_encoding="gzip"))
    assert world.things().get_by_id("a")["x"] == 2
    for broken in (whole[:-9], whole[:12], b"\x1f\x8b" + whole[5:]):
        world.script = says(answer(200, broken, content_encoding="gzip"))
        with pytest.raises(DBError):
            world.things().get_by_id("a")


@pytest.mark.parametrize("length", [True, False], ids=["length", "endless"])
def test_an_answer_is_read_no_further_than_its_bound(
    world: World, length: bool
) -> None:
    sent = [0]

    def pieces() -> Iterator[bytes]:
        yield HEAD + (b"Content-Length: 1000000000\r\n\r\n" if length else b"\r\n")
        while not world.server.over.is_set():
            sent[0] += 65_536
            yield b"1" * 65_536

    world.script = lambda asked: pieces()
    with pytest.raises(DBError, match="more than 100,000 bytes"):
        world.things(max_answer=100_000).get_by_id("a")
    assert sent[0] < 20_000_000


def test_a_bomb_is_not_unpacked(world: World) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    world.script = says(answer(200, bomb, content_encoding="gzip"))
    store = world.things(max_answer=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(DBError, match="more than 100,000 bytes"):
            store.get_by_id("a")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_connections_are_used_again_and_none_is_left(world: World) -> None:
    store = world.things()
    before = threading.active_count()
    for _ in range(5):
        store.get_by_id("a")
    # The accepting thread and one connection.
    assert threading.active_count() <= before + 1
    assert len(world.server.asked) == 5


def _child(store: Things, results: Any) -> None:
    results.put([store.get_by_id("a")["_id"] for _ in range(3)])
    store.close()


def test_a_forked_process_has_connections_of_its_own(world: World) -> None:
    seen: set[int] = set()

    def serve(asked: Asked) -> bytes:
        seen.add(threading.get_ident())
        return answer(200, {})

    world.script = serve
    store = world.things()
    store.get_by_id("a")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_child, args=(store, results))
    child.start()
    assert results.get(timeout=20) == ["a"] * 3
    child.join(20)
    store.get_by_id("a")
    assert child.exitcode == 0
    assert len(seen) == 2


# --- Redirects --------------------------------------------------------------------


def test_redirects_to_the_same_server_are_followed(world: World) -> None:
    moved = {301: "GET", 302: "GET", 303: "GET", 307: "PUT", 308: "DELETE"}
    store = world.things(auth_token="tok")
    for status, method in moved.items():
        world.server.asked.clear()
        world.script = says(answer(status, location="/new/a"), answer(200, {}))
        if method == "GET":
            store.get_by_id("a")
        elif method == "PUT":
            store.save("a", {"x": 1})
        else:
            store.delete_by_id("a")
        assert world.lines[1:] == [f"{method} /new/a"]
        assert world.server.asked[1].headers["authorization"] == "Bearer tok"
        assert world.server.asked[1].body == world.server.asked[0].body


def test_redirects_to_others_are_not_followed(world: World) -> None:
    with raw_server(lambda asked: answer(200, {})) as other:
        own = f"127.0.0.1:{world.server.port}"
        for location in (
            f"http://127.0.0.1:{other.port}/x",
            f"//127.0.0.1:{other.port}/x",
            f"http://localhost:{world.server.port}/x",
            "http://127.0.0.1/x",
            f"http://127.0.0.1:{world.server.port}0/x",
            f"https://{own}/x",
            f"http://user:pw@{own}/x",
            "file:///etc/passwd",
            "http://[",
        ):
            world.script = says(answer(302, location=location), answer(200, {}))
            with pytest.raises(DBError):
                world.things(retries=0).get_by_id("a")
        assert other.asked == []


def test_redirects_are_bounded(world: World) -> None:
    world.script = says(answer(302, location="/things/a"))
    with pytest.raises(DBError):
        world.things(retries=0).get_by_id("a")
    assert len(world.server.asked) <= 7


def test_a_write_is_not_turned_into_a_get(world: World) -> None:
    world.script = says(answer(302, location="/new/a"))
    with pytest.raises(DBError):
        world.things(retries=0).save("a", {})
    with pytest.raises(DBError):
        world.things(retries=0).create({})
    assert [one.method for one in world.server.asked] == ["PUT", "POST"]


# --- Certificates -----------------------------------------------------------------


def certificate(folder: Path) -> Path:
    """A file with a key and its own certificate, of the name localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / "own.pem"
    path.write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(pem)
    )
    return path


def test_certificates_are_checked(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)

    def got(host: str, verify: bool | str | None) -> str:
        options: dict[str, Any] = {} if verify is None else {"validate_cert": verify}
        store = Things(host=host, port=server.port, retries=0, timeout=3.0, **options)
        try:
            return str(store.get_by_id("a")["_id"])
        finally:
            store.close()

    with raw_server(lambda asked: answer(200, {}), context) as server:
        for host, verify in (("localhost", None), ("localhost", True)):
            with pytest.raises(DBError, match="certificate"):
                got(host, verify)
        assert server.asked == []
        assert got("localhost", str(own)) == "a"
        # It is a certificate for another name.
        with pytest.raises(DBError, match="certificate"):
            got("127.0.0.1", str(own))
        with pytest.warns(InsecureRequestWarning):
            assert got("127.0.0.1", False) == "a"
        with pytest.raises(DBError):
            got("localhost", str(tmp_path / "absent.pem"))


# --- Credentials ------------------------------------------------------------------

SECRETS = ["s3cr3t-passw0rd", "t0k3n-0f-0urs"]


@pytest.mark.parametrize(
    ("who", "header"),
    [
        (
            {"username": "ann", "password": SECRETS[0]},
            "Basic " + base64.b64encode(b"ann:" + SECRETS[0].encode()).decode(),
        ),
        ({"auth_token": SECRETS[1]}, f"Bearer {SECRETS[1]}"),
    ],
    ids=["basic", "bearer"],
)
def test_credentials_are_sent_and_told_to_nobody(
    world: World,
    who: dict[str, Any],
    header: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    secrets = [*SECRETS, header.split()[1]]
    told: list[str] = []
    echo = f"you said {header} and {who}"
    answers: list[Any] = [
        None,
        b"garbage\r\n\r\n",
        HEAD + b"\r\n" + header.encode(),
        answer(302, location=f"http://{SECRETS[0]}:{SECRETS[1]}@127.0.0.1:1/"),
        *(
            answer(status, problem("x", detail=echo, errors=[fault("$.a", echo)]))
            for status in (400, 401, 403, 404, 409, 412, 422, 429, 500, 503)
        ),
        answer(403, problem("forbidden", errors=[fault("$.a", echo)])),
    ]
    acts: list[Callable[[Things], Any]] = [
        lambda store: store.get_by_id("a"),
        lambda store: store.create({"a": 1}),
    ]
    for said in answers:
        world.script = says(said)
        store = world.things(retries=0, **who)
        told.append(repr(store))
        for act in acts:
            with pytest.raises((BackoError, SRightError)) as caught:
                act(store)
            error: BaseException | None = caught.value
            told += traceback.format_exception(caught.value)
            while error is not None:
                told += [str(error), repr(error), *getattr(error, "__notes__", ())]
                told.append(repr(getattr(error, "faults", "")))
                error = error.__cause__ or error.__context__
    assert all(one.headers["authorization"] == header for one in world.server.asked)
    assert len(world.server.asked) >= 2 * len(answers)
    everything = "\n".join([*told, caplog.text])
    assert [one for one in secrets if one in everything] == []


@pytest.mark.parametrize(
    "options",
    [
        {"host": "ann:s3cr3t@example.org"},
        {"host": "http://ann:s3cr3t@example.org"},
        {"host": "example.org/s3cr3t"},
        {"host": ""},
        {"host": "a b"},
        {"host": "a\r\nb"},
        {"port": 0},
        {"port": 70_000},
        {"auth_token": "s3cr3t\r\nX: y"},
        {"auth_token": "s3cr3t s3cr3t"},
        {"auth_token": ""},
        {"auth_token": "s3cr3t", "username": "ann"},
        {"username": "a:b", "password": "s3cr3t"},
        {"timeout": 0},
        {"total_timeout": -1},
        {"retries": -1},
        {"max_answer": 0},
        {"prefix": "a/../b"},
        {"prefix": "a/\0"},
        {"nonsense": 1},
    ],
)
def test_what_cannot_be_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises((SSyntaxError, TypeError)) as caught:
        Things(**{"host": "example.org", **options})
    assert "s3cr3t" not in "".join(
        line for line in traceback.format_exception_only(caught.value)
    )


def test_proxies_and_netrc_are_not_used(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password pw\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    world.things().get_by_id("a")
    assert "authorization" not in world.server.asked[0].headers


def test_cookies_are_not_kept(world: World) -> None:
    world.script = says(answer(200, {}, set_cookie="a=b; Path=/"))
    store = world.things()
    store.get_by_id("a")
    store.get_by_id("a")
    assert "cookie" not in world.server.asked[1].headers
