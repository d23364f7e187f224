"""Who sends: one process of a node, as the monitor knows it."""

from __future__ import annotations

from isinglass_monitor.ingest.window import Window

Address = tuple[str, int]


class Sender:
    """One stream, with who sends it and when it was last heard (monotonic nanoseconds).

    `bequeathed` is the stream of a daemon that was killed, once its successor has sent what was
    left: that was the successor's word, and no goodbye.
    """

    __slots__ = ("address", "bequeathed", "ended", "heard_ns", "node", "pid", "process", "refused",
                 "role", "status_ns", "stream", "window")  # fmt: skip

    def __init__(self, stream: int, node: str, process: str, window: Window) -> None:
        self.stream, self.node, self.process, self.window = stream, node, process, window
        self.address: Address | None = None
        self.role, self.pid, self.ended = "", 0, False
        self.bequeathed = False
        self.heard_ns = self.status_ns = 0
        self.refused = 0  # events that found no room, once for each time
