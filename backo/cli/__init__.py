"""The command ``backo``: it serves, describes, checks and changes a backoffice."""

import sys

__all__ = ["main"]

NEEDED = frozenset({"rich", "typer"})


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    try:
        from backo.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.exit('The command backo needs more: pip install "backo[cli]"')
    app(prog_name="backo")
