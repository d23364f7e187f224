"""What a node of a cluster shows: its streams, its peers, the network, the primary, flow control.

Each node counts what it sees by itself, so the panels of one node that is cut off are still true of
that node; a console lays those of all nodes side by side. A replica's lag behind an origin is
measured by the origin (`PeerPanel`), on the origin's own monotonic clock: no synchronised clocks,
zero when idle, and too high by at most one report.
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


class ClusterPanel(Panel):
    """This node as a member: its own stream, its place in the cluster, how it heals."""

    cluster = Text(48, "Name of the cluster.")
    state = Text(16, "joining, healing, or live.")
    origin = Gauge("1", "This node's number in the versions of records.")
    incarnation = Gauge("1", "This life of the daemon; a later life has a greater one.")
    members = Gauge("nodes", "Members known, this one included, away or not.")
    up = Gauge("nodes", "Members heard now, this one included.")
    strangers = Gauge("nodes", "Nodes out of the cluster of which updates are left: forget them.")
    view = Gauge(
        "1", "Check sum of the members that primaries are chosen from.", level="diagnostic"
    )
    view_changes = Counter("changes", "Times the members that primaries are chosen from changed.")
    sequence = Gauge("updates", "Number of the newest update of the own stream.")
    journal = Gauge("updates", "Updates that the journal can still repair, of all streams.")
    journal_limit = Gauge("updates", "The most that the journal keeps.")
    away_seconds = Real("seconds", "How long a node may be away and still be repaired by journal.")
    repairs_asked = Counter("requests", "Requests for missing updates that were sent.")
    repairs_suppressed = Counter("requests", "Requests not sent: another node had just asked.")
    repairs_served = Counter("updates", "Updates sent again because a node missed them.")
    repaired = Counter("updates", "Missing updates that came by repair.")
    heals = Counter("heals", "Times buckets were compared and copied, below the journal's floor.")
    heal_progress = Estimate("share", "How far the present heal or join is; 1 when there is none.")
    heal_source = Text(48, "The node that the present heal or join copies from.")
    divergent = Gauge("buckets", "Buckets that differed in the last comparison, of 4,096.")
    copied = Counter("records", "Records that heals and joins brought.")
    last_heal = Timestamp("When the last heal or join ended.")
    horizon = Timestamp("Deletions before this have reached every member; they may be forgotten.")


class PeerPanel(Panel):
    """Another member as this node sees it, and how far it is behind this node's stream."""

    state = Text(16, "up, suspected, down, or left.")
    phase = Text(16, "What it says of itself: joining, healing, or live.")
    heard = Gauge("1", "1 when its heartbeats come.")
    receiving = Gauge("1", "1 when it has received this node's stream, or gets on with it.")
    applying = Gauge("1", "1 when it has applied this node's stream, or gets on with it.")
    address = Text(64, "Where it answers: address, datagram port, stream port.")
    origin = Gauge("1", "Its number in the versions of records.")
    incarnation = Gauge("1", "Its present life.")
    last_heard = Timestamp("When its last heartbeat came.")
    heard_age = Real("seconds", "How old that heartbeat is.")
    restarts = Counter("restarts", "Times it came with another life.")
    lag_updates = Gauge("updates", "Updates of this node's stream that it has not applied.")
    lag_seconds = Real("seconds", "Age of the oldest of them, on this node's clock.")
    lag_network = Gauge("updates", "Of these, not received by it.")
    lag_queue = Gauge("updates", "Of these, waiting in its queue.")
    lag_disk = Gauge("updates", "Of these, in the batch that it is applying.")
    clock_offset = Real("seconds", "Its wall clock less this node's, as estimated.")
    round_trip = Real("seconds", "Shortest recent time from a heartbeat to its echo.")
    backlog = Estimate(
        "share", "Its backlog as a share of its limit: the worst of entries, bytes, age."
    )
    limited_by = Text(16, "The worst of its limits: entries, bytes, age.")
    retired = Estimate("updates/second", "Updates that it retires in a second of work.")
    demand = Estimate("updates/second", "What its writers ask for.")


class StreamPanel(Panel):
    """The stream of one other member, as this node receives it."""

    last = Gauge("updates", "Number of the newest update known to exist.")
    received = Gauge("updates", "Every update up to this one was received.")
    taken = Gauge("updates", "Every update up to this one left the queue for the store.")
    applied = Gauge("updates", "Every update up to this one is in the store.")
    missing = Gauge("updates", "Updates known to exist that did not come.")
    gaps = Counter("gaps", "Times updates were missing, and asked for.")
    lost_network = Counter("datagrams", "Datagrams of this member that the network lost.")
    lost_socket = Counter("datagrams", "Datagrams of this member that this node's socket dropped.")
    duplicates = Counter("updates", "Updates that came again, or after a primary's answer.")


