"""Contents that are held by nobody."""

import gc

from backo.files.staging import discard_abandoned

__all__ = ["let_go"]


def let_go() -> None:
    """Have all be discarded that nobody holds any more."""
    gc.collect()
    discard_abandoned()
