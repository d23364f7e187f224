"""The daemon's own panels: who it is, how busy it is, whom it talks to, what it does by the clock.

The queue's and the store's panels stand beside the code that counts in them (`store/panels`). Each
word here has one writing thread, named in the panel's first line.
"""

from __future__ import annotations

from isinglass.glass.catalog import (
    Counter,
    Estimate,
    Gauge,
    Histogram,
    Panel,
    Real,
    Text,
    Timestamp,
)


class DaemonPanel(Panel):
    """The daemon itself; written by the main thread; what was kept aside by the applier."""

    version = Text(24, "Version of the product that runs.")
    started = Timestamp("When the daemon started.")
    state = Text(24, "What it does: starting, serving, drained (no client may write), draining.")
    durability = Text(16, "What a write is promised when the client does not ask: see the manual.")
    trouble = Text(320, "Why writes are refused now; empty when they are taken.")
    data_directory = Text(160, "Where the store lies.", level="diagnostic")
    recovered = Gauge("updates", "Updates that the last daemon had kept aside, now in the store.")
    kept_aside = Gauge("updates", "Those of them that still wait for room; writes wait for them.")


class ApplierPanel(Panel):
    """The applier: takes batches from the queue into the store; its load is the node's load."""

    load_1s = Estimate("share", "Share of time at work, not waiting for work, over about 1 s.")
    load_10s = Estimate("share", "Share of time at work over about 10 s.")
    load_60s = Estimate("share", "Share of time at work over about 60 s.")
    working_time = Real("seconds", "Time at work since the start.")
    waiting_time = Real("seconds", "Time waiting for work since the start.")
    batches = Counter("batches", "Transactions committed.")
    updates = Counter("updates", "Updates that these batches retired, merged ones included.")
    writes = Counter("writes", "Records written by these batches.")
    batch_limit = Gauge("writes", "Writes that the next batch may hold: aims at the commit time.")
    last_commit = Timestamp("When the last batch was committed.")
    batch_time = Histogram("microseconds", "From taking a batch to its commit.")
    failures = Counter("batches", "Batches that the store refused; each was kept and tried again.")
    retry_since = Timestamp("Since when the batch in hand cannot be applied; never: it can.")
    flushes = Counter("flushes", "Times the store was flushed for writers that wait for the disk.")
    flush_time = Histogram("microseconds", "How long each of these flushes took.")


class PortPanel(Panel):
    """The port: the Unix socket that the node's clients write to."""

    connections = Gauge("connections", "Clients connected now.")
    accepted = Counter("connections", "Connections accepted.")
    requests = Counter("requests", "Requests understood.")
    updates = Counter("updates", "Updates in these requests.")
    received = Counter("bytes", "Bytes received.")
    sent = Counter("bytes", "Bytes sent.")
    waits = Counter("answers", "Writers told to wait, because the queue was full.")
    refused = Counter("answers", "Requests refused with an error.")
    paused = Counter("pauses", "Times a connection with too much in flight was not read.")
    repeated = Counter("updates", "Repeated writes found done already, and not done again.")
    too_long = Counter("frames", "Connections closed: a frame was longer than the limit.")
    malformed = Counter("frames", "Connections closed: a frame was not msgpack.")
    not_a_request = Counter("frames", "Connections closed: a frame was no request.")
    unknown_operation = Counter("frames", "Connections closed: nobody knows that operation.")
    bad_argument = Counter("frames", "Connections closed: an argument had another type.")
    no_handshake = Counter("frames", "Connections closed: the first request was not the handshake.")
    wrong_version = Counter("frames", "Connections closed: the client speaks another version.")
    lock_timeouts = Counter("requests", "Requests refused: a lock was not free within its limit.")


class TimerPanel(Panel):
    """A periodic task of the timer thread; one instance for each."""

    interval = Real("seconds", "How often the task runs.")
    last_run = Timestamp("When it last started.")
    last_duration = Real("seconds", "How long that took.")
    overdue = Real("seconds", "How late it was at its last start.")
    runs = Counter("runs", "Times it ran.")
    failures = Counter("runs", "Times it failed; see the distinct errors.")
    next_run = Timestamp("When it is due again.", level="diagnostic")


class ReaderPanel(Panel):
    """An LMDB reader: a process that reads the store; one instance for each of the oldest."""

    pid = Gauge("1", "Process that reads.")
    command = Text(64, "Its command.")
    age = Real("seconds", "For how long it has held its snapshot; that makes the file grow.")
    behind = Gauge("transactions", "How many transactions its snapshot is behind.")
