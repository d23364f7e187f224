"""What a source says about its node at one tick; the hub makes frames of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry


@dataclass(frozen=True, slots=True)
class Reading:
    """One node as a source found it.

    A state that cannot be read is a condition and a sentence, never an exception.
    """

    node: str
    condition: str
    sentence: str = ""
    snapshot: Snapshot | None = None
    tally: Tally = field(default_factory=Tally)
    events: tuple[LogEntry, ...] = ()
    restarted: bool = False
