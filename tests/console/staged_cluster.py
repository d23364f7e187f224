"""Three staged nodes of one cluster: alder and birch are well, cedar is slow and limits all.

Each is a staged node (`stage.py`) with the panels of a member and one writing client; every figure
is set by the tables here, so a test knows what the screens must say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from console.stage import SECOND, START_NS, Stage, run, stage
from isinglass_console.model.reading import Reading
from isinglass_console.screens.desk import Desk
from programs import program

NAMES = ("alder", "birch", "cedar")
MANY = (*NAMES, "damson", "elm", "fir", "gorse")
PIDS = (4711, 5000, 6000, 7000, 8000, 9000, 10_000)
ALIVE_TICKS, ALL_TICKS = 12, 19
Frames = dict[str, list[Reading]]  # node, or node and verdict: a reading a second

# (origin, replica): updates, seconds, of these in the network, the queue, on the way to disk
LAGS = {
    ("alder", "birch"): (18, 0.03, 12, 6, 0),
    ("alder", "cedar"): (3240, 1.62, 65, 130, 3045),
    ("birch", "alder"): (11, 0.02, 11, 0, 0),
    ("birch", "cedar"): (3390, 1.8, 68, 136, 3186),
    ("cedar", "alder"): (30, 0.04, 0, 30, 0),
    ("cedar", "birch"): (0, 0.0, 0, 0, 0),
}
WELL = (12, 0.02, 8, 4, 0)
# node: backlog, by, trend, allowed, demand, admitted, retired
FLOWS = {
    "alder": (0.3, "entries", 0.0, 2733.0, 4866.0, 2700.0, 14_200.0),
    "birch": (0.18, "bytes", 0.02, 2733.0, 4866.0, 2650.0, 14_600.0),
    "cedar": (0.78, "entries", -0.08, 2734.0, 4868.0, 2734.0, 1_120.0),
}

MEMBER = """
from isinglass.node.cluster_panels import (
    ClusterPanel, FlowPanel, NetworkPanel, PeerPanel, StreamPanel)

cluster, flow, network = ClusterPanel(), FlowPanel(), NetworkPanel()
peers = {name: PeerPanel(name) for name in names if name != node}
streams = {name: StreamPanel(name) for name in names if name != node}
alone = tick

def tick(n, now_ns):
    alone(n, now_ns)
    slow = node == "cedar"
    if not slow:
        queue.length, queue.length_max, queue.oldest = 1500, 1800, 0.1
        queue.backlog.publish(1500, 195_000, 0.1)
        applier.load_1s = 0.6
    cluster.cluster, cluster.state = "prod", "healing" if slow else "live"
    cluster.members, cluster.up, cluster.sequence = 3, 3, n * 9340
    cluster.journal, cluster.journal_limit, cluster.away_seconds = 41_000 + n, 100_000, 754.0
    cluster.repairs_asked, cluster.repairs_suppressed = n * (4 if slow else 0), n
    cluster.repairs_served, cluster.repaired = n * (0 if slow else 2), n * (4 if slow else 0)
    cluster.heals, cluster.copied = int(slow), 1_280 if slow else 0
    cluster.heal_progress = 0.41 if slow else 1.0
    cluster.heal_source, cluster.divergent = "alder" if slow else "", 87 if slow else 0
    cluster.last_heal = now_ns - 95 * 10**9 if slow else 0
    for name, peer in peers.items():
        peer.state, peer.phase = "up", "healing" if name == "cedar" else "live"
        peer.heard, peer.receiving, peer.applying = 1, 1, int(name != "cedar")
        peer.address = f"10.0.0.{names.index(name) + 1}:7400, 7401"
        peer.clock_offset, peer.round_trip, peer.heard_age = -0.0021, 0.00034, 0.09
        peer.lag_updates, seconds, *parts = lags[node, name]
        peer.lag_seconds = seconds * min(n, 12) / 12
        peer.lag_network, peer.lag_queue, peer.lag_disk = parts
        peer.backlog, peer.limited_by, peer.retired = flows[name][0], flows[name][1], flows[name][6]
        peer.demand = flows[name][4]
    for name, stream in streams.items():
        behind, _, missing, queued, _ = lags[name, node]
        stream.last, stream.applied = n * 9340 + behind, n * 9340
        stream.taken, stream.received = stream.last - missing - queued, stream.last - missing
        stream.missing, stream.gaps = (3 if slow else 0), n * (2 if slow else 0)
        stream.lost_network, stream.lost_socket = n * int(slow), n * (7 if slow else 0)
    network.sent, network.received, network.buffer = n * 310, n * 620, 4 << 20
    network.buffer_used = 3 << 20 if slow else 0
    network.socket_drops, network.bad_tag = n * (14 if slow else 0), 5 if slow else 0
    flow.limiter, flow.limited_by, flow.limited_since = "cedar", "entries", now_ns - 42 * 10**9
    flow.cluster_rate, flow.cluster_demand = 8_200.0, 14_600.0
    flow.backlog, flow.backlog_by, flow.backlog_trend = flows[node][:3]
    trend = flow.backlog_trend
    flow.full_in = (1 - flow.backlog) / trend if trend > 0 else 0.0
    flow.drained_in = flow.backlog / -trend if trend < 0 else 0.0
    flow.allowed, flow.demand, flow.admitted, flow.retired = flows[node][3:]
    flow.throttled, flow.throttled_time = n * 30, n * 0.4
    flow.report_age, flow.settling, flow.swing = 0.11, 0.341, 0.03
"""

CLIENT = """
import sys
from isinglass.client.panels import ClientPanel
from isinglass.glass import segment
node, name = sys.argv[1:3]
segment.attach(node, name)
panel = ClientPanel(node)

def tick(n, now_ns):
    panel.puts, panel.deletes = n * 900, n * 100
    panel.waits, panel.waited = n * 30, n * 0.9
    panel.throttled, panel.throttled_time = n * 20, n * 0.6

print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


@contextmanager
def cluster(folder: Path, names: Sequence[str] = NAMES) -> Iterator[list[Stage]]:
    """Run staged members, each with a client that writes; those beyond three are well, too."""
    lags = {(origin, to): LAGS.get((origin, to), WELL) for origin in names for to in names}
    flows = {name: FLOWS.get(name, FLOWS["birch"]) for name in names}
    with ExitStack() as stack:
        nodes = []
        for number, (name, pid) in enumerate(zip(names, PIDS, strict=False), 1):
            node = stack.enter_context(stage(name, folder, pid))
            run(node.process, f"names, lags, flows = {names!r}, {lags!r}, {flows!r}")
            run(node.process, f"exec({MEMBER!r})")
            client = stack.enter_context(program(CLIENT, name, f"counter {number}"))
            node.clients.append(client)
            nodes.append(node)
        yield nodes


def desk_of(frames: Frames, *keys: str, ticks: int = ALIVE_TICKS, view: str = "overview") -> Desk:
    """Return a desk with so many seconds of these nodes."""
    desk = Desk()
    desk.settings.view = view
    for tick in range(1, ticks + 1):
        readings = [frames[key][tick - 1] for key in keys]
        desk.absorb(readings, START_NS + tick * SECOND, 1.0)
    return desk
