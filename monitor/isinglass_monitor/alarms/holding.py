"""What keeps an alarm from being told: silences, announcements, and causes; pure.

A *silence* is an operator's wish not to hear of something; it has a reason and always an end. An
*announcement* says that a node will be troubled on purpose (chaos, maintenance): its alarms are
expected until then, stay visible, and are told with the announcer's name when the node is not well
in time. A *cause* is another raised alarm that explains this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from isinglass_monitor.scoreboard import KINDS, MAINTENANCE

LONGEST_SECONDS = 30 * 86_400.0  # what is forgotten must end by itself
MOST_ENTRIES = 1_000


@dataclass(frozen=True)
class Silence:
    """Alarms that are not told: of the rules and nodes that match both patterns, until its end."""

    number: int
    rule: str
    node: str
    reason: str
    by: str
    since_wall_ns: int
    until_wall_ns: int

    def covers(self, wall_ns: int, rule: str, nodes: Iterable[str]) -> bool:
        """Tell whether an alarm of a rule on any of these nodes is silenced now."""
        return (
            wall_ns < self.until_wall_ns
            and fnmatchcase(rule, self.rule)
            and any(fnmatchcase(node, self.node) for node in nodes)
        )


@dataclass(frozen=True)
class Announcement:
    """Trouble on purpose: nodes that match are expected to be in it, until its end."""

    number: int
    kind: str
    node: str
    reason: str
    by: str
    since_wall_ns: int
    until_wall_ns: int

    def covers(self, wall_ns: int, nodes: Iterable[str]) -> bool:
        """Tell whether one of these nodes is expected to be in trouble now."""
        return wall_ns < self.until_wall_ns and any(fnmatchcase(node, self.node) for node in nodes)

    def sentence(self) -> str:
        """Return who announced what, for the timeline."""
        return f"{self.kind} by {self.by}: {self.reason}"


class Holdings:
    """The silences and announcements that are on."""

    def __init__(self) -> None:
        self.silences: list[Silence] = []
        self.announcements: list[Announcement] = []
        self._numbers = 0

    def silence(
        self, wall_ns: int, rule: str, node: str, reason: str, by: str, until_wall_ns: int
    ) -> Silence:
        """Add a silence, and return it.

        Raises:
            ValueError: it has no reason, no end or one too far away, or there are too many.
        """
        self._check(wall_ns, reason, until_wall_ns, self.silences)
        made = Silence(self._number(), rule, node, reason, by, wall_ns, until_wall_ns)
        self.silences.append(made)
        return made

    def announce(
        self, wall_ns: int, kind: str, node: str, reason: str, by: str, until_wall_ns: int
    ) -> Announcement:
        """Add an announcement, and return it.

        Raises:
            ValueError: as for a silence; or it is of no known kind.
        """
        self._check(wall_ns, reason, until_wall_ns, self.announcements)
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
        made = Announcement(self._number(), kind, node, reason, by, wall_ns, until_wall_ns)
        self.announcements.append(made)
        return made

    def _check(self, wall_ns: int, reason: str, until: int, before: list[Any]) -> None:
        if not reason.strip():
            raise ValueError("it needs a reason: whoever finds it tomorrow will want to know")
        if not wall_ns < until <= wall_ns + LONGEST_SECONDS * 1e9:
            raise ValueError("it needs an end, at most 30 days from now")
        if len(before) >= MOST_ENTRIES:
            raise ValueError(f"there are {MOST_ENTRIES:,} already; end some of them")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def end(self, number: int) -> bool:
        """End a silence or an announcement before its time; return whether it was on."""
        before = len(self.silences) + len(self.announcements)
        self.silences = [one for one in self.silences if one.number != number]
        self.announcements = [one for one in self.announcements if one.number != number]
        return len(self.silences) + len(self.announcements) < before

    def forget_ended(self, wall_ns: int) -> bool:
        """Drop what is over; return whether there was any."""
        before = len(self.silences) + len(self.announcements)
        self.silences = [one for one in self.silences if one.until_wall_ns > wall_ns]
        self.announcements = [one for one in self.announcements if one.until_wall_ns > wall_ns]
        return len(self.silences) + len(self.announcements) < before

    def announced(self, wall_ns: int, nodes: Iterable[str]) -> dict[str, str]:
        """Return the kind of what is announced for each node that something is announced for.

        Of both kinds maintenance counts: the operator's word is stronger than a game of dice.
        """
        found: dict[str, str] = {}
        for node in nodes:
            kinds = {one.kind for one in self.announcements if one.covers(wall_ns, (node,))}
            if kinds:
                found[node] = MAINTENANCE if MAINTENANCE in kinds else min(kinds)
        return found

    def document(self) -> dict[str, Any]:
        """Return what outlives the monitor."""
        return {
            "numbers": self._numbers,
            "silences": [asdict(one) for one in self.silences],
            "announcements": [asdict(one) for one in self.announcements],
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """Go on with the silences and announcements of an earlier life."""
        self._numbers = int(document["numbers"])
        self.silences = [Silence(**one) for one in document["silences"]]
        self.announcements = [Announcement(**one) for one in document["announcements"]]
