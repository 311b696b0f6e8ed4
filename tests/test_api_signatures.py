"""Every class, method, parameter and attribute of the public reference is there, by its
name and in its place. ``api_signatures.txt`` holds the signatures."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backo
from backo import (
    Action,
    Backoffice,
    Collection,
    DeleteStrategy,
    FillStrategy,
    Item,
    Ref,
    RefsList,
    Selection,
    SSyntaxError,
    String,
)
from backo.connectors.memory import DBMemoryConnector

TEXT = Path(__file__).with_name("api_signatures.txt").read_text(encoding="utf-8")

type Lines = dict[str, list[str]]


def classes() -> Lines:
    """The lines about each class: first its own signature, then its base."""
    found: Lines = {}
    for block in TEXT.strip().split("\n\n"):
        lines = block.splitlines()
        found[lines[0].removeprefix("class backo.").partition("(")[0]] = lines
    return found


CLASSES = sorted(classes())


def methods() -> Iterator[tuple[str, str, str]]:
    """Class, method (``__init__`` for the class itself) and signature."""
    for name in CLASSES:
        first, _, *others = classes()[name]
        yield name, "__init__", first.removeprefix("class backo.")
        for line in others:
            found = re.match(r"(?:abstractmethod )?(\w+)\(", line)
            if found:
                yield name, found[1], line.removeprefix("abstractmethod ")


def attributes() -> Iterator[tuple[str, str]]:
    for name in CLASSES:
        for line in classes()[name][2:]:
            if found := re.match(r"(\w+):", line):
                yield name, found[1]


def parameters(signature: str) -> ast.arguments:
    head = re.sub(r"\) .*$", ")", signature)
    tree = ast.parse(f"def {head}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree.args


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_there_with_its_base(name: str) -> None:
    cls = getattr(backo, name)
    assert name in backo.__all__
    base = classes()[name][1].removeprefix("Bases: ")
    assert base in {one.__name__ for one in cls.__mro__[1:]}


@pytest.mark.parametrize(
    ("name", "method", "signature"), list(methods()), ids=lambda one: str(one)[:40]
)
def test_a_method_takes_what_the_reference_says(
    name: str, method: str, signature: str
) -> None:
    cls = getattr(backo, name)
    wanted = parameters(signature)
    if wanted.vararg:
        # An Enum: called with one of its values.
        assert all(cls(one.value) is one for one in cls)
        return
    ours = list(inspect.signature(getattr(cls, method)).parameters.values())[1:]
    kinds = {one.kind for one in ours}
    if wanted.kwarg:
        assert kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    by_place = [one for one in ours if one.kind is one.POSITIONAL_OR_KEYWORD]
    names = [one.arg for one in wanted.args if one.arg != "self"]
    assert [one.name for one in by_place[: len(names)]] == names
    optional = len(wanted.defaults)
    needed = names[: len(names) - optional] if optional else names
    for one in ours:
        if one.kind is one.POSITIONAL_OR_KEYWORD and one.name not in needed:
            assert one.default is not one.empty, f"{one.name} is needed"


def test_the_same_methods_are_abstract() -> None:
    for name in CLASSES:
        lines = [one for one in classes()[name] if one.startswith("abstractmethod")]
        abstract = {re.split(r"[ (]", one)[1] for one in lines}
        assert getattr(backo, name).__dict__.get("__abstractmethods__", set()) == (
            abstract
        )


@pytest.mark.parametrize(("name", "attribute"), list(attributes()))
def test_an_attribute_is_there(name: str, attribute: str) -> None:
    item = Item({"n": String()})
    made: dict[str, Any] = {
        "Backoffice": Backoffice("office"),
        "Collection": Collection("things", item, DBMemoryConnector()),
        "Item": item,
    }
    assert getattr(made[name], attribute) is not None


# -- options, by every name they have ----------------------------------------------


@pytest.mark.parametrize("collection", ["collection", "coll"])
@pytest.mark.parametrize("reverse", ["reverse", "rev", "field"])
@pytest.mark.parametrize("ods", ["ods", "on_delete"])
@pytest.mark.parametrize("ofs", ["ofs", "on_fill"])
def test_references_take_all_names_of_their_options(
    collection: str, reverse: str, ods: str, ofs: str
) -> None:
    said: dict[str, Any] = {collection: "others", reverse: "$.back"}
    strategies: dict[str, Any] = {
        ods: DeleteStrategy.DELETE_REFERENCED_ITEMS,
        ofs: FillStrategy.NOT_FILL,
    }
    for one in (Ref(**said), RefsList(**said, **strategies)):
        reference = one.__dict__["_reference"]
        assert (reference.collection, reference.reverse) == ("others", "$.back")
    assert reference.on_delete is DeleteStrategy.DELETE_REFERENCED_ITEMS
    assert not reference.filled
    with pytest.raises((TypeError, SSyntaxError)):
        Ref(**said, colection="others")


def test_the_options_of_the_others() -> None:
    def yes(*_: Any) -> bool:
        return True

    store = DBMemoryConnector(restriction=lambda: None)
    rights: dict[str, Any] = dict.fromkeys(
        ("can_read", "can_create", "can_delete", "can_modify"), yes
    )
    made = Collection(
        "things", Item({"n": String()}), store, refuse_filter=lambda: {}, **rights
    )
    action = Action({}, lambda action, item: None, can_see=yes, can_execute=True)
    made.add_action("one", action)
    selection = Selection(["$.n"], filter=("n", "$eq", "x"), db_filter={}, can_read=yes)
    made.register_selection("some", selection)
    Backoffice("office").register_collection(made)
    assert set(made.get_meta()["actions"]) == {"one"}
    assert made.get_other_collection("things") is made
