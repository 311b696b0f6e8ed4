"""Checks that filters, sorts and pages mean what they mean in memory."""

from collections.abc import Iterable, Iterator

from backo.connectors.base import DBConnector, Document, Query
from backo.connectors.testing.documents import any_documents, random_documents
from backo.connectors.testing.expecting import equal
from backo.connectors.testing.making import Checks, Make, chances, fill, ids, plant
from backo.connectors.testing.queries import any_queries, random_queries
from backo.query.filter import Condition, Op, SortKey, order, predicate
from backo.schema.plan import Kind

__all__ = ["QUERIES", "finds_what_they_mean", "checks"]

checks = Checks()

QUERIES = 3_000
"""Random queries of documents of the plan's shape."""
_AT_ONCE = 500
"""Queries of the same documents."""
_DOCUMENTS = 12


def finds_what_they_mean(
    connector: DBConnector, stored: list[Document], queries: Iterable[Query]
) -> None:
    """:raises AssertionError: one of the queries finds, orders or counts otherwise."""
    for query in queries:
        matching = list(filter(predicate(query.filter), stored))
        end = query.skip + query.limit if query.limit else None
        wanted = order(matching, query.sort)[query.skip : end]
        equal(ids(connector.find(query)), ids(wanted), f"{query}")
        equal(connector.count(query.filter), len(matching), f"the count of {query}")


@checks.always
def random_queries_find_what_they_mean(make: Make) -> None:
    connector = make()
    for number in range(QUERIES // _AT_ONCE):
        stored = _anew(connector, random_documents(number, _DOCUMENTS), number)
        queries = random_queries(number, _AT_ONCE, ids(stored))
        finds_what_they_mean(connector, stored, queries)


@checks.always
def no_documents_are_found_where_there_are_none(make: Make) -> None:
    finds_what_they_mean(make(), [], random_queries(1, 50))


@checks.any_shape
def random_filters_of_any_shape_find_what_they_mean(make: Make) -> None:
    connector = make()
    for stored, queries in _of_any_shape(connector):
        unsorted = (Query(one.filter, (), one.skip, one.limit) for one in queries)
        finds_what_they_mean(connector, stored, unsorted)


@checks.any_shape
def random_sorts_of_any_shape_order_as_they_mean(make: Make) -> None:
    connector = make()
    for stored, queries in _of_any_shape(connector):
        for query in queries:
            wanted = ids(order(stored, query.sort))
            found = ids(connector.find(Query(sort=query.sort)))
            equal(found, wanted, f"{query.sort}")


def _of_any_shape(
    connector: DBConnector,
) -> Iterator[tuple[list[Document], list[Query]]]:
    for number in range(8):
        stored = _anew(connector, any_documents(number, _DOCUMENTS), number)
        names = ids(stored)
        own = random_queries(number, 50, names)
        yield stored, [*any_queries(number, 250, names), *own]


@checks.any_shape
def what_stores_take_for_the_same_is_told_apart(make: Make) -> None:
    connector = make()
    for documents, query in _ODD:
        connector.drop()
        finds_what_they_mean(connector, fill(connector, *documents), [query])


def _anew(
    connector: DBConnector, documents: list[Document], seed: int
) -> list[Document]:
    connector.drop()
    return plant(connector, documents, chances(seed))


_ODD: tuple[tuple[list[Document], Query], ...] = (
    (
        [{"title": "a\0b"}, {"title": "a"}, {"title": ["a"]}],
        Query(
            Condition(("title",), Op.EQ, "a", Kind.STRING), (SortKey(("title",), True),)
        ),
    ),
    (
        [{"pages": 2**63 + 1}, {"pages": 2**63}, {"pages": 10**30}],
        Query(
            Condition(("pages",), Op.GT, 5, Kind.INT),
            (SortKey(("pages",), True, Kind.INT),),
        ),
    ),
)
