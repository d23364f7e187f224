"""A disk that loses what it was given: the kernel says so once, and the store never forgets it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from held import enlarge, loop_disk, small_disk
from isinglass.errors import DiskFailed
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from isinglass.store.panels import StorePanel
from store.store_model import create, value_record

ROWS = 200
BATCHES = 40  # of 200 records of a KiB, which is more than the disk has


@pytest.mark.hosts
def test_a_flush_that_failed_is_never_taken_for_one_that_worked(data_dir: Path) -> None:
    """A disk in a file on a disk that is full: written to memory, it fits; on the disk it never is.

    Asked again the kernel calls it flushed, which is how acknowledged writes are lost.
    """
    panel = StorePanel()
    with (
        small_disk(data_dir / "small", "6m") as small,
        loop_disk(small / "disk", 64 << 20) as disk,
        Store.open(disk / "store", durability="second", panel=panel) as store,
    ):
        store.apply([create("t", 1)])
        for batch in range(BATCHES):
            rows = {b"%d-%d" % (batch, n): value_record(5, s=os.urandom(1000)) for n in range(ROWS)}
            store.apply([Writes("t", rows)])
        for _ in range(4):
            with pytest.raises(DiskFailed, match="did not keep"):
                store.flush()
        enlarge(small, "200m")
        with pytest.raises(DiskFailed):
            store.flush()
        with pytest.raises(DiskFailed):
            store.apply([Writes("t", {b"k": value_record(5)})])
        assert store.stored("t", b"k") is None
        assert store.stored("t", b"0-0") is not None
        store.publish(0)
        assert panel.state == "disk failed"
