"""Waking up on time: what the kernel grants, to root and to others, and how it is given back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from isinglass import clock
from isinglass.cli.punctual import ORDINARY, REAL_TIME, SHORT_SLICE
from isinglass.glass.schedstat import SchedStat

ASK = """
import os, sys
from isinglass.cli.punctual import be_ordinary, be_punctual, ordinary_meanwhile
if "--unprivileged" in sys.argv and os.geteuid() == 0:
    os.setuid(65534)
way = be_punctual()
now = os.sched_getscheduler(0)
with ordinary_meanwhile():
    meanwhile = os.sched_getscheduler(0)
again = os.sched_getscheduler(0)
be_ordinary()
print(way, now == again, meanwhile == os.SCHED_OTHER, os.sched_getscheduler(0) == os.SCHED_OTHER,
      now == os.SCHED_FIFO, sep="|")
"""


def ask(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.strip().split("|")


def test_whoever_asks_gets_the_best_way_allowed_and_gives_it_back() -> None:
    way, kept, meanwhile, given_back, real_time = ask()
    assert way in {REAL_TIME, SHORT_SLICE, ORDINARY}
    assert (kept, meanwhile, given_back) == ("True", "True", "True")
    assert (way == REAL_TIME) == (real_time == "True")


def test_without_privilege_it_is_no_error() -> None:
    way, *_rest = ask("--unprivileged")
    assert way in {REAL_TIME, SHORT_SLICE, ORDINARY}  # A limit may grant anybody real time.


def test_the_kernels_account_of_a_thread_that_runs_and_one_that_sleeps() -> None:
    asleep = threading.Event()
    sleeper = threading.Thread(target=asleep.wait)
    sleeper.start()
    own = SchedStat(os.getpid(), threading.get_native_id())
    other = SchedStat(os.getpid(), sleeper.native_id or 0)
    started = clock.thread_cpu_ns()
    while clock.thread_cpu_ns() - started < 20_000_000:
        pass
    mine, theirs = own.delta(), other.delta()
    assert mine is not None and mine.running_ns > 15_000_000
    assert theirs is not None and theirs.running_ns < 5_000_000
    asleep.set()
    sleeper.join()
    while other.delta() is not None:  # Until the kernel has taken the thread away.
        pass
    own.close()
    other.close()
    assert own.delta() is None


def test_a_thread_that_is_not_there_has_no_account() -> None:
    nobody = SchedStat(os.getpid(), 2**22 + 1)
    assert nobody.delta() is None
    nobody.close()
