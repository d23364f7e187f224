"""Delivers messages in the background: a thread a notifier, so that none holds up another."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from isinglass import clock
from isinglass_monitor.alarms.notifiers import Message, Notifier, Outbox
from isinglass_monitor.alarms.sending import DeliveredInPart, NotDelivered, send

END_SECONDS = 2.0


class Delivery:
    """One notifier at work."""

    def __init__(self, notifier: Notifier) -> None:
        self.notifier, self.outbox = notifier, Outbox()
        self._condition = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(
            target=self._run, name=f"notify-{notifier.name}", daemon=True
        )

    def start(self, waiting: list[Any]) -> None:
        """Begin, with the messages that an earlier life could not deliver."""
        self.outbox.restore(_now(), waiting)
        self._thread.start()

    def put(self, message: Message) -> None:
        """Have a message delivered."""
        with self._condition:
            self.outbox.put(_now(), message)
            self._condition.notify()

    def end(self) -> None:
        """Let the delivery in hand end, for some seconds; what waits is for the next life."""
        with self._condition:
            self._ending = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    def document(self) -> dict[str, Any]:
        """Return how it goes, and what waits."""
        with self._condition:
            box = self.outbox
            return {
                "name": self.notifier.name,
                "kind": self.notifier.kind,
                "waiting": len(box),
                "delivered": box.delivered,
                "failures": box.failures,
                "given_up": box.given_up,
                "trouble": box.trouble,
            }

    def waiting(self) -> list[Any]:
        """Return what outlives the monitor."""
        with self._condition:
            return self.outbox.document()

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                send(self.notifier, message)
            except DeliveredInPart as error:
                with self._condition:
                    self.outbox.was_delivered(message, str(error))
            except NotDelivered as error:
                with self._condition:
                    self.outbox.has_failed(_now(), message, str(error))
            else:
                with self._condition:
                    self.outbox.was_delivered(message)

    def _next(self) -> Message | None:
        with self._condition:
            while not self._ending:
                if (message := self.outbox.due(_now())) is not None:
                    return message
                self._condition.wait(self.outbox.wait_seconds(_now()))
        return None


def deliveries(
    notifiers: Mapping[str, Notifier], waiting: Mapping[str, list[Any]]
) -> dict[str, Delivery]:
    """Start a delivery for each notifier; return them by name."""
    made = {name: Delivery(notifier) for name, notifier in notifiers.items()}
    for name, delivery in made.items():
        delivery.start(waiting.get(name, []))
    return made


def _now() -> float:
    return clock.monotonic_ns() / clock.NANOSECONDS_PER_SECOND
