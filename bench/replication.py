"""Replicated updates: how many a second, how far copies are behind, and at what price.

Real daemons on the loopback, each with its client processes, beside redis with two replicas and
beside etcd, which are started for the run where this machine has them. Each part starts what it
needs, ends by itself, and takes away what it made, also when it is interrupted:

    latency      one put, eventual and immediate, beside redis's SET and a bare TCP round trip
    nodes        three nodes at once, commits each 100 ms
    throughput   1, 3 and 5 nodes; eventual and immediate; uniform and Zipf keys; merging on and off
    peers        the same records through redis and etcd
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

import harness
from replicated import latency, peers, throughput
from replicated.servers import Late

PARTS = {
    "latency": latency.measure,
    "nodes": throughput.measure_goals,
    "throughput": throughput.measure,
    "peers": peers.measure,
}
NOTES = [
    "All daemons and clients share this machine's processors. The cluster is one without a key: the"
    " tags of datagrams and frames cost the same.",
    "Lag: from the acknowledgement of a record at one node until another one's store shows it,"
    " while the writers write half as much as they could.",
]


def _ended(*_: int | FrameType | None) -> None:
    raise SystemExit("replication.py: ended by a signal")


def measure(arguments: argparse.Namespace) -> harness.Report:
    """Run the parts that were asked for, each in folders of its own."""
    report = harness.Report("replication.py", "updates to several nodes, beside redis and etcd")
    for name in arguments.only or PARTS:
        with harness.folders() as folder:
            try:
                PARTS[name](report, arguments, folder)
            except Late as late:
                report.notes.append(f"The part {name} was ended: {late}.")
                print(f"{name}: {late}", file=sys.stderr)
    report.notes += NOTES
    return report


def main() -> int:
    parser = harness.options(__doc__.split("\n")[0], rounds=9)
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="a part, any number of times"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of one run (default 4)")
    parser.add_argument("--short", action="store_true", help="runs of one second, fewer rounds")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.seconds, arguments.rounds = 1.0, 3
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)
    return harness.finish(measure(arguments), arguments)


if __name__ == "__main__":
    sys.exit(main())
