"""The last ten seconds of each node's probe samples, as far as a screen asked for them.

A page asks several times for the same ten seconds, and the next page for nearly the same: one sum a
node is kept, and moves on with the frame that is shown.
"""

from __future__ import annotations

from isinglass_console.model.heat import WINDOW_SECONDS, Window
from isinglass_console.model.timeline import Timeline


class HeatWindows:
    """The sums of one timeline, by node."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Window]] = {}

    def of(self, timeline: Timeline, node: str, number: int) -> Window:
        """Return the samples of a node in the ten seconds before frame `number`.

        It is moved on when another frame is asked for.
        """
        at, window = self._known.get(node) or (-1, Window())
        if at != number:
            window.move(timeline.tallies(node, number, WINDOW_SECONDS))
            self._known[node] = (number, window)
        return window
