"""Whether a history of one record could have happened one operation after the other.

Wing and Gong's search ("Testing and verifying concurrent objects", 1993), with what was already
tried remembered (Lowe, "Testing for linearizability", 2017): take any operation that no other one
ended before, see whether its outcome fits, go on; go back when nothing fits. A write that was never
answered may have happened at any time after its start, or never.

Two things are known without a search. A read that fits may be taken at once, since it changes
nothing; and a write that was never answered, and whose value no read saw, may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cluster import Operation

NEVER_ENDED = 1 << 62
STEP_LIMIT = 200_000


def _value(operation: Operation) -> bytes | None:
    """Return what a read saw: the payload of a record, None for none."""
    record = operation.value
    return None if record is None or record[10] == 1 else record[11:]


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Tell whether writes and reads of one record, at first without a value, are linearizable."""
    seen = {
        _value(operation) for operation in history if operation.kind == "read" and operation.end
    }
    operations = [o for o in history if o.end or (o.kind != "read" and o.payload in seen)]
    ends = [operation.end or NEVER_ENDED for operation in operations]
    tried: set[tuple[int, bytes | None]] = set()
    stack: list[tuple[int, bytes | None]] = [(0, None)]
    everything = sum(1 << i for i, end in enumerate(ends) if end != NEVER_ENDED)
    for _ in range(STEP_LIMIT):
        if not stack:
            return False
        done, value = stack.pop()
        if done & everything == everything:
            return True
        if (done, value) in tried:
            continue
        tried.add((done, value))
        open_ones = [i for i in range(len(operations)) if not done >> i & 1]
        first_end = min(ends[i] for i in open_ones)
        able = [i for i in open_ones if operations[i].start <= first_end]
        reads = [i for i in able if operations[i].kind == "read"]
        fitting = [i for i in reads if _value(operations[i]) == value]
        if fitting:
            stack.append((done | sum(1 << i for i in fitting), value))
            continue
        stack += [(done | 1 << i, operations[i].payload) for i in able if i not in reads]
    raise RuntimeError("the history is too tangled to check")
