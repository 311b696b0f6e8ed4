"""How a subcommand fails: a message on stderr and an exit status, no traceback."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from backo.cli.console import say

__all__ = ["CommandError", "UsageError", "guarded", "told"]


class CommandError(Exception):
    """Ends the command with its text on stderr and exit status 1."""

    status = 1


class UsageError(CommandError):
    """The command was asked wrongly: exit status 2."""

    status = 2


_TRACEBACK = inspect.Parameter(
    "traceback",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--traceback", help="Show where in the code it fails.")
    ],
)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The subcommand with the option ``--traceback``; without it, whatever it raises is
    told in a line or two."""

    @functools.wraps(command)
    def run(*, traceback: bool, **options: Any) -> None:
        try:
            command(**options)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if traceback:
                raise
            say(f"Error: {told(error)}")
            raise typer.Exit(_status(error)) from None

    signature = inspect.signature(command)
    parameters = [*signature.parameters.values(), _TRACEBACK]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _status(error: Exception) -> int:
    return error.status if isinstance(error, CommandError) else 1


def told(error: BaseException) -> str:
    """What went wrong, for people; the name of the error where it says little else."""
    text = str(error)
    if isinstance(error, CommandError):
        return text
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    notes = getattr(error, "__notes__", ())
    return "\n".join([": ".join(filter(None, [type(error).__name__, text])), *notes])
