"""What a client process shows of itself: how much it reads and writes, and how long it waits.

One panel a process and node, whatever the number of threads: a counter's `words[N] += 1` is not
interrupted by another thread, because the interpreter switches threads only at calls and jumps
back (CPython's evaluation loop, `eval breaker`).
"""

from __future__ import annotations

from isinglass.glass.catalog import Counter, Histogram, Panel, Real


class ClientPanel(Panel):
    """A client of the node: its reads, its writes, and what it waited for."""

    puts = Counter("records", "Records written.")
    adds = Counter("updates", "Adds to counted fields.")
    deletes = Counter("records", "Records deleted.")
    gets = Counter("records", "Records looked up by key, straight in the store.")
    own_gets = Counter("records", "Of these, answered from own writes that are not applied yet.")
    scans = Counter("scans", "Key ranges and indexes read.")
    scanned = Counter("records", "Records that these returned.")
    by_primary = Counter("answers", "Writes and reads answered by the record's primary.")
    by_others = Counter("answers", "Immediate ones answered by another node: it was silent.")
    requests = Counter("requests", "Requests sent to the daemon.")
    direct = Counter("requests", "Requests sent to primaries at other nodes, past the daemon.")
    refused = Counter("answers", "Requests that the daemon refused.")
    waits = Counter("waits", "Times a write waited because the queue was full.")
    waited = Real("seconds", "Time spent in these waits.")
    wait_time = Histogram("microseconds", "How long each write that waited did so.")
    throttled = Counter("waits", "Times a write waited because the node's writers were too fast.")
    throttled_time = Real("seconds", "Time spent in these waits.")
    request_time = Histogram("microseconds", "From a request to its answer.")
    catching_up = Counter("waits", "Times a scan waited for own writes to be applied.")
    retries = Counter("requests", "Requests sent again after a broken connection.")
    reconnects = Counter("connections", "Connections made again.")
    lost = Counter("records", "Written, but only queued when the daemon was killed: may be lost.")
    restarts = Counter("restarts", "Restarts of the daemon that this client lived through.")
