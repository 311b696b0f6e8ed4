"""Schemas full of functions, and what they mean for documents.

A :class:`Spec` says one field. ``schema`` makes field types of specs; :class:`Oracle`
says, by plain Python over plain dicts, what a store must hold and what is answered
after each step. It knows nothing of nodes, plans and models.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Computed", "Oracle", "RefusedError", "Spec", "num", "schema"]

type Document = dict[str, Any]
type Get = Callable[[str], Any]
"""From a dotted path to the plain value there; None where none exists."""
type Specs = tuple["Spec", ...]


class RefusedError(Exception):
    """The oracle refuses the document."""


def num(value: Any) -> int:
    """Any value as a number, so that functions of them never fail."""
    if isinstance(value, dict):
        return num(value["n"]) if "n" in value else sum(map(num, value.values()))
    if isinstance(value, list):
        return sum(map(num, value))
    return value or 0


@dataclasses.dataclass(frozen=True)
class Computed:
    """``set=``, heard at the paths ``listens`` (None: anywhere)."""

    function: Callable[[Get], Any]
    listens: tuple[str, ...] | None = None
    stored: bool = False


@dataclasses.dataclass(frozen=True, repr=False)
class Spec:
    """One field; its functions take ``get``, and some the value and the one before."""

    name: str
    kind: str = "int"
    """``int``, ``dict``, ``ints`` (a List of Ints) or ``rows`` (a List of Dicts)."""
    fields: Specs = ()
    """Of the Dict, or of each of the rows."""
    default: Any = None
    late: Callable[[Get], Any] | None = None
    """A callable default."""
    required: bool = False
    transform: Callable[[Get, Any, Any], Any] | None = None
    of_element: Callable[[Get, Any, Any], Any] | None = None
    """The transform of each of the ``ints``."""
    constraint: Callable[[Get, Any, Any], bool] | None = None
    enum: Callable[[Get], list[Any]] | None = None
    exists: Callable[[Get], bool] | None = None
    computed: Computed | None = None

    def __repr__(self) -> str:
        said = [
            f"{one.name}={value!r}"
            for one in dataclasses.fields(self)
            if (value := getattr(self, one.name)) != one.default
        ]
        return f"Spec({', '.join(said)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """As hypothesis prints what it found."""
        printer.text(repr(self))

    @property
    def stored(self) -> bool:
        """Whether the store keeps it."""
        return self.computed is None or self.computed.stored


# -- as field types ----------------------------------------------------------------


def schema(types: Any, specs: Specs) -> dict[str, Any]:
    """The fields, by the types of the module ``types``: backo, or stricto."""
    return {one.name: _node(types, one) for one in specs}


def _node(types: Any, spec: Spec) -> Any:
    options = dict(_options(spec))
    if spec.kind == "dict":
        return types.Dict(schema(types, spec.fields), **options)
    if spec.kind == "rows":
        return types.List(types.Dict(schema(types, spec.fields)), **options)
    if spec.kind == "ints":
        own = {} if spec.of_element is None else {"transform": _of(spec.of_element)}
        return types.List(types.Int(**own), **options)
    return types.Int(**options)


def _options(spec: Spec) -> Iterator[tuple[str, Any]]:
    if spec.default is not None:
        yield "default", copy.deepcopy(spec.default)
    if (late := spec.late) is not None:
        yield "default", lambda root: late(_getter(root))
    if spec.required:
        yield "required", True
    if spec.transform is not None:
        yield "transform", _of(spec.transform)
    if spec.constraint is not None:
        yield "constraint", _of(spec.constraint)
    if (enum := spec.enum) is not None:
        yield "enum", lambda value, root: enum(_getter(root))
    if (exists := spec.exists) is not None:
        yield "exists", lambda value, root: exists(_getter(root))
    if (computed := spec.computed) is not None:
        yield "set", _set(computed)
        if computed.stored:
            yield "views", ["save"]


def _set(computed: Computed) -> Any:
    def function(root: Any) -> Any:
        return computed.function(_getter(root))

    if computed.listens is None:
        return function
    paths = [f"$.{path}" for path in computed.listens]
    return function, paths if len(paths) > 1 else paths[0]


def _of(function: Callable[[Get, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    return lambda root, value, old: function(_getter(root), value, _plain(old))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.get_value() if hasattr(value, "get_value") else value


def _getter(root: Any) -> Get:
    def get(path: str) -> Any:
        node = root
        for name in path.split("."):
            node = None if node is None else node.get(name)
        return _plain(node)

    return get


# -- as documents ------------------------------------------------------------------


class Oracle:
    """What one item of such fields is. ``state`` is all it holds, hidden or not."""

    def __init__(self, specs: Specs) -> None:
        self.specs = specs
        self.state: Document = {}
        self.stored: Document = {}
        self.given: set[tuple[int, str]] = set()
        """Which field of which dict in ``state`` was given."""

    def create(self, body: Document) -> Document:
        """The answer to a new item. :raises RefusedError:"""
        _shaped(self.specs, body)
        self.state, before = _new(self.specs), _new(self.specs)
        self._assign(self.specs, self.state, before, body)
        self._late(self.specs, self.state)
        self._compute(lambda *_: True, before)
        return self._accepted(before)

    def read(self) -> Document:
        """The answer to a question for the item."""
        self._load()
        return self._shown(self.specs, self.state)

    def update(self, body: Document) -> Document:
        """The answer to changes. :raises RefusedError:"""
        self._load()
        before = copy.deepcopy(self.state)
        self._assign(self.specs, self.state, before, body)
        self._compute(self._hears, before)
        return self._accepted(before)

    def _accepted(self, before: Document) -> Document:
        self._check(self.specs, self.state, before)
        answer = self._shown(self.specs, self.state)
        self.stored = _kept(self.specs, answer)
        return answer

    def _load(self) -> None:
        self.state = _new(self.specs)
        _overlay(self.specs, self.state, self.stored)

        def due(spec: Spec, conditional: bool, holder: Document, _: Any) -> bool:
            absent = holder[spec.name] == _new((spec,))[spec.name]
            return not spec.stored or (conditional and absent)

        self._compute(due, self.state)

    def get(self, path: str) -> Any:
        """The value at a path, as functions see it."""
        specs, held = self.specs, self.state
        *above, last = path.split(".")
        for name in above:
            spec = _named(specs, name)
            if spec is None or not self._exists(spec):
                return None
            specs, held = spec.fields, held[name]
        spec = _named(specs, last)
        if spec is None or not self._exists(spec):
            return None
        return self._shown_value(spec, held[last])

    def _exists(self, spec: Spec) -> bool:
        return spec.exists is None or spec.exists(self.get)

    def _shown(self, specs: Specs, holder: Document) -> Document:
        return {
            spec.name: self._shown_value(spec, holder[spec.name])
            for spec in specs
            if self._exists(spec)
        }

    def _shown_value(self, spec: Spec, value: Any) -> Any:
        if spec.kind == "dict":
            return self._shown(spec.fields, value)
        if spec.kind == "rows" and value is not None:
            return [self._shown(spec.fields, one) for one in value]
        return copy.deepcopy(value)

    def _assign(
        self, specs: Specs, holder: Document, before: Document, values: Document
    ) -> None:
        for spec in specs:
            if spec.name not in values:
                continue
            self.given.add((id(holder), spec.name))
            value, old = values[spec.name], before[spec.name]
            if spec.transform is not None:
                value = spec.transform(self.get, value, old)
            if spec.kind == "dict":
                self._assign(spec.fields, holder[spec.name], old, value)
            else:
                holder[spec.name] = self._elements(spec, value)

    def _elements(self, spec: Spec, value: Any) -> Any:
        if spec.kind == "ints" and spec.of_element is not None and value is not None:
            return [spec.of_element(self.get, one, None) for one in value]
        if spec.kind != "rows" or value is None:
            return copy.deepcopy(value)
        rows = []
        for one in value:
            row = _new(spec.fields)
            self._assign(spec.fields, row, _new(spec.fields), one)
            rows.append({**row, NEW: True})
        return rows

    def _late(self, specs: Specs, holder: Document) -> None:
        for spec in specs:
            if spec.late is not None and (id(holder), spec.name) not in self.given:
                holder[spec.name] = spec.late(self.get)
            elif spec.kind == "dict":
                self._late(spec.fields, holder[spec.name])

    def _compute(
        self, due: Callable[[Spec, bool, Document, Any], bool], before: Document
    ) -> None:
        """Names say the order: what a function reads has a name before its own."""
        found = sorted(_computed(self.specs, self.state), key=lambda one: one[0].name)
        for spec, conditional, holder in found:
            if holder.get(NEW) or due(spec, conditional, holder, before):
                assert spec.computed is not None
                value = spec.computed.function(self.get)
                if spec.kind == "dict":
                    holder[spec.name].update(value)
                else:
                    holder[spec.name] = value
        for spec in self.specs:
            for row in self.state[spec.name] or [] if spec.kind == "rows" else []:
                row.pop(NEW, None)

    def _hears(self, spec: Spec, _: bool, _holder: Document, before: Document) -> bool:
        assert spec.computed is not None
        listens = spec.computed.listens
        return listens is None or any(
            _held(self.state, path) != _held(before, path) for path in listens
        )

    def _check(self, specs: Specs, holder: Document, before: Document | None) -> None:
        for spec in specs:
            if self._exists(spec):
                old = None if before is None else before[spec.name]
                self._check_one(spec, holder[spec.name], old)

    def _check_one(self, spec: Spec, value: Any, old: Any) -> None:
        if spec.required and value is None:
            raise RefusedError(f"{spec.name} is required")
        if value is None:
            return
        if spec.kind == "dict":
            self._check(spec.fields, value, old)
            old = None
        if spec.kind == "rows":
            for row in value:
                self._check(spec.fields, row, None)
            old = None
        shown = self._shown_value(spec, value)
        if spec.enum is not None and shown not in spec.enum(self.get):
            raise RefusedError(f"{spec.name} is none of its enum")
        if spec.constraint is not None and not spec.constraint(self.get, shown, old):
            raise RefusedError(f"{spec.name} breaks its constraint")


NEW = " new"
"""Marks a row that was given now."""


def _named(specs: Specs, name: str) -> Spec | None:
    return next((one for one in specs if one.name == name), None)


def _shaped(specs: Specs, body: Document) -> None:
    """A Dict that is given is given with all it must have, whether it exists or not:
    that is in the document."""
    for spec in specs:
        for below in spec.fields if spec.kind == "dict" and spec.name in body else ():
            due = below.default is not None or below.late or below.exists
            if below.required and not due and body[spec.name].get(below.name) is None:
                raise RefusedError(f"{spec.name} is given without {below.name}")


def _new(specs: Specs) -> Document:
    return {
        one.name: _new(one.fields) if one.kind == "dict" else copy.deepcopy(one.default)
        for one in specs
    }


def _overlay(specs: Specs, holder: Document, stored: Document) -> None:
    for spec in specs:
        if spec.name not in stored:
            continue
        value = stored[spec.name]
        if spec.kind == "dict":
            _overlay(spec.fields, holder[spec.name], value)
        elif spec.kind == "rows" and value is not None:
            holder[spec.name] = [_new(spec.fields) for _ in value]
            for row, one in zip(holder[spec.name], value, strict=True):
                _overlay(spec.fields, row, one)
        else:
            holder[spec.name] = copy.deepcopy(value)


def _kept(specs: Specs, shown: Document) -> Document:
    kept: Document = {}
    for spec in specs:
        if not spec.stored or spec.name not in shown:
            continue
        value = shown[spec.name]
        if spec.kind == "dict":
            kept[spec.name] = _kept(spec.fields, value)
        elif spec.kind == "rows" and value is not None:
            kept[spec.name] = [_kept(spec.fields, one) for one in value]
        else:
            kept[spec.name] = copy.deepcopy(value)
    return kept


def _computed(
    specs: Specs, holder: Document, conditional: bool = False
) -> Iterator[tuple[Spec, bool, Document]]:
    """Computed fields, whether a function says that they exist, and what holds them."""
    for spec in specs:
        depends = conditional or spec.exists is not None
        if spec.computed is not None:
            yield spec, depends, holder
        elif spec.kind == "dict":
            yield from _computed(spec.fields, holder[spec.name], depends)
        elif spec.kind == "rows":
            for row in holder[spec.name] or []:
                yield from _computed(spec.fields, row, depends)


def _held(state: Any, path: str) -> Any:
    for name in path.split("."):
        state = state.get(name) if isinstance(state, dict) else None
    return state
