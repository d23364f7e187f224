"""The five walks of docs/tour.md: an operator's questions, answered from the screen alone.

The real demo in a real terminal, faults from outside as they come: a foreign program at a store, a
burst of writes, a stopped process. Each answer is read off by its row and column.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from console.terminal import Terminal, environment
from demo_stage import SMALL_BATCHES, Walk

pytestmark = [pytest.mark.terminal, pytest.mark.slow, pytest.mark.timeout(300)]
ENDS_WITHIN_SECONDS = 60
HALF = 61  # where the right panes of the overview begin
FLOW, LAG = 20, 25  # rows of the overview: who limits writers, who is furthest behind
CEDAR, BIRCH = 4, 3


@pytest.fixture
def walk(home: Path) -> Iterator[Walk]:
    window = Terminal(home / "tmux", environment(**SMALL_BATCHES))
    walking = Walk(window, home)
    walking.start()
    demo = psutil.Process(window.pid())
    everyone = [demo, *demo.children(recursive=True)]
    yield walking
    walking.press("q")
    _, left = psutil.wait_procs(everyone, ENDS_WITHIN_SECONDS)
    window.stop()
    assert not left


def test_who_holds_writers_up_why_at_which_line_and_how_far_it_is_behind(walk: Walk) -> None:
    with walk.slow_store("cedar"):
        walk.see(FLOW, r" limited by   cedar, by (age|entries|bytes)")
        walk.see(FLOW + 1, r" applier      cedar ○ store/writer_lock\.py:\d+ ")
        walk.see(FLOW + 3, r" held up      \w+ counter \d+ \d+ %")
        walk.see(LAG, r" cedar is [\d.]+ s behind (alder|birch)", HALF)
        walk.press("4")
        walk.see(2, r" limited by cedar, by \w+, for [\d.]+ m?s.*allowed [\d ]+ /s of [\d ]+ /s")
        walk.see(3, r" why        .* wait.* at it; it applies [\d ]+ /s of [\d ]+ /s offered")
        walk.see(4, r" applier    cedar ○ store/writer_lock\.py:\d+ +\d\d %  for a foreign program")
        walk.press("j", "j", "Enter")
        walk.see(4, r"▸daemon +· alive +applier +○ store/writer_lock\.py:\d+")
        walk.press("Enter")
        walk.see(1, r" cedar  daemon \d+  applier")
        walk.see(2, r" isinglass/store/writer_lock\.py  \(the file the process runs: same hash\)")
        line = walk.see(None, r"▸ +\d+ +mark\.waiting\(\"for a foreign program")
        assert "blocked" in walk.terminal.screen().split("\n")[2], line
        walk.press("q")
        walk.see(1, r" PROCESS +LIFE")
        walk.press("5")
        walk.see(5, r".▲ cedar +▲ [\d.]+ s \([\d ]+\)")
        walk.see(6, r" cedar is [\d.]+ s behind (alder|birch) \([\d ]+ updates\); \w+")
    walk.see(6, r" all keep up; furthest behind is \w+, \d+ ms")


def test_when_a_stopped_replica_will_have_caught_up(walk: Walk) -> None:
    walk.press("5", "j", "Z", "y")
    walk.see(6, r" birch is 1\d s behind (alder|cedar) \([\d ]+ updates\); falls further")
    walk.see(4, r"▸~ birch +▲ \d+ s \([\d ]+\)")
    walk.press("+", "+", "Z")
    walk.see(6, r" birch is .* updates\); even in [\d.]+ m?s, [\d ]+ updates/s nearer")
    walk.see(6, r" all keep up; furthest behind is \w+, \d+ ms")


def test_what_merging_avoids_and_why_it_dropped(walk: Walk, tmp_path: Path) -> None:
    walk.press("3")
    before = walk.see(10, r" merges (\d+) %, \d+ % in the 60 s before *$")
    loading = walk.load("alder", 100_000, tmp_path)
    try:
        change = r" merges (\d+) %, \d+ % in the 60 s before: "
        why = r"([\d ]+ /s more come, \S+ % of them merge|\w+ \w+ wait, so .*)"
        found = walk.see(10, rf"{change}{why}; most write: load \d+ of alder")
    finally:
        loading.terminate()
        loading.wait()
    assert int(found[1]) < int(before[1])
    walk.see(2, r".offered +[\d ]+ /s +█+\S* +100 %")


def seconds_from(at: str, count: int) -> list[str]:
    """Return a time of day and the seconds after it."""
    first = datetime.strptime(at, "%H:%M:%S")
    return [f"{first + timedelta(seconds=ahead):%H:%M:%S}" for ahead in range(count)]


def test_what_happened_at_the_instant_an_alarm_fired(walk: Walk) -> None:
    pid = walk.pid("birch")
    os.kill(pid, signal.SIGSTOP)
    try:
        walk.see(0, r".* 2 up .*✖ 1 alarm")
        walk.press("8")
        walk.see(3, r"▸✖ firing +(?P<at>[\d:]{8}) .* node-silent +birch")
        walk.see(None, r" LOOK NEXT  In this demo somebody has stopped or killed it")
        walk.press("Enter")
        at = walk.see(3, r"▸✖ firing +([\d:]{8}) ")[1]
        shown = f"({'|'.join(seconds_from(at, 3))})"  # the first frame that is not before it
        walk.see(0, rf".*birch ~ STOPPED: has not moved for [\d.]+ s +PAUSED −\d\d:\d\d +{shown}")
        walk.press("1")
        walk.see(35, r".*\[ \] step .*L live")
        walk.see(BIRCH, r"▸birch +~ stopped")
        walk.see(None, r".* birch is [\d.]+ s behind (alder|cedar)")
        walk.see(None, r" [\d:.]+ +\w+ +daemon +WARN +cluster +node birch is not heard")
        walk.press("2")
        walk.see(None, r".daemon +~ still [\d.]+\S* +applier +[●○] ")
        walk.press("7")
        walk.see(None, rf".{at}\.\d+ .* raised: node-silent birch")
    finally:
        os.kill(pid, signal.SIGCONT)
    walk.press("L", "1")
    walk.see(BIRCH, r".birch +· serving")


def test_a_demo_that_ended_by_itself_says_so(walk: Walk) -> None:
    demo = psutil.Process(walk.terminal.pid())
    counter = next(
        each
        for each in demo.children(recursive=True)
        if any(word.endswith("counter-1.json") for word in each.cmdline())
    )
    counter.kill()
    walk.see(35, r" the demo has ended: counter 1 ended with code -9")
