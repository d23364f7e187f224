"""Flow control of a daemon on its own: its writers keep to what its store can take, and see why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from statistics import median

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock, errors
from panel_figures import real, whole

SECONDS = 5.0
FIELDS = [f"field{number}" for number in range(12)]
"""Indexed, all of them: so the store is slower than even a busy machine can write."""


@pytest.fixture
def elm() -> Iterator[DaemonProcess]:
    """A daemon that is full with two seconds of work, so that a short flood reaches the target."""
    with daemon("elm", queue_limit_seconds=2, durability="commit") as process:
        with isinglass.connect("elm") as database:
            database.create_table("t", indexes=FIELDS)
        yield process


def flood(number: int, until_ns: int, written: list[int]) -> None:
    """Write as fast as the daemon lets."""
    with isinglass.connect("elm", timeout_seconds=30) as database:
        turn = 0
        while clock.monotonic_ns() < until_ns:
            value = dict.fromkeys(FIELDS, turn)
            items = {f"{number}/{turn * 250 + n}": value for n in range(250)}
            written[number] += database.put_many("t", items, durability="second")
            turn += 1


def throttled_seconds(elm: DaemonProcess) -> float:
    """Return for how long the clients that are connected now were held up, as they say."""
    panels = [process.panel("client", "elm") for process in elm.snapshot().processes]
    return sum(real(panel, "throttled_time") for panel in panels if panel)


@pytest.mark.slow
def test_a_flood_is_held_to_the_stores_speed_below_the_limit_and_shared_fairly(
    elm: DaemonProcess,
) -> None:
    until, written, seen = clock.monotonic_ns() + int(SECONDS * 1e9), [0, 0], []
    held_up = 0.0
    threads = [threading.Thread(target=flood, args=(n, until, written)) for n in range(2)]
    for thread in threads:
        thread.start()
    while clock.monotonic_ns() < until:
        seen.append(elm.panel("flow"))
        held_up = max(held_up, throttled_seconds(elm))
        clock.sleep(0.05)
    flow, queue = elm.panel("flow"), elm.panel("queue")
    for thread in threads:
        thread.join()
    later = [real(panel, "backlog") for panel in seen[len(seen) // 2 :]]
    assert 0.2 <= median(later) <= 1.5  # a busy machine makes batches, and so the lumps, longer
    assert queue["refused"] == 0
    assert min(written) >= 0.7 * max(written)
    limited = [
        panel for panel in seen if panel["limiter"] == "elm" and panel["limited_by"] == "age"
    ]
    assert limited
    assert all(0 < whole(panel, "limited_since") <= clock.wall_ns() for panel in limited)
    assert any(real(panel, "demand") > real(panel, "allowed") > 0 for panel in limited)
    assert real(flow, "throttled_time") > SECONDS / 4
    assert whole(flow, "throttled") > 0
    assert real(flow, "retired") > 0
    assert real(flow, "settling") >= 0.5
    assert held_up > 0


def test_who_does_not_want_to_wait_hears_at_once_that_the_pace_is_the_reason(
    elm: DaemonProcess,
) -> None:
    with isinglass.connect("elm", timeout_seconds=30) as database:
        started = clock.monotonic_ns()
        with pytest.raises(errors.RequestRefused, match="slowest node"):
            for turn in range(1000):
                value = dict.fromkeys(FIELDS, turn)
                items = ((f"{turn}/{n}", value) for n in range(1000))
                database.put_many("t", items, wait=False)
        assert clock.monotonic_ns() - started < 20e9
        database.put("t", "later", {"n": 1})
        assert database.get("t", "later") == {"n": 1}


def test_writers_that_ask_for_less_are_not_held_up(elm: DaemonProcess) -> None:
    with isinglass.connect("elm") as database:
        for number in range(100):
            database.put("t", str(number), {"n": number})
            clock.sleep(0.005)
    flow = elm.panel("flow")
    assert flow["throttled"] == 0
    assert flow["limiter"] == ""
    assert real(flow, "demand") > 0
