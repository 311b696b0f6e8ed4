"""The checks of connectors fail where a connector does something else."""

import copy
import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from backo import Backoffice, Collection, Item
from backo.connectors.base import Capabilities, DBConnector, Document, Query
from backo.connectors.edits import ListEdit
from backo.connectors.memory import DBMemoryConnector
from backo.connectors.recorded import RecordedTransaction
from backo.connectors.testing import (
    ANY_ID,
    ANY_SHAPE,
    CHECKS,
    GIVEN_IDS,
    PLAN,
    any_documents,
    any_queries,
    fields,
    random_documents,
    random_queries,
)
from backo.connectors.texts import same_document
from backo.connectors.transactions import Turn
from backo.errors import NotFoundError
from backo.query.compare import same
from backo.query.filter import (
    ALWAYS,
    And,
    Condition,
    Element,
    Filter,
    Not,
    Op,
    Or,
    order,
    predicate,
    sort_value,
)
from backo.schema.plan import Kind
from tests.conformance.conftest import SixMethods

CHECKED = {one.__name__: one for one in CHECKS + GIVEN_IDS + ANY_ID + ANY_SHAPE}


# -- connectors that do it wrong ---------------------------------------------------


class SharesDocuments(SixMethods):
    def get_by_id(self, _id: str) -> Document:
        super().get_by_id(_id)
        return self.items[_id]


class KeepsWhatItIsGiven(SixMethods):
    def create(self, o: Document) -> str:
        _id = super().create(o)
        self.items[_id] = o
        o["_id"] = _id
        return _id


class Merges(SixMethods):
    def save(self, _id: str, o: Document) -> None:
        super().save(_id, {**self.get_by_id(_id), **o})


class MovesDocuments(SixMethods):
    def save(self, _id: str, o: Document) -> None:
        super().save(o.get("_id", _id), o)


class CreatesOnSave(SixMethods):
    def save(self, _id: str, o: Document) -> None:
        self.items[_id] = {**copy.deepcopy(o), "_id": _id}


class Overwrites(SixMethods):
    def create(self, o: Document) -> str:
        self.items.pop(str(o.get("_id")), None)
        return super().create(o)


class DeletesTwice(SixMethods):
    def delete_by_id(self, _id: str) -> bool:
        return self.items.pop(_id, None) is not None


class RaisesKeyError(SixMethods):
    def get_by_id(self, _id: str) -> Document:
        return copy.deepcopy(self.items[_id])


class StripsTexts(SixMethods):
    def create(self, o: Document) -> str:
        kept = {k: v.strip() if isinstance(v, str) else v for k, v in o.items()}
        return super().create(kept)


class DropsEmptyLists(SixMethods):
    def create(self, o: Document) -> str:
        return super().create({k: v for k, v in o.items() if v != []})


class DropsNulls(SixMethods):
    def create(self, o: Document) -> str:
        return super().create({k: v for k, v in o.items() if v is not None})


class CutsNames(SixMethods):
    def create(self, o: Document) -> str:
        return super().create({k.partition("\0")[0]: v for k, v in o.items()})


class RoundsNumbers(SixMethods):
    def create(self, o: Document) -> str:
        kept = {
            k: float(v) if isinstance(v, int) and abs(v) > 2**53 else v
            for k, v in o.items()
        }
        return super().create(kept)


class ForgetsToDrop(SixMethods):
    def drop(self) -> None:
        return None


class IgnoresTheRestriction(SixMethods):
    def __init__(self, *, restriction: Any = None) -> None:
        super().__init__()


class GivesManyTwice(SixMethods):
    def get_many(self, ids: Iterable[str]) -> list[Document]:
        found = [self.items[_id] for _id in ids if _id in self.items]
        return copy.deepcopy(found)


class GivesManyInItsOrder(SixMethods):
    def get_many(self, ids: Iterable[str]) -> list[Document]:
        wanted = set(ids)
        return [one for one in self.select({}) if one["_id"] in wanted]


class ComparesLoosely(DBMemoryConnector):
    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        unchanged = self.get_by_id(_id) == expected
        if unchanged:
            self.save(_id, new)
        return unchanged


class ComparesByText(DBMemoryConnector):
    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        unchanged = str(self.get_by_id(_id)) == str(expected)
        if unchanged:
            self.save(_id, new)
        return unchanged


