"""``python -m examples.bookcase`` is ``backo demo``."""

import sys

from backo.cli import main

if __name__ == "__main__":
    main(["demo", *sys.argv[1:]])
