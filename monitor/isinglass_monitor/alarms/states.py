"""The states of one alarm, as a function of its condition and the time; pure.

         holds            held for `for`          acknowledged by somebody
    ok ────────▶ pending ───────────────▶ firing ─────────────────────────▶ acknowledged
     ▲              │ no more               │ ▲ holds again                   │ ▲
     │◀─────────────┘                clears ▼ │                        clears ▼ │
     └────────────────────────────────── clearing ◀───────────────────────────┘
          clear for `clear for`, longer the more often it fired lately

- *Hysteresis*: a rule raises at one level and clears at another; between them the state stays.
- *Unknown* (the node says nothing): what is pending goes back, what fires goes on firing: nobody
  saw that it had got better.
- *Flap damping*: each firing within the flap window doubles the time for which the alarm must be
  clear, so a condition that comes and goes is one long alarm and not hundreds of short ones. With
  these constants it fires at most `most_firings` times in any window.
- *Time that nobody watched* (the monitor was stopped) counts for nothing: after a gap between two
  looks, "for how long" starts where it was.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND

OK, PENDING, FIRING, ACKNOWLEDGED, CLEARING = (
    "ok",
    "pending",
    "firing",
    "acknowledged",
    "clearing",
)
STATES = (OK, PENDING, FIRING, ACKNOWLEDGED, CLEARING)
RAISED = frozenset((FIRING, ACKNOWLEDGED, CLEARING))

FLAP_WINDOW_SECONDS = 900.0
FLAPPING_FIRINGS = 3  # from here on it is called flapping
LEAST_CLEAR_SECONDS = 1.0
LONGEST_CLEAR_SECONDS = 300.0  # what damping makes of it at most, when the rule asks for less
UNWATCHED_SECONDS = 5.0  # a longer time between two looks was not watched


class Timing(NamedTuple):
    """How long a condition must hold, and how long it must be clear, in seconds."""

    raise_seconds: float
    clear_seconds: float


class AlarmState:
    """The state of one alarm; `step` it with each look."""

    __slots__ = ("_looked_ns", "acknowledged", "fired_ns", "since_ns", "state")

    def __init__(self) -> None:
        self.state = OK
        self.since_ns = 0  # monotonic: when it came into this state
        self.fired_ns: list[int] = []  # monotonic: its firings within the flap window
        self.acknowledged = False
        self._looked_ns: int | None = None

    def step(self, now_ns: int, holds: bool | None, clears: bool, timing: Timing) -> str:
        """Take in one look and return the state.

        Args:
            now_ns: the monotonic clock; never smaller than at the last look.
            holds: the rule's condition; None: unknown.
            clears: the rule's clear condition; never with `holds`.
        """
        self._leave_out_unwatched(now_ns)
        window_ns = _ns(FLAP_WINDOW_SECONDS)
        self.fired_ns = [at for at in self.fired_ns if now_ns - at < window_ns]
        if self.state == OK and holds:
            self._enter(PENDING, now_ns)
        elif self.state == PENDING and not holds:
            self._enter(OK, now_ns)
        if self.state == PENDING and now_ns - self.since_ns >= _ns(timing.raise_seconds):
            self._enter(FIRING, now_ns)
            self.fired_ns.append(now_ns)
        elif self.state in (FIRING, ACKNOWLEDGED) and clears and holds is False:
            self._enter(CLEARING, now_ns)
        elif self.state == CLEARING:
            self._step_clearing(now_ns, holds, clears, timing)
        return self.state

    def _step_clearing(self, now_ns: int, holds: bool | None, clears: bool, timing: Timing) -> None:
        if holds is not False or not clears:
            self._enter(ACKNOWLEDGED if self.acknowledged else FIRING, now_ns)
        elif now_ns - self.since_ns >= _ns(self.clear_seconds(timing)):
            self.acknowledged = False
            self._enter(OK, now_ns)

    def _leave_out_unwatched(self, now_ns: int) -> None:
        if self._looked_ns is not None and now_ns - self._looked_ns > _ns(UNWATCHED_SECONDS):
            self.since_ns += now_ns - self._looked_ns
        self._looked_ns = now_ns

    def _enter(self, state: str, now_ns: int) -> None:
        self.state, self.since_ns = state, now_ns

    def acknowledge(self, now_ns: int) -> bool:
        """Note that somebody has taken it in hand; return False when it is not raised."""
        if self.state not in RAISED:
            return False
        self.acknowledged = True
        if self.state == FIRING:
            self._enter(ACKNOWLEDGED, now_ns)
        return True

    @property
    def flapping(self) -> bool:
        """Tell whether it fired so often lately that it is damped visibly."""
        return len(self.fired_ns) >= FLAPPING_FIRINGS

    def clear_seconds(self, timing: Timing) -> float:
        """Return how long it must be clear now, damping included."""
        asked = max(timing.clear_seconds, LEAST_CLEAR_SECONDS)
        damped = asked * 2.0 ** max(len(self.fired_ns) - 1, 0)
        return max(asked, min(damped, LONGEST_CLEAR_SECONDS))

    def document(self) -> dict[str, Any]:
        """Return what outlives the monitor: that it is raised, and whether somebody has it."""
        return {"raised": self.state in RAISED, "acknowledged": self.acknowledged}

    def restore(self, document: dict[str, Any], now_ns: int) -> None:
        """Go on where an earlier life of the monitor was.

        What was pending was not watched since, and starts again when its condition holds.
        """
        if document["raised"]:
            self.acknowledged = bool(document["acknowledged"])
            self._enter(ACKNOWLEDGED if self.acknowledged else FIRING, now_ns)
            self.fired_ns.append(now_ns)


def most_firings(timing: Timing) -> int:
    """Return how often an alarm can fire within any flap window, at the very worst."""
    clear = max(timing.clear_seconds, LEAST_CLEAR_SECONDS)
    spent, count = 0.0, 1
    while True:
        spent += max(clear, min(clear * 2 ** (count - 1), LONGEST_CLEAR_SECONDS))
        if spent >= FLAP_WINDOW_SECONDS:
            return count
        count += 1


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS_PER_SECOND)
