"""``exists``, ``set``, ``transform``, ``constraint``, callable defaults and enums:
what is stored and answered is what an oracle says, and what stricto itself does."""

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import pydantic
import stricto
from hypothesis import given, settings
from hypothesis import strategies as st

import backo
from backo import Backoffice, Collection, Item
from backo.access import Changes
from backo.connectors.base import Query
from backo.connectors.memory import DBMemoryConnector
from backo.errors import VALUE_ERRORS
from backo.query.parse import parse_python
from tests.callables import Computed, Oracle, RefusedError, Spec, num, schema

type Document = dict[str, Any]

INPUTS = ("a", "b", "c", "d.p", "l")


@dataclasses.dataclass(frozen=True)
class Total:
    """The sum of what is at some paths, and a number more."""

    reads: tuple[str, ...]
    more: int = 0

    def __call__(self, get: Any) -> int:
        return sum(num(get(path)) for path in self.reads) + self.more


@dataclasses.dataclass(frozen=True)
class Shaped:
    """A total in another form."""

    total: Total
    shape: str

    def __call__(self, get: Any) -> Any:
        total = self.total(get)
        return {"ints": [total, total + 1], "part": {"s": total}}.get(
            self.shape, {"s": total, "t": total + 2}
        )


@dataclasses.dataclass(frozen=True)
class Even:
    path: str
    wanted: bool

    def __call__(self, get: Any) -> bool:
        return (num(get(self.path)) % 2 == 0) is self.wanted


@dataclasses.dataclass(frozen=True)
class Within:
    """At most the total; with ``leap``, at most so far from the value before."""

    total: Total
    leap: int | None = None

    def __call__(self, get: Any, value: Any, old: Any) -> bool:
        near = self.leap is None or old is None or num(value) - num(old) <= self.leap
        return near and num(value) <= self.total(get) + 20


@dataclasses.dataclass(frozen=True)
class OneOf:
    total: Total

    def __call__(self, get: Any) -> list[int]:
        return list(range(-30, 25 + self.total(get)))


@dataclasses.dataclass(frozen=True)
class Plus:
    """The value and more, which is another at each time it is asked."""

    total: Total
    old: bool = False

    def __call__(self, get: Any, value: Any, old: Any) -> Any:
        more = self.total(get) + (num(old) if self.old else 0)
        if isinstance(value, dict):
            return {**value, "p": more}
        if isinstance(value, list):
            return [*value, more]
        return None if value is None else value + more


# -- random specs ------------------------------------------------------------------

numbers = st.integers(-3, 9)


def totals(*among: str) -> st.SearchStrategy[Total]:
    reads = st.lists(st.sampled_from(among), min_size=1, max_size=2, unique=True)
    return st.builds(Total, reads.map(tuple), st.integers(0, 2))


