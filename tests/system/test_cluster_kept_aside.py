"""What goes into a node's store before what is in line reaches a node that was dead meanwhile.

The store has it without its own number then; and nobody else can have heard of that number.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import isinglass
from cluster_daemons import cluster
from held_thread import held, wait_until_held
from isinglass import errors
from isinglass.store.reading import StoreReader
from waiting import wait_until

MIB = 1 << 20

pytestmark = pytest.mark.slow


def tables_of(store: Path) -> set[str]:
    """Return the tables of a node's store."""
    with StoreReader.open(str(store)) as reader:
        return {state.name for state in reader.tables()}


def fill(database: isinglass.Client) -> None:
    """Write until the store takes no more."""
    with pytest.raises(errors.MapFull):
        for number in range(40_000):
            database.put("t", f"key {number}", {"filler": "x" * 2000, "n": number})
            if number % 200 == 199:
                database.flush()


def test_what_was_kept_aside_reaches_a_node_that_was_dead_meanwhile(data_dir: Path) -> None:
    with cluster(2, stop_limit_seconds=0.5) as nodes:
        alder, birch = nodes["alder"], nodes["birch"]
        with isinglass.connect("birch") as database:
            database.create_table("t")
            database.put("t", "before", {"n": 0}, durability="commit")
            nodes.wait_even()
            alder.kill()
            owner = birch.snapshot().owner
            assert owner is not None
            applier = next(thread.tid for thread in owner.threads if thread.name == "applier")
            with held(birch.pid, applier) as thread:
                for number in range(100):
                    database.put("t", f"key {number}", {"n": number})
                wait_until_held(thread)
                birch.process.send_signal(signal.SIGTERM)
                assert birch.gone() == 1
        assert (data_dir / "birch" / "kept-aside").stat().st_size > 0
        birch.start()
        assert birch.panel("daemon")["recovered"] == 100
        birch.kill()  # it has not spoken to anybody
        birch.start()
        alder.start()
        nodes.wait_live()
        wait_until(lambda: len({tuple(d) for d in nodes.digests().values()}) == 1, "equal stores")
        with isinglass.connect("alder") as database:
            assert len(dict(database.scan("t"))) == 101


def test_a_drop_that_made_room_reaches_a_node_that_was_dead_meanwhile(data_dir: Path) -> None:
    """The batch in hand still finds no room, so nothing after the drop notes how far it is."""
    with cluster(2, map_size_bytes=8 * MIB) as nodes:
        alder, birch = nodes["alder"], nodes["birch"]
        alder.flags += ["--map-size-bytes", str(64 * MIB)]
        birch_again = [*birch.flags, "--map-size-bytes", str(64 * MIB)]
        alder.stop()
        alder.start()
        nodes.wait_live()
        with isinglass.connect("birch") as database:
            database.create_table("empty")
            database.create_table("t")
            nodes.wait_even()
            fill(database)
            wait_until(lambda: alder.panel("queue")["length"] == 0, "alder has what waits at birch")
            alder.kill()
            wait_until(lambda: birch.panel("daemon")["trouble"], "birch's store takes nothing")
            reached = birch.panel("queue")["applied_through"]
            database.drop_table("empty")
            assert birch.panel("queue")["applied_through"] == reached
            birch.kill()
        assert "empty" not in tables_of(data_dir / "birch")
        assert "empty" in tables_of(data_dir / "alder")
        birch.flags = birch_again
        birch.start()
        alder.start()
        nodes.wait_live()
        wait_until(
            lambda: "empty" not in tables_of(data_dir / "alder"), "alder has dropped it, too"
        )
        nodes.wait_equal()
