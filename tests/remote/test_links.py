"""A remote node is a source like a local one; a link that breaks shows, and mends by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from isinglass import clock
from isinglass.remote import ssh
from isinglass_console.model.frame import Condition
from isinglass_console.model.reading import Reading
from isinglass_console.sources.feed import Feed
from remote_hosts import RemoteHosts
from remote_watcher import LIMIT_SECONDS, beat_age, relays, watching

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

READER = Path(__file__).parent.parent / "remote_reader.py"
Node = subprocess.Popen[str]


def test_a_remote_node_is_read_like_a_local_one(alder: Node, hosts: RemoteHosts) -> None:
    hosts.add("far")
    arrived = threading.Event()
    feed = Feed(["ssh://far/alder"], 0.2, arrived.set)
    feed.start()
    readings: list[Reading] = []
    try:
        while sum(reading.tally.taken for reading in readings) < 20:
            assert arrived.wait(LIMIT_SECONDS)
            arrived.clear()
            readings += [each for delivery in feed.take() for each in delivery.readings]
    finally:
        feed.stop()
    assert {reading.node for reading in readings} == {"alder"}
    assert [r.condition for r in readings if r.condition != Condition.CONNECTING].count(
        Condition.ALIVE
    ) == len([r for r in readings if r.snapshot])
    messages = [event.message for reading in readings for event in reading.events]
    assert messages == ["opened the store tables=1", "commit took 1 204 ms limit_ms=100"]
    last = next(reading for reading in reversed(readings) if reading.tally.sampled)
    tally = last.tally
    kinds = [share for key in tally.sampled for share in tally.lines(key).values()]
    assert all(share.unknown_ns == 0 for share in kinds)


def test_a_cut_link_is_shown_and_mends(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    with watching("ssh://far/alder") as watcher:
        watcher.until_first(Condition.ALIVE)
        far.cut()
        down = watcher.until_first(Condition.LINK_DOWN)
        assert down.sentence.startswith("LINK DOWN since ")
        assert down.snapshot is not None, "what was seen last is still shown"
        watcher.until_first(Condition.ALIVE)
        watcher.until(lambda found: not found[0].repeated)
    events = [event.message for reading in watcher.seen for event in reading.events]
    assert len(events) == 2, "events that were told are not told again"
    assert not any(reading.restarted for reading in watcher.seen)


def test_a_node_behind_a_dead_link_grows_old(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    with watching("ssh://far/alder") as watcher:
        watcher.until_first(Condition.ALIVE)
        sessions = far.sessions()
        far.close()
        for session in sessions:
            session.kill()
        watcher.until_first(Condition.LINK_DOWN)
        began = len(watcher.seen)
        watcher.until(lambda found: beat_age(found[0]) > 4.0)
        later = watcher.seen[began:]
    assert {reading.condition for reading in later} == {Condition.LINK_DOWN}
    ages = [beat_age(reading) for reading in later]
    assert ages == sorted(ages)
    assert "cannot be reached" in later[-1].sentence


def test_a_relay_ends_with_its_session_and_is_started_anew(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    with watching("ssh://far/alder") as watcher:
        watcher.until_first(Condition.ALIVE)
        (first,) = relays()
        far.cut()
        assert psutil.wait_procs([first], LIMIT_SECONDS)[1] == [], "it outlived its session"
        (second,) = watcher.until_relays_but(first)
        second.kill()
        third = watcher.until_relays_but(second)
        watcher.until(lambda found: not found[0].repeated)
    assert psutil.wait_procs(third, LIMIT_SECONDS)[1] == [], "it outlived its client"


def test_a_host_key_that_changes_meanwhile(alder: Node, hosts: RemoteHosts) -> None:
    far = hosts.add("far")
    with watching("ssh://far/alder") as watcher:
        watcher.until_first(Condition.ALIVE)
        far.change_host_key()
        down = watcher.until(lambda found: "known_hosts" in found[0].sentence)[0]
    assert down.condition == Condition.LINK_DOWN
    assert "is another than the one in known_hosts" in down.sentence


def test_what_happens_far_away_is_seen(
    start_node: Callable[[str], Node], hosts: RemoteHosts
) -> None:
    hosts.add("far")
    alder = start_node("alder")
    with watching("ssh://far/") as watcher:
        watcher.until_first(Condition.ALIVE)
        alder.send_signal(signal.SIGSTOP)
        watcher.until_first(Condition.STOPPED)
        alder.send_signal(signal.SIGCONT)
        watcher.until_first(Condition.ALIVE)
        alder.kill()
        watcher.until_first(Condition.KILLED)
        start_node("alder")
        watcher.until_first(Condition.ALIVE)
        assert any(reading.restarted for reading in watcher.seen)
        start_node("birch")
        both = watcher.until(lambda found: len(found) == 2 and bool(found[1].snapshot))
    assert [reading.node for reading in both] == ["alder", "birch"]


def test_many_hosts_behind_one_jump_host_share_its_connection(
    alder: Node, hosts: RemoteHosts
) -> None:
    gate = hosts.add("gate")
    inner = hosts.add("inner", jump="gate")
    for name in ("second", "third"):
        hosts.alias("inner", name)
    before = gate.logins, inner.logins
    addresses = [f"ssh://{name}/alder" for name in ("inner", "second", "third")]
    with watching(*addresses) as watcher:
        readings = watcher.until(
            lambda found: {each.condition for each in found} == {Condition.ALIVE}
        )
        assert [reading.node for reading in readings] == ["alder", "alder@second", "alder@third"]
        assert (gate.logins - before[0], inner.logins - before[1]) == (1, 3)


def test_only_so_many_handshakes_go_to_one_host_at_once(
    alder: Node, hosts: RemoteHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer than the eight of production, so that a machine of any speed would have more at once;
    # and some room, since sshd counts a login as over a little later than its client does.
    monkeypatch.setattr(ssh, "HANDSHAKES_AT_ONCE", 2)
    hosts.add("far", startups=5)
    names = [f"far{number}" for number in range(20)]
    for name in names:
        hosts.alias("far", name)
    with watching(*(f"ssh://{name}/alder" for name in names)) as watcher:
        watcher.until(lambda found: {each.condition for each in found} == {Condition.ALIVE})
    assert Condition.LINK_DOWN not in {reading.condition for reading in watcher.seen}


def test_a_client_that_was_stopped_sees_the_newest_state_first(
    alder: Node, hosts: RemoteHosts
) -> None:
    hosts.add("far")
    reader = subprocess.Popen(
        [sys.executable, str(READER), "ssh://far/alder"], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    try:
        for _ in range(10):
            reader.stdout.readline()
        reader.send_signal(signal.SIGSTOP)
        stopped_ns = clock.monotonic_ns()
        (relay,) = relays()
        before = relay.cpu_times()
        with pytest.raises(subprocess.TimeoutExpired):
            reader.wait(5.0)
        spent = sum(relay.cpu_times()[:2]) - sum(before[:2])
        resumed_ns = clock.monotonic_ns()
        reader.send_signal(signal.SIGCONT)
        stale, looks, first = 0, 0, {"taken_ns": 0}
        while first["taken_ns"] < resumed_ns:
            first = json.loads(reader.stdout.readline())
            looks += first["looks"]  # one that was asked for before the stop may have them
            # Whatever was under way is as old as it is, by the reader's own account.
            if stopped_ns <= first["arrived_ns"] < resumed_ns or first["taken_ns"] < resumed_ns:
                stale += 1
                assert first["taken_ns"] <= first["far_taken_ns"]
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
    assert stale <= 6, "frames piled up"
    assert first["arrived_ns"] - resumed_ns < 1_000_000_000
    assert looks > 50, "the looks of the time between are told"
    assert spent < 1.0


def test_a_link_that_stood_still_brings_the_newest_state_at_once(
    alder: Node, hosts: RemoteHosts
) -> None:
    far = hosts.add("far")
    interval_seconds = 3.0
    with watching("ssh://far/alder") as watcher:
        (source,) = watcher.ready(interval_seconds)
        sessions = far.sessions()
        for session in sessions:
            session.suspend()
        while {session.status() for session in sessions} != {psutil.STATUS_STOPPED}:
            threading.Event().wait(0.01)
        for _ in range(4):  # ticks that come early would hurry nobody
            watcher.fleet.read((), interval_seconds, 0)
            threading.Event().wait(0.6 * interval_seconds)
        source.node.take()
        resumed_ns = clock.monotonic_ns()
        for session in sessions:
            session.resume()
        taken_ns = 0
        while taken_ns < resumed_ns:  # What was under way when it stopped comes first.
            newest = source.node.wait(LIMIT_SECONDS)
            assert newest.snapshot is not None
            taken_ns = newest.snapshot.taken_monotonic_ns
    assert newest.arrived_ns - resumed_ns < interval_seconds / 2 * 1e9


LOCAL_SHELL = """\
#!/bin/sh
# Stands where ssh would: runs the command, its last argument, on this machine.
for command; do :; done
exec /bin/sh -c "$command"
"""


@pytest.mark.slow
def test_fifty_relays_at_once(alder: Node, tmp_path: Path, hosts: RemoteHosts) -> None:
    shell = tmp_path / "local"
    shell.write_text(LOCAL_SHELL.replace('"$command"', f'"PATH={path()} $command"'))
    shell.chmod(0o755)
    addresses = [f"ssh://host{number}/alder" for number in range(50)]
    with watching(*addresses, ssh_command=str(shell)) as watcher:
        readings = watcher.until(
            lambda found: {each.condition for each in found} == {Condition.ALIVE}
        )
        assert len({reading.node for reading in readings}) == 50
        assert len(relays()) == 50
        left = relays()
    assert psutil.wait_procs(left, LIMIT_SECONDS)[1] == []


def path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"
