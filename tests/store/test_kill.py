"""Kills at random moments: the store opens each time and holds what was acknowledged, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.kill_harness import Harness

KILLS = 125  # of each seed: 1,000 in total
SEEDS = range(8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_acknowledged_survives_kills(runtime_dir: Path, seed: int) -> None:
    harness = Harness(runtime_dir, seed)
    for _ in range(KILLS):
        harness.kill_once()
    assert harness.acknowledged > KILLS, "the writers hardly wrote: nothing was tried"


def test_the_harness_sees_a_lost_step(runtime_dir: Path) -> None:
    harness = Harness(runtime_dir, 99)
    harness.kill_once()
    while not harness.acknowledged:
        harness.kill_once()
    harness.words[0] += 1  # a step that nobody applied
    harness.words[1] = harness.words[0]
    with pytest.raises(AssertionError, match="lost"):
        harness.check()
