"""Which fields a filter looks at."""

from collections.abc import Iterator

from backo.query.filter import And, Condition, Element, Filter, Linked, Not, Or

__all__ = ["paths_of"]


def paths_of(tree: Filter) -> Iterator[tuple[str, ...]]:
    """The path of every condition, from the document's root."""
    match tree:
        case And(children) | Or(children):
            for child in children:
                yield from paths_of(child)
        case Not(child):
            yield from paths_of(child)
        case Element(path, condition):
            yield path
            yield from (path + below for below in paths_of(condition))
        case Condition(path):
            yield path
        case Linked(hop):
            yield hop.path
        case _:
            return
