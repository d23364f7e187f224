"""Somebody who waits until an update is in the store, or on the disk: a client, above all."""

from __future__ import annotations

from collections.abc import Callable

from isinglass.errors import IsinglassError

Done = Callable[[IsinglassError | None], None]
"""Called when it is reached, or with the error why it will not be."""


class Waiter:
    """Somebody who is told when a place is reached: in the store, or on the disk."""

    __slots__ = ("done", "durable", "place")

    def __init__(self, place: int, durable: bool, done: Done) -> None:
        self.place, self.durable, self.done = place, durable, done
