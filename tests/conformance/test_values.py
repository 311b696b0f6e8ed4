"""The ids that documents hold, found without reading more than is needed."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backo.connectors.base import DBConnector, Document, Query
from backo.query.filter import ALWAYS, NEVER, Condition, Filter, Op, texts_at
from backo.schema.plan import Kind
from tests.conformance.conftest import Make

DOCUMENTS: list[Document] = [
    {"_id": "1", "title": "a", "tags": ["x", "y"], "address": {"zip": "1"}},
    {"_id": "2", "title": None, "tags": [], "address": None},
    {"_id": "3", "title": "a", "tags": "x", "address": [{"zip": "2"}, {"zip": "1"}]},
    {
        "_id": "4",
        "title": "nul\0and é",
        "tags": [1, None, "z"],
        "it's odd": "o'",
        'quoted"': "q",
    },
    {"_id": "5", "title": 5, "address": {"zip": ["3", {"x": 1}]}},
]
PATHS: list[tuple[str, ...]] = [
    *(("_id",), ("title",), ("tags",), ("address", "zip"), ("it's odd",)),
    *(("address",), ("nothing",), ("title", "x"), ('quoted"',)),
]
FILTERS: list[Filter] = [
    ALWAYS,
    NEVER,
    Condition(("title",), Op.EQ, "a", Kind.STRING),
    Condition(("title",), Op.EXISTS, True, Kind.STRING),
    Condition(("_id",), Op.IN, tuple(map(str, range(2, 500))), Kind.STRING),
    # No store of ours can do this itself.
    Condition(("address",), Op.EQ, {"zip": "1"}, Kind.DICT),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(held=st.sets(st.sampled_from(range(len(DOCUMENTS)))))
def test_values_are_those_of_the_documents_found(
    connector: DBConnector, held: set[int]
) -> None:
    connector.drop()
    for number in held:
        connector.create(dict(DOCUMENTS[number]))
    for tree in FILTERS:
        documents = connector.find(Query(tree))
        for path in PATHS:
            expected = {one for each in documents for one in texts_at(each, path)}
            values = connector.find_values(tree, path)
            assert set(values) == expected, (tree, path)
            assert len(values) == len(expected)


def test_a_restriction_holds_for_values(connector_factory: Make) -> None:
    whole = connector_factory()
    for one in DOCUMENTS:
        whole.create(dict(one))
    some = connector_factory(restriction=lambda: {"title": "a"})
    if whole.place() == some.place():
        assert some.find_values(ALWAYS, ("_id",)) == ["1", "3"]
