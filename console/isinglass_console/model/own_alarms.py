"""The console's own thresholds as alarms, for a recording that no monitor tells any.

Each time that a threshold is passed is an alarm with two steps, so view 8 and the keys that look
for what went wrong treat it as they treat a monitor's.
"""

from __future__ import annotations

from collections.abc import Iterable

from isinglass_console.model.alarms import (
    ENDED_SHOWN,
    FIRING,
    OWN,
    Alarm,
    AlarmSheet,
    Step,
    over,
    worst_first,
)
from isinglass_console.model.board import Threshold, Trouble
from isinglass_console.model.frame import Frame
from isinglass_console.model.moments import LEVELS


class OwnAlarms:
    """Follows what holds from frame to frame."""

    def __init__(self) -> None:
        self._raised: dict[tuple[str, Threshold], Alarm] = {}
        self._ended: tuple[Alarm, ...] = ()
        self._count = 0
        self._sheet = AlarmSheet(OWN)

    def sheet(self, frame: Frame) -> AlarmSheet:
        """Return what holds in a frame, and what ended; the same sheet while nothing changes."""
        holding = {
            (node.name, trouble.threshold): trouble
            for node in frame.nodes
            for trouble in node.troubles
        }
        if holding.keys() != self._raised.keys():
            self._end(self._raised.keys() - holding.keys(), frame.wall_ns)
            for key, trouble in holding.items():
                if key not in self._raised:
                    self._raised[key] = self._alarm(key[0], trouble, frame.wall_ns)
            raised = worst_first(self._raised.values())
            self._sheet = AlarmSheet(OWN, True, frame.wall_ns, raised, self._ended)
        return self._sheet

    def _alarm(self, node: str, trouble: Trouble, wall_ns: int) -> Alarm:
        self._count += 1
        own = trouble.threshold
        return Alarm(
            number=self._count,
            rule=own.figure,
            node=node,
            instance="",
            state=FIRING,
            level=LEVELS[own.severity],
            raised_ns=wall_ns,
            ended_ns=0,
            value=trouble.sentence(),
            help=f"{own.word}: {own.figure} from {own.raise_at:g} on, until {own.clear_at:g}.",
            look="",
            why="",
            steps=(Step(wall_ns, FIRING, trouble.sentence()),),
        )

    def _end(self, keys: Iterable[tuple[str, Threshold]], wall_ns: int) -> None:
        for key in keys:
            ended = over(self._raised.pop(key), wall_ns, "")
            self._ended = (ended, *self._ended)[:ENDED_SHOWN]
