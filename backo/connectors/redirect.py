"""A collection of another backo server, as a store."""

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlencode

from backo.connectors.base import Capabilities, Query
from backo.connectors.embedded import EmbeddedConnector
from backo.connectors.etags import SeenItems
from backo.connectors.http_answers import Answer, code_of
from backo.connectors.redirect_lists import (
    RefusedFilterError,
    RemoteList,
    after,
    pieces,
)
from backo.connectors.redirect_schema import RemoteSchema, plan_of_meta
from backo.connectors.redirect_transactions import RedirectTransaction
from backo.connectors.restfull import DBRestfullConnector, quoted_id, segment
from backo.connectors.texts import Document, not_found, same_document
from backo.errors import (
    ConflictError,
    DBError,
    Fault,
    NotFoundError,
    PreconditionError,
    ValidationError,
)
from backo.log import log_system
from backo.query.filter import (
    ALWAYS,
    Condition,
    Element,
    Filter,
    Never,
    Op,
    SortKey,
    all_of,
    order,
    predicate,
)
from backo.schema.plan import ItemPlan, Kind

__all__ = ["DBRedirect"]

_log = log_system.get_or_create_logger("connectors.redirect")

_ATTEMPTS = 10
"""How often a change is tried that others come before."""


class DBRedirect(DBRestfullConnector):
    """The collection of that name of another backo server::

        DBRedirect("books", host="books.example.org", prefix="api/bookcase")

    keeps its items at ``https://books.example.org/api/bookcase/books``. Filters, sorts
    and pages are answered there as far as they mean there what they mean here, which
    is learnt from the ``_meta`` of the collection.

    The other server gives ids, and writes ``_id``, ``_meta`` and all else that is
    read-only there: these are not sent. An item is what the view shows there.
    ``compare_and_set`` goes by ``If-Match``: no update is lost, whoever writes. Other
    people's refusals are raised as the errors that they were there, fields and all.

    What a unit of work writes is sent at once and undone if it fails, but for what it
    deletes: see :mod:`backo.connectors.redirect_transactions`.

    :param view: the view to read, ``client`` if it is not said
    :param cache_size: bytes of items kept to be asked for by their ETags; 0: none
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        filters=True, sort=True, page=True, count=True, compare_and_set=True
    )

    def __init__(
        self,
        collection: str,
        *,
        view: str | None = None,
        cache_size: int = 4 * 1024 * 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(endpoint=segment(collection), **kwargs)
        self._collection = f"{self._prefix}/{segment(collection)}"
        self._view = {} if view is None else {"_view": view}
        self._seen = SeenItems(cache_size)
        self._learnt: RemoteSchema | None = None
        self._list = RemoteList(self.ask, self._collection, self._view)

    def bind(self, plan: ItemPlan) -> None:
        super().bind(plan)
        self._learnt = None

    def place(self) -> object:
        return ("redirect", self._uri, self.endpoint)

    def transaction_place(self) -> str:
        return f"redirect:{self._uri}/{self.endpoint}"

    @property
    def records(self) -> bool:
        return True

    def begin(self, timeout: float) -> RedirectTransaction:
        """A transaction of recorded undo, whose deletions wait for its end."""
        return RedirectTransaction(self, timeout)

    # --- One item -----------------------------------------------------------------

    def create(self, o: Document, **kwargs: Any) -> str:
        """Post the document, and give the ``_id`` that it got.

        :raises ValidationError: it brings an ``_id``, or breaks the schema there.
        """
        if o.get("_id") is not None:
            fault = Fault("$._id", "is given by the other server", "read_only")
            raise ValidationError([fault])
        answer = self._written("POST", "", self.schema().sendable(o))
        if answer.body:
            _id = answer.document().get("_id")
        else:
            _id = answer.headers.get("location", "").rpartition("/")[2]
        if not isinstance(_id, str) or not _id:
            raise DBError("the other server does not say which _id it gave")
        self._note(_id, answer)
        return _id

    def get_by_id(self, _id: str, **kwargs: Any) -> Document:
        return self._read(_id)[0]

    def save(self, _id: str, o: Document, **kwargs: Any) -> Any:
        """Replace the item: fields that ``o`` lacks are unset.

        :raises NotFoundError:
        :raises ConflictError: others changed it again and again.
        """
        for _ in range(_ATTEMPTS):
            before, etag = self._read(_id)
            if self._put(_id, before, o, etag):
                return True
        raise ConflictError(f"the item {_id!r:.100} is being changed by others")

    def delete_by_id(self, _id: str, **kwargs: Any) -> bool:
        transaction = self._deferring()
        if transaction is None:
            self.delete_now(_id, None)
        else:
            self._read(_id)
            transaction.removals[_id] = None
        return True

    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        current, etag = self._known(_id, expected)
        if not same_document(current, {**expected, "_id": _id}):
            return False
        return self._put(_id, current, new, etag)

    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        current, etag = self._known(_id, expected)
        if not same_document(current, {**expected, "_id": _id}):
            return False
        transaction = self._deferring()
        if transaction is None:
            return self.delete_now(_id, etag)
        transaction.removals[_id] = etag
        return True

    def drop(self, **kwargs: Any) -> None:
        """Delete every item, one after the other."""
        for one in self.scan():
            try:
                self.delete_by_id(one["_id"])
            except NotFoundError:
                continue

    def delete_now(self, _id: str, etag: str | None) -> bool:
        """Delete the item, whatever transaction there is; with an ETag, only while the
        item still has it: whether it had.

        :raises NotFoundError:
        """
        self._seen.forget(_id)
        answer = self.ask(
            "DELETE",
            self._item(_id),
            headers={} if etag is None else {"If-Match": etag},
            also=frozenset({404, 412}),
        )
        if answer.status == 412:
            return False
        if answer.status == 404:
            error = self.refused("DELETE", answer)
            if not (answer.doubtful and isinstance(error, NotFoundError)):
                raise error
        # Not there, and the first try was never answered: it was that one.
        return True

    def refused(self, method: str, answer: Answer) -> Exception:
        if answer.status in (404, 410) and code_of(answer) != "not_found":
            # Whoever says so knows nothing of items: the path is wrong.
            return DBError(f"{method} {self._uri}: no such collection")
        return super().refused(method, answer)

    def etag_of(self, _id: str) -> str | None:
        """The ETag of the item as it is now. :raises NotFoundError:"""
        return self._get(_id)[1]

    def _item(self, _id: str) -> str:
        query = f"?{urlencode(self._view)}" if self._view else ""
        return f"{self._collection}/{quoted_id(_id)}{query}"

    def _read(self, _id: str) -> tuple[Document, str | None]:
        """The item as the unit in progress sees it, with its ETag.

        :raises NotFoundError:
        """
        transaction = self.joined()
        if isinstance(transaction, RedirectTransaction) and _id in transaction.removals:
            raise not_found(_id)
        return self._get(_id)

    def _get(self, _id: str) -> tuple[Document, str | None]:
        seen = self._seen.get(_id)
        known = {} if seen is None else {"If-None-Match": seen[0]}
        answer = self.ask("GET", self._item(_id), headers=known, also=frozenset({304}))
        if answer.status == 304:
            if seen is None:
                raise DBError("the other server says 304 to what was not asked")
            return self._shown(_id, seen[1]), seen[0]
        self._note(_id, answer)
        return self._shown(_id, answer.body), _etag(answer)

    def _note(self, _id: str, answer: Answer) -> None:
        self._seen.put(_id, _etag(answer), answer.body)

    def _shown(self, _id: str, body: bytes) -> Document:
        document = self.schema().bare(Answer(200, {}, body).document())
        if document.get("_id") != _id:
            raise DBError("the other server answers with another item")
        return document

    def _known(self, _id: str, expected: Document) -> tuple[Document, str | None]:
        """The item, with its ETag: what was seen last when it is what is expected, for
        the other server compares the ETag anyway; else as it is now."""
        seen = self._seen.get(_id)
        transaction = self.joined()
        removed = isinstance(transaction, RedirectTransaction) and (
            _id in transaction.removals
        )
        if seen is not None and not removed:
            document = self._shown(_id, seen[1])
            if same_document(document, {**expected, "_id": _id}):
                return document, seen[0]
        return self._read(_id)

    def _put(
        self, _id: str, before: Document, after: Document, etag: str | None
    ) -> bool:
        """Whether the item was ``before``, by its ETag, and is ``after`` now."""
        changes = self.schema().changes(before, {**after, "_id": _id})
        if not changes and etag is None:
            return True
        if etag is None:
            raise DBError("the other server gives no ETag")
        try:
            answer = self._written("PUT", self._item(_id), changes, etag)
        except PreconditionError:
            self._seen.forget(_id)
            return False
        if answer.status == 412:
            return self._was_written(_id, after)
        self._note(_id, answer)
        return True

    def _was_written(self, _id: str, after: Document) -> bool:
        """Whether the try that was never answered took effect.

        :raises DBError: nobody can tell, for the item was changed since.
        """
        self._seen.forget(_id)
        document = self._get(_id)[0]
        if self.schema().changes(document, {**after, "_id": _id}):
            raise DBError(f"whether {_id!r:.100} was written cannot be told")
        return True

    def _written(
        self, method: str, path: str, content: Document, etag: str | None = None
    ) -> Answer:
        """The answer to a write; 412 only when an earlier try may have been it."""
        query = f"?{urlencode(self._view)}" if self._view else ""
        answer = self.ask(
            method,
            path or self._collection + query,
            content,
            {} if etag is None else {"If-Match": etag},
            also=frozenset({412, 422}),
        )
        if answer.status == 422:
            # It may be another schema than the one that was learnt.
            self._learnt = None
        if answer.ok or (answer.status == 412 and answer.doubtful):
            return answer
        raise self.refused(method, answer)

    def _deferring(self) -> RedirectTransaction | None:
        """The transaction that deletions wait in, if there is one."""
        transaction = self.join()
        if isinstance(transaction, RedirectTransaction) and not transaction.ending:
            return transaction
        return None

    # --- Many items ---------------------------------------------------------------

    def schema(self) -> RemoteSchema:
        """What the other server says of the collection, or, to those it tells nothing,
        what is declared here."""
        if self._learnt is None:
            answer = self.ask(
                "POST",
                f"{self._collection}/_meta",
                idempotent=True,
                also=frozenset({401, 403, 404, 405}),
            )
            plan = (
                plan_of_meta(answer.json(), self.endpoint) if answer.ok else self.plan
            )
            self._learnt = RemoteSchema(plan)
        return self._learnt

    def can_push(self, leaf: Condition | Element) -> bool:
        return all(map(self.schema().answers, pieces(leaf)))

    def accepts(self, tree: Filter) -> bool:
        parts = (all_of([one, after("x" * 36)]) for one in pieces(tree))
        return all(map(self.schema().accepts, parts))

    def can_sort(self, key: SortKey) -> bool:
        return self.schema().sorts(key)

    def find_pushed(self, query: Query) -> list[Document]:
        removed, tree = self._removed(), query.filter
        if isinstance(tree, Never):
            return []
        try:
            if not removed:
                page = self._list.page(query)
                if page is not None:
                    return self._bare(page)
            found = self._bare(self._list.all(tree))
        except RefusedFilterError as error:
            _log.warning("%s: a filter is answered here: %s", self._uri, error)
            self._learnt = None
            test = predicate(tree)
            found = [one for one in self._bare(self._list.all(ALWAYS)) if test(one)]
        kept = order((one for one in found if one["_id"] not in removed), query.sort)
        return kept[query.skip : query.skip + query.limit if query.limit else None]

    def count_pushed(self, tree: Filter) -> int:
        if not self._removed() and not isinstance(tree, Never):
            try:
                return self._list.total(tree)
            except RefusedFilterError:
                self._learnt = None
        return len(self.find_pushed(Query(tree)))

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        wanted = tuple(one for one in dict.fromkeys(ids) if _is_askable(one))
        leaf = Condition(("_id",), Op.IN, wanted, Kind.STRING)
        if not wanted or not (self.can_push(leaf) and self.accepts(leaf)):
            return super().get_many(wanted)
        found = {one["_id"]: one for one in self.find_pushed(Query(leaf))}
        return [found[one] for one in wanted if one in found]

    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Items by a filter as ``Collection.select`` takes it."""
        return EmbeddedConnector.select(
            self,  # type: ignore[arg-type]
            select_filter,
            projection,
            page_size,
            num_of_element_to_skip,
            sort_object,
        )

    def _bare(self, rows: Iterable[Document]) -> list[Document]:
        return [self.schema().bare(one) for one in rows]

    def _removed(self) -> frozenset[str]:
        """What the unit in progress has deleted, and the other server still has."""
        transaction = self.joined()
        if isinstance(transaction, RedirectTransaction):
            return frozenset(transaction.removals)
        return frozenset()


def _is_askable(_id: object) -> bool:
    try:
        return isinstance(_id, str) and bool(_id.encode())
    except UnicodeEncodeError:
        return False


def _etag(answer: Answer) -> str | None:
    """The strong ETag: a proxy that compresses calls it weak (``W/``)."""
    given = answer.headers.get("etag")
    return None if given is None else given.removeprefix("W/")
