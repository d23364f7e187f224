"""What a process tells the cluster's monitors: its events, and of a node its figures.

One sender a process (`sender`), begun by the daemon and by the first client, ended by the last user
of it. A forked child has a stream of its own, and so a sender of its own.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading

from isinglass.emit.sender import Sender
from isinglass.emit.target import Target
from isinglass.glass import segment
from isinglass.glass.reader import SegmentReader

__all__ = ["begin", "end", "follow"]

_lock = threading.Lock()
_sender: Sender | None = None
_users = 0


def begin(target: Target | None, role: str = "client", past: SegmentReader | None = None) -> None:
    """Send this process's events, until `end` was called as often.

    Args:
        target: where to; None when this process cannot send, and the owner of its segment does.
        role: what monitors call it: "daemon", "client", "monitor".
        past: the segment that this process's own has replaced; it is closed when it has been told.
    """
    global _users
    with _lock:
        _users += 1
        _start(target, role, past)


def follow(target: Target | None, role: str = "client") -> None:
    """Send to where the daemon sends now that it was restarted."""
    with _lock:
        if _sender is not None and _sender.target == target:
            return
        _stop()
        _start(target, role)


def end() -> None:
    """Send what is left, and end the thread, if no other user of it is left."""
    global _users
    with _lock:
        _users -= 1
        if _users <= 0:
            _users = 0
            _stop()


def _start(target: Target | None, role: str, past: SegmentReader | None = None) -> None:
    global _sender
    glass = segment.current()
    if _sender is None and target is not None and glass is not None and glass.region >= 0:
        owner = glass.region == 0
        _sender = Sender(target, glass.node, glass.process, role, owner=owner, past=past)
        _sender.start()
    elif past is not None:
        past.close()


def _stop() -> None:
    global _sender
    if _sender is not None:
        _sender.end()
        _sender = None


def _after_fork() -> None:
    global _lock, _sender
    _lock = threading.Lock()
    if _sender is None:
        return
    target = _sender.target
    _sender.forget()
    _sender = None
    _start(target, "client")
    if (util := sys.modules.get("multiprocessing.util")) is not None:
        util.Finalize(None, _stop, exitpriority=1)  # before the segment is left


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_stop)
