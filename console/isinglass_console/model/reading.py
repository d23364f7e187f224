"""What a source says about its node at one tick; the hub makes frames of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from isinglass.glass.snapshot import Snapshot
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry


@dataclass(frozen=True, slots=True)
class Reading:
    """One node as a source found it.

    A state that cannot be read is a condition and a sentence, never an exception. `taken_wall_ns`
    is when the snapshot was taken, at the earliest, by this machine's clock; 0: as it says itself.
    `repeated`: it is the snapshot of before, since nothing newer has come, with its ages grown.
    """

    node: str
    condition: str
    sentence: str = ""
    snapshot: Snapshot | None = None
    tally: Tally = field(default_factory=Tally)
    events: tuple[LogEntry, ...] = ()
    restarted: bool = False
    taken_wall_ns: int = 0
    repeated: bool = False
