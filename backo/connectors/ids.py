"""The ids of items that were given none."""

import os
import secrets
import threading
import time

__all__ = ["new_id"]


class _Clock:
    """Gives UUIDv7 numbers, each greater than the one before (RFC 9562, 6.2 method 2):
    48 bits of milliseconds, then 74 that are random or count on from the last."""

    def __init__(self) -> None:
        self.last = 0
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()

    def tick(self) -> int:
        now = (time.time_ns() // 1_000_000 << 74) | secrets.randbits(73)
        with self.lock:
            if now <= self.last:
                now = self.last + 1 + secrets.randbits(32)
            self.last = now
        return now


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    # A child forked while another thread held the lock would wait for ever.
    os.register_at_fork(after_in_child=_clock.reset)


def new_id() -> str:
    """A UUIDv7 as text; inside a process each sorts after the one before."""
    tick = _clock.tick()
    head, middle, tail = tick >> 74, tick >> 62 & 0xFFF, tick & (1 << 62) - 1
    text = f"{head << 80 | 7 << 76 | middle << 64 | 2 << 62 | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
