"""When the next frame of a node should be taken, so that it is here just before it is shown.

The near side sets the pace: each grant says in how long the far side should look. That is the time
to the next tick, less a lead for the way there and back: the mean round trip and its mean deviation
(as TCP estimates them: Jacobson, 1988). What comes later than that is waited for a little. So
frames of all nodes are taken at about one moment, and shown when they are young. Pure.
"""

from __future__ import annotations

SPARE_NS = 2_000_000
MOST_LEAD = 0.8  # of an interval
OUTLIER_DEVIATIONS = 8
_GAIN, _DEVIATION_GAIN = 0.125, 0.25


class RoundTrip:
    """The round trip of a link, its mean and its mean deviation."""

    __slots__ = ("_deviation_ns", "_mean_ns")

    def __init__(self) -> None:
        self._mean_ns = self._deviation_ns = 0.0

    @property
    def mean_ns(self) -> int:
        """The mean so far; 0 before the first one."""
        return int(self._mean_ns)

    def saw(self, taken_ns: int) -> None:
        """Take one round trip into account."""
        if self._mean_ns == 0.0:
            self._mean_ns, self._deviation_ns = float(taken_ns), taken_ns / 2
            return
        # A link that stood still for a minute must not be planned for during the next one.
        most_ns = self._mean_ns + OUTLIER_DEVIATIONS * self._deviation_ns + SPARE_NS
        error = min(taken_ns, most_ns) - self._mean_ns
        self._mean_ns += _GAIN * error
        self._deviation_ns += _DEVIATION_GAIN * (abs(error) - self._deviation_ns)

    def delay_ns(self, interval_ns: int) -> int:
        """Return how long after a grant the far side should look, for a tick in an interval."""
        lead = self._mean_ns + self._deviation_ns + SPARE_NS
        return interval_ns - int(min(lead, interval_ns * MOST_LEAD))