class SetsAlways(SixMethods):
    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        self.save(_id, new)
        return True


class LosesUpdates(SixMethods):
    def compare_and_set(self, _id: str, expected: Document, new: Document) -> bool:
        unchanged = same_document(self.get_by_id(_id), expected)
        if unchanged:
            # Others have the time to read it as well.
            threading.Event().wait(0.001)
            self.save(_id, new)
        return unchanged


class AppendsTwice(SixMethods):
    def edit_lists(self, _id: str, edits: Sequence[ListEdit], values: Document) -> bool:
        document = {**self.get_by_id(_id), **values}
        for edit in edits:
            (name,) = edit.path
            document[name] = [*(document.get(name) or ()), *edit.add]
            threading.Event().wait(0.001)
        self.save(_id, document)
        return True


class DeletesAlways(SixMethods):
    def compare_and_delete(self, _id: str, expected: Document) -> bool:
        return self.delete_by_id(_id)


class NothingUndone(RecordedTransaction):
    def rollback(self) -> None:
        self.log.clear()

    def go_back(self, mark: int) -> None:
        return None


class Undoes(SixMethods):
    """Not at all."""

    def begin(self, timeout: float) -> NothingUndone:
        return NothingUndone(self, timeout)


class LetsWriteMeanwhile(SixMethods):
    """Its units wait for nobody, and nobody for them."""

    def begin(self, timeout: float) -> RecordedTransaction:
        self.__dict__["_backo_turn"] = Turn()
        return RecordedTransaction(self, timeout)

    def save(self, _id: str, o: Document) -> None:
        # Others have the time to read what it was.
        threading.Event().wait(0.001)
        super().save(_id, o)


class ScansByOffset(DBMemoryConnector):
    """Page after page, of what others change meanwhile."""

    def scan(self) -> Iterator[Document]:
        for skip in range(0, 600, 50):
            yield from self.find(Query(skip=skip, limit=50))


class ScansAtOnce(SixMethods):
    def scan(self) -> Iterator[Document]:
        return iter(self.select({})[:100][::-1])


class Forgetful(SixMethods):
    def close(self) -> None:
        self.items.clear()


class Unordered(SixMethods):
    def find(self, query: Query) -> list[Document]:
        return super().find(query)[::-1]


class CountsMore(SixMethods):
    def count(self, tree: Filter = ALWAYS) -> int:
        return super().count(tree) + 1


# -- connectors that find something else -------------------------------------------


class Pushing(SixMethods):
    """Does all itself, leaf by leaf."""

    capabilities = Capabilities(filters=True, sort=True, page=True, count=True)

    def can_push(self, leaf: Condition | Element) -> bool:
        return True

    def find_pushed(self, query: Query) -> list[Document]:
        found = [copy.deepcopy(one) for one in tuple(self.items.values())]
        kept = order(filter(predicate(self.tree(query.filter)), found), query.sort)
        end = query.skip + query.limit if query.limit else None
        return kept[query.skip : end]

    def tree(self, tree: Filter) -> Filter:
        match tree:
            case And(children):
                return And(tuple(map(self.tree, children)))
            case Or(children):
                return Or(tuple(map(self.tree, children)))
            case Not(child):
                return Not(self.tree(child))
            case Condition():
                return self.leaf(tree)
            case Element(condition=condition):
                return dataclasses.replace(tree, condition=self.tree(condition))
        return tree

    def leaf(self, leaf: Condition) -> Filter:
        return leaf


class TakesLessForLessOrEqual(Pushing):
    def leaf(self, leaf: Condition) -> Filter:
        return dataclasses.replace(
            leaf, operator=Op.LTE if leaf.operator is Op.LT else leaf.operator
        )


class FindsNothingAbsentByNe(Pushing):
    """As SQL does."""

    def leaf(self, leaf: Condition) -> Filter:
        exists = dataclasses.replace(leaf, operator=Op.EXISTS, value=True)
        return And((leaf, exists)) if leaf.operator is Op.NE else leaf


class OrdersMomentsAsTexts(Pushing):
    def leaf(self, leaf: Condition) -> Filter:
        is_moment = leaf.kind is Kind.DATETIME
        return dataclasses.replace(leaf, kind=Kind.STRING) if is_moment else leaf


