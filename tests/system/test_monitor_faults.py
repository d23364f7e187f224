"""A monitor that is stopped, killed, flooded, without disk: what it misses it gets, or names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster_daemons import ClusterDaemons, cluster
from event_worker import SMALL_BUFFER, WORKER, account, log, wait_through
from held import filled, frozen, loop_disk, small_disk
from isinglass import clock
from isinglass.wire.event_bodies import ASK
from isinglass.wire.events import EventOpener
from isinglass.wire.transport.events import EventGroup, sender_sockets
from isinglass_monitor.spool.reading import Question
from monitor.test_intake import Process
from monitor_process import monitor, settings_for
from programs import program
from waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_monitor_that_was_stopped_has_everything_from_the_rings() -> None:
    with (
        cluster(1) as daemons,
        monitor(daemons, receive_buffer_bytes=SMALL_BUFFER) as watching,
        program(WORKER, "alder") as worker,
    ):
        log(worker, 100, 0.01)
        with watching.stopped():
            log(worker, 700, 0.03)
        log(worker, 100, 0.01)
        wait_through(watching, "worker", 900)
        found = account(watching, "worker")
        assert found["lost"] == 0, found
        assert found["repaired"] > 0, "the small buffer held everything: nothing was tried"
        assert watching.figure("intake", "socket_drops") > 0


def test_what_no_ring_has_any_more_is_named_to_the_event() -> None:
    with (
        cluster(1) as daemons,
        monitor(daemons, receive_buffer_bytes=SMALL_BUFFER) as watching,
        program(WORKER, "alder") as worker,
    ):
        log(worker, 100, 0.01)
        with watching.stopped():
            log(worker, 6000, 0.002)
        log(worker, 50, 0.02)
        wait_through(watching, "worker", 6150)
        found = account(watching, "worker")
        assert found["lost"] > 1000, found
        assert found["socket"] > 0, found


def test_two_monitors_with_other_losses_end_with_the_same_events() -> None:
    with (
        cluster(2) as daemons,
        monitor(daemons, "left", receive_buffer_bytes=SMALL_BUFFER) as left,
        monitor(daemons, "right") as right,
        program(WORKER, "alder") as worker,
    ):
        log(worker, 100, 0.01)
        with left.stopped():
            log(worker, 400, 0.02)
        wait_through(left, "worker", 500)
        right.kill()
        log(worker, 400, 0.02)
        right.start()
        log(worker, 100, 0.01)
        for watching in (left, right):
            wait_through(watching, "worker", 1000)
            assert account(watching, "worker")["lost"] == 0
        assert daemons["birch"].stop() == 0
        for watching in (left, right):
            watching.wait_for("the store is closed", "birch")
            watching.wait_complete()
        told = [
            [entry[:10] for entry in watching.entries() if entry.node in ("alder", "birch")]
            for watching in (left, right)
        ]
        assert told[0] == told[1]


@pytest.mark.root
def test_a_full_disk_is_told_and_what_waited_is_stored_when_there_is_room(data_dir: Path) -> None:
    with (
        small_disk(data_dir / "monitor", "24m") as disk,
        cluster(1) as daemons,
        monitor(daemons, keep_free=0) as watching,
        program(WORKER, "alder") as worker,
    ):
        log(worker, 20, 0.01)
        wait_through(watching, "worker", 20)
        with filled(disk):
            log(worker, 500, 0.02)
            wait_until(lambda: "no room" in watching.figure("monitor", "trouble"), "it says so")
        wait_until(lambda: not watching.figure("monitor", "trouble"), "it goes on")
        wait_through(watching, "worker", 520)
        assert account(watching, "worker")["lost"] == 0


@pytest.mark.root
def test_a_disk_that_stalls_is_told_and_what_found_no_room_is_asked_for(data_dir: Path) -> None:
    with (
        loop_disk(data_dir / "monitor") as disk,
        cluster(1) as daemons,
        monitor(daemons, keep_free=0, queue_bytes=1 << 20) as watching,
        program(WORKER, "alder") as worker,
    ):
        log(worker, 20, 0.01)
        wait_through(watching, "worker", 20)
        with frozen(disk):
            log(worker, 1500, 0.003)
            wait_until(lambda: watching.figure("spool", "stalled") > 1, "the stall is shown")
            log(worker, 1500, 0.003)
            wait_until(lambda: watching.figure("intake", "no_room") > 0, "the queue is full")
        wait_through(watching, "worker", 3020)
        found = account(watching, "worker")
        assert found["lost"] == found["disk"], found


@contextmanager
def flood(where: EventGroup, name: str, rate: int, seconds: float) -> Iterator[dict[str, float]]:
    """Send as fast as it goes, as one sender, for a block; what it yields says how much, then."""
    bench = Path(__file__).parents[2] / "bench"
    process = subprocess.Popen(
        [sys.executable, "-m", "spooling.flood", "packed", "--rate", str(rate), "--together", "7",
         "--seconds", str(seconds), "--address", where.group, "--port", str(where.port),
         "--cluster", name],
        cwd=bench,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    told: dict[str, float] = {}
    try:
        yield told
        told.update(json.loads(process.communicate(timeout=60)[0]))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_flood_does_not_push_out_two_hundred_others() -> None:
    daemons = ClusterDaemons(())
    group = EventGroup(
        str(daemons.settings["multicast_group"]), int(str(daemons.settings["multicast_port"])) + 1,
        "lo", 1,
    )  # fmt: skip
    name = str(daemons.settings["cluster"])
    sockets = sender_sockets(group)
    others = [Process(stream, f"n{stream % 20}", "daemon", 10**6) for stream in range(1, 201)]
    for process in others:
        process.sealer = type(process.sealer)(name, b"", process.stream)
        process.address = sockets.address
    opener = EventOpener(name, b"")

    def turn() -> None:
        for data, address in sockets.receive(64, 0.01):
            asked = opener.open(data)
            assert asked.kind == ASK
            stream, ranges = asked.body
            for answer in others[stream - 1].answer(ranges):
                sockets.unicast(address, answer)

    with monitor(daemons, queue_bytes=2 << 20) as watching:
        with flood(group, name, 150_000, 5) as told:
            for number in range(25):
                for process in others:
                    sockets.multicast(process.log(2))
                    if number % 5 == 4:
                        sockets.multicast(process.status())
                turn()
                clock.sleep(0.1)

        def all_there() -> bool:
            for process in others:
                sockets.multicast(process.status())
            for _ in range(20):
                turn()
            found = watching.entries(Question(nodes=tuple(f"n{number}" for number in range(20))))
            return len([entry for entry in found if not entry.missing]) == 200 * 50

        wait_until(all_there, "every event of the two hundred")
        wait_until(lambda: watching.figure("intake", "open") == 0, "nothing open")
        watching.wait_complete()
        flooder = watching.entries(Question(nodes=("alder",)))
        stored = [entry.sequence for entry in flooder if not entry.missing]
        assert len(set(stored)) == len(stored)
        assert len(stored) + sum(entry.missing for entry in flooder) == told["sent"]
        sockets.close()


def test_what_is_not_genuine_is_counted_by_its_reason() -> None:
    daemons = ClusterDaemons(())
    group = EventGroup(
        str(daemons.settings["multicast_group"]), int(str(daemons.settings["multicast_port"])) + 1,
        "lo", 1,
    )  # fmt: skip
    sockets = sender_sockets(group)
    name = str(daemons.settings["cluster"])
    process, stranger = Process(5), Process(6)
    process.sealer = type(process.sealer)(name, b"", 5)
    with monitor(daemons) as watching:
        good = process.log(1, "\x1b]0;owned\x07")
        for data in (
            good,
            good,
            b"",
            b"x" * 60_000,
            good[:-1] + bytes([good[-1] ^ 1]),
            good[:2] + b"\x09" + good[3:],
            stranger.log(1),
        ):
            sockets.multicast(data)
        sockets.multicast(process.status())
        watching.wait_for("\x1b]0;owned\x07", "oak")
        watching.wait_complete()
        reasons = {
            reason: watching.figure("intake", reason)
            for reason in ("malformed", "wrong_version", "wrong_cluster", "bad_tag", "replayed")
        }
        assert reasons == {
            "malformed": 2, "wrong_version": 1, "wrong_cluster": 1, "bad_tag": 1, "replayed": 1,
        }  # fmt: skip
    sockets.close()
    assert settings_for(daemons)["insecure"] is True
