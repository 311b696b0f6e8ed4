"""Conditions on other items, said of the document that points to them."""

from backo.query.filter import (
    Always,
    And,
    Condition,
    Filter,
    Hop,
    Linked,
    Never,
    Not,
    Or,
    all_of,
    any_of,
    canonical,
    negate,
)

__all__ = ["linked", "through"]


def linked(hop: Hop, condition: Filter) -> Filter:
    """One item that ``hop`` leads to matches ``condition``."""
    return condition if isinstance(condition, Never) else Linked(hop, condition)


def through(hop: Hop, tree: Filter) -> Filter:
    """What ``tree`` means of a document in which the items that ``hop`` leads to were
    embedded: each condition holds for any of them, and negations are exact."""
    match tree:
        case Always() | Never():
            return tree
        case And(children):
            return all_of(through(hop, child) for child in children)
        case Or(children):
            return any_of(through(hop, child) for child in children)
        case Not(child):
            return negate(through(hop, child))
        case Condition():
            simple = canonical(tree)
            return Linked(hop, tree) if simple is tree else through(hop, simple)
        case _:
            return Linked(hop, tree)