class MatchesAnywhere(Pushing):
    def leaf(self, leaf: Condition) -> Filter:
        if leaf.operator is not Op.REG:
            return leaf
        return dataclasses.replace(leaf, value=f"(?s).*(?:{leaf.value})")


class ForgetsNullInLists(Pushing):
    def leaf(self, leaf: Condition) -> Filter:
        if leaf.operator not in (Op.IN, Op.NIN):
            return leaf
        some = tuple(one for one in leaf.value if one is not None)
        return dataclasses.replace(leaf, value=some)


class FindsNoEmptyLists(Pushing):
    def tree(self, tree: Filter) -> Filter:
        if isinstance(tree, Element) and tree.every:
            filled = Not(Condition(tree.path, Op.SIZE, 0, Kind.LIST))
            return And((super().tree(tree), filled))
        return super().tree(tree)


class RoundsBounds(Pushing):
    def leaf(self, leaf: Condition) -> Filter:
        if not isinstance(leaf.value, int) or leaf.operator in (Op.EXISTS, Op.SIZE):
            return leaf
        return dataclasses.replace(leaf, value=float(leaf.value))


class SortsAbsentLast(Pushing):
    def find_pushed(self, query: Query) -> list[Document]:
        found = super().find_pushed(dataclasses.replace(query, skip=0, limit=0))
        for key in reversed(query.sort):
            found.sort(key=lambda one: one.get(key.path[0]) is None)  # noqa: B023
        end = query.skip + query.limit if query.limit else None
        return found[query.skip : end]


class BreaksTiesByAge(Pushing):
    def find_pushed(self, query: Query) -> list[Document]:
        found = super().find_pushed(Query(query.filter))
        age = list(self.items)
        found.sort(key=lambda one: age.index(one["_id"]))
        for key in reversed(query.sort):
            value = sort_value(key)
            found.sort(key=value, reverse=key.descending)
        end = query.skip + query.limit if query.limit else None
        return found[query.skip : end]


class IgnoresTheLimit(Pushing):
    def find_pushed(self, query: Query) -> list[Document]:
        return super().find_pushed(dataclasses.replace(query, limit=0))


MEANING = "random_queries_find_what_they_mean"

