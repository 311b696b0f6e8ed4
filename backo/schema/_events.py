"""Events: their handlers stand in the nodes, not in stricto's global table."""

from collections.abc import Callable
from typing import Any

from stricto import EVENT_MANAGER

__all__ = ["Handler", "Handlers", "notify", "registered", "take_registered"]

type Handler = Callable[..., Any]
type Handlers = dict[str, list[Handler]]


def registered(event_id: int) -> Handlers:
    """The handlers that stricto's table has for that node."""
    found: Handlers = EVENT_MANAGER._events_per_object.get(event_id, {})
    return found


def take_registered(event_id: int | None) -> Handlers:
    """Like :func:`registered`; the table has them no longer."""
    found: Handlers = EVENT_MANAGER._events_per_object.pop(event_id, {})
    return found


def notify(node: Any, event: str, root: Any, details: dict[str, Any]) -> None:
    """Call the event's handlers on ``node`` and on every node below that exists,
    whoever may read it: ``handler(event, root, node, **details)``."""
    for handler in tuple(_handlers_of(node).get(event, ())):
        handler(event, root, node, **details)
    for child in _below(node):
        notify(child, event, root, dict(details))


def _below(node: Any) -> list[Any]:
    existing = getattr(type(node), "_node_existing", type(node).get_childs)
    return list(existing(node))


def _handlers_of(node: Any) -> Handlers:
    own = node.__dict__.get("_handlers")
    return registered(node._event_id) if own is None else node._node_handlers()
