"""Ref and RefsList: fields that hold the ids of items of another collection."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from stricto.selector import Selector

from backo.errors import SSyntaxError
from backo.log import log_system
from backo.references.reading import items_of
from backo.schema.reference import DeleteStrategy, FillStrategy, Reference
from backo.schema.selectors import index_of
from backo.schema.types import Dict, List, String

__all__ = ["Ref", "RefsList"]

_logger = log_system.get_or_create_logger("references")

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "coll": "collection",
        "field": "reverse",
        "rev": "reverse",
        "ods": "on_delete",
        "ofs": "on_fill",
    }
)
"""Other names of the options, and the one used inside."""

_OPTIONS = frozenset(_ALIASES.values())


class Neighbourhood(Protocol):
    """What a reference needs of the collection its item belongs to."""

    name: str

    def mistakes_of(self, path: str) -> list[str]: ...

    def get_other_collection(self, name: str) -> Any: ...


def _take_options(kwargs: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """The options of a reference, out of those of its field.

    :raises SSyntaxError: one is given twice, is missing, or has no meaning here.
    """
    taken: dict[str, Any] = {}
    for given in [name for name in kwargs if _ALIASES.get(name, name) in _OPTIONS]:
        name = _ALIASES.get(given, given)
        if name in taken:
            raise SSyntaxError("a reference: {0} is given twice", name)
        if name not in allowed:
            raise SSyntaxError("a Ref takes no {0}", given)
        taken[name] = kwargs.pop(given)
    if not isinstance(taken.get("collection"), str):
        raise SSyntaxError("a reference needs collection=, the name of a collection")
    return taken


def _reverse(options: dict[str, Any]) -> str | None:
    path = options.get("reverse")
    if path is None:
        return None
    if not isinstance(path, str) or not path.strip("$."):
        raise SSyntaxError("a reference: {0} is no path of a field", str(path))
    return "$." + path.removeprefix("$").removeprefix(".").replace("[*]", "")


def _strategy(options: dict[str, Any], default: DeleteStrategy) -> DeleteStrategy:
    strategy = options.get("on_delete", default)
    if not isinstance(strategy, DeleteStrategy):
        raise SSyntaxError("a reference: on_delete is a DeleteStrategy")
    return strategy


class Ref(String):
    """The id of one item of another collection, or unset.

    :param collection: the name of that collection (also ``coll``).
    :param reverse: the path of the field there that points back (``field``, ``rev``):
        a Ref or a RefsList; both are kept right whichever side is changed. Without it
        the reference is one-sided.
    :param on_delete: what becomes of the other item when this one is deleted
        (``ods``); by default it stays, and no longer points back.

    Other options are those of a String. It may be set to an Item, meaning its id.

    :raises SSyntaxError: an option is not valid.
    """

    def __init__(self, **kwargs: Any) -> None:
        allowed = frozenset({"collection", "reverse", "on_delete"})
        options = _take_options(kwargs, allowed)
        super().__init__(**kwargs)
        self.__dict__["_reference"] = Reference(
            collection=options["collection"],
            reverse=_reverse(options),
            on_delete=_strategy(options, DeleteStrategy.UNLINK_REFERENCED_ITEMS),
        )

    def _node_accept(self, value: Any, *, transform: bool = True) -> Any:
        return super()._node_accept(_id_of(value), transform=transform)

    def get_selectors(self, index_or_slice: str | None, sel: Selector) -> Any:
        """The field itself, or what ``sel`` selects in the item it points to; None
        where there is none, or none that the current user may read."""
        if index_or_slice or sel is None or sel.empty():
            return super().get_selectors(index_or_slice, sel)
        home = _home(self)
        if home is None or self._value is None:
            return None
        found = items_of(home, self.__dict__["_reference"].collection, [self._value])
        return found[0].get_selectors(None, sel) if found else None

    def check_syntax(self, event_name: str, root: Any, me: Any, **kwargs: Any) -> None:
        """Log a warning for each mistake in what the field says about the other side;
        see ``Backoffice.check_syntax``."""
        _warn(self)

    def get_schema(self) -> dict[str, Any]:
        """stricto's schema of the field, with ``collection`` and ``reverse``."""
        return _described(super().get_schema(), self)


