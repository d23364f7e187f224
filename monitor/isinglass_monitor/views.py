"""What the monitor knows of one node at an instant: the one shape that flows through it.

The intake makes a view of each node it ever heard, once a second; the scoreboard, the alarms, the
statistics and the export are functions of these views. So a view holds no more than what they need,
and nothing in it changes once it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# The monitor's own panels come as a node of this prefix and its name, so that rules and statistics
# can speak of the monitor as they speak of any node.
MONITOR_PREFIX = "monitor:"

Figure = float | str


class NodeView(NamedTuple):
    """One node, as the monitor knows it now.

    `figures` has what the node last reported, by "panel.field", or "panel.instance.field" where a
    panel has instances; instances may contain dots themselves.
    """

    node: str
    heard_ns: int  # the monotonic clock's time at which its daemon's last datagram came
    role: str  # what its process says it is: "daemon", "monitor", or the name of a program
    ended: bool  # its daemon has said goodbye
    figures: Mapping[str, Figure]
