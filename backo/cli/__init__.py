"""The command ``backo``: it serves, describes, checks and changes a backoffice."""

import sys
from collections.abc import Sequence

__all__ = ["main"]

NEEDED = frozenset({"rich", "typer"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, and end the process.

    :param arguments: those of the process, when none are given.
    """
    try:
        from backo.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.exit('The command backo needs more: pip install "backo[cli]"')
    app(arguments, prog_name="backo")
