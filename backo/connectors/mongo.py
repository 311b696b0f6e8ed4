"""Items in a collection of MongoDB."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import batched
from typing import Any, ClassVar

from bson import ObjectId
from pymongo import MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from backo.connectors.base import Capabilities, DBConnector, Query
from backo.connectors.decisions import remote_deciders
from backo.connectors.edits import ListEdit
from backo.connectors.mongo_client import database_of, shared, translated
from backo.connectors.mongo_documents import (
    CODEC,
    EXACT,
    bson_id,
    decoded,
    encoded,
    text_id,
)
from backo.connectors.mongo_filters import OwnIds, Translator, is_small
from backo.connectors.mongo_indexes import Index, make_indexes, wanted_indexes
from backo.connectors.mongo_transactions import Decider, MongoTransaction
from backo.connectors.mongo_updates import update_of
from backo.connectors.texts import Document, checked_id, not_found, same_document
from backo.connectors.transactions import Transaction, Turn, active
from backo.errors import (
    DBError,
    DuplicateIdError,
    SSyntaxError,
    TransientError,
)
from backo.log import log_system
from backo.query.filter import (
    ALWAYS,
    Always,
    Condition,
    Element,
    Filter,
    Op,
    SortKey,
    predicate,
    texts_at,
)
from backo.schema.plan import ItemPlan, Kind

__all__ = ["DBMongoConnector"]

_log = log_system.get_or_create_logger("mongo")

type Raw = dict[str, Any]

_BATCH = 1000
"""Ids that are asked for at once."""
_SCANNED = 200
"""Documents that a scan reads at once."""
_TRIES = 20
_TOO_FAR = 2**48
"""No collection has more documents; MongoDB adds what is skipped to the limit."""


class DBMongoConnector(DBConnector):
    """Items as documents of a collection; filters, sorts, pages and counts are
    MongoDB's.

    ``connection_string`` names the database, as in ``mongodb://host/shop``;
    ``collection`` is the one of MongoDB, by default the name that the collection has in
    backo. ``indexes=["$.title"]`` names the fields to index beside the references; they
    are made with the first use, and none is ever removed. All other options are
    MongoClient's (``tls``, ``username``, ``maxPoolSize``, ``w``, ``timeoutMS``, …). The
    client connects with the first use, and is shared by all connectors of the process
    that ask for the same.

    An id is an ObjectId's 24 hexadecimal digits, or any text that ``generate_id`` gives
    instead. On a replica set or a sharded cluster units of work are transactions of
    MongoDB, on a single server their writes are recorded and undone.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        filters=True,
        sort=True,
        page=True,
        count=True,
        compare_and_set=True,
    )

    def __init__(
        self,
        *,
        connection_string: str,
        collection: str | None = None,
        indexes: Iterable[str] = (),
        restriction: Callable[[], Any] | None = None,
        **options: Any,
    ) -> None:
        self._database = database_of(connection_string)
        self.collection = collection
        self.indexes = tuple(indexes)
        self._deployment = shared(connection_string, options)
        self._deployment.connectors.add(self)
        self._decider = Decider(self._deployment, self._database)
        remote_deciders[self._decider.address.place] = self._decider
        self._translator = Translator(self.plan)
        self._wanted: list[Index] = []
        self._making = Turn()
        self._made = False
        super().__init__(restriction=restriction)

    def place(self) -> object:
        return self._deployment.hosts, self._database, self._name

    @property
    def _name(self) -> str:
        return self.collection or self.plan.name or "items"

    # one document

    def generate_id(self, o: Document) -> str:
        """A new ObjectId."""
        return str(ObjectId())

    def create(self, o: Document) -> str:
        given = o.get("_id")
        _id = checked_id(self.generate_id(o) if given is None else given)
        raw = encoded(_id, o, self.plan.root)
        with self._writing(raw["_id"]) as (collection, session):
            # Inside a transaction a write that is refused would end it.
            if session is not None and given is not None:
                if collection.find_one(
                    {"_id": raw["_id"]}, {"_id": 1}, session=session
                ):
                    raise DuplicateIdError(f"_id {_id!r:.100} is already there")
            collection.insert_one(raw, session=session)
        return _id

    def get_by_id(self, _id: str) -> Document:
        key = _key(_id)
        with translated():
            raw = self._kept().find_one({"_id": key}, session=self._session())
        if raw is None:
            raise not_found(_id)
        return decoded(raw)

    def save(self, _id: str, o: Document) -> None:
        key = _key(_id)
        raw = encoded(_id, o, self.plan.root)
        with self._writing(key) as (collection, session):
            found = collection.replace_one({"_id": key}, raw, session=session)
        if not found.matched_count:
            raise not_found(_id)

    def delete_by_id(self, _id: str) -> bool:
        key = _key(_id)
        with self._writing(key) as (collection, session):
            found = collection.delete_one({"_id": key}, session=session)
        if not found.deleted_count:
            raise not_found(_id)
        return True

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        key = _key(_id)
        raw = encoded(_id, new, self.plan.root)
        with self._writing(key) as (collection, session):
            return self._if_same(
                key,
                expected,
                lambda same: (
                    collection.replace_one(same, raw, session=session).matched_count
                ),
                session,
            )

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        key = _key(_id)
        with self._writing(key) as (collection, session):
            return self._if_same(
                key,
                expected,
                lambda same: collection.delete_one(same, session=session).deleted_count,
                session,
            )

    def _if_same(
        self,
        key: Any,
        expected: Document,
        write: Callable[[Raw], int],
        session: ClientSession | None,
    ) -> bool:
        """Write if the document still is ``expected``, in whatever order and types."""
        _id = text_id(key)
        raw = encoded(_id, expected, self.plan.root)
        for _ in range(_TRIES):
            if write({"_id": key, "$expr": {"$eq": ["$$ROOT", {"$literal": raw}]}}):
                return True
            current = self.raw(key, session)
            if current is None:
                raise not_found(text_id(key))
            if not same_document(
                decoded({**current}), {**expected, "_id": text_id(key)}
            ):
                return False
            raw = current
        return False

    def edit_lists(self, _id: str, edits: Sequence[ListEdit], values: Document) -> bool:
        key = _key(_id)
        paths = [edit.path for edit in edits]
        both = any(edit.add and edit.remove for edit in edits)
        # MongoDB makes one change of a field at a time.
        if both or len({*paths}) < len(paths):
            return False
        if not all(map(self._translator.is_list, paths)):
            return False
        change = update_of(edits, encoded(_id, values, self.plan.root))
        lists = {".".join(edit.path): {"$type": "array"} for edit in edits}
        with self._writing(key) as (collection, session):
            found = collection.update_one(
                {"_id": key, **lists}, change, session=session
            )
            if found.matched_count:
                return True
            if self.raw(key, session) is None:
                raise not_found(_id)
        return False

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        keys = {_id: bson_id(_id) for _id in ids if _is_id(_id)}
        found: dict[str, Document] = {}
        for some in batched(keys.values(), _BATCH):
            for document in self._find({"_id": {"$in": [*some]}}):
                found[document["_id"]] = document
        return [found[_id] for _id in keys if _id in found]

    def drop(self) -> None:
        with self._writing(None) as (collection, session):
            collection.delete_many({}, session=session)

    # many documents

    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
    ) -> list[Document]:
        """Documents by a filter, a projection and a sort in MongoDB's own language."""
        wanted: list[Raw] = [select_filter] if select_filter else []
        pushed, residual = self.split(ALWAYS)
        wanted += [] if isinstance(pushed, Always) else [self._translator.where(pushed)]
        find = partial(
            self._find,
            {"$and": wanted} if wanted else {},
            projection or None,
            sort=[*(sort_object or {}).items()],
        )
        if isinstance(residual, Always):
            return [*find(skip=num_of_element_to_skip, limit=page_size)]
        end = num_of_element_to_skip + page_size if page_size else None
        return [*filter(predicate(residual), find())][num_of_element_to_skip:end]

    def own_filter(self, native: Any) -> Filter:
        if not native:
            return ALWAYS

        def read() -> Iterable[str]:
            return (one["_id"] for one in self.select(native, {"_id": 1}))

        return Condition(("_id",), Op.IN, OwnIds(native, read), Kind.STRING)

    def can_push(self, leaf: Condition | Element) -> bool:
        return self._translator.can_push(leaf)

    def can_sort(self, key: SortKey) -> bool:
        return self._translator.can_sort(key)

    def accepts(self, tree: Filter) -> bool:
        return is_small(tree)

    def find_pushed(self, query: Query) -> list[Document]:
        if query.skip > _TOO_FAR:
            return []
        return [
            *self._find(
                self._translator.where(query.filter),
                sort=self._translator.sort(query.sort),
                skip=query.skip,
                limit=query.limit,
            )
        ]

    def count_pushed(self, tree: Filter) -> int:
        with translated():
            return self._kept().count_documents(
                self._translator.where(tree), session=self._session()
            )

    def find_values(self, tree: Filter, path: tuple[str, ...]) -> list[str]:
        pushed, residual = self.split(tree)
        if not isinstance(residual, Always) or not path or not path[0]:
            return super().find_values(tree, path)
        wanted = self._translator.where(pushed)
        odd = path[0].startswith("$") or "." in path[0]
        found = self._find(wanted, None if odd else {path[0]: 1})
        return list(
            dict.fromkeys(one for each in found for one in texts_at(each, path))
        )

    def scan(self) -> Iterator[Document]:
        pushed, residual = self.split(ALWAYS)
        found = self._find(self._translator.where(pushed), sort=[("_id", 1)])
        yield from filter(predicate(residual), found)

    def _find(
        self, wanted: Raw, projection: Raw | None = None, **options: Any
    ) -> Iterator[Document]:
        """The documents, one after the other, a batch of them in memory."""
        with translated():
            with self._kept().find(
                wanted,
                projection,
                session=self._session(),
                batch_size=_SCANNED,
                **options,
            ) as cursor:
                for raw in cursor:
                    yield decoded(raw)

    # indexes

    def bind(self, plan: ItemPlan) -> None:
        """Take the plan.

        :raises PathNotFoundError: an index names no field that can be indexed.
        :raises SSyntaxError: a field has the name that what BSON cannot say has.
        """
        super().bind(plan)
        if plan.root.field(EXACT) is not None:
            raise SSyntaxError("a collection in MongoDB has no field {0}", EXACT)
        self._translator = Translator(plan)
        self._wanted = wanted_indexes(self._translator, plan, self.indexes)
        self._made = False

    def _make_indexes(self, collection: Collection[Raw]) -> None:
        """Once in a process. Whoever may not make indexes goes without."""
        with self._making:
            if self._made:
                return
            with translated():
                try:
                    make_indexes(collection, self._wanted)
                    if self._deployment.transactions:
                        self._decider.make()
                except OperationFailure as error:
                    _log.error("%s: no indexes: %s", collection.full_name, error)
            self._made = True

    # transactions

    def transaction_place(self) -> str:
        if self._deployment.transactions:
            return self._deployment.place
        return super().transaction_place()

    @property
    def records(self) -> bool:
        return not self._deployment.transactions

    def begin(self, timeout: float) -> Transaction:
        """A transaction of MongoDB where it has them."""
        if not self._deployment.transactions:
            return super().begin(timeout)
        # What is made after it has begun would be in its way.
        for connector in list(self._deployment.connectors):
            if connector.plan.name and not connector._made:
                connector._kept()
        self._kept()
        return MongoTransaction(self._deployment, self._database)

    def raw(self, key: Any, session: ClientSession | None) -> Raw | None:
        """What is stored under a key of MongoDB, as it is stored, by now."""
        with translated():
            newest = self._kept().with_options(read_preference=ReadPreference.PRIMARY)
            return newest.find_one({"_id": key}, session=session)

    def put_back(
        self, key: Any, before: Raw | None, session: ClientSession | None
    ) -> None:
        """Store again what :meth:`raw` gave."""
        with translated():
            if before is None:
                self._kept().delete_one({"_id": key}, session=session)
            else:
                self._kept().replace_one(
                    {"_id": key}, before, upsert=True, session=session
                )

    # connections

    def connect(self) -> None:
        """See that the deployment answers; nothing else needs this.

        :raises DBError: it does not.
        """
        with translated():
            self._client().admin.command("ping")

    def close(self) -> None:
        """Close the client, unless other connectors use it; the next use opens it
        again."""
        self._deployment.leave(self)

    def _client(self) -> MongoClient[Raw]:
        self._deployment.use(self)
        return self._deployment.client

    def _kept(self) -> Collection[Raw]:
        """The collection, with its indexes."""
        database = self._client().get_database(self._database, CODEC)
        collection = database.get_collection(self._name)
        if not self._made:
            self._make_indexes(collection)
        return collection

    def _session(self) -> ClientSession | None:
        """That of the unit in progress, if it is a transaction of MongoDB."""
        if active() is None:
            return None
        transaction = self.joined()
        return (
            transaction.session if isinstance(transaction, MongoTransaction) else None
        )

    @contextmanager
    def _writing(
        self, key: Any
    ) -> Iterator[tuple[Collection[Raw], ClientSession | None]]:
        """Around a write to the document with this key; None: to all of them."""
        transaction = self.join()
        if not isinstance(transaction, MongoTransaction):
            with translated():
                yield self._kept(), None
            return
        try:
            with translated():
                session = transaction.session
                for one in [key] if key is not None else self._keys(session):
                    transaction.touch(self, one)
                yield self._kept(), session
        except TransientError:
            transaction.lost = True
            raise

    def _keys(self, session: ClientSession) -> list[Any]:
        return [
            one["_id"] for one in self._kept().find({}, {"_id": 1}, session=session)
        ]


def _is_id(_id: object) -> bool:
    try:
        checked_id(_id)
    except DBError:
        return False
    return True


def _key(_id: str) -> Any:
    """How an id that should be there is stored. :raises NotFoundError:"""
    if not _is_id(_id):
        raise not_found(_id)
    return bson_id(_id)
