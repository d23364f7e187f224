"""What the monitor does when it is ordered to; every order is checked before it is obeyed; pure.

{"do": "acknowledge", "alarm": 7, "by": "ada"}
{"do": "silence", "rule": "lag", "node": "*", "reason": "...", "by": "ada", "seconds": 3600}
{"do": "announce", "kind": "chaos", "node": "alder", "reason": "...", "by": "...", "seconds": 60}
{"do": "end", "number": 3}            a silence or an announcement
{"do": "test", "notifier": "mail"}    "" for all of them
{"do": "forget", "node": "alder"}     off the scoreboard
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Any

from isinglass.cli.options import near
from isinglass_monitor.alarms.book import AlarmBook
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import Scoreboard

LONGEST_TEXT = 500


class Refused(Exception):
    """The order cannot be obeyed; one sentence says why."""


class Obeying:
    """Obeys orders on one book and one board.

    Args:
        test: sends a trial message by the notifier of that name, or by all for ""; returns their
            names.
    """

    def __init__(
        self, book: AlarmBook, board: Scoreboard, test: Callable[[str], list[str]]
    ) -> None:
        self._book, self._board, self._test = book, board, test
        self._orders: Mapping[str, Callable[[Moment, dict[str, Any]], dict[str, Any]]] = {
            "acknowledge": self._acknowledge,
            "silence": self._silence,
            "announce": self._announce,
            "end": self._end,
            "test": self._try,
            "forget": self._forget,
        }

    def obey(self, now: Moment, order: Any) -> dict[str, Any]:
        """Do what an order says, and return the answer: what was done, or why it was refused."""
        try:
            deed = order.get("do") if isinstance(order, dict) else None
            if not isinstance(deed, str) or deed not in self._orders:
                raise Refused("This monitor does not know that order.")
            return {"refused": "", **self._orders[deed](now, order)}
        except Refused as error:
            return {"refused": str(error)}
        except ValueError as error:
            return {"refused": f"It was not done: {error}."}

    def _acknowledge(self, now: Moment, order: dict[str, Any]) -> dict[str, Any]:
        number = _whole(order, "alarm")
        alarm = self._book.acknowledge(now, number, _text(order, "by"))
        if alarm is None:
            raise Refused(f"Alarm {number} is not raised: `isinglass alarms` lists those that are.")
        return {"alarm": alarm.document()}

    def _silence(self, now: Moment, order: dict[str, Any]) -> dict[str, Any]:
        rule, rules = _text(order, "rule"), list(self._book.rules)
        if not any(fnmatchcase(name, rule) for name in rules):
            raise Refused(
                f"There is no rule {rule!r}{near(rule, rules)}: `isinglass alarms check` lists"
                " them, '*' is all of them."
            )
        made = self._book.holdings.silence(
            now.wall_ns,
            rule,
            _text(order, "node"),
            _text(order, "reason"),
            _text(order, "by"),
            _end_of(now, order),
        )
        return {"silence": asdict(made)}

    def _announce(self, now: Moment, order: dict[str, Any]) -> dict[str, Any]:
        made = self._book.holdings.announce(
            now.wall_ns,
            _text(order, "kind"),
            _text(order, "node"),
            _text(order, "reason"),
            _text(order, "by"),
            _end_of(now, order),
        )
        return {"announcement": asdict(made)}

    def _end(self, _: Moment, order: dict[str, Any]) -> dict[str, Any]:
        number = _whole(order, "number")
        if not self._book.holdings.end(number):
            raise Refused(f"There is no silence or announcement {number}.")
        return {}

    def _try(self, _: Moment, order: dict[str, Any]) -> dict[str, Any]:
        return {"notifiers": self._test(_text(order, "notifier"))}

    def _forget(self, _: Moment, order: dict[str, Any]) -> dict[str, Any]:
        node = _text(order, "node")
        if not self._board.forget(node):
            raise Refused(f"There is no node {node} on the scoreboard.")
        return {}


def _text(order: dict[str, Any], key: str) -> str:
    value = order.get(key)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not (value + " ").isprintable():
        raise ValueError(f"{key} is text on one line, of at most {LONGEST_TEXT} characters")
    return value


def _whole(order: dict[str, Any], key: str) -> int:
    value = order.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is a whole number")
    return value


def _end_of(now: Moment, order: dict[str, Any]) -> int:
    seconds = order.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < 1e9:
        raise ValueError("seconds is how long it lasts")
    return now.wall_ns + round(seconds * 1e9)
