"""The program that makes a store slow in tests and in the tour goes on when the store grows."""

from __future__ import annotations

from pathlib import Path

import lmdb

from demo_stage import SLOW_STORE
from isinglass import clock
from programs import program

LIMIT_SECONDS = 20.0


def test_it_holds_the_store_also_once_its_map_is_larger(tmp_path: Path) -> None:
    with (
        lmdb.open(str(tmp_path), map_size=1 << 20) as store,
        program(SLOW_STORE.read_text(), str(tmp_path)) as slow,
    ):
        store.set_mapsize(1 << 26)
        with store.begin(write=True) as transaction:
            transaction.put(b"key", bytes(1 << 24))  # more than a map has that nobody sized
        end_ns, waited_ns = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9), 0
        while waited_ns < 100_000_000:
            clock.sleep(0.002)  # the lock goes to whoever asks for it at once otherwise
            began_ns = clock.monotonic_ns()
            store.begin(write=True).abort()
            waited_ns = clock.monotonic_ns() - began_ns
            assert slow.poll() is None and began_ns < end_ns