WRONG: list[tuple[type[DBConnector], str]] = [
    (SharesDocuments, "documents_are_private_copies"),
    (KeepsWhatItIsGiven, "documents_are_private_copies"),
    (KeepsWhatItIsGiven, "create_leaves_what_it_is_given_alone"),
    (Merges, "save_replaces_the_whole"),
    (MovesDocuments, "save_keeps_the_id"),
    (CreatesOnSave, "what_is_not_there_is_not_found"),
    (CreatesOnSave, "what_was_deleted_is_not_found"),
    (CreatesOnSave, "a_hostile_id_leads_nowhere"),
    (Overwrites, "an_id_that_is_there_is_refused"),
    (Overwrites, "one_of_many_creates_wins"),
    (Overwrites, "an_id_that_is_there_is_refused_inside_a_unit"),
    (DeletesTwice, "what_is_not_there_is_not_found"),
    (RaisesKeyError, "what_is_deleted_is_gone"),
    (StripsTexts, "documents_come_back_as_they_were"),
    (StripsTexts, "any_document_comes_back_as_it_was"),
    (DropsEmptyLists, "documents_come_back_as_they_were"),
    (DropsNulls, "any_document_comes_back_as_it_was"),
    (RoundsNumbers, "documents_come_back_as_they_were"),
    (RoundsNumbers, "random_filters_of_any_shape_find_what_they_mean"),
    (CutsNames, "fields_may_have_any_names"),
    (Unordered, "random_sorts_of_any_shape_order_as_they_mean"),
    (ForgetsToDrop, "drop_deletes_all"),
    (IgnoresTheRestriction, "a_restriction_hides_documents"),
    (IgnoresTheRestriction, "a_restriction_may_be_an_or_beside_the_query"),
    (IgnoresTheRestriction, "a_restriction_holds_for_a_scan"),
    (IgnoresTheRestriction, "a_restriction_holds_for_values"),
    (GivesManyTwice, "get_many_gives_each_in_the_order_asked_for"),
    (GivesManyTwice, "get_many_finds_odd_ids"),
    (GivesManyInItsOrder, "get_many_of_a_thousand"),
    (ComparesLoosely, "compare_and_set_knows_true_from_one"),
    (ComparesLoosely, "compare_and_set_knows_a_text_from_its_number"),
    (ComparesByText, "compare_and_set_in_another_order_of_fields"),
    (SetsAlways, "compare_and_set_looks_at_all_of_a_document"),
    (SetsAlways, "compare_and_set_replaces_what_was_read"),
    (LosesUpdates, "no_update_is_lost_between_threads"),
    (AppendsTwice, "lists_are_edited_whatever_else_is_changed"),
    (AppendsTwice, "no_edit_is_lost_between_threads"),
    (DeletesAlways, "compare_and_delete_deletes_what_was_read"),
    (Undoes, "a_unit_that_raises_leaves_no_trace"),
    (Undoes, "a_part_that_raises_is_undone_alone"),
    (Undoes, "what_a_unit_deleted_and_made_again_comes_back"),
    (Undoes, "a_failure_before_any_call_leaves_no_trace"),
    (Undoes, "a_failure_after_any_call_leaves_no_trace"),
    (LetsWriteMeanwhile, "single_writers_wait_for_the_unit"),
    (LetsWriteMeanwhile, "units_of_threads_lose_nothing"),
    (ScansByOffset, "a_scan_while_others_write_between"),
    (ScansAtOnce, "a_scan_gives_any_number_of_documents"),
    (ScansAtOnce, "a_scan_gives_what_find_gives"),
    (Forgetful, "it_can_be_used_after_close"),
    (Unordered, "without_a_sort_documents_come_by_id"),
    (Unordered, "ids_are_ordered_as_texts"),
    (Unordered, "sort_skip_and_limit"),
    (CountsMore, "no_documents_are_found_where_there_are_none"),
    (TakesLessForLessOrEqual, MEANING),
    (FindsNothingAbsentByNe, MEANING),
    (OrdersMomentsAsTexts, MEANING),
    (MatchesAnywhere, MEANING),
    (ForgetsNullInLists, MEANING),
    (FindsNoEmptyLists, MEANING),
    (RoundsBounds, MEANING),
    (SortsAbsentLast, MEANING),
    (BreaksTiesByAge, MEANING),
    (IgnoresTheLimit, MEANING),
]


@pytest.mark.parametrize(("wrong", "check"), WRONG)
def test_a_check_fails_where_it_should(wrong: type[DBConnector], check: str) -> None:
    with pytest.raises((AssertionError, KeyError, NotFoundError)):
        CHECKED[check](wrong)


def test_pushing_is_not_what_is_wrong() -> None:
    CHECKED[MEANING](Pushing)


def test_they_need_no_test_runner() -> None:
    code = "import sys, backo.connectors.testing; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"pytest", "hypothesis", "fastapi", "flask"} & set(ran.stdout.split())


# -- what is drawn -----------------------------------------------------------------


def test_the_same_is_drawn_each_time() -> None:
    for draw in (random_documents, any_documents, random_queries, any_queries):
        assert list(draw(1, 20)) == list(draw(1, 20))
        assert list(draw(1, 20)) != list(draw(2, 20))


def test_documents_of_the_plans_shape_are_what_the_schema_lets_pass() -> None:
    office = Backoffice("office")
    item = Item(fields(), meta_data_handler=None)
    store = DBMemoryConnector()
    office.register_collection(Collection("books", item, store))
    for document in random_documents(1, 200):
        created = office.books.create(dict(document))
        stored = store.get_by_id(created._id.get_value())
        del stored["_id"]
        assert same(document, stored)


def test_queries_ask_for_every_field_and_operator() -> None:
    leaves = [
        one for query in random_queries(1, 3_000) for one in conditions(query.filter)
    ]
    assert {one.operator for one in leaves} == set(Op) - {Op.CONTAINS, Op.ALL}
    assert {one.path[0] for one in leaves if one.path} >= {
        one.name for one in PLAN.fields
    }
    # A Complex is a Dict, and what a FreeDict holds is compared as any JSON.
    assert {one.kind for one in leaves} == set(Kind)


def conditions(tree: Filter) -> Iterator[Condition]:
    match tree:
        case And(children) | Or(children):
            for child in children:
                yield from conditions(child)
        case Not(child) | Element(condition=child):
            yield from conditions(child)
        case Condition():
            yield tree
