"""This process's region in the node's segment, shared by all its clients of that node.

A process has one place behind the glass. A program that has put itself there already (a daemon of
its own, a client of another node) keeps that place, and its client counters show there.
"""

from __future__ import annotations

import os
import threading

from isinglass.errors import SegmentError
from isinglass.glass import segment

_lock = threading.Lock()
_users: dict[str, int] = {}


def join(node: str, process: str) -> bool:
    """Claim a region in the node's segment unless this process has one; False if it stays put.

    Raises:
        RegionsTaken: 255 other processes live there.
        SegmentError: the segment cannot be used, and why.
    """
    with _lock:
        current = segment.current()
        if current is not None and current.node != node and current.region >= 0:
            return False
        if current is not None and node not in _users and not current.replaced():
            return False
        if current is None or current.replaced():
            segment.attach(node, process)
        _users[node] = _users.get(node, 0) + 1
        return True


def follow(node: str, process: str) -> None:
    """After a restart of the node: claim a region in its new segment; without one, go on unseen."""
    with _lock:
        current = segment.current()
        if node in _users and (current is None or (current.node == node and current.replaced())):
            try:
                segment.attach(node, process)
            except SegmentError:
                return


def leave(node: str) -> None:
    """Give the region back when the last client of the node closes: a clean exit."""
    with _lock:
        _users[node] -= 1
        if _users[node]:
            return
        del _users[node]
        current = segment.current()
        if current is not None and current.node == node:
            current.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
