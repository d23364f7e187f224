"""The outbox: answers that come later, from any thread, on their way to the clients that wait.

Answers that come together cost one wake-up of the loop and one write a client. What a callback of
the loop brings itself, such as the answer of another node that was asked, goes as soon as the
callback is done: another turn of the loop would look at all sockets first, while the client waits.

    put ──on another thread──▶ waits ──wake-up──▶ delivered
     ├──in `collect`──▶ waits ──the callback is done──▶ delivered
     └──elsewhere on the loop──▶ waits ──next turn──▶ delivered

Each conversation limits what it has in flight, and thereby what waits here.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Answer = list[Any]


class Recipient(Protocol):
    """Who waits for answers."""

    def deliver(self, answers: list[Answer]) -> None:
        """Take answers that were waited for; on the loop's thread."""


class Outbox:
    """The answers that wait for the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Recipient, Answer]] = deque()
        self._due = self._collecting = False
        self._thread_id = 0

    def put(self, recipient: Recipient, answer: Answer) -> None:
        """Let an answer go soon; from any thread."""
        self._waiting.append((recipient, answer))
        if threading.get_ident() != self._thread_id:
            if not self._due:
                self._due = True
                self._loop.call_soon_threadsafe(self._deliver_due)
        elif not self._collecting and not self._due:
            self._due = True
            self._loop.call_soon(self._deliver_due)

    def collect(self, work: Callable[[bytes], None], data: bytes) -> None:
        """Do a callback's work with what came, then deliver the answers that it brought."""
        self._thread_id = threading.get_ident()
        self._collecting = True
        try:
            work(data)
        finally:
            self._collecting = False
            if self._waiting:
                self._deliver()

    def _deliver_due(self) -> None:
        # Before the first look: what is put in from now on brings a wake-up of its own.
        self._due = False
        self._deliver()

    def _deliver(self) -> None:
        grouped: dict[Recipient, list[Answer]] = {}
        while self._waiting:
            recipient, answer = self._waiting.popleft()
            grouped.setdefault(recipient, []).append(answer)
        for recipient, answers in grouped.items():
            recipient.deliver(answers)
