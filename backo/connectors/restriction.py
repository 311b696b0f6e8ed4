"""The restriction of a connector, in front of its ways to one document."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from backo.connectors.texts import Document, not_found

if TYPE_CHECKING:
    from backo.connectors.base import DBConnector

__all__ = ["guard", "is_unrestricted", "unrestricted"]

_off: ContextVar[bool] = ContextVar("backo_unrestricted", default=False)


@contextmanager
def unrestricted() -> Iterator[None]:
    """No restriction for what runs inside: what is undone need not be permitted, and
    what nobody may see is there all the same."""
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


def is_unrestricted() -> bool:
    """Whether no restriction counts here."""
    return _off.get()


def _permits(connector: "DBConnector", document: Document) -> bool:
    return is_unrestricted() or connector.permits(document)


def guard(connector: "DBConnector") -> None:
    """Put the restriction before the instance's own ways to one document.

    Done on the instance, so that subclasses with nothing but the six methods obey too.
    """
    connector.__dict__.update(
        get_by_id=partial(_guarded_get, connector, connector.get_by_id),
        get_json=partial(_guarded_text, connector, connector.get_json),
        get_many=partial(_guarded_many, connector, connector.get_many),
        save=partial(_after_get, connector, connector.save),
        edit_lists=partial(_after_get, connector, connector.edit_lists),
        delete_by_id=partial(_after_get, connector, connector.delete_by_id),
        compare_and_set=partial(_if_expected, connector, connector.compare_and_set),
        compare_and_delete=partial(
            _if_expected, connector, connector.compare_and_delete
        ),
    )


def _guarded_get(
    connector: "DBConnector", get: Callable[..., Document], _id: str, **options: Any
) -> Document:
    document = get(_id, **options)
    if not _permits(connector, document):
        raise not_found(_id)
    return document


def _guarded_text(connector: "DBConnector", get: Callable[[str], str], _id: str) -> str:
    text = get(_id)
    if not _permits(connector, json.loads(text)):
        raise not_found(_id)
    return text


def _guarded_many(
    connector: "DBConnector",
    get: Callable[[Iterable[str]], list[Document]],
    ids: Iterable[str],
) -> list[Document]:
    return [document for document in get(ids) if _permits(connector, document)]


def _after_get(
    connector: "DBConnector",
    change: Callable[..., Any],
    _id: str,
    *values: Any,
    **options: Any,
) -> Any:
    with connector._lock:
        connector.get_by_id(_id)
        return change(_id, *values, **options)


def _if_expected(
    connector: "DBConnector",
    change: Callable[..., bool],
    _id: str,
    expected: Document,
    *values: Any,
) -> bool:
    """What is not permitted was never read, so it cannot be what the caller expects."""
    connector.get_by_id(_id)
    return _permits(connector, expected) and change(_id, expected, *values)
