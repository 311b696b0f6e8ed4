"""What people see: messages, tables and progress bars, all on stderr."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import track

__all__ = ["console", "plain", "progress", "say"]

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""It honours ``NO_COLOR`` and leaves colours out where there is no terminal."""


def say(text: str) -> None:
    """Print the text as it is: brackets in it are no markup."""
    console.print(text, markup=False)


def plain(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in text
    )


def progress[T](name: str, rows: Iterable[T], total: int | None = None) -> Iterable[T]:
    """The same rows, with a bar that shows how many are done, on a terminal only.

    :param total: how many rows there are; None: as ``rows`` knows, if it does.
    """
    return track(
        rows,
        description=f"{name:14}",
        total=total,
        console=console,
        disable=not console.is_terminal,
    )