class RefsList(List):
    """The ids of any number of items of another collection, each once.

    :param collection: the name of that collection (also ``coll``).
    :param reverse: the path of the field there that points back (``field``, ``rev``).
    :param on_delete: what becomes of the other items when this one is deleted
        (``ods``): by default it cannot be deleted while there are any.
    :param on_fill: ``FillStrategy.NOT_FILL`` (``ofs``): the list keeps no ids and is
        set by nobody; the items are found by ``reverse``, which it then must have.

    Other options are those of a List. Items may be put into it, meaning their ids.

    :raises SSyntaxError: an option is not valid.
    """

    def __init__(self, **kwargs: Any) -> None:
        options = _take_options(kwargs, _OPTIONS)
        fill = options.get("on_fill", FillStrategy.FILL)
        if not isinstance(fill, FillStrategy):
            raise SSyntaxError("a RefsList: on_fill is a FillStrategy")
        filled, reverse = fill is FillStrategy.FILL, _reverse(options)
        if not filled and reverse is None:
            raise SSyntaxError("a RefsList that keeps no ids needs reverse=")
        if not filled:
            kwargs["can_modify"] = False
        super().__init__(_Element(), **{"uniq": True, **kwargs})
        self.__dict__["_reference"] = Reference(
            collection=options["collection"],
            reverse=reverse,
            many=True,
            on_delete=_strategy(options, DeleteStrategy.MUST_BE_EMPTY),
            filled=filled,
        )

    def get_selectors(self, index_or_slice: str | None, sel: Selector) -> Any:
        """The list itself, one id (``[0]``), some (``[0:2]``), or what ``sel`` selects
        in those of the items that the current user may read."""
        if sel is None or sel.empty():
            return super().get_selectors(index_or_slice, sel)
        chosen, home = self._node_chosen(index_or_slice), _home(self)
        if chosen is None or home is None:
            return None
        ids = [chosen] if isinstance(chosen, str) else chosen
        found = items_of(home, self.__dict__["_reference"].collection, ids)
        selected = [item.get_selectors(None, sel.copy()) for item in found]
        if isinstance(chosen, str):
            return selected[0] if selected else None
        return [one for one in selected if one is not None]

    def _node_chosen(self, index_or_slice: str | None) -> Any:
        """The id at an index, the ids of a slice or of ``*``; None where there is
        none."""
        ids = self._node_ids()
        if index_or_slice in (None, "*"):
            return ids
        chosen = index_of(index_or_slice or "")
        try:
            return None if chosen is None else ids[chosen]
        except IndexError:
            return None

    def _node_ids(self) -> list[str]:
        if self.__dict__["_reference"].filled:
            return list(self.get_encoded() or [])
        root = self.get_root()
        return [
            one["_id"].get_value()
            for one in self.get_other_with_a_select(root["_id"].get_value())
        ]

    def get_other_with_a_select(self, root_id: str | None) -> list[Any]:
        """The items that point back to the item ``root_id``, found by a query: those
        that the current user may read.

        :raises SSyntaxError: the reference has no ``reverse``, or its collection is
            not there.
        """
        reference, home = self.__dict__["_reference"], _home(self)
        if reference.reverse is None:
            raise SSyntaxError("{0}: has no reverse", self.path_name())
        if home is None or root_id is None:
            return []
        other = home.get_other_collection(reference.collection)
        found: list[Any] = other.pointing_to(reference.reverse, root_id)
        return found

    def check_syntax(self, event_name: str, root: Any, me: Any, **kwargs: Any) -> None:
        """As :meth:`Ref.check_syntax`."""
        _warn(self)

    def get_schema(self) -> dict[str, Any]:
        """stricto's schema of the field, with ``collection`` and ``reverse``."""
        return _described(super().get_schema(), self)


class _Element(String):
    """One id in a RefsList."""

    def _node_accept(self, value: Any, *, transform: bool = True) -> Any:
        return super()._node_accept(_id_of(value), transform=transform)


def _id_of(value: Any) -> Any:
    """The id of an Item; any other value as it is."""
    if isinstance(value, Dict) and "_id" in value.keys():  # noqa: SIM118
        return value.__dict__["_id"].get_value()
    return value


def _home(node: Any) -> Neighbourhood | None:
    """The collection of the item that ``node`` is a field of."""
    home: Neighbourhood | None = node.get_root().__dict__.get("_home")
    return home


def _warn(node: Any) -> None:
    home = _home(node)
    for mistake in home.mistakes_of(node.path_name()) if home is not None else ():
        _logger.warning(mistake)


def _described(schema: dict[str, Any], node: Any) -> dict[str, Any]:
    reference: Reference = node.__dict__["_reference"]
    return {
        **schema,
        "collection": reference.collection,
        "reverse": reference.reverse,
    }
