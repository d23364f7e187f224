"""What an operator may do from the console to nodes that were started to try things on.

Who starts the console says which nodes these are, and does the deed; the console offers the keys,
asks back, and says what was done. Without such nodes the keys are not offered.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from isinglass_console.model.frame import Condition

ALIVE = (Condition.ALIVE, Condition.STARTING)
NOT_OURS = "only nodes that `isinglass demo` started can be stopped, killed and started from here"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do to a node; an empty question is not asked: it harms nobody."""

    name: str
    question: str
    done: str


STOP = Deed("stop", "stop {node} as it stands (SIGSTOP)?", "{node} stands still; Z: go on")
GO_ON = Deed("go on", "", "{node} goes on, and gets what it missed")
KILL = Deed("kill", "kill {node} (kill -9)?", "{node} was killed; U starts it again")
START = Deed("start", "", "{node} starts")
RESTART = Deed("start", "{node} lives: end it and start it again?", "{node} starts again")


class Hands(Protocol):
    """Does deeds to some nodes."""

    @property
    def nodes(self) -> Collection[str]:
        """The nodes that deeds may be done to."""

    @property
    def trouble(self) -> str:
        """What ended the nodes although nobody asked for it; "" while all is well."""

    def do(self, deed: str, node: str) -> None:
        """Have a deed done, by its name; it may take a moment until it is.

        Raises:
            IsinglassError: it cannot be done, and why.
        """


def deed_of(key: str, condition: str) -> Deed:
    """Return what a key (`stop`, `kill` or `start`) does to a node in a condition."""
    if key == "kill":
        return KILL
    if key == "stop":
        return GO_ON if condition == Condition.STOPPED else STOP
    return RESTART if condition in ALIVE else START
