"""What DBMongoConnector does in MongoDB, seen by MongoDB's own driver."""

import gc
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymongo
import pytest
from bson import Int64, ObjectId
from pymongo.monitoring import CommandListener, CommandStartedEvent

from backo import (
    Backoffice,
    Bytes,
    Collection,
    ConflictError,
    Datetime,
    DBError,
    DBMongoConnector,
    Dict,
    FreeDict,
    In,
    Int,
    Ipaddress,
    Item,
    List,
    NotFoundError,
    PathNotFoundError,
    Ref,
    RefsList,
    Selection,
    SSyntaxError,
    String,
    TransientError,
    Tuple,
    UnstorableError,
)
from backo.connectors.base import Query
from backo.query.filter import ALWAYS, Always, SortKey
from backo.query.parse import parse_python
from backo.schema.plan import Kind
from backo.transaction import unit_of_work

type Raw = dict[str, Any]
type Stored = pymongo.collection.Collection[Raw]


class Commands(CommandListener):
    """What was sent to MongoDB: the names of commands, with what they update."""

    def __init__(self) -> None:
        self.seen: list[CommandStartedEvent] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.seen.append(event)

    def succeeded(self, event: object) -> None:
        return None

    def failed(self, event: object) -> None:
        return None

    def named(self, name: str) -> list[Raw]:
        return [dict(one.command) for one in self.seen if one.command_name == name]


SCHEMA: Raw = {
    "title": String(required=True),
    "pages": Int(),
    "published": Datetime(),
    "cover": Bytes(),
    "tags": List(String()),
    "prices": List(Dict({"shop": String(), "cents": Int(), "since": Datetime()})),
    "address": Dict({"zip": String()}),
    "extra": FreeDict(),
    "ip": Ipaddress(),
    "pair": Tuple((String(), Int())),
    "either": In([String(), Int()]),
}


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def uri(mongo_database: str) -> str:
    return mongo_database


@pytest.fixture
def stored(uri: str) -> Iterator[Stored]:
    """The collection ``books``, as another program sees it."""
    with pymongo.MongoClient[Raw](uri) as client:
        yield client.get_default_database().books


@pytest.fixture
def office(uri: str, commands: Commands) -> Iterator[Backoffice]:
    """Books of a schema of every kind, writers and their works."""
    made = Backoffice("office")
    options: Raw = {"connection_string": uri, "event_listeners": [commands]}
    books = DBMongoConnector(**options, indexes=["$.title", "$.published"])
    made.register_collection(
        Collection("books", Item(dict(SCHEMA), meta_data_handler=None), books)
    )
    writer = Item({"name": String(), "works": RefsList(coll="works", field="$.writer")})
    work = Item({"name": String(), "writer": Ref(coll="writers", field="$.works")})
    made.register_collection(Collection("writers", writer, DBMongoConnector(**options)))
    made.register_collection(Collection("works", work, DBMongoConnector(**options)))
    yield made
    for one in made.collections.values():
        one.db_handler.close()


def connector_of(collection: Collection) -> DBMongoConnector:
    assert isinstance(collection.db_handler, DBMongoConnector)
    return collection.db_handler


# -- ids ---------------------------------------------------------------------------


def test_an_id_is_an_object_id(office: Backoffice, stored: Stored) -> None:
    emma = office.books.create({"title": "Emma"})._id.get_value()
    assert stored.find_one({}) == {
        "_id": ObjectId(emma),
        **dict.fromkeys(SCHEMA),
        "title": "Emma",
        "address": {"zip": None},
    }


@pytest.mark.parametrize("_id", ["x", "", "0" * 23, "A" * 24, "../x", "\0", "é" * 12])
def test_what_is_no_object_id_is_not_found(office: Backoffice, _id: str) -> None:
    office.books.create({"title": "Emma"})
    with pytest.raises(NotFoundError):
        office.books.get_by_id(_id)


