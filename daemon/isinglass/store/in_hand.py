"""The batch in hand: the records that are being applied, found by their keys.

An add, a repair and a primary's answer need the newest record of a key, and that may be on its way
into the store. Without merging a batch has a step for each update, thousands of one table: then
what the records of each key say together is worked out once, at the first question, instead of
going through all of them at each one.

Pure. What is gathered takes about 150 bytes an update, and goes with the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from isinglass.store.changes import Step, Writes
from isinglass.store.counters import join

FEW_STEPS = 8  # look-ups into so many steps cost less than gathering them


class InHand:
    """The records of a batch's steps."""

    __slots__ = ("_gathered", "_steps")

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = steps
        self._gathered: dict[str, dict[bytes, bytes]] | None = None

    def __bool__(self) -> bool:
        """Whether there is a batch in hand."""
        return bool(self._steps)

    def find(self, table: str, key: bytes) -> Sequence[bytes]:
        """Return at most FEW_STEPS records that say together what the batch says of a key."""
        if len(self._steps) > FEW_STEPS:
            if self._gathered is None:
                self._gathered = self._gather()
            found = [self._gathered.get(table, {}).get(key)]
        else:
            found = [
                step.get(key)
                for step in self._steps
                if isinstance(step, Writes) and step.table == table
            ]
        return [record for record in found if record is not None]

    def _gather(self) -> dict[str, dict[bytes, bytes]]:
        gathered: dict[str, dict[bytes, bytes]] = {}
        for step in self._steps:
            if isinstance(step, Writes):
                known = gathered.setdefault(step.table, {})
                for part in (step.records, *step.groups.values()):
                    for key, record in part.items():
                        before = known.get(key)
                        known[key] = record if before is None else join(before, record)
        return gathered
