"""Many short lives of clusters, each from a seed: the main test of replication (see `scenario`).

A seed that fails names the one command that repeats it, with the account of what happened. `make
soak` runs more of them.
"""

from __future__ import annotations

import pytest

from simulator.run import failure

RUNS, QUICK_RUNS, TOGETHER = 300, 30, 10


@pytest.mark.parametrize(
    "first",
    [
        *range(0, QUICK_RUNS, TOGETHER),
        *(
            pytest.param(first, marks=pytest.mark.slow)
            for first in range(QUICK_RUNS, RUNS, TOGETHER)
        ),
    ],
)
def test_clusters_become_one_again(first: int) -> None:
    found = [failure(seed) for seed in range(first, first + TOGETHER)]
    assert not any(found), "\n\n".join(filter(None, found))