def test_ids_of_ones_own_are_texts(office: Backoffice, stored: Stored) -> None:
    books = connector_of(office.books)
    books.generate_id = lambda o: o["title"]  # type: ignore[method-assign]
    office.books.create({"title": "emma"})
    assert stored.find_one({"_id": "emma"}) is not None
    assert [one.title for one in office.books.select({"_id": "emma"})] == ["emma"]


# -- documents ---------------------------------------------------------------------


def test_documents_of_others_are_changed_and_keep_what_they_have(
    office: Backoffice, stored: Stored
) -> None:
    stored.insert_one(
        {"theirs": {"x": 1}, "pages": Int64(5), "title": "Emma", "_id": ObjectId()}
    )
    emma = office.books.select_one({"title": "Emma"})
    emma.pages = 6
    emma.save()
    found = stored.find_one({}) or {}
    assert (found["theirs"], found["pages"], found["title"]) == ({"x": 1}, 6, "Emma")
    emma.delete()
    assert stored.find_one({}) is None


def test_what_was_changed_by_others_is_merged(
    office: Backoffice, stored: Stored
) -> None:
    emma = office.books.create({"title": "Emma", "pages": 1})
    stored.update_one({}, {"$set": {"pages": 2}})
    emma.title = "Emma!"
    emma.save()
    found = stored.find_one({}) or {}
    assert (found["title"], found["pages"]) == ("Emma!", 2)


@pytest.mark.parametrize(
    "document",
    [{"extra": {"a\0b": 1}}, {"extra": {"x": "x" * 17_000_000}}],
    ids=["name", "size"],
)
def test_what_mongodb_cannot_keep_is_told(office: Backoffice, document: Raw) -> None:
    with pytest.raises(UnstorableError):
        office.books.create({"title": "Emma", **document})
    assert office.books.select() == []


def test_a_unique_index_of_others_is_respected(
    office: Backoffice, stored: Stored
) -> None:
    stored.create_index("pages", unique=True)
    office.books.create({"title": "Emma", "pages": 1})
    with pytest.raises(ConflictError, match="same pages"):
        office.books.create({"title": "Persuasion", "pages": 1})


# -- filters -----------------------------------------------------------------------

PUSHED: list[Raw] = [
    {"title": "Emma"},
    {"title": ("$ne", "Emma")},
    {"title": ("$in", ["Emma", None])},
    {"title": ("$nin", ["Emma"])},
    {"pages": ("$gt", 1)},
    {"pages": ("$lte", 2**62)},
    {"published": "2020-01-01T00:00:00.000001"},
    {"published": ("$lt", "2020-01-01T00:00:00+14:00")},
    {"cover": "YQ=="},
    {"tags": "a"},
    {"tags": ("$size", 2)},
    {"tags": ("$exists", True)},
    {"tags": ("$contains", "a")},
    {"tags": ("$all", ["a", "b"])},
    {"prices.cents": ("$gte", 5)},
    {"prices.since": ("$gte", "2020-01-01T00:00:00")},
    {"address.zip": ("$reg", "7[0-9]*5$")},
    {"extra.some.thing": 1},
    {"either": ("$in", ["a", 1])},
    {"_id": ("$gt", "a")},
    {"_id": "0" * 24},
    {"$or": [{"title": "Emma"}, {"$not": {"pages": 1}}]},
]
RESIDUAL: list[Raw] = [
    {"ip": ("$gt", "10.0.0.1")},
    {"tags": ["a"]},
    {"title": ("$reg", "(a+)+$")},
    {"extra.1": 5},
    {"prices.since": "2020-01-01T00:00:00.000001"},
]


@pytest.mark.parametrize("asked", PUSHED, ids=str)
def test_filters_are_answered_by_mongodb(office: Backoffice, asked: Raw) -> None:
    books = connector_of(office.books)
    pushed, residual = books.split(parse_python(asked, office.books.plan))
    assert isinstance(residual, Always)
    assert not isinstance(pushed, Always)


@pytest.mark.parametrize("asked", RESIDUAL, ids=str)
def test_some_filters_are_not(office: Backoffice, asked: Raw) -> None:
    books = connector_of(office.books)
    pushed, residual = books.split(parse_python(asked, office.books.plan))
    assert not isinstance(residual, Always)


