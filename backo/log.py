"""Loggers: one per part of backo, below the logger ``backo``."""

import logging
from enum import IntEnum

__all__ = ["LogLevel", "log_system"]


class LogLevel(IntEnum):
    """The levels of :mod:`logging` under names that need no import of it."""

    DEBUG = logging.DEBUG
    INFO = logging.INFO
    WARNING = logging.WARNING
    ERROR = logging.ERROR
    CRITICAL = logging.CRITICAL


class LogSystem:
    """Gives and adjusts backo's loggers; ``log_system`` is the one instance."""

    def __init__(self) -> None:
        self._root = logging.getLogger("backo")
        self._root.addHandler(logging.NullHandler())

    def get_or_create_logger(
        self, name: str, level: LogLevel | None = None
    ) -> logging.Logger:
        """The logger ``backo.<name>``; its level is set when one is given."""
        logger = self._root.getChild(name)
        if level is not None:
            logger.setLevel(level)
        return logger

    def set_level(self, level: LogLevel, name: str | None = None) -> None:
        """Set the level of all of backo, or of the one part called ``name``."""
        (self._root.getChild(name) if name else self._root).setLevel(level)

    def add_handler(self, handler: logging.Handler) -> None:
        """Send what backo logs to ``handler`` too."""
        self._root.addHandler(handler)


log_system = LogSystem()
