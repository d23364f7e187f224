"""Faults that meet each other on five hosts, some walks of them; see `fault_walk` for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from fault_walk import walk

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_promised_holds_after_faults_that_meet(
    seed: int, tmp_path: Path, data_dir: Path
) -> None:
    walk(seed, tmp_path)