def test_sorts_pages_and_counts_are_mongodbs(
    office: Backoffice, commands: Commands
) -> None:
    for pages in range(5):
        office.books.create({"title": "Emma", "pages": pages})
    commands.seen.clear()
    listed = office.books.select({"title": "Emma"}, sort="-$.pages", limit=2, skip=1)
    assert [one.pages for one in listed] == [3, 2]
    (find,) = commands.named("find")
    assert (find["sort"], find["skip"], find["limit"]) == (
        {"pages": -1, "_id": 1},
        1,
        2,
    )
    assert connector_of(office.books).count() == 5
    assert len(commands.named("aggregate")) == 1


def test_dates_are_exact_to_the_microsecond(office: Backoffice) -> None:
    books, plan = connector_of(office.books), office.books.plan
    moments = [
        "2020-01-01T00:00:00.000999",
        "2020-01-01T00:00:00.001000+00:00",
        "2020-01-01T01:00:00.001001+01:00",
        "0001-01-01T00:00:00+14:00",
    ]
    for number, moment in enumerate(moments):
        books.create({"_id": str(number), "published": moment})

    def found(asked: Raw) -> str:
        sort = (SortKey(("published",), kind=Kind.DATETIME),)
        query = Query(parse_python(asked, plan), sort)
        assert books.answers(query, books.split(query.filter)[1])
        return "".join(one["_id"] for one in books.find(query))

    assert found({}) == "3012"
    assert found({"published": ("$gt", moments[0])}) == "12"
    assert found({"published": ("$lte", moments[1])}) == "301"
    assert found({"published": moments[2]}) == "2"
    assert [one["published"] for one in books.scan()] == moments


def test_select_takes_mongodbs_language(office: Backoffice) -> None:
    for pages in range(5):
        office.books.create({"title": f"{pages}", "pages": pages})
    books = connector_of(office.books)
    found = books.select({"pages": {"$mod": [2, 0]}}, {"pages": 1}, 2, 1, {"pages": -1})
    assert [{**one, "_id": ""} for one in found] == [
        {"_id": "", "pages": 2},
        {"_id": "", "pages": 0},
    ]


def test_a_selections_db_filter_is_mongodbs(
    office: Backoffice, commands: Commands
) -> None:
    even = Selection(["$.pages"], db_filter={"pages": {"$mod": [2, 0]}})
    office.books.register_selection("even", even)
    for pages in range(6):
        office.books.create({"title": "Emma", "pages": pages})
    commands.seen.clear()
    rows = office.books.selections["even"].select({"pages": ("$gt", 0)}, page_size=1)
    assert [row[1] for row in rows] == [2]
    (find,) = commands.named("find")
    assert {"pages": {"$mod": [2, 0]}} in find["filter"]["$and"]
    # What MongoDB cannot say of the rest is looked at here.
    found = office.books.selections["even"].select({"title": ("$reg", "(E|F)mma$")})
    assert sorted(row[1] for row in found) == [0, 2, 4]


# -- indexes -----------------------------------------------------------------------


def test_references_and_what_was_asked_for_are_indexed(
    office: Backoffice, stored: Stored
) -> None:
    office.books.create({"title": "Emma"})
    assert stored.database.list_collection_names() != []
    keys = [[*one["key"]] for one in stored.list_indexes()]
    wanted = ["published", "_exact.published.us", "_id"]
    assert sorted(keys) == [["_id"], wanted, ["title", "_id"]]
    office.writers.create({"name": "Austen"})
    works = stored.database.writers
    keys = [[*one["key"]] for one in works.list_indexes()]
    assert keys == [["_id"], ["works", "_id"]]


@pytest.mark.parametrize("path", ["$.nothing", "$.extra.$x"])
def test_an_index_must_name_a_field(uri: str, path: str) -> None:
    books = DBMongoConnector(connection_string=uri, indexes=[path])
    with pytest.raises(PathNotFoundError):
        Backoffice("office").register_collection(
            Collection("books", Item(dict(SCHEMA)), books)
        )


