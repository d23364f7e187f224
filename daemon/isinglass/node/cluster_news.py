"""What happens in a cluster, as events: members that come, fall silent, restart or leave; phases.

Each node tells what it sees by itself, some times a second, and only what has changed.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass.glass.severity import INFO, WARNING
from isinglass.wire.membership import DOWN, LEFT, SUSPECTED, UP
from isinglass.wire.reports import HEALING, LIVE, PHASES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.node.replica import Replica

_TOLD = {
    UP: (INFO, "is heard"),
    SUSPECTED: (WARNING, "has not been heard for a moment"),
    DOWN: (WARNING, "is not heard: it is down, stopped or cut off"),
    LEFT: (INFO, "has left: its daemon was stopped"),
}


class ClusterNews:
    """Remembers what was told.

    Args:
        event: stores an event, as `Segment.event` does.
    """

    def __init__(self, event: Callable[..., None]) -> None:
        self._event = event
        self._phase = -1
        self._states: dict[int, tuple[str, int]] = {}

    def look(self, replica: Replica) -> None:
        """Tell what has changed since the last look."""
        if replica.phase != self._phase:
            # To join, or to catch up at the start, is ordinary; to be live no more is not.
            was_live = self._phase == LIVE
            why = {"why": replica.healing.why} if was_live and replica.phase == HEALING else {}
            severity = WARNING if was_live else INFO
            self._event(severity, "cluster", f"this node is {PHASES[replica.phase]}", **why)
            self._phase = replica.phase
        for member in replica.members.members.values():
            known = self._states.get(member.origin)
            now = (member.state, member.incarnation)
            if now == known or (known is None and member.state == DOWN):
                continue
            if known is not None and known[1] != now[1]:
                severity = INFO if known[0] == LEFT else WARNING
                self._event(severity, "cluster", f"node {member.name} was restarted")
            if known is None or known[0] != now[0]:
                severity, what = _TOLD[member.state]
                self._event(severity, "cluster", f"node {member.name} {what}")
            self._states[member.origin] = now
