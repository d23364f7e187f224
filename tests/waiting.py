"""The one way in which a test waits for what no event tells: it looks again, up to a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from isinglass import clock

LIMIT_SECONDS = 60.0  # for what takes a second on a machine that has nothing else to do
LOOK_SECONDS = 0.03

T = TypeVar("T")


def wait_until(look: Callable[[], T], what: str, limit_seconds: float = LIMIT_SECONDS) -> T:
    """Look until there is something; return it, or fail with what was waited for."""
    end_ns = clock.monotonic_ns() + int(limit_seconds * 1e9)
    while not (found := look()):
        assert clock.monotonic_ns() < end_ns, f"in {limit_seconds:g} s it was never so: {what}"
        clock.sleep(LOOK_SECONDS)
    return found
