"""Makes the store of a node slow: holds its write lock again and again, as a foreign program might.

    python tests/slow_store.py /path/to/data/cedar

Only the daemon may write its store, but nothing keeps a careless script from opening it. The lock
is held for a quarter of a second at a time, so the daemon gets it four times a second, one batch
each time: with ISINGLASS_BATCH_LIMIT=10 that is some 40 writes a second. A daemon that did not get
the lock for two seconds would refuse writes; that many misses in a row do not happen.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import lmdb

HELD_SECONDS, FREE_SECONDS = 0.25, 0.01


def main() -> None:
    """Hold the lock of the store that is named, until this process is ended."""
    with lmdb.open(sys.argv[1], max_dbs=16) as store:
        print("ready", flush=True)
        while True:
            try:
                with store.begin(write=True):
                    time.sleep(HELD_SECONDS)
            except lmdb.MapResizedError:
                store.set_mapsize(0)  # the daemon has made its map larger: take its size
            time.sleep(FREE_SECONDS)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
