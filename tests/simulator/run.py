"""Runs simulated clusters from the command line: `python -m simulator.run SEED`, or many of them.

make soak SEED=17             repeats one run, and tells what happened in it
make soak SEEDS=20000         runs the first 20,000, as many at once as there are processors
make soak SEEDS=500 FIRST=40  runs 500 from the 40th on
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterable
from multiprocessing import get_context

from simulator.scenario import Scenario

TOGETHER = 10
REPEAT = "make soak SEED={seed}"


def failure(seed: int) -> str:
    """Run one seed; return what went wrong, with the account of the run, or nothing."""
    scenario = Scenario(seed)
    try:
        scenario.run()
    except Exception as error:
        where = "" if isinstance(error, AssertionError) else traceback.format_exc()
        account = "\n".join(scenario.cluster.faults)
        return f"{where}seed {seed}: {error}\n{account}\nrepeat: {REPEAT.format(seed=seed)}"
    return ""


def main() -> int:
    """Run what the command line asks for; 1 when any run failed."""
    parser = argparse.ArgumentParser(prog="python -m simulator.run")
    parser.add_argument("seed", nargs="?", type=int)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.seed is not None:
        seeds = range(asked.seed, asked.seed + 1)
    jobs = min(asked.jobs, len(seeds))
    if jobs == 1:
        return tell(map(failure, seeds), len(seeds))
    with get_context("spawn").Pool(jobs) as pool:
        return tell(pool.imap_unordered(failure, seeds, TOGETHER), len(seeds))


def tell(outcomes: Iterable[str], runs: int) -> int:
    """Print what went wrong in each run, and how many went so far; 1 when any run failed."""
    failed, started = 0, time.monotonic()
    for done, found in enumerate(outcomes, 1):
        if found:
            failed += 1
            print(found, flush=True)
        if done % 100 == 0 or done == runs:
            print(f"{done} runs, {failed} failed, {time.monotonic() - started:.0f} s", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
