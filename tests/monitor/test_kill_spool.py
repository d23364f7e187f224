"""Kills at random moments: the spool opens each time, in order, with everything committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from isinglass_monitor.spool import folder as folders
from monitor.kill_harness import Harness

KILLS = 250  # of each seed: 2,000 in total
SEEDS = range(8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_committed_survives_kills(runtime_dir: Path, seed: int) -> None:
    harness = Harness(runtime_dir, seed)
    for number in range(KILLS):
        harness.kill_once()
        if number % 50 == 49:
            harness.check_events()
    assert harness.words[0] > KILLS, "the writers hardly wrote: nothing was tried"
    assert len(folders.segment_numbers(harness.path)) > 1, "no segment gave way to the next"


def test_the_harness_sees_a_lost_batch(runtime_dir: Path) -> None:
    harness = Harness(runtime_dir, 99)
    while not harness.words[0]:
        harness.kill_once()
    harness.words[0] += 1  # a batch that nobody committed
    harness.words[1] = harness.words[0]
    with pytest.raises(AssertionError):
        harness.check()
