"""What is asked of the primary of a record: two operations, their arguments, and what comes back.

Nodes ask each other, and clients ask for themselves as guests of their node (`wire/handshake`).

    WRITE    table, key, packed value or nil, how many must hold it, number of the asking node,
             until when it may be stamped, nanoseconds of that node's monotonic clock
        [DONE, record, how many hold it, life of the primary, number in its stream]
        [NOT_PRIMARY], [FAILED, name of the error, sentence]: nothing was stamped
    READ     table, key, whether only the primary may answer
        [DONE, record or nil], [NOT_PRIMARY]
"""

from __future__ import annotations

from isinglass.wire.messages import Operations

WRITE, READ = 1, 2
DONE, NOT_PRIMARY, FAILED = "done", "not primary", "failed"
ACK_PRIMARY, ACK_ONE, ACK_MAJORITY = range(3)
ACK_LIMIT_NS = 1_000_000_000
"""What others may take, beside the primary, to say that they hold a write."""

OPERATIONS: Operations = {
    WRITE: ("write", ((str,), (bytes,), (bytes, type(None)), (int,), (int,), (int,))),
    READ: ("read", ((str,), (bytes,), (bool,))),
}