def maybe(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.none() | one


inputs = totals(*INPUTS)
conditions = st.builds(Even, st.sampled_from("ab"), st.booleans())
bounds = st.builds(Within, inputs)
changes = st.builds(Plus, inputs)


@st.composite
def computed(
    draw: Any, shape: str | None = None, chain: tuple[str, ...] = ()
) -> Computed:
    """``chain``: the computed fields it may read."""
    others = [("r",), ("d",), ("e", "f", "a", "b"), (*chain, "a", "b")] if chain else []
    sources = draw(st.sampled_from([INPUTS, *others]))
    total = draw(totals(*sources))
    listens = [None, total.reads]
    if sources is INPUTS:
        listens.append(total.reads[:1])
    function = total if shape is None else Shaped(total, shape)
    return Computed(function, draw(st.sampled_from(listens)), draw(st.booleans()))


@st.composite
def ints(draw: Any, name: str, *, exists: bool = True) -> Spec:
    due = draw(st.sampled_from(["none", "default", "late"]))
    return Spec(
        name,
        default=draw(numbers) if due == "default" else None,
        late=draw(inputs) if due == "late" else None,
        required=draw(st.booleans()),
        transform=draw(maybe(st.builds(Plus, inputs, st.booleans()))),
        constraint=draw(maybe(st.builds(Within, inputs, maybe(st.integers(3, 9))))),
        enum=draw(maybe(st.builds(OneOf, inputs))),
        exists=draw(maybe(conditions)) if exists else None,
    )


@st.composite
def computed_ints(draw: Any, name: str, chain: tuple[str, ...] = ()) -> Spec:
    return Spec(
        name,
        computed=draw(computed(chain=chain)),
        constraint=draw(maybe(bounds)),
        exists=draw(maybe(conditions)),
    )


@st.composite
def dicts(draw: Any) -> Spec:
    fields = [draw(ints("p")), draw(ints("q")), draw(computed_ints("dw"))]
    return Spec(
        "d",
        "dict",
        fields=tuple(draw(st.permutations(fields))),
        transform=draw(maybe(changes)),
        constraint=draw(maybe(bounds)),
        exists=draw(maybe(conditions)),
    )


@st.composite
def lists(draw: Any) -> Spec:
    return Spec(
        "l",
        "ints",
        default=draw(maybe(st.lists(numbers, max_size=2))),
        transform=draw(maybe(changes)),
        of_element=draw(maybe(changes)),
        constraint=draw(maybe(st.builds(Within, inputs, maybe(st.integers(3, 9))))),
        exists=draw(maybe(conditions)),
    )


@st.composite
def rows(draw: Any) -> Spec:
    fields = [
        Spec("n"),
        Spec("m", transform=draw(maybe(changes)), exists=draw(maybe(conditions))),
        draw(computed_ints("dk")),
        Spec("o", default=draw(maybe(numbers)), constraint=draw(maybe(bounds))),
    ]
    return Spec(
        "r",
        "rows",
        fields=tuple(draw(st.permutations(fields))),
        constraint=draw(maybe(bounds)),
        exists=draw(maybe(conditions)),
    )


@st.composite
def computed_wholes(draw: Any) -> list[Spec]:
    shape = draw(st.sampled_from(["whole", "part"]))
    whole = Spec(
        "e",
        "dict",
        fields=(Spec("s"), Spec("t")),
        computed=draw(computed(shape)),
        exists=draw(maybe(conditions)),
    )
    return [whole, Spec("f", "ints", computed=draw(computed("ints")))]


@st.composite
def specs(draw: Any) -> tuple[Spec, ...]:
    """Fields in any order; computed ones read only those of names before theirs."""
    fields = [draw(ints("a", exists=False)), draw(ints("b", exists=False))]
    for some in (
        ints("c"),
        dicts(),
        lists(),
        rows(),
        computed_ints("g"),
        computed_ints("x", ("g",)),
        computed_ints("y", ("g", "x")),
    ):
        if draw(st.booleans()):
            fields.append(draw(some))
    if draw(st.booleans()):
        fields += draw(computed_wholes())
    return tuple(draw(st.permutations(fields)))


@st.composite
def bodies(draw: Any, fields: tuple[Spec, ...]) -> Document:
    """A body of the right types."""
    given = [one for one in fields if one.computed is None and draw(st.booleans())]
    return {one.name: draw(values(one)) for one in given}


def values(spec: Spec) -> st.SearchStrategy[Any]:
    if spec.kind == "dict":
        return bodies(spec.fields)
    found: st.SearchStrategy[Any] = numbers
    if spec.kind == "ints":
        found = st.lists(numbers, max_size=3)
    if spec.kind == "rows":
        found = st.lists(bodies(spec.fields), max_size=2)
    return found if spec.required else found | st.none()


# -- against the oracle ------------------------------------------------------------


def nothing(*_args: Any, **_kwargs: Any) -> None:
    """A handler."""


def yes(*_args: Any) -> bool:
    """A right of everybody."""
    return True


EVENTS = ("loaded", "before_save", "saved", "before_delete")
RIGHTS = ("can_read", "can_create", "can_modify", "can_delete")


def collection(
    fields: tuple[Spec, ...], events: Any = (), rights: Any = ()
) -> Collection:
    """With handlers and rights that change nothing but the way things go."""
    store = DBMemoryConnector()
    store.generate_id = lambda o: "the id"  # type: ignore[method-assign]
    handlers = [(event, nothing) for event in events]
    model = Item(schema(backo, fields), meta_data_handler=None, on=handlers)
    given: Any = dict.fromkeys(rights, yes)
    office = Backoffice("office")
    office.register_collection(Collection("things", model, store, **given))
    return office.collection("things")


def outcome(do: Callable[..., Any], *given: Any) -> Any:
    """What it gave without the id, or that it was refused."""
    try:
        found = do(*copy.deepcopy(given))
    except (RefusedError, pydantic.ValidationError, *VALUE_ERRORS):
        return "refused"
    return without_id(found)


def without_id(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "_id"}


def insert(things: Collection, body: Document) -> Any:
    _, answer = things.access.insert(things.models.create.document(body), "client")
    return answer


def modify(things: Collection, body: Document) -> Any:
    change = things.models.update.document(body)
    made = Changes(lambda _: change, blind=True)
    return things.access.modify("the id", made, "client", None)


def stored(things: Collection) -> Any:
    (found,) = things.db_handler.find(Query())
    return found


def listed(things: Collection, wanted: Any = None) -> list[Document]:
    query = Query(parse_python(wanted, things.plan))
    found = things.access.listing(query, "client", total=True)
    assert found.total == len(found.rows)
    return found.rows


ways = st.tuples(
    *(st.lists(st.sampled_from(names), max_size=1) for names in (EVENTS, RIGHTS))
)


def assert_found(things: Collection, shown: Document) -> None:
    """The item is found by what is shown of it, and by nothing else."""
    for name in "abcxy":
        if things.plan.locate(name) is None:
            continue
        value = shown.get(name)
        # What is absent is null.
        assert len(listed(things, {name: value})) == 1
        assert listed(things, {name: num(value) + 1}) == []


@settings(max_examples=60, deadline=None)
@given(fields=specs(), data=st.data())
def test_requests_store_and_answer_what_the_oracle_says(
    fields: tuple[Spec, ...], data: Any
) -> None:
    things, oracle = collection(fields, *data.draw(ways)), Oracle(fields)
    body = data.draw(bodies(fields))
    made = outcome(partial(insert, things), body)
    assert made == outcome(oracle.create, body)
    if made == "refused":
        assert things.db_handler.count() == 0
        return
    for _ in range(data.draw(st.integers(1, 3))):
        assert without_id(stored(things)) == oracle.stored
        shown = oracle.read()
        assert without_id(things.access.read("the id", "client")) == shown
        assert [*map(without_id, listed(things))] == [shown]
        assert_found(things, shown)
        change = data.draw(bodies(fields))
        changed = outcome(partial(modify, things), change)
        assert changed == outcome(oracle.update, change)
    assert without_id(stored(things)) == oracle.stored


@settings(max_examples=30, deadline=None)
@given(fields=specs(), data=st.data())
def test_items_do_in_python_what_requests_do(
    fields: tuple[Spec, ...], data: Any
) -> None:
    asked, by_items = collection(fields), collection(fields)
    body, change = data.draw(bodies(fields)), data.draw(bodies(fields))
    item = by_items.new_item()

    def create(given: Document) -> Document:
        item.create(given)
        return item.view("client")

    def save(given: Document) -> Document:
        item.set(given)
        item.save()
        return item.view("client")

    made = outcome(partial(insert, asked), body)
    assert outcome(create, body) == made
    if made == "refused":
        return
    item.reload()
    assert outcome(save, change) == outcome(partial(modify, asked), change)
    assert stored(by_items) == stored(asked)


# -- against stricto ---------------------------------------------------------------


@st.composite
def tame(draw: Any) -> tuple[Spec, ...]:
    """Fields that suffer from no fault of stricto's: nothing hears of what is not set
    by itself, and nothing has a default."""

    def leaf(name: str, *, exists: bool = True) -> Spec:
        return Spec(
            name,
            transform=draw(maybe(st.builds(Plus, inputs, st.booleans()))),
            constraint=draw(maybe(st.builds(Within, inputs, maybe(st.just(9))))),
            exists=draw(maybe(conditions)) if exists else None,
        )

    def total(name: str) -> Spec:
        reads = draw(totals("a", "b", "c"))
        return Spec(name, computed=Computed(reads, draw(st.sampled_from([None, "ab"]))))

    below = (leaf("p"), leaf("q"))
    return (
        leaf("a", exists=False),
        leaf("b", exists=False),
        leaf("c"),
        Spec("d", "dict", fields=below, exists=draw(maybe(conditions))),
        Spec("l", "ints", of_element=draw(maybe(st.builds(Plus, totals("a", "b"))))),
        total("x"),
        total("y"),
    )


def changed_by(item: Any, path: str, value: Any) -> Any:
    """What the item is after one of its values was set, or "refused"."""
    *above, last = path.split(".")
    try:
        for name in above:
            item = item[name]
        setattr(item, last, value)
    except (KeyError, *VALUE_ERRORS):
        return "refused"
    return item.get_root().get_value()


@settings(max_examples=60, deadline=None)
@given(fields=tame(), data=st.data())
def test_stricto_itself_does_the_same(fields: tuple[Spec, ...], data: Any) -> None:
    plain = stricto.Dict(schema(stricto, fields))
    ours = backo.Dict(schema(backo, fields)).copy()
    paths = st.sampled_from(["a", "b", "c", "d.p", "d.q", "l"])
    for path in data.draw(st.lists(paths, min_size=1, max_size=6)):
        value = data.draw(st.lists(numbers, min_size=1) if path == "l" else numbers)
        by_stricto = changed_by(plain, path, copy.deepcopy(value))
        if by_stricto == "refused":
            # stricto also checks what is unset, and before all of it has been set.
            return
        assert changed_by(ours, path, value) == by_stricto
