"""``module:attribute`` on a command line, as what it names."""

import contextlib
import importlib
import inspect
import operator
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from backo.backoffice import Backoffice
from backo.cli.failures import UsageError, told
from backo.collection import Collection

__all__ = [
    "CollectionName",
    "Target",
    "load_callable",
    "load_collection",
    "load_office",
]

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="The backoffice, as `module:attribute`.",
        show_default=False,
    ),
]
CollectionName = Annotated[
    str,
    typer.Argument(
        metavar="COLLECTION", help="One of its collections.", show_default=False
    ),
]


def load_office(target: str) -> Backoffice:
    """The Backoffice that ``target`` names, or that the function it names gives.

    What its module prints goes to stderr.

    :raises UsageError: there is none, or its module cannot be imported.
    """
    found = _load(target)
    if callable(found):
        found = _called(target, found)
    if not isinstance(found, Backoffice):
        raise UsageError(
            f"{target} is no Backoffice and no function that gives one:"
            f" it is of type {type(found).__name__}."
        )
    return found


def load_collection(target: str, name: str) -> tuple[Backoffice, Collection]:
    """The Backoffice that ``target`` names, and its collection of that name.

    :raises UsageError: there is none.
    """
    office = load_office(target)
    if name not in office.collections:
        names = ", ".join(office.collections) or "none"
        raise UsageError(f"{target} has no collection {name!r}. Its own: {names}.")
    return office, office.collections[name]


def load_callable(target: str) -> Callable[..., Any]:
    """The function or other callable that ``target`` names.

    :raises UsageError: there is none, or its module cannot be imported.
    """
    found = _load(target)
    if not callable(found):
        raise UsageError(
            f"{target} cannot be called: it is of type {type(found).__name__}."
        )
    return found  # type: ignore[no-any-return]


def _load(target: str) -> Any:
    name, _, path = target.partition(":")
    words = [*name.split("."), *path.split(".")]
    if not all(word.isidentifier() for word in words):
        raise UsageError(
            f"{target!r} names nothing: write module:attribute, as in main:office."
        )
    module = _imported(name)
    try:
        return operator.attrgetter(path)(module)
    except AttributeError:
        raise UsageError(f"{name} has no {path}.{_offices_of(module)}") from None


def _offices_of(module: ModuleType) -> str:
    names = [name for name, one in vars(module).items() if isinstance(one, Backoffice)]
    return f" Its backoffices: {', '.join(names)}." if names else ""


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and _begins(name, error.name):
            raise UsageError(f"{error}, looked for in {here} too.") from error
        raise UsageError(f"{name} cannot be imported. {_place(error)}") from error


def _begins(name: str, missing: str | None) -> bool:
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def _called(target: str, function: Callable[..., Any]) -> Any:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise UsageError(
            f"{target} cannot be called without arguments: {error}."
        ) from error
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return function()
    except (Exception, SystemExit) as error:
        raise UsageError(f"{target}() fails. {_place(error)}") from error


def _place(error: BaseException) -> str:
    """What was raised, and the last line of the user's own code on the way there."""
    if isinstance(error, SyntaxError):
        return told(error)
    frames = traceback.extract_tb(error.__traceback__)
    here = Path.cwd()
    own = [one for one in frames if Path(one.filename).is_relative_to(here)]
    last = (own or frames)[-1]
    name = Path(last.filename)
    shown = name.relative_to(here) if own else name
    return f"{shown}, line {last.lineno}: {told(error)}"
