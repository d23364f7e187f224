"""End a thread of the daemon within a limit, or say where it stands.

A thread that hangs in the kernel (a disk that does not answer) or in a foreign library cannot be
ended from inside. Joined without a limit it would keep the daemon, and the one who asked it to end,
waiting with it; so the daemon gives up after a limit, keeps aside what is queued, and leaves.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from isinglass.errors import ThreadStuck

THREAD_LIMIT_SECONDS = 10.0
"""For a thread that only has to finish its last turn."""


def join(thread: threading.Thread, limit_seconds: float = THREAD_LIMIT_SECONDS) -> None:
    """Wait for a thread that was told to end; one that was never started has ended.

    Raises:
        ThreadStuck: it has not ended within the limit, and where it stands.
    """
    if thread.ident is None:
        return
    thread.join(limit_seconds)
    if thread.is_alive():
        raise ThreadStuck(
            f"the thread {thread.name} of the daemon did not end within {limit_seconds:g} s: it"
            f" stands {_place(thread)}; the daemon leaves without it"
        )


def _place(thread: threading.Thread) -> str:
    """Return where a thread's Python code stands: in the kernel's hands, most often."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "nowhere any more"
    code = frame.f_code
    return f"in {code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
