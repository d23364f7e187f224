"""A local source says in words what its node is in, and attaches again by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from at_work import working_node
from isinglass import clock
from isinglass.glass import layout
from isinglass_console.model.frame import Condition
from isinglass_console.model.heat import Tally
from isinglass_console.model.reading import Reading
from isinglass_console.sources import local
from isinglass_console.sources.feed import Feed
from isinglass_console.sources.local import LocalSource

LIMIT_SECONDS = 40.0
NEVER_NS = 1 << 62


def until(source: LocalSource, wanted: Callable[[Reading], bool]) -> Reading:
    """Read until a reading is as wanted; each one asks the kernel anew."""
    end, pause = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9), threading.Event()
    while True:
        reading = source.read()
        if wanted(reading):
            return reading
        assert clock.monotonic_ns() < end, reading
        pause.wait(0.05)


def thread_names(reading: Reading) -> list[str]:
    assert reading.snapshot is not None and reading.snapshot.owner is not None
    return [thread.name for thread in reading.snapshot.owner.threads]


def test_a_node_that_is_not_there_is_a_sentence(home: Path) -> None:
    reading = LocalSource("nobody").read()
    assert reading.condition == Condition.MISSING
    assert "isinglass daemon start nobody" in reading.sentence


def test_files_that_are_no_segments_are_sentences(home: Path) -> None:
    path = Path(layout.segment_path("odd"))
    path.parent.mkdir(parents=True)
    source = LocalSource("odd")
    path.write_bytes(b"x" * 100)
    assert source.read().condition == Condition.UNREADABLE
    with path.open("wb") as file:
        file.truncate(layout.SEGMENT_BYTES)
    assert source.read().condition == Condition.STARTING, "a file of zeros is one that begins"
    path.write_bytes(b"not a segment of ours" * 20_000_000)
    assert source.read().condition == Condition.UNREADABLE
    path.unlink()
    assert source.read().condition == Condition.MISSING


def test_looks_are_counted_when_they_are_due_and_when_other_threads_live(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working_node("alder") as process:
        source = LocalSource("alder")
        until(source, lambda reading: "applier" in thread_names(reading))
        monkeypatch.setattr(local, "COUNTED_NS", NEVER_NS)
        source.read()
        for _ in range(7):
            source.sample(late=False)
        assert source.read().tally == Tally(), "they wait for the next count"
        monkeypatch.setattr(local, "COUNTED_NS", 0)
        assert source.read().tally.taken == 7
        monkeypatch.setattr(local, "COUNTED_NS", NEVER_NS)
        for _ in range(5):
            source.sample(late=False)
        process.kill()
        last = until(source, lambda reading: reading.condition == Condition.KILLED)
        assert last.tally.taken == 5
        assert sum(last.tally.looks((0, 1, 1)).values()) == 5
        source.close()


def test_a_working_node_is_sampled_and_its_events_come_once(home: Path) -> None:
    with working_node("alder"):
        source = LocalSource("alder")
        first = source.read()
        assert first.condition == Condition.ALIVE
        assert "commit took 1 204 ms limit_ms=100" in [event.message for event in first.events]
        until(source, lambda reading: "applier" in thread_names(reading))
        for _ in range(50):
            source.sample(late=False)
        second = until(source, lambda reading: bool(reading.tally.sampled))
        assert second.events == ()
        assert second.tally.taken == 50
        assert second.snapshot is not None and second.snapshot.owner is not None
        seen = {
            thread.name: sum(
                share.samples for share in second.tally.lines((0, 1, thread.index)).values()
            )
            for thread in second.snapshot.owner.threads
        }
        assert seen["applier"] == 50
        source.close()


def test_stopped_killed_and_restarted_nodes(home: Path) -> None:
    source = LocalSource("alder")
    with working_node("alder") as process:
        assert source.read().condition == Condition.ALIVE
        process.send_signal(signal.SIGSTOP)
        stopped = until(source, lambda reading: reading.condition == Condition.STOPPED)
        assert stopped.snapshot is not None and stopped.snapshot.owner is not None
        assert stopped.snapshot.owner.heartbeat_age_seconds > layout.STALLED_AFTER_SECONDS
        process.send_signal(signal.SIGCONT)
        until(source, lambda reading: reading.condition == Condition.ALIVE)
        os.kill(process.pid, signal.SIGKILL)
        killed = until(source, lambda reading: reading.condition == Condition.KILLED)
        assert killed.snapshot is not None and killed.snapshot.owner is not None
        lines = {thread.name: thread.site for thread in killed.snapshot.owner.threads}
        assert lines["applier"] is not None
        assert lines["applier"].label in ("applying a batch", "for work")
    with working_node("alder"):
        back = until(source, lambda reading: reading.restarted)
        assert back.condition == Condition.ALIVE
        assert not source.read().restarted, "said once"
    source.close()


def test_a_segment_that_is_cut_while_it_is_watched_is_a_sentence(home: Path) -> None:
    source = LocalSource("alder")
    with working_node("alder") as process:
        assert source.read().condition == Condition.ALIVE
        process.send_signal(signal.SIGSTOP)
        os.truncate(layout.segment_path("alder"), 8192)
        reading = source.read()
        assert reading.condition == Condition.UNREADABLE
        assert "cut" in reading.sentence
        source.sample(late=False)
        process.kill()
    source.close()


def test_the_feed_finds_nodes_that_come_later(home: Path) -> None:
    arrived = threading.Event()
    feed = Feed((), 0.05, arrived.set)
    feed.start()
    try:
        assert arrived.wait(LIMIT_SECONDS)
        assert next(delivery.readings for delivery in feed.take()) == ()
        with working_node("birch"):
            names: set[str] = set()
            while "birch" not in names:
                arrived.clear()
                assert arrived.wait(LIMIT_SECONDS)
                names |= {r.node for delivery in feed.take() for r in delivery.readings}
    finally:
        feed.stop()
    assert not feed.is_alive()


def test_what_is_not_taken_is_bounded_and_the_newest_stays(home: Path) -> None:
    lots = threading.Semaphore(0)
    feed = Feed((), 0.001, lots.release)
    feed.start()
    for _ in range(200):
        assert lots.acquire(timeout=LIMIT_SECONDS)
    feed.stop()
    taken = feed.take()
    assert 100 <= len(taken) <= 120
    assert taken == sorted(taken, key=lambda delivery: delivery.wall_ns)
