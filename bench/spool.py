"""The spool: what it takes in beside rsyslog and Python's own server; what grep needs to answer.

ingest    the same events to each receiver, a real process on this machine, at rising rates
query     one node's warnings out of a large spool, and out of the same events as text
"""

from __future__ import annotations

import argparse
import sys

import harness
from spooling import ingest, queries

PARTS = {"ingest": ingest.measure, "query": queries.measure}
NOTES = [
    "Sender and receiver share this machine's processors. The monitor's events are sealed with a"
    " key, stored with two indexes, and flushed each 20 ms or 1,000 events; rsyslog and the Python"
    " server write a plain file and flush nothing.",
]


def measure(arguments: argparse.Namespace) -> harness.Report:
    """Run the parts that were asked for, each in folders of its own."""
    report = harness.Report("spool.py", "events taken in and asked for, beside rsyslog and grep")
    for name in arguments.only or PARTS:
        with harness.folders(arguments.folder) as folder:
            PARTS[name](report, arguments, folder)
    report.notes += NOTES
    return report


def main() -> int:
    """Measure and report."""
    parser = harness.options(str(__doc__).splitlines()[0], rounds=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts alone")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each step (default 2)")
    parser.add_argument("--top", type=int, default=250_000, help="the highest rate")
    parser.add_argument("--events", type=int, default=10_000_000, help="in the large spool")
    parser.add_argument("--folder", help="where to work: a disk, not memory")
    arguments = parser.parse_args()
    return harness.finish(measure(arguments), arguments)


if __name__ == "__main__":
    sys.exit(main())
