"""The life of an Item, in Python."""

from typing import Any

import pytest

from backo import (
    BackoError,
    Dict,
    DuplicateIdError,
    Int,
    Item,
    List,
    NotFoundError,
    SAttributeError,
    SConstraintError,
    SRightError,
    SSyntaxError,
    String,
    STypeError,
    current_user,
    transaction,
)
from backo.errors import ConflictError
from backo.item import Life
from tests.offices import one

BOOK = {
    "title": String(required=True),
    "pages": Int(min=1),
    "tags": List(String()),
    "shelf": Dict({"row": Int(default=1), "room": String()}),
}


def test_an_item_goes_through_its_life() -> None:
    book = one(BOOK).new_item()
    lives = [book.life]
    book.create({"title": "Emma"})
    lives.append(book.life)
    book.pages = 5
    lives.append(book.life)
    book.save()
    lives.append(book.life)
    book.delete()
    lives.append(book.life)
    saved, unsaved = Life.SAVED, Life.UNSAVED
    assert lives == [Life.UNSET, saved, unsaved, saved, Life.UNSET]


@pytest.mark.parametrize("change", ["append", "nested", "element", "item"])
def test_a_change_at_any_depth_is_unsaved_and_then_stored(change: str) -> None:
    books = one({**BOOK, "parts": List(Dict({"n": Int()}))})
    book = books.create({"title": "Emma", "tags": ["a"], "parts": [{"n": 1}]})
    if change == "append":
        book.tags.append("b")
    elif change == "nested":
        book.shelf.row = 2
    elif change == "element":
        book.parts[0].n = 2
    else:
        book["tags"] = ["c"]
    assert book.life is Life.UNSAVED
    book.save()
    assert books.get_by_id(book._id.get_value()).view("client") == book.view("client")


def test_what_does_not_fit_the_life_is_refused() -> None:
    books = one(BOOK)
    book = books.new_item()
    for act in (book.save, book.delete, book.reload):
        with pytest.raises(BackoError, match="unset"):
            act()
    book.create({"title": "Emma"})
    with pytest.raises(BackoError, match="saved"):
        book.create({"title": "Emma"})
    with pytest.raises(BackoError, match="saved"):
        book.load("x")


def test_an_item_of_no_collection_says_so() -> None:
    with pytest.raises(BackoError, match="no collection"):
        Item(BOOK).create({"title": "Emma"})


def test_load_reads_and_reload_forgets_what_was_not_saved() -> None:
    books = one(BOOK)
    _id = books.create({"title": "Emma"})._id.get_value()
    book = books.new_item()
    book.load(_id)
    book.title = "Other"
    book.reload()
    assert book.title == "Emma"
    assert book.life is Life.SAVED


def test_an_unknown_id_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        one(BOOK).new_item().load("nope")


def test_an_id_can_be_given_once() -> None:
    books = one(BOOK)
    assert books.create({"_id": "emma", "title": "Emma"})._id == "emma"
    with pytest.raises(DuplicateIdError):
        books.create({"_id": "emma", "title": "Emma"})


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, SConstraintError),
        ({"title": None}, SConstraintError),
        ({"title": 5}, STypeError),
        ({"title": "Emma", "pages": 0}, SConstraintError),
        ({"title": "Emma", "nope": 1}, SAttributeError),
        ({"title": "Emma", "shelf": None}, STypeError),
        ({"title": "Emma", "_meta": {"ctime": "2024-01-01T00:00:00"}}, SRightError),
    ],
)
def test_a_wrong_document_is_refused_and_nothing_stored(
    given: dict[str, Any], error: type[Exception]
) -> None:
    books = one(BOOK)
    book = books.new_item()
    with pytest.raises(error):
        book.create(given)
    assert books.select() == []
    assert book.life is Life.UNSET


def test_all_faults_are_told() -> None:
    with pytest.raises(SConstraintError) as caught:
        one(BOOK).create({"title": None, "pages": 0})
    assert len(caught.value.faults) == 2


def test_the_id_cannot_be_changed() -> None:
    book = one(BOOK).create({"title": "Emma"})
    with pytest.raises(SRightError):
        book._id = "other"


