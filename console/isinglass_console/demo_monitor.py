"""The monitor of the demo: what it is told, whether it listens, what it has heard.

It is a monitor as any other, in the demo's cluster and on its group. Only one rule is its own: a
node that fell silent is alarming after three seconds, where a monitor of a real cluster is patient.
What the demo does to a node is announced as chaos, so its alarms are expected, for a while.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from isinglass.errors import IsinglassError
from isinglass.glass.reader import SegmentReader
from isinglass_monitor.commands.places import operator, places_of
from isinglass_monitor.orders import ask
from isinglass_monitor.scoreboard import CHAOS

NAME = "monitor"
COUNTS = ("received", "repaired", "lost", "open", "before")
EXPECTED_SECONDS = 30.0
PATIENCE_SECONDS = 3.0
DONE = {"kill": "killed with kill -9", "stop": "stopped with SIGSTOP"}
RULES = """
[[rule]]
name = "node-silent"
help = "Nothing was heard of the node's daemon for more than three seconds."
when = "node.silent_seconds > 3 and node.ended == 0"
clear = "node.silent_seconds < 2 or node.ended == 1"
severity = "error"
caused_by = ["monitor-deaf"]
look = '''In this demo somebody has stopped or killed it, with Z or K: Z lets it go on, U starts it
again. View 2 shows the line where each of its threads stands, view 5 how far it is behind.'''
"""


def write_rules(folder: Path) -> Path:
    """Write the file of rules; return its path."""
    path = folder / "alarms.toml"
    path.write_text(RULES, "utf-8")
    return path


def listens() -> bool:
    """Return whether the monitor takes events in."""
    try:
        with SegmentReader(NAME) as reader:
            panel = reader.snapshot().panel("monitor")
    except IsinglassError:
        return False
    return panel is not None and panel["state"] == "listening"


def heard() -> dict[str, Any]:
    """Return how many events the monitor has received, lost and so on, from its segment.

    Raises:
        SegmentError: it has none.
    """
    with SegmentReader(NAME) as reader:
        panel = reader.snapshot().panel("intake")
    return {name: panel[name] for name in COUNTS} if panel is not None else {}


def announce(deed: str, node: str) -> None:
    """Tell the monitor what was done to a node; a monitor that cannot hear it is no trouble."""
    if deed in DONE:
        order = {
            "do": "announce",
            "kind": CHAOS,
            "node": node,
            "reason": f"{DONE[deed]} from the console of the demo",
            "by": operator(),
            "seconds": EXPECTED_SECONDS,
        }
        with suppress(IsinglassError):
            ask(places_of(NAME).runtime, order, PATIENCE_SECONDS)
