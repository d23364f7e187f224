"""A drained node: its clients' writes are refused until a time that always stands with it.

What operators do before they work at a machine: the clients of the node go elsewhere, reads go
on, and the node goes on to take and apply the updates of the other nodes, and to be the primary of
its records for their immediate writes. So nothing moves but the writers of this one node; stopping
the daemon afterwards costs the cluster what it always costs.

The switch is a word of the control page (`glass/control`), like a debug flag: it needs nobody's
answer, an event says who set it, and it ends by itself. It outlives the daemon: who drained a node
to restart it finds it drained.
"""

from __future__ import annotations

from math import ceil

from isinglass import clock
from isinglass.errors import NodeDrained
from isinglass.glass import flags
from isinglass.glass.control import DRAINED


class Drain:
    """Whether this process's node is drained; asking costs a load while it is not."""

    def __init__(self) -> None:
        self._flag = flags.PAGE.flag(DRAINED)

    def sentence(self, node: str) -> str:
        """Return why clients' writes are refused, "" when they are taken."""
        if not self._flag:
            return ""
        until_ns, _ = flags.PAGE.until_and_rate(self._flag)
        left_seconds = (until_ns - clock.wall_ns()) / clock.NANOSECONDS_PER_SECOND
        if left_seconds <= 0:
            flags.PAGE.put_out(self._flag)
            return ""
        return (
            f"node {node} is drained for {ceil(left_seconds)} s more: write at another node, or end"
            f" it with `isinglass daemon resume {node}`"
        )

    def check(self, node: str) -> None:
        """Go on when clients may write.

        Raises:
            NodeDrained: they may not.
        """
        if self._flag and (why := self.sentence(node)):
            raise NodeDrained(why)
