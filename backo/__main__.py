"""``python -m backo`` is the command ``backo``."""

from backo.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