def test_no_field_is_where_dates_are_made_exact(uri: str) -> None:
    books = DBMongoConnector(connection_string=uri)
    with pytest.raises(SSyntaxError, match="_exact"):
        Backoffice("office").register_collection(
            Collection("books", Item({"_exact": String()}), books)
        )


# -- links -------------------------------------------------------------------------


def test_a_link_is_one_atomic_update(office: Backoffice, commands: Commands) -> None:
    austen = office.writers.create({"name": "Austen", "works": []})
    commands.seen.clear()
    emma = office.works.create({"name": "Emma", "writer": austen._id})
    (update,) = commands.named("update")
    (change,) = update["updates"]
    assert change["u"]["$addToSet"] == {"works": {"$each": [emma._id.get_value()]}}
    commands.seen.clear()
    emma.delete()
    (update,) = commands.named("update")
    assert list(update["updates"][0]["u"]["$pull"]) == ["works"]
    austen.reload()
    assert austen.works.get_value() == []


def test_no_link_is_lost_between_threads(office: Backoffice) -> None:
    austen = office.writers.create({"name": "Austen"})

    def write(number: int) -> str:
        made = office.works.create({"name": str(number), "writer": austen._id})
        found: str = made._id.get_value()
        return found

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(write, range(40)))
    austen.reload()
    assert sorted(austen.works.get_value()) == sorted(made)


# -- transactions ------------------------------------------------------------------


def test_a_unit_is_a_transaction(office: Backoffice, stored: Stored) -> None:
    with pytest.raises(ZeroDivisionError), office.transaction():
        office.books.create({"title": "Emma"})
        office.writers.create({"name": "Austen"})
        assert len(office.books.select()) == 1
        assert stored.find_one({}) is None
        raise ZeroDivisionError
    assert office.books.select() == []
    assert office.writers.select() == []


def test_a_part_of_a_unit_is_undone_alone(office: Backoffice) -> None:
    with office.transaction():
        emma = office.books.create({"title": "Emma"})
        with pytest.raises(ZeroDivisionError), office.transaction():
            emma.title = "Persuasion"
            emma.save()
            office.books.create({"title": "Sanditon"})
            raise ZeroDivisionError
    assert [one.title for one in office.books.select()] == ["Emma"]


def test_an_id_already_there_does_not_end_the_transaction(office: Backoffice) -> None:
    with office.transaction():
        office.books.create({"title": "Emma", "_id": "a" * 24})
        with pytest.raises(DBError, match="already there"):
            office.books.create({"title": "Emma", "_id": "a" * 24})
        office.books.create({"title": "Persuasion"})
    assert len(office.books.select()) == 2


