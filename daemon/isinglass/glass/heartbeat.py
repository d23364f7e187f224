"""The thread that shows that a process lives, and for how long each of its threads has stood still.

Once a second it stores the time into the process's slot. A process whose lock is held but whose
heartbeat is old is STALLED: stopped, or stuck with the interpreter lock held. It also looks at each
probe line: a thread stands as long as neither its mark changed nor the kernel gave it the processor
(the count of time slices in schedstat, see the kernel's sched-stats.rst).
"""

from __future__ import annotations

import threading

from isinglass import clock
from isinglass.glass import layout
from isinglass.glass.layout import LineWord, RegionWord, SlotWord
from isinglass.glass.region import OWN


def time_slices(native_id: int) -> int:
    """Return how often a thread of this process was given a processor; 0 when it is gone."""
    try:
        with open(f"/proc/self/task/{native_id}/schedstat", "rb") as file:
            return int(file.read().split()[2])
    except (OSError, IndexError, ValueError):
        return 0


def watch_threads(now_ns: int) -> None:
    """Note for each probe line since when its thread stands where it stands."""
    words = OWN.words
    for line in range(words[RegionWord.LINE_COUNT]):
        at = OWN.line_word(line)
        native_id = words[at + LineWord.NATIVE_ID]
        if native_id == 0:
            continue
        seen = (words[at + LineWord.PROBE], time_slices(native_id))
        if seen != (words[at + LineWord.WATCHED_PROBE], words[at + LineWord.WATCHED_SLICES]):
            words[at + LineWord.WATCHED_PROBE], words[at + LineWord.WATCHED_SLICES] = seen
            words[at + LineWord.SINCE_NS] = now_ns


class Heartbeat:
    """Beats for one slot until it is stopped."""

    def __init__(self, slot_words: memoryview) -> None:
        self._words = slot_words
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.beat()
        self._thread.start()

    def beat(self) -> None:
        """Store one heartbeat now."""
        now = clock.monotonic_ns()
        watch_threads(now)
        self._words[SlotWord.HEARTBEAT_NS] = now

    def _run(self) -> None:
        while not self._stop.wait(layout.HEARTBEAT_SECONDS):
            self.beat()

    def stop(self) -> None:
        """End the thread; returns when it stores no more."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)
