"""Python stacks that were taken of processes, kept with the instants at which they were.

They are many lines and few: the newest fifty, some 300 kB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

KEPT = 50
NEAR_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of all threads of one process; `way` says what took them."""

    wall_ns: int
    node: str
    process: str
    pid: int
    way: str
    lines: tuple[str, ...]


def shelf() -> deque[Stacks]:
    """Return a place for the newest ones."""
    return deque(maxlen=KEPT)


def nearest(kept: Iterable[Stacks], node: str, pid: int, at_ns: int) -> Stacks | None:
    """Return the stacks of a process that were taken nearest to a moment; None if none was near."""
    found = min(
        (each for each in kept if (each.node, each.pid) == (node, pid)),
        key=lambda each: abs(each.wall_ns - at_ns),
        default=None,
    )
    if found is None or abs(found.wall_ns - at_ns) > NEAR_SECONDS * 1e9:
        return None
    return found