def elsewhere(act: Callable[[], Any]) -> Any:
    """What ``act`` gives or raises in another thread, which is in no unit."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result(timeout=60)


def test_whoever_is_in_the_way_is_tried_again(office: Backoffice) -> None:
    austen = office.writers.create({"name": "Austen", "works": []})
    written, tries = threading.Event(), list[None]()

    def other() -> None:
        with unit_of_work():
            tries.append(None)
            mine = office.writers.get_by_id(austen._id)
            mine.name = f"{mine.name}!"
            mine.save()

    with ThreadPoolExecutor(1) as pool:
        with office.transaction():
            austen.name = "Jane"
            austen.save()
            # In a transaction of one's own it is for oneself to try again.
            with pytest.raises(TransientError):
                elsewhere(other)
            later = pool.submit(
                lambda: office.works.create({"name": "Emma", "writer": austen._id})
            )
            written.wait(0.3)
            assert not later.done()
        emma = later.result(timeout=60)
    other()
    austen.reload()
    assert austen.name == "Jane!"
    assert austen.works.get_value() == [emma._id.get_value()]
    assert len(tries) == 2


def test_units_read_where_they_write(uri: str) -> None:
    office = Backoffice("office")
    books = DBMongoConnector(
        connection_string=uri, readPreference="secondaryPreferred", journal=True
    )
    office.register_collection(Collection("books", Item(dict(SCHEMA)), books))
    with office.transaction():
        emma = office.books.create({"title": "Emma"})
        assert office.books.get_by_id(emma._id).title == "Emma"
        assert len(office.books.select({"title": "Emma"})) == 1
        emma.title = "Persuasion"
        emma.save()
    assert [one.title for one in office.books.select()] == ["Persuasion"]
    books.close()


def test_a_server_alone_records_what_it_is_to_undo(
    mongo_standalone_database: str,
) -> None:
    office = Backoffice("office")
    books = DBMongoConnector(connection_string=mongo_standalone_database)
    office.register_collection(Collection("books", Item(dict(SCHEMA)), books))
    emma = office.books.create({"title": "Emma"})
    with pytest.raises(ZeroDivisionError), office.transaction():
        emma.title = "Persuasion"
        emma.save()
        office.books.create({"title": "Sanditon"})
        raise ZeroDivisionError
    assert [one.title for one in office.books.select()] == ["Emma"]
    books.close()


# -- connections -------------------------------------------------------------------


def test_connectors_share_a_client(uri: str) -> None:
    one, other = (DBMongoConnector(connection_string=uri) for _ in range(2))
    apart = DBMongoConnector(connection_string=uri, appname="other")
    for each in (one, other, apart):
        each.connect()
    assert one._client() is other._client() is not apart._client()
    client = one._client()
    one.close()
    assert other._client() is client
    other.close()
    assert other._client() is not client
    other.close()
    apart.close()


def test_a_client_that_nobody_uses_is_closed(uri: str) -> None:
    connector = DBMongoConnector(connection_string=uri, appname="forgotten")
    connector.connect()
    monitors = [one for one in threading.enumerate() if "pymongo" in one.name]
    assert monitors
    del connector
    gc.collect()
    for each in monitors:
        each.join(10)
    assert not any(one.is_alive() for one in monitors)


def test_a_forked_process_has_a_client_of_its_own(office: Backoffice) -> None:
    office.books.create({"title": "Emma"})
    pid = os.fork()
    if not pid:
        try:
            office.books.create({"title": "Persuasion"})
            os._exit(len(office.books.select()))
        except BaseException:  # noqa: BLE001 - the child must end here
            traceback.print_exc()
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert len(office.books.select()) == 2


@pytest.mark.parametrize(
    "connection_string",
    ["", "http://x/y", "mongodb://localhost", "mongodb://localhost/", "mongodb://[/x"],
)
def test_the_connection_string_names_a_database(connection_string: str) -> None:
    with pytest.raises(DBError, match="connection_string"):
        DBMongoConnector(connection_string=connection_string)


@pytest.mark.parametrize(
    "connection_string",
    [
        "mongodb://me:s3cret@127.0.0.1:1/x?serverSelectionTimeoutMS=100",
        "mongodb://me:s3cret@127.0.0.1:port/x",
        "mongodb://me:s3cret:@127.0.0.1/x",
        "mongodb://me:s3cret@127.0.0.1/x?authMechanism=s3cret",
    ],
)
def test_credentials_are_in_no_error(
    connection_string: str, caplog: pytest.LogCaptureFixture
) -> None:
    connector = DBMongoConnector(connection_string=connection_string)
    with pytest.raises(DBError) as raised:
        connector.find(Query())
    told = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in told + repr(connector) + str(connector.place())
    assert "s3cret" not in caplog.text
    connector.close()


def test_a_deployment_that_is_not_there_is_told_soon() -> None:
    connector = DBMongoConnector(
        connection_string="mongodb://127.0.0.1:1/x", serverSelectionTimeoutMS=100
    )
    for act in (
        connector.connect,
        connector.count,
        lambda: connector.create({}),
        lambda: connector.get_by_id("a"),
        lambda: connector.find(Query(ALWAYS, (SortKey(("a",), kind=Kind.INT),))),
    ):
        with pytest.raises(DBError, match="MongoDB"):
            act()
    connector.close()