class NetworkPanel(Panel):
    """The node's sockets to the other members; what was dropped, and why."""

    group = Text(64, "Multicast group, port, and interface.")
    sent = Counter("datagrams", "Datagrams sent.")
    sent_bytes = Counter("bytes", "Bytes of these.")
    sent_updates = Counter("updates", "Updates in these, repairs not counted.")
    send_failures = Counter("datagrams", "Datagrams that the kernel would not send.")
    received = Counter("datagrams", "Datagrams received that are genuine.")
    received_bytes = Counter("bytes", "Bytes of these.")
    buffer = Gauge("bytes", "Receive buffer that the kernel granted.")
    buffer_used = Gauge("bytes", "Of it, waiting to be read.")
    socket_drops = Counter("datagrams", "Datagrams dropped because that buffer was full.")
    malformed = Counter("datagrams", "Dropped: no datagram of this protocol.")
    wrong_version = Counter("datagrams", "Dropped: another version of the protocol.")
    wrong_cluster = Counter("datagrams", "Dropped: another cluster on the same group.")
    bad_tag = Counter("datagrams", "Dropped: not made with this cluster's key, or changed.")
    replayed = Counter("datagrams", "Dropped: received before.")
    old_life = Counter("datagrams", "Dropped: of an earlier life of its sender.")
    duplicate_node = Counter("datagrams", "Dropped: another node uses a member's name or number.")
    calls = Counter("calls", "Requests to other members over a stream.")
    calls_failed = Counter("calls", "Of these, not answered in time.")
    served = Counter("calls", "Requests of other members that were answered.")


class PrimaryPanel(Panel):
    """Immediate consistency: which records this node stamps, and how its requests to others go."""

    share = Estimate("share", "Share of all records that this node is the primary of.")
    stamped = Counter("writes", "Writes stamped here as the primary.")
    forwarded = Counter("writes", "Writes of this node's clients stamped by another primary.")
    accepted_locally = Counter("writes", "Writes stamped here because their primary was silent.")
    asked = Counter("reads", "Reads of this node's clients that asked another primary.")
    answered_locally = Counter("reads", "Reads answered here because the primary was silent.")
    hedged = Counter("reads", "Reads for which a second replica was asked, too.")
    hedges_used = Counter("reads", "Of these, answered by the second replica; told as such.")
    served = Counter("reads", "Reads of other nodes answered here as the primary.")
    not_primary = Counter("requests", "Requests refused here: this node is not the primary.")
    waiting_acks = Gauge("writes", "Writes that wait until enough nodes hold them.")
    ack_timeouts = Counter("writes", "Writes that too few nodes held in time; they are kept.")
    time_limit = Real("seconds", "How long a primary may take, from its successful replies.")
    breaker_open = Gauge("nodes", "Primaries that are not asked now, because they were silent.")
    reply_time = Histogram("microseconds", "How long successful replies of primaries took.")


class FlowPanel(Panel):
    """Flow control: what limits the cluster's writers, and what this node's writers may do."""

    limiter = Text(48, "The node that holds everyone up; empty when none does.")
    limited_by = Text(16, "By which of its limits: entries, bytes, age.")
    limited_since = Timestamp("Since when.")
    cluster_rate = Estimate("updates/second", "What the slowest node can take from all writers.")
    cluster_demand = Estimate("updates/second", "What all writers ask for.")
    allowed = Estimate("updates/second", "This node's share of it.")
    demand = Estimate("updates/second", "What this node's writers ask for.")
    admitted = Estimate("updates/second", "What this node's writers were let write.")
    throttled = Counter("writes", "Writes told to wait because they were over the pace.")
    throttled_time = Real("seconds", "Time for which writers of this node were held up.")
    backlog = Estimate(
        "share", "This node's backlog as a share of its limit; the target is a half."
    )
    backlog_by = Text(16, "The worst of its limits: entries, bytes, age.")
    backlog_trend = Estimate("share/second", "How fast the backlog grows; negative when it drains.")
    full_in = Estimate("seconds", "Until the backlog is at its limit at this trend; 0: never.")
    drained_in = Estimate("seconds", "Until there is no backlog at this trend; 0: never.")
    retired = Estimate("updates/second", "Updates that this node retires in a second of work.")
    report_age = Estimate("seconds", "Mean age of the reports that the pace is computed from.")
    settling = Estimate("seconds", "Time constant of the control; at least three times the age.")
    swing = Estimate("share", "Spread of the allowed rate over its mean, in 10 s while limited.")
    lagging = Gauge("nodes", "Nodes that hold nobody up because they make no progress.")