def test_a_field_of_a_name_that_backo_adds_is_refused() -> None:
    with pytest.raises(SSyntaxError, match="_id"):
        Item({"_id": String()})


def test_two_saves_of_different_fields_both_stay() -> None:
    books = one(BOOK)
    _id = books.create({"title": "Emma"})._id.get_value()
    first, second = books.get_by_id(_id), books.get_by_id(_id)
    first.title = "Persuasion"
    second.shelf.row = 9
    first.save()
    second.save()
    stored = books.get_by_id(_id)
    assert (stored.title, stored.shelf.row) == ("Persuasion", 9)
    assert second.title == "Persuasion"


def test_a_merge_that_breaks_the_schema_is_refused() -> None:
    books = one(
        {
            "low": Int(),
            "high": Int(constraint=lambda root, value, _old: value > root.low),
        }
    )
    _id = books.create({"low": 1, "high": 10})._id.get_value()
    first, second = books.get_by_id(_id), books.get_by_id(_id)
    first.low = 5
    second.high = 3
    first.save()
    with pytest.raises(SConstraintError):
        second.save()
    assert books.get_by_id(_id).view("client")["high"] == 10


def test_a_save_over_another_document_is_a_conflict() -> None:
    books = one(BOOK)
    book = books.create({"title": "Emma"})
    other = books.get_by_id(book._id.get_value())
    other.title = "Other"
    other.save()
    with pytest.raises(ConflictError):
        book.delete_over(book.document)
    book.pages = 3
    with pytest.raises(ConflictError):
        book.save_over(book.document)
    assert books.get_by_id(book._id.get_value()).title == "Other"


def test_saving_what_has_been_deleted_is_not_found() -> None:
    books = one(BOOK)
    book = books.create({"title": "Emma"})
    books.get_by_id(book._id.get_value()).delete()
    book.pages = 3
    with pytest.raises(NotFoundError):
        book.save()


def test_events_come_in_order_with_what_the_caller_passes() -> None:
    seen: list[tuple[str, Any]] = []

    def note(event: str, _root: Any, _me: Any, **kwargs: Any) -> None:
        seen.append((event, kwargs.get("transaction_id")))

    names = ["before_save", "saved", "created", "loaded", "before_delete"]
    books = one(BOOK, item={"on": [(name, note) for name in names]})
    number = transaction.start()
    book = books.create({"title": "Emma"}, transaction_id=number)
    book.pages = 2
    book.save(transaction_id=number)
    book = books.get_by_id(book._id.get_value(), transaction_id=number)
    book.delete(transaction_id=number)
    transaction.stop(number)
    assert seen == [
        ("before_save", number),
        ("saved", number),
        ("created", number),
        ("before_save", number),
        ("saved", number),
        ("loaded", number),
        ("before_delete", number),
    ]


def test_a_handler_that_raises_undoes_the_write() -> None:
    failing: set[str] = set()

    def fail(event: str, *_: Any, **__: Any) -> None:
        if event in failing:
            raise RuntimeError(event)

    events = ["before_save", "saved", "created", "before_delete"]
    books = one(BOOK, item={"on": [(name, fail) for name in events]})
    book = books.create({"title": "Emma"})
    before = books.db_handler.get_by_id(book._id.get_value())
    for event in events:
        failing = {event}
        if event != "before_delete":
            with pytest.raises(RuntimeError):
                books.create({"title": "Other"})
        if event != "created":
            with pytest.raises(RuntimeError):
                change(books.get_by_id(book._id.get_value()), event)
        assert books.db_handler.count() == 1
        assert books.db_handler.get_by_id(book._id.get_value()) == before


def change(book: Item, event: str) -> None:
    """Do what triggers ``event``."""
    if event == "before_delete":
        book.delete()
    else:
        book.pages = 4
        book.save()


def test_what_a_handler_changes_before_a_save_is_stored() -> None:
    def slug(_event: str, root: Any, _me: Any, **_: Any) -> None:
        root.slug = root.title.get_value().lower()

    schema = {"title": String(), "slug": String()}
    books = one(schema, item={"on": [("before_save", slug)]})
    book = books.create({"title": "Emma"})
    assert books.get_by_id(book._id.get_value()).slug == "emma"


