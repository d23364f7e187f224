"""The monitor's own panels: it is behind the glass, too. Each word has one writing thread."""

from __future__ import annotations

from isinglass.glass.catalog import Counter, Gauge, Histogram, Panel, Real, Text, Timestamp


class MonitorPanel(Panel):
    """The monitor itself; written by the main thread, `trouble` by the spooler."""

    version = Text(24, "Version of the product that runs.")
    started = Timestamp("When the monitor started.")
    state = Text(24, "What it does: starting, listening, draining.")
    cluster = Text(64, "The cluster that it listens to.")
    group = Text(64, "The group, its port, and this machine's address.")
    trouble = Text(320, "Why nothing can be stored now; empty when all is well.")
    spool_directory = Text(160, "Where the spool lies.", level="diagnostic")


class IntakePanel(Panel):
    """What comes in, and what came of it, over all senders; written by the receiver."""

    datagrams = Counter("datagrams", "Datagrams taken in.")
    size = Counter("bytes", "Bytes of these datagrams.")
    malformed = Counter("datagrams", "Datagrams refused: they say nothing that can be.")
    wrong_version = Counter("datagrams", "Datagrams refused: another version of the format.")
    wrong_cluster = Counter("datagrams", "Datagrams refused: of another cluster.")
    bad_tag = Counter("datagrams", "Datagrams refused: not sealed with the cluster's key.")
    replayed = Counter("datagrams", "Datagrams refused: they came before.")
    crowded = Counter("datagrams", "Datagrams refused: of more than 8,192 senders at once.")
    socket_drops = Counter("datagrams", "Datagrams that this monitor's full socket dropped.")
    buffer_granted = Gauge("bytes", "What the kernel grants the socket's buffer.")
    buffer_waiting = Gauge("bytes", "What waits in it.")
    senders = Gauge("senders", "Processes heard in the last ten minutes.")
    received = Counter("events", "Events received.")
    repaired = Counter("events", "Events missed, and had from the sender's ring.")
    lost = Counter("events", "Events given up that this monitor should have had.")
    before = Counter("events", "Events no ring has any more, from before it first heard them.")
    open = Gauge("events", "Events that are missing now, and asked for.")
    duplicate = Counter("events", "Events that came more than once.")
    late = Counter("events", "Events that came when they had been given up.")
    reordered = Counter("events", "Events that were overtaken on the way.")
    no_room = Counter("events", "Events not taken in because the queue was full; asked for again.")
    asked = Counter("events", "Events asked for, once for each time.")
    asks = Counter("datagrams", "Datagrams sent that ask.")
    load_1s = Real("share", "Share of time at work, not waiting for datagrams, over about 1 s.")


class SpoolPanel(Panel):
    """The spool; written by the spooler, sizes and ages by the timer, waits by the receiver."""

    events = Counter("events", "Events stored since the start.")
    gaps = Counter("records", "Gaps noted since the start.")
    commits = Counter("commits", "Transactions, each flushed to the disk.")
    commit_time = Histogram("microseconds", "How long each took.")
    batch = Gauge("events", "Events of the last one.")
    failures = Counter("commits", "Transactions that the disk refused; each was tried again.")
    waiting = Gauge("bytes", "What waits to be stored.")
    waiting_limit = Gauge("bytes", "How much may wait; what is more is asked for again later.")
    stalled = Real("seconds", "For how long the transaction under way has lasted.")
    last_commit = Timestamp("When the last one ended.")
    segments = Gauge("segments", "Files of the spool.")
    size = Gauge("bytes", "What they take on the disk.")
    disk_free = Gauge("bytes", "What the disk has left.")
    oldest = Timestamp("The time of the oldest event.")
    total_events = Gauge("events", "Events in the spool.")
    removed = Counter("segments", "Segments removed: too old, too much, or the disk nearly full.")


class SenderPanel(Panel):
    """One process that sends, and what came of its events; one instance for each."""

    node = Text(48, "Its node.")
    process = Text(32, "What it is called.")
    pid = Gauge("1", "Its process number there.")
    heard = Timestamp("When it was last heard.")
    through = Gauge("events", "The newest event known of: received + repaired + lost + open.")
    received = Counter("events", "Events received.")
    repaired = Counter("events", "Events missed, and had from its ring.")
    lost_network = Gauge("events", "Given up: sent, and lost in the network.")
    lost_socket = Gauge("events", "Given up: this monitor's socket was full.")
    lost_sender = Gauge("events", "Given up: the sender did not get them out.")
    lost_disk = Gauge("events", "Given up: this monitor's disk was too slow.")
    lost_share = Gauge("events", "Given up: more than its share of this monitor's queue.")
    lost_away = Gauge("events", "Given up: this monitor did not run.")
    lost_before = Gauge("events", "Given up: from before this monitor first heard it.")
    open = Gauge("events", "Missing now, and asked for.")
    duplicate = Counter("events", "Events that came more than once.")
    late = Counter("events", "Events that came when they had been given up.")
    reordered = Counter("events", "Events that were overtaken on the way.")
    no_room = Counter("events", "Events not taken in because the queue was full.")
    size = Counter("bytes", "Bytes of its datagrams.")
