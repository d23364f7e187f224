"""Wake up on time on a machine whose CPUs are all busy, which is when somebody runs `top`.

A thread that wakes up between busy ones waits for their time slices: with 16 busy processes on two
CPUs only one sample in four was taken within its millisecond. Two remedies, the best one allowed:

    real time    SCHED_FIFO, priority 1 (sched(7)); root, or a limit on real-time priority
    short slice  a request for slices of 0.1 ms (sched_setattr(2), Linux 6.12); anybody may ask,
                 and pays for preempting at once by being preempted early

The sampler works 20 µs each millisecond, so neither takes time away that it would not take anyhow;
drawing and writing, which take longer, are done at ordinary priority.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

REAL_TIME, SHORT_SLICE, ORDINARY = "real time", "short slice", "ordinary"
SLICE_NS = 100_000
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period.
_ATTRIBUTES = struct.Struct("IIQiIQQQ")


def be_punctual() -> str:
    """Ask the kernel to wake this thread up at once; return which way it granted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return SHORT_SLICE if _ask_for_slice(SLICE_NS) else ORDINARY
    return REAL_TIME


def be_ordinary() -> None:
    """Go back to the priority that every program has."""
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    else:
        _ask_for_slice(0)


@contextmanager
def ordinary_meanwhile() -> Iterator[None]:
    """Do something that takes longer than a sample at ordinary priority."""
    be_ordinary()
    try:
        yield
    finally:
        be_punctual()


def _ask_for_slice(slice_ns: int) -> bool:
    """Ask for time slices of that length, 0 for the kernel's own; return whether it obeyed."""
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, slice_ns, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)
