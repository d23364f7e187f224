"""Holds one thread of a process in a system call, as a disk that does not answer would.

ptrace(2) stops threads one by one. The thread is let run until it enters a call that writes to the
disk; it holds no lock of the interpreter there, so that all others go on.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from needs import missing

SEIZE, INTERRUPT, SYSCALL, DETACH = 0x4206, 0x4207, 24, 17
TRACESYSGOOD, WALL = 1, 0x40000000
# pwrite64, pwritev, writev, fdatasync, msync (the kernel's syscall tables)
DISK_CALLS = {"x86_64": {18, 296, 20, 75, 26}, "aarch64": {68, 70, 66, 83, 227}}
WAIT_SECONDS = 30.0
_libc = ctypes.CDLL(None, use_errno=True)


class HeldThread:
    """A thread that is held from its next write to the disk on; used through `held`."""

    def __init__(self, pid: int, tid: int) -> None:
        self._call = f"/proc/{pid}/task/{tid}/syscall"
        self._tid, self._calls = tid, DISK_CALLS[platform.machine()]
        self.seized, self.holds = threading.Event(), threading.Event()
        self.let_go, self.refused = threading.Event(), ""
        # One thread of ours does it all: the kernel takes requests from the tracing one alone.
        self.tracer = threading.Thread(target=self._trace)

    def _request(self, number: int, data: int = 0) -> None:
        arguments = (ctypes.c_long(number), ctypes.c_long(self._tid), ctypes.c_void_p(0))
        if _libc.ptrace(*arguments, ctypes.c_void_p(data)) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def _trace(self) -> None:
        try:
            self._request(SEIZE, TRACESYSGOOD)
        except OSError as error:
            self.refused = f"needs ptrace(2), which is refused here: {error}"
            self.seized.set()
            return
        self._request(INTERRUPT)
        os.waitpid(self._tid, WALL)
        self.seized.set()
        while not self.let_go.is_set():
            self._request(SYSCALL)
            _, status = os.waitpid(self._tid, WALL)
            if not os.WIFSTOPPED(status):
                return
            with open(self._call, encoding="ascii") as file:
                word = file.read().split()[0]
            if word.isdigit() and int(word) in self._calls:
                break
        self.holds.set()
        # Also looks for the thread's end: its process could not end without.
        while not self.let_go.wait(0.02):
            if os.waitpid(self._tid, WALL | os.WNOHANG)[0]:
                return
        self._request(DETACH)


@contextmanager
def held(pid: int, tid: int) -> Iterator[HeldThread]:
    """Hold a thread for a block from its next write to the disk on, or skip the test."""
    if platform.machine() not in DISK_CALLS:
        missing(f"needs the numbers of the system calls of {platform.machine()}: add them")
    thread = HeldThread(pid, tid)
    thread.tracer.start()
    assert thread.seized.wait(WAIT_SECONDS)
    if thread.refused:
        missing(thread.refused)
    try:
        yield thread
    finally:
        thread.let_go.set()
        thread.tracer.join(WAIT_SECONDS)


def wait_until_held(thread: HeldThread) -> None:
    """Wait until the thread stands in such a call."""
    assert thread.holds.wait(WAIT_SECONDS), "the thread never wrote to the disk"