def test_a_computed_value_is_not_stored_unless_it_says_so() -> None:
    books = one(
        {
            "title": String(),
            "loud": String(set=lambda root: root.title.get_value().upper()),
            "kept": String(set=lambda root: root.title.get_value() * 2, views=["save"]),
        }
    )
    book = books.create({"title": "Em"})
    stored = books.db_handler.get_by_id(book._id.get_value())
    assert "loud" not in stored
    assert stored["kept"] == "EmEm"
    assert books.get_by_id(book._id.get_value()).loud == "EM"


def test_keys_that_the_schema_does_not_know_survive_a_save() -> None:
    books = one(BOOK)
    stored = {"_id": "x", "title": "Emma", "old": 1, "shelf": {"row": 2, "attic": True}}
    books.db_handler.create(stored)
    book = books.get_by_id("x")
    book.pages = 3
    book.save()
    after = books.db_handler.get_by_id("x")
    assert after["old"] == 1
    assert after["shelf"] == {"row": 2, "room": None, "attic": True}


def test_a_callable_default_is_called_for_each_new_item_only() -> None:
    numbers = iter(range(9))
    books = one({"n": Int(default=lambda _root: next(numbers)), "m": Int()})
    first, second = books.create({}), books.create({"n": 7})
    assert (first.n, second.n) == (0, 7)
    books.db_handler.create({"_id": "bare"})
    assert books.get_by_id("bare").n == None  # noqa: E711 - a node, not None itself
    assert books.create({}).n == 1


def test_a_right_on_a_field_is_asked_of_the_current_user() -> None:
    def admin(_right: str, _item: Any) -> bool:
        return bool(current_user.has_role("ADMIN"))

    books = one({"title": String(), "price": Int(can_modify=admin, can_read=admin)})
    with pytest.raises(SAttributeError, match="no field"):
        books.create({"title": "Emma", "price": 3})
    current_user.set({"_id": "1", "login": "eve", "roles": ["ADMIN"]})
    book = books.create({"title": "Emma", "price": 3})
    assert book.view("client")["price"] == 3
    current_user.logout()
    assert "price" not in books.get_by_id(book._id.get_value()).view("client")
    plain = books.get_by_id(book._id.get_value())
    plain.title = "Other"
    plain.save()
    assert books.db_handler.get_by_id(book._id.get_value())["price"] == 3


def test_a_right_that_fails_stays_on() -> None:
    calls: list[str] = []

    def fails_once(right: str, _item: Any) -> bool:
        calls.append(right)
        if len(calls) == 1:
            raise RuntimeError
        return False

    book = one({"price": Int(can_read=fails_once)}).new_item()
    with pytest.raises(RuntimeError):
        book.get("price")
    assert book.get("price") is None


def test_a_field_that_may_not_be_modified_is_a_missing_right() -> None:
    books = one({"title": String(), "price": Int(can_modify=lambda *_: False)})
    with pytest.raises(SRightError, match="price"):
        books.create({"title": "Emma", "price": 3})
    book = books.create({"title": "Emma"})
    with pytest.raises(SRightError, match="price"):
        book.price = 3


@pytest.mark.parametrize("password", [None, "short"])
def test_a_field_that_is_only_written_is_checked(password: str | None) -> None:
    secret = String(required=True, pattern="^.{8}", can_read=False)
    users = one({"login": String(), "password": secret})
    with pytest.raises(SConstraintError, match="password"):
        users.create({"login": "ann", "password": password})
    user = users.create({"login": "ann", "password": "long enough"})
    assert "password" not in user.view("client")
    user.login = "eve"
    user.save()
    stored = users.db_handler.get_by_id(user._id.get_value())
    assert stored["password"] == "long enough"


def test_fields_named_like_methods_are_kept() -> None:
    names = ["copy", "get", "save", "load", "view", "life", "keys", "json", "select"]
    books = one({name: String() for name in names})
    book = books.create({name: name.upper() for name in names})
    assert books.get_by_id(book._id.get_value())["save"] == "SAVE"
    book["copy"] = "other"
    book.save()
    assert books.db_handler.get_by_id(book._id.get_value())["copy"] == "other"
