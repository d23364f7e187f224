"""Flow control in a real closed loop: three processes on the loopback interface, one is slow."""

from __future__ import annotations

import pytest

from simulator.flow_loop import Plan, rates, run_loop
from simulator.flow_simulation import variation


@pytest.mark.slow
def test_three_processes_keep_to_the_slow_ones_speed() -> None:
    """At half the limit, in equal shares, and without swinging; also on a machine with no time."""
    plan = Plan("ours", [6000.0, 6000.0, 2000.0], demand=3000.0, seconds=8)
    results = run_loop(plan)
    slow = results[2]
    late = slow["samples"][len(slow["samples"]) // 2 :]
    assert max(sample[1] for result in results for sample in result["samples"]) <= 1.0
    assert max(sample[1] for sample in late) <= 0.75
    assert slow["busy"] >= 0.9
    admitted = rates(results)
    assert variation(admitted[len(admitted) // 2 :]) <= 0.15
    shares = [result["samples"][-1][2] for result in results]
    assert shares == pytest.approx([sum(shares) / 3] * 3, rel=0.1)
    assert min(result["throttled"] for result in results) > plan.seconds / 4
