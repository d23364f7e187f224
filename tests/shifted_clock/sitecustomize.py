"""Shifts the wall clock of a program, by as many seconds as a file says at each moment.

Linux has no wall clock of its own for one process. So the interpreter that runs the program is told
another one, before the program looks at it: with this folder on PYTHONPATH, Python imports this
module first (module `site`). Monotonic clocks and sleeps stay as they are.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_FILE = Path(os.environ["SHIFTED_CLOCK"])
_LOOK_NS = 10_000_000
_true_ns, _monotonic_ns = time.time_ns, time.monotonic_ns
_shift_ns, _looked_ns = 0, 0


def _time_ns() -> int:
    global _shift_ns, _looked_ns
    if (now_ns := _monotonic_ns()) - _looked_ns > _LOOK_NS:
        _shift_ns, _looked_ns = int(_FILE.read_text() or 0) * 10**9, now_ns
    return _true_ns() + _shift_ns


def _time() -> float:
    return _time_ns() / 1e9


time.time_ns, time.time = _time_ns, _time
