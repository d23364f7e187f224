"""A program that looks at one remote node ten times a second and prints how old each frame was.

`remote_reader.py ADDRESS`: a line of JSON a frame, times in nanoseconds of the monotonic clock. A
test stops it, and lets it go on, as a link or a laptop would.
"""

from __future__ import annotations

import json
import sys

from isinglass import clock
from isinglass.remote.address import read_address
from isinglass.remote.links import Links

INTERVAL_SECONDS = 0.1


def main() -> None:
    links = Links()
    node = links.node(read_address(sys.argv[1]))
    while True:
        node.news.wait()
        for arrival in node.take():
            snapshot = arrival.snapshot
            assert snapshot is not None
            told = {
                "taken_ns": arrival.taken_ns,
                "arrived_ns": arrival.arrived_ns,
                "far_taken_ns": snapshot.taken_monotonic_ns,
                "told_ns": clock.monotonic_ns(),
                "looks": arrival.sampling.taken,
            }
            print(json.dumps(told), flush=True)
        node.want(INTERVAL_SECONDS, 20, clock.monotonic_ns())


if __name__ == "__main__":
    main()
